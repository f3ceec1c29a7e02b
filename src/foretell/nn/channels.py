"""Networks that read each target's own past alone, with one set of weights for all targets ("channel independence").

Zeng et al., "Are Transformers Effective for Time Series Forecasting?" (2023); Nie et al., "A Time Series is Worth 64
Words" (2023); Kim et al., "Reversible Instance Normalization" (2022).
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from .heads import dense
from .initialisation import initialise
from .transformer import Encoder


class ReversibleNormalisation(nn.Module):
    """Each window less its mean, over its deviation; what is forecast is put back into the window's own scale.

    Args:
        floor: Smallest variance, so that a window that stands still is not blown up.
    """

    def __init__(self, floor: float = 1e-5) -> None:
        super().__init__()
        self.floor = floor
        self.weight, self.bias = nn.Parameter(torch.ones(())), nn.Parameter(torch.zeros(()))

    def forward(self, series: Float[Tensor, "row time"]) -> tuple[Float[Tensor, "row time"], tuple[Tensor, Tensor]]:
        """The normalised windows, and what :meth:`reverse` needs."""
        variance, mean = torch.var_mean(series, dim=1, keepdim=True, correction=0)
        deviation = (variance + self.floor).sqrt()
        return (series - mean) / deviation * self.weight + self.bias, (mean, deviation)

    def reverse(
        self, forecasts: Float[Tensor, "row number"], scale: tuple[Tensor, Tensor]
    ) -> Float[Tensor, "row number"]:
        """Forecasts in the scale that each window had."""
        mean, deviation = scale
        return (forecasts - self.bias) / self.weight * deviation + mean


class ChannelNetwork(nn.Module):
    """A network over one target's past, applied to each target alike.

    Args:
        channel: What makes (row, lead · numbers) out of (row, time).
        leads: Forecast steps.
        numbers: Numbers to forecast at each of them, for each target: one, or its quantiles.
    """

    def __init__(self, channel: nn.Module, leads: int, numbers: int = 1) -> None:
        super().__init__()
        self.channel = channel
        self.output_shape = (leads, numbers)
        initialise(self)

    def forward(self, inputs: Float[Tensor, "batch time target"]) -> Float[Tensor, "batch lead number"]:
        """Forecasts a batch of windows."""
        batch, _, targets = inputs.shape
        found = self.channel(inputs.transpose(1, 2).flatten(0, 1))
        return found.unflatten(1, self.output_shape).unflatten(0, (batch, targets)).transpose(1, 2).flatten(2)


class TrendAndRemainder(nn.Module):
    """A moving average and what it leaves, each through a dense layer, added up ("DLinear").

    Args:
        steps: Inputs of a window along time.
        outputs: Numbers that come out.
        average: Steps of the moving average; the ends are filled with the first and the last value.
    """

    def __init__(self, steps: int, outputs: int, average: int = 25) -> None:
        super().__init__()
        self.average = average
        self.trend, self.remainder = nn.Linear(steps, outputs), nn.Linear(steps, outputs)

    def forward(self, series: Float[Tensor, "row time"]) -> Float[Tensor, "row number"]:
        """Forecasts a batch of windows of one target."""
        last = series[:, -1:]
        series = series - last
        ends = ((self.average - 1) // 2, self.average // 2)
        padded = functional.pad(series[:, None], ends, mode="replicate")
        trend = functional.avg_pool1d(padded, self.average, stride=1)[:, 0]
        return self.trend(trend) + self.remainder(series - trend) + last


class PatchTransformer(nn.Module):
    """A window cut into overlapping patches, an encoder over them, and a dense layer over all that it found.

    Args:
        steps: Inputs of a window along time.
        outputs: Numbers that come out.
        patch: Steps of a patch.
        stride: Steps from one patch to the next.
        width: Numbers of a position.
        heads: Heads of attention.
        feed_forward: Units between the dense layers of a block.
        layers: How many blocks.
        dropout: Share that is dropped in training.
        head: Units of further dense layers before the output.
    """

    def __init__(
        self,
        steps: int,
        outputs: int,
        *,
        patch: int,
        stride: int,
        width: int,
        heads: int,
        feed_forward: int,
        layers: int,
        dropout: float = 0.0,
        head: tuple[int, ...] = (),
    ) -> None:
        super().__init__()
        self.patch, self.stride = patch, stride
        # The first value is repeated before the window, so that the last patch ends with the last step.
        self.missing = -(steps - patch) % stride
        patches = (steps - patch + self.missing) // stride + 1
        self.normalisation = ReversibleNormalisation()
        self.embed = nn.Linear(patch, width)
        self.positions = nn.Parameter(torch.empty(patches, width).uniform_(-0.02, 0.02))
        self.dropout = nn.Dropout(dropout)
        self.encoder = Encoder(width, heads, feed_forward, layers, dropout)
        self.head = dense(patches * width, head, outputs)

    def forward(self, series: Float[Tensor, "row time"]) -> Float[Tensor, "row number"]:
        """Forecasts a batch of windows of one target."""
        series, scale = self.normalisation(series)
        padded = functional.pad(series[:, None], (self.missing, 0), mode="replicate")[:, 0]
        patches = padded.unfold(1, self.patch, self.stride)
        positions = self.encoder(self.dropout(self.embed(patches) + self.positions))
        return self.normalisation.reverse(self.head(self.dropout(positions.flatten(1))), scale)
