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


def error_text(metrics: Metrics) -> str:
    """The mean absolute error with its unit; scaled where there are several targets.

    >>> error_text({"mae": 2.4123, "unit": "degC", "mae_scaled": 0.28})
    '2.412 degC'
    """
    if metrics.get("mae") is None:
        return f"{metrics['mae_scaled']:.4g} scaled"
    return f"{metrics['mae']:.4g} {metrics.get('unit') or ''}".strip()


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
    if skill["low"] is None:
        return f"{skill['value']:+.1%} (too little time)"
    return f"{skill['value']:+.1%} ({skill['low']:+.1%} to {skill['high']:+.1%})"
