"""The networks of the ladder: a window in, one value for each lead and target out.

Their sizes and activations are those of the lectures' listings ("Temperature Forecasting").
"""

from jaxtyping import Float
from torch import Tensor, nn

from .initialisation import initialise
from .recurrent import Bidirectional, Recurrent


class PerceptronNetwork(nn.Module):
    """Flatten, a dense layer with ReLU, a dense layer: the lectures' simple model.

    Args:
        steps: Inputs of a window along time.
        features: Inputs at each step.
        units: Units of the hidden layer.
        leads: Forecast steps.
        targets: Columns to forecast.
        dropout: Share of the inputs and of the hidden layer that is dropped in training.
    """

    def __init__(self, steps: int, features: int, units: int, leads: int, targets: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.hidden = nn.Linear(steps * features, units)
        self.head = nn.Linear(units, leads * targets)
        self.output_shape = (leads, targets)
        initialise(self)

    def forward(self, inputs: Float[Tensor, "batch time feature"]) -> Float[Tensor, "batch lead target"]:
        """Forecasts a batch of windows."""
        hidden = self.hidden(self.dropout(inputs.flatten(1))).relu()
        return self.head(self.dropout(hidden)).unflatten(1, self.output_shape)


class RecurrentNetwork(nn.Module):
    """A recurrent layer read at its last step, and a dense layer: the lectures' recurrent model.

    Args:
        layer: RNN, LSTM, GRU, or one of them in both directions; gives its last state.
        leads: Forecast steps.
        targets: Columns to forecast.
    """

    def __init__(self, layer: Recurrent | Bidirectional, leads: int, targets: int) -> None:
        super().__init__()
        self.recurrent = layer
        self.head = nn.Linear(layer.width, leads * targets)
        self.output_shape = (leads, targets)
        initialise(self)

    def forward(self, inputs: Float[Tensor, "batch time feature"]) -> Float[Tensor, "batch lead target"]:
        """Forecasts a batch of windows."""
        return self.head(self.recurrent(inputs)).unflatten(1, self.output_shape)
