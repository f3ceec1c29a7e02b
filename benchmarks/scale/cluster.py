"""Many trainings: ``python -m benchmarks.scale.cluster`` times one comparison here, in processes and on Ray.

Beside them stands what a training costs in each that has nothing to do: how small trainings may be.
"""

import os
import shlex
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import Any

import torch

from foretell.cluster.elsewhere import Elsewhere
from foretell.cluster.processes import Processes
from foretell.cluster.ray_cluster import RayCluster
from foretell.cluster.work import Executor, Here, Shared, Work, done_or_raise
from foretell.tasks import get_task, task_configuration

from ..measure import machine

COMPARISON = (
    'compare forecast nyc-weather --series station --target "temperature (degC)" --rungs persistence,gru '
    "--lookback 48h --ahead 1:24 --epochs 8 --patience 0 --seeds 4 --threads 1 --quiet"
)
PLACES = ("here", "processes:2", "ray")
EMPTY = 40  # trainings without work


class Silent:
    """Listens to nothing."""

    def began(self, work: Work) -> None:
        """Nothing."""

    def step(self, work: Work, epoch: int, step: int, steps: int, loss: float) -> None:
        """Nothing."""

    def epoch(self, work: Work, record: dict[str, Any], epochs: int) -> bool:
        """It goes on."""
        return True

    def again(self, work: Work) -> None:
        """Nothing."""


def main() -> None:
    """Measures and prints."""
    print("\n".join(measured()))


def measured() -> list[str]:
    """The whole of it, as Markdown."""
    with tempfile.TemporaryDirectory() as folder:
        whole = {place: comparison(place, Path(folder)) for place in PLACES}
        empty = {"here": overhead(Here(), Path(folder))}
        processes = Processes(2, torch.get_num_threads())
        empty["processes:2"] = overhead(Elsewhere(processes), Path(folder))
        processes.close()
        ray = RayCluster(None, 1, 0.0, torch.get_num_threads())
        empty["ray"] = overhead(Elsewhere(ray), Path(folder))
        ray.close()
    lines = [f"{date.today()}, {machine()}; `foretell {COMPARISON}`, from the command to its end:", ""]
    lines += ["| `--on` | whole comparison | a training without work |", "| --- | ---: | ---: |"]
    return lines + [f"| `{place}` | {whole[place]:.1f} s | {1000 * empty[place]:.1f} ms |" for place in PLACES]


def comparison(place: str, folder: Path) -> float:
    """How long the comparison takes, the start of everything included."""
    name = place.partition(":")[0]
    command = [sys.executable, "-m", "foretell", *shlex.split(COMPARISON), "--on", place]
    started = time.perf_counter()
    subprocess.run(
        [*command, "--runs-dir", str(folder), "--name", name],
        check=True,
        stdout=subprocess.DEVNULL,
        env={variable: value for variable, value in os.environ.items() if variable != "RAY_ADDRESS"},
    )
    return time.perf_counter() - started


def overhead(executor: Executor, folder: Path) -> float:
    """Seconds of a training that counts a few symbols, once workers are there and have the data."""
    task = get_task("recall")
    shared = Shared([task.prepare(None, task_configuration("recall").build({"training_sequences": 100}))])

    def carried_out(count: int) -> float:
        works = [Work(f"{number}", "chance", shared, folder / str(number)) for number in range(count)]
        started = time.perf_counter()
        for _, result in executor.carry_out(task, iter(works), Silent()):
            done_or_raise(result)
        return (time.perf_counter() - started) / count

    carried_out(4)
    return carried_out(EMPTY)


if __name__ == "__main__":
    main()
