"""The climb: each rung trained for each fold and seed, baselines first, judged against the best of them.

The best baseline and the best rung are chosen on validation; test is read once for each rung, and skill is
what the test errors of the same windows say.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from ..artefact import DOCUMENT, read_artefact, write_artefact
from ..tasks.interface import Attempt, Fitted, Start, Task
from ..tasks.rung import Rung
from ..training.curves import curve_of, kept_rate
from ..training.loop import Watcher
from .trials import Outcome, Result, Trial, folder_of, skill_against, without_repeats


@runtime_checkable
class LadderWatcher(Watcher, Protocol):
    """Someone who is told how the climb goes."""

    def rung(self, name: str) -> None:
        """A rung begins, or one of its trials."""
        ...

    def row(self, row: dict[str, Any], reference: str | None) -> None:
        """A rung is done; the reference is known once all baselines are."""
        ...


@dataclass
class Climb:
    """What a climb came to.

    Attributes:
        rows: The leaderboard, in ladder order.
        results: Every rung that learned.
        reference: The baseline that models are judged against.
        best: The rung with the best validation score.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    results: dict[str, Result] = field(default_factory=dict)
    reference: str = ""
    best: str = ""

    @property
    def chosen_on(self) -> str:
        """The windows on which reference and best were chosen, in words."""
        folds = {outcome.trial.fold for result in self.results.values() for outcome in result.outcomes}
        return "the first fold's validation" if len(folds) > 1 else "validation"


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


def climb(task: Task, plan: Plan, watcher: LadderWatcher) -> Climb:
    """Learns and judges each rung.

    Args:
        task: Whose ladder.
        plan: Which rungs, how often, where, and how long it may take.
        watcher: Is told of each row as it is done.
    """
    result = Climb()
    baselines = [name for name in plan.rungs if task.rungs[name].kind == "baseline"]
    models = [name for name in plan.rungs if name not in baselines]
    shares = _Shares(plan.budget, len(plan.trials) * sum(_trains(task.rungs[name]) for name in models))
    for name in (*baselines, *models):
        trials = _trials(task.rungs[name], plan)
        outcomes = [_tried(task, plan, name, trial, result, shares, watcher) for trial in trials]
        result.results[name] = Result(name, outcomes)
        result.rows.append(_row(task, result.results[name]))
        if len(result.rows) == len(baselines):
            result.reference = _best(task, result, baselines)
            for earlier in result.rows:
                _judge(earlier, result)
        elif len(result.rows) > len(baselines):
            _judge(result.rows[-1], result)
        watcher.row(result.rows[-1], result.reference or None)
    result.best = _best(task, result, list(result.results))
    return result


def _tried(
    task: Task, plan: Plan, name: str, trial: Trial, result: Climb, shares: "_Shares", watcher: LadderWatcher
) -> Outcome:
    """One trial of a rung: learned now, or taken from the folder where an earlier climb left it."""
    rung, folder = task.rungs[name], folder_of(plan.base_of(name), trial)
    watcher.rung(f"{name} {trial.name}".strip())
    started = time.monotonic()
    found = _found(task, folder) if plan.keeps else None
    earlier = found[1] if found else _earlier_seconds(folder) if _trains(rung) else 0.0
    shares.spent(earlier)
    if found is None:
        chosen = _members(task, result, rung, trial.fold)
        members = {member: _of_trial(result.results[member], trial) for member in chosen}
        seconds = shares.next(earlier) if _trains(rung) else None
        fitted = task.fit(trial.prepared, name, Attempt(folder, watcher, trial.seed, seconds, members, plan.start))
    else:
        fitted = found[0]
    validation = task.evaluate(trial.prepared, fitted, "validation")
    test = task.evaluate(trial.prepared, fitted, "test")
    took = earlier + (round(time.monotonic() - started, 3) if found is None else 0.0)
    if found is None and plan.keeps:
        metrics = {"validation": validation.metrics, "test": test.metrics, "seconds": took}
        write_artefact(folder / "model", fitted.artefact(metrics), replace=True)
    if _trains(rung):
        shares.done()
    return Outcome(trial, fitted, validation, test, took)


def _found(task: Task, folder: Path) -> tuple[Fitted, float] | None:
    """The model that an earlier climb left, and how long it took."""
    if not (folder / "model" / DOCUMENT).exists():
        return None
    artefact = read_artefact(folder / "model")
    fitted = task.restore(artefact)
    fitted = fitted.with_history(curve_of(folder), kept_rate(folder))
    return fitted, float(artefact.document["metrics"].get("seconds", 0.0))


def _earlier_seconds(folder: Path) -> float:
    """How long a training that was stopped had taken by its last epoch; nothing where none was begun."""
    return max((float(record.get("seconds", 0.0)) for record in curve_of(folder)), default=0.0)


def _row(task: Task, result: Result) -> dict[str, Any]:
    first = result.kept(task.measure.score).fitted
    return {
        "rung": result.rung,
        "kind": task.rungs[result.rung].kind,
        "split": {span: result.metrics(span) for span in ("validation", "test")},
        "skill": None,
        "verdict": "unclear",
        "seconds": round(sum(outcome.seconds for outcome in result.outcomes), 3),
        "parameters": first.parameters,
        "run": None,
        "note": first.note,
    }


def _judge(row: dict[str, Any], result: Climb) -> None:
    skill = skill_against(result.results[row["rung"]], result.results[result.reference])
    row["skill"], row["verdict"] = skill.document(), skill.verdict


def _best(task: Task, result: Climb, names: list[str]) -> str:
    return min(names, key=lambda name: result.results[name].score(task.measure.score))


def _members(task: Task, result: Climb, rung: Rung, fold: int) -> list[str]:
    """The rungs that a rung is made of: those that it names, and of the others that learned by themselves the best.

    The best are those that err least on a fold's validation. A rung that says the same as another counts once, and one
    that says the same of everything has nothing to add.
    """

    def score(name: str) -> float:
        return result.results[name].score(task.measure.score, fold)

    rungs = {name: task.rungs[name] for name in result.results}
    chosen = [name for name in rung.among if rung.combines]
    for name in sorted((name for name, own in rungs.items() if not (own.combines or own.constant)), key=score):
        own = result.results[name]
        same = any(own.says_the_same(result.results[other], fold) for other in chosen)
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

    Args:
        budget: Seconds in all; None has time.
        trainings: How many are to come.
    """

    def __init__(self, budget: float | None, trainings: int) -> None:
        self.end = None if budget is None else time.monotonic() + budget
        self.left = trainings

    def spent(self, seconds: float) -> None:
        """So much of the time was used before this climb went on."""
        if self.end is not None:
            self.end -= seconds

    def next(self, earlier: float = 0.0) -> float | None:
        """The seconds of the next training, with those that it has had already."""
        if self.end is None:
            return None
        return earlier + max(0.0, self.end - time.monotonic()) / max(1, self.left)

    def done(self) -> None:
        """A training is over."""
        self.left -= 1
