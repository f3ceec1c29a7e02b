"""Classifiers over HTTP: texts in, labels out, and what moved each answer where that is asked for."""

from collections.abc import Hashable, Sequence
from typing import Any

import polars as pl
from pydantic import BaseModel, Field

from ..serving import Question, Reply, Service
from .learned import LearnedClassifier

MOST_TEXTS = 10_000


class ClassifyQuestion(Question):
    """Texts to be labelled."""

    texts: list[str] = Field(description="The texts.", min_length=1, max_length=MOST_TEXTS)
    explain: bool = Field(False, description="Say which words moved each answer.")


class Word(BaseModel):
    """A word that moved an answer."""

    word: str
    weight: float = Field(description="Above zero towards the answer, below zero away from it.")
    attention: float | None = Field(None, description="Its share of the network's attention, where it has any.")


class Piece(BaseModel):
    """A piece of a text, as a page shades it."""

    text: str
    strength: float = Field(description="From -1 (away from the answer) to 1 (towards it).")
    attention: float | None = Field(None, description="From 0 to 1, where the network attends.")


class LabelledText(BaseModel):
    """The answer to one text."""

    label: str | None = Field(description="The label; several with their separator; null for a text without a word.")
    probability: float | None = Field(description="How sure the model is.")
    probabilities: dict[str, float | None] = Field(description="Of each label.")
    words: list[Word] | None = Field(None, description="The words that moved the answer most.")
    pieces: list[Piece] | None = Field(None, description="The text, piece by piece; of a long one a stretch.")


class ClassifyReply(Reply):
    """Labels."""

    answers: list[LabelledText] = Field(description="One for each text, in order.")


class ClassifyService(Service):
    """Classifiers, as programs ask them."""

    question, reply = ClassifyQuestion, ClassifyReply
    at_once = 64

    def expects(self, fitted: LearnedClassifier) -> dict[str, Any]:
        """Labels, and how texts are read."""
        return {
            "labels": list(fitted.labels),
            "several": not fitted.exclusive,
            "tokens": fitted.vocabulary.kind,
            "vocabulary": len(fitted.vocabulary),
        }

    def example(self, fitted: LearnedClassifier) -> dict[str, Any]:
        """A text of words that the model knows."""
        known = [token.replace("▁", " ") for token in fitted.vocabulary.tokens[2:10]]
        between = "" if fitted.vocabulary.kind == "characters" else " "
        return {"texts": [between.join(known).strip()]}

    def together(self, question: ClassifyQuestion) -> Hashable | None:
        """All that need no explanation."""
        return None if question.explain else "labels"

    def answers(self, fitted: LearnedClassifier, questions: Sequence[ClassifyQuestion]) -> list[ClassifyReply]:
        """The labels of all texts at once."""
        if questions[0].explain:
            return [ClassifyReply(answers=_explained(fitted, question.texts)) for question in questions]
        answers = _labelled(fitted, fitted.answer([text for question in questions for text in question.texts]))
        replies, start = [], 0
        for question in questions:
            replies.append(ClassifyReply(answers=answers[start : start + len(question.texts)]))
            start += len(question.texts)
        return replies


def _labelled(fitted: LearnedClassifier, frame: pl.DataFrame) -> list[LabelledText]:
    return [
        LabelledText(
            label=row["label"],
            probability=row["probability"],
            probabilities={label: row[f"p({label})"] for label in fitted.labels},
        )
        for row in frame.rows(named=True)
    ]


def _explained(fitted: LearnedClassifier, texts: Sequence[str]) -> list[LabelledText]:
    """Answers with what moved them."""
    frame, found, _ = fitted.explained(texts)
    answers = _labelled(fitted, frame)
    for answer, moved in zip(answers, found, strict=True):
        passage = moved.passage("")
        under: Sequence[float | None] = passage.underlined or [None] * len(passage.pieces)
        answer.words = [Word.model_validate(word) for word in moved.words()]
        answer.pieces = [
            Piece(text=text, strength=strength, **({} if attention is None else {"attention": attention}))
            for text, strength, attention in zip(passage.pieces, passage.strengths, under, strict=True)
            if text
        ]
    return answers


service = ClassifyService()
