"""A table larger than memory: the first pass, memory while training, steps beside the same windows in memory."""

import shutil
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from foretell.data.reading import open_table
from foretell.data.stored import StoredTable
from foretell.data.stored_windows import StoredWindows
from foretell.data.windows import Windows
from foretell.tasks.forecast.config import Configuration
from foretell.tasks.forecast.prepare import PreparedForecast
from foretell.tasks.forecast.rungs import NetworkShape, build_network
from foretell.tasks.forecast.task import task

from ..measure import race
from .memory import capped, forget, run
from .panel import write_panel

SIZES = ((10, 10_000), (100, 10_000), (1_000, 10_000), (10_000, 10_000))  # series and rows of each
MANY = (1_000_000, 100)
BATCH, STEPS, CAP = 128, 20, 1_200  # windows, steps of a turn, MB
_OPTIONS = ("--series", "id", "--target", "load", "--rung", "gru", "--epochs", "1", "--steps-per-epoch", "200")
_WINDOW, _SHORT = ("--lookback", "48", "--ahead", "24"), ("--lookback", "24", "--ahead", "12")


def main(sizes: tuple[tuple[int, int], ...] = SIZES, many: tuple[int, int] = MANY) -> None:
    """Measures and prints."""
    headings = "rows, files, first pass, rows a second, again, store, prepared, a step from the store, in memory, ratio"
    print(f"| {headings.replace(', ', ' | ')} |")
    print("|" + " --- |" * 10)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        for series, rows in sizes:
            print(_line(write_panel(home / f"panel-{series}", series, rows), home / "cache"), flush=True)
        print("\nThe whole command, on the largest of these and on one of many short series:\n")
        for series, _ in sizes[-2:]:
            _train(home / f"panel-{series}", home, _WINDOW)
        largest = home / f"panel-{sizes[-1][0]}"
        _train_capped(largest, home)
        shutil.rmtree(largest)
        _train(write_panel(home / f"panel-{many[0]}", *many), home, _SHORT)


def _configuration(cache: Path) -> Configuration:
    values = {"target": ("load",), "series": "id", "lookback": "48", "ahead": "24", "rung": "gru", "store": "yes"}
    return Configuration.build({**values, "cache_dir": cache}, environment={})


def _line(panel: Path, cache: Path) -> str:
    """What a panel of one size costs."""
    configuration, times = _configuration(cache), []
    for _ in range(2):
        started = time.perf_counter()
        table = open_table(panel, configuration.data)
        times.append(time.perf_counter() - started)
    if not isinstance(table, StoredTable):
        raise TypeError("the panel was read into memory")
    started = time.perf_counter()
    prepared = task.prepare(table, configuration)
    ready = time.perf_counter() - started
    stored, held = _steps(prepared, table)
    size = sum(own.stat().st_size for own in panel.iterdir()) / 1e6
    kept = table.stored.nbytes / 1e6
    return (
        f"| {table.rows:,} | {size:,.0f} MB | {times[0]:.2f} s | {table.rows / times[0]:,.0f} | {times[1]:.2f} s | "
        f"{kept:,.0f} MB | {ready:.2f} s | {1e3 * stored:.2f} ms | {1e3 * held:.2f} ms | {stored / held:.2f} |"
    )


def _steps(prepared: PreparedForecast, table: StoredTable) -> tuple[float, float]:
    """The median time of a training step with windows from the store, and with the same windows in memory."""
    view = prepared.view
    inputs = np.concatenate([view.scaling.inputs(own.part) for own in table.stretches()])
    targets = np.concatenate([view.scaling.scaled_targets(own.part) for own in table.stretches()])
    held = Windows(inputs, targets, view.shape, table.starts)
    shape = NetworkShape(view.shape, view.width, len(view.scaling.targets), places=view.scaling.target_places)
    configuration = prepared.configuration.of_rung(task.rungs["gru"].options)
    torch.manual_seed(0)
    network = build_network("gru", shape, configuration.network)
    optimiser = torch.optim.AdamW(network.parameters())
    anchors, draw = prepared.anchors.spans["train"], np.random.default_rng(0)

    def turn(windows: Windows | StoredWindows) -> None:
        for _ in range(STEPS):
            chosen = anchors[draw.integers(0, len(anchors), BATCH)]
            optimiser.zero_grad()
            loss = (network(windows.inputs_at(chosen)) - windows.targets_at(chosen)).abs().mean()
            torch.autograd.backward(loss)
            optimiser.step()

    times = race({"store": lambda: turn(view.windows), "memory": lambda: turn(held)}, 15)
    stored, memory = (statistics.median(own) / STEPS for own in times.values())
    return stored, memory


def _train(panel: Path, home: Path, window: tuple[str, ...], group: Path | None = None) -> None:
    """The whole command on a panel: how long it takes, and its memory."""
    places = ("--runs-dir", str(home / "runs"), "--cache-dir", str(home / "cache"))
    name = f"{panel.name}{'-capped' if group else ''}"
    ran = run("train", "forecast", str(panel), *_OPTIONS, *window, *places, "--name", name, "--quiet", group=group)
    print(f"foretell train forecast {name} {' '.join((*_OPTIONS, *window))}")
    print(f"exit {ran.code}, {ran.seconds:.0f} s, RssAnon at most {ran.anonymous:.0f} MB", flush=True)


def _train_capped(panel: Path, home: Path) -> None:
    """The same where memory is limited, the system's copies of files included."""
    with capped(CAP) as group:
        if group is None:
            print("no control group can be made here, so that memory cannot be capped")
            return
        forget(home)  # what others have read would be charged to them
        print(f"in a control group of {CAP} MB:")
        _train(panel, home, _WINDOW, group)


if __name__ == "__main__":
    main()
