"""What a climb leaves: the models, the leaderboard, and the report."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..artefact import write_artefact
from ..evaluation.learning import overfitting
from ..evaluation.panels import Figure, Grid, Item, Line, Number, Panel
from ..evaluation.words import skill_text
from ..files import json_text, write_atomically
from ..report.page import write_page
from ..tasks.interface import Prepared, Task
from .standings import Climb


def metrics_of(result: Climb, rung: str) -> dict[str, Any]:
    """What a model folder says of its own errors, and how they compare."""
    row = next(row for row in result.rows if row["rung"] == rung)
    judged = {"skill": row["skill"], "verdict": row["verdict"], "reference": result.reference}
    return {**row["split"], **judged, "seconds": row["seconds"]}


def conclude(
    task: Task,
    prepared: Prepared,
    result: Climb,
    folder: Path,
    kept: str,
    title: str,
    further: Mapping[str, Any] | None = None,
    panels: Sequence[Panel] = (),
) -> dict[str, Any]:
    """Writes the kept rung's model folder, the report and the leaderboard, and returns the latter.

    Args:
        task: Whose ladder.
        prepared: The data.
        result: What the climb came to.
        folder: The run's folder.
        kept: The rung whose model is kept.
        title: Heading of the report.
        further: What else the leaderboard says.
        panels: What else the report shows, after the leaderboard.
    """
    outcomes = {name: own.kept(task.measure.score) for name, own in result.results.items()}
    tests = {name: own.test for name, own in outcomes.items()}
    learned = {name: own.fitted for name, own in outcomes.items()}
    document = {
        "task": task.name,
        "rows": result.rows,
        "best": result.best,
        "reference": result.reference,
        "kept": kept,
        "report": str(folder / "report.html"),
        "model": str(folder / "model"),
        "windows": prepared.counts,
        **_folds(result, kept),
        **(further or {}),
        "dropped": prepared.dropped,
    }
    # A run that was killed while it wrote these is resumed and writes them again.
    write_artefact(folder / "model", learned[kept].artefact(metrics_of(result, kept)), replace=True)
    shown = [
        leaderboard(task, result),
        *panels,
        *learning(task, result),
        *task.panels(outcomes[kept].trial.prepared, learned, kept, tests, result.reference),
    ]
    write_page(folder / "report.html", title, _lead(result), shown)
    write_atomically(folder / "leaderboard.json", (json_text(document) + "\n").encode())
    return document


def _folds(result: Climb, kept: str) -> dict[str, Any]:
    """The windows and errors of each fold, where there are several."""
    outcomes = result.results[kept].outcomes
    folds = sorted({outcome.trial.fold: outcome for outcome in outcomes}.items())
    if len(folds) == 1:
        return {}
    return {"folds": [{"fold": fold + 1, "windows": outcome.trial.prepared.counts} for fold, outcome in folds]}


def _lead(result: Climb) -> str:
    models = [row for row in result.rows if row["kind"] == "model"]
    if not models:
        return f"Of the baselines, {result.best} errs least on validation."
    better = [row["rung"] for row in models if row["verdict"] == "better"]
    if better:
        verb = "does" if len(better) == 1 else "do"
        return f"{', '.join(better)} {verb} better than {result.reference}, the best baseline, with 95 % confidence."
    return f"No model is shown to be better than {result.reference}, the best baseline, with 95 % confidence."


def leaderboard(task: Task, result: Climb) -> Panel:
    """Every rung with its errors, its skill and what it cost."""
    measure = task.measure
    rows: list[list[str | Number]] = []
    for row in result.rows:
        test, skill = row["split"]["test"], row["skill"]
        rows.append(
            [
                row["rung"],
                measure.text(row["split"]["validation"]),
                measure.text(test),
                *(_rounded(test[key]) for key in measure.further.values()),
                *measure.columns(test).values(),
                "reference" if row["rung"] == result.reference else skill_text(skill),
                row["verdict"] if row["kind"] == "model" else "baseline",
                round(row["seconds"], 1),
                row["parameters"],
            ]
        )
    about: list[list[str | Number]] = [
        [row["rung"], task.rungs[row["rung"]].summary, row["note"]] for row in result.rows
    ]
    header = [
        "rung",
        f"validation {measure.label}",
        f"test {measure.label}",
        *(f"test, {heading}" for heading in measure.further),
        *(f"test, {heading}" for heading in measure.columns(result.rows[0]["split"]["test"])),
        "skill (95 % interval)",
        "verdict",
        "seconds",
        "parameters",
    ]
    models = [row for row in result.rows if row["kind"] == "model"]
    skills = Line(
        "skill",
        [row["rung"] for row in models],
        [row["skill"]["value"] for row in models],
        [row["skill"]["low"] for row in models],
        [row["skill"]["high"] for row in models],
        colour=1,
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
        f"Best on {result.chosen_on}: {result.best}. Reference, the baseline that errs least there: "
        f"{result.reference}. "
        f"Skill is 1 - error / reference error on the test {measure.counted}; its interval comes from a "
        f"{_bootstrap(result)}."
    )
    notes = Grid("What they are", ["rung", "what it is", "what became of it"], about)
    return Panel("Leaderboard", prose, [Grid("Rungs", header, rows), *([figure] if models else []), notes])


def _rounded(value: Any) -> Any:
    return float(f"{value:.4g}") if isinstance(value, float) else value


def _bootstrap(result: Climb) -> str:
    test = result.results[result.reference].outcomes[0].test
    if test.pooled is not None:
        return "bootstrap over pairs, the same ones drawn for both; a verdict asks the p of that test as well"
    if test.block is not None:
        return "moving-block bootstrap of paired errors"
    return "bootstrap of paired errors; where answers are right or wrong a verdict asks McNemar's test as well"


def learning(task: Task, result: Climb) -> list[Panel]:
    """Training and validation curves of each network side by side, a sentence on each, and rates that were tried."""
    curves: list[Item] = []
    tried: list[Item] = []
    for name, own in result.results.items():
        fitted = own.kept(task.measure.score).fitted
        if fitted.history:
            epochs: list[Number] = [record["epoch"] for record in fitted.history]
            lines = [
                Line("training", epochs, [record["train"]["loss"] for record in fitted.history]),
                Line("validation", epochs, [record["validation"]["loss"] for record in fitted.history]),
            ]
            curves.append(Figure("lines", name, "epoch", task.measure.loss, lines, overfitting(fitted.history)))
        if fitted.rates is not None:
            line = Line(name, fitted.rates.rates, fitted.rates.losses)
            caption = f"The rate grew from step to step; {fitted.rates.chosen:g} was taken, a tenth of the best."
            tried.append(Figure("lines", name, "learning rate", task.measure.loss, [line], caption, log_x=True))
    panels = []
    if curves:
        prose = "Where validation stops falling while training goes on, the model has begun to overfit."
        panels.append(Panel("Learning curves", prose, curves, side_by_side=True))
    if tried:
        prose = "What was tried before training with --learning-rate auto: the loss, a running mean, at each rate."
        panels.append(Panel("Learning rates", prose, tried, side_by_side=True))
    return panels
