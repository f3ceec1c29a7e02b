"""Layers that many networks have, as ONNX's nodes: dense and recurrent ones, convolutions, patches, normalisations."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from torch import nn

from ..errors import ConfigurationError
from ..nn.channels import Patches, ReversibleNormalisation
from ..nn.convolution import Convolutions
from ..nn.recurrent import Bidirectional, Recurrent
from .onnx_graph import Graph

_ROOT_TWO = 2**0.5


def dense(graph: Graph, own: str, layers: nn.Module) -> str:
    """Dense layers with activations between them, over the last axis.

    Args:
        graph: Grows by them.
        own: What they read.
        layers: One dense layer, or several with activations in a sequence.

    Raises:
        ConfigurationError: Something else is among them.
    """
    for layer in layers if isinstance(layers, nn.Sequential) else [layers]:
        if isinstance(layer, nn.Linear):
            own = graph.linear(own, layer)
        elif isinstance(layer, nn.ReLU):
            own = graph.add("Relu", own)
        elif isinstance(layer, nn.GELU):
            own = _gelu(graph, own)
        else:
            raise ConfigurationError(f"there is no graph of {type(layer).__name__} among dense layers")
    return own


def recurrent(graph: Graph, own: str, layer: Recurrent | Bidirectional, lengths: str = "") -> str:
    """A recurrent layer as torch reads it: all states or the last one, directions merged.

    Args:
        graph: Grows by one node of ONNX's GRU, LSTM or RNN, and what merges its directions.
        own: The sequences, (batch, time, feature).
        layer: One layer, in one direction or in both.
        lengths: Steps of each, 32-bit whole numbers; all where empty.

    Returns:
        The states, (batch, time, unit), or the last one, (batch, unit).

    Raises:
        ConfigurationError: ONNX has no such layer.
    """
    steps, ends = graph.recurrent(own, layer, lengths)
    both = isinstance(layer, Bidirectional)
    first = layer.ahead if isinstance(layer, Bidirectional) else layer
    if first.return_sequences:
        if not isinstance(layer, Bidirectional) or layer.merge == "concatenate":
            return steps
        return _merged(graph, layer.merge, graph.add("Split", steps, outputs=2, axis=-1), -1)
    parts = graph.add("Split", ends[0], outputs=2, axis=0) if both else [ends[0]]
    last = [str(graph.add("Squeeze", part, graph.whole(0))) for part in parts]
    return _merged(graph, layer.merge, last, -1) if isinstance(layer, Bidirectional) else last[0]


def convolutions(graph: Graph, own: str, layers: Convolutions) -> str:
    """Convolutions along time with pooling between them: (batch, time, feature) → (batch, place, filter)."""
    found = graph.add("Transpose", own, perm=[0, 2, 1])
    size, same = layers.kernel_size, layers.padding == "same"
    pads = [(size - 1) // 2, size // 2] if same else [0, 0]
    for number, layer in enumerate(layers.layers):
        if number:
            found = _pooled(graph, found, layers.pool == "maximum", layers.pool_size, same)
        if isinstance(layer, nn.Conv1d) and layer.bias is not None:
            weights = (graph.constant(layer.weight), graph.constant(layer.bias))
            found = graph.add("Relu", graph.add("Conv", found, *weights, kernel_shape=[size], pads=pads))
    return str(graph.add("Transpose", found, perm=[0, 2, 1]))


def longest_of(graph: Graph, own: str, size: int) -> str:
    """The maximum of each so many places, what is left at the end included: (batch, place, filter) likewise."""
    turned = graph.add("Transpose", own, perm=[0, 2, 1])
    return str(graph.add("Transpose", _pooled(graph, turned, True, size, True), perm=[0, 2, 1]))


def mean_of(graph: Graph, parts: Sequence[str]) -> str:
    """The mean of several answers of double precision, of which onnxruntime knows no mean."""
    total = parts[0]
    for part in parts[1:]:
        total = str(graph.add("Add", total, part))
    return str(graph.add("Div", total, graph.constant(np.array(float(len(parts))))))


def patches(graph: Graph, series: str, layer: Patches, steps: int) -> str:
    """A window cut into patches: (row, time) → (row, patch, step), the first value repeated before the window."""
    places = np.arange(layer.count)[:, None] * layer.stride + np.arange(layer.patch) - layer.missing
    return str(graph.add("Gather", series, graph.constant(np.clip(places, 0, steps - 1)), axis=1))


def normalised(graph: Graph, series: str, layer: ReversibleNormalisation) -> tuple[str, Callable[[str], str]]:
    """Windows told relative to themselves, (row, time), and what puts forecasts back, (row, number)."""
    if layer.kind == "none":
        return series, lambda forecasts: forecasts
    if layer.kind == "last":
        last = graph.add("Gather", series, graph.whole(-1), axis=1)
        return graph.add("Sub", series, last), lambda forecasts: str(graph.add("Add", forecasts, last))
    mean = graph.add("ReduceMean", series, axes=[1], keepdims=1)
    apart = graph.add("Sub", series, mean)
    variance = graph.add("ReduceMean", graph.add("Mul", apart, apart), axes=[1], keepdims=1)
    floor = graph.constant(np.array(layer.floor, np.float32))
    deviation = graph.add("Sqrt", graph.add("Add", variance, floor))
    weight, bias = graph.constant(layer.weight), graph.constant(layer.bias)
    scaled = graph.add("Add", graph.add("Mul", graph.add("Div", apart, deviation), weight), bias)

    def reverse(forecasts: str) -> str:
        plain = graph.add("Div", graph.add("Sub", forecasts, bias), weight)
        return str(graph.add("Add", graph.add("Mul", plain, deviation), mean))

    return scaled, reverse


def _gelu(graph: Graph, own: str) -> str:
    """x/2 · (1 + erf(x/√2)): ONNX has a node of its own from opset 20 on, which runtimes must know."""
    half, one, root = (graph.constant(np.array(value, np.float32)) for value in (0.5, 1.0, _ROOT_TWO))
    share = graph.add("Add", graph.add("Erf", graph.add("Div", own, root)), one)
    return str(graph.add("Mul", graph.add("Mul", own, half), share))


def _merged(graph: Graph, merge: str, parts: list[str], axis: int) -> str:
    """Both directions as one."""
    if merge == "concatenate":
        return str(graph.add("Concat", *parts, axis=axis))
    if merge == "product":
        return str(graph.add("Mul", *parts))
    return str(graph.add("Mean" if merge == "mean" else "Add", *parts))


def _pooled(graph: Graph, own: str, maximum: bool, size: int, whole: bool) -> str:
    """Pooling along the last axis; what is left at its end is pooled as well where ``whole``."""
    shape: dict[str, Any] = {"kernel_shape": [size], "strides": [size], "ceil_mode": int(whole)}
    if maximum:
        return str(graph.add("MaxPool", own, **shape))
    return str(graph.add("AveragePool", own, **shape, count_include_pad=0))
