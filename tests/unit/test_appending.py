"""New rows after those that are known: parts make the whole, gaps are missing rows, other grids are refused."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretell.data.appending import append_rows, frame_of, last_rows, longer
from foretell.data.frequency import Frequency
from foretell.data.health import Health
from foretell.data.reading import read_table
from foretell.data.statics import StaticValues
from foretell.data.tables import Table
from foretell.errors import DataError

from .made_tables import HOUR, HOURLY, NEW_YEAR, Recipe, make_table, microseconds, recipes, series_of

NAN = float("nan")
MONTHLY, MONTH_END = Frequency("month", 1), Frequency("month", 1, month_end=True)
GRIDS = [
    HOURLY,
    Frequency("microsecond", 10 * HOUR),
    Frequency("weekday", 1),
    MONTHLY,
    MONTH_END,
    Frequency("month", 3),
]


def same(one: Table, other: Table) -> None:
    """Both hold the same rows of the same series."""
    assert one.series == other.series
    assert one.columns == other.columns
    assert one.statics == other.statics
    np.testing.assert_array_equal(one.starts, other.starts)
    np.testing.assert_array_equal(one.times, other.times)
    np.testing.assert_array_equal(one.values, other.values)


def part(table: Table, pieces: list[range]) -> Table:
    """Some rows of each series; a series of which there are none is absent."""
    kept = [code for code, piece in enumerate(pieces) if piece]
    rows = np.concatenate([np.arange(pieces[code].start, pieces[code].stop) for code in kept])
    return replace(
        table,
        values=table.values[rows],
        times=table.times[rows],
        starts=np.concatenate([[0], np.cumsum([len(pieces[code]) for code in kept])]),
        series=tuple(table.series[code] for code in kept),
        statics={name: tuple(own[code] for code in kept) for name, own in table.statics.items()},
    )


def hourly(first: int, *values: float) -> Table:
    return make_table(np.array(values), offsets=[first])


def column(table: Table) -> list[float]:
    return [float(value) for value in table.values[:, 0]]


def test_new_rows_follow_those_that_are_known() -> None:
    table = append_rows(hourly(0, 1, 2, 3), hourly(3, 4, 5))
    assert column(table) == [1, 2, 3, 4, 5]
    np.testing.assert_array_equal(table.times, NEW_YEAR + HOUR * np.arange(5))
    assert table.starts.tolist() == [0, 5]


def test_where_both_have_a_value_the_newer_one_counts() -> None:
    assert column(append_rows(hourly(0, 1, 2, 3), hourly(1, 20, NAN, 40))) == [1, 20, 3, 40]
    assert column(append_rows(hourly(0, 1, NAN, 3), hourly(0, NAN, 20))) == [1, 20, 3]


def test_rows_that_are_absent_between_the_two_are_missing() -> None:
    with pytest.warns(UserWarning, match="3 rows between those that were known and the new ones are absent"):
        table = append_rows(hourly(0, 1, 2), hourly(5, 6))
    np.testing.assert_array_equal(table.values[:, 0], [1, 2, NAN, NAN, NAN, 6])
    np.testing.assert_array_equal(table.times, NEW_YEAR + HOUR * np.arange(6))


def test_rows_before_those_that_are_known_go_before_them() -> None:
    with pytest.warns(UserWarning, match="2 rows lie before those that were kept"):
        assert column(append_rows(hourly(3, 4, 5), hourly(1, 2, 3))) == [2, 3, 4, 5]


def test_what_is_known_stays_as_it_is() -> None:
    known, newer = hourly(0, 1, 2), hourly(1, 20, 30)
    append_rows(known, newer)
    assert (column(known), column(newer)) == ([1, 2], [20, 30])


def test_a_new_series_stands_in_the_order_of_names() -> None:
    known = make_table(np.arange(4.0), [2, 2], names=("b", "d"))
    newer = make_table(np.arange(10.0, 16), [1, 2, 3], names=("a", "c", "d"), offsets=[0, 7, 2])
    table = append_rows(known, newer)
    assert table.series == ("a", "b", "c", "d")
    assert table.starts.tolist() == [0, 1, 3, 5, 10]
    assert column(table) == [10, 0, 1, 11, 12, 2, 3, 13, 14, 15]
    assert table.times[3] == NEW_YEAR + 7 * HOUR


def test_static_values_are_the_newer_ones_where_there_are_any() -> None:
    statics: dict[str, StaticValues] = {"place": ("Bern", "Chur", None), "height": (540.0, 500.0, 1.0)}
    known = replace(make_table(np.arange(3.0), [1, 1, 1], names=("a", "b", "c")), statics=statics)
    newer = replace(
        make_table(np.arange(2.0), [1, 1], names=("b", "d"), offsets=[1, 0]),
        statics={"place": (None, "Davos"), "height": (593.0, 1560.0)},
    )
    table = append_rows(known, newer)
    assert table.statics == {"place": ("Bern", "Chur", None, "Davos"), "height": (540.0, 593.0, 1.0, 1560.0)}
    assert append_rows(known, replace(newer, statics={})).statics["place"] == ("Bern", "Chur", None, None)


def test_rows_off_the_grid_are_refused() -> None:
    newer = make_table(np.arange(2.0), origin=NEW_YEAR + 5 * HOUR + 60_000_000)
    with pytest.raises(DataError, match=r"on the grid of those that are known, every 1h; 2021-01-01 05:01 does not"):
        append_rows(hourly(0, 1, 2), newer)


def test_a_column_that_the_new_rows_lack_is_named() -> None:
    known, newer = make_table(np.ones((3, 2))), make_table(np.ones((3, 1)), offsets=[3])
    with pytest.raises(DataError, match='a made table has no column "b"') as caught:
        append_rows(known, newer)
    assert caught.value.details["column"] == "b"


def test_what_was_found_in_the_new_rows_is_told() -> None:
    health = Health()
    assert append_rows(hourly(0, 1), replace(hourly(1, 2), health=health)).health is health


@given(recipes(shortest=2, longest=20), st.data(), st.sampled_from(GRIDS))
def test_splitting_anywhere_and_appending_gives_the_same_table(
    recipe: Recipe, data: st.DataObject, frequency: Frequency
) -> None:
    """Each series is split at a place of its own, some rows are in both parts."""
    made = recipe.make()
    several = len(recipe.lengths) > 1
    origin = NEW_YEAR if not frequency.month_end else microseconds("2021-01-31")
    table = make_table(
        made.values, recipe.lengths, offsets=recipe.offsets, frequency=frequency, origin=origin, targets=made.targets
    )
    table = replace(table, statics={"kind": tuple("xyz"[: len(table.series)])} if several else {})
    cuts = [data.draw(st.integers(rows.start, rows.stop)) for rows in series_of(table)]
    begins = [data.draw(st.integers(rows.start, cut)) for rows, cut in zip(series_of(table), cuts, strict=True)]
    first = [range(rows.start, cut) for rows, cut in zip(series_of(table), cuts, strict=True)]
    second = [range(begin, rows.stop) for rows, begin in zip(series_of(table), begins, strict=True)]
    if not any(first) or not any(second):
        return
    same(append_rows(part(table, first), part(table, second)), table)


@given(recipes(shortest=1, longest=20), st.integers(1, 25))
def test_the_last_rows_of_each_series_are_kept(recipe: Recipe, count: int) -> None:
    table = recipe.make()
    kept = last_rows(table, count)
    expected = [list(rows)[-count - 1 :] for rows in series_of(table)]
    assert [len(rows) for rows in series_of(kept)] == [len(rows) for rows in expected]
    flat = [row for rows in expected for row in rows]
    values = table.values.copy()
    for known, rows in zip(series_of(table), expected, strict=True):
        # The row before those that are asked for holds what was last observed by then.
        values[rows[0]] = (
            pl.DataFrame(table.values[known.start : rows[0] + 1])
            .fill_nan(None)
            .fill_null(strategy="forward")
            .tail(1)
            .fill_null(NAN)
            .to_numpy()[0]
        )
    np.testing.assert_array_equal(kept.values, values[flat])
    np.testing.assert_array_equal(kept.times, table.times[flat])
    assert kept.series == table.series


@given(recipes(shortest=3, longest=20), st.integers(1, 30), st.sampled_from(GRIDS))
def test_series_that_are_too_short_begin_with_missing_rows(recipe: Recipe, count: int, frequency: Frequency) -> None:
    """The grid goes on backwards: a longer table's own last rows, made as long again, have its times."""
    origin = NEW_YEAR if not frequency.month_end else microseconds("2021-01-31")
    made = recipe.make()
    whole = make_table(np.zeros(sum(recipe.lengths)), recipe.lengths, frequency=frequency, origin=origin)
    whole = replace(whole, values=made.values, columns=made.columns)
    short = part(whole, [rows[-3:] for rows in series_of(whole)])
    table = longer(short, count)
    for own, rows in zip(series_of(table), series_of(whole), strict=True):
        assert len(own) == max(3, count)
        known = min(len(own), len(rows))
        np.testing.assert_array_equal(table.times[own][-known:], whole.times[rows][-known:])
        np.testing.assert_array_equal(table.values[own][-3:], whole.values[rows][-3:])
        assert np.isnan(table.values[own][:-3]).all()
        places, exact = frequency.index(table.times[own], int(table.times[own.start]))
        assert exact.all()
        assert (places == np.arange(len(own))).all()
    assert longer(table, count) is table, "what is long enough stays as it is"


def test_months_before_the_first_one_have_their_own_lengths() -> None:
    short = make_table(np.arange(2.0), frequency=MONTH_END, origin=microseconds("2021-03-31"))
    days = longer(short, 4).times.astype("datetime64[us]").astype("datetime64[D]").astype(str).tolist()
    assert days == ["2021-01-31", "2021-02-28", "2021-03-31", "2021-04-30"]


@pytest.mark.parametrize("timezone", [None, "UTC", "America/New_York"])
@pytest.mark.parametrize("names", [None, ("10", "9", "x, y")])
def test_a_frame_that_is_read_again_is_the_same_table(timezone: str | None, names: tuple[str, ...] | None) -> None:
    """Through November's repeated hour, with missing values, words and numbers that are static."""
    values = np.random.default_rng(0).normal(size=(90, 2))
    values[3:5] = values[-1] = NAN
    lengths, offsets = ([30, 40, 20], [0, 4, 9]) if names else ([90], [0])
    origin = microseconds("2021-11-06T20:00")
    table = make_table(values, lengths, offsets=offsets, names=names, timezone=timezone, origin=origin)
    if names:
        table = replace(table, statics={"kind": ("dry", None, "wet"), "height": (1.5, 2.5, None)})
    frame = frame_of(table)
    assert frame.columns == ["time", *(["series"] if names else []), "a", "b", *(["kind", "height"] if names else [])]
    again = read_table(frame, series=table.series_column, static=tuple(table.statics), target="a", grid=HOURLY)
    same(again, table)
    assert again.timezone == table.timezone
    assert (again.targets, again.features) == (table.targets, table.features)


@pytest.mark.parametrize(
    "frequency", [MONTHLY, MONTH_END, Frequency("weekday", 1), Frequency("microsecond", 24 * HOUR)]
)
def test_calendar_grids_are_read_again_too(frequency: Frequency) -> None:
    origin = microseconds("2021-01-29") if frequency.unit == "weekday" else microseconds("2021-01-31")
    origin = microseconds("2021-01-01") if frequency == MONTHLY else origin
    table = make_table(np.arange(26.0), frequency=frequency, origin=origin)
    again = read_table(frame_of(table), target="a")
    same(again, table)
    assert again.frequency == frequency


def test_a_frame_keeps_a_column_of_which_nothing_is_known() -> None:
    table = make_table(np.full((3, 2), NAN))
    assert frame_of(table).schema == {"time": pl.Datetime("us"), "a": pl.Float64, "b": pl.Float64}
    same(read_table(frame_of(table), grid=HOURLY), table)
