"""A rung's network trained as an attempt says: where it is kept, who watches, what it starts from."""

from torch import nn

from ..config import TrainingSection
from ..training.loop import Examples, TrainingResult, train
from ..training.losses import Loss
from ..training.sampling import Sampler
from .interface import Attempt, started_from


def train_network(
    network: nn.Module, examples: Examples, loss: Loss, sampler: Sampler, section: TrainingSection, attempt: Attempt
) -> tuple[TrainingResult, str]:
    """Trains a network in place, from the last checkpoint in the attempt's folder where there is one.

    Args:
        network: Begins with the weights of the model that the attempt starts from, where there is one, already.
        examples: What it learns from.
        loss: What it makes small.
        sampler: In which order.
        section: How, nothing left open.
        attempt: Where, and for how long.

    Returns:
        What it came to, and a note on it.
    """
    warm = attempt.start is not None
    result = train(
        network, examples, loss, sampler, section, attempt.folder, attempt.watcher, attempt.seconds, warm=warm
    )
    network.requires_grad_(False)
    return result, "; ".join(filter(None, (started_from(attempt.start), result.note)))
