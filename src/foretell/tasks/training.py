"""A rung's network trained as an attempt says: where it is kept, who watches, what it starts from."""

from torch import nn

from ..config import TrainingSection
from ..errors import ConfigurationError
from ..training.loop import Examples, TrainingResult, train
from ..training.losses import Loss
from ..training.sampling import Order
from .interface import Attempt, Start, started_from


def train_network(
    network: nn.Module, examples: Examples, loss: Loss, sampler: Order, section: TrainingSection, attempt: Attempt
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


def begin_with(network: nn.Module, weights: nn.Module, start: Start) -> None:
    """Gives a network the weights of the model that its training starts from.

    Args:
        network: Gets them.
        weights: The model's network.
        start: The model, for its name.

    Raises:
        ConfigurationError: It is one of another shape.
    """
    try:
        network.load_state_dict(weights.state_dict())
    except RuntimeError:
        raise ConfigurationError(
            f"{start.name} holds a network of another shape than the options ask for; leave out options of what it "
            "reads and of its network, which are the model's",
            option="from",
        ) from None


def nothing_to_go_on(start: Start) -> ConfigurationError:
    """The error where a model to start from holds no network."""
    return ConfigurationError(f"{start.name} holds no network whose training could go on; train anew", option="from")
