"""The training loop: draw a batch, step, validate after each epoch, keep the best weights, stop and resume exactly.

It knows no task: examples are drawn by position, losses are functions of outputs and targets.
"""

import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Int64
from numpy import ndarray
from safetensors.torch import load
from torch import Tensor, nn

from ..config import TrainingSection
from ..errors import DivergedError, counted
from ..files import make_folder, remove_all_leftovers, remove_leftovers, write_atomically
from ..nn.threads import kernel_threads, usable_processors
from ..nn.ways import recurrence
from .averaging import Averaging
from .carrying import Carrying
from .checkpoints import FILE, Position, load_checkpoint, packed, save_checkpoint
from .curves import CURVE, RATES, RangeTest
from .group import ALONE, Group, join, noticing_loss
from .losses import Loss
from .optimisers import make_optimiser
from .parts import parts_of
from .placing import check_devices, fabric_of, place
from .rates import find_rate, rate_for
from .sampling import Order
from .schedules import learning_rate
from .seeds import helpful_threads, seed_of, seeded, threads
from .sharding import weights_of


@runtime_checkable
class Examples(Protocol):
    """What a loop learns from."""

    def batch(self, positions: Int64[ndarray, " batch"]) -> tuple[tuple[Tensor, ...], Tensor]:
        """Inputs, all that a network reads, and targets of the training examples at some positions."""
        ...

    def validate(
        self, network: Callable[..., Tensor], loss: Loss, device: torch.device, group: Group
    ) -> dict[str, float]:
        """The validation metrics of a network, its ``loss`` among them; those who train together share the work."""
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
        regrouped: How many processes had begun it, and how many went on, where these are not as many.
    """

    history: list[dict[str, Any]]
    best_epoch: int
    stopped_early: bool
    cut: float | None = None
    rates: RangeTest | None = None
    regrouped: tuple[int, int] | None = None

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
        if self.regrouped is not None:
            before, after = self.regrouped
            told.append(f"gone on with on {counted(after, 'device')} after {before}, what is dropped being drawn anew")
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
        LostError: Another process that trained with this one is gone.
    """
    check_devices(section)
    group = join(section)
    checkpoints = folder / "checkpoint"
    make_folder(checkpoints)
    remove_all_leftovers(checkpoints)
    for name in (CURVE, RATES):
        remove_leftovers(folder / name)
    total = section.epochs * sampler.steps
    with (
        noticing_loss(),
        seeded(section.seed if group.leads else seed_of(section.seed, group.rank)),
        threads(section.threads or helpful_threads(sum(weight.numel() for weight in network.parameters()))),
        kernel_threads(section.threads or usable_processors()),
        recurrence(section.kernel),
    ):
        fabric = fabric_of(section, group)
        rates = None
        if section.learning_rate == "auto":
            find = partial(find_rate, network, examples.batch, loss_function, sampler, section, fabric.device)
            rates = rate_for(find, section.seed, folder, group)
        rate = rates.chosen if rates else float(section.learning_rate)
        placed = place(fabric, network, lambda weights: make_optimiser(section, weights, rate), section, group)
        model, optimiser, held = placed.model, placed.optimiser, placed.held
        carrying = Carrying()
        resumed = load_checkpoint(checkpoints, held, optimiser, carrying, group)
        position, best = resumed or (Position(threads=torch.get_num_threads()), _copy(held))
        if resumed and position.processes != group.size and not _is_over(position, section):
            position.regrouped = (position.processes, group.size)
        # Sums depend on how many threads share them: a run goes on with as many as it began with.
        torch.set_num_threads(position.threads)
        _write_metrics(folder, position)
        started = last_saved = time.monotonic()
        earlier, validating = position.seconds, 0.0

        averaging = Averaging(checkpoints, section.average_last, group)

        def validated() -> dict[str, float]:
            model.eval()
            placed.look()
            with torch.inference_mode():
                # Who holds shards goes forward with all others, and so over all examples.
                own = examples.validate(model, loss_function, fabric.device, ALONE if placed.sharded else group)
            found: dict[str, float] = json.loads(group.first(json.dumps(own).encode())) if group.size > 1 else own
            return found

        if warm and resumed is None:
            before = validated()["loss"]
            position.best_loss = before if math.isfinite(before) else math.inf

        def spent() -> float:
            return earlier + time.monotonic() - started

        def keep() -> None:
            position.seconds = spent()
            save_checkpoint(checkpoints, position, held, optimiser, best, carrying, group)

        while not _is_over(position, section):
            model.train()
            batches = sampler.epoch(position.epoch)
            began, learned_from = time.monotonic(), 0
            if position.step == 0:
                carrying.forget()
            for batch in batches[position.step :]:
                done = position.epoch * sampler.steps + position.step
                for set_of_weights in optimiser.param_groups:
                    set_of_weights["lr"] = learning_rate(section, rate, done, total)
                optimiser.zero_grad()
                value = 0.0
                parts, whole = parts_of(examples, batch, section.accumulate, loss_function, group)
                for part in parts:
                    with fabric.no_backward_sync(model, enabled=not part.last and group.size > 1):
                        outputs = carrying.run(model, (own.to(fabric.device) for own in part.inputs), part.rows)
                        loss = loss_function(outputs, part.targets.to(fabric.device))
                        weight = part.share * group.size  # processes' gradients are averaged, their shares added
                        fabric.backward(loss if weight == 1 else loss * weight)
                    value += loss.item() * part.share
                placed.average_sparse(group)
                carrying.advance()
                if not parts[0].share:  # what a process without examples has read is nobody's
                    carrying.forget()
                learned_from += whole
                # Clocks differ: what the first process's says counts.
                over = group.leads and seconds is not None and spent() + validating > seconds
                due = group.leads and time.monotonic() - last_saved >= section.checkpoint_seconds
                value, is_over, is_due = group.sums(value, over, due)
                if section.clip:
                    fabric.clip_gradients(model, optimiser, max_norm=section.clip, error_if_nonfinite=False)
                if not math.isfinite(value):
                    raise _diverged("loss", value, position, len(batches), checkpoints)
                try:
                    optimiser.step()
                except RuntimeError as error:
                    if "overflow" not in str(error):
                        raise
                    raise _diverged("step", math.inf, position, len(batches), checkpoints) from None
                position.step += 1
                position.loss_sum += value
                watcher.step(position.epoch + 1, position.step, len(batches), value)
                if is_over and done + 1 < total:
                    position.cut = (done + 1) / len(batches)
                    break
                if is_due and position.step < len(batches):
                    _require_finite(held, position, len(batches), checkpoints, group)
                    keep()
                    last_saved = time.monotonic()
            _require_finite(held, position, len(batches), checkpoints, group)
            per_second = round(learned_from / max(1e-9, time.monotonic() - began), 1)
            began = time.monotonic()
            averaging.add(position.epoch + 1, held)
            with averaging.worn(position.epoch + 1, held):
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
                    best = _copy(held)
            position.history[-1] |= {"per_second": per_second, "seconds": round(spent(), 3)}
            _write_metrics(folder, position)
            keep()
            last_saved = time.monotonic()
            watcher.epoch(position.history[-1], section.epochs)
        network.load_state_dict(_of_the_first(best, group))
        network.cpu().float().eval()
    early = position.epoch < section.epochs and position.cut is None
    return TrainingResult(position.history, position.best_epoch, early, position.cut, rates, position.regrouped)


def _is_over(position: Position, section: TrainingSection) -> bool:
    """Whether all epochs are done, nothing got better for long, or time ran out."""
    exhausted = bool(section.patience) and position.epoch - position.best_epoch >= section.patience
    return position.epoch >= section.epochs or exhausted or position.cut is not None


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


def _copy(held: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().clone() for name, tensor in weights_of(held).items()}


def _of_the_first(weights: dict[str, Tensor], group: Group) -> dict[str, Tensor]:
    """The weights of the first process, lest those of unlike processors differ in a last bit."""
    return weights if group.size == 1 else load(group.first(packed(weights) if group.leads else b""))


def _write_metrics(folder: Path, position: Position) -> None:
    lines = "".join(json.dumps(record) + "\n" for record in position.history)
    write_atomically(folder / CURVE, lines.encode())


def _require_finite(held: nn.Module, position: Position, steps: int, checkpoints: Path, group: Group) -> None:
    """A checkpoint must never replace a good one with weights that are no numbers."""
    if any(group.sums(not all(bool(weight.isfinite().all()) for weight in held.parameters()))):
        raise _diverged("weights", float("nan"), position, steps, checkpoints)


def _diverged(what: str, value: float, position: Position, steps: int, checkpoints: Path) -> DivergedError:
    step = position.epoch * steps + position.step + (what in ("loss", "step"))
    kept = "the last good checkpoint is kept" if (checkpoints / FILE).exists() else "no checkpoint had been written yet"
    return DivergedError(
        f"the {what} must be finite; at step {step} (epoch {position.epoch + 1}) it is {value}; {kept}; try a smaller "
        "--learning-rate, --clip 1, or look for outliers with: foretell data check",
        step=step,
        epoch=position.epoch + 1,
    )


__all__ = ["Examples", "TrainingResult", "Watcher", "train"]
