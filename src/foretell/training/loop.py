"""The training loop: draw a batch, step, validate after each epoch, keep the best weights, stop and resume exactly.

It knows no task: examples are drawn by position, losses are functions of outputs and targets.
"""

import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import torch
from jaxtyping import Int64
from numpy import ndarray
from torch import Tensor, nn

from ..config import TrainingSection
from ..errors import ConfigurationError, DivergedError
from ..files import remove_leftovers, write_atomically
from ..nn.threads import kernel_threads, usable_processors
from ..nn.ways import recurrence
from .checkpoints import FILE, Position, load_checkpoint, save_checkpoint
from .optimisers import make_optimiser
from .sampling import Sampler
from .schedules import learning_rate
from .seeds import seeded, threads

Loss = Callable[[Tensor, Tensor], Tensor]
SMALL = 500_000  # weights
_PRECISION: dict[str, Literal["32-true", "64-true", "bf16-mixed"]] = {
    "32": "32-true",
    "64": "64-true",
    "bf16": "bf16-mixed",
}


@runtime_checkable
class Examples(Protocol):
    """What a loop learns from."""

    def batch(self, positions: Int64[ndarray, " batch"]) -> tuple[Tensor, Tensor]:
        """Inputs and targets of the training examples at some positions."""
        ...

    def validate(self, network: Callable[[Tensor], Tensor], loss: Loss, device: torch.device) -> dict[str, float]:
        """The validation metrics of a network, its ``loss`` among them."""
        ...


@runtime_checkable
class Watcher(Protocol):
    """Someone who is told how a training goes."""

    def step(self, epoch: int, step: int, steps: int, loss: float) -> None:
        """A step is done."""
        ...

    def epoch(self, record: dict[str, Any], epochs: int) -> None:
        """An epoch is done."""
        ...


@dataclass(frozen=True)
class TrainingResult:
    """What a training came to.

    Attributes:
        history: One record for each epoch.
        best_epoch: The epoch whose weights were kept.
        stopped_early: Whether validation stopped improving before the last epoch.
    """

    history: list[dict[str, Any]]
    best_epoch: int
    stopped_early: bool


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


def check_device(device: str) -> None:
    """Checks that a device is there, before anything is made for a training on it.

    Raises:
        ConfigurationError: It is not.
    """
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not there.get(device, True):
        raise ConfigurationError(
            f"--device {device} cannot be used here: torch finds none; say cpu or auto", option="device"
        )


def train(
    network: nn.Module, examples: Examples, sampler: Sampler, section: TrainingSection, folder: Path, watcher: Watcher
) -> TrainingResult:
    """Trains a network, from the last checkpoint in the folder where there is one.

    Args:
        network: Changed in place; ends with the best epoch's weights.
        examples: What it learns from.
        sampler: In which order.
        section: How.
        folder: The run's folder: gets ``metrics.jsonl`` and ``checkpoint/``.
        watcher: Is told how it goes.

    Raises:
        DivergedError: The loss or a weight is no longer finite; the last checkpoint before that is kept.
        StorageError: The disk is full.
    """
    from lightning_fabric import Fabric  # 3 s of imports that only training needs

    check_device(section.device)
    checkpoints = folder / "checkpoint"
    checkpoints.mkdir(parents=True, exist_ok=True)
    remove_leftovers(checkpoints / FILE)
    loss_function = LOSSES[section.loss]
    total = section.epochs * sampler.steps
    with (
        seeded(section.seed),
        threads(section.threads or _helpful_threads(network)),
        kernel_threads(section.threads or usable_processors()),
        recurrence(section.kernel),
    ):
        optimiser = make_optimiser(section, network.parameters())
        fabric = Fabric(accelerator=section.device, devices=1, precision=_PRECISION[section.precision])
        model, optimiser = fabric.setup(network, optimiser)
        resumed = load_checkpoint(checkpoints, network, optimiser)
        position, best = resumed or (Position(threads=torch.get_num_threads()), _copy(network))
        # Sums depend on how many threads share them: a run goes on with as many as it began with.
        torch.set_num_threads(position.threads)
        _write_metrics(folder, position)
        started = last_saved = time.monotonic()
        earlier = position.seconds

        def save() -> None:
            position.seconds = earlier + time.monotonic() - started
            save_checkpoint(checkpoints, position, network, optimiser, best)

        while position.epoch < section.epochs and not _exhausted(position, section):
            model.train()
            batches = sampler.epoch(position.epoch)
            for batch in batches[position.step :]:
                inputs, targets = examples.batch(batch)
                done = position.epoch * sampler.steps + position.step
                for group in optimiser.param_groups:
                    group["lr"] = learning_rate(section, done, total)
                optimiser.zero_grad()
                loss = loss_function(model(inputs.to(fabric.device)), targets.to(fabric.device))
                fabric.backward(loss)
                if section.clip:
                    nn.utils.clip_grad_norm_(network.parameters(), section.clip)
                value = loss.item()
                if not math.isfinite(value):
                    raise _diverged("loss", value, position, len(batches), checkpoints)
                optimiser.step()
                position.step += 1
                position.loss_sum += value
                watcher.step(position.epoch + 1, position.step, len(batches), value)
                now = time.monotonic()
                if position.step < len(batches) and now - last_saved >= section.checkpoint_seconds:
                    _require_finite(network, position, len(batches), checkpoints)
                    save()
                    last_saved = now
            _require_finite(network, position, len(batches), checkpoints)
            model.eval()
            with torch.inference_mode():
                validation = examples.validate(model, loss_function, fabric.device)
            if not math.isfinite(validation["loss"]):
                raise _diverged("validation loss", validation["loss"], position, len(batches), checkpoints)
            _finish_epoch(position, validation, learning_rate(section, (position.epoch + 1) * sampler.steps - 1, total))
            if validation["loss"] < position.best_loss:
                position.best_epoch, position.best_loss = position.epoch, validation["loss"]
                best = _copy(network)
            position.history[-1]["seconds"] = round(earlier + time.monotonic() - started, 3)
            _write_metrics(folder, position)
            save()
            last_saved = time.monotonic()
            watcher.epoch(position.history[-1], section.epochs)
        network.load_state_dict(best)
        network.cpu().float().eval()
    return TrainingResult(position.history, position.best_epoch, stopped_early=position.epoch < section.epochs)


def _helpful_threads(network: nn.Module) -> int:
    """One thread of torch's for a small network, 0 (torch's choice) for others.

    The operations of a small network are shorter than waiting for a second thread; where other programs compete for the
    processors, that wait was seen to make training seventy times slower. Our own kernels share a whole sequence out
    at once and wait once, so that they take all processors.
    """
    return 1 if sum(weight.numel() for weight in network.parameters()) < SMALL else 0


def _exhausted(position: Position, section: TrainingSection) -> bool:
    return bool(section.patience) and position.epoch - position.best_epoch >= section.patience


def _finish_epoch(position: Position, validation: dict[str, float], rate: float) -> None:
    position.epoch += 1
    position.history.append(
        {
            "epoch": position.epoch,
            "train": {"loss": position.loss_sum / position.step},
            "validation": validation,
            "learning_rate": rate,
        }
    )
    position.step, position.loss_sum = 0, 0.0


def _copy(network: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().clone() for name, tensor in network.state_dict().items()}


def _write_metrics(folder: Path, position: Position) -> None:
    lines = "".join(json.dumps(record) + "\n" for record in position.history)
    write_atomically(folder / "metrics.jsonl", lines.encode())


def _require_finite(network: nn.Module, position: Position, steps: int, checkpoints: Path) -> None:
    """A checkpoint must never replace a good one with weights that are no numbers."""
    if not all(bool(weight.isfinite().all()) for weight in network.parameters()):
        raise _diverged("weights", float("nan"), position, steps, checkpoints)


def _diverged(what: str, value: float, position: Position, steps: int, checkpoints: Path) -> DivergedError:
    step = position.epoch * steps + position.step + (what == "loss")
    kept = "the last good checkpoint is kept" if (checkpoints / FILE).exists() else "no checkpoint had been written yet"
    return DivergedError(
        f"the {what} must be finite; at step {step} (epoch {position.epoch + 1}) it is {value}; {kept}; try a smaller "
        "--learning-rate, --clip 1, or look for outliers with: foretell data check",
        step=step,
        epoch=position.epoch + 1,
    )


__all__ = ["LOSSES", "Examples", "Loss", "TrainingResult", "Watcher", "train"]
