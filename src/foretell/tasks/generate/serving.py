"""Generators over HTTP: prompts in, texts out, at once or letter by letter as they are written."""

from collections.abc import Hashable, Sequence
from typing import Annotated, Any

from pydantic import BaseModel, Field, model_validator

from ..serving import Question, Reply, Service, Tell
from .config import WritingSection
from .learned import LearnedGenerator
from .writing import Text, writing_section

MOST_PROMPTS, MOST_LETTERS = 256, 100_000
_EXAMPLE_LENGTH = 40
_OPTIONS = tuple(WritingSection.model_fields)


class GenerateQuestion(WritingSection, Question):
    """Prompts, and how they are gone on with."""

    prompts: list[Annotated[str, Field(max_length=MOST_LETTERS)]] = Field(
        default_factory=lambda: [""], description="What texts begin with.", min_length=1, max_length=MOST_PROMPTS
    )
    probabilities: bool = Field(
        False, description="Say how likely each token was, and how open it was what would come."
    )
    stream: bool = Field(False, description="Tell the text as it is written: server-sent events; one prompt only.")

    @model_validator(mode="after")
    def _one_at_a_time(self) -> "GenerateQuestion":
        if self.stream and len(self.prompts) > 1:
            raise ValueError(f"a stream is of one prompt; found {len(self.prompts)}; ask for each by itself")
        if self.beam is not None and self.probabilities:
            raise ValueError("beam looks at whole texts, and has no probabilities of tokens; leave one away")
        return self


class Token(BaseModel):
    """A token that was written."""

    token: str
    probability: float
    entropy: float = Field(description="How open it was what would come, in bits.")


class WrittenText(BaseModel):
    """The answer to one prompt."""

    prompt: str
    text: str = Field(description="What goes on from it.")
    tokens: int = Field(description="How many tokens that are.")
    stopped: str | None = Field(None, description="The text before which it stopped, where it did.")
    pieces: list[Token] | None = Field(None, description="Token by token, where probabilities were asked for.")


class GenerateReply(Reply):
    """Texts."""

    answers: list[WrittenText] = Field(description="One for each prompt, in order.")


class GenerateService(Service):
    """Generators, as programs ask them."""

    question, reply = GenerateQuestion, GenerateReply
    at_once = 16
    streams = True

    def expects(self, fitted: LearnedGenerator) -> dict[str, Any]:
        """What texts are made of."""
        tokenizer = fitted.tokenizer
        return {
            "tokens": tokenizer.kind,
            "vocabulary": len(tokenizer),
            "lowercase": fitted.configuration.corpus.lowercase,
        }

    def example(self, fitted: LearnedGenerator) -> dict[str, Any]:
        """A text from its beginning."""
        return {"prompts": [""], "length": _EXAMPLE_LENGTH, "temperature": 0.5}

    def together(self, question: GenerateQuestion) -> Hashable | None:
        """Those that are written in the same way."""
        return None if question.stream else (question.probabilities, *_options_of(question))

    def answers(self, fitted: LearnedGenerator, questions: Sequence[GenerateQuestion]) -> list[GenerateReply]:
        """The texts of all prompts at once; a prompt is always gone on with in the same way, whoever asks."""
        section = writing_section(dict(_options_of(questions[0])))
        prompts = [prompt for question in questions for prompt in question.prompts]
        texts = iter(fitted.writer.write(prompts, section, watch=questions[0].probabilities, alike=True))
        return [
            GenerateReply(answers=[_answer(next(texts), question.probabilities) for _ in question.prompts])
            for question in questions
        ]

    def tell(self, fitted: LearnedGenerator, question: GenerateQuestion, tell: Tell) -> None:
        """Tells letters as they are written, with the tokens they came from where probabilities were asked for."""
        section = writing_section(dict(_options_of(question)))
        text = Text(question.prompts[0])
        told = _Told(text)
        with fitted.writer.threads():
            for letters in fitted.writer.stream(text, section, watch=question.probabilities):
                pieces = {"pieces": told.upto(letters)} if question.probabilities else {}
                tell("text", {"text": letters, **pieces})
        tell("done", _answer(text, False).model_dump(exclude_unset=True))


class _Told:
    """Which tokens of a text were told whole by the letters that were.

    Args:
        text: As it is written.
    """

    def __init__(self, text: Text) -> None:
        self.text, self.count, self.letters, self.heard = text, 0, 0, 0

    def upto(self, letters: str) -> list[dict[str, Any]]:
        """The tokens that some more letters make whole."""
        self.heard += len(letters)
        found, text = [], self.text
        while self.count < len(text.pieces) and self.letters + len(text.pieces[self.count]) <= self.heard:
            self.letters += len(text.pieces[self.count])
            found.append(_token(text, self.count).model_dump())
            self.count += 1
        return found


def _options_of(question: GenerateQuestion) -> tuple[tuple[str, Any], ...]:
    """The options that a question names."""
    return tuple((name, getattr(question, name)) for name in _OPTIONS if name in question.model_fields_set)


def _token(text: Text, place: int) -> Token:
    return Token(token=text.pieces[place], probability=2 ** -text.bits[place], entropy=text.entropies[place])


def _answer(text: Text, watched: bool) -> WrittenText:
    answer = WrittenText(prompt=text.prompt, text=text.text, tokens=len(text.tokens))
    if text.stopped is not None:
        answer.stopped = text.stopped
    if watched:
        answer.pieces = [_token(text, place) for place in range(len(text.pieces))]
    return answer


service = GenerateService()
