"""Where training ends and validation and test begin: shares, rows, durations, dates; one border for all series."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretell.data.frequency import Frequency
from foretell.data.spans import cut_spans
from foretell.errors import ConfigurationError, InputError

from .made_tables import HOUR, Recipe, make_table, microseconds, recipes

THOUSAND = np.arange(1000.0)


@pytest.mark.parametrize(
    ("text", "borders"),
    [
        ("0.7,0.15,0.15", (0, 700, 850, 1000)),
        (".5, .25, .25", (0, 500, 750, 1000)),
        ("0.5,0.2,0.2", (0, 500, 700, 900)),
        ("600,200,200", (0, 600, 800, 1000)),
        ("600,200,100", (0, 600, 800, 900)),
        ("600,200,rest", (0, 600, 800, 1000)),
        ("0.6,200,rest", (0, 600, 800, 1000)),
        ("10d,5d,rest", (0, 240, 360, 1000)),
        ("2w,48h,100", (0, 336, 384, 484)),
        ("2021-01-11,2021-01-21", (0, 240, 480, 1000)),
        ("2021-01-11T06:00,2021-01-21 12:30", (0, 246, 493, 1000)),
    ],
)
def test_sizes_and_dates_cut_time(text: str, borders: tuple[int, ...]) -> None:
    spans = cut_spans(make_table(THOUSAND), text)
    assert spans.borders == borders
    assert spans.training_rows[:].sum() == borders[1]
    assert spans.training_rows[: borders[1]].all()
    expected = np.searchsorted(borders[1:], np.arange(1000), side="right")
    np.testing.assert_array_equal(spans.of(spans.places), expected)


def test_the_starts_are_times_for_a_person() -> None:
    spans = cut_spans(make_table(THOUSAND), "240,240,100")
    assert spans.starts == ("2021-01-01 00:00", "2021-01-11 00:00", "2021-01-21 00:00", "2021-01-25 03:00")


def test_durations_follow_the_calendar_of_the_rows() -> None:
    months = make_table(np.arange(60.0), frequency=Frequency("month", 1))
    assert cut_spans(months, "3y,1y,rest").borders == (0, 36, 48, 60)
    weekdays = make_table(np.arange(60.0), frequency=Frequency("weekday", 1), origin=microseconds("2021-01-04"))
    assert cut_spans(weekdays, "2021-02-01,2021-02-15").borders == (0, 20, 30, 60)


def test_dates_are_local_where_the_table_has_a_zone() -> None:
    table = make_table(THOUSAND, timezone="Europe/Berlin")
    assert cut_spans(table, "2021-01-11,2021-01-21").borders == (0, 239, 479, 1000)
    assert cut_spans(table, "2021-01-11T00:00Z,2021-01-21T00:00Z").borders == (0, 240, 480, 1000)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("0.7", "three sizes"),
        ("1,2,3,4", "three sizes"),
        ("", "three sizes"),
        ("0.7,0.2,0.2", "at most 1; found 1.1"),
        ("rest,100,100", "only the last span may be 'rest'"),
        ("100,rest,100", "only the last span may be 'rest'"),
        ("most,some,few", "neither a duration"),
        ("90min,1d,rest", "the nearest is 2 rows"),
        ("soon,2021-01-02", "two dates"),
    ],
)
def test_what_is_no_span_is_a_wrong_configuration(text: str, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        cut_spans(make_table(THOUSAND), text)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("900,200,100", "need 1200 rows of time; the table has 1000"),
        ("600,400,rest", "every span must hold rows"),
        ("600,500,rest", "every span must hold rows"),
        ("0,500,rest", "every span must hold rows"),
        ("-5,500,rest", "every span must hold rows"),
        ("0.7,0.3,.0", "every span must hold rows"),
        ("2021-01-21,2021-01-11", "every span must hold rows"),
        ("2021-01-11,2021-01-11", "every span must hold rows"),
        ("2020-01-01,2021-01-11", "every span must hold rows"),
        ("2021-01-11,2022-01-11", "lies after the last time of the table, 2021-02-11 15:00"),
    ],
)
def test_spans_that_do_not_fit_the_table_are_told(text: str, told: str) -> None:
    with pytest.raises(InputError, match=told):
        cut_spans(make_table(THOUSAND), text)


@given(recipes(), st.sampled_from(["0.5,0.25,0.25", "20,5,rest", "0.6,0.2,0.1", "15h,4h,3h"]))
def test_series_share_their_borders_in_time(recipe: Recipe, text: str) -> None:
    table = recipe.make()
    try:
        spans = cut_spans(table, text)
    except InputError:
        return  # too short for these sizes
    numbers = spans.of(spans.places)
    first = int(table.times.min())
    for number in range(4):
        bounds = (0, *spans.borders[1:], 10**9)
        inside = (table.times >= first + bounds[number] * HOUR) & (table.times < first + bounds[number + 1] * HOUR)
        np.testing.assert_array_equal(numbers == number, inside)
    np.testing.assert_array_equal(spans.training_rows, numbers == 0)


def test_dates_cut_series_that_begin_apart_at_the_same_moment() -> None:
    table = make_table(np.arange(300.0), [100, 120, 80], offsets=[0, 50, 30])
    spans = cut_spans(table, "2021-01-04,2021-01-05")
    assert spans.borders == (0, 72, 96, 170)
    for start, stop in zip(table.starts[:-1], table.starts[1:], strict=True):
        rows = slice(start, stop)
        border = microseconds("2021-01-04")
        np.testing.assert_array_equal(spans.training_rows[rows], table.times[rows] < border)


def test_rows_as_they_come_are_counted_not_timed() -> None:
    table = make_table(THOUSAND)
    table.times[500:] += 24 * HOUR
    assert cut_spans(table, "600,200,rest", as_they_come=True).borders == (0, 600, 800, 1000)
    np.testing.assert_array_equal(cut_spans(table, "600,200,rest", as_they_come=True).places, np.arange(1000))
