"""The networks of the lectures' ladder: a window in, one value for each lead and target out.

Their sizes and activations are those of the lectures' listings ("Temperature Forecasting").
"""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

from .convolution import Convolutions, Pool, pooled
from .heads import dense
from .initialisation import initialise
from .positions import sinusoidal_positions
from .recurrent import Bidirectional, Recurrent
from .transformer import Encoder


class PerceptronNetwork(nn.Module):
    """Flatten, a dense layer with ReLU, a dense layer: the lectures' simple model.

    Args:
        steps: Inputs of a window along time.
        features: Inputs at each step.
        units: Units of the hidden layer.
        leads: Forecast steps.
        targets: Numbers to forecast at each of them.
        dropout: Share of the inputs and of the hidden layer that is dropped in training.
        head: Units of further dense layers before the output.
    """

    def __init__(
        self,
        steps: int,
        features: int,
        units: int,
        leads: int,
        targets: int,
        dropout: float = 0.0,
        head: Sequence[int] = (),
    ) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.hidden = nn.Linear(steps * features, units)
        self.head = dense(units, head, leads * targets)
        self.output_shape = (leads, targets)
        initialise(self)

    def forward(self, inputs: Float[Tensor, "batch time feature"]) -> Float[Tensor, "batch lead target"]:
        """Forecasts a batch of windows."""
        hidden = self.hidden(self.dropout(inputs.flatten(1))).relu()
        return self.head(self.dropout(hidden)).unflatten(1, self.output_shape)


class RecurrentNetwork(nn.Module):
    """Recurrent layers read at their last step, and dense ones: the lectures' recurrent models.

    Args:
        layers: One RNN, LSTM or GRU, one of them in both directions, or several one upon the other, of which all but
            the last return sequences.
        leads: Forecast steps.
        targets: Numbers to forecast at each of them.
        head: Units of further dense layers before the output.
    """

    def __init__(
        self,
        layers: Recurrent | Bidirectional | Sequence[Recurrent | Bidirectional],
        leads: int,
        targets: int,
        head: Sequence[int] = (),
    ) -> None:
        super().__init__()
        several = list(layers) if isinstance(layers, Sequence) else [layers]
        self.recurrent = several[0] if len(several) == 1 else nn.Sequential(*several)
        self.head = dense(several[-1].width, head, leads * targets)
        self.output_shape = (leads, targets)
        initialise(self)

    def forward(self, inputs: Float[Tensor, "batch time feature"]) -> Float[Tensor, "batch lead target"]:
        """Forecasts a batch of windows."""
        return self.head(self.recurrent(inputs)).unflatten(1, self.output_shape)


class ConvolutionNetwork(nn.Module):
    """Convolutions with pooling between them, global pooling or flattening at the end, dense layers.

    Args:
        convolutions: The convolutions.
        steps: Inputs of a window along time.
        leads: Forecast steps.
        targets: Numbers to forecast at each of them.
        pool: What global pooling takes of each channel; None flattens instead.
        dropout: Share of what the dense layers read that is dropped in training.
        head: Units of further dense layers before the output.
    """

    def __init__(
        self,
        convolutions: Convolutions,
        steps: int,
        leads: int,
        targets: int,
        pool: Pool | None = "maximum",
        dropout: float = 0.0,
        head: Sequence[int] = (),
    ) -> None:
        super().__init__()
        self.convolutions, self.pool = convolutions, pool
        self.dropout = nn.Dropout(dropout)
        convolutions.require(steps)
        width = convolutions.width * (1 if pool else convolutions.length(steps))
        self.head = dense(width, head, leads * targets)
        self.output_shape = (leads, targets)
        initialise(self)

    def forward(self, inputs: Float[Tensor, "batch time feature"]) -> Float[Tensor, "batch lead target"]:
        """Forecasts a batch of windows."""
        found = self.convolutions(inputs)
        found = pooled(found, self.pool) if self.pool else found.flatten(1)
        return self.head(self.dropout(found)).unflatten(1, self.output_shape)


class ConvolutionRecurrentNetwork(nn.Module):
    """Convolutions that shorten the window, recurrent layers that read what is left, dense layers.

    Args:
        convolutions: The convolutions.
        recurrent: What reads their outputs and is read at its last step.
        leads: Forecast steps.
        targets: Numbers to forecast at each of them.
        head: Units of further dense layers before the output.
    """

    def __init__(
        self,
        convolutions: Convolutions,
        recurrent: Recurrent | Bidirectional,
        leads: int,
        targets: int,
        head: Sequence[int] = (),
    ) -> None:
        super().__init__()
        self.convolutions, self.recurrent = convolutions, recurrent
        self.head = dense(recurrent.width, head, leads * targets)
        self.output_shape = (leads, targets)
        initialise(self)

    def forward(self, inputs: Float[Tensor, "batch time feature"]) -> Float[Tensor, "batch lead target"]:
        """Forecasts a batch of windows."""
        return self.head(self.recurrent(self.convolutions(inputs))).unflatten(1, self.output_shape)


class TransformerNetwork(nn.Module):
    """An encoder over the steps of a window, whose last position makes the forecast.

    Args:
        steps: Inputs of a window along time.
        features: Inputs at each step.
        width: Numbers of a position.
        heads: Heads of attention.
        feed_forward: Units between the dense layers of a block.
        layers: How many blocks.
        leads: Forecast steps.
        targets: Numbers to forecast at each of them.
        dropout: Share that is dropped in training.
        head: Units of further dense layers before the output.
    """

    positions: Tensor

    def __init__(
        self,
        steps: int,
        features: int,
        width: int,
        heads: int,
        feed_forward: int,
        layers: int,
        leads: int,
        targets: int,
        dropout: float = 0.0,
        head: tuple[int, ...] = (),
    ) -> None:
        super().__init__()
        self.embed = nn.Linear(features, width)
        self.register_buffer("positions", sinusoidal_positions(steps, width))
        self.dropout = nn.Dropout(dropout)
        self.encoder = Encoder(width, heads, feed_forward, layers, dropout)
        self.head = dense(width, head, leads * targets)
        self.output_shape = (leads, targets)
        initialise(self)

    def forward(self, inputs: Float[Tensor, "batch time feature"]) -> Float[Tensor, "batch lead target"]:
        """Forecasts a batch of windows."""
        positions = self.encoder(self.dropout(self.embed(inputs) + self.positions))
        return self.head(positions[:, -1]).unflatten(1, self.output_shape)
