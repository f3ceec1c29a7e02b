"""Rung names → networks over texts, and the options that each of them reads."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float32

from ...config import TrainingSection
from ...errors import ConfigurationError
from ...nn import (
    AttentionReader,
    ConvolutionReader,
    ConvolutionRecurrentReader,
    MeanReader,
    NgramEmbedding,
    RecurrentReader,
    TextNetwork,
    TokenEmbedding,
)
from ...nn.embedding import SPREAD
from ..layers import recurrent_layers, sizes
from .config import Configuration, TextNetworkSection

MAJORITY, ENSEMBLE = "majority", "ensemble"
LINEAR = ("tfidf", "nb-svm")
TRAINS = set(TrainingSection.owned()) | {"class_weight", "label_smoothing", "steps_per_epoch", "precision", "kernel"}
"""Options of training that networks alone read."""


@dataclass(frozen=True)
class TextShape:
    """What a network's layers must fit.

    Attributes:
        tokens: How many there are.
        outputs: Scores.
        length: Tokens of the longest text.
        embedding: Numbers of a token's vector.
        known: N-grams that have a vector as well.
    """

    tokens: int
    outputs: int
    length: int
    embedding: int
    known: int = 0


@dataclass(frozen=True)
class NetworkRung:
    """How a rung's network is made, the options of networks that have a part in it, and whether it counts n-grams."""

    build: Callable[[TextShape, TextNetworkSection], TextNetwork]
    reads: frozenset[str]
    counts: bool = False


_COMMON = frozenset({"embedding", "vectors", "train_vectors", "dropout", "head"})
_BAG = _COMMON | {"ngrams", "buckets", "weighting"}
_CELLS = _COMMON | {"units", "layers", "activation", "direction", "merge", "recurrent_dropout", "mask", "pooling"}


def build_network(rung: str, shape: TextShape, section: TextNetworkSection) -> TextNetwork:
    """A rung's network.

    Args:
        rung: Its name.
        shape: What it must fit.
        section: The options, none left open.

    Raises:
        ConfigurationError: The options contradict each other.
    """
    return NETWORKS[rung].build(shape, section)


def with_vectors(network: TextNetwork, values: Float32[np.ndarray, "token unit"], known: np.ndarray) -> None:
    """Gives tokens the vectors that a file has for them."""
    with torch.no_grad():
        rows = torch.from_numpy(np.flatnonzero(known))
        network.embedding.weight[rows] = torch.from_numpy(values[known])


def unread(configuration: Configuration, rungs: Sequence[str]) -> list[str]:
    """The options that were named and have no part in any of some rungs.

    Args:
        configuration: All options.
        rungs: Names.
    """
    read = {name for rung in rungs if rung in NETWORKS for name in NETWORKS[rung].reads}
    networks = [rung for rung in rungs if rung in NETWORKS]
    idle = sorted(configuration.network.unusual() - read)
    if configuration.network.vectors is None:
        idle += sorted(configuration.network.unusual() & {"train_vectors"} - set(idle))
    if not networks:
        idle += sorted(configuration.training.unusual() & TRAINS)
        pieces = {"vocabulary"} if configuration.tokens.tokens == "bpe" else set()  # of which they are so many
        idle += sorted(configuration.tokens.unusual() & {"vocabulary", "length", "truncate"} - pieces)
    if "nb-svm" not in rungs:
        idle += sorted(configuration.linear.unusual() & {"linear_ngrams"})
    return idle


def _bag(shape: TextShape, section: TextNetworkSection) -> TextNetwork:
    embedding = NgramEmbedding(shape.tokens, shape.embedding, section.ngrams, shape.known)
    reader = MeanReader(shape.embedding, root=section.weighting != "none")
    return TextNetwork(embedding, reader, shape.outputs, section.dropout, section.head)


def _embedding(shape: TextShape) -> TokenEmbedding:
    return TokenEmbedding(shape.tokens, shape.embedding)


def _recurrent(kind: str) -> NetworkRung:
    def build(shape: TextShape, section: TextNetworkSection) -> TextNetwork:
        every_step = section.pooling != "last"
        layers = recurrent_layers(kind, shape.embedding, section, sizes(section), every_step=every_step)
        reader = RecurrentReader(layers, section.pooling)
        return TextNetwork(_embedding(shape), reader, shape.outputs, section.dropout, section.head)

    return NetworkRung(build, _CELLS | {"reset"} if kind == "gru" else _CELLS)


def _convolution(shape: TextShape, section: TextNetworkSection) -> TextNetwork:
    if len(section.units) > 1:
        raise ConfigurationError(
            "convolutions side by side have as many filters each; name one size in units", option="units"
        )
    reader = ConvolutionReader(shape.embedding, section.units[0], section.kernel_size, section.pooling, section.dropout)
    return TextNetwork(_embedding(shape), reader, shape.outputs, section.dropout, section.head)


def _convolution_recurrent(shape: TextShape, section: TextNetworkSection) -> TextNetwork:
    if len(section.kernel_size) > 1:
        raise ConfigurationError(
            f"conv-gru has one convolution; kernel_size names {len(section.kernel_size)}", option="kernel_size"
        )
    filters, *units = section.units
    unmasked = section.model_copy(update={"dropout": 0.0})  # what is dropped are numbers of the tokens' vectors
    every_step = section.pooling != "last"
    (recurrent,) = recurrent_layers("gru", filters, unmasked, (units[0] if units else filters,), every_step=every_step)
    reader = ConvolutionRecurrentReader(
        shape.embedding, filters, section.kernel_size[0], section.pool_size, recurrent, section.dropout, section.pooling
    )
    return TextNetwork(_embedding(shape), reader, shape.outputs, section.dropout, section.head)


def _transformer(shape: TextShape, section: TextNetworkSection) -> TextNetwork:
    width = shape.embedding
    # As large as positions are, so that neither drowns the other.
    embedding = TokenEmbedding(shape.tokens, width, spread=SPREAD if section.vectors else 1.0)
    heads = math.gcd(section.heads, width)
    reader = AttentionReader(
        width, heads, section.feed_forward, section.layers, shape.length, section.pooling, section.dropout
    )
    return TextNetwork(embedding, reader, shape.outputs, section.dropout, section.head)


_LSTM, _GRU = _recurrent("lstm"), _recurrent("gru")
NETWORKS: dict[str, NetworkRung] = {
    "bag": NetworkRung(_bag, _BAG, counts=True),
    "bag-weighted": NetworkRung(_bag, _BAG, counts=True),
    "rnn": _recurrent("rnn"),
    "lstm": _LSTM,
    "gru": _GRU,
    "lstm-bidirectional": _LSTM,
    "conv": NetworkRung(_convolution, _COMMON | {"units", "kernel_size", "pooling"}),
    "conv-gru": NetworkRung(_convolution_recurrent, (_GRU.reads - {"layers"}) | {"kernel_size", "pool_size"}),
    "transformer": NetworkRung(_transformer, _COMMON | {"layers", "heads", "feed_forward", "pooling"}),
}
