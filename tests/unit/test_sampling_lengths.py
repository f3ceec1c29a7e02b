"""Batches of like length: each example once an epoch, orders that seed and epoch decide, and little to fill up."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretell.training.sampling import STRETCH, Sampler


def lengths_of(examples: int, seed: int = 0) -> np.ndarray:
    """Such as texts have: many short ones, some very long ones, several alike."""
    return np.random.default_rng(seed).lognormal(4, 0.8, examples).astype(np.int64).clip(1, 1000)


def area(batches: Sequence[np.ndarray], lengths: np.ndarray) -> int:
    """Places of all batches, each filled up to its longest example."""
    return sum(len(batch) * int(lengths[batch].max()) for batch in batches)


def same(one: Sequence[np.ndarray], other: Sequence[np.ndarray]) -> bool:
    return len(one) == len(other) and all(np.array_equal(*pair) for pair in zip(one, other, strict=True))


known = st.integers(1, 400).flatmap(lambda count: st.integers(0, 2**31).map(lambda seed: lengths_of(count, seed)))


@given(lengths=known, batch=st.integers(1, 40), epoch=st.integers(0, 5), seed=st.integers(0, 2**32 - 1))
def test_an_epoch_visits_every_example_once(lengths: np.ndarray, batch: int, epoch: int, seed: int) -> None:
    sampler = Sampler(len(lengths), batch, None, seed, lengths=lengths)
    batches = sampler.epoch(epoch)
    assert len(batches) == sampler.steps
    assert sorted(np.concatenate(batches)) == list(range(len(lengths)))
    sizes = sorted(len(rows) for rows in batches)
    assert sizes[1:] == [batch] * (len(batches) - 1), "one batch alone may be smaller"
    assert 1 <= sizes[0] <= batch


@given(lengths=known, batch=st.integers(1, 40), epoch=st.integers(0, 5), seed=st.integers(0, 2**32 - 1))
def test_an_order_is_a_function_of_seed_and_epoch(lengths: np.ndarray, batch: int, epoch: int, seed: int) -> None:
    one, other = (Sampler(len(lengths), batch, None, seed, lengths=lengths) for _ in range(2))
    wanted = one.epoch(epoch)
    for before in range(3):  # what was asked before has no part in it
        other.epoch(before)
    assert same(other.epoch(epoch), wanted)


@given(
    lengths=known, batch=st.integers(1, 20), steps=st.integers(1, 60), epoch=st.integers(0, 3), seed=st.integers(0, 99)
)
def test_steps_per_epoch_draws_evenly(lengths: np.ndarray, batch: int, steps: int, epoch: int, seed: int) -> None:
    sampler = Sampler(len(lengths), batch, steps, seed, lengths=lengths)
    batches = sampler.epoch(epoch)
    counts = np.bincount(np.concatenate(batches), minlength=len(lengths))
    assert [len(rows) for rows in batches] == [batch] * steps
    assert sampler.steps == steps
    assert counts.max() - counts.min() <= 1
    assert same(sampler.epoch(epoch), batches)


@pytest.mark.parametrize("steps", [31, 40, 100, 200])
def test_an_example_does_not_meet_itself_where_an_epoch_has_several_passes(steps: int) -> None:
    """But in the batches in which one pass ends and the next begins."""
    lengths = lengths_of(2000)
    batches = Sampler(2000, 64, steps, 0, lengths=lengths).epoch(0)
    assert sum(len(np.unique(rows)) < len(rows) for rows in batches) <= steps * 64 // 2000


def test_orders_differ_between_epochs_and_seeds() -> None:
    lengths = lengths_of(300)
    batches = [Sampler(300, 10, None, seed, lengths=lengths).epoch(epoch) for seed, epoch in ((0, 0), (0, 1), (1, 0))]
    for other in batches[1:]:
        assert not same(batches[0], other)


def test_lengths_change_nothing_but_who_meets_whom() -> None:
    """Examples of one length are drawn as without lengths, but for the order of the batches."""
    plain = Sampler(95, 10, None, 3).epoch(2)
    alike = Sampler(95, 10, None, 3, lengths=np.full(95, 7)).epoch(2)
    assert sorted(rows.tolist() for rows in alike) == sorted(rows.tolist() for rows in plain)


@pytest.mark.parametrize(("examples", "batch"), [(2000, 64), (20_000, 64), (20_000, 16), (1000, 128)])
def test_batches_hold_like_lengths_and_cost_little_to_fill_up(examples: int, batch: int) -> None:
    lengths = lengths_of(examples)
    found = [area(Sampler(examples, batch, None, seed, lengths=lengths).epoch(0), lengths) for seed in range(3)]
    random = [area(Sampler(examples, batch, None, seed).epoch(0), lengths) for seed in range(3)]
    assert max(found) < 0.6 * min(random)
    if examples > 5 * batch * 5:
        assert max(found) < 1.2 * lengths.sum(), "hardly more than the tokens themselves"


@pytest.mark.parametrize("steps", [10, 40, 100])
def test_so_do_those_of_steps_per_epoch(steps: int) -> None:
    lengths = lengths_of(3000)
    found = Sampler(3000, 50, steps, 1, lengths=lengths).epoch(0)
    assert area(found, lengths) < 0.6 * area(Sampler(3000, 50, steps, 1).epoch(0), lengths)


def test_batches_come_in_random_order_of_length() -> None:
    """A network must not see all short texts before all long ones."""
    lengths = lengths_of(6400)
    for epoch in range(5):
        batches = Sampler(6400, 64, None, 0, lengths=lengths).epoch(epoch)
        means = np.array([lengths[rows].mean() for rows in batches])
        places = np.arange(len(means))
        assert abs(np.corrcoef(places, means.argsort().argsort())[0, 1]) < 0.3
        assert 0.35 < (np.diff(means) > 0).mean() < 0.65
        assert abs(np.corrcoef(means[:-1], means[1:])[0, 1]) < 0.35


def test_the_smallest_batch_stands_anywhere() -> None:
    lengths = lengths_of(105)
    places = set()
    for epoch in range(60):
        sizes = [len(rows) for rows in Sampler(105, 10, None, 0, lengths=lengths).epoch(epoch)]
        places.add(sizes.index(5))
    assert len(places) > 6


def test_who_meets_whom_is_drawn_anew_each_epoch() -> None:
    """Else an example would always be learned beside the same others."""
    count, batch = 4 * STRETCH * 8, 8
    sampler = Sampler(count, batch, None, 0, lengths=lengths_of(count))
    pairs = []
    for epoch in range(2):
        rows = sampler.epoch(epoch)
        pairs.append(
            {tuple(sorted((int(one), int(other)))) for own in rows for one in own for other in own if one < other}
        )
    assert len(pairs[0] & pairs[1]) < 0.3 * len(pairs[0])


def test_independent_draws_stay_independent() -> None:
    lengths = lengths_of(50)
    plain = Sampler(50, 128, 20, 1, replace=True).epoch(0)
    assert same(Sampler(50, 128, 20, 1, replace=True, lengths=lengths).epoch(0), plain)


def test_lengths_may_be_of_any_whole_numbers() -> None:
    for lengths in (np.ones(30, np.int64), np.arange(30)[::-1].copy(), np.full(30, 2**40)):
        assert sorted(np.concatenate(Sampler(30, 4, None, 0, lengths=lengths).epoch(0))) == list(range(30))
