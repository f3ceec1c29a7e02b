"""A training that is stopped at any step, as Ctrl-C or a kill does, once or twice, ends as if it had not been: bit for bit."""

import json
import os
import random
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from foretell.tasks.interface import Attempt, Silent
from foretell.training.checkpoints import FILE, save_checkpoint
from foretell.training.curves import CURVE

from .amounts import Figures, much
from .test_crashed_commands import without_clocks
from .tiny_trainings import EPOCHS, STEPS, prepared, trained_rungs


class Killed(BaseException):
    """A kill: nobody catches it, and nothing is written any more."""


class Stops(Silent):
    """A watcher that ends a training as Ctrl-C does, once so many steps were made."""

    def __init__(self, after: int) -> None:
        self.left = after

    def step(self, epoch: int, step: int, steps: int, loss: float) -> None:
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt


def interrupted(patch: pytest.MonkeyPatch, step: int) -> Silent:
    """Ctrl-C once so many steps were made."""
    return Stops(step)


def killed(patch: pytest.MonkeyPatch, checkpoint: int, *, before: bool) -> Silent:
    """A kill at the checkpoint of a number: before its first byte, or as soon as it is there."""
    left, real = checkpoint, save_checkpoint

    def save(*arguments: Any, **named: Any) -> None:
        nonlocal left
        left -= 1
        if left == 0 and before:
            raise Killed
        real(*arguments, **named)
        if left == 0:
            raise Killed

    patch.setattr("foretell.training.loop.save_checkpoint", save)
    return Silent()


Way = Callable[[pytest.MonkeyPatch, int], Silent]
WAYS: dict[str, tuple[Way, float]] = {  # and the seconds between checkpoints
    "Ctrl-C, long after the last checkpoint": (interrupted, 1e9),
    "a kill behind a checkpoint": (partial(killed, before=False), 0.0),
    "Ctrl-C": (interrupted, 0.0),
    "a kill before a checkpoint": (partial(killed, before=True), 0.0),
}


class Trainings:
    """Trainings of a rung, each from what lies on disk alone.

    Args:
        name: The task.
        rung: The rung.
        home: Where they are kept.
    """

    def __init__(self, name: str, rung: str, home: Path) -> None:
        self.name, self.rung, self.home = name, rung, home
        self.made, self.stopped = 0, 0

    def fit(self, folder: Path, watcher: Any = None, **options: object) -> Any:
        """One training, as a process of its own begins it: nothing is left of the one before but files."""
        torch.manual_seed(random.Random(self.made).getrandbits(32))  # whoever goes on has drawn other numbers
        np.random.seed(self.made)
        self.made += 1
        task, data = prepared(self.name, self.rung, self.home / "data", **options)
        return task.fit(data, self.rung, Attempt(folder, watcher or Silent()))

    def stop(self, folder: Path, way: Way, step: int, **options: object) -> None:
        """One that does not come to its end."""
        with pytest.MonkeyPatch.context() as patch, pytest.raises((KeyboardInterrupt, Killed)):
            self.fit(folder, way(patch, step), **options)
        self.stopped += 1


def what_came_of_it(folder: Path, learned: Any) -> dict[str, Any]:
    """All that a training leaves, without its clocks: the model, and the checkpoint with generators and means."""
    file = folder / "checkpoint" / FILE
    with safe_open(file, "pt") as stored:
        position = json.loads(stored.metadata()["position"])
    history = without_clocks(position.pop("history"))
    curve = without_clocks([json.loads(line) for line in (folder / CURVE).read_text().splitlines()])
    assert history == curve == without_clocks(learned.history)
    del position["seconds"]
    state = {name: tensor.numpy().tobytes() for name, tensor in load_file(file).items()}
    assert any(name.startswith("generator/") for name in state)
    arrays = {name: np.asarray(array).tobytes() for name, array in learned.artefact({}).arrays.items()}
    return {"position": position, "history": history, "state": state, "arrays": arrays}


@pytest.mark.parametrize(("name", "rung"), trained_rungs())
def test_a_training_stopped_at_every_step_ends_bit_equal(
    name: str, rung: str, tmp_path: Path, figures: Figures, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: None)  # no power is cut here
    trainings = Trainings(name, rung, tmp_path)
    expected = what_came_of_it(tmp_path / "whole", trainings.fit(tmp_path / "whole"))
    steps = EPOCHS * STEPS
    assert len(expected["history"]) == EPOCHS
    for told in list(WAYS)[: much(2, len(WAYS))]:
        way, seconds = WAYS[told]
        for step in range(1, steps + 1):
            folder = tmp_path / f"{told} {step}"
            trainings.stop(folder, way, step, checkpoint_seconds=seconds)
            if step % 2 and step < steps - 1:  # and once more, in what is left
                trainings.stop(folder, interrupted, 1 + step % 4 // 2, checkpoint_seconds=seconds)
            learned = trainings.fit(folder, checkpoint_seconds=1e9)
            assert what_came_of_it(folder, learned) == expected, (told, step)
    figures(steps=steps, stops=trainings.stopped)
