"""The Transformer that reads on: against naive loops, how far it sees, rotations, however it is read, gradients."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.func import functional_call

from foretell.errors import ConfigurationError
from foretell.nn import DecoderBody, MultiHeadAttention
from foretell.nn.decoder import Positions
from foretell.nn.positions import rotated, rotation

from .made_layers import one_thread_of_torchs, with_biases  # noqa: F401 (for every test here)

WIDTH, HEADS, FORWARD, LAYERS = 12, 3, 10, 2
KINDS: tuple[Positions, ...] = ("rotary", "learned")


def made(positions: Positions = "rotary", context: int = 4, layers: int = LAYERS, **options: Any) -> DecoderBody:
    """A body as it predicts; normalisations and learned positions differ from place to place."""
    torch.manual_seed(7)
    body = with_biases(DecoderBody(WIDTH, HEADS, FORWARD, layers, context, positions, **options))
    with torch.no_grad():
        for name, weight in body.named_parameters():
            if "norm" in name or "learned" in name:
                weight.add_(torch.randn_like(weight), alpha=0.3)
    return body.requires_grad_(False).eval()


def read(body: DecoderBody, vectors: Tensor, sizes: Sequence[int] | None = None) -> Tensor:
    """What it makes of vectors, read at once or in pieces of some sizes."""
    state, found = body.begin(len(vectors)), []
    for piece in torch.split(vectors, list(sizes) if sizes else [vectors.shape[1]], dim=1):
        outputs, state = body(piece, state)
        found.append(outputs)
    return torch.cat(found, 1)


# Against naive loops


def plain_norm(layer: torch.nn.LayerNorm, numbers: np.ndarray) -> np.ndarray:
    centred = numbers - numbers.mean()
    scaled = centred / math.sqrt((centred**2).mean() + layer.eps)
    return scaled * layer.weight.double().numpy() + layer.bias.double().numpy()


def plain_dense(layer: Any, numbers: np.ndarray) -> np.ndarray:
    return layer.weight.double().numpy() @ numbers + layer.bias.double().numpy()


def plain_turn(numbers: np.ndarray, place: int) -> np.ndarray:
    """Pairs of the first and the second half as complex numbers, each turned at its own speed."""
    half = len(numbers) // 2
    found = np.empty(len(numbers))
    for pair in range(half):
        angle = place / 10_000 ** (pair / half)
        turned = complex(numbers[pair], numbers[pair + half]) * complex(math.cos(angle), math.sin(angle))
        found[pair], found[pair + half] = turned.real, turned.imag
    return found


def plainly(body: DecoderBody, vectors: np.ndarray) -> np.ndarray:
    """One text, block by block, place by place, head by head."""
    own = WIDTH // HEADS
    if body.learned is not None:
        table = body.learned.weight.double().numpy()
        vectors = np.array([vector + table[place % body.context] for place, vector in enumerate(vectors)])
    blocks: Any = body.blocks
    for block in blocks:
        normed = [plain_norm(block.attention_norm, vector) for vector in vectors]
        layers = block.attention.query, block.attention.key, block.attention.value
        asked, keys, values = ([plain_dense(layer, one) for one in normed] for layer in layers)
        after = []
        for place, vector in enumerate(vectors):
            first = max(0, place - body.context) if body.learned is None else place // body.context * body.context
            found = np.zeros(WIDTH)
            for head in range(HEADS):
                part = slice(head * own, (head + 1) * own)
                scores = []
                for other in range(first, place + 1):
                    query, key = asked[place][part], keys[other][part]
                    if body.learned is None:
                        query, key = plain_turn(query, place), plain_turn(key, other)
                    scores.append(float(query @ key) / math.sqrt(own))
                powers = [math.exp(score) for score in scores]
                for power, other in zip(powers, range(first, place + 1), strict=True):
                    found[part] += power / sum(powers) * values[other][part]
            summed = vector + plain_dense(block.attention.merge, found)
            inner = plain_dense(block.dense[0], plain_norm(block.dense_norm, summed))
            gelu = np.array([0.5 * one * (1 + math.erf(one / math.sqrt(2))) for one in inner])
            after.append(summed + plain_dense(block.dense[2], gelu))
        vectors = np.array(after)
    return np.array([plain_norm(body.norm, vector) for vector in vectors])


@pytest.mark.parametrize("context", [1, 3, 8])
@pytest.mark.parametrize("positions", KINDS)
def test_a_decoder_is_its_naive_loops(positions: Positions, context: int) -> None:
    body, vectors = made(positions, context), torch.randn(2, 13, WIDTH, generator=torch.Generator().manual_seed(1))
    found = read(body, vectors)
    for row, own in zip(found, vectors, strict=True):
        np.testing.assert_allclose(row.numpy(), plainly(body, own.double().numpy()), atol=1e-5)


# However it is read


@pytest.mark.parametrize("positions", KINDS)
@settings(max_examples=25)
@given(
    sizes=st.lists(st.integers(1, 11), min_size=1, max_size=7),
    context=st.integers(1, 9),
    layers=st.integers(1, 3),
    seed=st.integers(0, 2**31),
)
def test_a_text_in_pieces_is_the_text_at_once(
    positions: Positions, sizes: list[int], context: int, layers: int, seed: int
) -> None:
    body = made(positions, context, layers)
    vectors = torch.randn(2, sum(sizes), WIDTH, generator=torch.Generator().manual_seed(seed))
    torch.testing.assert_close(read(body, vectors, sizes), read(body, vectors), atol=1e-5, rtol=0)


@pytest.mark.parametrize("positions", KINDS)
def test_a_text_token_by_token_is_the_text_at_once_far_beyond_the_context(positions: Positions) -> None:
    body, vectors = made(positions, 5), torch.randn(1, 203, WIDTH)
    torch.testing.assert_close(read(body, vectors, [1] * 203), read(body, vectors), atol=1e-5, rtol=0)


@pytest.mark.parametrize("positions", KINDS)
def test_texts_beside_each_other_may_have_been_read_to_different_places(positions: Positions) -> None:
    body, generator = made(positions, 4), torch.Generator().manual_seed(2)
    states = [body(torch.randn(1, time, WIDTH, generator=generator), body.begin(1))[1] for time in (1, 4, 6, 23)]
    states.append(body.begin(1))
    together, vectors = tuple(map(torch.cat, zip(*states, strict=True))), torch.randn(5, 9, WIDTH)
    outputs, after = body(vectors, together)
    assert after[0].tolist() == [10, 13, 15, 32, 9]
    for row, state in enumerate(states):
        found, own = body(vectors[row : row + 1], state)
        torch.testing.assert_close(found[0], outputs[row], atol=1e-5, rtol=0)
        for part, whole in zip(own, after, strict=True):
            torch.testing.assert_close(part[0], whole[row], atol=1e-5, rtol=0)


def test_a_state_holds_no_more_than_the_context() -> None:
    body = made(context=4)
    state = body.begin(2)
    shapes = [tuple(part.shape) for part in state]
    assert shapes == [(2,), *[(2, HEADS, 4, WIDTH // HEADS)] * (2 * LAYERS)]
    for time in (1, 3, 30):
        _, state = body(torch.randn(2, time, WIDTH), state)
        assert [tuple(part.shape) for part in state] == shapes
    assert state[0].tolist() == [34, 34]


# How far it sees


def seen_from(body: DecoderBody, place: int, time: int) -> list[int]:
    """The places whose vectors change what is found at one place."""
    generator = torch.Generator().manual_seed(3)
    vectors = torch.randn(1, time, WIDTH, generator=generator)
    changed = vectors.repeat(time, 1, 1)
    changed[range(time), range(time)] += torch.randn(time, WIDTH, generator=generator)
    after = read(body, changed) - read(body, vectors)
    return [other for other in range(time) if after[other, place].abs().max() > 1e-6]


@pytest.mark.parametrize("context", [1, 3, 5])
def test_a_place_sees_itself_and_a_context_before_it_in_each_block(context: int) -> None:
    for layers in (1, 2, 3):
        body = made("rotary", context, layers)
        for place in (0, context, 19):
            assert seen_from(body, place, 20) == [*range(max(0, place - layers * context), place + 1)]


@pytest.mark.parametrize("context", [1, 3, 5])
def test_with_learned_positions_a_place_sees_its_own_round(context: int) -> None:
    body = made("learned", context, 2)
    for place in (0, context - 1, context, 17):
        assert seen_from(body, place, 20) == [*range(place // context * context, place + 1)]


def test_each_round_of_learned_positions_begins_anew() -> None:
    body, vectors = made("learned", 5), torch.randn(2, 15, WIDTH)
    whole = read(body, vectors)
    for start in (0, 5, 10):
        own = slice(start, start + 5)
        torch.testing.assert_close(read(body, vectors[:, own]), whole[:, own], atol=1e-5, rtol=0)
    assert not torch.allclose(read(body, vectors[:, 3:8]), whole[:, 3:8], atol=1e-2)


@settings(max_examples=20)
@given(before=st.integers(0, 40), context=st.integers(1, 6), seed=st.integers(0, 2**31))
def test_with_rotary_positions_distances_alone_matter(before: int, context: int, seed: int) -> None:
    """Wherever a stretch stands, what is found is the same once all that can be seen is in the stretch."""
    body, generator = made("rotary", context), torch.Generator().manual_seed(seed)
    vectors = torch.randn(1, before + LAYERS * context + 5, WIDTH, generator=generator)
    whole, later = read(body, vectors), read(body, vectors[:, before:])
    place = LAYERS * context
    torch.testing.assert_close(later[:, place:], whole[:, before + place :], atol=1e-5, rtol=0)


def test_without_positions_turned_the_order_of_what_was_read_would_not_matter() -> None:
    """It does: two earlier vectors exchanged are something else to a later place."""
    for positions in KINDS:
        body, vectors = made(positions, 8, 1), torch.randn(1, 4, WIDTH)
        found = read(body, vectors)[:, 3] - read(body, vectors[:, [1, 0, 2, 3]])[:, 3]
        assert found.abs().max() > 1e-3


# Rotations


def turned(vectors: Tensor, places: Sequence[int]) -> Tensor:
    """The vectors of one text, turned by their places."""
    return rotated(vectors, rotation(torch.tensor([list(places)]), vectors.shape[-1]))


@given(
    size=st.integers(1, 6).map(lambda half: 2 * half),
    places=st.lists(st.integers(0, 10**9), min_size=1, max_size=4),
    seed=st.integers(0, 2**31),
)
def test_rotations_are_those_of_complex_numbers(size: int, places: list[int], seed: int) -> None:
    vectors = torch.randn(1, 2, len(places), size, generator=torch.Generator().manual_seed(seed))
    found = turned(vectors, places)
    for head in range(2):
        for number, place in enumerate(places):
            expected = plain_turn(vectors[0, head, number].double().numpy(), place)
            np.testing.assert_allclose(found[0, head, number].numpy(), expected, atol=1e-5)
    torch.testing.assert_close(found.norm(dim=-1), vectors.norm(dim=-1), atol=1e-5, rtol=0)


@given(
    place=st.integers(0, 10**8), distance=st.integers(0, 5000), shift=st.integers(0, 10**8), seed=st.integers(0, 2**31)
)
def test_products_of_what_is_turned_depend_on_distances_alone(place: int, distance: int, shift: int, seed: int) -> None:
    query, key = torch.randn(2, 1, 1, 1, 8, generator=torch.Generator().manual_seed(seed))

    def product(one: int, other: int) -> Tensor:
        return (turned(query, [one]) * turned(key, [other])).sum()

    here, there = product(place + distance, place), product(place + shift + distance, place + shift)
    torch.testing.assert_close(here, there, atol=2e-5, rtol=0)
    assert torch.equal(turned(query, [0]), query)


# Attention in its parts


@pytest.mark.parametrize("return_attention", [False, True])
def test_attention_in_its_parts_is_attention(return_attention: bool) -> None:
    torch.manual_seed(8)
    layer = with_biases(MultiHeadAttention(WIDTH, HEADS)).requires_grad_(False)
    asking, asked = torch.randn(2, 5, WIDTH), torch.randn(2, 7, WIDTH)
    allowed = torch.rand(2, 5, 7) < 0.6
    allowed[..., 0] = True
    queries, (keys, values) = layer.queries(asking), layer.keys_values(asked)
    assert queries.shape == (2, HEADS, 5, WIDTH // HEADS)
    assert keys.shape == values.shape == (2, HEADS, 7, WIDTH // HEADS)
    torch.testing.assert_close(queries.transpose(1, 2).flatten(2), layer.query(asking))
    torch.testing.assert_close(keys.transpose(1, 2).flatten(2), layer.key(asked))
    found = layer.attend(queries, keys, values, allowed, return_attention)
    expected = layer(asking, asked, allowed, return_attention)
    for one, other in zip(found, expected, strict=True):
        assert torch.equal(one, other)
    halves = layer.keys_values(asked[:, :3]), layer.keys_values(asked[:, 3:])
    joined = [torch.cat(parts, 2) for parts in zip(*halves, strict=True)]
    torch.testing.assert_close(layer.attend(queries, joined[0], joined[1]), layer(asking, asked), atol=1e-5, rtol=0)


# Dropout and gradients


@pytest.mark.parametrize("positions", KINDS)
def test_a_decoder_drops_in_training_alone(positions: Positions) -> None:
    body, vectors = made(positions, dropout=0.5), torch.randn(2, 9, WIDTH)
    torch.testing.assert_close(read(body, vectors), read(made(positions), vectors))
    body.train()
    assert not torch.allclose(read(body, vectors), read(body, vectors))
    torch.manual_seed(9)
    once = read(body, vectors)
    torch.manual_seed(9)
    assert torch.equal(read(body, vectors), once)


@pytest.mark.parametrize("positions", KINDS)
def test_gradients_are_those_of_finite_differences(positions: Positions) -> None:
    """By what is read, by every weight, and by keys and values that were read before."""
    body = made(positions, 3).double()
    before, vectors = torch.randn(2, 4, WIDTH, dtype=torch.float64), torch.randn(2, 5, WIDTH, dtype=torch.float64)
    _, state = body(before, body.begin(2))
    names = [name for name, _ in body.named_parameters()]

    def found(*given: Tensor) -> tuple[Tensor, ...]:
        carried = (state[0], *given[1 : len(state)])
        outputs, after = functional_call(body, dict(zip(names, given[len(state) :], strict=True)), (given[0], carried))
        return outputs, *after[1:]

    by = [vectors, *state[1:], *(weight.detach() for weight in body.parameters())]
    assert torch.autograd.gradcheck(found, [part.clone().requires_grad_() for part in by], fast_mode=True)


# Errors


@pytest.mark.parametrize(("width", "heads"), [(12, 4), (12, 5), (6, 6), (9, 3)])
def test_rotations_need_an_even_share_of_the_width(width: int, heads: int) -> None:
    told = f"the width must be an even multiple of the heads; found embedding {width} and heads {heads}"
    with pytest.raises(ConfigurationError, match=told) as caught:
        DecoderBody(width, heads, FORWARD, 1, 4)
    assert caught.value.details == {"option": "heads", "value": heads}


@pytest.mark.parametrize(("width", "heads"), [(12, 5), (4, 8)])
def test_learned_positions_need_a_share_of_the_width_for_each_head(width: int, heads: int) -> None:
    DecoderBody(9, 3, FORWARD, 1, 4, "learned")
    with pytest.raises(ConfigurationError, match=f"multiple of its heads; found a width of {width} and heads {heads}"):
        DecoderBody(width, heads, FORWARD, 1, 4, "learned")
