"""The model card of a model folder: what it is, what it learned from, how good it is, how it is used."""

from collections.abc import Mapping
from typing import Any

from ..evaluation.words import Measure, skill_text
from .rung import Rung


def card(
    heading: str,
    rung: tuple[str, Rung, int],
    facts: Mapping[str, str],
    measure: Measure,
    metrics: Mapping[str, Any],
    usage: str,
) -> str:
    """A model card in Markdown.

    Args:
        heading: What the model is.
        rung: The rung's name, what it is, and how many numbers it learned.
        facts: What it reads and learned from, by heading.
        measure: What the task's models are judged by.
        metrics: How good it is, as a model folder keeps it.
        usage: How it is used.
    """
    name, own, parameters = rung
    test, skill = metrics.get("test"), metrics.get("skill")
    lines = {"Rung": f"`{name}` ({own.summary}), {parameters} learned numbers", **facts}
    lines["Errors"] = f"{measure.name} on test {measure.text(test)}" if test else "see model.json"
    if skill and metrics["reference"] != name:
        lines[f"Skill against {metrics['reference']}"] = f"{skill_text(skill)}, {metrics['verdict']}"
    told = "\n".join(f"- {fact}: {value}" for fact, value in lines.items())
    return f"# {heading}\n\n{told}\n\n{usage}\n"
