"""Networks that read each target's own past alone, with one set of weights for all targets ("channel independence").

Zeng et al., "Are Transformers Effective for Time Series Forecasting?" (2023); Nie et al., "A Time Series is Worth 64
Words" (2023); Lin et al., "Segment Recurrent Neural Network" (2023).
"""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from .heads import dense
from .initialisation import initialise
from .recurrent import Bidirectional, Recurrent
from .transformer import Encoder

Normalisation = Literal["none", "last", "window"]


class ReversibleNormalisation(nn.Module):
    """What a window is told relative to; what is forecast is put back.

    Args:
        kind: ``none`` leaves a window as it is; ``last`` takes its last value away; ``window`` takes its mean away,
            divides by its deviation, and learns a scale and a shift (Kim et al., "RevIN", 2022).
        floor: Smallest variance, so that a window that stands still is not blown up.
    """

    def __init__(self, kind: Normalisation, floor: float = 1e-5) -> None:
        super().__init__()
        self.kind, self.floor = kind, floor
        if kind == "window":
            self.weight, self.bias = nn.Parameter(torch.ones(())), nn.Parameter(torch.zeros(()))

    def forward(self, series: Float[Tensor, "row time"]) -> tuple[Float[Tensor, "row time"], tuple[Tensor, ...]]:
        """The normalised windows, and what :meth:`reverse` needs."""
        if self.kind == "none":
            return series, ()
        if self.kind == "last":
            last = series[:, -1:]
            return series - last, (last,)
        variance, mean = torch.var_mean(series, dim=1, keepdim=True, correction=0)
        deviation = (variance + self.floor).sqrt()
        return (series - mean) / deviation * self.weight + self.bias, (mean, deviation)

    def reverse(self, forecasts: Float[Tensor, "row number"], scale: tuple[Tensor, ...]) -> Float[Tensor, "row number"]:
        """Forecasts in the scale that each window had."""
        if self.kind == "none":
            return forecasts
        if self.kind == "last":
            return forecasts + scale[0]
        return (forecasts - self.bias) / self.weight * scale[1] + scale[0]


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
        if isinstance(channel, TrendAndRemainder):
            channel.initialise()

    def forward(self, inputs: Float[Tensor, "batch time target"]) -> Float[Tensor, "batch lead number"]:
        """Forecasts a batch of windows."""
        batch, _, targets = inputs.shape
        found = self.channel(inputs.transpose(1, 2).flatten(0, 1))
        return found.unflatten(1, self.output_shape).unflatten(0, (batch, targets)).transpose(1, 2).flatten(2)


class TrendAndRemainder(nn.Module):
    """A moving average and what it leaves, each through a dense layer, added up ("DLinear", Zeng et al. 2023).

    Args:
        steps: Inputs of a window along time.
        outputs: Numbers that come out.
        average: Steps of the moving average; the ends are filled with the first and the last value.
        normalise: What a window is told relative to.
    """

    def __init__(self, steps: int, outputs: int, average: int = 25, normalise: Normalisation = "none") -> None:
        super().__init__()
        self.average = average
        self.normalisation = ReversibleNormalisation(normalise)
        self.trend, self.remainder = nn.Linear(steps, outputs), nn.Linear(steps, outputs)

    def initialise(self) -> None:
        """Starts from the mean of the window."""
        for layer in (self.trend, self.remainder):
            nn.init.constant_(layer.weight, 1 / layer.in_features)

    def forward(self, series: Float[Tensor, "row time"]) -> Float[Tensor, "row number"]:
        """Forecasts a batch of windows of one target."""
        series, scale = self.normalisation(series)
        ends = ((self.average - 1) // 2, self.average // 2)
        padded = functional.pad(series[:, None], ends, mode="replicate")
        trend = functional.avg_pool1d(padded, self.average, stride=1)[:, 0]
        return self.normalisation.reverse(self.trend(trend) + self.remainder(series - trend), scale)


class Patches(nn.Module):
    """A window cut into patches, which may overlap; the last one ends with the window's last step.

    Args:
        steps: Inputs of a window along time.
        patch: Steps of a patch; all of the window's where it is shorter.
        stride: Steps from one patch to the next; at most a patch.
    """

    def __init__(self, steps: int, patch: int, stride: int) -> None:
        super().__init__()
        self.patch = min(patch, steps)
        self.stride = min(stride, self.patch)
        # The first value is repeated before the window, so that patches fill it.
        self.missing = -(steps - self.patch) % self.stride
        self.count = (steps - self.patch + self.missing) // self.stride + 1

    def forward(self, series: Float[Tensor, "row time"]) -> Float[Tensor, "row patch step"]:
        """The patches of each window."""
        padded = functional.pad(series[:, None], (self.missing, 0), mode="replicate")[:, 0] if self.missing else series
        return padded.unfold(1, self.patch, self.stride)


class PatchTransformer(nn.Module):
    """Patches of a window, an encoder over them, a dense layer over all that it found ("PatchTST", Nie et al. 2023).

    Args:
        patches: How the window is cut.
        outputs: Numbers that come out.
        width: Numbers of a position.
        heads: Heads of attention.
        feed_forward: Units between the dense layers of a block.
        layers: How many blocks.
        dropout: Share that is dropped in training.
        head: Units of further dense layers before the output.
        normalise: What a window is told relative to.
    """

    def __init__(
        self,
        patches: Patches,
        outputs: int,
        *,
        width: int,
        heads: int,
        feed_forward: int,
        layers: int,
        dropout: float = 0.0,
        head: tuple[int, ...] = (),
        normalise: Normalisation = "window",
    ) -> None:
        super().__init__()
        self.normalisation, self.patches = ReversibleNormalisation(normalise), patches
        self.embed = nn.Linear(patches.patch, width)
        self.positions = nn.Parameter(torch.empty(patches.count, width).uniform_(-0.02, 0.02))
        self.dropout = nn.Dropout(dropout)
        self.encoder = Encoder(width, heads, feed_forward, layers, dropout)
        self.head = dense(patches.count * width, head, outputs)

    def forward(self, series: Float[Tensor, "row time"]) -> Float[Tensor, "row number"]:
        """Forecasts a batch of windows of one target."""
        series, scale = self.normalisation(series)
        positions = self.encoder(self.dropout(self.embed(self.patches(series)) + self.positions))
        return self.normalisation.reverse(self.head(self.dropout(positions.flatten(1))), scale)


class SegmentRecurrent(nn.Module):
    """Segments of a window, each made one step of a recurrent layer, and a dense layer for all leads at once.

    A long window becomes a short sequence, so that the gradient need not carry far (Lin et al., "SegRNN", 2023).

    Args:
        patches: How the window is cut.
        recurrent: Reads the segments; read at its last step.
        outputs: Numbers that come out.
        dropout: Share of the last state that is dropped in training.
        head: Units of further dense layers before the output.
        normalise: What a window is told relative to.
    """

    def __init__(
        self,
        patches: Patches,
        recurrent: Recurrent | Bidirectional,
        outputs: int,
        *,
        dropout: float = 0.0,
        head: tuple[int, ...] = (),
        normalise: Normalisation = "last",
    ) -> None:
        super().__init__()
        self.normalisation, self.patches, self.recurrent = ReversibleNormalisation(normalise), patches, recurrent
        features = recurrent.ahead.features if isinstance(recurrent, Bidirectional) else recurrent.features
        self.embed = nn.Linear(patches.patch, features)
        self.dropout = nn.Dropout(dropout)
        self.head = dense(recurrent.width, head, outputs)

    def forward(self, series: Float[Tensor, "row time"]) -> Float[Tensor, "row number"]:
        """Forecasts a batch of windows of one target."""
        series, scale = self.normalisation(series)
        state = self.recurrent(self.embed(self.patches(series)).relu())
        return self.normalisation.reverse(self.head(self.dropout(state)), scale)
