"""The trainings of a rung: one, or one for each fold of the data and each seed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..evaluation.repeats import SPREAD, mean_metrics, spread_of
from ..evaluation.uncertainty import Skill, bootstrap_skill, independent_skill, pooled_skill
from ..tasks.interface import Evaluation, Fitted, Prepared, Task


@dataclass(frozen=True)
class Trial:
    """One training of every rung.

    Attributes:
        prepared: The data: all of a fold.
        fold: The fold's number, counted from 0.
        seed: Where its random choices come from; None leaves the configuration's.
        name: What tells its folder apart; empty where there is one trial alone.
    """

    prepared: Prepared
    fold: int = 0
    seed: int | None = None
    name: str = ""


def trials_of(task: Task, prepared: Prepared, seeds: int) -> list[Trial]:
    """Every trial of a comparison: the folds in the order of time, and for each the seeds.

    Args:
        task: Whose data.
        prepared: The data.
        seeds: How many; the first is the configuration's.
    """
    folds, first = task.folds(prepared), prepared.seed
    trials = []
    for fold, own in enumerate(folds):
        for number in range(seeds):
            names = ([f"fold-{fold + 1}"] if len(folds) > 1 else []) + ([f"seed-{first + number}"] if seeds > 1 else [])
            trials.append(Trial(own, fold, first + number, "-".join(names)))
    return trials


@dataclass(frozen=True)
class Outcome:
    """What one trial of a rung came to."""

    trial: Trial
    fitted: Fitted
    validation: Evaluation
    test: Evaluation
    seconds: float


@dataclass(frozen=True)
class Result:
    """What all trials of a rung came to."""

    rung: str
    outcomes: list[Outcome]

    def score(self, metric: str, fold: int = 0) -> float:
        """The mean of a metric on a fold's validation, over its seeds.

        Rungs are chosen by the first fold: what later ones validate on, earlier ones are tested on.
        """
        own = [outcome.validation.metrics[metric] for outcome in self.outcomes if outcome.trial.fold == fold]
        return float(np.mean(own))

    def kept(self, metric: str) -> Outcome:
        """The outcome whose model is kept: of the last fold the seed that errs least on validation."""
        last = max(outcome.trial.fold for outcome in self.outcomes)
        own = [outcome for outcome in self.outcomes if outcome.trial.fold == last]
        return min(own, key=lambda outcome: outcome.validation.metrics[metric])

    def metrics(self, span: str) -> dict[str, Any]:
        """The mean metrics of a span, with their spread where there are several trials."""
        documents = [_evaluation(outcome, span).metrics for outcome in self.outcomes]
        if len(documents) == 1:
            return documents[0]
        by_fold = [mean_metrics([_evaluation(own, span).metrics for own in fold]) for fold in self._folds()]
        merged = mean_metrics(by_fold, summed=("count",) if span == "test" else ())
        return {**merged, SPREAD: spread_of(documents), "trials": len(documents)}

    def test_losses(self) -> np.ndarray:
        """The test errors of each seed (one row each), the folds' windows one after the other."""
        return np.concatenate([np.stack([own.test.losses for own in fold]) for fold in self._folds()], axis=1)

    def moments(self) -> np.ndarray:
        """The place in time of these windows."""
        return np.concatenate([fold[0].test.moments for fold in self._folds()])

    def validation_losses(self, fold: int) -> np.ndarray:
        """The errors of a fold's validation windows, a row for each seed."""
        return np.stack([own.validation.losses for own in self.outcomes if own.trial.fold == fold])

    def says_the_same(self, other: "Result", fold: int) -> bool:
        """Whether another rung errs alike in every window of a fold's validation, and is as good by every metric."""
        ours, theirs = self.validation_losses(fold), other.validation_losses(fold)
        metrics = [
            [outcome.validation.metrics for outcome in result.outcomes if outcome.trial.fold == fold]
            for result in (self, other)
        ]
        return np.array_equal(ours, theirs) and metrics[0] == metrics[1]

    def _folds(self) -> list[list[Outcome]]:
        folds = sorted({outcome.trial.fold for outcome in self.outcomes})
        return [[outcome for outcome in self.outcomes if outcome.trial.fold == fold] for fold in folds]


def skill_against(result: Result, reference: Result) -> Skill:
    """How much better a rung is than a baseline, over the test windows of all folds, and over all seeds."""
    if result.rung == reference.rung:
        return Skill(0.0, 0.0, 0.0, "unclear")
    block, pooled = result.outcomes[0].test.block, result.outcomes[0].test.pooled
    if pooled is not None:
        return pooled_skill(result.test_losses(), reference.test_losses(), pooled)
    if block is None:
        return independent_skill(result.test_losses(), reference.test_losses())
    return bootstrap_skill(result.test_losses(), reference.test_losses(), result.moments(), block)


def without_repeats(trials: Sequence[Trial]) -> list[Trial]:
    """One trial for each fold, for what no seed changes."""
    seen: dict[int, Trial] = {}
    for trial in trials:
        name = trial.name.partition("-seed-")[0] if trial.name.startswith("fold-") else ""
        seen.setdefault(trial.fold, replace(trial, name=name))
    return list(seen.values())


def folder_of(base: Path, trial: Trial) -> Path:
    """Where a trial keeps its metrics, its checkpoints and its model."""
    return base / trial.name if trial.name else base


def _evaluation(outcome: Outcome, span: str) -> Evaluation:
    return outcome.test if span == "test" else outcome.validation
