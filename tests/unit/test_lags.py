"""Windows as rows for trees: each number is what a plain loop computes, and no row outside the window is seen."""

import math
from dataclasses import replace
from statistics import fmean, pstdev

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretell.data.covariates import Covariates, Static, calendar_inputs
from foretell.data.frequency import Frequency
from foretell.data.scaling import learn_scaling
from foretell.data.tables import Table, local_times
from foretell.data.windows import WindowShape
from foretell.tasks.forecast.lags import LAGS, MEANS, LagRows, Picks
from foretell.tasks.forecast.prepare import View

from .made_tables import HOUR, make_table, shapes

DAY = 4  # rows
FREQUENCY = Frequency("microsecond", 6 * HOUR)
LENGTHS = (50, 60)


def made(seed: int = 0, frequency: Frequency = FREQUENCY) -> Table:
    """Two series with two targets and another column, in a zone whose midnight is not UTC's."""
    values = np.random.default_rng(seed).normal([10, -3, 100], [1, 20, 5], (sum(LENGTHS), 3))
    return make_table(values, LENGTHS, targets=("a", "c"), frequency=frequency, timezone="America/New_York")


def view_of(table: Table, shape: WindowShape, learned_from: Table | None = None) -> View:
    known = table if learned_from is None else learned_from
    return View(table, shape, learn_scaling(known, np.ones(known.rows, bool)))


def picks_of(shape: WindowShape, windows: int) -> Picks:
    """Every forecast of some windows."""
    leads = range(shape.leads[0], shape.leads[1] + 1)
    rows = [(window, lead, target) for window in range(windows) for lead in leads for target in range(2)]
    return Picks(*np.array(rows).T)


def row_by_loop(view: View, anchor: int, lead: int, target: int, yearly: bool) -> tuple[list[float], float]:
    """One row as its documentation says, and the value from which the change is counted."""
    table, shape, scaling = view.table.whole(), view.shape, view.scaling
    scaled = ((table.values - scaling.mean) / scaling.deviation).astype(np.float32)
    last_row = anchor - shape.last_input
    rows = [last_row - step * shape.every for step in range(shape.steps)][::-1]
    own = [float(scaled[row, table.columns.index(scaling.targets[target])]) for row in rows]
    other = [float(scaled[row, table.columns.index("b")]) for row in rows]
    now = own[-1]
    lengths = sorted({min(length, len(own)) for length in (*MEANS, len(own))})
    numbers = [own[-1 - lag] - now for lag in LAGS if lag < len(own)]
    numbers += [fmean(own[-length:]) - now for length in lengths]
    numbers += [pstdev(own[-length:]) for length in lengths]
    numbers += [now]
    steps_of_day = min(max(1, DAY // shape.every), len(own))
    day_ago = other[-1 - steps_of_day] if steps_of_day < len(own) else other[0]
    numbers += [other[-1], other[-1] - day_ago, other[-1] - fmean(other), fmean(other[-steps_of_day:]) - fmean(other)]

    def at(row: int) -> float:
        """The nearest value that the window read; none where the row lies before the window."""
        back = round((last_row - row) / shape.every)
        return own[-1 - back] if back < len(own) else math.nan

    past = [at(row) for row in range(anchor + lead, anchor - 1000, -DAY) if row <= last_row]
    seen = [value for value in past if not math.isnan(value)]
    weekly = [at(row) for row in range(anchor + lead, anchor - 1000, -7 * DAY) if row <= last_row]
    numbers += [value - now for value in (*past[:3], weekly[0], fmean(seen) if seen else math.nan)]
    moment = local_times(table.times[anchor : anchor + 1] + lead * table.frequency.count, table.timezone)
    clock = moment.dt.to_string("%H %u %j").item().split()
    numbers += [float(part) for part in clock[: 3 if yearly else 2]]
    numbers += [lead, target, int(table.codes[anchor])]
    return numbers, now if math.isnan(past[0]) else (now + past[0]) / 2


@pytest.mark.parametrize("yearly", [False, True])
@pytest.mark.parametrize(
    "shape",
    [
        WindowShape(34, 1, (1, 6)),  # a week back lies in the window for most leads
        WindowShape(34, 2, (1, 6)),  # an odd lead falls between two steps
        WindowShape(12, 3, (2, 3)),  # a day is no whole number of steps
        WindowShape(12, 6, (5, 9)),  # a step is longer than a day
        WindowShape(3, 1, (1, 5)),  # shorter than a day
        WindowShape(1, 1, (1, 1)),
        WindowShape(20, 2, (3, 3), "lecture"),
        WindowShape(5, 5, (4, 4), "lecture"),
    ],
    ids=str,
)
def test_each_number_is_what_a_plain_loop_computes(shape: WindowShape, yearly: bool) -> None:
    view = view_of(made(), shape)
    anchors = np.array([shape.first_input, 40, 49, 50 + shape.first_input, 97, 109])
    picks, rows = picks_of(shape, len(anchors)), LagRows(view, yearly)
    found, bases = rows.of(anchors, picks)
    assert found.shape == (len(picks.lead), rows.width)
    for number, (window, lead, target) in enumerate(zip(picks.window, picks.lead, picks.target, strict=True)):
        expected, base = row_by_loop(view, int(anchors[window]), int(lead), int(target), yearly)
        np.testing.assert_allclose(found[number], expected, rtol=1e-4, atol=2e-6)
        assert bases[number] == pytest.approx(base, rel=1e-5, abs=1e-6)


@given(shapes(), st.data())
def test_rows_that_the_window_does_not_read_change_nothing(shape: WindowShape, data: st.DataObject) -> None:
    """Those after the anchor, those before the first input, those between two strides, those of other series."""
    table = made()
    start, stop = data.draw(st.sampled_from([(0, 50), (50, 110)]))
    anchor = data.draw(st.integers(start + shape.first_input, stop - 1))
    read = np.arange(anchor - shape.first_input, anchor + 1, shape.every)
    other = made(seed=1).values * data.draw(st.sampled_from([1.0, -1e3, 1e6]))
    other[read] = table.values[read]
    anchors, picks = np.array([anchor]), picks_of(shape, 1)
    before = LagRows(view_of(table, shape)).of(anchors, picks)
    after = LagRows(view_of(replace(table, values=other), shape, learned_from=table)).of(anchors, picks)
    np.testing.assert_array_equal(after[0], before[0])
    np.testing.assert_array_equal(after[1], before[1])


@given(shapes(), st.data())
def test_every_row_that_the_window_reads_can_change_something(shape: WindowShape, data: st.DataObject) -> None:
    table = made()
    anchor = data.draw(st.integers(shape.first_input, 49))
    row = anchor - data.draw(st.integers(0, shape.steps - 1)) * shape.every
    values = table.values.copy()
    values[row, 0] += 1
    anchors, picks = np.array([anchor]), picks_of(shape, 1)
    before = LagRows(view_of(table, shape)).of(anchors, picks)[0]
    after = LagRows(view_of(replace(table, values=values), shape, learned_from=table)).of(anchors, picks)[0]
    assert not np.array_equal(before[picks.target == 0], after[picks.target == 0], equal_nan=True)
    np.testing.assert_array_equal(before[picks.target == 1], after[picks.target == 1])


@pytest.mark.parametrize(
    "frequency", [Frequency("microsecond", 24 * HOUR), Frequency("microsecond", 5 * HOUR)], ids=str
)
def test_rows_that_do_not_make_a_day_have_no_seasons(frequency: Frequency) -> None:
    shape = WindowShape(12, 1, (1, 2))
    view = view_of(made(frequency=frequency), shape)
    rows, picks = LagRows(view), picks_of(shape, 1)
    found, bases = rows.of(np.array([20]), picks)
    assert found.shape[1] == rows.width == 6 + 2 * 2 + 1 + 4 + 2 + 3
    assert not np.isnan(found).any()
    last = view.history.target_windows.inputs_at(np.array([20]))[0, -1].numpy()
    np.testing.assert_array_equal(bases, last[picks.target])


def test_what_is_static_and_what_is_known_ahead_is_told_and_the_past_calendar_is_not() -> None:
    shape = WindowShape(8, 1, (1, 3))
    table = replace(made(), statics={"size": (2.0, 5.0)})
    table.values[5, 1] = np.nan  # makes a mask, which is told as well
    scaling = learn_scaling(table, np.ones(table.rows, bool))
    covariates = Covariates(True, ("b",), (Static("size", (), 3.5, 1.5),))
    anchors, picks = np.array([20, 70]), picks_of(shape, 2)
    plain, rich = (LagRows(View(table, shape, scaling, own)) for own in (Covariates(), covariates))
    assert rich.width == plain.width + 1 + 6 + 1 + 1
    before, after = plain.of(anchors, picks)[0], rich.of(anchors, picks)[0]
    mask = 5 + 2 * 2 + 1 + 1  # after lags, means, deviations, what is now, and the other column
    assert not before[:, mask].any()
    np.testing.assert_allclose(after[:, mask + 1], np.where(picks.window == 0, -1, 1), rtol=1e-6)
    known = after[:, -3 - 8 : -3]
    targets = anchors[picks.window] + picks.lead
    np.testing.assert_allclose(
        known[:, :6], calendar_inputs(table.times[targets], table.timezone, FREQUENCY), atol=1e-6
    )
    np.testing.assert_allclose(known[:, 6], np.where(picks.window == 0, -1, 1), rtol=1e-6)
    scaled = (table.values[targets, 1] - scaling.mean[0, 1]) / scaling.deviation[0, 1]
    np.testing.assert_allclose(known[:, 7], scaled, rtol=1e-5)
    rest = np.delete(after, [mask + 1, *range(rich.width - 11, rich.width - 3)], axis=1)
    np.testing.assert_array_equal(rest, before)


def test_chunks_are_all_anchors_in_order() -> None:
    rows = LagRows(view_of(made(), WindowShape(3, 1, (1, 1))))
    assert [anchor for part in rows.chunks(np.arange(100)) for anchor in np.arange(100)[part]] == list(range(100))
