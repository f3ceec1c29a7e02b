"""The ladder of forecasting: simple rules first, then networks, each under its name."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from ...config import NetworkSection
from ...data.windows import WindowShape
from ...evaluation.baselines import Baseline, Climatology, Persistence, SeasonalNaive
from ...evaluation.ridge import Ridge
from ...nn import GRUNetwork, PerceptronNetwork
from ..interface import Rung

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

RUNGS: dict[str, Rung] = {
    "persistence": Rung("baseline", "as it is now"),
    "seasonal": Rung("baseline", "as it was a day or a week before"),
    "climatology": Rung("baseline", "as it usually is at this hour and season"),
    "ridge": Rung("baseline", "linear regression on the window"),
    "mlp": Rung("model", "flatten, dense, dense"),
    "gru": Rung("model", "gated recurrent units, dense"),
}
