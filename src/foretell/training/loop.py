"""The training loop: draw a batch, step, validate after each epoch, keep the best weights, stop and resume exactly.

It knows no task: examples are drawn by position, losses are functions of outputs and targets.
"""

import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import torch
from jaxtyping import Int64
from numpy import ndarray
from torch import Tensor, nn

from ..config import TrainingSection
from ..errors import DivergedError
from ..files import remove_leftovers, write_atomically
from ..nn.devices import check_device
from ..nn.threads import kernel_threads, usable_processors
from ..nn.ways import recurrence
from .averaging import Averaging
from .carrying import Carrying
from .checkpoints import FILE, Position, load_checkpoint, save_checkpoint
from .curves import CURVE, RangeTest, keep_rate, kept_rate
from .losses import Loss, counted
from .optimisers import make_optimiser
from .rates import find_rate
from .sampling import Order
from .schedules import learning_rate
from .seeds import helpful_threads, seeded, threads

_PRECISION: dict[str, Literal["32-true", "64-true", "bf16-mixed"]] = {
    "32": "32-true",
    "64": "64-true",
    "bf16": "bf16-mixed",
}


@runtime_checkable
class Examples(Protocol):
    """What a loop learns from."""

    def batch(self, positions: Int64[ndarray, " batch"]) -> tuple[tuple[Tensor, ...], Tensor]:
        """Inputs, all that a network reads, and targets of the training examples at some positions."""
        ...

    def validate(self, network: Callable[..., Tensor], loss: Loss, device: torch.device) -> dict[str, float]:
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


@runtime_checkable
class Shows(Protocol):
    """Examples that look at a network after an epoch; what they see stands in the epoch's record."""

    def shown(self, network: nn.Module, epoch: int) -> dict[str, Any]:
        """What is seen of a network after so many epochs; nothing where it is not looked at."""
        ...


@dataclass(frozen=True)
class TrainingResult:
    """What a training came to.

    Attributes:
        history: One record for each epoch.
        best_epoch: The epoch whose weights were kept.
        stopped_early: Whether validation stopped improving before the last epoch.
        cut: After how many epochs its time was over; None where it was not.
        rates: What the search for a learning rate found, where one was asked for.
    """

    history: list[dict[str, Any]]
    best_epoch: int
    stopped_early: bool
    cut: float | None = None
    rates: RangeTest | None = None

    @property
    def note(self) -> str:
        """What became of it, in words."""
        which = str(self.best_epoch) if self.best_epoch else "none, the weights it started from"
        told = [f"best of {len(self.history)} epochs: {which}"]
        if self.stopped_early:
            told.append("stopped early")
        if self.cut is not None:
            told.append(f"cut after {self.cut:.3g} epochs, its share of the time")
        if self.rates is not None:
            told.append(f"learning rate {self.rates.chosen:g} found")
        return ", ".join(told)


def train(
    network: nn.Module,
    examples: Examples,
    loss_function: Loss,
    sampler: Order,
    section: TrainingSection,
    folder: Path,
    watcher: Watcher,
    seconds: float | None = None,
    warm: bool = False,
) -> TrainingResult:
    """Trains a network, from the last checkpoint in the folder where there is one.

    Args:
        network: Changed in place; ends with the best epoch's weights.
        examples: What it learns from.
        loss_function: What it makes small.
        sampler: In which order.
        section: How, nothing left open.
        folder: The run's folder: gets ``metrics.jsonl`` and ``checkpoint/``.
        watcher: Is told how it goes.
        seconds: After how many seconds it ends with the epoch that is under way; None has time.
        warm: Whether the network has learned before: then the weights it comes with are kept where none are better.

    Raises:
        DivergedError: The loss or a weight is no longer finite; the last checkpoint before that is kept.
        StorageError: The disk is full.
    """
    from lightning_fabric import Fabric  # 3 s of imports that only training needs

    check_device(section.device)
    checkpoints = folder / "checkpoint"
    checkpoints.mkdir(parents=True, exist_ok=True)
    remove_leftovers(checkpoints / FILE)
    total = section.epochs * sampler.steps
    with (
        seeded(section.seed),
        threads(section.threads or helpful_threads(sum(weight.numel() for weight in network.parameters()))),
        kernel_threads(section.threads or usable_processors()),
        recurrence(section.kernel),
    ):
        fabric = Fabric(accelerator=section.device, devices=1, precision=_PRECISION[section.precision])
        rates = None
        if section.learning_rate == "auto":
            rates = _found_rate(network, examples, loss_function, sampler, section, folder, fabric.device)
        rate = rates.chosen if rates else float(section.learning_rate)
        optimiser = make_optimiser(section, network.parameters(), rate)
        model, optimiser = fabric.setup(network, optimiser)
        carrying = Carrying()
        resumed = load_checkpoint(checkpoints, network, optimiser, carrying)
        position, best = resumed or (Position(threads=torch.get_num_threads()), _copy(network))
        # Sums depend on how many threads share them: a run goes on with as many as it began with.
        torch.set_num_threads(position.threads)
        _write_metrics(folder, position)
        started = last_saved = time.monotonic()
        earlier, validating = position.seconds, 0.0

        averaging = Averaging(checkpoints, section.average_last)

        def validated() -> dict[str, float]:
            model.eval()
            with torch.inference_mode():
                return examples.validate(model, loss_function, fabric.device)

        if warm and resumed is None:
            before = validated()["loss"]
            position.best_loss = before if math.isfinite(before) else math.inf

        def spent() -> float:
            return earlier + time.monotonic() - started

        def save() -> None:
            position.seconds = spent()
            save_checkpoint(checkpoints, position, network, optimiser, best, carrying)

        while position.epoch < section.epochs and not _exhausted(position, section) and position.cut is None:
            model.train()
            batches = sampler.epoch(position.epoch)
            began, learned_from = time.monotonic(), 0
            if position.step == 0:
                carrying.forget()
            for batch in batches[position.step :]:
                done = position.epoch * sampler.steps + position.step
                for group in optimiser.param_groups:
                    group["lr"] = learning_rate(section, rate, done, total)
                optimiser.zero_grad()
                value = 0.0
                for rows, share, inputs, targets in _parts(examples, batch, section.accumulate, loss_function):
                    learned_from += counted(loss_function, targets)
                    outputs = carrying.run(model, (part.to(fabric.device) for part in inputs), rows)
                    loss = loss_function(outputs, targets.to(fabric.device))
                    fabric.backward(loss if share == 1 else loss * share)
                    value += loss.item() * share
                carrying.advance()
                if section.clip:
                    nn.utils.clip_grad_norm_(network.parameters(), section.clip)
                if not math.isfinite(value):
                    raise _diverged("loss", value, position, len(batches), checkpoints)
                optimiser.step()
                position.step += 1
                position.loss_sum += value
                watcher.step(position.epoch + 1, position.step, len(batches), value)
                done += 1
                if seconds is not None and done < total and spent() + validating > seconds:
                    position.cut = done / len(batches)
                    break
                now = time.monotonic()
                if position.step < len(batches) and now - last_saved >= section.checkpoint_seconds:
                    _require_finite(network, position, len(batches), checkpoints)
                    save()
                    last_saved = now
            _require_finite(network, position, len(batches), checkpoints)
            per_second = round(learned_from / max(1e-9, time.monotonic() - began), 1)
            began = time.monotonic()
            averaging.add(position.epoch + 1, network)
            with averaging.worn(position.epoch + 1, network):
                validation = validated()
                if not math.isfinite(validation["loss"]):
                    raise _diverged("validation loss", validation["loss"], position, len(batches), checkpoints)
                validating = time.monotonic() - began
                last_step = position.epoch * sampler.steps + position.step - 1
                _finish_epoch(position, validation, learning_rate(section, rate, last_step, total))
                if isinstance(examples, Shows):
                    with torch.inference_mode():
                        position.history[-1] |= examples.shown(network, position.epoch)
                if validation["loss"] < position.best_loss:
                    position.best_epoch, position.best_loss = position.epoch, validation["loss"]
                    best = _copy(network)
            position.history[-1] |= {"per_second": per_second, "seconds": round(spent(), 3)}
            _write_metrics(folder, position)
            save()
            last_saved = time.monotonic()
            watcher.epoch(position.history[-1], section.epochs)
        network.load_state_dict(best)
        network.cpu().float().eval()
    early = position.epoch < section.epochs and position.cut is None
    return TrainingResult(position.history, position.best_epoch, early, position.cut, rates)


def _found_rate(
    network: nn.Module,
    examples: Examples,
    loss_function: Loss,
    sampler: Order,
    section: TrainingSection,
    folder: Path,
    device: torch.device,
) -> RangeTest:
    """The learning rate that a range test finds, or found when the run was begun."""
    found = kept_rate(folder)
    if found is None:
        with seeded(section.seed):
            found = find_rate(network, examples.batch, loss_function, sampler, section, device)
        keep_rate(folder, found)
    return found


def _parts(
    examples: Examples, batch: Int64[ndarray, " batch"], count: int, loss_function: Loss
) -> list[tuple[slice, float, tuple[Tensor, ...], Tensor]]:
    """A step's batch in parts: the rows of each, how much its mean counts, its inputs and its targets."""
    bounds = [len(batch) * number // count for number in range(count + 1)]
    rows = [slice(start, end) for start, end in pairwise(bounds) if end > start]
    read = [examples.batch(batch[own]) for own in rows]
    counts = [counted(loss_function, targets) for _, targets in read]
    total = max(1, sum(counts))
    return [
        (own, number / total, inputs, targets)
        for own, number, (inputs, targets) in zip(rows, counts, read, strict=True)
    ]


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
    write_atomically(folder / CURVE, lines.encode())


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


__all__ = ["Examples", "TrainingResult", "Watcher", "train"]
