"""What training makes small: functions of outputs and targets, each a mean over examples."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

Loss = Callable[[Tensor, Tensor], Tensor]


def mean_absolute_error(outputs: Tensor, targets: Tensor) -> Tensor:
    """The mean distance between outputs and targets."""
    return (outputs - targets).abs().mean()


def mean_squared_error(outputs: Tensor, targets: Tensor) -> Tensor:
    """The mean squared distance between outputs and targets."""
    return (outputs - targets).square().mean()


def cross_entropy(outputs: Tensor, targets: Tensor) -> Tensor:
    """The mean surprise, in nats, at the classes that targets number; outputs end in a score for each class."""
    return nn.functional.cross_entropy(outputs.flatten(0, -2), targets.flatten())


LOSSES: dict[str, Loss] = {"mae": mean_absolute_error, "mse": mean_squared_error, "cross-entropy": cross_entropy}


def quantile_loss(quantiles: Sequence[float]) -> Loss:
    """The mean pinball loss, twice, so that it is the absolute error for the median alone.

    Koenker and Bassett, "Regression Quantiles" (1978).

    Args:
        quantiles: Shares of the truth that shall lie below each output; outputs hold them along their last axis, for
            each target one after the other.

    >>> quantile_loss([0.5])(torch.tensor([[1.0]]), torch.tensor([[3.0]])).item()
    2.0
    """
    shares = torch.tensor(quantiles)

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        above = targets[..., None] - outputs.view(*targets.shape, -1)
        own = shares.to(above)
        return 2 * torch.maximum(own * above, (own - 1) * above).mean()

    return loss
