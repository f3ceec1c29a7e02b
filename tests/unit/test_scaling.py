"""What is learned of columns, from training rows alone: property-based tests prove that nothing later leaks in."""

import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given, reject, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from foretell.data.filling import fill_forward
from foretell.data.lecture import lecture_anchors
from foretell.data.scaling import filled_targets, learn_scaling
from foretell.data.spans import Spans, cut_spans
from foretell.data.tables import Table
from foretell.data.windows import Windows, WindowShape, find_anchors
from foretell.errors import DataError
from foretell.evaluation.baselines import Climatology
from foretell.evaluation.history import History
from foretell.evaluation.ridge import _affordable, _moments, _solutions

from .made_tables import Recipe, make_table, recipes, series_of, shapes

NAN = float("nan")


def rows_before(table: Table, border: int) -> np.ndarray:
    return np.arange(table.rows) < border


def test_mean_and_deviation_are_numpys_on_training_rows_only() -> None:
    generator = np.random.default_rng(0)
    values = generator.normal([10, -3, 1e5], [1, 20, 1e4], (500, 3))
    values[generator.random((500, 3)) < 0.1] = NAN
    values[300:] += 1e6
    table = make_table(values, targets=("a", "c"))
    scaling = learn_scaling(table, rows_before(table, 300))
    np.testing.assert_allclose(scaling.mean[0], np.nanmean(values[:300], axis=0), rtol=1e-12)
    np.testing.assert_allclose(scaling.deviation[0], np.nanstd(values[:300], axis=0), rtol=1e-12)
    inputs = scaling.inputs(table)[:300, :3]
    seen = ~np.isnan(values[:300])
    np.testing.assert_allclose(inputs[seen].reshape(-1).std(), 1, rtol=1e-3)
    expected = (values[:300] - np.nanmean(values[:300], axis=0)) / np.nanstd(values[:300], axis=0)
    np.testing.assert_allclose(inputs[seen], expected[seen], rtol=1e-5, atol=1e-6)
    targets = scaling.scaled_targets(table)
    np.testing.assert_allclose(targets[:300], expected[:, [0, 2]], rtol=1e-5, atol=1e-6)
    assert (np.isnan(targets) == np.isnan(values[:, [0, 2]])).all()


def test_a_mask_stands_beside_a_feature_that_is_missing_in_training() -> None:
    values = np.column_stack([np.arange(20.0), np.arange(20.0), np.arange(20.0)])
    values[4, 1] = NAN
    values[15, 2] = NAN
    table = make_table(values)
    scaling = learn_scaling(table, rows_before(table, 10))
    assert scaling.features == ("a", "b", "c")
    assert scaling.masked == ("b",)
    assert scaling.width == 4
    inputs = scaling.inputs(table)
    np.testing.assert_array_equal(inputs[:, 3], np.isnan(values[:, 1]))
    assert inputs[4, 1] == inputs[3, 1]
    assert inputs[15, 2] == inputs[14, 2]
    assert np.isfinite(inputs).all()
    np.testing.assert_array_equal(scaling.missing(table), np.isnan(values))


def test_missing_before_the_first_observation_is_the_training_mean() -> None:
    values = np.column_stack([np.arange(20.0), np.arange(20.0)])
    values[:3, 1] = NAN
    table = make_table(values)
    assert (learn_scaling(table, rows_before(table, 10)).inputs(table)[:3, 1] == 0).all()


def test_a_feature_that_is_constant_or_absent_in_training_is_left_out() -> None:
    values = np.column_stack([np.arange(20.0), np.full(20, 7.0), np.full(20, NAN)])
    values[10:, 1:] = np.arange(10.0)[:, None]
    table = make_table(values)
    scaling = learn_scaling(table, rows_before(table, 10))
    assert scaling.features == ("a",)
    assert scaling.inputs(table).shape == (20, 1)


@given(st.floats(-1e9, 1e9, allow_subnormal=False), st.integers(2, 300))
@example(0.1, 3)
def test_rounding_does_not_make_a_constant_vary(constant: float, rows: int) -> None:
    table = make_table(np.column_stack([np.arange(float(rows)), np.full(rows, constant)]))
    assert learn_scaling(table, np.ones(rows, bool)).features == ("a",)


@pytest.mark.parametrize("values", [np.full(20, 7.0), np.full(20, NAN)])
def test_a_target_must_vary_in_training(values: np.ndarray) -> None:
    values = values.copy()
    values[10:] = np.arange(10.0)
    table = make_table(values)
    with pytest.raises(DataError, match='column "a": the target must vary within the training span'):
        learn_scaling(table, rows_before(table, 10))


@example(np.array([0.0, 1e-200]))
@example(np.array([1.0, 1.0, 1.0 + 2**-52]))
@given(
    arrays.arrays(
        np.float64, st.integers(3, 20), elements=st.floats(-1e12, 1e12, allow_nan=False, allow_subnormal=False)
    )
)
def test_scaled_values_are_finite_or_said_not_to_vary(values: np.ndarray) -> None:
    table = make_table(values)
    try:
        scaling = learn_scaling(table, np.ones(len(values), bool))
    except DataError:
        assert np.ptp(values) < 1e-29  # nothing in single precision
        return
    assert (scaling.deviation > 0).all()
    assert np.isfinite(scaling.inputs(table)).all()


def test_each_series_has_its_own_scaling_on_request() -> None:
    generator = np.random.default_rng(0)
    values = np.concatenate([generator.normal(0, 1, (50, 2)), generator.normal(100, 20, (70, 2))])
    table = make_table(values, [50, 70])
    training = np.ones(120, bool)
    training[40:50] = training[100:] = False
    shared = learn_scaling(table, training)
    own = learn_scaling(table, training, per_series=True)
    assert shared.mean.shape == (1, 2)
    assert shared.series == ()
    np.testing.assert_allclose(shared.mean[0], values[training].mean(axis=0))
    assert own.series == ("s0", "s1")
    for number, rows in enumerate((slice(0, 40), slice(50, 100))):
        np.testing.assert_allclose(own.mean[number], values[rows].mean(axis=0))
        np.testing.assert_allclose(own.deviation[number], values[rows].std(axis=0))
        scaled = own.inputs(table)[rows]
        np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-5)
        np.testing.assert_allclose(scaled.std(axis=0), 1, rtol=1e-5)
    mean, deviation = own.target_scales(table)
    np.testing.assert_array_equal(mean[:, 0], own.mean[:2, 0])
    np.testing.assert_array_equal(deviation[:, 0], own.deviation[:2, 0])


def test_a_new_series_is_scaled_as_all_of_training_together() -> None:
    values = np.arange(40.0)
    table = make_table(values, [20, 20])
    other = make_table(values, [20, 20], names=("s1", "s7"))
    training = np.ones(40, bool)
    own = learn_scaling(table, training, per_series=True)
    shared = learn_scaling(table, training)
    np.testing.assert_array_equal(own.scales(other), [1, 2])
    np.testing.assert_array_equal(own.inputs(other)[20:], shared.inputs(other)[20:])
    before = replace(own, mean=own.mean[:2], deviation=own.deviation[:2])  # as in folders before format 1.2
    with pytest.raises(DataError, match=r'series "s7" was not in training.*known are s0, s1'):
        before.inputs(other)
    swapped = make_table(values, [20, 20], names=("s1", "s0"))
    np.testing.assert_array_equal(own.scales(swapped), [1, 0])


def test_the_document_is_plain_json_and_complete() -> None:
    table = make_table(np.random.default_rng(0).normal(size=(30, 2)), [10, 20], targets=("b",))
    scaling = learn_scaling(table, np.ones(30, bool), per_series=True)
    document = json.loads(json.dumps(scaling.document()))
    np.testing.assert_array_equal(document["mean"], scaling.mean)
    np.testing.assert_array_equal(document["deviation"], scaling.deviation)
    assert document["series"] == ["s0", "s1"]
    assert (document["columns"], document["targets"]) == (["a", "b"], ["b"])


@given(
    arrays.arrays(np.float64, st.integers(1, 30), elements=st.one_of(st.just(NAN), st.floats(-9, 9))),
    st.sets(st.integers(1, 29), max_size=4),
)
def test_filling_forward_never_crosses_series(values: np.ndarray, cuts: set[int]) -> None:
    starts = np.array([0, *sorted(cut for cut in cuts if cut < len(values)), len(values)])
    filled = fill_forward(values, starts, -77.0)
    for start, stop in pairwise(starts):
        last = -77.0
        for row in range(start, stop):
            last = last if np.isnan(values[row]) else values[row]
            assert filled[row] == last


@given(recipes())
def test_filled_targets_know_only_their_own_past(recipe: Recipe) -> None:
    table = recipe.make()
    filled = filled_targets(table, table.targets)
    observed = table.take(table.targets)
    for rows in series_of(table):
        for target in range(observed.shape[1]):
            last = NAN
            for row in rows:
                last = observed[row, target] if not np.isnan(observed[row, target]) else last
                np.testing.assert_equal(filled[row, target], last)


def learned(table: Table, shape: WindowShape, spans: Spans, limit: float, per_series: bool) -> dict[str, object]:
    """The bytes of everything that is learned on the training span, before validation chooses."""
    training = spans.training_rows
    scaling = learn_scaling(table, training, per_series=per_series)
    if shape.align == "lecture":
        anchors = lecture_anchors(table, shape, spans, 2).spans
    else:
        anchors = find_anchors(table, shape, spans, scaling.missing(table), limit).spans
    train = anchors["train"]
    windows = Windows(scaling.inputs(table), scaling.scaled_targets(table), shape, table.starts)
    history = History.of(table, shape, scaling)
    moments = _moments(history, history.target_windows, _affordable(train, shape.steps))
    return {
        "scaling": json.dumps(scaling.document()),
        "anchors": train.tobytes(),
        "inputs": windows.inputs_at(train).numpy().tobytes(),
        "targets": windows.targets_at(train).numpy().tobytes(),
        "climatology": Climatology().fit(history, training, anchors).mean.tobytes(),
        "ridge": [(penalty, weights.tobytes()) for penalty, weights in _solutions(moments)],
    }


def changed_after_training(table: Table, spans: Spans, how: str, seed: int) -> Table:
    """The table with other values wherever training does not look."""
    generator = np.random.default_rng(seed)
    values = table.values.copy()
    touched = ~spans.training_rows[:, None] & (generator.random(values.shape) < 0.6)
    new = {
        "other": generator.normal(-50, 1000, values.shape),
        "missing": np.full(values.shape, NAN),
        "huge": np.full(values.shape, 1e30),
        "constant": np.zeros(values.shape),
    }[how]
    kept = generator.random(values.shape) < (0.8 if how == "missing" else 0)
    values = np.where(touched & ~kept, new, values)
    return replace(table, values=values)


# A window exactly at the limit of missing inputs: its share must not hang on rounding, nor that on later rows.
AT_THE_LIMIT = Recipe(seed=0, lengths=(40, 40, 40), offsets=(0, 0, 0), width=3, targets=1, missing=0.05)


@settings(max_examples=250)
@example(Recipe(0, (40,), (0,), 2, 1, 0.0), WindowShape(2, 1, (1, 1)), 1.0, False, True, "other", 0)
@example(AT_THE_LIMIT, WindowShape(1, 1, (1, 1)), 1 / 3, False, False, "other", 0)
@given(
    recipes(shortest=40, longest=80),
    shapes(),
    st.sampled_from([0.0, 0.25, 1 / 3, 0.5, 1.0]),
    st.booleans(),
    st.booleans(),
    st.sampled_from(["other", "missing", "huge", "constant"]),
    st.integers(0, 2**32 - 1),
)
def test_no_row_after_the_training_span_changes_anything_learned(
    recipe: Recipe, shape: WindowShape, limit: float, per_series: bool, blackout: bool, how: str, seed: int
) -> None:
    table = recipe.make()
    spans = cut_spans(table, "0.5,0.25,0.25")
    if blackout:  # the last features of training are missing: nothing may fill them from the other side
        near = np.abs(spans.places + 2 - spans.borders[1]) <= 2
        table.values[near, recipe.targets :] = NAN
    later = changed_after_training(table, spans, how, seed)
    np.testing.assert_array_equal(later.times, table.times)
    assert how == "missing" or later.fingerprint(table.columns) != table.fingerprint(table.columns)
    try:
        before = learned(table, shape, spans, limit, per_series)
        after = learned(later, shape, spans, limit, per_series)
    except DataError:
        reject()  # a span without windows, a target that is missing: nothing is learned
    for name, value in before.items():
        assert after[name] == value, name


@given(
    recipes(shortest=60, longest=90, most_series=1),
    shapes(align="lecture"),
    st.sampled_from(["other", "missing", "huge"]),
    st.integers(0, 2**32 - 1),
)
def test_nor_with_the_lectures_windows(recipe: Recipe, shape: WindowShape, how: str, seed: int) -> None:
    table = recipe.make()
    spans = cut_spans(table, "30,20,rest" if shape.lookback < 12 else "30,25,rest", as_they_come=True)
    later = changed_after_training(table, spans, how, seed)
    try:
        before = learned(table, shape, spans, 1.0, False)
        after = learned(later, shape, spans, 1.0, False)
    except DataError:
        reject()
    for name, value in before.items():
        assert after[name] == value, name


@given(recipes(shortest=40, longest=60), shapes(), st.integers(0, 2**32 - 1))
def test_what_training_sees_does_change_what_is_learned(recipe: Recipe, shape: WindowShape, seed: int) -> None:
    """The leak tests above would be worth nothing if they could not tell one training from another."""
    table = recipe.make()
    spans = cut_spans(table, "0.5,0.25,0.25")
    values = table.values.copy()
    row = int(np.random.default_rng(seed).choice(np.flatnonzero(spans.training_rows & ~np.isnan(values[:, 0]))))
    values[row, 0] += 1.0
    other = replace(table, values=values)
    try:
        before, after = (learned(one, shape, spans, 1.0, False) for one in (table, other))
    except DataError:
        reject()
    assert before["scaling"] != after["scaling"]
    assert before["climatology"] != after["climatology"]
    assert before["inputs"] != after["inputs"]
