"""Times as people write them: formats, zones, the hour that occurs twice, and the column that holds them."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foretell.config import DataSection
from foretell.data.health import Health
from foretell.data.overview import health_of
from foretell.data.reading import read_table
from foretell.data.sources import Source
from foretell.data.tables import local_hours
from foretell.data.times import Written, find_time_column, parse_times
from foretell.errors import ConfigurationError, DataError, InputError

from .made_tables import HOUR, microseconds


def source(times: list[str] | list[float] | pl.Series) -> Source:
    return Source("rows.csv", pl.DataFrame({"when": times}, strict=False), first_line=2)


def parsed(
    times: list[str] | list[float] | pl.Series, time_format: str | None = None, timezone: str | None = None
) -> list[str]:
    found = parse_times(source(times), "when", time_format, timezone, None, Health()).values
    return [str(time)[:19] for time in found.to_numpy().astype("datetime64[us]")]


WRITTEN = {
    "the decks": "%d.%m.%Y %H:%M:%S",
    "a blank": "%Y-%m-%d %H:%M:%S",
    "a T": "%Y-%m-%dT%H:%M:%S",
    "no seconds": "%Y-%m-%d %H:%M",
    "T without seconds": "%Y-%m-%dT%H:%M",
    "fractions": "%Y-%m-%d %H:%M:%S.%f",
    "T and Z": "%Y-%m-%dT%H:%M:%SZ",
    "Z without seconds": "%Y-%m-%dT%H:%MZ",
    "dots without seconds": "%d.%m.%Y %H:%M",
    "slashes, year first": "%Y/%m/%d %H:%M:%S",
    "slashes, day first": "%d/%m/%Y %H:%M:%S",
    "slashes, month first": "%m/%d/%Y %H:%M",
    "dashes, day first": "%d-%m-%Y %H:%M",
    "two digits of the year": "%d.%m.%y %H:%M:%S",
    "two digits of the year, no seconds": "%d.%m.%y %H:%M",
    "compact": "%Y%m%dT%H%M%S",
    "blanks around": "  %Y-%m-%d %H:%M:%S ",
}


@pytest.mark.parametrize("pattern", WRITTEN.values(), ids=WRITTEN.keys())
def test_every_common_format_is_recognised(pattern: str) -> None:
    moments = [datetime(2009, 1, 1) + timedelta(hours=7 * number) for number in range(300)]
    found = parsed([moment.strftime(pattern) for moment in moments])
    assert found == [moment.isoformat() for moment in moments]


@pytest.mark.parametrize("pattern", ["%Y-%m-%d", "%d.%m.%Y", "%Y/%m/%d", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y"])
def test_dates_without_a_clock_are_recognised(pattern: str) -> None:
    days = [datetime(2009, 1, 25) + timedelta(days=number) for number in range(60)]
    assert parsed([day.strftime(pattern) for day in days]) == [day.isoformat() for day in days]


def test_months_alone_are_recognised() -> None:
    assert parsed(["2020-11", "2020-12", "2021-01"]) == [
        "2020-11-01T00:00:00",
        "2020-12-01T00:00:00",
        "2021-01-01T00:00:00",
    ]


def test_offsets_are_taken_into_account() -> None:
    assert parsed(["2020-01-01T12:00:00+02:00", "2020-01-01T12:00:00-05:30"]) == [
        "2020-01-01T10:00:00",
        "2020-01-01T17:30:00",
    ]
    assert parsed(["2020-01-01 12:00+0200", "2020-01-01 13:00+0200"])[1] == "2020-01-01T11:00:00"
    assert parsed(["2020-01-01T12:00:00.250Z"]) == ["2020-01-01T12:00:00"]


def test_an_offset_settles_the_hour_that_occurs_twice() -> None:
    times = ["2020-10-25T02:00:00+02:00", "2020-10-25T02:00:00+01:00", "2020-10-25T03:00:00+01:00"]
    assert parsed(times) == ["2020-10-25T00:00:00", "2020-10-25T01:00:00", "2020-10-25T02:00:00"]
    assert parsed(times, timezone="Europe/Berlin") == parsed(times)


def test_two_formats_in_one_column_are_an_error_that_names_the_row() -> None:
    times = [f"2020-01-{day:02} 00:00:00" for day in range(1, 29)]
    times[17] = "18.01.2020 00:00:00"
    with pytest.raises(DataError, match=r'rows\.csv, row 18 \(line 19\), column "when".*"18\.01\.2020') as caught:
        parsed(times)
    assert caught.value.details["row"] == 18
    assert caught.value.details["column"] == "when"
    assert caught.value.details["value"] == "18.01.2020 00:00:00"


def test_a_format_that_changes_after_thousands_of_rows_is_found() -> None:
    moments = [datetime(2020, 1, 1) + timedelta(minutes=10 * number) for number in range(5000)]
    times = [moment.strftime("%d.%m.%Y %H:%M:%S") for moment in moments]
    times[4997] = moments[4997].isoformat()
    with pytest.raises(DataError, match=r"row 4998 \(line 4999\)"):
        parsed(times)


def test_a_word_among_the_times_is_named() -> None:
    with pytest.raises(DataError, match=r'row 2 \(line 3\).*found "yesterday"'):
        parsed(["2020-01-01", "yesterday", "2020-01-03"])
    with pytest.raises(DataError, match="name their format with --time-format"):
        parsed(["yesterday", "today"])


def test_the_even_reading_of_day_and_month_is_taken() -> None:
    hours = [f"{hour % 24:02}:00" for hour in range(72)]
    for pattern in ("{day:02}/02/2020 {hour}", "02/{day:02}/2020 {hour}"):
        times = [pattern.format(day=3 + place // 24, hour=hour) for place, hour in enumerate(hours)]
        assert parsed(times)[71] == "2020-02-05T23:00:00"


def test_day_and_month_that_cannot_be_told_apart_are_an_error() -> None:
    with pytest.raises(DataError, match=r"%d/%m/%Y or %m/%d/%Y; say which with --time-format"):
        parsed(["01/02/2020", "02/02/2020"])
    assert parsed(["01/02/2020", "02/02/2020"], "%m/%d/%Y") == ["2020-01-02T00:00:00", "2020-02-02T00:00:00"]
    assert parsed(["01/02/2020", "02/02/2020"], "%d/%m/%Y") == ["2020-02-01T00:00:00", "2020-02-02T00:00:00"]


@pytest.mark.parametrize("years", [1, 2, 5])
def test_firsts_of_months_written_day_first_are_not_read_as_days_of_january(years: int) -> None:
    """Both readings are even, one on the calendar: months are found, or the user is asked, but days are wrong."""
    times = [f"01/{month:02}/{2015 + year}" for year in range(years) for month in range(1, 13)]
    frame = pl.DataFrame({"when": times, "a": np.arange(len(times), dtype=float)})
    try:
        frequency = str(read_table(frame).frequency)
    except DataError as error:
        assert "--time-format" in error.message
    else:
        assert frequency == "1mo"


def test_a_named_format_must_fit_every_row() -> None:
    assert parsed(["20200131-0715", "20200201-0830"], "%Y%m%d-%H%M")[0] == "2020-01-31T07:15:00"
    with pytest.raises(DataError, match=r"row 2 .*here %Y-%m-%d; found"):
        parsed(["2020-01-01", "2020/01/02"], "%Y-%m-%d")


@pytest.mark.parametrize(
    ("time_format", "written"), [("%Y%m%d-%H", "20200131-07"), ("%Q", "2020-01-31"), ("%", "2020-01-31"), ("", "2020")]
)
def test_a_format_that_cannot_be_used_is_an_error_and_no_traceback(time_format: str, written: str) -> None:
    with pytest.raises(InputError, match=r"time-format|all times follow one format"):
        parsed([written], time_format)


@pytest.mark.parametrize("scale", [1, 10**3, 10**6, 10**9])
def test_numbers_are_seconds_since_1970_or_parts_of_them(scale: int) -> None:
    first = 1_577_836_800
    assert parsed([float((first + 600 * number) * scale) for number in range(3)]) == [
        "2020-01-01T00:00:00",
        "2020-01-01T00:10:00",
        "2020-01-01T00:20:00",
    ]


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), 1e40])
def test_a_number_that_is_no_time_is_an_error_and_no_traceback(wrong: float) -> None:
    frame = pl.DataFrame({"when": [1_577_836_800.0, wrong, 1_577_836_900.0], "a": [1.0, 2.0, 3.0]})
    with pytest.raises(DataError, match='column "when"'):
        read_table(frame, time="when")


def test_dates_and_times_of_a_frame_are_taken_as_they_are() -> None:
    days = pl.Series([datetime(2020, 1, 1), datetime(2020, 1, 2)])
    assert parsed(days.cast(pl.Date)) == ["2020-01-01T00:00:00", "2020-01-02T00:00:00"]
    assert parsed(days.dt.cast_time_unit("ms")) == ["2020-01-01T00:00:00", "2020-01-02T00:00:00"]
    assert parsed(days.dt.cast_time_unit("ns")) == ["2020-01-01T00:00:00", "2020-01-02T00:00:00"]
    berlin = pl.Series([datetime(2020, 1, 1), datetime(2020, 7, 1, 6)]).dt.replace_time_zone("Europe/Berlin")
    assert parsed(berlin) == ["2019-12-31T23:00:00", "2020-07-01T04:00:00"]


def test_a_missing_time_is_named() -> None:
    with pytest.raises(DataError, match=r'row 2 \(line 3\), column "when": every row has a time; found none') as caught:
        parsed(pl.Series(["2020-01-01", None, "2020-01-03"]))
    assert caught.value.details["row"] == 2


@pytest.mark.parametrize(
    "times", [["2020-01-01 00:00", "2020-01-01 01:00"], ["2020-01-01T00:00Z", "2020-01-01T01:00Z"]]
)
def test_an_unknown_zone_is_an_error_that_names_the_nearest(times: list[str]) -> None:
    with pytest.raises(ConfigurationError, match='did you mean "Europe/Berlin"'):
        parsed(times, timezone="Europe/Berlinn")


def test_an_unknown_zone_is_no_traceback_also_where_times_carry_their_own() -> None:
    frame = pl.DataFrame({"when": ["2020-01-01T00:00Z", "2020-01-01T01:00Z"], "a": [1.0, 2.0]})
    with pytest.raises(ConfigurationError, match="there is no time zone"):
        health_of(read_table(frame, DataSection(timezone="Europe/Berlinn"), strict=False))


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Asia/Kolkata"])
def test_days_in_a_zone_are_dates_that_the_clock_does_not_move(zone: str) -> None:
    frame = pl.DataFrame({"day": [f"2020-03-{day:02}" for day in range(1, 32)], "a": np.arange(31.0)})
    table = read_table(frame, timezone=zone)
    assert (str(table.frequency), table.rows) == ("1d", 31)
    assert table.times[0] == microseconds("2020-03-01")
    zoned = frame.with_columns(pl.col("day").str.to_datetime("%Y-%m-%d").dt.replace_time_zone(zone))
    np.testing.assert_array_equal(read_table(zoned).times, table.times)


def half_hours(first: datetime, count: int) -> list[str]:
    """Local times as a clock on the wall shows them, one every half hour."""
    moments = [first.astimezone(UTC) + timedelta(minutes=30 * number) for number in range(count)]
    return [moment.astimezone(first.tzinfo).strftime("%Y-%m-%d %H:%M") for moment in moments]


def test_the_hour_that_occurs_twice_is_read_in_order_to_an_even_grid() -> None:
    times = half_hours(datetime(2020, 10, 25, tzinfo=ZoneInfo("Europe/Berlin")), 14)
    assert times.count("2020-10-25 02:00") == 2
    frame = pl.DataFrame({"time": times, "a": np.arange(14.0)})
    table = read_table(frame, timezone="Europe/Berlin")
    assert str(table.frequency) == "30min"
    assert (np.diff(table.times) == HOUR // 2).all()
    assert table.times[0] == microseconds("2020-10-24T22:00")
    assert table.values[:, 0].tolist() == list(range(14))
    assert local_hours(table.times, table.timezone).tolist() == [0, 0, 1, 1, 2, 2, 2, 2, 3, 3, 4, 4, 5, 5]
    with pytest.raises(DataError, match="--timezone if these are local times with a repeated hour"):
        read_table(frame)


def test_a_skipped_hour_is_no_gap() -> None:
    times = half_hours(datetime(2020, 3, 29, tzinfo=ZoneInfo("Europe/Berlin")), 10)
    assert "2020-03-29 02:00" not in times
    frame = pl.DataFrame({"time": times, "a": np.arange(10.0)})
    assert read_table(frame, timezone="Europe/Berlin").rows == 10
    assert read_table(frame).rows == 12


def test_each_series_has_its_own_repeated_hour() -> None:
    times = half_hours(datetime(2020, 10, 25, tzinfo=ZoneInfo("Europe/Berlin")), 10)
    both = pl.DataFrame(
        {"time": [time for time in times for _ in range(2)], "id": ["x", "y"] * 10, "a": np.arange(20.0)}
    )
    table = read_table(both, timezone="Europe/Berlin", series="id")
    assert table.starts.tolist() == [0, 10, 20]
    np.testing.assert_array_equal(table.times[:10], table.times[10:])
    assert table.values[:, 0].tolist() == [*range(0, 20, 2), *range(1, 20, 2)]


def test_a_time_that_the_clock_skips_is_an_error() -> None:
    times = ["2020-03-29 01:00", "2020-03-29 02:30", "2020-03-29 03:00"]
    with pytest.raises(DataError, match=r"row 2 \(line 3\).*2020-03-29 02:30 does not exist in Europe/Berlin"):
        parsed(times, timezone="Europe/Berlin")


@settings(max_examples=25)
@given(
    st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "UTC"]),
    st.dates(date(2019, 1, 1), date(2022, 12, 31)),
    st.sampled_from([10, 15, 30]),
)
def test_local_times_of_a_whole_year_come_back_as_they_were(zone: str, first: date, minutes: int) -> None:
    # At noon UTC no clock is turned: the one time that its order cannot tell is the first of a file.
    start = datetime(first.year, first.month, first.day, 12, tzinfo=UTC)
    moments = pl.datetime_range(start, start + timedelta(days=366), f"{minutes}m", time_unit="us", eager=True)
    local = moments.dt.convert_time_zone(zone).dt.replace_time_zone(None)
    found = parse_times(Source("x", pl.DataFrame({"when": local})), "when", None, zone, None, Health())
    assert found.timezone == zone
    np.testing.assert_array_equal(found.values.to_numpy(), moments.cast(pl.Int64).to_numpy())


def test_the_column_of_times_is_found_among_others() -> None:
    frame = pl.DataFrame(
        {
            "station": ["Jena", "Jena"],
            "code": ["12:00", "13:00"],
            "Date Time": ["01.01.2009 00:10:00", "01.01.2009 00:20:00"],
            "a": [1.0, 2.0],
        }
    )
    assert find_time_column(Source("x", frame), None) == "Date Time"
    assert find_time_column(Source("x", frame), "code") == "code"


def test_several_columns_of_times_must_be_told_apart() -> None:
    frame = pl.DataFrame({"start": ["2020-01-01", "2020-01-02"], "stop": ["2020-01-02", "2020-01-03"], "a": [1.0, 2.0]})
    with pytest.raises(DataError, match=r"several columns of times \(start, stop\); name one with --time"):
        read_table(frame)
    assert read_table(frame, time="stop").times[0] == microseconds("2020-01-02")
    assert read_table(frame.rename({"stop": "Date"})).times[0] == microseconds("2020-01-02")


def test_no_column_of_times_is_an_error_that_lists_the_columns() -> None:
    with pytest.raises(DataError, match=r"no time column: .*columns are a, b; name it with --time"):
        read_table(pl.DataFrame({"a": [1.0, 2.0], "b": ["x", "y"]}))
    with pytest.raises(DataError, match=r'no column "Tiem".*did you mean "time"'):
        read_table(pl.DataFrame({"a": [1.0], "time": ["2020-01-01"]}), time="Tiem")


@pytest.mark.parametrize(
    ("text", "zone"),
    [
        ("2024-03-01 {:02}:00:00", None),
        ("2024-03-01T{:02}:00:00", None),
        ("2024-03-01T{:02}:00:00Z", None),
        ("2024-03-01 {:02}:00:00+01:00", "Europe/Berlin"),
        ("01.03.2024 {:02}:00:00", None),
    ],
)
def test_rows_of_a_model_whose_times_were_no_text_are_read_as_any(text: str, zone: str | None) -> None:
    frame = pl.DataFrame(
        {"time": [text.format(hour) for hour in range(12)], "a": [float(hour % 5) for hour in range(12)]}
    )
    known = read_table(frame, timezone=zone, before=Written("time"))
    assert known.times.tolist() == read_table(frame, timezone=zone).times.tolist()
    assert known.timezone == read_table(frame, timezone=zone).timezone
