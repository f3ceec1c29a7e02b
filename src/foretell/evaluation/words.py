"""Errors and skill in words, for leaderboards and cards; imports nothing heavy."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Metrics = Mapping[str, Any]


@dataclass(frozen=True)
class Measure:
    """What a task's models are judged by, and how it is said.

    Attributes:
        label: Its heading in tables: ``MAE``.
        name: Its name in a sentence: ``mean absolute error``.
        score: The metric by which models are chosen; the smaller the better.
        text: A span's metrics in a few words.
        drawn: A span's metrics as the number that a figure shows, and the label of its axis.
        listed: The metrics that lists of runs keep: all that ``text`` needs.
        further: Metrics with a column of their own in reports, by their headings.
        loss: What training minimises, as the label of an axis.
        counted: What is counted: ``windows``.
        columns: What a span's metrics have to say beside, by headings.
        parts: A span's metrics part by part, where there are several.
        signed: By which protocols metrics were worked out, a sentence each, where there are several in use.
    """

    label: str
    name: str
    score: str
    text: Callable[[Metrics], str]
    drawn: Callable[[Metrics], tuple[float, str]]
    listed: tuple[str, ...]
    further: dict[str, str] = field(default_factory=dict)
    loss: str = "loss"
    counted: str = "windows"
    columns: Callable[[Metrics], dict[str, str]] = lambda metrics: {}
    parts: Callable[[Metrics], "Parts | None"] = lambda metrics: None
    signed: Callable[[Metrics], list[str]] = lambda metrics: []


@dataclass(frozen=True)
class Parts:
    """A span's metrics part by part: by series and target, by label.

    Attributes:
        header: Headings.
        rows: A row of texts for each part.
        right: Columns that are flush right.
    """

    header: list[str]
    rows: list[list[str]]
    right: tuple[int, ...] = ()


def error_text(metrics: Metrics) -> str:
    """The mean absolute error with its unit, scaled where there are several targets; its spread over several trainings.

    >>> error_text({"mae": 2.4123, "unit": "degC", "mae_scaled": 0.28})
    '2.412 degC'
    >>> error_text({"mae": None, "mae_scaled": 0.28, "spread": {"mae_scaled": 0.0123}})
    '0.28 ± 0.012 scaled'
    """
    name, unit = ("mae_scaled", "scaled") if metrics.get("mae") is None else ("mae", metrics.get("unit") or "")
    spread = (metrics.get("spread") or {}).get(name)
    return f"{metrics[name]:.4g}{'' if spread is None else f' ± {spread:.2g}'} {unit}".strip()


def error_parts(metrics: Metrics) -> Parts | None:
    """The errors of each series, or of each target where there is one series; None where there is one of both.

    >>> error_parts({"targets": {"a": {"mae": 1.5, "rmse": 2.0, "unit": "K", "count": 10}}}).rows
    [['', 'a', '1.5 K', '2 K', '10']]
    """
    alone = [{"series": "", "target": name, **entry} for name, entry in (metrics.get("targets") or {}).items()]
    entries = metrics.get("series") or alone
    rows = [
        [
            str(own["series"] or ""),
            own["target"],
            error_text(own),
            f"{own['rmse']:.4g} {own.get('unit') or ''}".strip(),
            str(own["count"]),
        ]
        for own in entries
    ]
    return Parts(["series", "target", "MAE", "RMSE", "windows"], rows, right=(3, 4)) if rows else None


def interval_columns(metrics: Metrics) -> dict[str, str]:
    """How often each interval held the truth, and how wide it was.

    >>> interval_columns({"unit": "degC", "intervals": {"0.8": {"coverage": 0.789, "width": 9.12}}})
    {'covered by 80 %': '78.9 %', 'width of 80 %': '9.12 degC'}
    """
    columns = {}
    for level, entry in metrics.get("intervals", {}).items():
        share = f"{100 * float(level):g} %"
        width, unit = (
            (entry["width"], metrics.get("unit") or "") if entry["width"] else (entry["width_scaled"], "scaled")
        )
        columns[f"covered by {share}"] = f"{100 * entry['coverage']:.1f} %"
        columns[f"width of {share}"] = f"{width:.3g} {unit}".strip()
    return columns


def error_drawn(metrics: Metrics) -> tuple[float, str]:
    """The same as a number and the label of an axis.

    >>> error_drawn({"mae": 2.4123, "unit": "degC", "mae_scaled": 0.28})
    (2.4123, 'MAE (degC)')
    """
    if metrics.get("mae") is None:
        return float(metrics["mae_scaled"]), "MAE, scaled"
    return float(metrics["mae"]), f"MAE ({metrics['unit']})" if metrics.get("unit") else "MAE"


def value_text(value: object) -> str:
    """The value of an option in words.

    >>> value_text(0.5), value_text(["a", "b"])
    ('0.5', 'a, b')
    """
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def skill_text(skill: Metrics) -> str:
    """A skill's JSON object in words.

    >>> skill_text({"value": 0.086, "low": 0.004, "high": 0.168})
    '+8.6% (+0.4% to +16.8%)'
    """
    if skill["value"] is None or skill["value"] != skill["value"]:
        return "none (the baseline errs nowhere)"
    if skill["low"] is None:
        return f"{skill['value']:+.1%} (no interval)"
    return f"{skill['value']:+.1%} ({skill['low']:+.1%} to {skill['high']:+.1%})"
