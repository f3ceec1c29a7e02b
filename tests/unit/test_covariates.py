"""What is known beside columns: the calendar by hand, what lies ahead of each series and never another's, statics."""

import json
import math
from dataclasses import replace
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

from foretell.data.covariates import (
    NONE,
    Covariates,
    Static,
    calendar_inputs,
    cycles,
    last_observed,
    learn_covariates,
    require_known,
)
from foretell.data.frequency import Frequency, named_frequency
from foretell.data.reading import read_table
from foretell.data.scaling import learn_scaling
from foretell.data.statics import StaticValues
from foretell.data.tables import Table
from foretell.errors import ConfigurationError, DataError

from .made_tables import HOUR, HOURLY, NEW_YEAR, Recipe, make_table, microseconds, recipes, series_of

NAN = float("nan")


def turns(*shares: float) -> list[float]:
    return [wave(2 * math.pi * share) for wave in (math.sin, math.cos) for share in shares]


@pytest.mark.parametrize(
    ("utc", "timezone", "hour", "weekday", "day"),
    [
        ("1970-01-01T00:00", None, 0, 3, 0),  # a Thursday
        ("2024-02-29T18:30", None, 18.5, 3, 59),
        ("2024-12-30T06:00:36", "UTC", 6.01, 0, 364),
        ("2024-01-01T03:00", "America/New_York", 22, 6, 364),  # still the Sunday before, in the other year
        ("2024-07-01T22:15", "Europe/Berlin", 0.25, 1, 183),  # summer time: two hours on, and the next day
        ("2024-07-01T20:00", "Asia/Kolkata", 1.5, 1, 183),
    ],
)
def test_the_calendar_is_what_a_clock_on_the_wall_shows(
    utc: str, timezone: str | None, hour: float, weekday: int, day: int
) -> None:
    found = calendar_inputs(np.array([microseconds(utc)]), timezone, HOURLY)
    expected = turns(hour / 24, (weekday + hour / 24) / 7, day / 365.2425)
    np.testing.assert_allclose(found, [expected], atol=1e-6)


@pytest.mark.parametrize(
    ("frequency", "expected"),
    [
        ("1s", ("day", "week", "year")),
        ("12h", ("day", "week", "year")),
        ("1d", ("week", "year")),
        ("2d", ("week", "year")),
        ("1w", ("year",)),
        ("1mo", ("year",)),
        ("1y", ("year",)),
    ],
)
def test_a_cycle_that_rows_step_over_is_left_out(frequency: str, expected: tuple[str, ...]) -> None:
    own = named_frequency(frequency)
    assert cycles(own) == expected
    assert Covariates(True).calendar_width(own) == 2 * len(expected)
    assert calendar_inputs(np.array([NEW_YEAR]), None, own).shape == (1, 2 * len(expected))
    assert Covariates().calendar_width(own) == 0


def test_weekdays_have_a_week() -> None:
    assert cycles(Frequency("weekday", 1)) == ("week", "year")


@given(recipes(shortest=5, longest=20), st.integers(1, 6), st.sampled_from([None, "America/New_York"]), st.booleans())
def test_what_is_known_ahead_is_that_of_the_same_series(
    recipe: Recipe, last: int, timezone: str | None, calendar: bool
) -> None:
    """Near the end of a series too: times go on after its last row, and no value of the next series is seen."""
    table = replace(recipe.make(), timezone=timezone)
    known = table.columns[: 1 + recipe.width // 2]
    try:
        scaling = learn_scaling(table, np.ones(table.rows, bool), per_series=len(table.series) > 1)
    except DataError:  # a series of five rows of which hardly any is there
        reject()
    covariates = Covariates(calendar, known, (Static("size"),))
    table = replace(table, statics={"size": tuple(float(number) for number in range(len(table.series)))})
    ahead = covariates.ahead(table, scaling, last)
    mean, deviation = (np.stack(own) for own in zip(*(scaling.of_column(table, name) for name in known), strict=True))
    calendar_width = covariates.calendar_width(table.frequency)
    hours = NEW_YEAR + HOUR * np.arange(100)
    clock = dict(zip(hours.tolist(), calendar_inputs(hours, timezone, HOURLY).tolist(), strict=True))
    for code, rows in enumerate(series_of(table)):
        anchors = np.array(rows)
        found = ahead.at(anchors, (1, last)).numpy()
        assert found.shape == (len(anchors), last, calendar_width + 1 + len(known))
        for place, anchor in enumerate(anchors):
            absent = []
            for lead in range(1, last + 1):
                own = found[place, lead - 1]
                time = int(table.times[rows.start]) + (int(anchor) - rows.start + lead) * HOUR
                assert own[:calendar_width].tolist() == clock[time][:calendar_width]
                assert own[calendar_width] == code
                row = int(anchor) + lead
                for column, name in enumerate(known):
                    past = table.take([name])[rows.start : min(row, rows.stop - 1) + 1, 0]
                    seen = past[~np.isnan(past)]
                    expected = (seen[-1] - mean[column, code]) / deviation[column, code] if len(seen) else 0.0
                    assert own[calendar_width + 1 + column] == pytest.approx(expected, rel=1e-4, abs=1e-5)
                if row >= rows.stop or np.isnan(table.take(known)[row]).any():
                    absent.append(time)
            one = np.array([anchor])
            assert ahead.first_absent(one, (1, last)) == (min(absent) if absent else None)


def test_leads_that_begin_later_see_their_own_rows() -> None:
    table = make_table(np.arange(20.0), [12, 8])
    ahead = Covariates(known=("a",)).ahead(table, learn_scaling(table, np.ones(20, bool)), 4)
    found = ahead.at(np.array([3, 12, 15]), (3, 4)).numpy()[..., 0] * table.values.std() + table.values.mean()
    np.testing.assert_allclose(found, [[6, 7], [15, 16], [18, 19]], rtol=1e-6)


def test_what_must_be_known_ahead_is_asked_for_by_its_time() -> None:
    values = np.column_stack([np.arange(20.0), np.arange(20.0)])
    values[15:, 0] = NAN  # what is to be forecast; the plan reaches on to the last row
    table = make_table(values, timezone="America/New_York")
    known = Covariates(known=("b",)).ahead(table, learn_scaling(table, np.arange(20) < 15), 6)
    require_known(table, known, np.array([5, 14]), (1, 5))
    with pytest.raises(DataError, match=r"at 2021-01-01 15:00 one is missing; append rows up to there"):
        require_known(table, known, np.array([5, 14]), (1, 6))
    assert last_observed(table).tolist() == [14]
    values[3, 1] = NAN
    table = make_table(values)
    known = Covariates(known=("b",)).ahead(table, learn_scaling(table, np.arange(20) < 15), 6)
    assert known.first_absent(np.array([2, 14]), (1, 1)) == NEW_YEAR + 3 * HOUR


def test_nothing_is_absent_of_the_calendar() -> None:
    table = make_table(np.full((5, 1), NAN))
    scaling = learn_scaling(make_table(np.arange(5.0)), np.ones(5, bool))
    assert Covariates(calendar=True).ahead(table, scaling, 3).first_absent(np.arange(5), (1, 3)) is None


def test_the_last_observed_row_is_that_of_any_target() -> None:
    values = np.arange(24.0).reshape(12, 2)
    values[4:6, 0] = values[5, 1] = values[6:, 1] = values[11, 0] = NAN
    assert last_observed(make_table(values, [6, 6], targets=("a", "b"))).tolist() == [4, 10]
    values[6:] = NAN
    assert last_observed(make_table(values, [6, 6], targets=("a", "b"))).tolist() == [4, -1]


def told(statics: dict[str, StaticValues]) -> Table:
    """Four series of two rows; the last one stands apart from the training."""
    return replace(make_table(np.arange(8.0), [2, 2, 2, 2]), statics=statics)


TRAINING = np.array([True, True, True, False, False, True, False, False])


def test_numbers_are_scaled_by_the_series_of_the_training_each_counted_once() -> None:
    table = told({"height": (1.0, 2.0, 6.0, 1e9)})
    (static,) = learn_covariates(table, TRAINING, False, ()).statics
    assert (static.name, static.categories, static.mean) == ("height", (), 3.0)
    assert static.deviation == pytest.approx(math.sqrt(14 / 3))
    np.testing.assert_allclose(static.inputs(table)[:3, 0], (np.array([1, 2, 6]) - 3) / math.sqrt(14 / 3), rtol=1e-6)
    (alike,) = learn_covariates(told({"height": (5.0, 5.0, None, 7.0)}), TRAINING, False, ()).statics
    assert (alike.mean, alike.deviation) == (5.0, 1.0)
    np.testing.assert_array_equal(alike.inputs(told({"height": (5.0, 6.0, None, 7.0)}))[:, 0], [0, 1, 0, 2])


def test_words_are_one_hot_and_what_was_never_seen_is_zero() -> None:
    table = told({"kind": ("wet", "dry", None, "hot")})
    (static,) = learn_covariates(table, TRAINING, False, ()).statics
    assert static.categories == ("dry", "wet")
    np.testing.assert_array_equal(static.inputs(table), [[0, 1], [1, 0], [0, 0], [0, 0]])
    (empty,) = learn_covariates(told({"kind": (None, None, None, "hot")}), TRAINING, False, ()).statics
    assert not empty.inputs(table).any()
    assert empty.width == 1


def test_inputs_are_the_calendar_and_then_what_is_static() -> None:
    table = told({"kind": ("wet", "dry", None, "hot"), "height": (1.0, 2.0, 6.0, 1e9)})
    covariates = learn_covariates(table, TRAINING, True, ("a",))
    inputs = covariates.inputs(table)
    assert inputs.shape == (8, covariates.width(HOURLY)) == (8, 6 + 2 + 1)
    assert covariates.ahead_width(HOURLY) == 10
    np.testing.assert_array_equal(inputs[:, :6], calendar_inputs(table.times, None, HOURLY))
    np.testing.assert_array_equal(inputs[:, 6:8], covariates.statics[0].inputs(table)[table.codes])
    np.testing.assert_array_equal(inputs[:, 8:], covariates.statics[1].inputs(table)[table.codes])
    assert NONE.inputs(table).shape == (8, 0)
    assert NONE.ahead_width(HOURLY) == 0
    still = learn_covariates(table, TRAINING, False, ())
    assert (still.width(HOURLY), still.ahead_width(HOURLY)) == (3, 3), "networks that read targets alone see it too"


@given(recipes(), st.integers(1, 40), st.data())
def test_covariates_are_learned_from_training_rows_alone(recipe: Recipe, border: int, data: st.DataObject) -> None:
    """Any later row may change, and all that is said of series that begin later: nothing learned changes."""
    table = recipe.make()
    count = len(table.series)
    values = st.one_of(st.none(), st.floats(-1e6, 1e6), st.sampled_from(["dry", "wet", "hot"]))
    statics = {name: data.draw(st.tuples(*[values] * count)) for name in ("one", "two")}
    training = table.times < NEW_YEAR + border * HOUR
    if not training.any():
        return
    learned = learn_covariates(replace(table, statics=statics), training, True, ("a",))
    seen = set(table.codes[training].tolist())
    others = {
        name: tuple(value if code in seen else data.draw(values) for code, value in enumerate(own))
        for name, own in statics.items()
    }
    changed = np.where(training[:, None], table.values, data.draw(st.floats(-1e9, 1e9)))
    assert learn_covariates(replace(table, statics=others, values=changed), training, True, ("a",)) == learned


def test_the_document_gives_everything_back() -> None:
    table = told({"kind": ("wet", "dry", None, "hot"), "height": (1.0, 2.0, 6.0, 1e9)})
    covariates = learn_covariates(table, TRAINING, True, ("a",))
    document = json.loads(json.dumps(covariates.document()))
    assert Covariates.restore(document) == covariates
    assert Covariates.restore(NONE.document()) == NONE


@pytest.mark.parametrize("damage", [{"deviation": 0.0}, {"deviation": NAN}, {"deviation": -1.0}, {"mean": math.inf}])
def test_a_document_that_scales_by_nothing_is_refused(damage: dict[str, float]) -> None:
    document = Covariates(statics=(Static("height"),)).document()
    document["statics"][0] |= damage
    with pytest.raises(ValueError, match="finite means and deviations above zero"):
        Covariates.restore(document)


def frame(**columns: list[Any]) -> pl.DataFrame:
    hours = [datetime(2021, 1, 1, hour) for hour in range(3)] * 2
    return pl.DataFrame(
        {"time": hours, "place": ["b"] * 3 + ["a"] * 3, "load": [float(row) for row in range(6)], **columns}
    )


def test_static_columns_are_read_with_one_value_for_each_series() -> None:
    rows = frame(
        kind=["wet", None, "wet", None, None, None], height=[None, 2.0, 2.0, NAN, 1.0, None], load_type=[True] * 6
    )
    table = read_table(rows, series="place", static=("kind", "height,load_type"))
    assert table.series == ("a", "b")
    assert table.statics == {"kind": (None, "wet"), "height": (1.0, 2.0), "load_type": (1.0, 1.0)}
    assert table.columns == ("load",), "they are no features"


@pytest.mark.parametrize(("name", "values"), [("kind", ["wet"] * 4 + ["dry", "wet"]), ("height", [1.0] * 5 + [2.0])])
def test_two_values_in_one_series_are_an_error(name: str, values: list[Any]) -> None:
    with pytest.raises(DataError, match=f'column "{name}".*one value for each series; series "a" has') as caught:
        read_table(frame(**{name: values}), series="place", static=(name,))
    assert caught.value.details["series"] == "a"


def test_static_columns_need_series() -> None:
    with pytest.raises(ConfigurationError, match=r"--static kind: .* say --series"):
        read_table(frame(kind=["wet"] * 6).head(3), static=("kind",))
