"""A training's whole state as one safetensors file: weights, optimiser, generator, position and metrics are one unit.

One file, written beside and renamed, is what makes it impossible to find new weights with an old optimiser.
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from ..errors import UnsafeFileError
from ..files import write_atomically
from .carrying import Carrying

FILE = "state.safetensors"
_FORMAT = "1"


@dataclass
class Position:
    """How far a training has come; with the sampler's seed it says which batch is next.

    Attributes:
        epoch: Epochs done.
        step: Steps done in the epoch that is under way.
        loss_sum: Sum of the losses of those steps.
        history: One record for each epoch done.
        best_epoch: The epoch with the best validation loss, counted from 1; 0 before there is one.
        best_loss: That loss.
        seconds: Time spent so far.
        threads: Processor threads with which the training began.
        cut: After how many epochs its time was over; None where it was not.
    """

    epoch: int = 0
    step: int = 0
    loss_sum: float = 0.0
    history: list[dict[str, Any]] = field(default_factory=list)
    best_epoch: int = 0
    best_loss: float = float("inf")
    seconds: float = 0.0
    threads: int = 1
    cut: float | None = None


def save_checkpoint(
    folder: Path,
    position: Position,
    network: nn.Module,
    optimiser: torch.optim.Optimizer,
    best: dict[str, Tensor],
    carrying: Carrying,
) -> None:
    """Writes the state of a training; the previous one stays until the new one is whole.

    Args:
        folder: The run's checkpoint folder.
        position: How far it has come.
        network: Its weights as they are.
        optimiser: Its running means.
        best: The weights of the best epoch so far.
        carrying: The state that the next batch begins with.

    Raises:
        StorageError: The disk is full; the previous checkpoint is intact.
    """
    tensors = {f"weights/{name}": tensor for name, tensor in network.state_dict().items()}
    tensors |= {f"best/{name}": tensor for name, tensor in best.items()}
    for number, state in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser/{number}/{name}": torch.as_tensor(value) for name, value in state.items()}
    tensors |= {f"carried/{number}": part for number, part in enumerate(carrying.state)}
    tensors["generator/torch"] = torch.get_rng_state()
    if torch.cuda.is_available():
        tensors["generator/cuda"] = torch.cuda.get_rng_state()
    whole = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    metadata = {"format": _FORMAT, "position": json.dumps(asdict(position))}
    write_atomically(folder / FILE, save(whole, metadata))


def load_checkpoint(
    folder: Path, network: nn.Module, optimiser: torch.optim.Optimizer, carrying: Carrying
) -> tuple[Position, dict[str, Tensor]] | None:
    """Puts a training back where its last checkpoint stood.

    Args:
        folder: The run's checkpoint folder.
        network: Gets the weights.
        optimiser: Gets the running means.
        carrying: Gets the state that the next batch begins with.

    Returns:
        The position and the best weights; None where no checkpoint was written yet.

    Raises:
        UnsafeFileError: The file is damaged, or belongs to another network.
    """
    file = folder / FILE
    if not file.exists():
        return None
    try:
        with safe_open(file, "pt") as stored:
            metadata = stored.metadata() or {}
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 - it is no mapping
        position = Position(**json.loads(metadata["position"]))
        network.load_state_dict(_under(tensors, "weights/"))
    except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise UnsafeFileError(
            f"the checkpoint {file} is damaged or belongs to another network: {error}", file=str(file)
        ) from None
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in _under(tensors, "optimiser/").items():
        number, _, key = name.partition("/")
        state.setdefault(int(number), {})[key] = tensor
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
    carried = _under(tensors, "carried/")
    device = next(network.parameters()).device
    carrying.state = tuple(carried[str(number)].to(device) for number in range(len(carried)))
    torch.set_rng_state(tensors["generator/torch"])
    if "generator/cuda" in tensors and torch.cuda.is_available():
        torch.cuda.set_rng_state(tensors["generator/cuda"])
    return position, _under(tensors, "best/")


def _under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
