"""The Transformer's encoder as ONNX's nodes: attention in several heads, dense layers, normalisations."""

from typing import cast

import numpy as np
from torch import nn

from ..nn.attention import MultiHeadAttention
from ..nn.transformer import Encoder, EncoderBlock
from .layers import dense
from .onnx_graph import Graph


def encoder(graph: Graph, positions: str, layers: Encoder, allowed: str = "") -> str:
    """Encoder blocks one upon the other.

    Args:
        graph: Grows by them.
        positions: Of a batch of sequences, (batch, place, unit).
        layers: The blocks.
        allowed: Which places may be attended to, (batch, 1, 1, place); all where empty.
    """
    for block in layers.blocks:
        positions = _block(graph, positions, cast(EncoderBlock, block), allowed)
    return _normalised(graph, positions, layers.norm)


def _block(graph: Graph, positions: str, block: EncoderBlock, allowed: str) -> str:
    before = block.norm == "pre"
    read = _normalised(graph, positions, block.attention_norm) if before else positions
    positions = str(graph.add("Add", positions, _attention(graph, read, block.attention, allowed)))
    positions = positions if before else _normalised(graph, positions, block.attention_norm)
    read = _normalised(graph, positions, block.dense_norm) if before else positions
    positions = str(graph.add("Add", positions, dense(graph, read, block.dense)))
    return positions if before else _normalised(graph, positions, block.dense_norm)


def _attention(graph: Graph, read: str, attention: MultiHeadAttention, allowed: str) -> str:
    """softmax(QKᵀ/√d)V in each head, merged."""
    width = attention.query.out_features
    own = width // attention.heads
    apart = graph.whole(0, 0, attention.heads, own)
    parts = [
        graph.add("Reshape", graph.linear(read, layer), apart)
        for layer in (attention.query, attention.key, attention.value)
    ]
    query, value = (graph.add("Transpose", part, perm=[0, 2, 1, 3]) for part in (parts[0], parts[2]))
    key = graph.add("Transpose", parts[1], perm=[0, 2, 3, 1])
    root = graph.constant(np.array(own**0.5, np.float32))
    fits = graph.add("Div", graph.add("MatMul", query, key), root)
    if allowed:
        fits = graph.add("Where", allowed, fits, graph.constant(np.array(-np.inf, np.float32)))
    found = graph.add("MatMul", graph.add("Softmax", fits, axis=-1), value)
    together = graph.add("Reshape", graph.add("Transpose", found, perm=[0, 2, 1, 3]), graph.whole(0, 0, width))
    return graph.linear(together, attention.merge)


def _normalised(graph: Graph, positions: str, norm: nn.Module) -> str:
    if not isinstance(norm, nn.LayerNorm):  # where blocks normalise what they wrote, nothing is left to do at the end
        return positions
    own = (graph.constant(norm.weight), graph.constant(norm.bias))
    return str(graph.add("LayerNormalization", positions, *own, axis=-1, epsilon=norm.eps))
