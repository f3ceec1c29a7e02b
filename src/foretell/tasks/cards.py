"""What every model folder says of its model: the plain values of ``model.json``, and the card."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PureWindowsPath
from typing import Any, Protocol, runtime_checkable

from ..config import TaskConfiguration
from ..evaluation.words import Measure, skill_text
from .rung import Rung

MOST_PARTS = 50  # rows of a table of parts


@runtime_checkable
class Described(Protocol):
    """A rung that has learned, as far as its model folder describes it."""

    @property
    def rung(self) -> str:
        """Its name on the ladder."""
        ...

    @property
    def configuration(self) -> TaskConfiguration:
        """All options of its training."""
        ...

    @property
    def about(self) -> dict[str, Any]:
        """The data that it learned from."""
        ...

    @property
    def note(self) -> str:
        """What it chose or found."""
        ...

    @property
    def parameters(self) -> int:
        """How many numbers it learned."""
        ...


def document_of(learned: Described, metrics: Mapping[str, Any]) -> dict[str, Any]:
    """What the model folders of all tasks say.

    Args:
        learned: The rung.
        metrics: How good it is.
    """
    return {
        "rung": learned.rung,
        "config": learned.configuration.model_dump(mode="json", exclude={"run"}),
        "metrics": metrics,
        "data": learned.about,
        "note": learned.note,
        "parameters": learned.parameters,
    }


@dataclass(frozen=True)
class Card:
    """What a task tells for the card of a model.

    Attributes:
        heading: What the model is.
        facts: What it reads and says, by heading.
        data: What it learned from, by heading.
        spans: How many windows (or texts, or pairs) each span had.
        dropped: How many were in none, by reason.
        limits: What it cannot do, a sentence each.
        command: How it is used on the command line.
        answer: How it is asked from Python, as an argument of ``predict``.
        body: How it is asked over HTTP: the kind of content, and the content; None where it is not served.
        measured: Further metrics, by heading.
    """

    heading: str
    facts: Mapping[str, str]
    data: Mapping[str, str]
    spans: Mapping[str, int]
    dropped: Mapping[str, int]
    limits: Sequence[str]
    command: str
    answer: str
    body: tuple[str, str] | None = None
    measured: Mapping[str, str] = field(default_factory=dict)


def card(learned: Described, rung: Rung, own: Card, measure: Measure, metrics: Mapping[str, Any]) -> str:
    """A model card in Markdown; of files it tells the names, never where they lay (:func:`source_name`).

    Args:
        learned: What has learned.
        rung: What it is.
        own: What the task tells.
        measure: What the task's models are judged by.
        metrics: How good it is, as a model folder keeps it.
    """
    about = {
        "Rung": f"`{learned.rung}` ({rung.summary}), {learned.parameters:,} learned numbers",
        **({"Note": learned.note} if learned.note else {}),
        **own.facts,
    }
    data = {
        **own.data,
        "Fingerprint": f"`{learned.about['fingerprint']}`" if "fingerprint" in learned.about else "none",
    }
    limits = [*own.limits, *_unproven(learned.rung, metrics)]
    parts = {
        "What it is": _listed(about),
        "Data": f"{_listed(data)}\n\n{_spans(own, measure)}",
        "How good it is": _judged(learned.rung, own, measure, metrics),
        "Limits": "\n".join(f"- {limit}" for limit in limits),
    }
    told = "\n\n".join(f"## {heading}\n\n{text}" for heading, text in parts.items())
    return f"# {own.heading}\n\n{told}\n\n## Use\n\n{_usage(own)}\n"


def source_name(source: object) -> str:
    """The name of a file, or of several, that a model learned from.

    >>> source_name("/home/ann/my data/weather.csv"), source_name("nyc-weather"), source_name("/a/x.txt, /b/y.txt")
    ('weather.csv', 'nyc-weather', 'x.txt, y.txt')
    """
    return ", ".join(PureWindowsPath(part).name or part for part in str(source).split(", "))


def pieces(kind: str) -> str:
    """What texts are cut into, in a word.

    >>> pieces("words"), pieces("bpe")
    ('words', 'pieces of words')
    """
    return "pieces of words" if kind == "bpe" else kind


def _listed(facts: Mapping[str, str]) -> str:
    return "\n".join(f"- {heading}: {value}" for heading, value in facts.items())


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _spans(own: Card, measure: Measure) -> str:
    """How much each span held, and what was left out."""
    table = _table(["", *own.spans], [[measure.counted, *(f"{count:,}" for count in own.spans.values())]])
    dropped = ", ".join(f"{count:,} ({reason.replace('_', ' ')})" for reason, count in own.dropped.items() if count)
    return f"{table}\n\nDropped: {dropped or 'none'}."


def _judged(rung: str, own: Card, measure: Measure, metrics: Mapping[str, Any]) -> str:
    """The metrics of validation and test side by side, what they are worth beside the reference, and part by part."""
    spans = {name: metrics[name] for name in ("validation", "test") if metrics.get(name)}
    if not spans:
        return "It was not judged; `foretell evaluate FOLDER DATA` does that."
    columns = [_metrics(own, measure, found) for found in spans.values()]
    headings = list(dict.fromkeys(name for column in columns for name in column))
    rows = [[name, *(column.get(name, "") for column in columns)] for name in headings]
    told = [_table(["metric", *spans], rows)]
    if any("low" in entry for found in spans.values() for entry in _intervals(found).values()):
        told.append("In brackets: 95 % intervals, by a bootstrap.")
    skill, reference = metrics.get("skill"), metrics.get("reference")
    if skill and reference != rung:
        told.append(
            f"Skill against `{reference}`, the best baseline on validation (95 % interval): {skill_text(skill)}. "
            f"Verdict: {metrics['verdict']}."
        )
    elif reference == rung:
        told.append("It is the baseline that models are held against.")
    if "test" in spans:
        told += measure.signed(spans["test"])
        parts = measure.parts(spans["test"])
        if parts is not None and len(parts.rows) <= MOST_PARTS:
            told.append(f"On test, part by part:\n\n{_table(parts.header, parts.rows)}")
    return "\n\n".join(told)


def _metrics(own: Card, measure: Measure, found: Mapping[str, Any]) -> dict[str, str]:
    """A span's metrics by heading, with their intervals where they have any."""
    intervals, between = _intervals(found), ""
    main = next((name for name in measure.listed if isinstance(found.get(name), float)), measure.listed[0])
    if "low" in intervals.get(main, {}):
        low, high = (measure.text({**found, main: intervals[main][end], "spread": None}) for end in ("low", "high"))
        value, unit = low.partition(" ")[::2]  # the unit, which the metric has said, is not said again
        between = f" ({value} to {high.removesuffix(f' {unit}')})"
    column = {measure.label: measure.text(found) + between, **measure.columns(found)}
    for heading, name in own.measured.items():
        if found.get(name) is None or name == main:
            continue
        ends = intervals.get(name, {})
        between = f" ({ends['low']:.4g} to {ends['high']:.4g})" if "low" in ends else ""
        column[heading] = f"{found[name]:.4g}{between}"
    return {**column, measure.counted: f"{found['count']:,}"} if "count" in found else column


def _intervals(found: Mapping[str, Any]) -> dict[str, Any]:
    """The intervals of a span's metrics by their names; a forecaster's stand apart from those around its forecasts."""
    return {**(found.get("intervals") or {}), **(found.get("error_intervals") or {})}


def _unproven(rung: str, metrics: Mapping[str, Any]) -> list[str]:
    """That a model has not beaten a simple rule, where it has not."""
    reference, verdict = metrics.get("reference"), metrics.get("verdict")
    if reference in (None, rung) or verdict not in ("worse", "unclear"):
        return []
    found = "is worse than" if verdict == "worse" else "is not proven to be better than"
    return [f"On test it {found} the baseline `{reference}`, which is simpler: use that unless you know why not."]


def _usage(own: Card) -> str:
    asked = (
        f"```sh\n{own.command}\n```\n\n"
        f'```python\nimport foretell as ft\n\nmodel = ft.load("FOLDER")\nprint(model.predict({own.answer}))\n```'
    )
    if own.body is None:
        return asked
    kind, body = own.body
    return (
        f"{asked}\n\nOver HTTP, where NAME is the name that `foretell serve` prints:\n\n```sh\nforetell serve FOLDER\n"
        f"curl -X POST http://127.0.0.1:8501/v1/models/NAME/predict \\\n"
        f"  -H 'Content-Type: {kind}' {body}\n```"
    )
