"""A rung that has learned: a rule, a network, a mean of others; it forecasts windows, can be kept and restored."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import nn

from ...axes import AnchorArray, ForecastArray, QuantileArray
from ...data.windows import WindowShape
from ...evaluation.baselines import Baseline
from ...numbers import require_numbers
from ...stopping import heed
from .config import ForecastNetwork
from .prepare import View

CHUNK = 1024
CHUNK_VALUES = 8_000_000  # inputs that a network reads at once


@runtime_checkable
class Model(Protocol):
    """Something that forecasts the windows of a view."""

    def predict(self, view: View, anchors: AnchorArray) -> QuantileArray:
        """The forecast of each window, in the unit of the data: one number, or its quantiles, the median among them."""
        ...

    def rows_needed(self, view: View) -> int:
        """Rows up to the anchor that one forecast reads."""
        ...

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Plain values and arrays from which the same model is restored."""
        ...

    @property
    def parameters(self) -> int:
        """How many numbers it learned."""
        ...


def point(forecasts: QuantileArray) -> ForecastArray:
    """The middle of each forecast's quantiles: its median."""
    return forecasts[..., forecasts.shape[-1] // 2]


@dataclass(frozen=True)
class BaselineModel:
    """A baseline."""

    baseline: Baseline

    def predict(self, view: View, anchors: AnchorArray) -> QuantileArray:
        """What the baseline says."""
        said = self.baseline.predict(view.history, anchors)
        if view.swap and view.swap.column in view.scaling.targets and self.baseline.reads_past:
            target = view.scaling.targets.index(view.swap.column)
            said[:, :, target] = self.baseline.predict(view.history, view.swap.of(anchors))[:, :, target]
        return said[..., None]

    def rows_needed(self, view: View) -> int:
        """What the baseline reads."""
        return self.baseline.rows_needed(view.history)

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """What the baseline knows."""
        return self.baseline.state()

    @property
    def parameters(self) -> int:
        """How many numbers the baseline learned."""
        return sum(array.size for array in self.baseline.state()[1].values())


@dataclass(frozen=True)
class NetworkModel:
    """A trained network; its outputs are scaled back into the unit of the data.

    Attributes:
        network: As it predicts.
        own_past: Whether it reads each target's own past alone.
        section: The options that it was made from.
        quantiles: How many quantiles it forecasts of each number.
    """

    network: nn.Module
    own_past: bool
    section: ForecastNetwork
    quantiles: int = 1

    def predict(self, view: View, anchors: AnchorArray) -> QuantileArray:
        """What the network says, chunk by chunk."""
        mean, deviation = view.history.mean, view.history.deviation
        forecasts = np.empty((len(anchors), view.shape.lead_count, mean.shape[1], self.quantiles))
        with torch.inference_mode():
            for chunk, own in chunks(anchors, view):
                codes = view.table.codes_of(own)
                outputs = self.network(*view.inputs_at(own, self.own_past)).double().numpy()
                require_numbers(outputs)
                scaled = outputs.reshape(len(own), *forecasts.shape[1:])
                forecasts[chunk] = scaled * deviation[codes][:, None, :, None] + mean[codes][:, None, :, None]
        return np.sort(forecasts, axis=-1) if self.quantiles > 1 else forecasts

    def rows_needed(self, view: View) -> int:
        """A whole window."""
        return view.shape.rows_to_predict

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Its options and weights."""
        values = {"network": self.section.model_dump(mode="json"), "quantiles": self.quantiles}
        return values, {name: tensor.numpy() for name, tensor in self.network.state_dict().items()}

    @property
    def parameters(self) -> int:
        """How many weights it has."""
        return sum(weight.numel() for weight in self.network.parameters())


@dataclass(frozen=True)
class Member:
    """One of those of which an ensemble is the mean.

    Attributes:
        rung: Its name.
        model: What forecasts.
        shape: What its windows read.
    """

    rung: str
    model: Model
    shape: WindowShape


@dataclass(frozen=True)
class EnsembleModel:
    """The mean of several models' forecasts."""

    members: tuple[Member, ...]

    def predict(self, view: View, anchors: AnchorArray) -> QuantileArray:
        """The mean of what the members say."""
        said = [point(member.model.predict(view.reshaped(member.shape), anchors)) for member in self.members]
        return np.mean(said, axis=0)[..., None]

    def rows_needed(self, view: View) -> int:
        """As many as the member that reads the most."""
        return max(member.model.rows_needed(view.reshaped(member.shape)) for member in self.members)

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """What every member knows, the arrays under its place among them."""
        values: list[dict[str, Any]] = []
        arrays: dict[str, np.ndarray] = {}
        for number, member in enumerate(self.members):
            own_values, own_arrays = member.model.state()
            windows = {"lookback": member.shape.lookback, "every": member.shape.every}
            values.append({"rung": member.rung, "windows": windows, "model": own_values})
            arrays |= {f"{number}/{name}": array for name, array in own_arrays.items()}
        return {"members": values}, arrays

    @property
    def parameters(self) -> int:
        """How many numbers all members learned."""
        return sum(member.model.parameters for member in self.members)


def arrays_of(number: int, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays of an ensemble's member."""
    prefix = f"{number}/"
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def chunks(anchors: AnchorArray, view: View) -> Iterator[tuple[slice, AnchorArray]]:
    """Anchors in parts that are small enough to be read at once."""
    width = max(view.width, len(view.scaling.targets))
    size = max(1, min(CHUNK, CHUNK_VALUES // (view.shape.steps * width)))
    for start in range(0, len(anchors), size):
        heed()
        part = slice(start, start + size)
        yield part, anchors[part]
