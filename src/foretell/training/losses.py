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


class MeanSurprise:
    """The mean over tokens of a surprise that a network sums itself, so that no score of all tokens is kept.

    Args:
        padding: The token that fills sequences up, and does not count.

    >>> MeanSurprise(0)(torch.tensor(6.0), torch.tensor([[3, 1, 2, 0]])).item()
    2.0
    """

    def __init__(self, padding: int) -> None:
        self.padding = padding

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The mean."""
        return outputs.sum() / max(1, self.counted(targets))

    def counted(self, targets: Tensor) -> int:
        """How many tokens count."""
        return int((targets != self.padding).sum())


def counted(loss: Loss, targets: Tensor) -> int:
    """How much the mean over some examples counts beside that over others: by what it counts, or by examples."""
    return loss.counted(targets) if isinstance(loss, MeanSurprise) else len(targets)


def counts_itself(loss: Loss) -> bool:
    """Whether a loss says what counts, so that some examples may count more than others."""
    return isinstance(loss, MeanSurprise)


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


def class_loss(labels: int, *, exclusive: bool, weights: Sequence[float] | None = None, smoothing: float = 0.0) -> Loss:
    """The mean surprise, in nats, at the labels that texts have.

    Args:
        labels: How many labels there are. Two exclusive ones have one score, the second's; else each has its own.
        exclusive: Whether an example has exactly one: targets then are its number; else a one for each label it has.
        weights: How much an example of each label counts; each as much as the others where None.
        smoothing: Share of certainty that is taken from the truth and given to all labels alike (Szegedy et al. 2016).

    >>> loss = class_loss(2, exclusive=True)
    >>> round(loss(torch.tensor([[0.0]]), torch.tensor([1])).item(), 4)
    0.6931
    """
    shares = torch.ones(labels) if weights is None else torch.tensor(weights, dtype=torch.float32)

    def softmax(outputs: Tensor, targets: Tensor) -> Tensor:
        each = nn.functional.cross_entropy(outputs, targets, reduction="none", label_smoothing=smoothing)
        return (each * shares.to(each)[targets]).mean()

    def sigmoid(outputs: Tensor, targets: Tensor) -> Tensor:
        truth = (targets[:, None] if exclusive else targets).to(outputs)
        smooth = truth * (1 - smoothing) + smoothing / 2
        each = nn.functional.binary_cross_entropy_with_logits(outputs, smooth, reduction="none")
        own = shares.to(each)
        counts = (
            torch.where(truth > 0, own[1], own[0]) if exclusive else torch.where(truth > 0, own, torch.ones_like(own))
        )
        return (each * counts).mean()

    return softmax if exclusive and labels > 2 else sigmoid
