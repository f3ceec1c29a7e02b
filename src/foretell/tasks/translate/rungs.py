"""Rung names → networks that read one sequence and write another, and the options that each of them reads."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

from torch import nn

from ...config import TrainingSection
from ...data.joint import PADDING
from ...nn import Bidirectional, EncoderDecoder, RecurrentPair, TransformerPair
from ...nn.attention import AdditiveAttention, MultiplicativeAttention, QueryAttention
from ...nn.recurrent import Recurrent
from ..layers import recurrent_layers, sizes
from .config import RUNGS, Configuration, EncoderDecoderSection

COPY, DICTIONARY = "copy", "dictionary"
PLACES = 4096  # of learned positions
TRAINS = set(TrainingSection.owned()) | {"steps_per_epoch", "precision", "kernel", "label_smoothing", "batch_tokens"}
"""Options of training that networks alone read."""


@dataclass(frozen=True)
class NetworkRung:
    """How the encoder and decoder of a rung are made, and the options of networks that have a part in them.

    Attributes:
        pair: From the options.
        reads: Names of options.
    """

    pair: Callable[[EncoderDecoderSection], nn.Module]
    reads: frozenset[str]


_CELLS = frozenset(
    {"embedding", "output_dropout", "dropout", "units", "layers", "activation", "recurrent_dropout", "mask"}
)
_ATTENTION = frozenset({"embedding", "dropout", "layers", "heads", "feed_forward", "norm", "positions"})


def build_network(rung: str, tokens: int, section: EncoderDecoderSection) -> EncoderDecoder:
    """A rung's network.

    Args:
        rung: Its name.
        tokens: How many there are.
        section: The options, none left open.

    Raises:
        ConfigurationError: The options contradict each other.
    """
    return EncoderDecoder(tokens, section.embedding, NETWORKS[rung].pair(section), PADDING)


def unread(configuration: Configuration, rungs: Sequence[str]) -> list[str]:
    """The options that were named and have no part in any of some rungs.

    Args:
        configuration: All options.
        rungs: Names.
    """
    networks = [rung for rung in rungs if rung in NETWORKS]
    own = {name for rung in rungs for name in RUNGS[rung].options}
    read = {name for rung in networks for name in NETWORKS[rung].reads}
    idle = sorted(configuration.network.unusual() - read)
    if not networks:
        idle += sorted(configuration.training.unusual() & TRAINS)
        idle += sorted(configuration.search.unusual() & {"beam", "length_penalty"})
    return [name for name in idle if name not in own]


def _recurrent(kind: str, attention: str = "") -> NetworkRung:
    def pair(section: EncoderDecoderSection) -> nn.Module:
        units = sizes(section)
        encoder, features = [], section.embedding
        for number, size in enumerate(units):
            one = section.model_copy(update={"activation": _of_layer(section.activation, number)})
            layer = cast(Recurrent, recurrent_layers(kind, features, one, (size,), every_step=True)[0])
            encoder.append(Bidirectional(layer))
            features = encoder[-1].width
        decoder = cast("list[Recurrent]", recurrent_layers(kind, section.embedding, section, units, every_step=True))
        asks: dict[str, Callable[[], QueryAttention]] = {
            "additive": lambda: AdditiveAttention(units[-1], features, units[-1]),
            "multiplicative": lambda: MultiplicativeAttention(units[-1], features),
        }
        return RecurrentPair(encoder, decoder, asks[attention]() if attention else None, section.output_dropout)

    return NetworkRung(pair, _CELLS | {"reset"} if kind == "gru" else _CELLS)


def _of_layer(activations: tuple[str, ...], number: int) -> tuple[str, ...]:
    return activations if len(activations) == 1 else activations[number : number + 1]


def _transformer(section: EncoderDecoderSection) -> nn.Module:
    return TransformerPair(
        section.embedding,
        section.heads,
        section.feed_forward,
        section.layers,
        section.dropout,
        section.norm,
        places=PLACES if section.positions == "learned" else 0,
    )


NETWORKS: dict[str, NetworkRung] = {
    "lstm": _recurrent("lstm"),
    "gru-attention": _recurrent("gru", "additive"),
    "lstm-attention": _recurrent("lstm", "multiplicative"),
    "transformer-tiny": NetworkRung(_transformer, _ATTENTION),
    "transformer-base": NetworkRung(_transformer, _ATTENTION),
    "transformer-big": NetworkRung(_transformer, _ATTENTION),
}
