"""From rows as they come to rows on a grid: what is sorted, dropped, filled, refused, and what is said of it."""

from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretell.config import DataSection
from foretell.data.frequency import Frequency
from foretell.data.health import Finding
from foretell.data.overview import health_of
from foretell.data.reading import read_table
from foretell.data.tables import Table, require_targets
from foretell.errors import ConfigurationError, DataError, InputError

from .made_tables import HOUR, Recipe, microseconds, recipes

FIRST = datetime(2021, 1, 1)


def missing_of(table: Table) -> dict[str, int]:
    """How many values each column misses."""
    counts = np.isnan(table.values).sum(axis=0)
    return {name: int(count) for name, count in zip(table.columns, counts, strict=True) if count}


def hours(places: list[int] | range, *, minutes: int = 60, **columns: object) -> pl.DataFrame:
    """Rows at some places of a grid."""
    times = [FIRST + timedelta(minutes=minutes * place) for place in places]
    return pl.DataFrame({"time": times, **(columns or {"a": [float(place) for place in places]})})


def findings(table: Table, kind: str) -> list[Finding]:
    return [finding for finding in table.health.findings if finding.kind == kind]


def only(table: Table, kind: str) -> Finding:
    (found,) = findings(table, kind)
    return found


def test_a_clean_table_has_no_findings() -> None:
    table = read_table(hours(range(30)))
    assert table.health.findings == []
    assert missing_of(table) == {}
    assert table.rows == 30
    assert table.frequency == Frequency("microsecond", HOUR)
    assert table.codes.tolist() == [0] * 30


def test_rows_out_of_order_are_sorted_and_reported() -> None:
    table = read_table(hours([0, 1, 2, 5, 3, 4, 6, 9, 8, 7]))
    assert table.values[:, 0].tolist() == list(range(10))
    assert (np.diff(table.times) == HOUR).all()
    found = only(table, "disorder")
    assert found.severity == "note"
    assert found.rows == 3
    assert "row 5, 2021-01-01 03:00:00" in found.message


@given(recipes(shortest=3, longest=12), st.integers(0, 2**32 - 1))
def test_the_order_of_the_rows_changes_nothing(recipe: Recipe, seed: int) -> None:
    made = recipe.make()
    frame = pl.DataFrame(made.values, schema=list(made.columns)).with_columns(
        time=pl.Series(made.times).cast(pl.Datetime("us")), series=pl.Series([made.series[code] for code in made.codes])
    )
    frame = frame.with_columns(pl.col(pl.Float64).fill_nan(None))
    order = np.random.default_rng(seed).permutation(frame.height)
    in_order = read_table(frame, series="series", frequency="1h")
    mixed = read_table(frame[order], series="series", frequency="1h")
    assert mixed.fingerprint(made.columns) == in_order.fingerprint(made.columns)
    np.testing.assert_array_equal(mixed.starts, in_order.starts)
    np.testing.assert_array_equal(in_order.values, made.values)
    np.testing.assert_array_equal(in_order.times, made.times)


def test_identical_rows_are_dropped_and_reported() -> None:
    frame = hours([0, 1, 2, 2, 3, 4, 4, 4], a=[0.0, 1, 2, 2, 3, None, None, None], b=[0.0, 1, 2, 2, 3, 4, 4, 4])
    table = read_table(frame)
    np.testing.assert_array_equal(table.values[:, 0], [0, 1, 2, 3, np.nan])
    assert table.values[:, 1].tolist() == [0, 1, 2, 3, 4]
    found = only(table, "duplicates")
    assert found.severity == "note"
    assert found.rows == 3
    assert "the first is row 4, 2021-01-01 02:00:00" in found.message


def test_rows_of_one_time_that_disagree_are_an_error() -> None:
    frame = hours([0, 1, 2, 2, 3], a=[0.0, 1, 2, 2, 3], b=[0.0, 1, 2, 2.5, 3])
    with pytest.raises(DataError, match=r'row 4, .*02:00:00, column "b".*found 2.5 here and 2 in row 3') as caught:
        read_table(frame)
    assert "--duplicates first, last or mean" in caught.value.message
    assert caught.value.details == {"file": "the data frame", "row": 4, "column": "b", "count": 1}


@pytest.mark.parametrize(("how", "expected"), [("first", 4.0), ("last", 7.0), ("mean", 4.0)])
def test_disagreeing_rows_are_settled_as_asked(how: str, expected: float) -> None:
    frame = hours([0, 1, 1, 1, 2], a=[0.0, 4, 1, 7, 9])
    table = read_table(frame, duplicates=how)
    assert table.values[:, 0].tolist() == [0, expected, 9]
    found = only(table, "duplicates")
    assert (found.rows, found.severity) == (1, "note")
    assert f"taken: {how}" in found.message


def test_the_last_row_is_the_last_one_also_where_it_repeats_the_first() -> None:
    frame = hours([0, 1, 1, 1, 2], a=[0.0, 4, 1, 4, 9])
    assert read_table(frame, duplicates="last").values[:, 0].tolist() == [0, 4, 9]
    assert read_table(frame, duplicates="first").values[:, 0].tolist() == [0, 4, 9]


def test_the_first_row_is_the_first_of_the_file_also_out_of_order() -> None:
    frame = hours([2, 1, 0, 1], a=[2.0, 5, 0, 7])
    assert read_table(frame, duplicates="first").values[:, 0].tolist() == [0, 5, 2]
    assert read_table(frame, duplicates="last").values[:, 0].tolist() == [0, 7, 2]


def test_the_mean_is_that_of_what_was_observed() -> None:
    frame = hours([0, 1, 1, 2], a=[0.0, 4, None, 9], b=[0.0, None, None, 1], c=[0.0, 1, 2, 3])
    table = read_table(frame, duplicates="mean")
    np.testing.assert_array_equal(table.values, [[0, 0, 0], [4, np.nan, 1.5], [9, 1, 3]])


def test_mean_of_duplicates_leaves_the_users_frame_alone() -> None:
    frame = hours([0, 1, 1, 2], a=[0.0, 4, 6, 9])
    before = frame.clone()
    assert read_table(frame, duplicates="mean").values[1, 0] == 5
    assert frame.equals(before)


def test_gaps_become_missing_rows_and_are_reported() -> None:
    table = read_table(hours([0, 1, 2, 5, 6, 7, 9]))
    np.testing.assert_array_equal(table.values[:, 0], [0, 1, 2, np.nan, np.nan, 5, 6, 7, np.nan, 9])
    np.testing.assert_array_equal(np.diff(table.times), HOUR)
    found = only(table, "gaps")
    assert found.rows == 3
    assert "2 gaps" in found.message
    assert "1h grid" in found.message
    assert "follows row 3, 2021-01-01 02:00:00" in found.message
    assert missing_of(table) == {"a": 3}


@given(st.sets(st.integers(1, 58), max_size=15), st.booleans())
def test_every_absent_row_is_missing_and_every_other_one_stands_at_its_time(absent: set[int], backwards: bool) -> None:
    places = [place for place in range(60) if place not in absent]
    frame = hours(places[::-1] if backwards else places)
    table = read_table(frame, frequency="1h")
    assert table.rows == 60
    expected = [np.nan if place in absent else place for place in range(60)]
    np.testing.assert_array_equal(table.values[:, 0], expected)
    np.testing.assert_array_equal(table.times, microseconds("2021-01-01") + np.arange(60) * HOUR)


def test_calendar_grids_have_gaps_too() -> None:
    ends = ["2020-02-29", "2020-03-31", "2020-04-30", "2020-06-30", "2020-07-31"]
    months = read_table(pl.DataFrame({"time": ends, "a": [1.0, 2, 3, 5, 6]}))
    assert str(months.frequency) == "1mo"
    np.testing.assert_array_equal(months.values[:, 0], [1, 2, 3, np.nan, 5, 6])
    assert months.times[3] == microseconds("2020-05-31")
    days = [FIRST.date() + timedelta(days=number) for number in range(40)]
    workdays = [day for day in days if day.weekday() < 5 and day.day != 13]
    weekdays = read_table(pl.DataFrame({"time": workdays, "a": np.arange(len(workdays), dtype=float)}))
    assert str(weekdays.frequency) == "1 weekday"
    assert np.isnan(weekdays.values[:, 0]).sum() == 1


def test_times_off_the_grid_are_an_error_that_names_row_and_remedy() -> None:
    frame = hours(range(0, 20, 1)).with_columns(
        time=pl.when(pl.col("a") == 7).then(pl.col("time") + timedelta(minutes=17)).otherwise(pl.col("time"))
    )
    with pytest.raises(DataError, match=r"row 8, 2021-01-01 07:17:00.*grid of 1h; .*\(1 of 20\)") as caught:
        read_table(frame)
    assert "--frequency 1h to round down" in caught.value.message
    assert caught.value.details["row"] == 8
    assert read_table(frame, frequency="1h").values[:, 0].tolist() == list(range(20))


def test_rounding_down_takes_the_means_of_the_hours() -> None:
    generator = np.random.default_rng(0)
    values = generator.normal(0, 5, (144, 2))
    frame = hours(range(144), minutes=10, a=values[:, 0], b=values[:, 1])
    table = read_table(frame, frequency="1h", duplicates="mean")
    assert table.rows == 24
    np.testing.assert_allclose(table.values, values.reshape(24, 6, 2).mean(axis=1), rtol=1e-12)
    np.testing.assert_array_equal(table.times, microseconds("2021-01-01") + np.arange(24) * HOUR)


def test_rounding_down_counts_equal_values_as_often_as_they_occur() -> None:
    """Six readings of rain, five of them 0, make a mean of 1: readings of six times are not one reading six times."""
    rain = [0.0, 0, 0, 0, 0, 6, 1, 1, 1, 1, 1, 1, 2, 2, 4, 4, 4, 8]
    table = read_table(hours(range(18), minutes=10, a=rain), frequency="1h", duplicates="mean")
    np.testing.assert_allclose(table.values[:, 0], [1, 1, 4])
    assert not any("stood twice" in found.message for found in findings(table, "duplicates"))
    last = read_table(hours(range(6), minutes=10, a=[4.0, 1, 1, 2, 2, 4]), frequency="30min", duplicates="last")
    assert last.values[:, 0].tolist() == [1, 4]


def test_rounding_down_drops_a_row_that_stands_twice_before_it_takes_means() -> None:
    frame = hours([0, 1, 1, 2, 3, 4, 5, 6], minutes=10, a=[0.0, 6, 6, 0, 0, 0, 0, 5])
    table = read_table(frame, frequency="1h", duplicates="mean")
    np.testing.assert_allclose(table.values[:, 0], [1, 5])


def test_rounding_down_follows_the_clock_of_the_zone() -> None:
    """A day is one of the user's days: from midnight to midnight there, not in Greenwich."""
    frame = hours(range(72), a=[float(hour // 24) for hour in range(72)])
    table = read_table(frame, timezone="Europe/Berlin", frequency="1d", duplicates="mean")
    assert table.values[:, 0].tolist() == [0, 1, 2]
    half = hours(range(6), minutes=30)
    table = read_table(half, timezone="Asia/Kolkata", frequency="1h", duplicates="mean")
    assert table.values[:, 0].tolist() == [0.5, 2.5, 4.5]


def test_rounding_down_without_a_rule_for_duplicates_is_an_error() -> None:
    with pytest.raises(DataError, match="--duplicates first, last or mean"):
        read_table(hours(range(12), minutes=10), frequency="1h")


@pytest.mark.parametrize(
    ("stray", "after"), [("2199-01-01", "row 51, 2199-01-01"), ("1021-01-01", "row 1, 2021-01-01")]
)
def test_a_stray_time_is_named_before_a_huge_grid_is_made(stray: str, after: str) -> None:
    frame = hours(range(50), minutes=10)
    odd = pl.DataFrame({"time": [datetime.fromisoformat(stray)], "a": [1.0]}).cast({"time": frame["time"].dtype})
    with pytest.raises(DataError, match="remove stray times, or say --frequency") as caught:
        read_table(pl.concat([frame, odd]))
    assert "a grid of 10min" in caught.value.message
    assert f"the widest gap ends at {after}" in caught.value.message


def test_a_sentinel_is_pointed_out_and_missing_where_it_is_named() -> None:
    values = np.linspace(0, 12, 40)
    values[17] = -9999
    untouched = read_table(hours(range(40), a=values))
    found = only(untouched, "suspicious")
    assert (found.severity, found.column, found.rows) == ("warning", "a", 1)
    assert "say --missing -9999" in found.message
    assert untouched.values[17, 0] == -9999
    table = read_table(hours(range(40), a=values), missing=("-9999",))
    assert np.flatnonzero(np.isnan(table.values[:, 0])).tolist() == [17]
    assert findings(table, "suspicious") == []
    assert only(table, "missing").rows == 1
    assert missing_of(table) == {"a": 1}


def test_an_unknown_constant_far_away_is_suspicious_only_where_it_is_repeated() -> None:
    values = np.linspace(0, 12, 40)
    values[[3, 9]] = 777
    assert only(read_table(hours(range(40), a=values)), "suspicious").rows == 2
    values[9] = 6
    assert findings(read_table(hours(range(40), a=values)), "suspicious") == []
    ordinary = np.random.default_rng(0).normal(1000, 300, 400)
    ordinary[5] = 999.0
    assert findings(read_table(hours(range(400), a=ordinary)), "suspicious") == []


def test_several_sentinels_and_words_can_be_named_at_once() -> None:
    frame = hours(range(4), a=["1", "-99", "calm", "4"], b=[-99.0, 999.0, 3.0, 4.0])
    for missing in (("-99", "999", "calm"), ("-99,999,calm",)):
        table = read_table(frame, missing=missing)
        np.testing.assert_array_equal(table.values, [[1, np.nan], [np.nan, np.nan], [np.nan, 3], [4, 4]])


def test_infinite_values_are_missing_and_pointed_out() -> None:
    table = read_table(hours(range(4), a=[1.0, np.inf, -np.inf, 4.0]))
    np.testing.assert_array_equal(table.values[:, 0], [1, np.nan, np.nan, 4])
    assert "in 2 rows, first row 2" in only(table, "missing").message


def three_stations() -> pl.DataFrame:
    """Rows of three stations in turn; the second begins later, the third has a gap of its own."""
    rows = [
        (FIRST + timedelta(hours=hour), name, 100.0 * number + hour)
        for hour in range(10)
        for number, name in enumerate(("z", "x", "y"))
        if not (name == "x" and hour < 3) and not (name == "y" and hour in (4, 5))
    ]
    return pl.DataFrame(rows, schema=["time", "station", "a"], orient="row")


def test_series_never_mix_and_each_has_its_own_gaps() -> None:
    table = read_table(three_stations(), series="station")
    assert table.series == ("x", "y", "z")
    assert table.starts.tolist() == [0, 7, 17, 27]
    assert table.values[:7, 0].tolist() == [100.0 + hour for hour in range(3, 10)]
    np.testing.assert_array_equal(table.values[7:17, 0], [200, 201, 202, 203, np.nan, np.nan, 206, 207, 208, 209])
    assert table.values[17:, 0].tolist() == list(range(10))
    assert table.codes.tolist() == [0] * 7 + [1] * 10 + [2] * 10
    for start, stop in pairwise(table.starts):
        assert (np.diff(table.times[start:stop]) == HOUR).all()
        assert table.times[stop - 1] == microseconds("2021-01-01T09")
    found = only(table, "gaps")
    assert found.rows == 2
    assert "1 gap" in found.message
    assert "of y, 2021-01-01 03:00:00" in found.message
    assert findings(table, "disorder") == []


def test_several_series_without_a_name_get_a_hint() -> None:
    with pytest.raises(DataError, match='"station" tells them apart: say --series station') as caught:
        read_table(three_stations())
    assert caught.value.details["column"] == "station"


def test_every_row_names_its_series() -> None:
    frame = three_stations().with_columns(station=pl.when(pl.col("a") == 5).then(None).otherwise(pl.col("station")))
    with pytest.raises(DataError, match='column "station": every row names its series; found none'):
        read_table(frame, series="station")
    with pytest.raises(DataError, match=r'no column "Station".*did you mean "station"'):
        read_table(frame, series="Station")


def test_text_in_a_column_of_numbers_names_row_and_column(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    times = [FIRST + timedelta(hours=hour) for hour in range(1200)]
    rows = [f"{time},{number},{number / 2}" for number, time in enumerate(times)]
    rows[1100] = f"{times[1100]},1100,calm"
    path.write_text("\n".join(["time,a,wind", *rows]), "utf-8")
    with pytest.raises(DataError, match=r'rows.csv, row 1101 \(line 1102\), column "wind".*found "calm"') as caught:
        read_table(path)
    assert caught.value.details == {"file": "rows.csv", "row": 1101, "column": "wind", "value": "calm"}
    table = read_table(path, missing=("calm",))
    assert np.flatnonzero(np.isnan(table.values[:, 1])).tolist() == [1100]
    assert read_table(path, features=("a",)).columns == ("a",)
    with pytest.raises(DataError, match='column "wind"'):
        read_table(path, features=("a",), target=("wind",))


def test_a_column_of_words_is_left_out_unless_it_is_asked_for() -> None:
    frame = hours(range(4), a=[1.0, 2, 3, 4], sky=["blue", "grey", "grey", "blue"])
    table = read_table(frame)
    assert table.columns == ("a",)
    assert "left out, since they hold no numbers: sky" in only(table, "text").message
    with pytest.raises(DataError, match=r'row 1, column "sky".*found "blue"'):
        read_table(frame, target=("sky",))


def test_unknown_columns_are_named_with_the_nearest() -> None:
    frame = hours(range(4), x=[1.0, 2, 3, 4], y=[1.0, 2, 3, 4]).rename({"x": "T (degC)", "y": "b, c"})
    with pytest.raises(DataError, match=r'no column "T \(degK\)"; did you mean "T \(degC\)"'):
        read_table(frame, target=("T (degK)",))
    assert read_table(frame, target=("b, c",)).targets == ("b, c",)
    assert read_table(frame, target=("all",)).targets == ("T (degC)", "b, c")
    assert read_table(frame, features=("T (degC)",), target=("all",)).targets == ("T (degC)",)


def test_the_target_must_be_observed_and_vary() -> None:
    gone = read_table(hours(range(4), a=[1.0, 2, 3, 4], b=[None] * 4, c=[7.0, None, 7, 7]).cast({"b": pl.Float64}))
    columns = {"a": "", "b": "must be observed; all of its 4 values are missing", "c": "all 3 observed values are 7"}
    for name, told in columns.items():
        table = read_table(
            hours(range(4), a=[1.0, 2, 3, 4], b=[None] * 4, c=[7.0, None, 7, 7]).cast({"b": pl.Float64}), target=(name,)
        )
        if not told:
            require_targets(table)
            continue
        with pytest.raises(DataError, match=told) as caught:
            require_targets(table)
        assert caught.value.details["column"] == name
    with pytest.raises(ConfigurationError, match="name one with --target; columns are a, b, c"):
        require_targets(gone)


def test_the_health_of_a_clean_file(hourly_csv: Path, hourly: pl.DataFrame) -> None:
    document = health_of(read_table(hourly_csv, DataSection(target=("T (degC)",)), strict=False))
    column = document["columns"][0]
    assert document["healthy"] is True
    assert document["findings"] == []
    assert (document["rows"], document["frequency"], document["series"]) == (1200, "1h", None)
    assert (document["first"], document["last"]) == ("2021-01-01 00:00", "2021-02-19 23:00")
    assert (column["name"], column["missing"], column["share"]) == ("T (degC)", 0, 0.0)
    assert column["lowest"] == hourly["T (degC)"].min()
    assert column["highest"] == hourly["T (degC)"].max()
    assert column["mean"] == pytest.approx(hourly["T (degC)"].mean())


def test_the_health_of_several_series_tells_their_ranges() -> None:
    document = health_of(read_table(three_stations(), DataSection(series="station"), strict=False))
    assert [(entry["name"], entry["rows"], entry["first"]) for entry in document["series"]] == [
        ("x", 7, "2021-01-01 03:00"),
        ("y", 10, "2021-01-01 00:00"),
        ("z", 10, "2021-01-01 00:00"),
    ]
    assert document["columns"][0]["missing"] == 2
    assert document["columns"][0]["share"] == pytest.approx(2 / 27)


def test_the_health_of_a_broken_file_tells_everything_at_once() -> None:
    frame = hours([0, 1, 2, 2, 5, 4, 6], a=["0", "1", "2", "3", "storm", "5", "6"], b=[1.0, 2, 3, 3, 4, 5, 6])
    document = health_of(read_table(frame, DataSection(), strict=False))
    assert document["healthy"] is False
    kinds = {(finding["kind"], finding["severity"]) for finding in document["findings"]}
    assert {("text", "error"), ("duplicates", "error"), ("disorder", "note"), ("gaps", "note")} <= kinds
    broken = next(finding for finding in document["findings"] if finding["kind"] == "text")
    assert broken["column"] == "a"
    assert "row 5" in broken["message"]
    assert document["rows"] == 7


def test_the_health_of_a_file_without_anything_to_forecast() -> None:
    frame = hours(range(4), a=[1.0, 2, 3, 4], b=[1.0] * 4)
    assert health_of(read_table(frame, DataSection(target=("a",)), strict=False))["healthy"] is True
    document = health_of(read_table(frame, DataSection(target=("b",)), strict=False))
    assert document["healthy"] is False
    (finding,) = document["findings"]
    assert finding["severity"] == "error"
    assert "the target must vary" in finding["message"]
    for empty in ([None] * 3, [7.0] * 3):
        nothing = health_of(read_table(hours(range(3), a=empty).cast({"a": pl.Float64}), DataSection(), strict=False))
        assert nothing["healthy"] is False


def test_what_cannot_be_read_at_all_has_no_health() -> None:
    for section, told in (
        (DataSection(time="when"), 'no column "when"'),
        (DataSection(target=("z",)), 'no column "z"'),
        (DataSection(frequency="often"), "duration"),
    ):
        with pytest.raises(InputError, match=told):
            health_of(read_table(hours(range(4)), section, strict=False))


def test_rows_as_they_come_are_only_pointed_out() -> None:
    frame = hours([0, 1, 3, 2, 2, 5])
    table = read_table(frame, regular=False)
    assert table.values[:, 0].tolist() == [0, 1, 3, 2, 2, 5]
    assert only(table, "gaps").severity == "warning"
    with pytest.raises(DataError, match="reads one series"):
        read_table(three_stations(), series="station", regular=False)


def test_a_table_of_one_time_has_no_frequency() -> None:
    with pytest.raises(DataError, match="the data frame: the frequency cannot be inferred"):
        read_table(hours([0]))
    assert read_table(hours([0]), frequency="1h").rows == 1


def test_jena_2020_has_one_row_twice_one_gap_and_three_sentinels(shared_data: Path) -> None:
    table = read_table(shared_data / "forecast" / "jena_weather_2020.zip", target="T (degC)")
    assert only(table, "duplicates").rows == 1
    assert "2020-05-12 06:00" in only(table, "duplicates").message
    assert only(table, "gaps").rows == 9
    assert table.rows == 52_696 - 1 + 9
    assert str(table.frequency) == "10min"
    assert [finding.column for finding in findings(table, "suspicious")][::2] == ["wv (m/s)", "OT"]
    cleaned = read_table(shared_data / "forecast" / "jena_weather_2020.zip", missing=("-9999",))
    assert findings(cleaned, "suspicious") == []
    assert np.nanmin(cleaned.take(["wv (m/s)"])) >= 0
