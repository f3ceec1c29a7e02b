"""Networks over texts as graphs: tokens and lengths in, scores out; padding has no part in it."""

from collections.abc import Callable
from typing import Any, cast

import numpy as np
from torch import nn

from ..nn.embedding import UNKNOWN, NgramEmbedding
from ..nn.readers import AttentionReader, ConvolutionReader, ConvolutionRecurrentReader, MeanReader, RecurrentReader
from ..nn.recurrent import Bidirectional, Recurrent
from ..nn.texts import TextNetwork
from .encoders import encoder
from .layers import convolutions, dense, longest_of, recurrent
from .onnx_graph import SHORT, SINGLE, Graph


def over_texts(graph: Graph, network: TextNetwork, read: str, lengths: str) -> str:
    """A network over texts.

    Args:
        graph: Grows by it.
        network: As it predicts.
        read: The numbers of tokens, (batch, place), filled up with zeros; for a network of n-grams the numbers of
            vectors, (batch, ngram, place).
        lengths: How many tokens each text has, (batch).

    Returns:
        The scores, (batch, score).
    """
    embedding = network.embedding
    if isinstance(embedding, NgramEmbedding):
        weights = embedding.weight.detach() * embedding.factors[:, None]
        vectors = graph.add("Gather", graph.constant(weights), read)
        vectors = graph.add("ReduceSum", vectors, graph.whole(1), keepdims=0)
    else:
        vectors = graph.add("Gather", graph.constant(embedding.weight), known(graph, read, embedding.tokens))
    found = _READERS[type(network.reader)](graph, network.reader, str(vectors), lengths)
    return dense(graph, found, network.head)


def known(graph: Graph, tokens: str, count: int) -> str:
    """Tokens, those beyond the ones that a network knows as unknown."""
    inside = graph.add("Less", tokens, graph.constant(np.array(count)))
    return str(graph.add("Where", inside, tokens, graph.constant(np.array(UNKNOWN))))


def cut(graph: Graph, tokens: str, lengths: str, length: int, *, front: bool) -> tuple[str, str]:
    """Texts cut to a length, and how many tokens are left of each.

    Args:
        graph: Grows by it.
        tokens: (batch, place), filled up with zeros.
        lengths: How many tokens each text has, (batch).
        length: Most that are read.
        front: Whether longer texts are cut at their front.
    """
    most, none = graph.constant(np.array(length)), graph.constant(np.array(0))
    left = str(graph.add("Min", lengths, most))
    size = graph.add("Squeeze", graph.size(tokens, 1), graph.whole(0))
    order = graph.add("Range", none, graph.add("Min", size, most), graph.constant(np.array(1)))
    first = graph.add("Sub", lengths, left) if front else graph.add("Sub", left, left)
    places = graph.add("Add", order, graph.add("Unsqueeze", first, graph.whole(1)))
    # A short text's place may lie beyond the batch; what stands there in its stead does not count.
    inside = graph.add("Min", places, graph.add("Sub", size, graph.constant(np.array(1))))
    own = graph.add("Less", order, graph.add("Unsqueeze", left, graph.whole(1)))
    return str(graph.add("Where", own, graph.add("GatherElements", tokens, inside, axis=1), none)), left


def _mean(graph: Graph, reader: MeanReader, vectors: str, lengths: str) -> str:
    places = graph.add("Cast", graph.add("Unsqueeze", lengths, graph.whole(1)), to=SINGLE)
    places = graph.add("Sqrt", places) if reader.root else places
    return str(graph.add("Div", graph.add("ReduceSum", vectors, graph.whole(1), keepdims=0), places))


def _recurrent(graph: Graph, reader: RecurrentReader, vectors: str, lengths: str) -> str:
    steps = str(graph.add("Cast", lengths, to=SHORT))
    layers = cast("list[Recurrent | Bidirectional]", list(reader.layers))
    for layer in layers:
        vectors = recurrent(graph, vectors, layer, steps)
    last = layers[-1]
    every_step = (last.ahead if isinstance(last, Bidirectional) else last).return_sequences
    return _pooled(graph, vectors, lengths, reader.pooling) if every_step else vectors


def _convolution(graph: Graph, reader: ConvolutionReader, vectors: str, lengths: str) -> str:
    parts = [
        _pooled(graph, convolutions(graph, vectors, cast(Any, branch)), lengths, reader.pooling)
        for branch in reader.branches
    ]
    return parts[0] if len(parts) == 1 else str(graph.add("Concat", *parts, axis=1))


def _convolution_recurrent(graph: Graph, reader: ConvolutionRecurrentReader, vectors: str, lengths: str) -> str:
    found = convolutions(graph, vectors, reader.convolution)
    own = graph.add("Cast", graph.add("Unsqueeze", _inside(graph, found, lengths), graph.whole(2)), to=SINGLE)
    shorter = longest_of(graph, str(graph.add("Mul", found, own)), reader.pool_size)
    size, rest = graph.constant(np.array(reader.pool_size)), graph.constant(np.array(reader.pool_size - 1))
    return _recurrent(graph, reader.recurrent, shorter, str(graph.add("Div", graph.add("Add", lengths, rest), size)))


def _attention(graph: Graph, reader: AttentionReader, vectors: str, lengths: str) -> str:
    places = graph.add("Slice", graph.constant(reader.positions), graph.whole(0), graph.size(vectors, 1))
    allowed = str(graph.add("Unsqueeze", _inside(graph, vectors, lengths), graph.whole(1, 2)))
    found = encoder(graph, str(graph.add("Add", vectors, places)), reader.encoder, allowed)
    return _pooled(graph, found, lengths, reader.pooling)


def _pooled(graph: Graph, sequences: str, lengths: str, pooling: str) -> str:
    """One vector of those at a text's own places: (batch, place, unit) → (batch, unit)."""
    if pooling == "last":
        last = graph.add("Sub", lengths, graph.constant(np.array(1)))
        place = graph.add("Unsqueeze", last, graph.whole(1))
        return str(graph.add("GatherND", sequences, place, batch_dims=1))
    own = graph.add("Unsqueeze", _inside(graph, sequences, lengths), graph.whole(2))
    nothing = graph.constant(np.array(-np.inf if pooling == "maximum" else 0.0, np.float32))
    kept = graph.add("Where", own, sequences, nothing)
    if pooling == "maximum":
        return str(graph.add("ReduceMax", kept, axes=[1], keepdims=0))
    total = graph.add("ReduceSum", kept, graph.whole(1), keepdims=0)
    return str(graph.add("Div", total, graph.add("Cast", graph.add("Unsqueeze", lengths, graph.whole(1)), to=SINGLE)))


def _inside(graph: Graph, sequences: str, lengths: str) -> str:
    """Which places are a text's own, (batch, place)."""
    size = graph.add("Squeeze", graph.size(sequences, 1), graph.whole(0))
    order = graph.add("Range", graph.constant(np.array(0)), size, graph.constant(np.array(1)))
    return str(graph.add("Less", order, graph.add("Unsqueeze", lengths, graph.whole(1))))


_READERS: dict[type[nn.Module], Callable[[Graph, Any, str, str], str]] = {
    MeanReader: _mean,
    RecurrentReader: _recurrent,
    ConvolutionReader: _convolution,
    ConvolutionRecurrentReader: _convolution_recurrent,
    AttentionReader: _attention,
}
