"""A rung that has learned, whether baseline or network: it forecasts windows, and can be kept and restored."""

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import nn

from ...axes import AnchorArray, ForecastArray
from ...evaluation.baselines import Baseline
from .prepare import View

CHUNK = 1024


@runtime_checkable
class Model(Protocol):
    """Something that forecasts the windows of a view."""

    def predict(self, view: View, anchors: AnchorArray) -> ForecastArray:
        """The forecast of each window, in the unit of the data."""
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


@dataclass(frozen=True)
class BaselineModel:
    """A baseline."""

    baseline: Baseline

    def predict(self, view: View, anchors: AnchorArray) -> ForecastArray:
        """What the baseline says."""
        return self.baseline.predict(view.history, anchors)

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
    """A trained network; its outputs are scaled back into the unit of the data."""

    network: nn.Module
    units: int

    def predict(self, view: View, anchors: AnchorArray) -> ForecastArray:
        """What the network says, chunk by chunk."""
        mean, deviation = view.scaling.target_scales(view.table)
        forecasts = np.empty((len(anchors), view.shape.lead_count, mean.shape[1]))
        with torch.inference_mode():
            for start in range(0, len(anchors), CHUNK):
                chunk = anchors[start : start + CHUNK]
                codes = view.table.codes[chunk]
                outputs = self.network(view.windows.inputs_at(chunk)).double().numpy()
                forecasts[start : start + CHUNK] = outputs * deviation[codes][:, None] + mean[codes][:, None]
        return forecasts

    def rows_needed(self, view: View) -> int:
        """A whole window."""
        return view.shape.rows_to_predict

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Its size and weights."""
        return {"units": self.units}, {name: tensor.numpy() for name, tensor in self.network.state_dict().items()}

    @property
    def parameters(self) -> int:
        """How many weights it has."""
        return sum(weight.numel() for weight in self.network.parameters())
