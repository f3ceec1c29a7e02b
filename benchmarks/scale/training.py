"""One training on one and on two processes of this machine, and what it costs them to tell each other.

Both train with the same batch; what is told is windows a second in the best of some epochs. Two processes share the
processors that one has, so that more than the same speed is not to be had on the processor: the difference is what
sharing costs.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch

from foretell.config import TrainingSection
from foretell.training.group import join

ROOT = Path(__file__).parents[2]
TRAINING = (
    *(
        "train",
        "forecast",
        "nyc-weather",
        "--series",
        "station",
        "--target",
        "temperature (degC)",
        "--lookback",
        "240h",
    ),
    *("--ahead", "24h", "--epochs", "4", "--patience", "0", "--checkpoint-seconds", "1000", "--quiet"),
)
RUNGS = (("gru", "32", 128, 60), ("gru", "32", 1024, 12), ("gru", "256", 128, 8))  # units, batch, steps
SIZES = (
    ("nothing but a loss", 3),
    ("the gradient of GRU(32)", 5_000),
    ("that of a Transformer of 2.6 million", 2_600_000),
)
REPETITIONS = 60


def windows_a_second(devices: int, rung: str, units: str, batch: int, steps: int) -> float:
    """How fast so many processes train.

    Args:
        devices: How many.
        rung: What they train.
        units: Its size.
        batch: Windows of a step, of all processes together.
        steps: Of an epoch.
    """
    with tempfile.TemporaryDirectory() as folder:
        own = ["--rung", rung, "--units", units, "--batch-size", str(batch), "--steps-per-epoch", str(steps)]
        own += ["--devices", str(devices), "--runs-dir", folder, "--name", "run"]
        command = [sys.executable, "-m", "foretell", *TRAINING, *own]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        lines = (Path(folder) / "run" / "metrics.jsonl").read_text().splitlines()
    return max(float(json.loads(line)["per_second"]) for line in lines)


def told(devices: int) -> dict[str, float]:
    """Milliseconds that adding up numbers over so many processes takes, by what they are."""
    with tempfile.TemporaryDirectory() as folder:
        started = ["--standalone", "--nproc-per-node", str(devices), "-m", "benchmarks.scale.training", folder]
        environment = {**os.environ, "GLOO_SOCKET_IFNAME": "lo"}
        command = [sys.executable, "-m", "torch.distributed.run", *started]
        subprocess.run(command, check=True, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)
        found: dict[str, float] = json.loads((Path(folder) / "told.json").read_text())
    return found


def milliseconds(run: Callable[[], object]) -> float:
    """The median time of something, after some turns that do not count."""
    times = []
    for turn in range(REPETITIONS + 10):
        began = time.perf_counter()
        run()
        if turn >= 10:
            times.append(1000 * (time.perf_counter() - began))
    return statistics.median(times)


def tell(folder: Path) -> None:
    """What each process does to find out what telling costs."""
    group = join(TrainingSection(devices=int(os.environ["WORLD_SIZE"])))
    found = {}
    for what, count in SIZES:
        numbers = torch.ones(count)
        found[what] = milliseconds(partial(group.average, numbers))
    if group.leads:
        (folder / "told.json").write_text(json.dumps(found))


def main() -> None:
    """Measures and prints."""
    print(f"one training, one and two processes on {os.cpu_count()} processors")
    for rung, units, batch, steps in RUNGS:
        one, two = (windows_a_second(devices, rung, units, batch, steps) for devices in (1, 2))
        print(
            f"  {rung}, {units} units, 240 steps of time, batch {batch}: {one:,.0f} windows a second alone, "
            f"{two:,.0f} by two ({two / one:.2f} times)"
        )
    print("adding up over two processes, milliseconds")
    for what, took in told(2).items():
        print(f"  {what}: {took:.2f}")


if __name__ == "__main__":
    if "TORCHELASTIC_RUN_ID" in os.environ:
        tell(Path(sys.argv[1]))
    else:
        main()
