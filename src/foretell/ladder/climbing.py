"""The climb: each rung trained for each fold and seed, baselines first, judged against the best of them.

The best baseline and the best rung are chosen on validation; test is read once for each rung, and skill is
what the test errors of the same windows say.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from ..artefact import is_model, read_artefact, write_artefact
from ..cluster.work import Done, Executor, Here, Shared, Work, done_or_raise
from ..errors import UnsafeFileError
from ..tasks.interface import Fitted, Start, Task
from ..tasks.rung import Rung
from ..tasks.weights import of_a_model_folder
from ..training.curves import curve_of, kept_rate
from ..training.loop import Watcher
from .following import Follower
from .standings import Climb, Standings
from .trials import Outcome, Result, Trial, folder_of, without_repeats


@runtime_checkable
class LadderWatcher(Watcher, Protocol):
    """Someone who is told how the climb goes."""

    def rung(self, name: str) -> None:
        """A rung begins, or one of its trials."""
        ...

    def row(self, row: dict[str, Any], reference: str | None) -> None:
        """A rung is done; the reference is known once all baselines are."""
        ...


@dataclass(frozen=True)
class Plan:
    """How a ladder is climbed.

    Attributes:
        rungs: Names in ladder order.
        trials: The folds and seeds of each.
        base_of: Where a rung keeps what it makes.
        keeps: Whether the model of each trial is kept as soon as it is there, so that a climb that was stopped goes on.
        budget: Seconds that all trainings share; None has time.
        start: A model whose weights the networks start from.
    """

    rungs: list[str]
    trials: list[Trial]
    base_of: Callable[[str], Path]
    keeps: bool = True
    budget: float | None = None
    start: Start | None = None


def climb(task: Task, plan: Plan, watcher: LadderWatcher, executor: Executor | None = None) -> Climb:
    """Learns and judges each rung.

    Args:
        task: Whose ladder.
        plan: Which rungs, how often, where, and how long it may take.
        watcher: Is told of each row as it is done.
        executor: Carries trainings out; here, one after the other, where None.
    """
    return _Ascent(task, plan, watcher, executor or Here()).carried_out()


class _Ascent:
    """A climb that is under way."""

    def __init__(self, task: Task, plan: Plan, watcher: LadderWatcher, executor: Executor) -> None:
        self.task, self.plan, self.executor = task, plan, executor
        baselines = [name for name in plan.rungs if task.rungs[name].kind == "baseline"]
        models = [name for name in plan.rungs if name not in baselines]
        trainings = len(plan.trials) * sum(_trains(task.rungs[name]) for name in models)
        self.shares = _Shares(plan.budget, trainings)
        self.trials = {name: _trials(task.rungs[name], plan) for name in (*baselines, *models)}
        counts = {name: len(trials) for name, trials in self.trials.items()}
        self.standings = Standings(task, counts, baselines, watcher.row)
        self.follower = Follower(watcher, live_curves=not executor.keeps_checkpoints)
        self.shared = Shared(list({trial.fold: trial.prepared for trial in plan.trials}.values()))
        self.places: dict[str, tuple[str, int]] = {}  # the rung of each training, and which of its trials it is

    def carried_out(self) -> Climb:
        """Takes what was found, has others do what is left, and combines at home what is made of it."""
        self._take_what_is_there()
        at_once = self.plan.budget is None
        for work, result in self.executor.carry_out(self.task, self._alone(), self.follower, at_once=at_once):
            self._keep(work, done_or_raise(result))
        for work, result in Here().carry_out(self.task, self._combined(), self.follower):
            self._keep(work, done_or_raise(result))
        return self.standings.climb()

    def _take_what_is_there(self) -> None:
        """The trials whose models an earlier climb left in their folders."""
        for name, trials in self.trials.items() if self.plan.keeps else ():
            for number, trial in enumerate(trials):
                found = _found(self.task, name, self._folder(name, trial), trial.prepared.fingerprint)
                if found is None:
                    continue
                fitted, seconds = found
                self.follower.began_of(_title(name, trial))
                with of_a_model_folder():  # of these data, as it says, it may yet forecast something else
                    evaluations = {
                        span: self.task.evaluate(trial.prepared, fitted, span) for span in ("validation", "test")
                    }
                self.shares.spent(seconds, self.executor.slots)
                if _trains(self.task.rungs[name]):
                    self.shares.taken()
                self.standings.add(name, number, _outcome(trial, Done(fitted, evaluations, seconds)))

    def _alone(self) -> Iterator[Work]:
        """The trainings that are left, of rungs that are made of no others, baselines first."""
        for name in self.trials:
            if not self.task.rungs[name].combines:
                yield from self._left(name)

    def _combined(self) -> Iterator[Work]:
        """The same of rungs that are made of others."""
        for name in self.trials:
            if self.task.rungs[name].combines:
                yield from self._left(name)

    def _left(self, name: str) -> Iterator[Work]:
        rung = self.task.rungs[name]
        for number, trial in enumerate(self.trials[name]):
            if self.standings.has(name, number):
                continue
            folder, title = self._folder(name, trial), _title(name, trial)
            goes_on = _trains(rung) and self.executor.keeps_checkpoints
            earlier = _earlier_seconds(folder) if goes_on else 0.0
            self.shares.spent(earlier, self.executor.slots)
            seconds = self.shares.next(earlier, self.executor.slots) if _trains(rung) else None
            self.places[title] = (name, number)
            yield Work(
                title,
                name,
                self.shared,
                folder,
                trial.fold,
                seed=trial.seed,
                seconds=seconds,
                earlier=earlier,
                members=self._members(rung, name, trial),
                start=self.plan.start,
            )

    def _keep(self, work: Work, done: Done) -> None:
        """A training is over: its model is in its folder, and its rung may be done."""
        name, number = self.places[work.name]
        if self.plan.keeps:
            write_artefact(work.folder / "model", done.fitted.artefact(done.metrics), replace=True)
        self.follower.ended(work)
        self.standings.add(name, number, _outcome(self.trials[name][number], done))

    def _members(self, rung: Rung, name: str, trial: Trial) -> dict[str, Fitted]:
        """What a rung is made of that combines others."""
        if not rung.combines:
            return {}
        before = self.standings.before(name)
        return {own: _of_trial(before[own], trial) for own in _members(self.task, before, rung, trial.fold)}

    def _folder(self, name: str, trial: Trial) -> Path:
        return folder_of(self.plan.base_of(name), trial)


def _title(name: str, trial: Trial) -> str:
    return f"{name} {trial.name}".strip()


def _outcome(trial: Trial, done: Done) -> Outcome:
    return Outcome(trial, done.fitted, done.evaluations["validation"], done.evaluations["test"], done.seconds)


def _found(task: Task, rung: str, folder: Path, fingerprint: str) -> tuple[Fitted, float] | None:
    """The model that an earlier climb left, and how long it took.

    Raises:
        UnsafeFileError: What lies there is no model of this rung, or one of other data.
    """
    model = folder / "model"
    if not is_model(model):
        return None
    artefact = read_artefact(model)
    if artefact.task != task.name:
        raise UnsafeFileError(f"{model} holds a model of {artefact.task}, not of {task.name}", folder=str(model))
    with of_a_model_folder():
        seconds = float(artefact.document["metrics"].get("seconds", 0.0))
        if not 0 <= seconds < math.inf:
            raise ValueError(f"its training took {seconds} seconds")
    fitted = task.restore(artefact)
    if fitted.rung != rung or artefact.document["data"]["fingerprint"] != fingerprint:
        raise UnsafeFileError(f"{model} is not this run's own {rung}; delete it, and it is learned again")
    return fitted.with_history(curve_of(folder), kept_rate(folder)), seconds


def _earlier_seconds(folder: Path) -> float:
    """How long a training that was stopped had taken by its last epoch; nothing where none was begun."""
    return max((float(record.get("seconds", 0.0)) for record in curve_of(folder)), default=0.0)


def _members(task: Task, results: Mapping[str, Result], rung: Rung, fold: int) -> list[str]:
    """The rungs that a rung is made of: those that it names, and of the others that learned by themselves the best.

    The best are those that err least on a fold's validation. A rung that says the same as another counts once, and one
    that says the same of everything has nothing to add.
    """

    def score(name: str) -> float:
        return results[name].score(task.measure.score, fold)

    rungs = {name: task.rungs[name] for name in results}
    chosen = list(rung.among)
    for name in sorted((name for name, own in rungs.items() if not (own.combines or own.constant)), key=score):
        same = any(results[name].says_the_same(results[other], fold) for other in chosen)
        if len(chosen) < rung.combines and not same:
            chosen.append(name)
    return chosen


def _of_trial(result: Result, trial: Trial) -> Fitted:
    """What a rung learned in a trial, or in its fold where no seed changes it."""
    own = [outcome for outcome in result.outcomes if outcome.trial.fold == trial.fold]
    return next((outcome for outcome in own if outcome.trial.seed == trial.seed), own[0]).fitted


def _trains(rung: Rung) -> bool:
    """Whether a rung learns by training, which seeds change and which takes time."""
    return rung.kind == "model" and not rung.combines


def _trials(rung: Rung, plan: Plan) -> list[Trial]:
    return without_repeats(plan.trials) if rung.kind == "baseline" else plan.trials


class _Shares:
    """Time, shared equally among the trainings that are still to come; what one leaves is the others'.

    As many of them as there are slots are under way at once, each with a share of the same stretch of time.

    Args:
        budget: Seconds in all; None has time.
        trainings: How many are to come.
    """

    def __init__(self, budget: float | None, trainings: int) -> None:
        self.end = None if budget is None else time.monotonic() + budget
        self.left = trainings

    def spent(self, seconds: float, slots: int) -> None:
        """So much of the time was used before this climb went on."""
        if self.end is not None:
            self.end -= seconds / slots

    def next(self, earlier: float, slots: int) -> float | None:
        """The seconds of the next training, with those that it has had already."""
        left = max(1, self.left)
        self.taken()
        if self.end is None:
            return None
        return earlier + max(0.0, self.end - time.monotonic()) * min(slots, left) / left

    def taken(self) -> None:
        """A training is no longer to come."""
        self.left -= 1
