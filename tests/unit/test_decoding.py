"""Choosing what comes next: filters against plain loops, draws against their shares, beams against all sequences."""

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from foretell.decoding import Beam, Drawn, Sampling, Steps, beam_search, choose, entropies, log_softmax, sample

TOKENS = 5
NEAR = 1e-9  # of a bound: which side a rounded sum falls on is left open
Table = np.ndarray


@dataclass
class Markov:
    """What comes next by the two tokens before; notes how many texts it was asked about."""

    table: Table
    asked: list[int] = field(default_factory=list)

    def begin(self, prompts: Sequence[np.ndarray]) -> tuple[np.ndarray, Any]:
        state = np.array([[0, 0, *prompt][-2:] for prompt in prompts])
        return self.table[state[:, 0], state[:, 1]], state

    def step(self, tokens: np.ndarray, state: Any) -> tuple[np.ndarray, Any]:
        self.asked.append(len(tokens))
        after = np.column_stack([state[:, 1], tokens])
        return self.table[after[:, 0], after[:, 1]], after

    def chosen(self, state: Any, rows: np.ndarray) -> Any:
        return state[rows]


def made(seed: int, tokens: int = TOKENS, spread: float = 1.5) -> Markov:
    """A random table; scores share a number that means nothing."""
    generator = np.random.default_rng(seed)
    return Markov(generator.normal(0, spread, (tokens,) * 3) + generator.normal(0, 3, (tokens, tokens, 1)))


def prompts_of(seed: int, count: int) -> list[np.ndarray]:
    generator = np.random.default_rng(seed)
    return [generator.integers(0, TOKENS, length) for length in generator.integers(1, 5, count)]


def written(steps: Iterable[Drawn], count: int) -> list[list[int]]:
    """The tokens of each text."""
    texts: list[list[int]] = [[] for _ in range(count)]
    for drawn in steps:
        assert len(drawn.rows) == len(drawn.tokens) == len(drawn.scores)
        for row, token in zip(drawn.rows, drawn.tokens, strict=True):
            texts[row].append(int(token))
    return texts


def plain_softmax(scores: Sequence[float]) -> list[float]:
    powers = [math.exp(score - max(scores)) for score in scores]
    return [power / sum(powers) for power in powers]


# Filters


def plainly(scores: Sequence[float], how: Sampling, written: Sequence[bool] | None = None) -> list[float]:
    """What is drawn from, one token after the other. Discards what lies too near to a bound to tell."""
    own = [-math.inf if token in how.never else score for token, score in enumerate(scores)]
    if written is not None and how.repetition_penalty != 1:
        logarithms = [math.log(share) if share else -math.inf for share in plain_softmax(own)]
        own = [
            how.repetition_penalty * value if known else value for value, known in zip(logarithms, written, strict=True)
        ]
    if how.temperature == 0:
        return [float(token == own.index(max(own))) for token in range(len(own))]
    shares = plain_softmax([score / how.temperature for score in own])
    order = sorted(range(len(own)), key=lambda token: (-own[token], token))
    kept = set(order if how.top_k is None else order[: how.top_k])
    whole = sum(shares[token] for token in kept)
    if how.top_p < 1:
        together, few = 0.0, set[int]()
        for token in (token for token in order if token in kept):
            assume(abs(together - how.top_p * whole) > NEAR)
            if few and together > how.top_p * whole:
                break
            few.add(token)
            together += shares[token]
        kept = few
    if how.min_p > 0:
        least = how.min_p * max(shares)
        assume(all(abs(share - least) > NEAR or share == max(shares) for share in shares))
        kept = {token for token in kept if shares[token] >= least}
    return [shares[token] / sum(shares[one] for one in kept) if token in kept else 0.0 for token in range(len(own))]


# Eighths, so that there are ties and what differs does so by more than rounding.
scores_of = st.lists(st.integers(-40, 40).map(lambda number: number / 8), min_size=2, max_size=9)


# Not made there: checking its types takes random numbers, which hypothesis wants to be its own.
ways = st.fixed_dictionaries(
    {
        "temperature": st.sampled_from([0.0, 0.3, 0.7, 1.0, 2.0]),
        "top_k": st.none() | st.integers(1, 10),
        "top_p": st.sampled_from([1.0, 1.0, 0.95, 0.6, 0.3, 1e-6]),
        "min_p": st.sampled_from([0.0, 0.0, 0.02, 0.2, 1.0]),
        "repetition_penalty": st.sampled_from([1.0, 1.0, 1.3, 2.5]),
        "never": st.sampled_from([(), (0,), (1,)]),
    }
)


@given(scores=scores_of, way=ways, known=st.none() | st.integers(0, 2**9 - 1), shift=st.sampled_from([0.0, -50.0, 7.5]))
def test_what_is_drawn_from_is_what_a_plain_loop_leaves(
    scores: list[float], way: dict[str, Any], known: int | None, shift: float
) -> None:
    """In a batch with half the scores backwards; a number that all scores share means nothing."""
    how = Sampling(**way)
    already = None if known is None else [bool(known >> token & 1) for token in range(len(scores))]
    both = np.array([scores, [score / 2 for score in scores[::-1]]])
    kept = both.copy()
    rows = None if already is None else np.array([already, already])
    found = how.probabilities(both + shift, rows)
    for row, own in zip(found, both, strict=True):
        np.testing.assert_allclose(row, plainly(own.tolist(), how, already), atol=1e-9)
        assert (row > 0).tolist() == [share > 0 for share in plainly(own.tolist(), how, already)]
    np.testing.assert_array_equal(both, kept)


@given(scores=scores_of, temperature=st.sampled_from([0.1, 0.5, 1.0, 3.0]))
def test_without_filters_it_is_the_softmax_of_scores_over_the_temperature(
    scores: list[float], temperature: float
) -> None:
    found = Sampling(temperature=temperature).probabilities(np.array([scores]))
    np.testing.assert_allclose(found[0], plain_softmax([score / temperature for score in scores]), atol=1e-12)


@given(scores=scores_of, k=st.integers(1, 12))
def test_of_several_that_are_as_likely_as_the_last_the_first_are_taken(scores: list[float], k: int) -> None:
    likely = Sampling(top_k=k).probabilities(np.array([scores]))[0]
    kept = np.flatnonzero(likely)
    assert len(kept) == min(k, len(scores))
    left = [token for token in range(len(scores)) if token not in kept]
    for token, other in itertools.product(kept, left):
        assert (scores[token], -token) > (scores[other], -other)


@given(scores=scores_of, p=st.floats(0.01, 0.999))
def test_a_share_of_probability_is_made_up_by_no_more_than_it_takes(scores: list[float], p: float) -> None:
    whole = Sampling().probabilities(np.array([scores]))[0]
    kept = np.flatnonzero(Sampling(top_p=p).probabilities(np.array([scores]))[0])
    assert whole[kept].sum() >= p - NEAR
    assert whole[kept].sum() - whole[kept].min() < p + NEAR
    assert whole[kept].min() >= np.delete(whole, kept).max(initial=0)


def test_a_share_that_is_made_up_exactly_takes_nothing_more() -> None:
    scores = np.log([[0.5, 0.25, 0.125, 0.125]])
    scores -= scores[0, 0]  # so that powers of two are exact
    for share, count in ((0.5, 1), (0.75, 2), (0.875, 3), (0.5001, 2), (1.0, 4)):
        found = Sampling(top_p=share).probabilities(np.round(scores / math.log(2)) * math.log(2))
        assert np.count_nonzero(found) == count, share


def test_filters_follow_each_other() -> None:
    """The share is one of what the k likeliest make up; the least probability is one of the likeliest's own."""
    scores = np.log([[0.4, 0.3, 0.2, 0.1]])
    assert Sampling(top_k=2, top_p=0.55).probabilities(scores).tolist() == [[1, 0, 0, 0]]
    assert np.count_nonzero(Sampling(top_p=0.55).probabilities(scores)) == 2
    np.testing.assert_allclose(Sampling(top_k=3, min_p=0.6).probabilities(scores), [[4 / 7, 3 / 7, 0, 0]])


@given(scores=scores_of, way=ways)
def test_greedy_takes_the_first_of_the_likeliest_whatever_the_filters(scores: list[float], way: dict[str, Any]) -> None:
    found = Sampling(**{**way, "temperature": 0.0}).probabilities(np.array([scores]))[0].tolist()
    allowed = {token: score for token, score in enumerate(scores) if token not in way["never"]}
    assert found == [float(token == max(allowed, key=lambda own: (allowed[own], -own))) for token in range(len(scores))]


@pytest.mark.parametrize("temperature", [1e-3, 1e-30, 1e-40, 1e-50, 1e-300])
@pytest.mark.parametrize("kind", [np.float64, np.float32])
def test_as_the_temperature_falls_to_zero_what_is_drawn_becomes_the_likeliest(kind: Any, temperature: float) -> None:
    scores = np.array([[0.5, 2.0, -3.0], [90.0, 89.5, -60.0]], kind)
    warm, greedy = Sampling(temperature=temperature).weights(scores), Sampling(temperature=0.0).weights(scores)
    np.testing.assert_allclose(warm, greedy, atol=1e-9)


def test_those_that_are_alike_share_what_is_left_at_a_low_temperature() -> None:
    found = Sampling(temperature=1e-6).probabilities(np.array([[1.0, 2.0, 2.0, 0.0]]))
    np.testing.assert_allclose(found, [[0, 0.5, 0.5, 0]], atol=1e-12)


@given(way=ways, seed=st.integers(0, 1000))
def test_scores_of_32_bits_draw_as_those_of_64(way: dict[str, Any], seed: int) -> None:
    how = Sampling(**way)
    scores = np.random.default_rng(seed).normal(0, 2, (3, 7)).astype(np.float32)
    known = np.random.default_rng(seed).random((3, 7)) < 0.4
    for row, already in zip(scores.astype(np.float64).tolist(), known.tolist(), strict=True):
        plainly(row, how, already)  # discards what lies near a bound
    found, expected = how.probabilities(scores, known), how.probabilities(scores.astype(np.float64), known)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)


def test_what_cannot_come_is_left_at_nothing() -> None:
    scores = np.array([[0.0, -np.inf, 1.0], [-np.inf, -np.inf, 3.0]])
    for how in (
        Sampling(),
        Sampling(0.5, top_k=2),
        Sampling(top_p=0.9),
        Sampling(repetition_penalty=2.0),
        Sampling(0.0),
    ):
        found = how.probabilities(scores, np.ones((2, 3), bool))
        assert not found[0, 1]
        assert found[1].tolist() == [0, 0, 1]


@given(scores=scores_of, penalty=st.floats(1.01, 20.0), token=st.integers(0, 1))
def test_a_penalty_makes_what_was_written_less_likely_and_all_else_likelier(
    scores: list[float], penalty: float, token: int
) -> None:
    known = np.zeros((1, len(scores)), bool)
    known[0, token] = True
    how = Sampling(repetition_penalty=penalty)
    before, after = Sampling().probabilities(np.array([scores]))[0], how.probabilities(np.array([scores]), known)[0]
    others = np.arange(len(scores)) != token
    assert after[token] <= before[token] + 1e-12
    assert (after[others] >= before[others] - 1e-12).all()
    np.testing.assert_allclose(after[others] * before[others].sum(), before[others] * after[others].sum(), atol=1e-12)
    weight = before[token] ** penalty  # that of the power of its probability
    assert after[token] == pytest.approx(weight / (weight + before[others].sum()), abs=1e-9)


def test_a_penalty_falls_on_nothing_where_nothing_was_written() -> None:
    scores = np.array([[1.0, 2.0, -1.0]])
    how = Sampling(repetition_penalty=5.0)
    for known in (None, np.zeros((1, 3), bool)):
        np.testing.assert_allclose(how.probabilities(scores, known), Sampling().probabilities(scores), atol=1e-12)


# Draws


@st.composite
def weights_and_numbers(draw: Any) -> tuple[np.ndarray, np.ndarray]:
    some = st.floats(1e-6, 1e6) | st.just(0.0)
    row = st.lists(some, min_size=4, max_size=4).filter(any)
    rows = draw(st.lists(row, min_size=1, max_size=5))
    inside = st.floats(0, 1, exclude_max=True) | st.just(1 - 2**-53)
    numbers = draw(st.lists(inside, min_size=len(rows), max_size=len(rows)))
    return np.array(rows), np.array(numbers)


@example(case=(np.array([[0.0, 0.0, 1.0, 0.0]]), np.array([0.0])))
@example(case=(np.array([[0.1, 0.2, 0.3, 0.0]]), np.array([1 - 2**-53])))
@given(case=weights_and_numbers())
def test_the_token_is_that_at_which_the_sum_passes_the_number(case: tuple[np.ndarray, np.ndarray]) -> None:
    likely, numbers = case
    for kind in (np.float64, np.float32):
        tokens = choose(likely.astype(kind), numbers)
        for row, number, token in zip(likely, numbers, tokens, strict=True):
            assert row[token] > 0, "what has no probability was drawn"
            share, below = row.sum(), row[:token].sum()
            near = (1e-12 if kind == np.float64 else 1e-5) * share
            assert below - near <= number * share <= below + row[token] + near


def test_the_last_token_is_drawn_by_the_largest_number_however_small_the_sum() -> None:
    assert choose(np.array([[0.0, 5e-324, 0.0]]), np.array([1 - 2**-53])).tolist() == [1]


@given(seed=st.integers(0, 100), tokens=st.integers(1, 8))
def test_tokens_are_drawn_as_often_as_they_are_likely(seed: int, tokens: int) -> None:
    likely = np.random.default_rng(seed).random(tokens) ** 3
    likely[likely < 0.02] = 0
    likely[-1] += 0.1
    count = 2000
    numbers = (np.arange(count) + 0.5) / count
    found = np.bincount(choose(np.tile(likely * 7, (count, 1)), numbers), minlength=tokens) / count
    np.testing.assert_allclose(found, likely / likely.sum(), atol=1.01 / count)
    assert not found[likely == 0].any()


# Writing


def test_texts_are_drawn_as_the_model_says() -> None:
    model, count = made(1), 4000
    how = Sampling(temperature=0.8, top_k=4)
    draws = list(sample(model, [np.array([2, 3])] * count, how, 2, seed=5))
    first = how.probabilities(model.table[None, 2, 3])[0]
    pairs = np.bincount(draws[0].tokens * TOKENS + draws[1].tokens, minlength=TOKENS**2).reshape(TOKENS, TOKENS)
    for token in range(TOKENS):
        second = how.probabilities(model.table[None, 3, token])[0]
        expected = first[token] * second
        error = np.sqrt(expected * (1 - expected) / count)
        assert (np.abs(pairs[token] / count - expected) <= 4 * error).all()


def test_the_same_seed_draws_the_same_and_another_seed_does_not() -> None:
    prompts = prompts_of(0, 6)
    texts = [written(sample(made(2), prompts, Sampling(), 30, seed), 6) for seed in (3, 3, 4)]
    assert texts[0] == texts[1]
    assert all(one != other for one, other in zip(texts[0], texts[2], strict=True))


def test_texts_that_begin_alike_go_on_differently() -> None:
    texts = written(sample(made(2), [np.array([1])] * 8, Sampling(), 30, 0), 8)
    assert len({tuple(text) for text in texts}) == 8


@given(seed=st.integers(0, 50), width=st.integers(1, 6), length=st.integers(1, 4), end=st.integers(0, TOKENS - 1))
def test_beams_that_end_stand_beside_those_that_go_on(seed: int, width: int, length: int, end: int) -> None:
    """So many are followed that nothing is missed: all continuations up to an end, or as long as was asked."""
    model, prompt = made(seed), np.array([1])
    every: dict[tuple[int, ...], float] = {}

    def follow(tokens: tuple[int, ...], score: float) -> None:
        if tokens and (tokens[-1] == end or len(tokens) == length):
            every[tokens] = score
            return
        place = [0, *prompt, *tokens][-2:]
        for token, own in enumerate(log_softmax(model.table[place[0], place[1]])):
            follow((*tokens, token), score + float(own))

    follow((), 0.0)
    found = beam_search(model, [prompt], Beam(TOKENS**length, length), ended=lambda tokens: tokens[-1] == end)[0]
    assert {own.tokens for own in found} == set(every)
    np.testing.assert_allclose([own.score for own in found], sorted(every.values(), reverse=True), atol=1e-9)
    fewer = beam_search(model, [prompt], Beam(width, length), ended=lambda tokens: tokens[-1] == end)[0]
    assert len(fewer) <= width
    for own in fewer:
        assert own.score == pytest.approx(every[own.tokens])
    assert [own.score for own in fewer] == sorted((own.score for own in fewer), reverse=True)


def test_texts_that_begin_otherwise_draw_other_numbers() -> None:
    """A model to which all texts are the same goes on from each in a way of its own."""
    flat = Markov(np.zeros((TOKENS,) * 3))
    prompts = [np.array(prompt) for prompt in ([1], [2], [1, 0], [1], [0, 1])]
    texts = written(sample(flat, prompts, Sampling(), 30, 0), 5)
    assert len({tuple(text) for text in texts}) == 5
    again = written(sample(flat, prompts, Sampling(), 30, 0, alike=True), 5)
    assert again == [*texts[:3], texts[0], texts[4]]
    assert written(sample(flat, prompts[::-1], Sampling(), 30, 0, alike=True), 5) == again[::-1]


@given(seed=st.integers(0, 2**32 - 1), count=st.integers(1, 5), more=st.integers(0, 3), way=ways, data=st.data())
def test_what_is_drawn_for_a_text_does_not_depend_on_those_beside_it(
    seed: int, count: int, more: int, way: dict[str, Any], data: st.DataObject
) -> None:
    """However many follow, whenever they end, and whatever they begin with, if only not with the same."""
    how = Sampling(**way)
    row, ends = data.draw(st.integers(0, count - 1)), data.draw(st.lists(st.integers(0, 9), min_size=8, max_size=8))
    model, prompts, others = made(3), prompts_of(1, count), prompts_of(2, count + more)
    others[row] = prompts[row]
    alike = any(np.array_equal(prompts[row], before) for before in (*prompts[:row], *others[:row]))
    steps = itertools.count()

    def ended(rows: np.ndarray, tokens: np.ndarray) -> np.ndarray:
        step = next(steps)
        return np.array([ends[number] == step and number != row for number in rows])

    alone = written(sample(model, prompts, how, 10, seed, alike=alike), count)[row]
    beside = written(sample(model, others, how, 10, seed, ended, alike=alike), count + more)
    assert beside[row] == alone
    for number, text in enumerate(beside):
        assert len(text) == (10 if number == row else ends[number] + 1)


@pytest.mark.parametrize("length", [1, 7])
def test_a_longer_text_begins_as_a_shorter_one(length: int) -> None:
    prompts = prompts_of(4, 3)
    longer = written(sample(made(4), prompts, Sampling(), 12, 9), 3)
    assert written(sample(made(4), prompts, Sampling(), length, 9), 3) == [text[:length] for text in longer]


def test_long_texts_go_on_when_others_have_ended() -> None:
    """Beyond the numbers that are drawn at once; those are not the same again."""
    prompts, length = prompts_of(5, 4), 2100

    def ended(rows: np.ndarray, tokens: np.ndarray) -> np.ndarray:
        return rows == 1

    whole = written(sample(made(5), prompts, Sampling(), length, 1), 4)
    fewer = written(sample(made(5), prompts, Sampling(), length, 1, ended), 4)
    assert fewer == [whole[0], whole[1][:1], *whole[2:]]
    flat = Markov(np.zeros((TOKENS,) * 3))
    (drawn,) = written(sample(flat, [np.array([0])], Sampling(), length, 1), 1)
    assert drawn[:1024] != drawn[1024:2048]
    assert np.bincount(drawn).min() > 0.8 * length / TOKENS


def test_a_text_that_has_ended_is_asked_about_no_more() -> None:
    model, told = made(6), []

    def ended(rows: np.ndarray, tokens: np.ndarray) -> np.ndarray:
        told.append((rows.tolist(), tokens.tolist()))
        return (rows == 2) | (len(told) == 3)

    steps = list(sample(model, prompts_of(6, 4), Sampling(), 50, 0, ended))
    assert [drawn.rows.tolist() for drawn in steps] == [[0, 1, 2, 3], [0, 1, 3], [0, 1, 3]]
    assert told == [(drawn.rows.tolist(), drawn.tokens.tolist()) for drawn in steps]
    assert model.asked == [3, 3]


@pytest.mark.parametrize("length", [0, 1, 5])
def test_a_text_is_as_long_as_was_asked_and_the_model_asked_no_more_than_that(length: int) -> None:
    model = made(7)
    texts = written(sample(model, prompts_of(7, 2), Sampling(), length, 0), 2)
    assert [len(text) for text in texts] == [length] * 2
    assert model.asked == [2] * max(0, length - 1)


def followed(model: Markov, prompt: Sequence[int], length: int) -> list[int]:
    """The likeliest token, again and again."""
    text = [0, 0, *prompt]
    for _ in range(length):
        text.append(int(model.table[text[-2], text[-1]].argmax()))
    return text[len(prompt) + 2 :]


@given(seed=st.integers(0, 10_000), prompt=st.lists(st.integers(0, TOKENS - 1), max_size=4))
def test_greedy_writing_follows_the_likeliest(seed: int, prompt: list[int]) -> None:
    model = made(seed)
    steps = sample(model, [np.array(prompt, np.int64), np.array([1])], Sampling(temperature=0.0), 12, seed)
    assert written(steps, 2) == [followed(model, prompt, 12), followed(model, [1], 12)]


def test_what_is_written_is_noted_for_a_penalty_text_by_text_and_prompts_are_too() -> None:
    """With a large one no token comes again before all have come; the two texts hold other ones."""
    how = Sampling(temperature=0.0, repetition_penalty=1e9)
    prompts = [np.array([0, 3]), np.array([4])]

    def ended(rows: np.ndarray, tokens: np.ndarray) -> np.ndarray:
        return (rows == 0) & (next(steps) == 2)

    steps = itertools.count()
    texts = written(sample(made(8, spread=0.1), prompts, how, 4, 0, ended), 2)
    assert sorted(texts[0]) == [1, 2, 4]
    assert sorted(texts[1]) == [0, 1, 2, 3]


def test_scores_come_back_as_the_model_said_them() -> None:
    model = made(9)
    how = Sampling(temperature=0.1, top_k=2, never=(0,), repetition_penalty=3.0)
    text = [0, 0, 2]
    for drawn in sample(model, [np.array([2])], how, 6, 0):
        np.testing.assert_array_equal(drawn.scores[0], model.table[text[-2], text[-1]])
        text.append(int(drawn.tokens[0]))
    assert 0 not in text[3:]


def test_a_table_is_something_that_can_step() -> None:
    assert isinstance(made(0), Steps)


# Beams


def all_sequences(
    model: Markov, prompt: Sequence[int], length: int, never: Sequence[int] = ()
) -> dict[tuple[int, ...], float]:
    """The logarithm of the probability of every continuation."""
    tokens = model.table.shape[-1]
    found = {}
    for sequence in itertools.product([token for token in range(tokens) if token not in never], repeat=length):
        text, total = [0, 0, *prompt], 0.0
        for token in sequence:
            scores = model.table[text[-2], text[-1]].tolist()
            share = plain_softmax(scores)[token]
            total += math.log(share) if share else -math.inf
            text.append(token)
        if math.isfinite(total):
            found[sequence] = total
    return found


@given(seed=st.integers(0, 10_000), tokens=st.integers(2, 4), length=st.integers(1, 4), never=st.sets(st.just(1)))
def test_a_wide_beam_finds_the_likeliest_of_all_sequences(seed: int, tokens: int, length: int, never: set[int]) -> None:
    model = made(seed, tokens)
    expected = all_sequences(model, [1], length, tuple(never))
    found = beam_search(model, [np.array([1])], Beam(tokens**length, length, never=tuple(never)))[0]
    assert {own.tokens for own in found} == expected.keys()
    assert len(found) == len(expected)
    for own in found:
        assert own.score == pytest.approx(expected[own.tokens], abs=1e-9)
    assert [own.score for own in found] == sorted((own.score for own in found), reverse=True)


@given(seed=st.integers(0, 10_000), width=st.integers(1, 6), length=st.integers(1, 4))
def test_a_beam_keeps_the_likeliest_of_what_those_before_go_on_to(seed: int, width: int, length: int) -> None:
    """Width by width against a plain search; each comes once and with its own probability."""
    model = made(seed, 4)
    every = [all_sequences(model, [2], size) for size in range(length + 1)]
    kept: list[tuple[int, ...]] = [()]
    for size in range(1, length + 1):
        further = [(*own, token) for own in kept for token in range(4)]
        kept = sorted(further, key=lambda own: -every[size][own])[:width]
        scores = sorted(every[size][own] for own in further)
        assume(
            min((after - before for before, after in pairwise(scores)), default=1.0) > 1e-9
        )  # as likely as each other
    found = beam_search(model, [np.array([2])], Beam(width, length))[0]
    assert [own.tokens for own in found] == kept
    assert [own.score for own in found] == pytest.approx([every[length][own] for own in kept])


@given(seed=st.integers(0, 10_000), prompt=st.lists(st.integers(0, TOKENS - 1), max_size=3))
def test_a_beam_of_one_is_greedy(seed: int, prompt: list[int]) -> None:
    model = made(seed)
    ((found,),) = beam_search(model, [np.array(prompt, np.int64)], Beam(1, 10))
    assert list(found.tokens) == followed(model, prompt, 10)


def test_what_cannot_come_is_in_no_beam() -> None:
    model = made(10, 3)
    model.table[:, :, 0] = -np.inf
    model.table[:, 2, 2] = -np.inf
    found = beam_search(model, [np.array([1])], Beam(100, 3))[0]
    assert {own.tokens for own in found} == all_sequences(model, [1], 3).keys()
    assert all(0 not in own.tokens and (2, 2) not in itertools.pairwise(own.tokens) for own in found)


def test_a_beam_of_32_bits_is_as_exact_as_these() -> None:
    model = made(11)
    narrow = Markov(model.table.astype(np.float32))
    expected = all_sequences(Markov(narrow.table.astype(np.float64)), [1], 3)
    for own in beam_search(narrow, [np.array([1])], Beam(4, 3))[0]:
        assert own.score == pytest.approx(expected[own.tokens], abs=1e-6)


# Logarithms


@given(scores=scores_of, shift=st.sampled_from([0.0, 1000.0, -1e5]))
def test_logarithms_of_probabilities_are_the_plain_ones(scores: list[float], shift: float) -> None:
    found = log_softmax(np.array([[scores]]) + shift)
    assert found.shape == (1, 1, len(scores))
    np.testing.assert_allclose(np.exp(found[0, 0]), plain_softmax(scores), atol=1e-9)
    assert log_softmax(np.array([0.0, -np.inf])).tolist() == [0.0, -np.inf]


@given(scores=scores_of)
def test_entropies_are_those_of_the_probabilities(scores: list[float]) -> None:
    shares = plain_softmax(scores)
    expected = -sum(share * math.log2(share) for share in shares if share)
    for kind in (np.float64, np.float32):
        (found,) = entropies(np.array([scores], kind))
        assert found == pytest.approx(expected, abs=1e-9)
    assert 0 <= found <= math.log2(len(scores)) + 1e-12


def test_what_is_certain_is_not_open_and_what_is_alike_is_most() -> None:
    found = entropies(np.array([[0.0, -np.inf, -np.inf, -np.inf], [3.0] * 4, [5.0, 5.0, -np.inf, -np.inf]]))
    np.testing.assert_allclose(found, [0, 2, 1], atol=1e-12)
