"""Recurrent encoders and decoders and their attention: against plain loops, step by step, alone and in a batch."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from foretell.nn import GRU, LSTM, AdditiveAttention, Bidirectional, EncoderDecoder, MultiplicativeAttention
from foretell.nn.encoder_decoder import Maps, RecurrentPair
from foretell.tasks import task_rungs
from foretell.tasks.translate.config import Configuration
from foretell.tasks.translate.rungs import NETWORKS, build_network

from .made_layers import with_biases

KINDS = [(LSTM, ""), (GRU, "additive"), (LSTM, "multiplicative"), (GRU, "multiplicative")]


def network(kind: Any, attention: str, layers: int = 1) -> EncoderDecoder:
    torch.manual_seed(4)
    encoder = [Bidirectional(kind(8 if number == 0 else 10, 5, return_sequences=True)) for number in range(layers)]
    decoder = [kind(8 if number == 0 else 6, 6, return_sequences=True) for number in range(layers)]
    made: Any = {"additive": AdditiveAttention(6, 10, 7), "multiplicative": MultiplicativeAttention(6, 10)}
    return with_biases(EncoderDecoder(30, 8, RecurrentPair(encoder, decoder, made.get(attention)), 0)).eval()


def some() -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(1)
    source, written, lengths = torch.randint(4, 30, (3, 7)), torch.randint(4, 30, (3, 5)), torch.tensor([7, 4, 1])
    for row, length in enumerate(lengths.tolist()):
        source[row, length:] = 0
    return source, lengths, written


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize(("kind", "attention"), KINDS)
def test_a_text_alone_is_the_same_as_in_a_batch(kind: Any, attention: str, layers: int) -> None:
    made, (source, lengths, written) = network(kind, attention, layers), some()
    batch = made(source, lengths, written)
    for row, length in enumerate(lengths.tolist()):
        alone = made(source[row : row + 1, :length], lengths[row : row + 1], written[row : row + 1])
        torch.testing.assert_close(batch[row], alone[0], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize(("kind", "attention"), KINDS)
def test_steps_are_reading_at_once(kind: Any, attention: str, layers: int) -> None:
    made, (source, lengths, written) = network(kind, attention, layers), some()
    whole = made(source, lengths, written)
    memory = made.encode(source, lengths)
    state = made.sides.begin(memory)
    for place in range(written.shape[1]):
        scores, state = made.step(written[:, place], memory, state)
        torch.testing.assert_close(scores, whole[:, place], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("kind", "attention"), KINDS[1:])
def test_rows_that_follow_each_other_share_a_memory(kind: Any, attention: str) -> None:
    made, (source, lengths, _) = network(kind, attention), some()
    memory = made.encode(source, lengths)
    state = tuple(part.repeat_interleave(2, 0) for part in made.sides.begin(memory))
    tokens = torch.randint(4, 30, (6,))
    shared, _ = made.step(tokens, memory, state)
    expected, _ = made.step(tokens, tuple(part.repeat_interleave(2, 0) for part in memory), state)
    torch.testing.assert_close(shared, expected, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize(("kind", "attention"), KINDS)
def test_maps_come_with_the_same_outputs(kind: Any, attention: str) -> None:
    made, (source, lengths, written) = network(kind, attention), some()
    maps: Maps = {}
    memory = made.encode(source, lengths, maps)
    outputs, _ = made.sides.decode(made.embedded(written), memory, made.sides.begin(memory), maps)
    torch.testing.assert_close(made.scores(outputs), made(source, lengths, written), atol=1e-6, rtol=0)
    if not attention:
        assert maps == {}
        return
    (weights,) = maps["cross"]
    assert weights.shape == (3, 1, 5, 7)
    torch.testing.assert_close(weights.sum(-1), torch.ones(3, 1, 5), atol=1e-5, rtol=0)
    assert weights[1, :, :, 4:].abs().max() == 0


def test_additive_attention_is_bahdanaus_formula() -> None:
    torch.manual_seed(0)
    attention = with_biases(AdditiveAttention(3, 4, 5)).requires_grad_(False)
    asking, asked = torch.randn(1, 2, 3), torch.randn(1, 6, 4)
    context, weights = attention(asking, asked, attention.keys(asked))
    w, u, b, v = attention.query.weight, attention.key.weight, attention.key.bias, attention.score.weight[0]
    for query in range(2):
        scores = [float(v @ torch.tanh(w @ asking[0, query] + u @ asked[0, key] + b)) for key in range(6)]
        _same(scores, weights[0, query], context[0, query], asked[0])


def test_multiplicative_attention_is_luongs_formula() -> None:
    torch.manual_seed(0)
    attention = MultiplicativeAttention(3, 4).requires_grad_(False)
    asking, asked = torch.randn(1, 2, 3), torch.randn(1, 6, 4)
    context, weights = attention(asking, asked, attention.keys(asked))
    for query in range(2):
        scores = [float(asking[0, query] @ attention.key.weight @ asked[0, key]) for key in range(6)]
        _same(scores, weights[0, query], context[0, query], asked[0])


def _same(scores: list[float], weights: Tensor, context: Tensor, asked: Tensor) -> None:
    powers = [math.exp(score) for score in scores]
    shares = [power / sum(powers) for power in powers]
    torch.testing.assert_close(weights, torch.tensor(shares), atol=1e-6, rtol=1e-5)
    expected = sum(share * own for share, own in zip(shares, asked, strict=True))
    torch.testing.assert_close(context, expected, atol=1e-6, rtol=1e-5)


def test_the_surprise_is_that_of_the_scores() -> None:
    made, (source, lengths, written) = network(GRU, "additive"), some()
    asked = torch.randint(1, 30, written.shape)
    asked[1, 3:] = 0
    scores = made(source, lengths, written)
    expected = torch.nn.functional.cross_entropy(scores.flatten(0, 1), asked.flatten(), ignore_index=0, reduction="sum")
    torch.testing.assert_close(made(source, lengths, written, asked), expected, atol=1e-4, rtol=1e-5)
    made.smoothing = 0.1
    torch.testing.assert_close(made(source, lengths, written, asked), expected, atol=1e-4, rtol=1e-5)
    smooth = torch.nn.functional.cross_entropy(
        scores.flatten(0, 1), asked.flatten(), ignore_index=0, reduction="sum", label_smoothing=0.1
    )
    torch.testing.assert_close(made.train()(source, lengths, written, asked), smooth, atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize(("rung", "million"), [("transformer-base", 65), ("transformer-big", 213)])
def test_the_papers_networks_have_as_many_weights_as_it_prints(rung: str, million: int) -> None:
    section = Configuration().of_rung(task_rungs("translate")[rung].options).network
    with torch.device("meta"):
        made = build_network(rung, 37_000, section)
    weights = sum(weight.numel() for weight in made.parameters())
    assert abs(weights / (million * 1e6) - 1) < 0.04


def test_tiny_is_as_tiny_as_its_paper_says() -> None:
    section = Configuration().of_rung(task_rungs("translate")["transformer-tiny"].options).network
    assert (section.embedding, section.layers, section.feed_forward, section.heads) == (128, 4, 256, 4)
    assert section.dropout == 0.3
    made = build_network("transformer-tiny", 10_000, section)
    assert sum(weight.numel() for weight in made.parameters()) == pytest.approx(2.6e6, rel=0.03)


@pytest.mark.parametrize("rung", list(NETWORKS))
def test_every_network_learns(rung: str) -> None:
    section = Configuration().of_rung(task_rungs("translate")[rung].options).network
    small = section.model_copy(update={"embedding": 16, "units": (8,), "heads": 2, "layers": 1, "feed_forward": 16})
    torch.manual_seed(0)
    made = build_network(rung, 20, small)
    source, written = torch.randint(4, 20, (4, 6)), torch.randint(4, 20, (4, 5))
    made(source, torch.tensor([6, 5, 4, 2]), written, written).backward()
    for name, weight in made.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.isfinite().all(), name
