"""Rung names → networks over tokens, and the options that each of them reads."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

from torch import nn

from ...config import TrainingSection
from ...nn import LanguageNetwork, RecurrentBody
from ...nn.decoder import DecoderBody
from ...nn.recurrent import Recurrent
from ..layers import recurrent_layers, sizes
from .config import RUNGS, Configuration, LanguageSection

UNIFORM, UNIGRAM, NGRAM, MIXTURE = "uniform", "unigram", "ngram", "mixture"
TRAINS = set(TrainingSection.owned()) | {"steps_per_epoch", "precision", "kernel"}
"""Options of training that networks alone read."""


@dataclass(frozen=True)
class NetworkRung:
    """How the body of a rung's network is made, and the options of networks that have a part in it.

    Attributes:
        body: From the options, and whether what is made of every token is wanted, or of the last one alone.
        reads: Names of options.
    """

    body: Callable[[LanguageSection, bool], nn.Module]
    reads: frozenset[str]


_COMMON = frozenset({"embedding", "tied", "output_dropout", "dropout"})
_CELLS = _COMMON | {"units", "layers", "activation", "recurrent_dropout", "mask"}


def build_network(rung: str, tokens: int, section: LanguageSection, *, every_place: bool = True) -> LanguageNetwork:
    """A rung's network.

    Args:
        rung: Its name.
        tokens: How many there are.
        section: The options, none left open.
        every_place: Whether it says what follows every token, or the last one of a window alone.

    Raises:
        ConfigurationError: The options contradict each other.
    """
    body = NETWORKS[rung].body(section, every_place)
    return LanguageNetwork(tokens, section.embedding, body, section.output_dropout, tied=section.tied)


def unread(configuration: Configuration, rungs: Sequence[str]) -> list[str]:
    """The options that were named and have no part in any of some rungs.

    Args:
        configuration: All options.
        rungs: Names.
    """
    networks = [rung for rung in rungs if rung in NETWORKS]
    own = {
        name for rung in rungs for name, value in RUNGS[rung].options.items() if value in _values(configuration, name)
    }
    read = {name for rung in networks for name in NETWORKS[rung].reads}
    idle = sorted(configuration.network.unusual() - read)
    lecture = configuration.streams.align == "lecture"
    idle += sorted(configuration.streams.unusual() & ({"unroll"} if lecture else {"lookback", "stride"}))
    if not networks:
        idle += sorted(configuration.training.unusual() & TRAINS)
        idle += sorted(configuration.streams.unusual() & {"unroll"})
        idle += sorted(configuration.samples.unusual() & {"sample_epochs"})
    if NGRAM not in rungs and configuration.run.rung is None:
        idle += sorted(configuration.ngrams.unusual())
    if configuration.tokenizer.tokens in ("characters", "bytes"):
        idle += sorted(configuration.tokenizer.unusual() & {"vocabulary"})
    return [name for name in idle if name not in own]


def _values(configuration: Configuration, name: str) -> list[object]:
    """The value of an option, wherever it stands."""
    sections = (configuration.network, configuration.streams, configuration.training)
    return [getattr(section, name) for section in sections if name in type(section).model_fields]


def _recurrent(kind: str) -> NetworkRung:
    def body(section: LanguageSection, every_place: bool) -> nn.Module:
        layers = recurrent_layers(kind, section.embedding, section, sizes(section), every_step=every_place)
        return RecurrentBody(cast("list[Recurrent]", layers))

    return NetworkRung(body, _CELLS | {"reset"} if kind == "gru" else _CELLS)


def _transformer(section: LanguageSection, every_place: bool) -> nn.Module:
    return DecoderBody(
        section.embedding,
        section.heads,
        section.feed_forward,
        section.layers,
        section.context,
        section.positions,
        section.dropout,
    )


NETWORKS: dict[str, NetworkRung] = {
    "lstm": _recurrent("lstm"),
    "gru": _recurrent("gru"),
    "lstm-stacked": _recurrent("lstm"),
    "transformer": NetworkRung(_transformer, _COMMON | {"layers", "heads", "feed_forward", "context", "positions"}),
}
