"""Drift: the stability index by hand, limits that one stretch in forty exceeds, what is told and what is not."""

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretell.evaluation.drift import (
    FEWEST,
    ColumnProfile,
    Limits,
    error_limits,
    profile_column,
    stability_index,
    stretch_lengths,
)
from foretell.tasks.forecast.drifting import NOTHING, Remembered, remember_columns

from .made_tables import make_table

NAN = float("nan")


def profile_of(values: np.ndarray) -> ColumnProfile:
    profile = profile_column(values)
    assert profile is not None
    return profile


def seasonal(hours: np.ndarray, seed: int = 0) -> np.ndarray:
    """A temperature: a day, a year, and noise of an hour."""
    noise = np.random.default_rng(seed).normal(0, 1, len(hours))
    return 10 + 8 * np.sin(2 * np.pi * hours / 8766) + 4 * np.sin(2 * np.pi * hours / 24) + noise


def through_json(document: dict[str, Any]) -> dict[str, Any]:
    return json.loads(json.dumps(document))


def test_the_index_is_its_formula() -> None:
    # Tenths (here quarters) up to 1, 2 and 3; an edge belongs to the part below it.
    values = np.array([0.5, 1.0, 1.0, 2.0, 9.0, NAN])
    found, expected = (0.6, 0.2, 0.0, 0.2), (0.25, 0.25, 0.3, 0.2)
    by_hand = sum(
        (one - two) * math.log(one / two)
        for one, two in zip((max(share, 1e-4) for share in found), expected, strict=True)
    )
    assert stability_index(values, np.array([1.0, 2.0, 3.0]), np.array(expected)) == pytest.approx(by_hand)


@given(st.integers(0, 2**32 - 1), st.integers(1, 300), st.sampled_from([2, 5, 1000]), st.sampled_from([0.0, 0.3]))
def test_the_same_values_in_any_order_have_an_index_of_zero(seed: int, rows: int, kinds: int, missing: float) -> None:
    """Few kinds of values are ties: tenths that hold nothing must not make the same values differ."""
    generator = np.random.default_rng(seed)
    values = generator.integers(0, kinds, rows).astype(float)
    values[generator.random(rows) < missing] = NAN
    profile = profile_column(values)
    if np.isnan(values).all():
        assert profile is None
        return
    assert profile is not None
    assert profile.index(generator.permutation(values)) == pytest.approx(0, abs=1e-12)
    assert sum(profile.shares) == pytest.approx(1)
    assert len(set(profile.edges)) == len(profile.edges) == len(profile.shares) - 1
    assert profile.index(np.full(rows, NAN)) == 0
    assert profile.index(np.full(rows, kinds + 1.0)) >= 0


def test_ties_are_counted_as_they_lie() -> None:
    """A rain gauge: dry in 95 of 100 hours."""
    rain = np.zeros(1000)
    rain[::20] = np.random.default_rng(0).exponential(1, 50)
    profile = profile_of(rain)
    assert profile.edges == (0.0,)
    assert profile.shares == pytest.approx((0.95, 0.05))
    assert profile.index(np.zeros(100)) == pytest.approx(
        0.05 * math.log(1 / 0.95) + (1e-4 - 0.05) * math.log(1e-4 / 0.05)
    )


def test_stretches_of_white_noise_exceed_the_limit_once_in_forty() -> None:
    generator = np.random.default_rng(0)
    profile = profile_of(generator.normal(size=60_000))
    assert profile.limits.lengths == tuple(stretch_lengths(60_000)[2:]), "of the shortest there are too many to count"
    for length in (8, 64, 256):
        limit = profile.limits.of(length)
        assert limit is not None
        stretches = generator.normal(size=(2000, length))
        exceeded = np.mean([profile.index(stretch) > limit for stretch in stretches])
        assert 0.01 < exceeded < 0.045
    assert list(profile.limits.values) == sorted(profile.limits.values, reverse=True), "longer ones are more alike"


@pytest.mark.parametrize("missing", [0.0, 0.2])
def test_limits_are_those_of_each_stretch_by_itself(missing: float) -> None:
    generator = np.random.default_rng(1)
    values = generator.normal(size=500)
    values[generator.random(500) < missing] = NAN
    values[8:16] = NAN  # a stretch without values is none
    profile = profile_of(values)
    assert profile.limits.lengths == (1, 2, 4, 8, 16, 32)
    for length, limit in zip(profile.limits.lengths, profile.limits.values, strict=True):
        stretches = [values[start : start + length] for start in range(0, 500 - length + 1, length)]
        indices = [profile.index(own) for own in stretches if not np.isnan(own).all()]
        assert limit == pytest.approx(np.quantile(indices, 0.975))


def test_a_limit_is_that_of_the_longest_stretch_that_is_no_longer() -> None:
    limits = Limits((4, 8, 16), (0.9, 0.5, 0.2))
    assert [limits.of(length) for length in (3, 4, 7, 8, 1000)] == [None, 0.9, 0.9, 0.5, 0.2]
    assert Limits((), ()).of(10) is None


def test_error_limits_are_of_the_means_of_stretches() -> None:
    losses = np.random.default_rng(0).exponential(1, 100)
    limits = error_limits(losses, 3)
    assert limits.lengths == (3, 6, 12, 24)
    for length, limit in zip(limits.lengths, limits.values, strict=True):
        size = length // 3
        means = [losses[start : start + size].mean() for start in range(0, 100 - size + 1, size)]
        assert len(means) >= FEWEST
        assert limit == pytest.approx(np.quantile(means, 0.975))
    assert error_limits(losses[: FEWEST - 1], 3) == Limits((), ())


def test_a_shifted_column_is_found_and_the_same_season_is_not() -> None:
    """A week of summer is unlike a year; it is no drift, since training has seen such weeks."""
    hours = np.arange(3 * 8766)
    training = make_table(np.column_stack([seasonal(hours[: 2 * 8766]), np.arange(2.0 * 8766)]))
    remembered = remember_columns(training, np.ones(training.rows, bool), ("a",))
    for week in range(2 * 8766, 3 * 8766 - 168, 1000):
        usual = seasonal(hours[week : week + 168], seed=week)
        (same,) = remembered.inputs(make_table(usual))
        assert same["index"] > 0.25, "the rule of thumb would have cried"
        assert not same["drifted"]
        assert same["beyond"] < 0.01
        (shifted,) = remembered.inputs(make_table(usual + 40))
        assert shifted["drifted"]
        assert shifted["beyond"] > 0.9
    (stuck,) = remembered.inputs(make_table(np.full(168, 10.0)))
    assert stuck["drifted"]
    assert stuck["beyond"] == 0


def test_small_changes_and_too_few_rows_are_no_drift() -> None:
    values = np.random.default_rng(0).normal(size=5000)
    table = make_table(values)
    remembered = remember_columns(table, np.ones(5000, bool), ("a",))
    (entry,) = remembered.inputs(make_table(values[:600] + 0.05))
    assert not entry["drifted"]
    short = remember_columns(make_table(values[:7]), np.ones(7, bool), ("a",))
    (entry,) = short.inputs(make_table(values[:7] + 100))
    assert (entry["limit"], entry["drifted"], entry["beyond"]) == (None, False, 1.0)
    (entry,) = remembered.inputs(make_table(np.full(5, NAN)))
    assert (entry["index"], entry["limit"], entry["drifted"], entry["beyond"]) == (0.0, None, False, 0.0)


def test_columns_are_remembered_from_training_rows_alone() -> None:
    values = np.random.default_rng(0).normal(size=(400, 3))
    values[:, 2] = NAN
    table, training = make_table(values), np.arange(400) < 300
    remembered = remember_columns(table, training, ("a", "c"))
    assert remembered.columns.keys() == remembered.ranges.keys() == {"a"}, "nothing was observed of the other"
    assert remembered.ranges["a"] == (values[:300, 0].min(), values[:300, 0].max())
    changed = values.copy()
    changed[300:] = 1e6
    assert remember_columns(make_table(changed), training, ("a", "c")) == remembered


def test_errors_are_compared_with_stretches_of_validation_that_are_as_long() -> None:
    remembered = NOTHING.of((), error_limits(np.random.default_rng(0).exponential(1, 512), 2))
    limit = remembered.limits.of(20)
    assert limit == remembered.limits.of(16)
    assert limit is not None
    drifted = remembered.errors(np.array([limit * 1.1, NAN]), 20)
    assert drifted == {"mae_scaled": pytest.approx(limit * 1.1), "limit": limit, "drifted": True}
    assert not remembered.errors(np.array([limit * 0.9]), 20)["drifted"]
    assert remembered.errors(np.array([100.0]), 1) == {"mae_scaled": 100.0, "limit": None, "drifted": False}


def test_what_is_remembered_of_some_columns_is_theirs() -> None:
    table = make_table(np.random.default_rng(0).normal(size=(100, 3)))
    whole = remember_columns(table, np.ones(100, bool), ("a", "b", "c"))
    limits = Limits((1,), (2.0,))
    part = whole.of(("c", "a", "unknown"), limits)
    assert list(part.columns) == list(part.ranges) == ["c", "a"]
    assert part.limits == limits
    assert part.columns["a"] == whole.columns["a"]


def remembered_document() -> dict[str, Any]:
    table = make_table(np.random.default_rng(0).normal(size=(100, 2)))
    remembered = remember_columns(table, np.ones(100, bool), ("a", "b"))
    return through_json(remembered.of(("a", "b"), Limits((1, 2), (2.0, 1.0))).document())


def test_documents_give_everything_back() -> None:
    restored = Remembered.restore(remembered_document())
    assert through_json(restored.document()) == remembered_document()
    assert restored.limits == Limits((1, 2), (2.0, 1.0))
    assert Remembered.restore(through_json(NOTHING.document())) == NOTHING
    values = np.random.default_rng(1).normal(size=50)
    profile = profile_of(values)
    assert ColumnProfile.restore(through_json(profile.document())) == profile


def test_damaged_documents_are_refused() -> None:
    document = remembered_document()
    document["columns"]["a"]["shares"].pop()
    with pytest.raises(ValueError, match="a share for each"):
        Remembered.restore(document)
    document = remembered_document()
    del document["ranges"]["a"]
    with pytest.raises(ValueError, match="other columns"):
        Remembered.restore(document)
    document = remembered_document()
    document["columns"]["a"]["edges"][0] = "high"
    with pytest.raises(ValueError, match="high"):
        Remembered.restore(document)
