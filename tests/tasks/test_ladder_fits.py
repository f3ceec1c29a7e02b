"""Every rung that learns, from a table of one column and from one of three hundred, through the public door."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

import foretell as ft
from foretell.tasks.forecast.rungs import NETWORKS, TREES

from ..unit.made_layers import one_thread_of_torchs  # noqa: F401 (for every test here)

ROWS = 160


def made_frame(columns: int) -> pl.DataFrame:
    """Hours of columns that each go up and down, at three hundred paces."""
    generator, hours = np.random.default_rng(0), np.arange(ROWS)
    times = pl.datetime_range(pl.datetime(2021, 1, 1), pl.datetime(2021, 12, 31), "1h", eager=True).head(ROWS)
    waves = {f"c{place}": np.sin(hours / (3 + place / 7)) + generator.normal(0, 0.1, ROWS) for place in range(columns)}
    return pl.DataFrame({"time": times, **waves})


@pytest.mark.parametrize("columns", [1, 300])
@pytest.mark.parametrize("rung", [*NETWORKS, TREES])
def test_a_rung_learns_from_tables_narrow_and_wide(rung: str, columns: int, tmp_path: Path) -> None:
    if rung == TREES:
        pytest.importorskip("lightgbm")
    frame = made_frame(columns)
    forecaster = ft.Forecaster(
        rung,
        "c0",
        lookback=24,
        ahead="1:2",
        epochs=1,
        steps_per_epoch=20,
        batch_size=16,
        units=(4, 8) if rung == "gru-stacked" else 8,
        trees=5,
        leaf_rows=10,
    ).fit(frame)
    forecast = forecaster.predict(frame)
    assert forecast.columns == ["time", "made at", "forecast c0"]
    assert (forecast["time"] - frame["time"][-1]).dt.total_hours().to_list() == [1, 2]
    assert forecast["forecast c0"].is_finite().all()
    assert all(np.isfinite(metrics["mae"]) for metrics in forecaster.metrics_.values())
    assert forecaster.predict(frame.tail(24)).equals(forecast) or rung != TREES
    found = ft.load(forecaster.save(tmp_path / "model")).predict(frame)
    np.testing.assert_allclose(found["forecast c0"], forecast["forecast c0"], rtol=0, atol=1e-6)
