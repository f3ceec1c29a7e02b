"""The table that benchmarks read: 420,551 rows of 14 columns every ten minutes, as large as the lectures' file."""

from pathlib import Path

import numpy as np
import polars as pl

ROWS, COLUMNS = 420_551, 14


def values() -> np.ndarray:
    """Daily and yearly waves with noise, from a fixed seed."""
    generator = np.random.default_rng(0)
    steps = np.arange(ROWS)[:, None]
    phases = np.arange(COLUMNS)[None]
    waves = 8 * np.sin(2 * np.pi * steps / 144 + phases) + 12 * np.sin(2 * np.pi * steps / 52_560 + phases)
    return (waves + generator.normal(0, 2, (ROWS, COLUMNS)) + 10).round(2)


def write_csv(path: Path, rows: int = ROWS) -> None:
    """The table, or its first rows, as the lectures' file has it: times as dd.mm.yyyy HH:MM:SS, temperature second."""
    start = pl.datetime(2009, 1, 1, 0, 10)
    times = pl.datetime_range(start, start + pl.duration(minutes=10 * (ROWS - 1)), "10m", eager=True)
    names = [f"column {number} (unit)" if number != 1 else "T (degC)" for number in range(COLUMNS)]
    columns = dict(zip(names, values().T, strict=True))
    frame = pl.DataFrame({"Date Time": times.dt.strftime("%d.%m.%Y %H:%M:%S"), **columns})
    frame.head(rows).write_csv(path)
