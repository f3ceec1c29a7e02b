"""A text as networks read it: streams of pieces that follow each other, windows, and parts that overlap."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretell.data.streams import BEFORE, in_parts, pieces, spread_stretches, windows_before
from foretell.training.sampling import Order, StreamSampler

SAMPLERS = st.builds(
    StreamSampler,
    tokens=st.integers(1, 500),
    streams=st.integers(1, 20),
    length=st.integers(1, 40),
    steps_per_epoch=st.none() | st.integers(1, 30),
    seed=st.integers(0, 2**32 - 1),
)


def text(length: int) -> np.ndarray:
    """A text in which no token comes twice."""
    return np.arange(length, dtype=np.int32)


# Pieces


@given(st.integers(1, 60), st.lists(st.integers(0, 59), min_size=1, max_size=5), st.integers(1, 80))
def test_pieces_are_of_a_ring_and_targets_come_after_them(size: int, starts: list[int], length: int) -> None:
    tokens = np.random.default_rng(size).integers(0, 9, size).astype(np.int32)
    places = np.array([start % size for start in starts])
    inputs, targets = pieces(tokens, places, length)
    assert inputs.shape == targets.shape == (len(starts), length)
    for row, start in enumerate(places.tolist()):
        assert inputs[row].tolist() == [int(tokens[(start + step) % size]) for step in range(length)]
        assert targets[row].tolist() == [int(tokens[(start + step + 1) % size]) for step in range(length)]


# Streams


@given(SAMPLERS, st.integers(0, 1000))
def test_the_pieces_of_a_stream_follow_each_other(sampler: StreamSampler, number: int) -> None:
    batches = sampler.epoch(number)
    assert len(batches) == sampler.steps
    assert all(len(batch) == sampler.streams for batch in batches)
    assert all(((batch >= 0) & (batch < sampler.tokens)).all() for batch in batches)
    for before, after in pairwise(batches):
        assert ((before + sampler.length) % sampler.tokens == after).all()


@given(SAMPLERS, st.integers(0, 1000))
def test_an_epoch_depends_on_its_seed_and_number_alone(sampler: StreamSampler, number: int) -> None:
    sampler.epoch(number + 1)
    once, again = sampler.epoch(number), StreamSampler(**vars(sampler)).epoch(number)
    assert [batch.tolist() for batch in once] == [batch.tolist() for batch in again]


@given(st.integers(1, 500), st.integers(1, 20), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_an_epoch_reads_a_text_once(tokens: int, streams: int, length: int, seed: int) -> None:
    sampler = StreamSampler(tokens, streams, length, None, seed)
    read = np.concatenate([pieces(text(tokens), batch, length)[1].ravel() for batch in sampler.epoch(0)])
    if tokens // streams < length:  # too short for a piece of each stream
        assert sampler.steps == 1
        return
    assert len(np.unique(read)) == len(read)
    assert tokens - len(read) < streams * length + streams  # a piece of each stream, and what no stream has


@given(SAMPLERS)
def test_streams_begin_as_far_from_each_other_as_can_be(sampler: StreamSampler) -> None:
    first = sampler.epoch(0)[0]
    apart = np.diff(first) % sampler.tokens
    assert (apart == sampler.tokens // sampler.streams % sampler.tokens).all()


def test_steps_are_as_many_as_asked_for_or_as_the_text_has() -> None:
    assert [StreamSampler(1000, 4, length, None, 0).steps for length in (10, 25, 26, 250, 251, 999)] == [
        25,
        10,
        9,
        1,
        1,
        1,
    ]
    assert StreamSampler(1000, 4, 10, 7, 0).steps == len(StreamSampler(1000, 4, 10, 7, 0).epoch(0)) == 7
    assert isinstance(StreamSampler(1000, 4, 10, 7, 0), Order)


def test_streams_begin_everywhere_in_turn() -> None:
    sampler = StreamSampler(20, 2, 3, None, 5)
    begun = [int(sampler.epoch(number)[0][0]) for number in range(2000)]
    assert np.bincount(begun, minlength=20).min() > 60
    assert begun != [int(StreamSampler(20, 2, 3, None, 6).epoch(number)[0][0]) for number in range(2000)]


def test_steps_of_a_huge_text_are_worked_out_when_they_are_asked_for() -> None:
    sampler = StreamSampler(10**13, 16, 64, None, 3)
    batches = sampler.epoch(2)
    assert len(batches) == sampler.steps == 10**13 // 16 // 64
    later = batches[10**9 :]
    assert len(later) == len(batches) - 10**9
    assert later[5].tolist() == batches[10**9 + 5].tolist()
    assert ((batches[7] - batches[0]) % 10**13 == 7 * 64).all()
    assert batches[-1].tolist() == batches[len(batches) - 1].tolist()
    with pytest.raises(IndexError):
        batches[len(batches)]


@given(st.integers(1, 3000), st.integers(0, 3000))
def test_stretches_are_spread_over_a_text_and_are_as_many_tokens_as_asked_for(length: int, most: int) -> None:
    stretches = spread_stretches(length, most)
    assert sum(stop - start for start, stop in stretches) == (min(most, length) or length)
    assert stretches[0][0] == 0
    assert all(before[1] <= after[0] for before, after in pairwise(stretches))
    assert all(start < stop for start, stop in stretches)
    assert stretches[-1][1] <= length
    if len(stretches) > 1:
        assert stretches[-1][1] == length
        gaps = [after[0] - before[1] for before, after in pairwise(stretches)]
        assert max(gaps) - min(gaps) <= 1


# Parts


@pytest.mark.parametrize(
    ("tokens", "known", "count"),
    [
        (2, 1, 1),
        (1000, 1000, 1),
        (1001, 1, 1),
        (1999, 10, 1),
        (2010, 10, 2),
        (2600, 100, 2),
        (3256, 256, 3),
        (64_300, 300, 64),
        (70_000, 256, 64),
    ],
)
def test_parts_ask_for_each_token_once_after_what_comes_before_it(tokens: int, known: int, count: int) -> None:
    whole = text(tokens)
    parts = in_parts(whole, known)
    assert len(parts.tokens) == len(parts.asked) == count
    asked = []
    for row, (first, end) in zip(parts.tokens, parts.asked, strict=True):
        own = row[first:end].tolist()
        asked += own
        if own:
            assert row[:end].tolist() == list(range(own[0] - first, own[-1] + 1))
            assert first == (known if own[0] == known else min(own[0], BEFORE))
        assert not row[end:].any()
    assert asked == list(range(known, tokens))
    sizes = [end - first for first, end in parts.asked]
    assert max(sizes) - min(sizes) <= 1


@given(st.integers(1, 600), st.integers(0, 6000))
def test_values_of_parts_are_joined_to_those_of_the_text(known: int, asked: int) -> None:
    parts = in_parts(text(known + asked), known)
    values = parts.tokens[:, 1:].astype(np.float64)  # what is said of each token but the first
    assert parts.joined(values).tolist() == list(range(known, known + asked))


def test_short_texts_stay_whole() -> None:
    parts = in_parts(text(1200), 200)
    assert parts.tokens.tolist() == [list(range(1200))]
    assert parts.asked == [(200, 1200)]


# Windows


@given(st.integers(2, 60), st.data(), st.integers(1, 70))
def test_windows_are_the_last_tokens_before_each_place(size: int, data: st.DataObject, lookback: int) -> None:
    tokens = np.random.default_rng(size).integers(0, 9, size).astype(np.int32)
    places = np.array(data.draw(st.lists(st.integers(1, size), min_size=1, max_size=20)))
    found: dict[int, list[int]] = {}
    lengths = []
    for same, windows in windows_before(tokens, places, lookback):
        lengths.append(windows.shape[1])
        for place, window in zip(same.tolist(), windows.tolist(), strict=True):
            assert place not in found
            found[place] = window
    assert lengths == sorted(set(lengths))
    expected = [tokens[max(0, place - lookback) : place].tolist() for place in places.tolist()]
    assert [found[number] for number in range(len(places))] == expected
