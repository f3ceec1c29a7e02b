"""The Transformer's encoder and decoder: against torch's own, step by step, alone and in a batch, with maps and without."""

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from foretell.errors import ConfigurationError
from foretell.nn import Decoder, DecoderBlock, Encoder, EncoderDecoder, TransformerPair
from foretell.nn.attention import before
from foretell.nn.kept import Kept

from .made_layers import with_biases
from .test_attention import as_torchs

WIDTH, HEADS, FORWARD, LAYERS = 12, 3, 20, 2
Sides = tuple[Encoder, Decoder]


def sides(norm: Any, activation: str = "relu") -> Sides:
    torch.manual_seed(5)
    encoder = Encoder(WIDTH, HEADS, FORWARD, LAYERS, norm=norm, activation=activation)
    decoder = Decoder(WIDTH, HEADS, FORWARD, LAYERS, norm=norm, activation=activation)
    for own in (encoder, decoder):
        with_biases(own)
        with torch.no_grad():
            for layer in own.modules():
                if isinstance(layer, torch.nn.LayerNorm):
                    layer.weight.add_(torch.randn(WIDTH), alpha=0.3)
    return encoder, decoder


def torchs(ours: Sides, norm: str, activation: str = "relu") -> torch.nn.Transformer:
    """torch's Transformer with the weights of ours."""
    options: Any = {"dropout": 0.0, "activation": activation, "batch_first": True, "norm_first": norm == "pre"}
    made: Any = [
        layer(WIDTH, HEADS, FORWARD, **options)
        for layer in (torch.nn.TransformerEncoderLayer, torch.nn.TransformerDecoderLayer)
    ]
    last = [torch.nn.LayerNorm(WIDTH) if norm == "pre" else None for _ in range(2)]
    encoder = torch.nn.TransformerEncoder(made[0], LAYERS, last[0], enable_nested_tensor=False)
    decoder = torch.nn.TransformerDecoder(made[1], LAYERS, last[1])
    theirs = torch.nn.Transformer(
        WIDTH, HEADS, custom_encoder=encoder, custom_decoder=decoder, batch_first=True, norm_first=norm == "pre"
    )
    for block, layer in zip(ours[0].blocks, encoder.layers, strict=True):
        _dense(block, layer, ("norm1", "norm2"), ("attention_norm", "dense_norm"))
        _attention(block, "attention", layer, "self_attn")
    for block, layer in zip(ours[1].blocks, decoder.layers, strict=True):
        _dense(block, layer, ("norm1", "norm2", "norm3"), ("attention_norm", "memory_norm", "dense_norm"))
        _attention(block, "attention", layer, "self_attn")
        _attention(block, "memory_attention", layer, "multihead_attn")
    for own, of_torchs in zip((ours[0].norm, ours[1].norm), last, strict=True):
        if of_torchs is not None:
            of_torchs.load_state_dict(own.state_dict())
    return theirs


def _attention(block: Any, ours: str, layer: Any, theirs: str) -> None:
    as_torchs(getattr(block, ours), getattr(layer, theirs))


def _dense(block: Any, layer: Any, theirs: tuple[str, ...], ours: tuple[str, ...]) -> None:
    for their, own in zip(theirs, ours, strict=True):
        getattr(layer, their).load_state_dict(getattr(block, own).state_dict())
    layer.linear1.load_state_dict(block.dense[0].state_dict())
    layer.linear2.load_state_dict(block.dense[2].state_dict())


def both(ours: Sides, theirs: torch.nn.Transformer, source: Tensor, target: Tensor, lengths: Tensor) -> Any:
    """What ours and torch's make of the same sources and targets."""
    inside = torch.arange(source.shape[1]) < lengths[:, None]
    read = ours[0](source, inside[:, None])
    found, _, _ = ours[1](target, Kept(), ours[1].memory(read), inside[:, None])
    causal = torch.nn.Transformer.generate_square_subsequent_mask(target.shape[1]) != 0
    expected = theirs(source, target, tgt_mask=causal, src_key_padding_mask=~inside, memory_key_padding_mask=~inside)
    return found, expected


@pytest.mark.parametrize("activation", ["relu", "gelu"])
@pytest.mark.parametrize("norm", ["pre", "post"])
def test_encoder_and_decoder_are_torchs(norm: Any, activation: str) -> None:
    ours = sides(norm, activation)
    theirs = torchs(ours, norm, activation)
    source, target = (torch.randn(4, size, WIDTH, requires_grad=True) for size in (7, 5))
    found, expected = both(ours, theirs, source, target, torch.tensor([7, 3, 5, 1]))
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
    weights = torch.randn_like(found)
    own = torch.autograd.grad((found * weights).sum(), [source, target, *_sample(ours)], retain_graph=True)
    their = torch.autograd.grad((expected * weights).sum(), [source, target, *_sample_of_torch(theirs)])
    for one, two in zip(own, their, strict=True):
        torch.testing.assert_close(one, two, atol=1e-5, rtol=1e-4)


def _sample(ours: Sides) -> list[Tensor]:
    """Weights from all over the network that have one counterpart in torch's."""
    first: Any = ours[0].blocks[0]
    last: Any = ours[1].blocks[-1]
    return [
        first.dense[0].weight,
        first.attention_norm.weight,
        first.attention.merge.weight,
        last.memory_attention.merge.weight,
        last.memory_norm.bias,
        last.dense[2].bias,
    ]


def _sample_of_torch(theirs: Any) -> list[Tensor]:
    first, last = theirs.encoder.layers[0], theirs.decoder.layers[-1]
    return [
        first.linear1.weight,
        first.norm1.weight,
        first.self_attn.out_proj.weight,
        last.multihead_attn.out_proj.weight,
        last.norm2.bias,
        last.linear2.bias,
    ]


@given(st.lists(st.integers(1, 4), min_size=1, max_size=4), st.sampled_from(["pre", "post"]))
def test_reading_in_pieces_is_reading_at_once(pieces: list[int], norm: Any) -> None:
    _, decoder = sides(norm)
    target, read = torch.randn(2, sum(pieces), WIDTH), torch.randn(2, 6, WIDTH)
    memory = decoder.memory(read)
    whole, _, _ = decoder(target, Kept(), memory)
    state = Kept()
    found = []
    for piece in torch.split(target, pieces, 1):
        outputs, state, _ = decoder(piece, state, memory)
        found.append(outputs)
    torch.testing.assert_close(torch.cat(found, 1), whole, atol=1e-5, rtol=1e-5)


@given(st.data())
def test_a_state_may_be_gone_on_from_in_several_ways(data: st.DataObject) -> None:
    """Whatever is done with a state, each text is read as if it had been read at once."""
    _, decoder = sides("pre")
    decoder.requires_grad_(False)
    read = torch.randn(1, 6, WIDTH)
    memory = decoder.memory(read)
    states = [(Kept(), torch.zeros(1, 0, WIDTH))]
    for _ in range(data.draw(st.integers(1, 12))):
        state, text = data.draw(st.sampled_from(states[-4:]))
        if text.shape[1] and data.draw(st.booleans()):
            rows = torch.tensor(data.draw(st.lists(st.integers(0, len(text) - 1), min_size=1, max_size=3)))
            states.append((state.of_rows(rows), text[rows]))
            continue
        new = torch.randn(len(text), data.draw(st.integers(1, 20)), WIDTH)
        outputs, after, _ = decoder(new, state, memory)
        text = torch.cat([text, new], 1)
        whole, _, _ = decoder(text, Kept(), memory)
        torch.testing.assert_close(outputs, whole[:, -new.shape[1] :], atol=1e-5, rtol=1e-5)
        states.append((after, text))


def test_rows_that_follow_each_other_share_a_memory() -> None:
    _, decoder = sides("pre")
    read, target = torch.randn(2, 6, WIDTH), torch.randn(6, 4, WIDTH)
    inside = torch.arange(6) < torch.tensor([6, 3])[:, None]
    shared, _, maps = decoder(target, Kept(), decoder.memory(read), inside[:, None], True)
    alone = decoder.memory(read.repeat_interleave(3, 0))
    expected, _, own = decoder(target, Kept(), alone, inside.repeat_interleave(3, 0)[:, None], True)
    torch.testing.assert_close(shared, expected, atol=1e-5, rtol=1e-5)
    for one, two in zip(maps, own, strict=True):
        torch.testing.assert_close(one, two, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_maps_come_with_the_same_outputs(norm: Any) -> None:
    encoder, decoder = sides(norm)
    source, target = torch.randn(3, 7, WIDTH), torch.randn(3, 5, WIDTH)
    inside = torch.arange(7) < torch.tensor([7, 4, 2])[:, None]
    fused = encoder(source, inside[:, None])
    read, maps = encoder(source, inside[:, None], return_attention=True)
    torch.testing.assert_close(read, fused, atol=1e-5, rtol=0)
    memory = decoder.memory(read)
    outputs, _, weights = decoder(target, Kept(), memory, inside[:, None], True)
    torch.testing.assert_close(outputs, decoder(target, Kept(), memory, inside[:, None])[0], atol=1e-5, rtol=0)
    assert len(maps) == LAYERS
    assert len(weights) == 2 * LAYERS
    for own in (*maps, *weights):
        torch.testing.assert_close(own.sum(-1), torch.ones(own.shape[:-1]), atol=1e-5, rtol=0)
    for own in (*maps, *weights[1::2]):  # no padding is looked at
        assert own.masked_select(~inside[:, None, None].expand_as(own)).abs().max() == 0
    for own in weights[0::2]:  # and nothing that is to come
        assert own.masked_select(~before(5, 5).expand_as(own)).abs().max() == 0


def network(**options: Any) -> EncoderDecoder:
    torch.manual_seed(2)
    made = EncoderDecoder(30, WIDTH, TransformerPair(WIDTH, HEADS, FORWARD, LAYERS, **options), padding=0)
    return with_biases(made).eval()


@pytest.mark.parametrize("places", [0, 16])
def test_padding_is_invisible(places: int) -> None:
    made = network(places=places)
    source, written = torch.randint(4, 30, (3, 9)), torch.randint(4, 30, (3, 6))
    lengths = torch.tensor([9, 5, 2])
    for row, length in enumerate(lengths.tolist()):
        source[row, length:] = 0
    batch = made(source, lengths, written)
    for row, length in enumerate(lengths.tolist()):
        alone = made(source[row : row + 1, :length], lengths[row : row + 1], written[row : row + 1])
        torch.testing.assert_close(batch[row], alone[0], atol=1e-5, rtol=1e-5)
    source[1, 5:] = 7  # whatever fills up
    torch.testing.assert_close(made(source, lengths, written), batch, atol=1e-6, rtol=0)


def test_what_comes_later_is_not_seen() -> None:
    made = network()
    source, written = torch.randint(4, 30, (1, 5)), torch.randint(4, 30, (1, 6))
    found = made(source, torch.tensor([5]), written)
    changed = written.clone()
    changed[0, 4] = (changed[0, 4] + 1) % 30
    other = made(source, torch.tensor([5]), changed)
    torch.testing.assert_close(found[:, :4], other[:, :4], atol=1e-6, rtol=0)
    assert (found[:, 4:] - other[:, 4:]).abs().max() > 1e-3


def test_steps_are_reading_at_once() -> None:
    made = network()
    source, written, lengths = torch.randint(4, 30, (2, 5)), torch.randint(4, 30, (2, 6)), torch.tensor([5, 3])
    whole = made(source, lengths, written)
    memory = made.encode(source, lengths)
    state = made.sides.begin(memory)
    for place in range(6):
        scores, state = made.step(written[:, place], memory, state)
        torch.testing.assert_close(scores, whole[:, place], atol=1e-5, rtol=1e-5)


def test_learned_positions_end() -> None:
    made = network(places=4)
    with pytest.raises(ConfigurationError, match="learned positions end after 4 tokens; found a text of 5"):
        made(torch.ones(1, 5, dtype=torch.int64), torch.tensor([5]), torch.ones(1, 2, dtype=torch.int64))


def test_an_activation_that_is_none_is_an_error() -> None:
    with pytest.raises(ConfigurationError, match='there is no activation "tanh"'):
        DecoderBlock(WIDTH, HEADS, FORWARD, activation="tanh")
