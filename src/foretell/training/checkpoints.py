"""A training's whole state as one safetensors file: weights, optimiser, generator, position and metrics are one unit.

One file, written beside and renamed, is what makes it impossible to find new weights with an old optimiser. Of several
processes the first one writes and reads it, with what each of them has of its own.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from pydantic import TypeAdapter
from safetensors import SafetensorError
from safetensors.numpy import save
from safetensors.torch import load
from safetensors.torch import save as save_any
from torch import Tensor, nn

from ..errors import UnsafeFileError
from ..files import write_atomically
from ..untrusted import read_tensors
from .carrying import Carrying
from .curves import require_curve
from .group import ALONE, Group
from .optimisers import kept_by
from .seeds import seed_of
from .sharding import give_means, give_weights, means_of, weights_of

FILE = "state.safetensors"
_FORMAT = "1"
LARGEST = 64 * 1024**3  # weights three times and more
_MOST_THREADS = 4096
DAMAGE = (SafetensorError, LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RuntimeError)


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
        processes: How many trained together.
        regrouped: How many had begun it, and how many went on, where these were not as many.
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
    processes: int = 1
    regrouped: tuple[int, int] | None = None


def save_checkpoint(
    folder: Path,
    position: Position,
    network: nn.Module,
    optimiser: torch.optim.Optimizer,
    best: dict[str, Tensor],
    carrying: Carrying,
    group: Group = ALONE,
) -> None:
    """Writes the state of a training; the previous one stays until the new one is whole.

    Args:
        folder: The run's checkpoint folder.
        position: How far it has come.
        network: Its weights as they are.
        optimiser: Its running means.
        best: The weights of the best epoch so far.
        carrying: The state that the next batch begins with.
        group: Who trains together; all of them call this.

    Raises:
        StorageError: The disk is full; the previous checkpoint is intact.
    """
    tensors = {f"weights/{name}": tensor for name, tensor in weights_of(network).items()}
    tensors |= {f"best/{name}": tensor for name, tensor in best.items()}
    for number, state in means_of(network, optimiser).items():
        tensors |= {f"optimiser/{number}/{name}": torch.as_tensor(value) for name, value in state.items()}
    tensors |= _gathered(carrying, group)
    if group.leads:
        position.processes = group.size
        metadata = {"format": _FORMAT, "position": json.dumps(asdict(position))}
        write_atomically(folder / FILE, packed(tensors, metadata))


def _gathered(carrying: Carrying, group: Group) -> dict[str, Tensor]:
    """What each process has of its own: its generators, and its rows of the state, which follow each other."""
    own = {f"carried/{number}": part for number, part in enumerate(carrying.state)}
    own["generator/torch"] = torch.get_rng_state()
    if torch.cuda.is_available():
        own["generator/cuda"] = torch.cuda.get_rng_state()
    if group.size == 1:
        return own
    several = [load(content) for content in group.gathered(packed(own))]
    found = {
        name + (f"/{rank}" if rank else ""): tensor
        for rank, theirs in enumerate(several)
        for name, tensor in theirs.items()
        if name.startswith("generator/")
    }
    rows = [theirs for theirs in several if "carried/0" in theirs]  # who has no row has no state
    names = [name for name in rows[0] if name.startswith("carried/")] if rows else []
    return found | {name: torch.cat([theirs[name] for theirs in rows]) for name in names}


def load_checkpoint(
    folder: Path, network: nn.Module, optimiser: torch.optim.Optimizer, carrying: Carrying, group: Group = ALONE
) -> tuple[Position, dict[str, Tensor]] | None:
    """Puts a training back where its last checkpoint stood.

    Where fewer or more processes go on than had begun, each has its share of the state, and generators begin anew.

    Args:
        folder: The run's checkpoint folder.
        network: Gets the weights.
        optimiser: Gets the running means.
        carrying: Gets the state that the next batch begins with.
        group: Who trains together; all of them call this.

    Returns:
        The position and the best weights; None where no checkpoint was written yet.

    Raises:
        UnsafeFileError: The file is damaged, or belongs to another network.
    """
    file = folder / FILE
    content = group.first(read_tensors(file, LARGEST) if group.leads and os.path.lexists(file) else b"")
    if not content:
        return None
    try:
        tensors = dict(sorted(load(content).items()))
        _require_numbers(tensors)
        position, best = _position(_metadata(content)), _under(tensors, "best/")
        weights = _under(tensors, "weights/")
        if {name: own.shape for name, own in best.items()} != {name: own.shape for name, own in weights.items()}:
            raise ValueError("the best weights are of another network than the last ones")
        give_weights(network, weights)
        means = _means(_under(tensors, "optimiser/"))
        _require_fitting(means, optimiser, alone=group.size == 1)
        give_means(network, optimiser, means)
        carrying.state = _carried(_under(tensors, "carried/"), network, group)
        _restore_generators(tensors, position, group)
    except DAMAGE as error:
        raise UnsafeFileError(
            f"the checkpoint {file} is damaged or belongs to another network: {error}", file=str(file)
        ) from None
    return position, best


def _position(metadata: dict[str, str]) -> Position:
    """How far a training has come, as its checkpoint says it.

    Raises:
        ValueError: It says nonsense.
    """
    position = TypeAdapter(Position).validate_python(json.loads(metadata["position"]))
    whole = (position.epoch, position.step, position.best_epoch, position.threads - 1, position.processes - 1)
    if min(whole) < 0 or position.threads > _MOST_THREADS or len(position.history) != position.epoch:
        raise ValueError("it says that it has come to where no training comes")
    require_curve(position.history)
    return position


def _means(found: dict[str, Tensor]) -> dict[int, dict[str, Tensor]]:
    means: dict[int, dict[str, Tensor]] = {}
    for name, tensor in found.items():
        number, _, key = name.partition("/")
        means.setdefault(int(number), {})[key] = tensor
    return means


def _require_fitting(means: dict[int, dict[str, Tensor]], optimiser: torch.optim.Optimizer, *, alone: bool) -> None:
    """Checks that running means are an optimiser's own, which would find out only at its next step.

    Args:
        means: By the number of the weight.
        optimiser: The optimiser.
        alone: Whether it holds all of each weight, rather than a shard.

    Raises:
        ValueError: They are another one's.
    """
    weights = [weight for group in optimiser.param_groups for weight in group["params"]]
    names = kept_by(optimiser)
    for number, own in means.items():
        shapes = {key: (weights[number].shape, torch.Size()) for key in own}
        if own.keys() != names or (alone and any(own[key].shape not in shapes[key] for key in own)):
            raise ValueError("the running means are another optimiser's")
        if not all(tensor.isfinite().all() and (tensor.ndim or tensor >= 0) for tensor in own.values()):
            raise ValueError("running means are finite")


def _carried(carried: dict[str, Tensor], network: nn.Module, group: Group) -> tuple[Tensor, ...]:
    device = next(network.parameters()).device
    parts = [carried[str(number)] for number in range(len(carried))]
    own = [part[group.share(len(part))].to(device) for part in parts]
    return tuple(own) if all(map(len, own)) else ()


def _require_numbers(tensors: dict[str, Tensor]) -> None:
    """Checks that no number is none; a running mean of squares alone may have grown beyond what 32 bits hold.

    Raises:
        ValueError: One is.
    """
    for name, tensor in tensors.items():
        wrong = tensor.isnan() if name.startswith("optimiser/") else ~tensor.isfinite()
        if wrong.any():
            raise ValueError(f"{name} must hold finite numbers")


def _restore_generators(tensors: dict[str, Tensor], position: Position, group: Group) -> None:
    if position.processes != group.size:
        torch.manual_seed(seed_of(torch.initial_seed(), group.rank, len(position.history), position.step))
        return
    own = f"/{group.rank}" if group.rank else ""
    torch.set_rng_state(tensors[f"generator/torch{own}"])
    if f"generator/cuda{own}" in tensors and torch.cuda.is_available():
        torch.cuda.set_rng_state(tensors[f"generator/cuda{own}"])


def _metadata(content: bytes) -> dict[str, str]:
    """What a file says beside its tensors, which is where the format puts it: in JSON after the length of that."""
    length = int.from_bytes(content[:8], "little")
    found: dict[str, str] = json.loads(content[8 : 8 + length]).get("__metadata__", {})
    return found


def packed(tensors: Mapping[str, Tensor], metadata: dict[str, str] | None = None) -> bytes:
    """Tensors as one safetensors file.

    Args:
        tensors: By name, wherever they lie.
        metadata: What is said beside them.
    """
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    if any(tensor.dtype == torch.bfloat16 for tensor in plain.values()):  # numpy has no such numbers
        return save_any(plain, metadata)
    # By way of numpy, as safetensors leaves types behind in ctypes for each size of a tensor that it has seen.
    return save({name: tensor.numpy() for name, tensor in plain.items()}, metadata)


def _under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
