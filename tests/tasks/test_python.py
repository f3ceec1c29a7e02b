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
    assert forecaster.counts_["test"] == 180


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
    everything = forecaster.predict(hourly, anchors="all")
    alone = forecaster.predict(hourly.head(300).tail(24), anchors="all")
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
    pooled = scaled.predict(both.filter(pl.col("place") == "b").with_columns(place=pl.lit("new")))
    assert 0 < float(pooled["forecast T (degC)"].mean()) < 30


def test_nn_is_usable_alone() -> None:
    import torch

    network = ft.nn.RecurrentNetwork(ft.nn.GRU(14, 32), 1, 1)
    assert network(torch.zeros(2, 5, 14)).shape == (2, 1, 1)
    assert sum(weight.numel() for weight in network.parameters()) == 3 * 32 * (14 + 32) + 4 * 32 + 33


def test_unknown_names_are_no_attributes() -> None:
    with pytest.raises(AttributeError, match="Forecasted"):
        _ = ft.Forecasted
    assert set(ft.__all__) == set(dir(ft))


def test_a_table_that_was_read_before_is_forecast_as_asked(hourly: pl.DataFrame) -> None:
    table = ft.read_table(hourly, time="time")
    by_table = ft.Forecaster("ridge", **OPTIONS).fit(table)
    by_frame = ft.Forecaster("ridge", **OPTIONS).fit(hourly)
    assert by_table.evaluate() == by_frame.evaluate()
    other = ft.Forecaster("ridge", **{**OPTIONS, "target": "p (mbar)"}).fit(ft.read_table(hourly, target="T (degC)"))
    assert other.evaluate()["unit"] == "mbar"
    with pytest.raises(InputError, match='no column "T"'):
        ft.Forecaster("ridge", **{**OPTIONS, "target": "T"}).fit(table)
    with pytest.raises(InputError, match="without telling series apart"):
        ft.Forecaster("ridge", **OPTIONS, series="place").fit(table)
    with pytest.raises(InputError, match='no column "T \\(degC\\)"'):
        by_frame.predict(ft.read_table(hourly.drop("T (degC)")))


def test_zones_are_kept_and_dates_are_not_moved() -> None:
    moments = pl.datetime_range(
        pl.datetime(2024, 3, 20), pl.datetime(2024, 4, 20), "1h", time_zone="Europe/Berlin", eager=True
    )
    frame = pl.DataFrame({"time": moments, "y": np.sin(np.arange(len(moments)) / 4)})
    forecast = ft.Forecaster("persistence", target="y", lookback="4", ahead="2").fit(frame).predict(frame)
    assert forecast["time"].dtype == pl.Datetime("us", "Europe/Berlin")
    assert forecast["time"][-1] == moments[-1] + pl.Series([7_200_000_000]).cast(pl.Duration("us"))[0]
    days = pl.date_range(pl.date(2024, 2, 1), pl.date(2024, 11, 30), "1d", eager=True)
    daily = pl.DataFrame({"day": days, "y": np.sin(np.arange(len(days)))})
    local = ft.Forecaster("persistence", target="y", lookback="4", ahead="2", timezone="Europe/Berlin").fit(daily)
    assert [str(time)[:10] for time in local.predict(daily)["day"]] == ["2024-12-01", "2024-12-02"]


def test_a_forecast_from_nothing_is_refused(hourly: pl.DataFrame) -> None:
    forecaster = ft.Forecaster("persistence", **OPTIONS).fit(hourly)
    gone = hourly.with_columns(pl.lit(None, pl.Float64).alias("T (degC)"))
    with pytest.raises(InputError, match="nothing is observed"):
        forecaster.predict(gone)
    late = hourly.with_row_index().with_columns(
        pl.when(pl.col("index") < 1180).then(pl.col(name)).alias(name) for name in ("T (degC)", "p (mbar)")
    )
    with pytest.raises(InputError, match="of the latest inputs are missing"):
        forecaster.predict(late.drop("index"))


def test_ids_are_the_same_from_every_source(hourly: pl.DataFrame, tmp_path: Path) -> None:
    frame = pl.concat([hourly.with_columns(place=pl.lit(7)), hourly.with_columns(place=pl.lit(12))])
    frame.write_csv(tmp_path / "panel.csv")
    options = {**OPTIONS, "series": "place", "scale": "per-series"}
    forecaster = ft.Forecaster("persistence", **options).fit(tmp_path / "panel.csv")
    assert forecaster.predict(frame)["place"].unique().sort().to_list() == ["12", "7"]


@pytest.mark.parametrize("ahead", ["1:6", "3:10", "5", "2:3", "7:7"])
def test_every_future_row_is_forecast_once_from_the_latest_window(hourly: pl.DataFrame, ahead: str) -> None:
    forecaster = ft.Forecaster("persistence", **{**OPTIONS, "ahead": ahead}).fit(hourly)
    forecast = forecaster.predict(hourly)
    first, _, last = ahead.partition(":")
    assert forecast["time"].is_unique().all()
    assert forecast.height == int(last or first)
    ahead_of_it = (forecast["time"] - forecast["made at"]).dt.total_hours()
    reach = (forecast["time"] - hourly["time"][-1]).dt.total_hours()
    # From the last row where its range reaches, else from as late a row as the first lead allows.
    assert ahead_of_it.to_list() == [max(int(first), hours) for hours in reach]


def test_a_model_accepts_its_own_data_with_a_long_gap(hourly: pl.DataFrame) -> None:
    gap = pl.concat([hourly.head(700), hourly.slice(700).with_columns(pl.col("time") + pl.duration(hours=1300))])
    forecaster = ft.Forecaster("ridge", **OPTIONS).fit(gap)
    assert forecaster.predict(gap).height == 6
    assert forecaster.evaluate(gap)["count"] == forecaster.evaluate()["count"]


def test_named_features_that_were_of_no_use_do_not_hinder_evaluation(hourly: pl.DataFrame) -> None:
    frame = hourly.with_columns(flat=pl.lit(1.0))
    forecaster = ft.Forecaster("ridge", **OPTIONS, features=("T (degC)", "flat")).fit(frame)
    assert forecaster.evaluate(frame) == forecaster.evaluate()


def test_a_model_says_how_many_rows_it_needs(hourly: pl.DataFrame, tmp_path: Path) -> None:
    for rung, needed in (("persistence", 1), ("seasonal", 19), ("ridge", 24)):
        forecaster = ft.Forecaster(rung, **OPTIONS).fit(hourly)
        folder = forecaster.save(tmp_path / rung)
        assert f"it needs {needed} rows or more" in (folder / "README.md").read_text()
        forecaster.predict(hourly.tail(needed))
        if needed > 1:
            with pytest.raises(InputError, match=f"needs {needed}"):
                forecaster.predict(hourly.tail(needed - 1))


def test_rounding_down_with_a_zone_survives_the_clock_change() -> None:
    moments = pl.datetime_range(
        pl.datetime(2020, 3, 20), pl.datetime(2020, 4, 2), "1h", time_zone="Europe/Berlin", eager=True
    )
    frame = pl.DataFrame({"time": moments, "y": np.arange(len(moments), dtype=float)})
    for frequency, hours in (("2h", 2), ("3h", 3), ("6h", 6), ("12h", 12)):
        table = ft.read_table(frame, frequency=frequency, duplicates="mean")
        assert np.unique(np.diff(table.times)).tolist() == [hours * 3_600_000_000]


def test_weeks_and_quarters_start_where_the_rows_do() -> None:
    mondays = pl.date_range(pl.date(2020, 1, 6), pl.date(2021, 10, 25), "1w", eager=True)
    weekly = ft.read_table(pl.DataFrame({"day": mondays, "y": np.arange(len(mondays), dtype=float)}), frequency="1w")
    assert weekly.times[-1] == np.datetime64("2021-10-25", "us").astype(int)
    quarters = pl.date_range(pl.date(2015, 2, 1), pl.date(2020, 2, 1), "3mo", eager=True)
    table = ft.read_table(pl.DataFrame({"day": quarters, "y": np.arange(len(quarters), dtype=float)}), frequency="3mo")
    assert table.times[0] == np.datetime64("2015-02-01", "us").astype(int)
    thirtieths = [f"{2020 + month // 12}-{month % 12 + 1:02}-{30 if month % 12 != 1 else 28:02}" for month in range(20)]
    thirtieths[1] = "2020-02-29"
    monthly = ft.read_table(pl.DataFrame({"day": thirtieths, "y": np.arange(20.0)}))
    assert (str(monthly.frequency), monthly.rows) == ("1mo", 20)


def test_a_series_that_was_not_seen_to_vary_is_scaled_as_all_others(hourly: pl.DataFrame) -> None:
    both = pl.concat(
        [
            hourly.with_columns(place=pl.lit("a")),
            hourly.with_columns(place=pl.lit("b")).with_columns(
                pl.when(pl.int_range(pl.len()) > 1000).then(pl.col("p (mbar)")).alias("p (mbar)")
            ),
        ]
    )
    forecaster = ft.Forecaster("mlp", **OPTIONS, series="place", scale="per-series").fit(both)
    inputs = forecaster.learned_.view(forecaster.learned_.read(both)).windows
    assert float(inputs.inputs_at(np.array([2390])).abs().max()) < 20
