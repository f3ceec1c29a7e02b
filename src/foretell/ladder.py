"""Compare: the rungs of a task one after the other, baselines first, into one leaderboard.

The best baseline and the best rung are chosen on validation; test is read once for each rung, and skill is
what the test errors of the same windows say.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from .artefact import write_artefact
from .evaluation.panels import Figure, Grid, Line, Number, Panel
from .evaluation.uncertainty import Skill, bootstrap_skill
from .evaluation.words import Measure, skill_text
from .files import json_text, write_atomically
from .report.page import write_page
from .tasks import baselines_and
from .tasks.interface import Attempt, Evaluation, Fitted, Prepared, Task
from .training.loop import Watcher


@runtime_checkable
class LadderWatcher(Watcher, Protocol):
    """Someone who is told how the climb goes."""

    def rung(self, name: str) -> None:
        """A rung begins."""
        ...

    def row(self, row: dict[str, Any], reference: str | None) -> None:
        """A rung is done; the reference is known once all baselines are."""
        ...


@dataclass
class Climb:
    """What a climb came to.

    Attributes:
        rows: The leaderboard, in ladder order.
        fitted: Every rung that learned.
        tests: Its test evaluation.
        reference: The baseline that models are judged against.
        best: The rung with the best validation score.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    fitted: dict[str, Fitted] = field(default_factory=dict)
    tests: dict[str, Evaluation] = field(default_factory=dict)
    reference: str = ""
    best: str = ""


def climb(
    task: Task, prepared: Prepared, rungs: list[str], folder_of: Callable[[str], Path], watcher: LadderWatcher
) -> Climb:
    """Learns and judges each rung.

    Args:
        task: Whose ladder.
        prepared: The data.
        rungs: Names in ladder order, baselines first.
        folder_of: Where a rung keeps its metrics and checkpoints.
        watcher: Is told of each row as it is done.
    """
    result = Climb()
    validations: dict[str, Evaluation] = {}
    baselines = [name for name in rungs if task.rungs[name].kind == "baseline"]
    for name in (*baselines, *(name for name in rungs if name not in baselines)):
        watcher.rung(name)
        started = time.monotonic()
        members = _best_of(task, validations, task.rungs[name].combines)
        attempt = Attempt(folder_of(name), watcher, members={member: result.fitted[member] for member in members})
        fitted = task.fit(prepared, name, attempt)
        validations[name] = task.evaluate(prepared, fitted, "validation")
        test = task.evaluate(prepared, fitted, "test")
        result.fitted[name], result.tests[name] = fitted, test
        row: dict[str, Any] = {
            "rung": name,
            "kind": task.rungs[name].kind,
            "split": {"validation": validations[name].metrics, "test": test.metrics},
            "skill": None,
            "verdict": "unclear",
            "seconds": round(time.monotonic() - started, 3),
            "parameters": fitted.parameters,
            "run": None,
            "note": fitted.note,
        }
        result.rows.append(row)
        if len(result.rows) == len(baselines):
            result.reference = _best(task, validations, baselines)
            for earlier in result.rows:
                _judge(earlier, result)
        elif len(result.rows) > len(baselines):
            _judge(row, result)
        watcher.row(row, result.reference or None)
    result.best = _best(task, validations, list(validations))
    return result


def _judge(row: dict[str, Any], result: Climb) -> None:
    test, reference = result.tests[row["rung"]], result.tests[result.reference]
    if row["rung"] == result.reference:
        skill = Skill(0.0, 0.0, 0.0, "unclear")
    else:
        skill = bootstrap_skill(test.losses, reference.losses, test.moments, test.block)
    row["skill"], row["verdict"] = skill.document(), skill.verdict


def _best_of(task: Task, validations: dict[str, Evaluation], count: int) -> list[str]:
    """So many of the rungs that learned by themselves, those that err least on validation."""
    alone = [name for name in validations if not task.rungs[name].combines]
    chosen: list[str] = []
    for name in sorted(alone, key=lambda name: validations[name].metrics[task.measure.score]):
        losses = validations[name].losses
        if len(chosen) < count and not any(np.array_equal(losses, validations[other].losses) for other in chosen):
            chosen.append(name)  # a rule that says the same as another counts once
    return chosen


def _best(task: Task, validations: dict[str, Evaluation], names: list[str]) -> str:
    return min(names, key=lambda name: validations[name].metrics[task.measure.score])


def metrics_of(result: Climb, rung: str) -> dict[str, Any]:
    """What a model folder says of its own errors, and how they compare."""
    row = next(row for row in result.rows if row["rung"] == rung)
    return {**row["split"], "skill": row["skill"], "verdict": row["verdict"], "reference": result.reference}


def compare(
    task: Task, prepared: Prepared, rungs: list[str], folder: Path, title: str, watcher: LadderWatcher
) -> dict[str, Any]:
    """Climbs the ladder; leaves each rung's model, the best model, the leaderboard and the report in the folder.

    Args:
        task: Whose ladder.
        prepared: The data.
        rungs: As :func:`~foretell.tasks.choose_rungs` gives them.
        folder: The run's folder.
        title: Heading of the report.
        watcher: Is told how it goes.

    Returns:
        The leaderboard, as ``compare --json`` prints it.
    """
    result = climb(task, prepared, rungs, lambda name: folder / name, watcher)
    for row in result.rows:
        row["run"] = str(folder / row["rung"])
        write_artefact(
            folder / row["rung"] / "model", result.fitted[row["rung"]].artefact(metrics_of(result, row["rung"]))
        )
    return conclude(task, prepared, result, folder, result.best, title)


def train_one(
    task: Task, prepared: Prepared, rung: str, folder: Path, title: str, watcher: LadderWatcher
) -> dict[str, Any]:
    """Trains one rung in the run's own folder and judges it against every baseline.

    Args:
        task: Whose rung.
        prepared: The data.
        rung: Its name.
        folder: The run's folder; training goes on from its checkpoint where it holds one.
        title: Heading of the report.
        watcher: Is told how it goes.
    """
    result = climb(task, prepared, baselines_and(task.name, rung), lambda _: folder, watcher)
    next(row for row in result.rows if row["rung"] == rung)["run"] = str(folder)
    return conclude(task, prepared, result, folder, rung, title)


def conclude(task: Task, prepared: Prepared, result: Climb, folder: Path, kept: str, title: str) -> dict[str, Any]:
    """Writes the kept rung's model folder, the report and the leaderboard, and returns the latter."""
    document = {
        "task": task.name,
        "rows": result.rows,
        "best": result.best,
        "reference": result.reference,
        "kept": kept,
        "report": str(folder / "report.html"),
        "model": str(folder / "model"),
        "windows": prepared.counts,
        "dropped": prepared.dropped,
    }
    # A run that was killed while it wrote these is resumed and writes them again.
    write_artefact(folder / "model", result.fitted[kept].artefact(metrics_of(result, kept)), replace=True)
    panels = [
        _leaderboard(task, result),
        *_learning(result, task.measure),
        *task.panels(prepared, result.tests, kept, result.reference),
    ]
    write_page(folder / "report.html", title, _lead(result), panels)
    write_atomically(folder / "leaderboard.json", (json_text(document) + "\n").encode())
    return document


def _lead(result: Climb) -> str:
    models = [row for row in result.rows if row["kind"] == "model"]
    if not models:
        return f"Of the baselines, {result.best} errs least on validation."
    better = [row["rung"] for row in models if row["verdict"] == "better"]
    if better:
        verb = "does" if len(better) == 1 else "do"
        return f"{', '.join(better)} {verb} better than {result.reference}, the best baseline, with 95 % confidence."
    return f"No model is shown to be better than {result.reference}, the best baseline, with 95 % confidence."


def _leaderboard(task: Task, result: Climb) -> Panel:
    measure = task.measure
    rows: list[list[str | Number]] = []
    for row in result.rows:
        test, skill = row["split"]["test"], row["skill"]
        rows.append(
            [
                row["rung"],
                task.rungs[row["rung"]].summary,
                measure.text(row["split"]["validation"]),
                measure.text(test),
                *(test[key] for key in measure.further.values()),
                "reference" if row["rung"] == result.reference else skill_text(skill),
                "" if row["rung"] == result.reference else row["verdict"],
                row["seconds"],
                row["parameters"],
                row["note"],
            ]
        )
    header = [
        "rung",
        "what it is",
        f"validation {measure.label}",
        f"test {measure.label}",
        *(f"test, {heading}" for heading in measure.further),
        "skill (95 % interval)",
        "verdict",
        "seconds",
        "parameters",
        "note",
    ]
    models = [row for row in result.rows if row["kind"] == "model"]
    skills = Line(
        "skill",
        [row["rung"] for row in models],
        [row["skill"]["value"] for row in models],
        [row["skill"]["low"] for row in models],
        [row["skill"]["high"] for row in models],
    )
    figure = Figure(
        "bars",
        f"Skill against {result.reference}",
        "",
        "1 - error / baseline error",
        [skills],
        "Above zero: errs less than the best baseline. A verdict is given only where the whole "
        "interval lies on one side.",
    )
    prose = (
        f"Best on validation: {result.best}. Reference, the baseline that errs least on validation: "
        f"{result.reference}. "
        f"Skill is 1 - error / reference error on the test {measure.counted}; its interval comes from a "
        "moving-block bootstrap of paired errors."
    )
    return Panel("Leaderboard", prose, [Grid("Rungs", header, rows), *([figure] if models else [])])


def _learning(result: Climb, measure: Measure) -> list[Panel]:
    figures: list[Figure | Grid] = []
    for name, fitted in result.fitted.items():
        if fitted.history:
            epochs: list[Number] = [record["epoch"] for record in fitted.history]
            lines = [
                Line("training", epochs, [record["train"]["loss"] for record in fitted.history]),
                Line("validation", epochs, [record["validation"]["loss"] for record in fitted.history]),
            ]
            figures.append(Figure("lines", name, "epoch", measure.loss, lines))
    if not figures:
        return []
    return [
        Panel(
            "Learning curves",
            "Where validation stops falling while training goes on, the model has begun to overfit.",
            figures,
        )
    ]
