"""Panels of any size, made from a seed: series with a daily rhythm, of four columns, in Parquet files."""

from pathlib import Path

import numpy as np
import polars as pl

_ROWS_OF_A_FILE = 1_000_000
_START = np.datetime64("2020-01-01T00:00:00", "us")


def write_panel(folder: Path, series: int, rows: int) -> Path:
    """Hourly series of four columns, some of them in each file.

    Args:
        folder: Gets the files.
        series: How many.
        rows: Of each.
    """
    folder.mkdir(parents=True, exist_ok=True)
    times = _START + np.arange(rows) * np.timedelta64(1, "h")
    day = 2 * np.pi * np.arange(rows) / 24
    size = max(1, _ROWS_OF_A_FILE // rows)
    for number, first in enumerate(range(0, series, size)):
        draw, count = np.random.default_rng(number), min(size, series - first)
        level, phase = draw.normal(20, 5, (count, 1)), draw.uniform(0, 6, (count, 1))
        noise = draw.normal(size=(count, rows)).astype(np.float32)
        load = level + 3 * np.sin(day + phase) + 0.5 * noise
        columns = {
            "id": np.repeat([f"s{first + place:06d}" for place in range(count)], rows),
            "time": np.tile(times, count),
            "load": load.astype(np.float32).ravel(),
            "noise": noise.ravel(),
            "other": draw.normal(size=count * rows).astype(np.float32),
            "rhythm": np.cos(day + phase).astype(np.float32).ravel(),
        }
        pl.DataFrame(columns).write_parquet(folder / f"part-{number:05d}.parquet")
    return folder
