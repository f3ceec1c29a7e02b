"""Made data of several tasks."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest


@pytest.fixture
def shops(tmp_path: Path) -> Path:
    """Three shops of unequal age, their sales moved by a plan that is known ahead, and by what kind of shop it is."""
    generator = np.random.default_rng(0)
    frames = []
    for name, kind, rows in (("a", "big", 400), ("b", "small", 380), ("c", "small", 300)):
        hours = np.arange(400)[-rows:]
        plan = (generator.random(rows) < 0.3).astype(float)
        sales = 10 * (kind == "big") + 3 * plan + 2 * np.sin(2 * np.pi * hours / 24) + generator.normal(0, 0.2, rows)
        times = pl.datetime_range(pl.datetime(2024, 1, 1), pl.datetime(2024, 3, 1), "1h", eager=True).head(400)[-rows:]
        frames.append(
            pl.DataFrame({"shop": [name] * rows, "kind": [kind] * rows, "time": times, "plan": plan, "sales": sales})
        )
    path = tmp_path / "shops.csv"
    pl.concat(frames).write_csv(path)
    return path
