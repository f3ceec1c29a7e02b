"""The ladder of forecasting: simple rules first, then networks, each under its name."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from ...config import NetworkSection
from ...data.windows import WindowShape
from ...evaluation.baselines import Baseline, Climatology, Persistence, SeasonalNaive
from ...evaluation.ridge import Ridge
from ...nn import GRU, LSTM, RNN, PerceptronNetwork, RecurrentNetwork
from ...nn.recurrent import Recurrent

BASELINES: dict[str, type[Baseline]] = {
    "persistence": Persistence,
    "seasonal": SeasonalNaive,
    "climatology": Climatology,
    "ridge": Ridge,
}


@dataclass(frozen=True)
class NetworkShape:
    """What a network's layers must fit: the window, its inputs, its outputs."""

    window: WindowShape
    features: int
    targets: int


def _recurrent(kind: type[Recurrent]) -> Callable[[NetworkShape, NetworkSection], nn.Module]:
    def build(shape: NetworkShape, section: NetworkSection) -> nn.Module:
        layer = kind(
            shape.features,
            section.units,
            dropout=section.dropout,
            recurrent_dropout=section.recurrent_dropout,
            mask=section.mask,
        )
        return RecurrentNetwork(layer, shape.window.lead_count, shape.targets)

    return build


NETWORKS: dict[str, Callable[[NetworkShape, NetworkSection], nn.Module]] = {
    "mlp": lambda shape, section: PerceptronNetwork(
        shape.window.steps, shape.features, section.units, shape.window.lead_count, shape.targets, section.dropout
    ),
    "rnn": _recurrent(RNN),
    "gru": _recurrent(GRU),
    "lstm": _recurrent(LSTM),
}
