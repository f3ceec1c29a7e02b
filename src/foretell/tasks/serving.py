"""How the models of a task are asked by programs: questions and replies with types, which a server checks and explains.

A server treats all tasks alike: it turns a request into a question, has questions answered, several at once where that
is cheaper, and turns replies into what the client can read.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

Tell = Callable[[str, dict[str, Any]], None]
"""Is told of an event: its name and what it is about."""
JSON = "application/json"


class Question(BaseModel):
    """What a client asks a model; unknown names are errors, as are numbers that are none."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Reply(BaseModel):
    """What a model answers.

    Attributes:
        model: The name of the model.
        warnings: What the client should know, a sentence each.
    """

    model_config = ConfigDict(extra="forbid")
    model: str = Field("", description="The model that answered.")
    warnings: list[str] = Field(default_factory=list, description="What is worth knowing about the answer.")


@dataclass(frozen=True)
class Shown:
    """A reply in another form than JSON.

    Attributes:
        render: Makes the bytes of a reply.
        schema: What they are, for the description of the service.
    """

    render: Callable[[Any], bytes]
    schema: Mapping[str, Any]


class Service(ABC):
    """What a task offers to a server; the base of each task's own.

    Attributes:
        question: What a client asks.
        reply: What it gets.
        bodies: Other bodies than JSON that a client may send, by media type: the field of a question that such a body
            is; with ``multipart/form-data`` each part is a field.
        forms: Other forms than JSON that a reply may have, by media type.
        usual: The media type of a reply where the client accepts any.
        at_once: How many questions are answered together at most.
        streams: Whether answers can be told as they come.
    """

    question: ClassVar[type[Question]]
    reply: ClassVar[type[Reply]]
    bodies: ClassVar[Mapping[str, str]] = {}
    forms: ClassVar[Mapping[str, Shown]] = {}
    usual: ClassVar[str] = JSON
    at_once: ClassVar[int] = 1
    streams: ClassVar[bool] = False

    @abstractmethod
    def expects(self, fitted: Any) -> dict[str, Any]:
        """What a model needs to be asked, as plain values.

        Args:
            fitted: What has learned.
        """

    @abstractmethod
    def example(self, fitted: Any) -> dict[str, Any]:
        """A question that the model can answer, as JSON has it.

        Args:
            fitted: What has learned.
        """

    @abstractmethod
    def answers(self, fitted: Any, questions: Sequence[Any]) -> Sequence[Any]:
        """A reply to each question.

        Args:
            fitted: What has learned.
            questions: They are answered together only where :meth:`together` says the same of all.
        """

    def together(self, question: Any) -> Hashable | None:
        """What questions must have in common to be answered together; None where this one is answered alone.

        Args:
            question: One of them.
        """
        return None

    def streamed(self, question: Any) -> bool:
        """Whether a question asks for its answer as it comes.

        Args:
            question: The question.
        """
        return bool(getattr(question, "stream", False))

    def tell(self, fitted: Any, question: Any, tell: Tell) -> None:
        """Answers a question event by event, the last of them ``done``; all at once where a task does not say how.

        Args:
            fitted: What has learned.
            question: The question.
            tell: Is told of each event.
        """
        (reply,) = self.answers(fitted, [question])
        tell("done", reply.model_dump(exclude={"model", "warnings"}))
