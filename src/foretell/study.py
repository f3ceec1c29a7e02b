"""Study: a task's rungs once for each value of an option, into one leaderboard and one report.

Each value is a comparison of its own, in a folder of the run's folder, with its own baselines, models and report.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from . import runs
from .config import RunSection, TaskConfiguration
from .errors import UsageError
from .evaluation.panels import Figure, Grid, Item, Line, Number, Panel
from .evaluation.words import Measure, skill_text, value_text
from .files import json_text, write_atomically
from .ladder import LadderWatcher, compare
from .report.page import write_page
from .tasks.interface import Prepared, Task
from .training.curves import curve_of

BASELINE = "best baseline"


@runtime_checkable
class StudyWatcher(LadderWatcher, Protocol):
    """Someone who is told how a study goes."""

    def variant(self, value: str, messages: list[str]) -> None:
        """A value's comparison begins, on data of which there is something to say."""
        ...


@dataclass(frozen=True)
class Variant:
    """One value of the option.

    Attributes:
        value: As the configuration holds it.
        configuration: All options.
        folder: The name of its folder.
    """

    value: Any
    configuration: TaskConfiguration
    folder: str

    @property
    def name(self) -> str:
        """The value in words."""
        return value_text(self.value)


@dataclass(frozen=True)
class Study:
    """What is varied: an option, by its dotted name, and a variant for each of its values."""

    option: str
    variants: list[Variant]

    @property
    def numeric(self) -> bool:
        """Whether the values are numbers."""
        return all(isinstance(own.value, int | float) and not isinstance(own.value, bool) for own in self.variants)

    def document(self) -> dict[str, Any]:
        """What is varied, as a run's folder keeps it."""
        values, folders = zip(*((own.value, own.folder) for own in self.variants), strict=True)
        return {"option": self.option, "values": list(values), "folders": list(folders)}

    @property
    def short(self) -> str:
        """The option's name without its section."""
        return self.option.rpartition(".")[2]


def plan(option: str, values: tuple[object, ...], build: Callable[[Mapping[str, object]], TaskConfiguration]) -> Study:
    """Checks every value before anything is computed for one.

    Args:
        option: The option to vary, with or without its section.
        values: Its values.
        build: Makes the configuration for an option's value.

    Raises:
        UsageError: There is no such option, no value, or a value comes twice.
        ConfigurationError: A value breaks the option's rule.
    """
    if not values:
        raise UsageError(f"there is no value of {option} to try")
    variants: list[Variant] = []
    name = option.rpartition(".")[2]
    for value in values:
        configuration = build({option: value})
        section = next(section for section, known, _ in configuration.options() if known == name)
        option = f"{section}.{name}"
        if section == "run":
            raise UsageError(
                f"{option} says what is run and where, which is the same for all values; vary an option of the data, "
                "the network or the training",
                option=option,
            )
        typed = getattr(getattr(configuration, section), name)
        if typed in [other.value for other in variants]:
            raise UsageError(f"the value {typed} of {option} comes twice; name each value once", option=option)
        folder = runs.tidy(f"{name}-{value}")
        taken = [other.folder for other in variants]
        variants.append(Variant(typed, configuration, f"{folder}-{len(taken)}" if folder in taken else folder))
    return Study(option, variants)


def carry_out(
    task: Task,
    source: Any,
    study: Study,
    rungs: list[str],
    run: RunSection,
    folder: Path,
    first: Prepared,
    watcher: StudyWatcher,
) -> dict[str, Any]:
    """Compares the rungs for each value; leaves their folders, the leaderboard and the report in the run's folder.

    Args:
        task: Whose rungs.
        source: The data, as :meth:`~foretell.tasks.interface.Task.prepare` takes them.
        study: What is varied.
        rungs: As :func:`~foretell.tasks.choose_rungs` gives them.
        run: How many seeds, and how much time for each value.
        folder: The run's folder.
        first: The data, prepared for the first value.
        watcher: Is told how it goes.

    Returns:
        The leaderboard: the rows of all values, and what each value's comparison came to.
    """
    documents: list[dict[str, Any]] = []
    for number, variant in enumerate(study.variants):
        prepared = task.prepare(source, variant.configuration) if number else first
        watcher.variant(variant.name, prepared.messages)
        job = {
            "verb": "compare",
            "task": task.name,
            "data": source if isinstance(source, str | None) else list(map(str, source)),
            "rungs": rungs,
        }
        job["fingerprint"] = prepared.fingerprint
        home = runs.create(folder, variant.folder, job, variant.configuration)
        title = f"{folder.name}: {study.option} = {variant.name}"
        documents.append(compare(task, prepared, rungs, run, home, title, watcher))
        runs.finish(home)
    return _conclude(task, study, documents, folder)


def _conclude(task: Task, study: Study, documents: list[dict[str, Any]], folder: Path) -> dict[str, Any]:
    kept = ("reference", "best", "windows", "dropped", "report", "model")
    pairs = list(zip(study.variants, documents, strict=True))
    document = {
        "task": task.name,
        "option": study.option,
        "rows": [{"value": own.value, **row} for own, found in pairs for row in found["rows"]],
        "variants": [
            {"value": own.value, "run": str(folder / own.folder), **{key: found[key] for key in kept}}
            for own, found in pairs
        ],
        "report": str(folder / "report.html"),
    }
    panels = [_scores(task.measure, study, documents), *_learning(task.measure, study, documents, folder)]
    write_page(folder / "report.html", f"{folder.name}: {task.name}", told(document), panels)
    write_atomically(folder / "leaderboard.json", (json_text(document) + "\n").encode())
    return document


def told(document: dict[str, Any]) -> str:
    """A sentence on what a study found.

    Args:
        document: As :func:`carry_out` returns it.
    """
    values = [entry["value"] for entry in document["variants"]]
    option, found = document["option"], []
    models = [row for row in document["rows"] if row["kind"] == "model"]
    for rung in dict.fromkeys(row["rung"] for row in models):
        better = [row["value"] for row in models if row["rung"] == rung and row["verdict"] == "better"]
        where = "every value" if len(better) == len(values) else ", ".join(map(value_text, better)) or "no value"
        found.append(f"{rung} at {where}")
    if not found:
        return f"Baselines alone, at {len(values)} values of {option}."
    return f"Better than the best baseline with 95 % confidence, by {option}: {'; '.join(found)}."


def _scores(measure: Measure, study: Study, documents: list[dict[str, Any]]) -> Panel:
    names = _models(documents[0])
    rows: list[list[str | Number]] = []
    for variant, document in zip(study.variants, documents, strict=True):
        by_name = {row["rung"]: row for row in document["rows"]}
        reference = by_name[document["reference"]]
        for name in names:
            row = by_name[name]
            rows.append(
                [
                    variant.value if study.numeric else variant.name,
                    name,
                    measure.text(row["split"]["validation"]),
                    measure.text(row["split"]["test"]),
                    f"{measure.text(reference['split']['test'])} ({reference['rung']})",
                    skill_text(row["skill"]),
                    row["verdict"],
                    round(row["seconds"], 1),
                    row["parameters"],
                    row["note"],
                    variant.folder,
                ]
            )
    header = [
        study.short,
        "rung",
        f"validation {measure.label}",
        f"test {measure.label}",
        f"{BASELINE}, test",
        "skill (95 % interval)",
        "verdict",
        "seconds",
        "parameters",
        "note",
        "folder",
    ]
    drawn = [_drawn(measure, study, name, documents) for name in names]
    baseline = _drawn(measure, study, None, documents)
    label = measure.drawn(documents[0]["rows"][0]["split"]["test"])[1]
    figure = Figure(
        "points" if study.numeric else "bars",
        f"Test {label} against {study.option}",
        study.option,
        label,
        [baseline, *drawn],
        "Each value has its own data, spans and baselines where the option changes them; the best baseline is chosen "
        "on validation, for each value anew.",
    )
    prose = (
        f"Every rung was trained once for each value of {study.option}. Epochs and the best baseline were chosen on "
        "validation; test was read once. Skill is 1 - error / error of the best baseline on the test "
        f"{measure.counted}."
    )
    return Panel(f"By {study.option}", prose, [figure, Grid("Values and rungs", header, rows)])


def _drawn(measure: Measure, study: Study, rung: str | None, documents: list[dict[str, Any]]) -> Line:
    """What is drawn of a rung's test over the values; of each value's reference where None."""
    values: list[Number] = []
    for document in documents:
        row = next(row for row in document["rows"] if row["rung"] == (rung or document["reference"]))
        values.append(measure.drawn(row["split"]["test"])[0])
    if study.numeric:
        pairs = sorted(zip((variant.value for variant in study.variants), values, strict=True))
        return Line(rung or BASELINE, [place for place, _ in pairs], [value for _, value in pairs])
    return Line(rung or BASELINE, [variant.name for variant in study.variants], values)


def _learning(measure: Measure, study: Study, documents: list[dict[str, Any]], folder: Path) -> list[Panel]:
    figures: list[Item] = []
    for rung in _models(documents[0]):
        lines: list[Line] = []
        for variant in study.variants:
            curve = curve_of(folder / variant.folder / rung)
            if not curve:
                continue
            epochs: list[Number] = [record["epoch"] for record in curve]
            for span, name in (("validation", variant.name), ("train", f"{variant.name}, training")):
                losses: list[Number] = [record[span]["loss"] for record in curve]
                lines.append(Line(name, epochs, losses, paired=span == "train"))
        if lines:
            figures.append(Figure("lines", rung, "epoch", measure.loss, lines))
    if not figures:
        return []
    prose = f"All values of {study.option} laid over each other: solid lines are validation, dotted ones training."
    return [Panel("Learning curves", prose, figures)]


def _models(document: dict[str, Any]) -> list[str]:
    """The models of a ladder; its baselines where there are none."""
    rows = document["rows"]
    return [row["rung"] for row in rows if row["kind"] == "model"] or [row["rung"] for row in rows]
