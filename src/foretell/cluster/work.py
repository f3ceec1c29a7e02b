"""A unit of work: one training of a rung and how it is judged; what listens to it, and what comes of it."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from ..tasks.interface import Attempt, Evaluation, Fitted, Prepared, Start, Task


class Shared:
    """Data that many trainings read; they travel once to wherever trainings are.

    Args:
        parts: The data: one for each fold.
    """

    def __init__(self, parts: Sequence[Prepared]) -> None:
        self.parts = parts


@dataclass(frozen=True)
class Work:
    """A training that is to be carried out.

    Attributes:
        name: What it is called where it is told of.
        rung: What is trained.
        shared: The data.
        folder: Keeps its curve and its checkpoints.
        part: Which part of the data.
        configuration: Options in place of the data's own, which change nothing that is read of them.
        seed: In place of the configuration's; None leaves that.
        seconds: After how many seconds it ends with the epoch that is under way; None has time.
        earlier: Seconds that it had taken before it was stopped.
        spans: What it is judged on.
        keeps_all: Whether all of its folder is wanted, or its curve alone.
        members: What a rung is made of that combines others; these stay at home.
        start: A model whose weights it starts from; these trainings stay at home as well.
    """

    name: str
    rung: str
    shared: Shared
    folder: Path
    part: int = 0
    configuration: Any = None
    seed: int | None = None
    seconds: float | None = None
    earlier: float = 0.0
    spans: tuple[str, ...] = ("validation", "test")
    keeps_all: bool = False
    members: Mapping[str, Any] = field(default_factory=dict)
    start: Start | None = None

    def bare(self, folder: Path | None = None) -> "Work":
        """The same without its data, which travel by themselves.

        Args:
            folder: Where it keeps things there; its own folder where None.
        """
        return replace(self, shared=Shared(()), folder=folder or self.folder)


@dataclass(frozen=True)
class Done:
    """What a training came to.

    Attributes:
        fitted: The rung that has learned.
        evaluations: How good it is, by span.
        seconds: How long it took, what it had taken before it was stopped included.
    """

    fitted: Fitted
    evaluations: Mapping[str, Evaluation]
    seconds: float

    @property
    def metrics(self) -> dict[str, Any]:
        """What its model folder says of it as soon as it is there."""
        return {span: own.metrics for span, own in self.evaluations.items()} | {"seconds": self.seconds}


@dataclass(frozen=True)
class Failed:
    """A training that came to nothing.

    Attributes:
        error: Why.
    """

    error: Exception


Result = Done | Failed


def done_or_raise(result: Result) -> Done:
    """What a training came to.

    Raises:
        Exception: What it failed of.
    """
    if isinstance(result, Failed):
        raise result.error
    return result


class GivenUp(Exception):  # noqa: N818 - nothing is wrong: nobody wants more of it
    """A training was given up, as it was asked to be."""


@runtime_checkable
class Listener(Protocol):
    """Someone who is told how trainings go, wherever they are."""

    def began(self, work: Work) -> None:
        """A training begins."""
        ...

    def step(self, work: Work, epoch: int, step: int, steps: int, loss: float) -> None:
        """A step is done; of a training elsewhere not each of them is told."""
        ...

    def epoch(self, work: Work, record: dict[str, Any], epochs: int) -> bool:
        """An epoch is done; whether the training goes on."""
        ...

    def again(self, work: Work) -> None:
        """A worker was lost, and its training begins again elsewhere."""
        ...


@runtime_checkable
class Executor(Protocol):
    """Carries trainings out."""

    @property
    def slots(self) -> int:
        """How many trainings are under way at once."""
        ...

    @property
    def keeps_checkpoints(self) -> bool:
        """Whether trainings have their folders at hand, so that one that was stopped goes on."""
        ...

    def carry_out(
        self, task: Task, works: Iterator[Work], listener: Listener, *, at_once: bool = False
    ) -> Iterator[tuple[Work, Result]]:
        """Trainings with their results, as they are done; the next is taken when there is room for it.

        Args:
            task: Whose rungs.
            works: The trainings.
            listener: Is told how they go.
            at_once: Whether all may be taken at once, where they can wait elsewhere for room.
        """
        ...


class Heard:
    """A watcher of one training that tells a listener, and ends what is not to go on."""

    def __init__(self, work: Work, listener: Listener) -> None:
        self.work, self.listener = work, listener

    def step(self, epoch: int, step: int, steps: int, loss: float) -> None:
        """A step is done."""
        self.listener.step(self.work, epoch, step, steps, loss)

    def epoch(self, record: dict[str, Any], epochs: int) -> None:
        """An epoch is done.

        Raises:
            GivenUp: The training is not to go on.
        """
        if not self.listener.epoch(self.work, record, epochs):
            raise GivenUp


def carry_out(task: Task, work: Work, parts: Sequence[Prepared], watcher: Any) -> Done:
    """Trains a rung and judges it: the same wherever it is.

    Args:
        task: Whose rung.
        work: The training.
        parts: Its data.
        watcher: Is told how it goes.
    """
    started = time.monotonic()
    prepared = parts[work.part]
    if work.configuration is not None:
        prepared = task.reconfigured(prepared, work.configuration)
    attempt = Attempt(work.folder, watcher, work.seed, work.seconds, work.members, work.start)
    fitted = task.fit(prepared, work.rung, attempt)
    evaluations = {span: task.evaluate(prepared, fitted, span) for span in work.spans}
    return Done(fitted, evaluations, work.earlier + round(time.monotonic() - started, 3))


class Here:
    """Carries trainings out in this process, one after the other."""

    slots, keeps_checkpoints = 1, True

    def carry_out(
        self, task: Task, works: Iterator[Work], listener: Listener, *, at_once: bool = False
    ) -> Iterator[tuple[Work, Result]]:
        """Each training with its result; the next is taken when what came of the last has been seen."""
        for work in works:
            listener.began(work)
            try:
                result: Result = carry_out(task, work, work.shared.parts, Heard(work, listener))
            except Exception as error:
                result = Failed(error)
            yield work, result
