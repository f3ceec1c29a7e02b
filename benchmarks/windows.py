"""Windows a second: our gather, copying the same bytes, and the lectures' generator, in turns."""

from collections.abc import Callable

import numpy as np
import torch

from foretell.data.windows import Windows, WindowShape

from .example import COLUMNS, ROWS, values
from .measure import Row, race, rows

LOOKBACK, STEP, DELAY, BATCH, BATCHES = 1440, 6, 144, 128, 200


def repeat(run: Callable[[], object], times: int) -> Callable[[], None]:
    """A run so many times over."""

    def again() -> None:
        for _ in range(times):
            run()

    return again


def measure() -> list[Row]:
    """One batch of 128 windows of 240 × 14 values."""
    data = values()
    scaled = ((data - data.mean(axis=0)) / data.std(axis=0)).astype(np.float32)
    shape = WindowShape(LOOKBACK, STEP, (DELAY, DELAY))
    windows = Windows(scaled, scaled[:, 1:2], shape, np.array([0, ROWS]))
    generator = np.random.default_rng(1)
    batch = torch.empty(BATCH, shape.steps, COLUMNS)
    size = BATCH * shape.steps
    table = torch.from_numpy(scaled)
    hot = torch.rand(BATCH, shape.steps, COLUMNS)

    def anchors() -> np.ndarray:
        return generator.integers(LOOKBACK, ROWS - DELAY, BATCH)

    def ours() -> None:
        drawn = anchors()
        windows.inputs_at(drawn, out=batch)
        windows.targets_at(drawn)

    def copied_from_the_table() -> None:
        start = int(generator.integers(0, ROWS - size))
        batch.view(size, COLUMNS).copy_(table[start : start + size])

    def copied_within_the_cache() -> None:
        batch.copy_(hot)

    def lecture() -> None:
        # As the listing does it: one window after another, in Python, in float64.
        drawn = anchors()
        samples, targets = np.zeros((BATCH, LOOKBACK // STEP, COLUMNS)), np.zeros(BATCH)
        for place, row in enumerate(drawn):
            samples[place] = data[range(row - LOOKBACK, row, STEP)]
            targets[place] = data[row + DELAY][1]

    contestants = {
        "copying the same bytes, from the table": copied_from_the_table,
        "copying the same bytes, within the cache": copied_within_the_cache,
        "foretell": ours,
        "the lectures' generator": lecture,
    }
    # As in training, one batch follows another: a turn is two hundred of them, and times are those of one batch.
    turns = {name: repeat(run, BATCHES) for name, run in contestants.items()}
    times = {name: [turn / BATCHES for turn in own] for name, own in race(turns, repetitions=9).items()}
    what = f"a batch of {BATCH} windows, {LOOKBACK // STEP} × {COLUMNS}"
    against_copy = rows(
        what,
        times,
        "copying the same bytes, from the table",
        {"foretell": ("half of copying", lambda _, ratio: ratio >= 0.5)},
    )
    against_lecture = rows(
        what, times, "the lectures' generator", {"foretell": ("20 × the generator", lambda _, ratio: ratio >= 20)}
    )
    return against_copy + [row for row in against_lecture if row.contestant == "foretell"]
