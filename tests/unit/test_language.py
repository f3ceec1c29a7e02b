"""Networks that read on: at once, in pieces and token by token alike; plain oracles, dropout, gradients, states."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.func import functional_call

from foretell import nn
from foretell.errors import ConfigurationError
from foretell.nn import DecoderBody, Forgetful, LanguageNetwork, RecurrentBody
from foretell.nn.recurrent import Recurrent

from .made_layers import KINDS, one_thread_of_torchs, with_biases  # noqa: F401 (for every test here)

TOKENS, WIDTH = 11, 6
CELLS = ("rnn", "gru", "gru before", "lstm")
UNITS = {"1 layer": (7,), "2 layers": (5, WIDTH)}  # the last one as wide as a token's vector, and not
CONTEXT = 4


def recurrent(kind: str, units: tuple[int, ...], *, every_step: bool = True, **options: Any) -> RecurrentBody:
    """Layers one upon the other."""
    layers: list[Recurrent] = []
    for number, size in enumerate(units):
        sequences = every_step or number + 1 < len(units)
        features = units[number - 1] if number else WIDTH
        layers.append(KINDS[kind](features, size, return_sequences=sequences, **options))
    return RecurrentBody(layers)


BODIES: dict[str, Callable[[], torch.nn.Module]] = {
    f"{kind}, {name}": partial(recurrent, kind, units) for kind in CELLS for name, units in UNITS.items()
} | {
    "rotary": lambda: DecoderBody(WIDTH, 3, 10, 2, CONTEXT),
    "learned": lambda: DecoderBody(WIDTH, 2, 10, 2, CONTEXT, "learned"),
}


def made(body: str, seed: int = 0, dropout: float = 0.0, *, tied: bool = False) -> LanguageNetwork:
    """A network as it predicts, its biases not zero."""
    torch.manual_seed(seed)
    network = with_biases(LanguageNetwork(TOKENS, WIDTH, BODIES[body](), dropout, tied=tied))
    return network.requires_grad_(False).eval()


def drawn(batch: int, time: int, seed: int = 1) -> Tensor:
    return torch.randint(TOKENS, (batch, time), generator=torch.Generator().manual_seed(seed))


def some_state(network: LanguageNetwork, batch: int, time: int = 6, seed: int = 2) -> tuple[Tensor, ...]:
    """That after some tokens, others for each text."""
    after: tuple[Tensor, ...] = network(drawn(batch, time, seed))[1]
    return after


def assert_near(found: tuple[Tensor, tuple[Tensor, ...]], expected: tuple[Tensor, tuple[Tensor, ...]]) -> None:
    """The same scores and states."""
    torch.testing.assert_close(found[0], expected[0], atol=1e-5, rtol=0)
    assert len(found[1]) == len(expected[1])
    for part, other in zip(found[1], expected[1], strict=True):
        torch.testing.assert_close(part, other, atol=1e-5, rtol=0)


def stepped(network: LanguageNetwork, tokens: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
    """The scores of all places, token by token."""
    table, scores = network.table(), []
    for column in tokens.unbind(1):
        said, state = network.step(column, table, *state)
        scores.append(said)
    return torch.stack(scores, 1), state


# One text, however it is read


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("body", BODIES)
@settings(max_examples=4)
@given(sizes=st.lists(st.integers(1, 9), min_size=1, max_size=6), batch=st.integers(1, 3), begun=st.booleans())
def test_a_text_read_in_pieces_is_the_text_read_at_once(
    body: str, tied: bool, sizes: list[int], batch: int, begun: bool
) -> None:
    network = made(body, tied=tied)
    tokens = drawn(batch, sum(sizes))
    state = some_state(network, batch) if begun else ()
    with torch.inference_mode():
        whole = network(tokens, *state)
        scores = []
        for piece in torch.split(tokens, sizes, dim=1):
            said, state = network(piece, *state)
            scores.append(said)
    assert whole[0].shape == (batch, sum(sizes), TOKENS)
    assert_near((torch.cat(scores, 1), state), whole)


@pytest.mark.parametrize("kernel", ["auto", "loop"])
@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("body", BODIES)
def test_a_text_read_token_by_token_is_the_text_read_at_once(body: str, tied: bool, kernel: str) -> None:
    """Without gradients, where a kernel of its own takes steps, and with them."""
    network = made(body, tied=tied)
    for batch, begun in ((1, False), (3, True)):
        tokens = drawn(batch, 3 * CONTEXT + 3)
        state = some_state(network, batch) if begun else network.begin(batch)
        with nn.recurrence(kernel):
            whole = network(tokens, *state)
            assert_near(stepped(network, tokens, state), whole)
            with torch.inference_mode():
                assert_near(stepped(network, tokens, state), whole)


@pytest.mark.parametrize("body", BODIES)
def test_a_text_alone_is_that_text_beside_others_in_other_states(body: str) -> None:
    network = made(body)
    states = [network(drawn(1, time, seed=time))[1] for time in (1, 3, 11, 2 * CONTEXT)]
    tokens = drawn(4, 7)
    with torch.inference_mode():
        together = tuple(torch.cat(parts) for parts in zip(*states, strict=True))
        for read in (network, lambda some, *state: stepped(network, some, state)):
            scores, after = read(tokens, *together)
            for row, state in enumerate(states):
                one = slice(row, row + 1)
                assert_near(read(tokens[one], *state), (scores[one], tuple(part[one] for part in after)))


@pytest.mark.parametrize("body", BODIES)
def test_what_comes_later_changes_nothing_that_was_said_before(body: str) -> None:
    network, tokens = made(body), drawn(2, 2 * CONTEXT + 1)
    before = network(tokens)[0]
    for place in range(tokens.shape[1]):
        changed = tokens.clone()
        changed[0, place] = (changed[0, place] + 1) % TOKENS
        after = network(changed)[0]
        torch.testing.assert_close(after[:, :place], before[:, :place], atol=1e-6, rtol=0)
        torch.testing.assert_close(after[1], before[1], atol=1e-6, rtol=0)
        assert (after[0, place] - before[0, place]).abs().max() > 1e-4, "it has not been read"


@pytest.mark.parametrize("body", BODIES)
def test_reading_leaves_states_weights_and_the_table_as_they_are(body: str) -> None:
    network = made(body)
    state, table = some_state(network, 2), network.table()
    kept = [part.clone() for part in (*state, table, *network.state_dict().values())]
    network(drawn(2, 5), *state)
    with torch.inference_mode():
        network.step(drawn(2, 1)[:, 0], table, *state)
    assert all(map(torch.equal, kept, (*state, table, *network.state_dict().values())))


@pytest.mark.parametrize("body", BODIES)
def test_a_state_is_what_batches_are_made_of(body: str) -> None:
    """Tensors whose first axis is the batch, so that texts can be chosen from it."""
    network = made(body)
    for state in (network.begin(3), some_state(network, 3)):
        assert all(len(part) == 3 for part in state)
    rows = torch.tensor([2, 0, 2])
    tokens, state = drawn(3, 4), some_state(network, 3)
    found = network(tokens[rows], *(part[rows] for part in state))
    scores, after = network(tokens, *state)
    assert_near(found, (scores[rows], tuple(part[rows] for part in after)))


@pytest.mark.parametrize("body", BODIES)
def test_nothing_read_is_no_state_or_the_first_one(body: str) -> None:
    network, tokens = made(body), drawn(2, 5)
    assert_near(network(tokens), network(tokens, *network.begin(2)))


# What it computes


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("units", UNITS)
@pytest.mark.parametrize("kind", CELLS)
def test_scores_are_products_with_what_the_layers_return(kind: str, units: str, tied: bool) -> None:
    """Layer by layer; tied, with the vectors of the tokens themselves, which grow where they are inputs."""
    network = made(f"{kind}, {units}", tied=tied)
    tokens = drawn(2, 6)
    weights = network.state_dict()
    read = torch.stack([weights["embedding"][own] for own in tokens.flatten()]).view(2, 6, WIDTH)
    if tied:
        read = read * math.sqrt(WIDTH)
    body: Any = network.body
    states: list[Tensor] = []
    for layer in body.layers:
        read, state = layer(read, return_state=True)
        states += [part[0] for part in (state if isinstance(state, tuple) else (state,))]
    if not tied:
        expected = read @ weights["output.weight"].T + weights["output.bias"]
        assert network.bias is None
    else:
        if UNITS[units][-1] != WIDTH:
            read = read @ weights["project.weight"].T + weights["project.bias"]
        expected = read @ weights["embedding"].T + weights["bias"]
        assert network.output is None
        assert (network.project is None) == (UNITS[units][-1] == WIDTH)
    assert_near(network(tokens), (expected, tuple(states)))


@pytest.mark.parametrize("body", BODIES)
def test_tied_vectors_are_learned_once(body: str) -> None:
    count = {tied: sum(weight.numel() for weight in made(body, tied=tied).parameters()) for tied in (False, True)}
    reader: Any = made(body).body
    inner = reader.width
    between = 0 if inner == WIDTH else inner * WIDTH + WIDTH
    assert count[False] - count[True] == (inner + 1) * TOKENS - TOKENS - between


@pytest.mark.parametrize("tied", [False, True])
def test_vectors_begin_near_one_and_scores_near_zero(tied: bool) -> None:
    torch.manual_seed(3)
    network = LanguageNetwork(3000, 64, RecurrentBody([nn.LSTM(64, 64, return_sequences=True)]), tied=tied)
    tokens = torch.arange(3000)[None]
    assert network.embedded(tokens).std().item() == pytest.approx(1, abs=0.02)
    assert network(tokens)[0].std().item() < 0.5


@pytest.mark.parametrize("kind", CELLS)
def test_a_body_that_returns_its_last_state_says_what_follows_the_last_token(kind: str) -> None:
    torch.manual_seed(4)
    every = with_biases(LanguageNetwork(TOKENS, WIDTH, recurrent(kind, (5, WIDTH))))
    last = LanguageNetwork(TOKENS, WIDTH, recurrent(kind, (5, WIDTH), every_step=False))
    last.load_state_dict(every.state_dict())
    tokens = drawn(3, 8)
    scores, state = every(tokens)
    found = last(tokens)
    assert found[0].shape == (3, 1, TOKENS)
    assert_near(found, (scores[:, -1:], state))
    assert_near(last(drawn(3, 1), *state), every(drawn(3, 1), *state))
    with torch.inference_mode():
        assert_near(stepped(last, tokens, last.begin(3)), (scores, state))


@pytest.mark.parametrize("body", ["lstm, 2 layers", "rotary"])
def test_what_is_forgetful_follows_nothing_and_may_say_the_last_alone(body: str) -> None:
    network, tokens = made(body), drawn(3, 8)
    scores, _ = network(tokens)
    for _ in range(2):
        torch.testing.assert_close(Forgetful(network)(tokens), scores)
        torch.testing.assert_close(Forgetful(network, last=True)(tokens), scores[:, -1:])


@pytest.mark.parametrize("body", BODIES)
def test_a_table_stands_for_weights_until_they_change(body: str) -> None:
    network = made(body, tied=True)
    tokens, state, table = drawn(2, 1)[:, 0], some_state(network, 2), network.table()
    assert table.shape[0] == TOKENS
    assert torch.equal(table, network.table())
    with torch.inference_mode():
        before = network.step(tokens, table, *state)[0]
        network.embedding.mul_(2)
        after = network.step(tokens, network.table(), *state)[0]
    assert not torch.allclose(before, after)
    torch.testing.assert_close(after, network(tokens[:, None], *state)[0][:, 0], atol=1e-5, rtol=0)


@pytest.mark.parametrize("body", ["gru, 2 layers", "lstm, 1 layer", "rotary", "learned"])
def test_a_network_of_64_bits_reads_in_64_bits(body: str) -> None:
    network = made(body).double()
    tokens = drawn(2, 3 * CONTEXT)
    with nn.recurrence("loop"):
        scores, state = network(tokens)
        found = stepped(network, tokens, network.begin(2))
    assert scores.dtype == torch.float64
    assert all(part.dtype in (torch.float64, torch.int64) for part in state)
    torch.testing.assert_close(found[0], scores, atol=1e-12, rtol=0)


# Dropout


class Ones(torch.nn.Module):
    """Returns ones, so that what is dropped of them is seen; has no state."""

    width = TOKENS

    def begin(self, batch: int) -> tuple[Tensor, ...]:
        return ()

    def forward(self, vectors: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        return torch.ones(*vectors.shape[:2], TOKENS), ()


def test_what_is_dropped_of_outputs_is_the_same_all_along_a_stretch_and_drawn_anew_for_the_next() -> None:
    torch.manual_seed(5)
    network = LanguageNetwork(TOKENS, WIDTH, Ones(), dropout=0.25)
    assert network.output is not None
    with torch.no_grad():
        network.output.weight.copy_(torch.eye(TOKENS))
    tokens = drawn(400, 6)
    masks = [network(tokens)[0] for _ in range(2)]
    for mask in masks:
        assert torch.equal(mask, mask[:, :1].expand_as(mask)), "it changes along the way"
        assert mask.unique().tolist() == [0, pytest.approx(1 / 0.75)]
        assert (mask[:, 0] == 0).float().mean().item() == pytest.approx(0.25, abs=0.03)
        assert len(mask[:, 0].unique(dim=0)) > 100, "texts drop alike"
    assert not torch.equal(*masks)
    assert torch.equal(network.eval()(tokens)[0], torch.ones(400, 6, TOKENS))


@pytest.mark.parametrize("body", ["lstm, 2 layers", "gru, 1 layer", "rotary", "learned"])
def test_outputs_are_dropped_in_training_alone_and_states_are_not(body: str) -> None:
    network, plain, tokens = made(body, dropout=0.5), made(body), drawn(2, 9)
    assert_near(network(tokens), plain(tokens))
    network.train()
    dropped, after = network(tokens)
    assert not torch.allclose(dropped, network(tokens)[0])
    for part, other in zip(after, plain(tokens)[1], strict=True):
        torch.testing.assert_close(part, other)


@pytest.mark.parametrize("option", ["dropout", "recurrent_dropout"])
@pytest.mark.parametrize("kind", CELLS)
def test_layers_drop_in_training_alone(kind: str, option: str) -> None:
    torch.manual_seed(6)
    options: dict[str, Any] = {option: 0.5}
    network = LanguageNetwork(TOKENS, WIDTH, recurrent(kind, (5, WIDTH), **options))
    tokens = drawn(2, 9)
    assert not torch.allclose(network(tokens)[0], network(tokens)[0])
    assert torch.equal(network.eval()(tokens)[0], network(tokens)[0])


# Gradients


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("body", ["rnn, 1 layer", "gru, 2 layers", "lstm, 2 layers", "rotary", "learned"])
def test_gradients_are_those_of_finite_differences(body: str, tied: bool) -> None:
    """By every weight, and by the state that was read before."""
    network = made(body, tied=tied).double()
    with nn.recurrence("loop"):
        tokens, state = drawn(2, 5), some_state(network, 2)
    names = [name for name, _ in network.named_parameters()]
    floating = [place for place, part in enumerate(state) if part.is_floating_point()]

    def scores(*given: Tensor) -> tuple[Tensor, ...]:
        own = list(state)
        for place, part in zip(floating, given[len(names) :], strict=True):
            own[place] = part
        with nn.recurrence("loop"):
            said, after = functional_call(network, dict(zip(names, given, strict=False)), (tokens, *own))
        return (said, *(part for part in after if part.is_floating_point()))

    by = [weight.detach() for weight in network.parameters()] + [state[place] for place in floating]
    assert torch.autograd.gradcheck(scores, [part.clone().requires_grad_() for part in by], fast_mode=True)


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("body", BODIES)
def test_every_weight_has_a_gradient(body: str, tied: bool) -> None:
    network, tokens = made(body, tied=tied).requires_grad_(True).train(), drawn(2, 2 * CONTEXT + 1)
    scores, _ = network(tokens[:, :-1])
    loss: Any = torch.nn.functional.cross_entropy(scores.flatten(0, 1), tokens[:, 1:].flatten())
    loss.backward()
    for name, weight in network.named_parameters():
        assert weight.grad is not None, name
        # What all keys share changes no share of attention.
        assert bool(weight.grad.abs().max() > 1e-8) or name.endswith("key.bias"), name


# Errors


def test_a_state_of_another_batch_or_shape_is_told() -> None:
    network = made("lstm, 2 layers")
    with pytest.raises(ConfigurationError, match=r"the state must be a pair of tensors of the shape \(1, 3, 5\)"):
        network(drawn(3, 4), *network.begin(2))
    with pytest.raises(ConfigurationError, match="the state must be"):
        network(drawn(2, 4), *reversed(network.begin(2)))
    with torch.inference_mode(), pytest.raises(ConfigurationError, match="the state must be"):
        network.step(drawn(3, 1)[:, 0], network.table(), *network.begin(2))
