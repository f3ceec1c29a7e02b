"""The ladder of forecasting: simple rules first, then networks, each under its name."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from ...config import NetworkSection
from ...data.windows import WindowShape
from ...evaluation.baselines import Baseline, Climatology, Persistence, SeasonalNaive
from ...evaluation.ridge import Ridge
from ...nn import GRUNetwork, PerceptronNetwork

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


NETWORKS: dict[str, Callable[[NetworkShape, NetworkSection], nn.Module]] = {
    "mlp": lambda shape, section: PerceptronNetwork(
        shape.window.steps, shape.features, section.units, shape.window.lead_count, shape.targets
    ),
    "gru": lambda shape, section: GRUNetwork(shape.features, section.units, shape.window.lead_count, shape.targets),
}
