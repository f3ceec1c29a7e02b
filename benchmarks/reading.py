"""From a CSV of 43 MB to a scaled array, beside pandas doing the same."""

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from foretell.data.reading import read_table
from foretell.data.scaling import learn_scaling
from foretell.data.spans import cut_spans

from .example import write_csv
from .measure import Row, race, rows


def measure() -> list[Row]:
    """420,551 rows of 14 columns: read, checked, put on a grid, scaled on the training span."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.csv"
        write_csv(path)

        def ours() -> None:
            table = read_table(path)
            learn_scaling(table, cut_spans(table, "200000,100000,rest").training_rows).inputs(table)

        def theirs() -> None:
            frame = pd.read_csv(path)
            pd.to_datetime(frame.pop("Date Time"), format="%d.%m.%Y %H:%M:%S")
            data = frame.to_numpy()
            ((data - data[:200_000].mean(axis=0)) / data[:200_000].std(axis=0)).astype(np.float32)

        size = path.stat().st_size / 1e6
        times = race({"pandas and numpy, unchecked": theirs, "foretell": ours}, repetitions=7, warm_up=1)
        goals = {"foretell": ("under 1 s", lambda seconds, _: seconds < 1.0)}
        return rows(f"CSV of {size:.0f} MB to scaled array", times, "pandas and numpy, unchecked", goals)
