"""Networks over windows as graphs: (batch, time, feature) in, (batch, lead, number) out."""

from collections.abc import Callable
from typing import Any, cast

import numpy as np
from torch import nn

from ..errors import ConfigurationError
from ..nn.channels import ChannelNetwork, PatchTransformer, SegmentRecurrent, TrendAndRemainder
from ..nn.heads import ChangeFromLast, KnownAhead
from ..nn.networks import (
    ConvolutionNetwork,
    ConvolutionRecurrentNetwork,
    PerceptronNetwork,
    RecurrentNetwork,
    TransformerNetwork,
)
from .encoders import encoder
from .layers import convolutions, dense, normalised, patches, recurrent
from .onnx_graph import Graph

Shape = tuple[int, int]
"""Steps of a window, and numbers at each."""


def over_windows(graph: Graph, network: nn.Module, inputs: str, shape: Shape, known: str = "") -> str:
    """A network over windows.

    Args:
        graph: Grows by it.
        network: As it predicts.
        inputs: What it reads of each window, (batch, time, feature).
        shape: Steps of a window, and features.
        known: What it reads of each lead, (batch, lead, known), where it reads that.

    Returns:
        What it says, (batch, lead, number).

    Raises:
        ConfigurationError: There is no graph of such a network.
    """
    if isinstance(network, KnownAhead):
        said = over_windows(graph, network.network, inputs, shape)
        return str(graph.add("Add", said, dense(graph, known, network.known)))
    if isinstance(network, ChangeFromLast):
        said = over_windows(graph, network.network, inputs, shape)
        last = graph.add("Gather", inputs, graph.whole(shape[0] - 1), axis=1)
        places = np.repeat(np.array(network.places, np.int64), network.numbers)
        return str(graph.add("Add", said, graph.add("Gather", last, graph.constant(places), axis=2)))
    write = _NETWORKS.get(type(network))
    if write is None:
        raise ConfigurationError(f"there is no graph of {type(network).__name__}: it cannot go --to onnx")
    return write(graph, network, inputs, shape)


def _perceptron(graph: Graph, network: PerceptronNetwork, inputs: str, shape: Shape) -> str:
    flat = graph.add("Reshape", inputs, graph.whole(0, shape[0] * shape[1]))
    hidden = graph.add("Relu", graph.linear(flat, network.hidden))
    return _leads(graph, dense(graph, hidden, network.head), network.output_shape)


def _recurrent(graph: Graph, network: RecurrentNetwork, inputs: str, shape: Shape) -> str:
    layers = network.recurrent if isinstance(network.recurrent, nn.Sequential) else [network.recurrent]
    for layer in layers:
        inputs = recurrent(graph, inputs, cast(Any, layer))
    return _leads(graph, dense(graph, inputs, network.head), network.output_shape)


def _convolution(graph: Graph, network: ConvolutionNetwork, inputs: str, shape: Shape) -> str:
    found = convolutions(graph, inputs, network.convolutions)
    if network.pool:
        kind = "ReduceMax" if network.pool == "maximum" else "ReduceMean"
        found = graph.add(kind, found, axes=[1], keepdims=0)
    else:
        width = network.convolutions.width * network.convolutions.length(shape[0])
        found = graph.add("Reshape", found, graph.whole(0, width))
    return _leads(graph, dense(graph, found, network.head), network.output_shape)


def _convolution_recurrent(graph: Graph, network: ConvolutionRecurrentNetwork, inputs: str, shape: Shape) -> str:
    state = recurrent(graph, convolutions(graph, inputs, network.convolutions), network.recurrent)
    return _leads(graph, dense(graph, state, network.head), network.output_shape)


def _transformer(graph: Graph, network: TransformerNetwork, inputs: str, shape: Shape) -> str:
    positions = graph.add("Add", graph.linear(inputs, network.embed), graph.constant(network.positions))
    found = encoder(graph, positions, network.encoder)
    last = graph.add("Gather", found, graph.constant(np.array(shape[0] - 1)), axis=1)
    return _leads(graph, dense(graph, last, network.head), network.output_shape)


def _channels(graph: Graph, network: ChannelNetwork, inputs: str, shape: Shape) -> str:
    """Each target's window is a row of its own; afterwards targets stand beside each other again."""
    steps, targets = shape
    leads, numbers = network.output_shape
    turned = graph.add("Transpose", inputs, perm=[0, 2, 1])
    series = graph.add("Reshape", turned, graph.whole(-1, steps))
    said = _CHANNELS[type(network.channel)](graph, network.channel, series, steps)
    apart = graph.add("Reshape", said, graph.whole(-1, targets, leads, numbers))
    by_lead = graph.add("Transpose", apart, perm=[0, 2, 1, 3])
    return str(graph.add("Reshape", by_lead, graph.whole(0, leads, targets * numbers)))


def _trend(graph: Graph, channel: TrendAndRemainder, series: str, steps: int) -> str:
    series, reverse = normalised(graph, series, channel.normalisation)
    ends = ((channel.average - 1) // 2, channel.average // 2)
    places = np.clip(np.arange(-ends[0], steps + ends[1]), 0, steps - 1)
    padded = graph.add("Unsqueeze", graph.add("Gather", series, graph.constant(places), axis=1), graph.whole(1))
    trend = graph.add("AveragePool", padded, kernel_shape=[channel.average])
    trend = graph.add("Squeeze", trend, graph.whole(1))
    rest = graph.linear(graph.add("Sub", series, trend), channel.remainder)
    return reverse(str(graph.add("Add", graph.linear(trend, channel.trend), rest)))


def _patches(graph: Graph, channel: PatchTransformer, series: str, steps: int) -> str:
    series, reverse = normalised(graph, series, channel.normalisation)
    cut = patches(graph, series, channel.patches, steps)
    positions = graph.add("Add", graph.linear(cut, channel.embed), graph.constant(channel.positions))
    found = encoder(graph, positions, channel.encoder)
    flat = graph.add("Reshape", found, graph.whole(0, channel.patches.count * channel.embed.out_features))
    return reverse(dense(graph, flat, channel.head))


def _segments(graph: Graph, channel: SegmentRecurrent, series: str, steps: int) -> str:
    series, reverse = normalised(graph, series, channel.normalisation)
    cut = graph.add("Relu", graph.linear(patches(graph, series, channel.patches, steps), channel.embed))
    return reverse(dense(graph, recurrent(graph, cut, channel.recurrent), channel.head))


def _leads(graph: Graph, said: str, shape: Shape) -> str:
    return str(graph.add("Reshape", said, graph.whole(0, *shape)))


_NETWORKS: dict[type[nn.Module], Callable[[Graph, Any, str, Shape], str]] = {
    PerceptronNetwork: _perceptron,
    RecurrentNetwork: _recurrent,
    ConvolutionNetwork: _convolution,
    ConvolutionRecurrentNetwork: _convolution_recurrent,
    TransformerNetwork: _transformer,
    ChannelNetwork: _channels,
}
_CHANNELS: dict[type[nn.Module], Callable[[Graph, Any, str, int], str]] = {
    TrendAndRemainder: _trend,
    PatchTransformer: _patches,
    SegmentRecurrent: _segments,
}
