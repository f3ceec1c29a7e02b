"""What says what comes next: the surprise at a text is what its steps say, alone and beside others, in parts and whole."""

import itertools
import json
import math
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from foretell.decoding import Beam, Sampling, Steps, beam_search, log_softmax, sample
from foretell.evaluation.kneser_ney import count_ngrams
from foretell.nn import LanguageNetwork
from foretell.tasks.generate.config import LanguageSection
from foretell.tasks.generate.models import (
    CountModel,
    MixtureModel,
    Model,
    NetworkModel,
    UniformModel,
    WindowModel,
    network_nats,
)
from foretell.tasks.generate.rungs import build_network

from .made_layers import one_thread_of_torchs, with_biases  # noqa: F401 (for every test here)

TOKENS, LOOKBACK = 9, 7
SMALL: dict[str, Any] = {"units": (8,), "embedding": 8, "heads": 2, "feed_forward": 12, "layers": 2, "context": 10}
SECTION = LanguageSection(**SMALL)
LEARNED = LanguageSection(**{**SMALL, "positions": "learned"})


def text_of(length: int, seed: int = 0) -> np.ndarray:
    """A text with some order in it: steps forward and back."""
    generator = np.random.default_rng(seed)
    return (generator.integers(-1, 3, length).cumsum() % TOKENS).astype(np.int32)


def network_of(rung: str, section: LanguageSection, seed: int = 0, *, every_place: bool = True) -> LanguageNetwork:
    """A network as it predicts, its biases not zero and its scores not small."""
    torch.manual_seed(seed)
    network = with_biases(build_network(rung, TOKENS, section, every_place=every_place))
    if network.output is not None:
        network.output.weight.data.mul_(3)
    return network.requires_grad_(False).eval()


def counted(order: int) -> CountModel:
    return CountModel(count_ngrams(text_of(400, seed=5).astype(np.int64), TOKENS, order)[-1])


def mixture() -> MixtureModel:
    members = (NetworkModel(network_of("gru", SECTION, 3), SECTION), counted(3), counted(1))
    return MixtureModel(("gru", "ngram", "unigram"), members, np.array([0.5, 0.3, 0.2]))


MAKERS: dict[str, Callable[[], Model]] = {
    "uniform": lambda: UniformModel(TOKENS),
    "unigram": lambda: counted(1),
    "ngram": lambda: counted(4),
    "lstm": lambda: NetworkModel(network_of("lstm", SECTION), SECTION),
    "transformer": lambda: NetworkModel(network_of("transformer", SECTION), SECTION),
    "transformer, learned positions": lambda: NetworkModel(network_of("transformer", LEARNED), LEARNED),
    "windows of an lstm": lambda: WindowModel(network_of("lstm", SECTION, every_place=False), SECTION, LOOKBACK),
    "windows of a transformer": lambda: WindowModel(network_of("transformer", SECTION), SECTION, LOOKBACK),
    "mixture": mixture,
}


@cache
def made(name: str) -> Model:
    return MAKERS[name]()


def logarithms(scores: np.ndarray) -> np.ndarray:
    return log_softmax(scores.astype(np.float64))


def by_steps(model: Steps, tokens: np.ndarray, known: int) -> np.ndarray:
    """The surprise at each token, one after the other."""
    scores, state = model.begin([tokens[:known]])
    found = []
    for token in tokens[known:].astype(np.int64):
        found.append(-logarithms(scores)[0, token])
        scores, state = model.step(np.array([token]), state)
    return np.array(found)


def follow(model: Steps, prompts: Sequence[np.ndarray], more: np.ndarray) -> list[np.ndarray]:
    """The scores after prompts and after each of some further tokens of each."""
    scores, state = model.begin(prompts)
    found = [scores]
    for column in more.T:
        scores, state = model.step(column, state)
        found.append(scores)
    return found


@pytest.mark.parametrize("known", [1, 40])
@pytest.mark.parametrize("name", MAKERS)
def test_the_surprise_at_a_text_is_that_of_its_steps(name: str, known: int) -> None:
    tokens = text_of(80)
    found = made(name).nats(tokens, known)
    assert found.shape == (80 - known,)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, by_steps(made(name), tokens, known), atol=1e-5)
    assert (found > 0).all()


@pytest.mark.parametrize(
    ("name", "known", "asked"),
    [("lstm", 1, 950), ("ngram", 1, 950), ("mixture", 250, 300), ("transformer", 250, 300)]
    + [("transformer, learned positions", known, 300) for known in (1, 250)],
)
def test_a_text_below_a_thousand_tokens_is_read_whole(name: str, known: int, asked: int) -> None:
    """Also one that is longer than what is read at once."""
    tokens = text_of(known + asked)
    np.testing.assert_allclose(made(name).nats(tokens, known), by_steps(made(name), tokens, known), atol=1e-5)


def test_networks_read_all_that_is_only_read_of_a_short_text() -> None:
    """A state that never fades shows it: a token at the very beginning matters at the end."""
    network = network_of("lstm", LanguageSection(**{**SMALL, "layers": 1}))
    body: Any = network.body
    cell = body.each[0].cells[0]
    cell.bias[8:16] = 30.0  # it forgets nothing
    cell.input_weights[:, 8:16] = 0
    cell.state_weights[:, 8:16] = 0
    model, tokens = NetworkModel(network, SECTION), text_of(420)
    np.testing.assert_allclose(model.nats(tokens, 400), by_steps(model, tokens, 400), atol=1e-4)


@pytest.mark.parametrize("name", MAKERS)
def test_what_is_said_after_a_prompt_is_what_is_said_after_its_steps(name: str) -> None:
    """Also after one that is longer than what is read at once."""
    model, tokens = made(name), text_of(30 if name.startswith("windows") else 300)
    slowly = follow(model, [tokens[:1]], tokens[None, 1:].astype(np.int64))
    for length in (1, 2, 3, LOOKBACK + 1, 29, 256, 257, 299):
        if length < len(tokens):
            scores, state = model.begin([tokens[:length]])
            assert scores.shape == (1, TOKENS)
            np.testing.assert_allclose(logarithms(scores), logarithms(slowly[length - 1]), atol=1e-5)
            scores, _ = model.step(tokens[length : length + 1].astype(np.int64), state)
            np.testing.assert_allclose(logarithms(scores), logarithms(slowly[length]), atol=1e-5)


@pytest.mark.parametrize("name", MAKERS)
@settings(max_examples=5)
@given(lengths=st.lists(st.sampled_from([1, 2, 5, 7, 8, 13, 30]), min_size=1, max_size=6), seed=st.integers(0, 99))
def test_a_batch_is_its_texts_one_by_one(name: str, lengths: list[int], seed: int) -> None:
    prompts = [text_of(length, seed + number) for number, length in enumerate(lengths)]
    more = np.random.default_rng(seed).integers(0, TOKENS, (len(lengths), 4))
    together = follow(made(name), prompts, more)
    for row, prompt in enumerate(prompts):
        alone = follow(made(name), [prompt], more[row : row + 1])
        for scores, own in zip(together, alone, strict=True):
            np.testing.assert_allclose(scores[row], own[0], atol=1e-5)


@pytest.mark.parametrize("name", MAKERS)
@settings(max_examples=5)
@given(rows=st.lists(st.integers(0, 3), min_size=1, max_size=7), steps=st.integers(0, 3))
def test_states_are_chosen_in_any_order_and_several_times(name: str, rows: list[int], steps: int) -> None:
    model, prompts = made(name), [text_of(length, seed=length) for length in (3, 9, 3, 20)]
    _, state = model.begin(prompts)
    for step in range(steps):
        _, state = model.step(np.full(4, step), state)
    tokens = np.arange(4) + 2
    expected = model.step(tokens, state)[0]
    taken = np.array(rows)
    found, after = model.step(tokens[taken], model.chosen(state, taken))
    np.testing.assert_allclose(found, expected[taken], atol=1e-5)
    assert model.step(tokens[taken], after)[0].shape == (len(rows), TOKENS)
    np.testing.assert_allclose(model.step(tokens, state)[0], expected, atol=1e-6)  # the state is as it was


@pytest.mark.parametrize("name", MAKERS)
def test_what_may_come_next_sums_to_one_and_nothing_is_impossible(name: str) -> None:
    tokens = text_of(60)
    scores = np.concatenate(follow(made(name), [tokens[:4]], tokens[None, 4:].astype(np.int64)))
    assert np.isfinite(scores).all()
    if not name.startswith(("lstm", "transformer", "windows", "uniform")):  # which say them up to what they share
        np.testing.assert_allclose(np.exp(scores).sum(axis=1), 1, atol=1e-9)
    assert np.exp(-made(name).nats(tokens, 1)).max() < 1


@pytest.mark.parametrize("kind", [np.int32, np.int64])
@pytest.mark.parametrize("name", MAKERS)
def test_every_model_can_be_drawn_from_and_searched(name: str, kind: Any) -> None:
    model, prompts = made(name), [text_of(length).astype(kind) for length in (1, 6, 6)]
    assert isinstance(model, Model)
    how = Sampling(0.8, top_k=5, top_p=0.95, min_p=0.01, repetition_penalty=1.2, never=(0,))
    steps = list(sample(model, prompts, how, 12, seed=1, ended=lambda rows, tokens: tokens == 4))
    assert 1 <= len(steps) <= 12
    assert all(0 not in drawn.tokens for drawn in steps)
    best, *_ = beam_search(model, [prompts[1]], Beam(4, 5))[0]
    whole = np.concatenate([prompts[1], best.tokens]).astype(np.int32)
    assert best.score == pytest.approx(-model.nats(whole, 6).sum(), abs=1e-4)


# Long texts


@pytest.mark.parametrize("name", ["lstm", "transformer"])
def test_a_long_text_in_parts_is_close_to_the_text_unbroken(name: str) -> None:
    model, tokens = made(name), text_of(4300)
    found = model.nats(tokens, 3)
    assert found.shape == (4297,)
    assert isinstance(model, NetworkModel)
    unbroken = network_nats(model.network, tokens[None].astype(np.int64))[0, 2:]
    np.testing.assert_allclose(found, unbroken, atol=1e-5)  # what is read before a part is more than these remember


def test_with_learned_positions_a_long_text_in_parts_is_as_surprising_on_the_whole() -> None:
    """Rounds begin at other places there."""
    model, tokens = made("transformer, learned positions"), text_of(4300)
    assert isinstance(model, NetworkModel)
    unbroken = network_nats(model.network, tokens[None].astype(np.int64))[0, 2:]
    assert model.nats(tokens, 3).mean() == pytest.approx(unbroken.mean(), abs=0.1)


@settings(max_examples=10)
@given(length=st.integers(2, 400), count=st.integers(1, 3))
def test_texts_side_by_side_are_as_surprising_as_alone(length: int, count: int) -> None:
    model = made("lstm")
    assert isinstance(model, NetworkModel)
    tokens = np.stack([text_of(length, seed) for seed in range(count)]).astype(np.int64)
    found = network_nats(model.network, tokens)
    assert found.shape == (count, length - 1)
    for row, own in zip(found, tokens, strict=True):
        np.testing.assert_allclose(row, network_nats(model.network, own[None])[0], atol=1e-5)


# Each of them


def test_windows_hold_the_last_tokens_alone() -> None:
    for name in ("windows of an lstm", "windows of a transformer"):
        model, tokens = made(name), text_of(40)
        assert isinstance(model, WindowModel)
        changed = tokens.copy()
        changed[:20] = 0
        for one, other in ((tokens, changed), (tokens[-LOOKBACK:], tokens)):
            np.testing.assert_array_equal(model.begin([one])[0], model.begin([other])[0])
        found, after = model.nats(tokens, 1), model.nats(changed, 1)
        np.testing.assert_allclose(after[19 + LOOKBACK :], found[19 + LOOKBACK :], atol=1e-6)
        assert abs(after[18 + LOOKBACK] - found[18 + LOOKBACK]) > 1e-6
        with torch.inference_mode():
            window = torch.from_numpy(tokens[None, -LOOKBACK:].astype(np.int64))
            expected = model.network(window)[0][:, -1].numpy()
        np.testing.assert_allclose(model.begin([tokens])[0], expected, atol=1e-6)


def test_counts_say_what_their_distribution_says() -> None:
    for name in ("unigram", "ngram"):
        model, tokens = made(name), text_of(30).astype(np.int64)
        assert isinstance(model, CountModel)
        for length in (0, 1, 2, 30):
            scores, _ = model.begin([tokens[:length]])
            expected = model.counts.distribution(model.counts.read(tokens[:length]))
            np.testing.assert_allclose(np.exp(scores[0]), expected, atol=1e-12)
        whole = -np.log(model.counts.probabilities(tokens))
        for known in (0, 1, 3, 17):
            np.testing.assert_allclose(model.nats(tokens.astype(np.int32), known), whole[known:], atol=1e-12)


def test_all_tokens_are_alike_where_nothing_is_known() -> None:
    np.testing.assert_allclose(made("uniform").nats(text_of(12), 2), math.log(TOKENS))


def test_a_mixture_is_the_mean_of_probabilities() -> None:
    model, tokens = made("mixture"), text_of(50)
    assert isinstance(model, MixtureModel)
    each = [np.exp(-member.nats(tokens, 4)) for member in model.members]
    expected = sum(weight * own for weight, own in zip(model.weights, each, strict=True))
    np.testing.assert_allclose(np.exp(-model.nats(tokens, 4)), expected, atol=1e-9)
    said = [np.exp(logarithms(member.begin([tokens])[0])) for member in model.members]
    mixed = sum(weight * own for weight, own in zip(model.weights, said, strict=True))
    np.testing.assert_allclose(np.exp(model.begin([tokens])[0]), mixed, atol=1e-9)


@pytest.mark.parametrize("name", ["lstm", "ngram"])
def test_a_mixture_in_which_one_has_all_the_weight_is_that_one(name: str) -> None:
    own, tokens = made(name), text_of(50)
    alone = MixtureModel(("uniform", name), (UniformModel(TOKENS), own), np.array([0.0, 1.0]))
    np.testing.assert_allclose(alone.nats(tokens, 1), own.nats(tokens, 1), atol=1e-9)
    np.testing.assert_allclose(alone.begin([tokens])[0], logarithms(own.begin([tokens])[0]), atol=1e-9)


def test_a_member_without_weight_says_nothing_however_sure_it_is() -> None:
    """Where the others find what came all but impossible."""
    network = network_of("lstm", SECTION)
    assert network.output is not None
    network.output.bias[2] = -900.0
    sure = NetworkModel(network, SECTION)
    model = MixtureModel(("lstm", "uniform"), (sure, UniformModel(TOKENS)), np.array([1.0, 0.0]))
    tokens = text_of(50)
    np.testing.assert_allclose(model.nats(tokens, 1), sure.nats(tokens, 1), rtol=1e-9)
    np.testing.assert_allclose(model.begin([tokens])[0], logarithms(sure.begin([tokens])[0]), rtol=1e-9)


@pytest.mark.parametrize("name", MAKERS)
def test_all_that_a_model_knows_are_plain_values_and_arrays(name: str) -> None:
    values, arrays = made(name).state()
    assert json.loads(json.dumps(values)) == values
    assert all(isinstance(array, np.ndarray) and array.dtype.kind in "fi" for array in arrays.values())
    assert made(name).parameters >= sum(array.size for key, array in arrays.items() if not key.endswith("counts")) * (
        name != "uniform"
    )


@pytest.mark.parametrize("name", ["lstm", "transformer", "windows of an lstm", "windows of a transformer"])
def test_a_network_on_a_graphics_card_says_the_same(name: str) -> None:
    if not torch.cuda.is_available():
        pytest.skip("there is no CUDA device here")
    model, placed, tokens = made(name), MAKERS[name](), text_of(60)
    assert isinstance(placed, NetworkModel | WindowModel)
    placed.network.cuda()
    np.testing.assert_allclose(placed.nats(tokens, 1), model.nats(tokens, 1), atol=1e-3)
    prompts, more = [tokens[:3], tokens[:9], tokens[3:6]], np.array([[1, 2], [3, 4], [5, 6]])
    for found, expected in zip(follow(placed, prompts, more), follow(model, prompts, more), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-3)
    texts = [list(itertools.islice(sample(own, prompts, Sampling(0.5), 5, 0), 5)) for own in (placed, model)]
    assert [own.tokens.tolist() for own in texts[0]] == [own.tokens.tolist() for own in texts[1]]
