"""What every model folder says of its model: the plain values of ``model.json``, and the card."""

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from ..config import TaskConfiguration
from ..evaluation.words import Measure, skill_text
from .rung import Rung


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
