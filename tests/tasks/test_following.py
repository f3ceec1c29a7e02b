"""Following a series, beyond the plain case: forecasts told again, a plan longer than the forecast, scaling of each series."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import foretell as ft

from .commands import SHOPS, SMALL, Run


def test_a_forecast_that_is_told_again_counts_once(run: Run, hourly: pl.DataFrame) -> None:
    hourly.head(1000).write_csv("old.csv")
    assert run("train", "forecast", "old.csv", *SMALL[:6], "--rung", "persistence", "--name", "f").code == 0
    for row in range(1000, 1004):
        hourly[row : row + 1].write_csv("new.csv")
        assert run("predict", "f", "new.csv", "--update").code == 0
    hourly.head(1100).write_csv("came.csv")
    scored = run("score", "f", "came.csv", "--json").document
    assert scored["scored"] == scored["forecasts"] == 6 + 3, "six hours ahead, and three more as time went on"
    truth = hourly["T (degC)"].to_numpy()
    made = np.arange(1000 - 5, 1004)
    expected = np.abs(truth[made] - truth[made + 6]).mean()
    assert scored["targets"]["T (degC)"]["mae"] == pytest.approx(expected)
    frame = pl.read_csv(run("predict", "f", "old.csv").out.encode())
    pl.concat([frame, frame]).write_csv("twice.csv")
    assert run("score", "f", "came.csv", "--forecasts", "twice.csv", "--json").document["scored"] == 6


def test_forecasts_of_every_format_are_scored_and_broken_ones_told(run: Run, hourly: pl.DataFrame) -> None:
    hourly.head(1000).write_csv("old.csv")
    hourly.write_csv("came.csv")
    assert run("train", "forecast", "old.csv", *SMALL[:6], "--rung", "ridge", "--name", "f").code == 0
    errors = set()
    for suffix in ("csv", "json", "parquet"):
        assert run("predict", "f", "old.csv", "-o", f"said.{suffix}").code == 0
        document = run("score", "f", "came.csv", "--forecasts", f"said.{suffix}", "--json").document
        errors.add(round(document["targets"]["T (degC)"]["mae"], 9))
    assert len(errors) == 1
    said = pl.read_csv("said.csv", infer_schema=False)
    for column, value, told in (
        ("time", "nonsense 04:00", 'row 3, column "time": a time is needed; found "nonsense 04:00"'),
        ("forecast T (degC)", "warm", 'row 3, column "forecast T (degC)": a number is needed; found "warm"'),
    ):
        wrong = said.with_columns(
            pl.when(pl.int_range(pl.len()) == 2).then(pl.lit(value)).otherwise(column).alias(column)
        )
        wrong.write_csv("wrong.csv")
        result = run("score", "f", "came.csv", "--forecasts", "wrong.csv")
        assert (result.code, told in result.err) == (3, True), result.err
    Path("wrong.json").write_text("[{")
    assert run("score", "f", "came.csv", "--forecasts", "wrong.json").code == 3


def test_a_plan_longer_than_the_forecast_keeps_the_past(run: Run, shops: Path) -> None:
    small = [*SHOPS, "--known", "plan", "--lookback", "24", "--ahead", "1:6", "--epochs", "1", "--units", "4"]
    rows = pl.read_csv(shops).filter(pl.col("shop") == "a").sort("time")
    rows.head(300).write_csv("old.csv")
    assert run("train", "forecast", "old.csv", *small, "--rung", "gru", "--name", "p").code == 0
    planned = pl.when(pl.int_range(pl.len()) < 2).then(pl.col("sales")).otherwise(None).alias("sales")
    rows[300:400].with_columns(planned).write_csv("plan.csv")
    assert run("predict", "p", "plan.csv", "--update").code == 0
    rows[302:303].write_csv("next.csv")
    again = run("predict", "p", "next.csv", "--update")
    assert again.code == 0, again.err
    rows.with_columns(pl.when(pl.int_range(pl.len()) < 303).then(pl.col("sales")).otherwise(None)).write_csv(
        "whole.csv"
    )
    assert again.out == run("predict", "p", "whole.csv").out


def test_errors_are_scaled_as_each_series_is(run: Run, shops: Path) -> None:
    """A shop a hundred times as large as the others is not all there is."""
    rows = pl.read_csv(shops).with_columns(
        sales=pl.when(pl.col("shop") == "a").then(pl.col("sales") * 100).otherwise(pl.col("sales"))
    )
    rows.write_csv("unequal.csv")
    small = [*SHOPS, "--lookback", "24", "--ahead", "1:2", "--scale", "per-series", "--rung", "ridge", "--name", "u"]
    assert run("train", "forecast", "unequal.csv", *small).code == 0
    found = run("score", "u", "unequal.csv", "--json").document["drift"]["errors"]["mae_scaled"]
    said = (
        ft.load("runs/u")
        .predict(rows, anchors="all")
        .join(rows.with_columns(pl.col("time").str.to_datetime(time_unit="us")), on=["shop", "time"])
    )
    scaling = json.loads(Path("runs/u/model/scaling.json").read_text())
    deviation = dict(
        zip(scaling["series"], np.array(scaling["deviation"])[:, scaling["columns"].index("sales")], strict=False)
    )
    scaled = (said["forecast sales"] - said["sales"]).abs() / said["shop"].replace_strict(deviation)
    assert found == pytest.approx(scaled.mean())


def test_what_is_wrong_with_new_rows_names_their_file(run: Run, hourly: pl.DataFrame) -> None:
    hourly.head(1000).write_csv("old.csv")
    assert run("train", "forecast", "old.csv", *SMALL[:6], "--rung", "ridge", "--name", "f").code == 0
    hourly[1000:1001].write_csv("new.csv")
    assert run("predict", "f", "new.csv", "--update").code == 0
    hourly[1150:1151].write_csv("late.csv")
    result = run("predict", "f", "late.csv", "--update")
    assert (result.code, "late.csv, after the rows that were known" in result.err) == (3, True), result.err


def test_a_forecast_does_not_depend_on_how_often_rows_were_told(run: Run, hourly: pl.DataFrame) -> None:
    """After a gap longer than half a window, inputs are filled with what was last observed, long before the window."""
    hourly.head(1000).write_csv("old.csv")
    options = [*SMALL, "--rung", "gru", "--max-missing", "0.9", "--name", "f"]
    assert run("train", "forecast", "old.csv", *options).code == 0
    hourly[1040:1044].write_csv("new.csv")
    first = run("predict", "f", "new.csv", "--update")
    assert "40 rows between those that were known and the new ones are absent" in first.err
    again = run("predict", "f", "new.csv", "--update")
    hourly[900:910].write_csv("earlier.csv")
    older = run("predict", "f", "earlier.csv", "--update")
    assert "10 rows lie before those that were kept" in older.err
    pl.concat([hourly.head(1000), hourly[1040:1044]]).write_csv("whole.csv")
    whole = run("predict", "f", "whole.csv")
    assert first.code == again.code == older.code == whole.code == 0
    assert first.out == again.out == older.out == whole.out


def test_series_whose_names_are_numbers_are_scored_from_every_format(run: Run, shops: Path) -> None:
    """A column whose name begins as a forecast's does is left alone."""
    numbers = {"a": 1, "b": 2, "c": 10}
    rows = pl.read_csv(shops).with_columns(pl.col("shop").replace_strict(numbers)).rename({"time": "low time"})
    rows.write_csv("all.csv")
    early = pl.col("low time") < "2024-01-15"
    rows.filter(early).write_csv("old.csv")
    small = [*SHOPS, "--features", "sales", "--lookback", "24", "--ahead", "1:3", "--rung", "ridge", "--name", "n"]
    assert run("train", "forecast", "old.csv", *small).code == 0
    scored = []
    for suffix in ("csv", "json", "parquet"):
        assert run("predict", "n", "old.csv", "-o", f"said.{suffix}").code == 0
        result = run("score", "n", "all.csv", "--forecasts", f"said.{suffix}", "--json")
        assert result.code == 0, result.err
        scored.append(result.document["scored"])
    assert scored == [9, 9, 9]
    frame = pl.read_json("said.json").with_columns(pl.col("shop").cast(pl.Int64))
    frame.write_json("numbers.json")
    assert run("score", "n", "all.csv", "--forecasts", "numbers.json", "--json").document["scored"] == 9
