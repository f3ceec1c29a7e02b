"""Errors and skill in words, for leaderboards and cards; imports nothing heavy."""

from collections.abc import Mapping
from typing import Any


def error_text(metrics: Mapping[str, Any]) -> str:
    """The mean absolute error with its unit; scaled where there are several targets.

    >>> error_text({"mae": 2.4123, "unit": "degC", "mae_scaled": 0.28})
    '2.412 degC'
    """
    if metrics.get("mae") is None:
        return f"{metrics['mae_scaled']:.4g} scaled"
    return f"{metrics['mae']:.4g} {metrics.get('unit') or ''}".strip()


def skill_text(skill: Mapping[str, Any]) -> str:
    """A skill's JSON object in words.

    >>> skill_text({"value": 0.086, "low": 0.004, "high": 0.168})
    '+8.6% (+0.4% to +16.8%)'
    """
    if skill["low"] is None:
        return f"{skill['value']:+.1%} (too little time)"
    return f"{skill['value']:+.1%} ({skill['low']:+.1%} to {skill['high']:+.1%})"
