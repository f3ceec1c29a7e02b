"""From Python: any data frame in, the same kind out; models that are saved predict the same."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import foretell as ft
from foretell.errors import InputError, UsageError

OPTIONS: dict[str, Any] = {"target": "T (degC)", "lookback": "24", "ahead": "6h", "epochs": 1, "units": 4}


@pytest.mark.parametrize("rung", ["persistence", "seasonal", "climatology", "ridge", "mlp", "gru"])
def test_a_saved_model_predicts_the_same(hourly: pl.DataFrame, tmp_path: Path, rung: str) -> None:
    forecaster = ft.Forecaster(rung, **OPTIONS).fit(hourly)
    assert forecaster.evaluate()["unit"] == "degC"
    expected = forecaster.predict(hourly)
    forecaster.save(tmp_path / "model")
    found = ft.load(tmp_path / "model").predict(hourly)
    np.testing.assert_allclose(found["forecast T (degC)"], expected["forecast T (degC)"], rtol=0, atol=1e-12)
    assert found["time"].equals(expected["time"])


def test_the_kind_of_frame_that_comes_in_goes_out(hourly: pl.DataFrame) -> None:
    forecaster = ft.Forecaster("ridge", **OPTIONS).fit(hourly)
    expected = forecaster.predict(hourly)["forecast T (degC)"].to_list()
    in_pandas = forecaster.predict(hourly.to_pandas())
    assert isinstance(in_pandas, pd.DataFrame)
    assert in_pandas["forecast T (degC)"].tolist() == pytest.approx(expected)
    indexed = forecaster.predict(hourly.to_pandas().set_index("time"))
    assert indexed["forecast T (degC)"].tolist() == pytest.approx(expected)
    in_arrow = forecaster.predict(hourly.to_arrow())
    assert isinstance(in_arrow, pa.Table)
    assert in_arrow["forecast T (degC)"].to_pylist() == pytest.approx(expected)


def test_parameters_are_stored_and_what_is_learned_ends_in_an_underscore(hourly: pl.DataFrame) -> None:
    forecaster = ft.Forecaster("persistence", **OPTIONS)
    assert forecaster.lookback == "24"
    assert not [name for name in vars(forecaster) if name.endswith("_")]
    with pytest.raises(InputError, match="call fit"):
        forecaster.predict(hourly)
    assert forecaster.fit(hourly) is forecaster
    assert forecaster.windows_["test"] == 180


def test_mistakes_are_told(hourly: pl.DataFrame) -> None:
    with pytest.raises(UsageError, match='did you mean "gru"'):
        ft.Forecaster("gruu", **OPTIONS).fit(hourly)
    with pytest.raises(UsageError, match='did you mean "epochs"'):
        ft.Forecaster("gru", **{**OPTIONS, "epoch": 3}).fit(hourly)
    with pytest.raises(InputError, match="found list"):
        ft.Forecaster("gru", **OPTIONS).fit([1, 2, 3])


def test_forecasts_do_not_depend_on_their_neighbours(hourly: pl.DataFrame) -> None:
    """A window's forecast is the same alone and among all others, and knows nothing of later rows."""
    forecaster = ft.Forecaster("gru", **OPTIONS).fit(hourly)
    everything = forecaster.predict(hourly, which="all")
    alone = forecaster.predict(hourly.head(300).tail(24), which="all")
    row = everything.filter(pl.col("made at") == hourly["time"][299])
    assert alone["forecast T (degC)"].to_list() == pytest.approx(row["forecast T (degC)"].to_list(), abs=1e-5)


def test_a_new_series_is_forecast_and_series_do_not_mix(hourly: pl.DataFrame) -> None:
    both = pl.concat(
        [hourly.with_columns(place=pl.lit("a")), hourly.with_columns(pl.col("T (degC)") + 3, place=pl.lit("b"))]
    )
    forecaster = ft.Forecaster("gru", **OPTIONS, series="place").fit(both)
    together = forecaster.predict(both)
    assert together["place"].unique().sort().to_list() == ["a", "b"]
    new = forecaster.predict(both.filter(pl.col("place") == "b").with_columns(place=pl.lit("new")))
    expected = together.filter(pl.col("place") == "b")["forecast T (degC)"]
    assert new["forecast T (degC)"].to_list() == pytest.approx(expected.to_list(), abs=1e-5)
    scaled = ft.Forecaster("gru", **OPTIONS, series="place", scale="per-series").fit(both)
    with pytest.raises(InputError, match='series "new" was not in training'):
        scaled.predict(both.with_columns(place=pl.lit("new")).unique("time"))


def test_nn_is_usable_alone() -> None:
    import torch

    network = ft.nn.GRUNetwork(14, 32, 1, 1)
    assert network(torch.zeros(2, 5, 14)).shape == (2, 1, 1)
    assert sum(weight.numel() for weight in network.parameters()) == 3 * 32 * (14 + 32) + 6 * 32 + 33


def test_unknown_names_are_no_attributes() -> None:
    with pytest.raises(AttributeError, match="Forecasted"):
        _ = ft.Forecasted
    assert set(ft.__all__) == set(dir(ft))
