"""Translators over HTTP: sentences in, translations out, with the maps of attention where they are asked for."""

from collections.abc import Hashable, Sequence
from typing import Annotated, Any

from pydantic import BaseModel, Field

from ...data.joint import JointVocabulary
from ...errors import ConfigurationError
from ...evaluation.panels import Maps
from ..serving import Question, Reply, Service
from .attention import attention_panels
from .config import TranslatingSection
from .learned import LearnedTranslator, translating_section
from .models import Answer, NetworkModel

MOST_TEXTS, MOST_LETTERS = 1000, 5000
_EXAMPLE_WORDS = 4
_OPTIONS = tuple(TranslatingSection.model_fields)


class TranslateQuestion(TranslatingSection, Question):
    """Sentences to be translated, and how translations are looked for."""

    texts: list[Annotated[str, Field(max_length=MOST_LETTERS)]] = Field(
        description="The sentences.", min_length=1, max_length=MOST_TEXTS
    )
    attention: bool = Field(False, description="Say what each translation looked at.")


class Map(BaseModel):
    """How much each row took from each column, between 0 and 1."""

    name: str
    weights: list[list[float]] = Field(description="Row by row.")


class MapGroup(BaseModel):
    """Maps over the same pieces."""

    kind: str = Field(description="What attended to what.")
    title: str
    rows: list[str] = Field(description="The pieces that looked.")
    columns: list[str] = Field(description="The pieces that were looked at.")
    maps: list[Map]


class OtherTranslation(BaseModel):
    """A translation and how likely it is."""

    translation: str
    score: float | None = Field(description="The logarithm of its probability, where it is known.")


class TranslatedText(OtherTranslation):
    """The answer to one sentence."""

    source: str
    n_best: list[OtherTranslation] | None = Field(None, description="The best ones, where several were asked for.")
    attention: list[MapGroup] | None = Field(None, description="What it looked at, layer by layer and head by head.")


class TranslateReply(Reply):
    """Translations."""

    answers: list[TranslatedText] = Field(description="One for each sentence, in order.")


class TranslateService(Service):
    """Translators, as programs ask them."""

    question, reply = TranslateQuestion, TranslateReply
    at_once = 16

    def expects(self, fitted: LearnedTranslator) -> dict[str, Any]:
        """Languages, pieces, and how translations are looked for."""
        search = fitted.configuration.search
        return {
            "languages": list(fitted.about["languages"]),
            "tokens": fitted.vocabulary.kind,
            "vocabulary": len(fitted.vocabulary),
            "beam": search.beam,
            "attention": isinstance(fitted.model, NetworkModel),
        }

    def example(self, fitted: LearnedTranslator) -> dict[str, Any]:
        """A sentence of pieces that the model knows."""
        return {"texts": [_known_text(fitted.vocabulary)]}

    def together(self, question: TranslateQuestion) -> Hashable | None:
        """Those that are looked for alike, without maps."""
        return None if question.attention else _options_of(question)

    def answers(self, fitted: LearnedTranslator, questions: Sequence[TranslateQuestion]) -> list[TranslateReply]:
        """The translations of all sentences at once."""
        section = translating_section(dict(_options_of(questions[0])))
        found = fitted.translations([text for question in questions for text in question.texts], section)
        replies, start = [], 0
        for question in questions:
            own = found[start : start + len(question.texts)]
            start += len(question.texts)
            answers = [_answer(text, best) for text, best in zip(question.texts, own, strict=True)]
            if question.attention:
                for answer in answers:
                    answer.attention = _maps(fitted, answer.source, section)
            replies.append(TranslateReply(answers=answers))
        return replies


def _options_of(question: TranslateQuestion) -> tuple[tuple[str, Any], ...]:
    """The options that a question names."""
    return tuple((name, getattr(question, name)) for name in _OPTIONS if name in question.model_fields_set)


def _answer(text: str, found: Sequence[Answer]) -> TranslatedText:
    answer = TranslatedText(source=text, translation=found[0].text, score=found[0].score)
    if len(found) > 1:
        answer.n_best = [OtherTranslation(translation=own.text, score=own.score) for own in found]
    return answer


def _maps(fitted: LearnedTranslator, text: str, section: TranslatingSection) -> list[MapGroup]:
    """What a translation looked at; nothing of an empty text."""
    if not isinstance(fitted.model, NetworkModel):
        raise ConfigurationError(f"{fitted.rung} attends to nothing: attention is for networks", option="attention")
    tidy = " ".join(text.split())
    panels = attention_panels(fitted.model, fitted.vocabulary, tidy, fitted.asked(section)) if tidy else []
    return [
        MapGroup(
            kind=panel.heading,
            title=item.title,
            rows=list(item.rows),
            columns=list(item.columns),
            maps=[Map(name=name, weights=[list(row) for row in weights]) for name, weights in item.maps],
        )
        for panel in panels
        for item in panel.items
        if isinstance(item, Maps)
    ]


def _known_text(vocabulary: JointVocabulary) -> str:
    """A few frequent pieces as a text."""
    some = range(4, min(4 + _EXAMPLE_WORDS, len(vocabulary)))
    return vocabulary.text(some) or vocabulary.tokens[-1]


service = TranslateService()
