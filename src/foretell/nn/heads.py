"""What turns a network's last numbers into forecasts: dense layers, a reader of what is known ahead, changes."""

from collections.abc import Sequence
from itertools import pairwise

from jaxtyping import Float
from torch import Tensor, nn

from .initialisation import initialise


def dense(width: int, hidden: Sequence[int], outputs: int) -> nn.Module:
    """Dense layers with ReLU between them; one alone where no hidden sizes are named.

    Args:
        width: Numbers that go in.
        hidden: Units of the layers between.
        outputs: Numbers that come out.

    >>> dense(32, (), 1)
    Linear(in_features=32, out_features=1, bias=True)
    >>> [tuple(weight.shape) for weight in dense(32, (64,), 1).parameters()]
    [(64, 32), (64,), (1, 64), (1,)]
    """
    sizes = (width, *hidden)
    layers: list[nn.Module] = []
    for before, after in pairwise(sizes):
        layers += [nn.Linear(before, after), nn.ReLU()]
    last = nn.Linear(sizes[-1], outputs)
    return nn.Sequential(*layers, last) if layers else last


class KnownAhead(nn.Module):
    """A network that also reads, for each lead, what is known ahead: the calendar, a plan, a holiday.

    What is known of a lead goes through two dense layers, the same for all leads, and is added to the forecast.

    Args:
        network: What reads the window.
        known: Numbers that are known ahead at each lead.
        units: Units of the hidden layer.
        targets: Numbers to forecast at each lead.
    """

    def __init__(self, network: nn.Module, known: int, units: int, targets: int) -> None:
        super().__init__()
        self.network = network
        self.known = dense(known, (units,), targets)
        initialise(self.known)

    def forward(
        self, inputs: Float[Tensor, "batch time feature"], known: Float[Tensor, "batch lead known"]
    ) -> Float[Tensor, "batch lead target"]:
        """Forecasts a batch of windows."""
        return self.network(inputs) + self.known(known)


class ChangeFromLast(nn.Module):
    """A network whose outputs are changes: what it says is added to the last value of each target.

    A window's last value is the best simple forecast of many series; what is left to learn is how that goes on, as in
    He et al., "Deep Residual Learning" (2016), a network learns what its input lacks.

    Args:
        network: What reads the window.
        places: Where each target stands among the features.
        numbers: Numbers to forecast of each target: one, or its quantiles.

    >>> import torch
    >>> says_nothing = nn.Sequential(nn.Flatten(), dense(4, (), 2), nn.Unflatten(1, (2, 1))).requires_grad_(False)
    >>> for weight in says_nothing.parameters():
    ...     _ = weight.zero_()
    >>> ChangeFromLast(says_nothing, places=[0])(torch.tensor([[[1.0, 9.0], [3.0, 8.0]]])).tolist()
    [[[3.0], [3.0]]]
    """

    def __init__(self, network: nn.Module, places: Sequence[int], numbers: int = 1) -> None:
        super().__init__()
        self.network, self.places, self.numbers = network, list(places), numbers

    def forward(self, inputs: Float[Tensor, "batch time feature"]) -> Float[Tensor, "batch lead target"]:
        """Forecasts a batch of windows."""
        last = inputs[:, -1:, self.places].repeat_interleave(self.numbers, dim=2)
        return self.network(inputs) + last
