"""Beams of many prompts side by side: each as if it were alone, against a plain search, with ends and penalties."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretell.decoding import Beam, Hypothesis, beam_search, log_softmax

from .test_decoding import TOKENS, Markov, made, prompts_of

END = 2


def same(one: list[Hypothesis], two: list[Hypothesis]) -> None:
    assert [own.tokens for own in one] == [own.tokens for own in two]
    np.testing.assert_allclose([own.score for own in one], [own.score for own in two], atol=1e-9)


@given(st.integers(0, 500), st.integers(1, 5), st.integers(1, 6), st.sampled_from([0.0, 0.6, 2.0]))
def test_a_prompt_in_a_batch_is_as_alone(seed: int, width: int, count: int, penalty: float) -> None:
    model, prompts = made(seed), prompts_of(seed, count)
    lengths = (np.arange(count) % 4 + 2).tolist()
    together = beam_search(model, prompts, Beam(width, lengths, penalty, END))
    for prompt, length, found in zip(prompts, lengths, together, strict=True):
        same(found, beam_search(model, [prompt], Beam(width, length, penalty, END))[0])
    backward = beam_search(model, prompts[::-1], Beam(width, lengths[::-1], penalty, END))
    for one, two in zip(together, backward[::-1], strict=True):
        same(one, two)


def everything(model: Markov, prompt: list[int], length: int) -> dict[tuple[int, ...], tuple[float, int]]:
    """Every text up to its end, or as long as it may be: its score, and its length with the end."""
    found: dict[tuple[int, ...], tuple[float, int]] = {}

    def follow(tokens: tuple[int, ...], score: float) -> None:
        if len(tokens) == length:
            found[tokens] = (score, length)
            return
        place = [0, 0, *prompt, *tokens][-2:]
        for token, own in enumerate(log_softmax(model.table[place[0], place[1]])):
            if token == END:
                found[(*tokens, END)] = (score + float(own), len(tokens) + 1)
            else:
                follow((*tokens, token), score + float(own))

    follow((), 0.0)
    return found


@given(st.integers(0, 300), st.integers(1, 4), st.sampled_from([0.0, 0.6, 1.0]))
def test_a_wide_beam_finds_every_text_up_to_its_end(seed: int, length: int, penalty: float) -> None:
    model = made(seed, 4)
    every = everything(model, [1], length)
    beam = Beam(5**length, length, penalty, END)
    found = beam_search(model, [np.array([1])], beam)[0]
    whole = {(*own.tokens, END) if (*own.tokens, END) in every else own.tokens for own in found}
    assert whole == set(every)
    expected = sorted((score / ((5 + size) / 6) ** penalty for score, size in every.values()), reverse=True)
    np.testing.assert_allclose([own.compared for own in found], expected, atol=1e-9)


@given(st.integers(0, 500), st.integers(1, 8))
def test_a_beam_of_one_takes_the_likeliest_until_the_end(seed: int, length: int) -> None:
    model, (prompt,) = made(seed), prompts_of(seed, 1)
    ((found,),) = beam_search(model, [prompt], Beam(1, length, 1.0, END))
    place, written, score = [0, 0, *prompt][-2:], [], 0.0
    for _ in range(length):
        likely = log_softmax(model.table[place[0], place[1]])
        token = int(likely.argmax())
        score += float(likely[token])
        if token == END:
            break
        written.append(token)
        place = [place[1], token]
    assert list(found.tokens) == written
    assert found.score == pytest.approx(score)


def test_a_penalty_favours_longer_texts() -> None:
    table = np.full((4, 4, 4), -20.0)
    table[:, :, END] = math.log(0.4)  # an end is likely at once
    table[:, :, 1] = math.log(0.35)
    table[:, :, 3] = math.log(0.25)
    lengths = [
        len(beam_search(Markov(table), [np.array([1])], Beam(4, 6, penalty, END))[0][0].tokens)
        for penalty in (0.0, 6.0)
    ]
    assert lengths[0] == 0
    assert lengths[1] > 0


def test_what_may_not_come_is_in_none() -> None:
    for found in beam_search(made(4), prompts_of(1, 3), Beam(6, 5, 0.5, END, never=(0, 3))):
        assert found
        assert not {0, 3} & set(itertools.chain.from_iterable(own.tokens for own in found))


def test_prompts_that_are_done_are_followed_no_more() -> None:
    table = np.full((TOKENS, TOKENS, TOKENS), -30.0)
    table[:, :, 1] = 0.0
    table[1, 1, END] = 5.0  # after two ones comes the end
    table[:, 3, 3] = 9.0  # after a three come threes for ever
    model = Markov(table)
    short, long = beam_search(model, [np.array([1]), np.array([3])], Beam(1, 12, 0.0, END))
    assert short[0].tokens == (1,)
    assert long[0].tokens == (3,) * 12
    assert model.asked[0] == 2
    assert model.asked[-1] == 1


def test_no_prompts_have_no_continuations() -> None:
    assert beam_search(made(0), prompts_of(0, 2), Beam(2, 0)) == [[], []]


@given(st.integers(1, 6), st.integers(1, 3))
def test_of_what_is_as_likely_the_first_tokens_are_taken(width: int, kinds: int) -> None:
    table = np.floor(np.random.default_rng(width).random((TOKENS,) * 3) * kinds)  # many are alike
    found = beam_search(Markov(table), [np.array([1])], Beam(width, 1))[0]
    order = np.argsort(-table[0, 1], kind="stable")[:width]
    assert [own.tokens[0] for own in found] == order.tolist()
