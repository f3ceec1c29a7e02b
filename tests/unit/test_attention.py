"""Attention and the Transformer's encoder: against torch's own, against a plain loop, under masks, and their positions."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from foretell.errors import ConfigurationError
from foretell.nn import Encoder, EncoderBlock, MultiHeadAttention, TransformerNetwork
from foretell.nn.positions import sinusoidal_positions

from .made_layers import leaf, loss_of, with_biases

WIDTH, HEADS, FORWARD = 12, 3, 20


def made(dropout: float = 0.0) -> MultiHeadAttention:
    return with_biases(MultiHeadAttention(WIDTH, HEADS, dropout))


def joined(attention: MultiHeadAttention, what: str) -> Tensor:
    """The weights or biases of queries, keys and values, as torch keeps them."""
    return torch.cat([getattr(layer, what) for layer in (attention.query, attention.key, attention.value)])


def as_torchs(attention: MultiHeadAttention, theirs: torch.nn.MultiheadAttention) -> torch.nn.MultiheadAttention:
    """torch's attention with the weights of ours."""
    with torch.no_grad():
        theirs.in_proj_weight.copy_(joined(attention, "weight"))
        theirs.in_proj_bias.copy_(joined(attention, "bias"))
        theirs.out_proj.load_state_dict(attention.merge.state_dict())
    return theirs


def torchs_attention(attention: MultiHeadAttention) -> torch.nn.MultiheadAttention:
    return as_torchs(attention, torch.nn.MultiheadAttention(WIDTH, HEADS, batch_first=True))


def as_torchs_block(block: EncoderBlock) -> torch.nn.TransformerEncoderLayer:
    """torch's encoder layer with the weights of ours."""
    theirs = torch.nn.TransformerEncoderLayer(
        WIDTH, HEADS, FORWARD, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
    )
    as_torchs(block.attention, theirs.self_attn)
    pairs: list[Any] = [(theirs.norm1, block.attention_norm), (theirs.norm2, block.dense_norm)]
    pairs += [(theirs.linear1, block.dense[0]), (theirs.linear2, block.dense[2])]
    for to, of in pairs:
        to.load_state_dict(of.state_dict())
    return theirs


def made_block() -> EncoderBlock:
    block = with_biases(EncoderBlock(WIDTH, HEADS, FORWARD))
    with torch.no_grad():
        for norm in (block.attention_norm, block.dense_norm):
            norm.weight.add_(torch.randn(WIDTH), alpha=0.3)
    return block


def some_allowed(batch: int, queries: int, keys: int) -> Tensor:
    """A mask that differs between sequences and queries, and leaves each query something."""
    allowed = torch.rand(batch, queries, keys) < 0.6
    allowed[..., 1] = True
    return allowed


@pytest.mark.parametrize("masked", [False, True])
def test_attention_is_torchs(masked: bool) -> None:
    torch.manual_seed(1)
    ours = made()
    theirs = torchs_attention(ours)
    asking, asked = torch.randn(4, 5, WIDTH), torch.randn(4, 7, WIDTH)
    allowed = some_allowed(4, 5, 7) if masked else None
    forbidden = None if allowed is None else (~allowed).repeat_interleave(HEADS, 0)
    found, weights = ours(asking, asked, allowed, return_attention=True)
    for averaged in (False, True):
        expected, shares = theirs(asking, asked, asked, attn_mask=forbidden, average_attn_weights=averaged)
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
        torch.testing.assert_close(weights.mean(1) if averaged else weights, shares, atol=1e-5, rtol=0)
    torch.testing.assert_close(ours(asking, asked, allowed), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("return_attention", [False, True])
def test_its_gradients_are_torchs(return_attention: bool) -> None:
    torch.manual_seed(2)
    ours = made()
    theirs = torchs_attention(ours)
    asking, asked = torch.randn(4, 5, WIDTH), torch.randn(4, 7, WIDTH)
    own, their = [leaf(asking), leaf(asked)], [leaf(asking), leaf(asked)]
    found: Any = ours(*own, return_attention=return_attention)
    loss_of([found[0] if return_attention else found]).backward()
    loss_of([theirs(*their, their[1], need_weights=False)[0]]).backward()
    for one, two in zip(own, their, strict=True):
        torch.testing.assert_close(one.grad, two.grad, atol=1e-5, rtol=1e-4)
    layers: Any = (ours.query, ours.key, ours.value)
    for what, expected in (("weight", theirs.in_proj_weight.grad), ("bias", theirs.in_proj_bias.grad)):
        found = torch.cat([getattr(layer, what).grad for layer in layers])
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(ours.merge.weight.grad, theirs.out_proj.weight.grad, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(ours.merge.bias.grad, theirs.out_proj.bias.grad, atol=1e-5, rtol=1e-4)


def plain_attention(layer: MultiHeadAttention, asking: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """One sequence, number by number: softmax(QKᵀ/√d)V of each head, then the dense layer over all heads."""

    def through(dense: torch.nn.Linear, position: np.ndarray) -> np.ndarray:
        return dense.weight.detach().double().numpy() @ position + dense.bias.detach().double().numpy()

    size = WIDTH // HEADS
    out = []
    for position in asking:
        query, parts = through(layer.query, position), []
        for head in range(HEADS):
            own = slice(head * size, (head + 1) * size)
            scores = [float(query[own] @ through(layer.key, other)[own]) / math.sqrt(size) for other in asked]
            powers = [math.exp(score) for score in scores]
            values = [through(layer.value, other)[own] for other in asked]
            parts.append(sum(power / sum(powers) * value for power, value in zip(powers, values, strict=True)))
        out.append(through(layer.merge, np.concatenate(parts)))
    return np.array(out)


def test_attention_is_its_formula() -> None:
    torch.manual_seed(3)
    layer, asking, asked = made(), torch.randn(1, 4, WIDTH), torch.randn(1, 6, WIDTH)
    expected = plain_attention(layer, asking[0].double().numpy(), asked[0].double().numpy())
    for found in (layer(asking, asked), layer(asking, asked, return_attention=True)[0]):
        np.testing.assert_allclose(found[0].detach().numpy(), expected, atol=1e-5)


@given(
    queries=st.integers(1, 9), keys=st.integers(1, 9), heads=st.sampled_from([1, 2, 3, 6]), seed=st.integers(0, 2**32)
)
def test_asking_for_the_weights_changes_nothing(queries: int, keys: int, heads: int, seed: int) -> None:
    torch.manual_seed(seed)
    layer = MultiHeadAttention(6, heads)
    asking, asked = torch.randn(2, queries, 6), torch.randn(2, keys, 6)
    allowed = torch.rand(2, queries, keys) < 0.5
    allowed[..., 0] = True
    found, weights = layer(asking, asked, allowed, return_attention=True)
    torch.testing.assert_close(found, layer(asking, asked, allowed), atol=1e-5, rtol=0)
    assert weights.shape == (2, heads, queries, keys)
    assert (weights >= 0).all()
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, heads, queries), atol=1e-5, rtol=0)
    assert not weights.masked_select(~allowed[:, None]).any(), "attention went where it may not"


def test_a_query_that_may_go_nowhere_finds_the_same_with_and_without_weights() -> None:
    torch.manual_seed(14)
    layer, positions = made(), torch.randn(2, 5, WIDTH)
    allowed = torch.ones(1, 5, 5, dtype=torch.bool)
    allowed[:, 2] = False
    found, weights = layer(positions, positions, allowed, return_attention=True)
    torch.testing.assert_close(found, layer(positions, positions, allowed), atol=1e-5, rtol=0)
    assert not weights[:, :, 2].any()


def test_weights_of_attention_are_dropped_in_training_alone() -> None:
    torch.manual_seed(4)
    layer, positions = made(dropout=0.5), torch.randn(2, 7, WIDTH)
    trained = layer(positions, positions, return_attention=True)[0]
    layer.eval()
    whole = layer(positions, positions)
    assert not torch.allclose(trained, whole)
    torch.testing.assert_close(layer(positions, positions, return_attention=True)[0], whole, atol=1e-5, rtol=0)


def test_a_masked_key_has_no_influence() -> None:
    torch.manual_seed(5)
    layer, positions = made(), torch.randn(2, 7, WIDTH)
    allowed = torch.ones(1, 1, 7, dtype=torch.bool)
    allowed[..., 3] = False
    changed = positions.clone()
    changed[:, 3] = 1000.0
    others = [0, 1, 2, 4, 5, 6]
    for option in (False, True):
        before, after = (layer(positions, keys, allowed, return_attention=option) for keys in (positions, changed))
        if option:
            assert not after[1][..., 3].any(), "a masked key has weight"
            before, after = before[0], after[0]
        torch.testing.assert_close(after, before, atol=1e-6, rtol=0)
        torch.testing.assert_close(after, layer(positions, positions[:, others]), atol=1e-5, rtol=0)


def test_what_comes_later_is_hidden_by_a_causal_mask() -> None:
    torch.manual_seed(6)
    encoder, positions = Encoder(WIDTH, HEADS, FORWARD, layers=2), torch.randn(2, 7, WIDTH)
    causal = torch.ones(7, 7, dtype=torch.bool).tril()[None]
    whole = encoder(positions, causal)
    torch.testing.assert_close(whole[:, :4], encoder(positions[:, :4], causal[:, :4, :4]), atol=1e-5, rtol=0)


def test_a_batch_is_its_sequences_one_by_one() -> None:
    torch.manual_seed(7)
    layer, asking, asked = made(), torch.randn(4, 5, WIDTH), torch.randn(4, 7, WIDTH)
    allowed = some_allowed(4, 5, 7)
    whole = layer(asking, asked, allowed)
    for row in range(4):
        one = slice(row, row + 1)
        torch.testing.assert_close(layer(asking[one], asked[one], allowed[one]), whole[one], atol=1e-6, rtol=0)


def test_attention_knows_no_order() -> None:
    torch.manual_seed(8)
    layer, positions, order = made(), torch.randn(2, 7, WIDTH), torch.randperm(7)
    found = layer(positions[:, order], positions[:, order])
    torch.testing.assert_close(found, layer(positions, positions)[:, order], atol=1e-6, rtol=0)


@pytest.mark.parametrize(("width", "heads"), [(32, 5), (4, 8), (7, 2)])
def test_heads_must_share_the_width_evenly(width: int, heads: int) -> None:
    with pytest.raises(ConfigurationError, match=f"multiple of its heads; found a width of {width} and heads {heads}"):
        MultiHeadAttention(width, heads)


@pytest.mark.parametrize("masked", [False, True])
def test_an_encoder_block_is_torchs(masked: bool) -> None:
    torch.manual_seed(9)
    ours = made_block()
    theirs = as_torchs_block(ours)
    positions = torch.randn(4, 7, WIDTH)
    allowed = some_allowed(4, 7, 7) if masked else None
    own, their = leaf(positions), leaf(positions)
    found = ours(own, allowed)
    expected = theirs(their, src_mask=None if allowed is None else (~allowed).repeat_interleave(HEADS, 0))
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
    for loss in (loss_of([found]), loss_of([expected])):
        loss.backward()
    torch.testing.assert_close(own.grad, their.grad, atol=1e-5, rtol=1e-4)
    pairs: Any = [(ours.dense[0], theirs.linear1), (ours.dense_norm, theirs.norm2), (ours.attention_norm, theirs.norm1)]
    for one, two in pairs:
        torch.testing.assert_close(one.weight.grad, two.weight.grad, atol=2e-5, rtol=1e-4)


def test_an_encoder_is_its_blocks_and_a_normalisation() -> None:
    torch.manual_seed(10)
    encoder = with_biases(Encoder(WIDTH, HEADS, FORWARD, layers=3))
    positions = torch.randn(2, 7, WIDTH)
    expected = positions
    for block in encoder.blocks:
        assert isinstance(block, EncoderBlock)
        expected = as_torchs_block(block)(expected)
    last: Any = encoder.norm
    expected = torch.nn.functional.layer_norm(expected, (WIDTH,), last.weight, last.bias)
    torch.testing.assert_close(encoder(positions), expected, atol=2e-5, rtol=0)
    one = sum(weight.numel() for weight in made_block().parameters())
    assert one == 4 * WIDTH * (WIDTH + 1) + 2 * WIDTH * FORWARD + FORWARD + WIDTH + 4 * WIDTH
    assert sum(weight.numel() for weight in encoder.parameters()) == 3 * one + 2 * WIDTH


def test_an_encoder_drops_in_training_alone() -> None:
    torch.manual_seed(11)
    encoder, positions = Encoder(WIDTH, HEADS, FORWARD, layers=2, dropout=0.5), torch.randn(2, 7, WIDTH)
    assert not torch.equal(encoder(positions), encoder(positions))
    whole = encoder.eval()(positions)
    plain = Encoder(WIDTH, HEADS, FORWARD, layers=2)
    plain.load_state_dict(encoder.state_dict())
    assert torch.equal(plain(positions), whole)


@given(places=st.integers(1, 400), width=st.integers(1, 33))
def test_positions_are_the_papers(places: int, width: int) -> None:
    """PE(place, 2i) = sin(place / 10000^(2i/width)), PE(place, 2i + 1) = cos of the same."""
    found = sinusoidal_positions(places, width)
    assert found.shape == (places, width)
    for place in {0, places // 2, places - 1}:
        for unit in range(width):
            angle = place / 10_000 ** ((unit - unit % 2) / width)
            expected = math.cos(angle) if unit % 2 else math.sin(angle)
            assert found[place, unit].item() == pytest.approx(expected, abs=1e-4)


def transformer(**options: Any) -> TransformerNetwork:
    return TransformerNetwork(
        10, 3, width=8, heads=2, feed_forward=16, layers=2, leads=4, targets=2, **options
    ).requires_grad_(False)


@pytest.mark.parametrize("head", [(), (6, 5)])
def test_a_transformer_forecasts_each_lead_and_target(head: tuple[int, ...]) -> None:
    torch.manual_seed(12)
    network = transformer(head=head)
    windows = torch.randn(5, 10, 3)
    assert network(windows).shape == (5, 4, 2)
    torch.testing.assert_close(network(windows[2:3]), network(windows)[2:3], atol=1e-6, rtol=0)


def test_the_order_of_a_windows_steps_matters() -> None:
    """Even of those before the last, from whose position the forecast is made."""
    torch.manual_seed(13)
    network, windows = transformer(), torch.randn(5, 10, 3)
    order = [*reversed(range(9)), 9]
    assert (network(windows[:, order]) - network(windows)).abs().amax((1, 2)).min() > 1e-3
    network.positions.zero_()
    torch.testing.assert_close(network(windows[:, order]), network(windows), atol=1e-5, rtol=0)


def test_a_transformer_forecasts_from_what_its_last_position_found() -> None:
    torch.manual_seed(15)
    network, windows = transformer(), torch.randn(5, 10, 3)
    found = network.encoder(network.embed(windows) + sinusoidal_positions(10, 8))
    torch.testing.assert_close(network(windows), network.head(found[:, -1]).view(5, 4, 2), atol=1e-6, rtol=0)


def test_positions_are_stored_with_a_transformer_but_not_learned() -> None:
    network = transformer()
    assert "positions" in network.state_dict()
    assert "positions" not in dict(network.named_parameters())
    torch.testing.assert_close(network.positions, sinusoidal_positions(10, 8))
