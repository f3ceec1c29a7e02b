"""Grids of time: inferring them, and durations in rows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretell.data.frequency import DAY, Frequency, infer_frequency, parse_duration
from foretell.errors import ConfigurationError, DataError

ONE_SERIES = np.array([0])


@given(
    st.sampled_from(
        [Frequency("microsecond", 600_000_000), Frequency("weekday", 1), Frequency("month", 1), Frequency("month", 3)]
    ),
    st.integers(0, 3000),
)
def test_index_is_the_inverse_of_times(frequency: Frequency, length: int) -> None:
    origin = int(np.datetime64("2019-01-01T06:00", "us").astype(np.int64))
    places = np.arange(length)
    found, fits = frequency.index(frequency.times(places, origin), origin)
    assert fits.all()
    assert (found == places).all()


@pytest.mark.parametrize(
    ("first", "step", "shown"),
    [
        ("2020-01-01", np.timedelta64(1, "D"), "1d"),
        ("2020-01-01T00:10", np.timedelta64(10, "m"), "10min"),
        ("2020-01", np.timedelta64(1, "M"), "1mo"),
        ("2020-01", np.timedelta64(3, "M"), "3mo"),
    ],
)
def test_even_and_calendar_grids_are_recognised(first: str, step: np.timedelta64, shown: str) -> None:
    times = np.datetime64(first) + np.arange(40) * step
    assert str(infer_frequency(times.astype("datetime64[us]").astype(np.int64), ONE_SERIES)) == shown


def test_month_ends_and_weekdays_are_recognised() -> None:
    ends = np.arange(np.datetime64("2020-02"), np.datetime64("2023-02")).astype("datetime64[D]") - 1
    frequency = infer_frequency(ends.astype("datetime64[us]").astype(np.int64), ONE_SERIES)
    assert frequency == Frequency("month", 1, month_end=True)
    assert (
        frequency.times(np.arange(36), int(ends[0].astype("datetime64[us]").astype(np.int64))) // DAY
        == ends.astype(int)
    ).all()
    days = np.arange(np.datetime64("2020-01-01"), np.datetime64("2020-06-01"))
    days = days[np.is_busday(days)]
    assert infer_frequency(days.astype("datetime64[us]").astype(np.int64), ONE_SERIES) == Frequency("weekday", 1)


def test_one_time_has_no_frequency() -> None:
    with pytest.raises(DataError, match="fewer than two times"):
        infer_frequency(np.array([0]), ONE_SERIES)


def test_durations_become_rows_or_say_what_is_nearest() -> None:
    hourly = Frequency("microsecond", 3_600_000_000)
    assert hourly.rows("10d", "lookback") == 240
    assert hourly.rows("48", "lookback") == 48
    assert Frequency("month", 1).rows("2y", "lookback") == 24
    with pytest.raises(ConfigurationError, match="the nearest is 2 rows"):
        hourly.rows("90min", "ahead")
    with pytest.raises(ConfigurationError, match="cannot be counted"):
        hourly.rows("1mo", "ahead")
    with pytest.raises(ConfigurationError, match="no duration"):
        parse_duration("soon", "ahead")
