"""The ladder of forecasting: simple rules first, then networks, each under its name."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import nn

from ...data.windows import WindowShape
from ...errors import ConfigurationError
from ...evaluation.baselines import Baseline, Climatology, Persistence, SeasonalNaive
from ...evaluation.ridge import Ridge
from ...nn import (
    ChangeFromLast,
    ChannelNetwork,
    ConvolutionNetwork,
    ConvolutionRecurrentNetwork,
    Convolutions,
    KnownAhead,
    Patches,
    PatchTransformer,
    PerceptronNetwork,
    RecurrentNetwork,
    SegmentRecurrent,
    TransformerNetwork,
    TrendAndRemainder,
)
from ...nn.convolution import Padding, steps_needed
from ..layers import recurrent_layers, sizes
from .config import Configuration, ForecastNetwork

BASELINES: dict[str, type[Baseline]] = {
    "persistence": Persistence,
    "seasonal": SeasonalNaive,
    "climatology": Climatology,
    "ridge": Ridge,
}
ENSEMBLE, TREES = "ensemble", "boosted-trees"


@dataclass(frozen=True)
class NetworkShape:
    """What a network's layers must fit: the window, its inputs, its outputs.

    Attributes:
        window: What a window reads.
        features: Inputs at each step.
        targets: Columns to forecast.
        numbers: Numbers to forecast of each: one, or its quantiles.
        known: Numbers that are known ahead at each lead.
        places: Where the targets stand among the inputs; none where not all of them are read.
    """

    window: WindowShape
    features: int
    targets: int
    numbers: int = 1
    known: int = 0
    places: tuple[int, ...] = ()

    @property
    def outputs(self) -> tuple[int, int]:
        """Leads, and numbers at each."""
        return self.window.lead_count, self.targets * self.numbers


@dataclass(frozen=True)
class NetworkRung:
    """How a rung's network is made.

    Attributes:
        build: From its shape and the options.
        reads: The options of networks that have a part in it.
        own_past: Whether it reads each target's own past alone, rather than all features.
        note: What the options became for such windows, where that needs saying.
    """

    build: Callable[[NetworkShape, ForecastNetwork], nn.Module]
    reads: frozenset[str]
    own_past: bool = False
    note: Callable[[WindowShape, ForecastNetwork], str] = lambda window, section: ""


def build_network(rung: str, shape: NetworkShape, section: ForecastNetwork) -> nn.Module:
    """A rung's network.

    Args:
        rung: Its name.
        shape: What it must fit.
        section: The options, none left open.

    Raises:
        ConfigurationError: The options contradict each other, or do not fit the window.
    """
    made = NETWORKS[rung]
    network = made.build(shape, section)
    if section.aim == "change" and not (made.own_past and section.normalise != "none"):
        places = tuple(range(shape.targets)) if made.own_past else shape.places
        network = ChangeFromLast(network, places, shape.numbers) if places else network
    return KnownAhead(network, shape.known, section.units[0], shape.outputs[1]) if shape.known else network


def rung_note(rung: str, shape: NetworkShape, section: ForecastNetwork) -> str:
    """What the options became for a rung, where that needs saying.

    Args:
        rung: Its name.
        shape: What its network fits.
        section: The options, none left open.
    """
    made = NETWORKS[rung]
    told = ""
    if section.aim == "change" and made.own_past and section.normalise != "none":
        told = f"relative to its window already (--normalise {section.normalise})"
    elif section.aim == "change" and not made.own_past and not shape.places:
        told = "forecasts the level, not the change, since a target is not among the features"
    return "; ".join(filter(None, (told, made.note(shape.window, section))))


def _perceptron(shape: NetworkShape, section: ForecastNetwork) -> nn.Module:
    first, *others = sizes(section)
    head = (*others, *section.head)
    return PerceptronNetwork(shape.window.steps, shape.features, first, *shape.outputs, section.dropout, head)


_COMMON = frozenset({"units", "layers", "dropout", "head", "aim"})
_CELLS = _COMMON | {"activation", "direction", "merge", "recurrent_dropout", "mask"}
_CONVOLUTIONS = _COMMON | {"kernel_size", "pool_size", "pool", "padding"}
_ENCODER = _COMMON | {"heads", "feed_forward"}


def _recurrent(kind: str) -> NetworkRung:
    def build(shape: NetworkShape, section: ForecastNetwork) -> nn.Module:
        layers = recurrent_layers(kind, shape.features, section, sizes(section))
        return RecurrentNetwork(layers, *shape.outputs, section.head)

    return NetworkRung(build, _CELLS | {"reset"} if kind == "gru" else _CELLS)


def _convolutions(shape: NetworkShape, section: ForecastNetwork, filters: tuple[int, ...]) -> Convolutions:
    return Convolutions(
        shape.features,
        filters,
        kernel_size=section.kernel_size,
        pool_size=section.pool_size,
        pool=section.pool,
        padding=_padding(shape.window, section, len(filters)),
    )


def _padding(window: WindowShape, section: ForecastNetwork, layers: int) -> Padding:
    needed = steps_needed(layers, section.kernel_size, section.pool_size)
    if section.padding == "auto":
        return "valid" if window.steps >= needed else "same"
    if section.padding == "valid" and window.steps < needed:
        raise ConfigurationError(
            f"{layers} convolutions over {section.kernel_size} steps with pooling of {section.pool_size} need a "
            f"window of {needed} steps; it has {window.steps}; choose a longer lookback, or --padding same",
            option="padding",
            needed=needed,
        )
    return section.padding


def _padding_note(further: int) -> Callable[[WindowShape, ForecastNetwork], str]:
    def note(window: WindowShape, section: ForecastNetwork) -> str:
        layers = len(_filters(section, further))
        needed = steps_needed(layers, section.kernel_size, section.pool_size)
        if section.padding != "auto" or window.steps >= needed:
            return ""
        return f"padded with zeros, since {layers} convolutions need {needed} steps and a window has {window.steps}"

    return note


def _filters(section: ForecastNetwork, further: int) -> tuple[int, ...]:
    """The filters of each convolution; where sizes are named one by one, so many further ones are not theirs."""
    return section.units[: len(section.units) - further] if len(section.units) > 1 else section.units * section.layers


def _convolution(shape: NetworkShape, section: ForecastNetwork) -> nn.Module:
    convolutions = _convolutions(shape, section, sizes(section))
    pool = section.pool if section.ending == "global" else None
    return ConvolutionNetwork(
        convolutions, shape.window.steps, *shape.outputs, pool=pool, dropout=section.dropout, head=section.head
    )


def _convolution_recurrent(shape: NetworkShape, section: ForecastNetwork) -> nn.Module:
    convolutions = _convolutions(shape, section, _filters(section, 1))
    (recurrent,) = recurrent_layers("gru", convolutions.width, section, section.units[-1:])
    return ConvolutionRecurrentNetwork(convolutions, recurrent, *shape.outputs, head=section.head)


def _one_width(section: ForecastNetwork) -> int:
    if len(section.units) > 1:
        raise ConfigurationError(
            f"all blocks of an encoder have one width; units names {', '.join(map(str, section.units))}", option="units"
        )
    return section.units[0]


def _heads(section: ForecastNetwork) -> int:
    """As many heads as divide the width evenly, at most those that are named."""
    return math.gcd(section.heads, _one_width(section))


def _transformer(shape: NetworkShape, section: ForecastNetwork) -> nn.Module:
    return TransformerNetwork(
        shape.window.steps,
        shape.features,
        _one_width(section),
        _heads(section),
        section.feed_forward,
        section.layers,
        *shape.outputs,
        dropout=section.dropout,
        head=section.head,
    )


def _channels(shape: NetworkShape, channel: nn.Module) -> nn.Module:
    return ChannelNetwork(channel, shape.window.lead_count, shape.numbers)


def _trend(shape: NetworkShape, section: ForecastNetwork) -> nn.Module:
    outputs = shape.window.lead_count * shape.numbers
    return _channels(shape, TrendAndRemainder(shape.window.steps, outputs, section.average, section.normalise))


def _patches(shape: NetworkShape, section: ForecastNetwork) -> nn.Module:
    channel = PatchTransformer(
        Patches(shape.window.steps, section.patch, section.stride),
        shape.window.lead_count * shape.numbers,
        width=_one_width(section),
        heads=_heads(section),
        feed_forward=section.feed_forward,
        layers=section.layers,
        dropout=section.dropout,
        head=section.head,
        normalise=section.normalise,
    )
    return _channels(shape, channel)


def _segments(shape: NetworkShape, section: ForecastNetwork) -> nn.Module:
    width, *others = sizes(section)
    if others:
        raise ConfigurationError("segments are read by one recurrent layer; name one size in units", option="units")
    unmasked = section.model_copy(update={"dropout": 0.0})  # what is dropped is of the last state
    (recurrent,) = recurrent_layers("gru", width, unmasked, (width,))
    channel = SegmentRecurrent(
        Patches(shape.window.steps, section.patch, section.patch),
        recurrent,
        shape.window.lead_count * shape.numbers,
        dropout=section.dropout,
        head=section.head,
        normalise=section.normalise,
    )
    return _channels(shape, channel)


def _patch_note(window: WindowShape, section: ForecastNetwork) -> str:
    return f"one patch, the window's {window.steps} steps" if section.patch >= window.steps else ""


def unread(configuration: Configuration, rungs: Sequence[str]) -> list[str]:
    """The options that have other values than they usually have, and no part in any of some rungs.

    Args:
        configuration: All options.
        rungs: Names.
    """
    read = {name for rung in rungs if rung in NETWORKS for name in NETWORKS[rung].reads}
    idle = sorted(configuration.network.unusual() - read)
    return idle if TREES in rungs else idle + sorted(configuration.trees.unusual())


_GRU = _recurrent("gru")
NETWORKS: dict[str, NetworkRung] = {
    "mlp": NetworkRung(_perceptron, _COMMON),
    "rnn": _recurrent("rnn"),
    "gru": _GRU,
    "gru-dropout": _GRU,
    "gru-stacked": _GRU,
    "gru-bidirectional": _GRU,
    "gru-reversed": _GRU,
    "gru-change": _GRU,
    "lstm": _recurrent("lstm"),
    "conv": NetworkRung(_convolution, _CONVOLUTIONS | {"ending"}, note=_padding_note(0)),
    "conv-gru": NetworkRung(_convolution_recurrent, _CONVOLUTIONS | _GRU.reads, note=_padding_note(1)),
    "transformer": NetworkRung(_transformer, _ENCODER),
    "dlinear": NetworkRung(_trend, frozenset({"average", "normalise", "aim"}), own_past=True),
    "segment-gru": NetworkRung(_segments, _GRU.reads | {"patch", "normalise"}, own_past=True, note=_patch_note),
    "patch-transformer": NetworkRung(
        _patches, _ENCODER | {"patch", "stride", "normalise"}, own_past=True, note=_patch_note
    ),
}
