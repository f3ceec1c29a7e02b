"""Every rung that learns, from a table of one column and from one of three hundred, through the public door."""

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jaxtyping
import numpy as np
import polars as pl
import pytest

import foretell as ft
from foretell.tasks.forecast.rungs import NETWORKS, TREES

from ..unit.made_layers import one_thread_of_torchs  # noqa: F401 (for every test here)

ROWS = 120
LEARNING_RUNGS = [*NETWORKS, TREES]


@functools.cache
def made_frame(columns: int) -> pl.DataFrame:
    """Hours of columns that each go up and down, at paces of their own."""
    generator, hours = np.random.default_rng(0), np.arange(ROWS)
    times = pl.datetime_range(pl.datetime(2021, 1, 1), pl.datetime(2021, 12, 31), "1h", eager=True).head(ROWS)
    waves = {f"c{place}": np.sin(hours / (3 + place / 7)) + generator.normal(0, 0.1, ROWS) for place in range(columns)}
    return pl.DataFrame({"time": times, **waves})


@functools.cache
def fitted(rung: str, columns: int, **options: Any) -> ft.Forecaster:
    """A rung's small network, or few trees."""
    if rung == TREES:
        pytest.importorskip("lightgbm")
    units = (4, 8) if rung == "gru-stacked" else 8
    sizes: dict[str, Any] = {
        "units": units,
        "batch_size": 16,
        "epochs": 1,
        "steps_per_epoch": 20,
        "trees": 5,
        "leaf_rows": 10,
    }
    return ft.Forecaster(rung, "c0", lookback=24, ahead="1:2", **sizes, **options).fit(made_frame(columns))


def must_learn(rung: str, columns: int) -> None:
    frame, forecaster = made_frame(columns), fitted(rung, columns)
    forecast = forecaster.predict(frame)
    assert forecast.columns == ["time", "made at", "forecast c0"]
    assert (forecast["time"] - frame["time"][-1]).dt.total_hours().to_list() == [1, 2]
    assert forecast["forecast c0"].is_finite().all()
    assert all(np.isfinite(metrics["mae"]) for metrics in forecaster.metrics_.values())


@pytest.mark.parametrize("rung", LEARNING_RUNGS)
def test_a_rung_learns_from_a_table_of_one_column(rung: str) -> None:
    must_learn(rung, 1)


@pytest.fixture
def as_users() -> Iterator[None]:
    """Without the checks of types and shapes that the tests add: of what is made for each column they take long."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.mark.usefixtures("as_users")
@pytest.mark.parametrize("rung", LEARNING_RUNGS)
def test_a_rung_learns_from_a_table_of_three_hundred_columns(rung: str) -> None:
    must_learn(rung, 300)


@pytest.mark.parametrize(
    ("rung", "options"),
    [(rung, {}) for rung in LEARNING_RUNGS] + [(rung, {"normalise": "window"}) for rung in ("dlinear", "segment-gru")],
)
def test_a_rung_that_is_saved_predicts_the_same(rung: str, options: dict[str, Any], tmp_path: Path) -> None:
    forecaster = fitted(rung, 1, **options)
    found = ft.load(forecaster.save(tmp_path / "model")).predict(made_frame(1))
    expected = forecaster.predict(made_frame(1))["forecast c0"]
    np.testing.assert_allclose(found["forecast c0"], expected, rtol=0, atol=1e-6)
