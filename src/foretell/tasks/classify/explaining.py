"""What moved a classifier's answer, word by word, for a table and for a page."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from ...data.vocabulary import Vocabulary
from ...evaluation.panels import Passage
from .models import Model

SHOWN = 1500  # letters of a text on a page
MOST_WORDS = 5  # that a table names for each text


@dataclass(frozen=True)
class Explanation:
    """What moved one answer.

    Attributes:
        text: The text.
        places: Where each of its tokens stands: its first letter, and the one after its last.
        moved: How much each moved the answer: above zero towards it.
        attended: How much of all attention each got; None where nothing attends.
    """

    text: str
    places: list[tuple[int, int]]
    moved: Float64[np.ndarray, " token"]
    attended: Float64[np.ndarray, " token"] | None

    def words(self) -> list[dict[str, object]]:
        """The words that moved it most, each once."""
        sums: dict[str, float] = {}
        looked: dict[str, float] = {}
        for number, (start, end) in enumerate(self.places):
            word = self.text[start:end].lower()
            sums[word] = sums.get(word, 0.0) + float(self.moved[number])
            if self.attended is not None:
                looked[word] = looked.get(word, 0.0) + float(self.attended[number])
        chosen = sorted(sums, key=lambda word: -abs(sums[word]))[:MOST_WORDS]
        found: list[dict[str, object]] = []
        for word in chosen:
            if sums[word]:
                attention = {"attention": round(looked[word], 4)} if looked else {}
                found.append({"word": word, "weight": round(sums[word], 4), **attention})
        return found

    def passage(self, heading: str) -> Passage:
        """The text in pieces, shaded by what moved the answer; of a long one the stretch that moved it most."""
        start, end = self._stretch()
        largest = float(np.abs(self.moved).max(initial=0.0)) or 1.0
        most = float(self.attended.max(initial=0.0)) if self.attended is not None else 0.0
        pieces, strengths, looked = ["… " if start else ""], [0.0], [0.0]
        at = start
        for number, (first, last) in enumerate(self.places):
            if first < start or last > end or last <= first:
                continue
            if first > at:
                pieces.append(_without_tags(self.text[at:first]))
                strengths.append(0.0)
                looked.append(0.0)
            pieces.append(self.text[first:last])
            strengths.append(float(self.moved[number]) / largest)
            looked.append(float(self.attended[number]) / most if self.attended is not None and most else 0.0)
            at = last
        pieces.append(_without_tags(self.text[at:end]) + (" …" if end < len(self.text) else ""))
        strengths.append(0.0)
        looked.append(0.0)
        return Passage(heading, pieces, strengths, looked if self.attended is not None else None)

    def _stretch(self) -> tuple[int, int]:
        """The letters that are shown: all, or those that hold most of what moved the answer."""
        if len(self.text) <= SHOWN or not self.places:
            return 0, min(len(self.text), SHOWN)
        weight = np.zeros(len(self.text) + 1)
        for number, (first, _) in enumerate(self.places):
            weight[min(first, len(self.text))] += abs(float(self.moved[number]))
        total = np.concatenate([[0.0], np.cumsum(weight)])
        starts = np.arange(0, len(self.text) - SHOWN + 1, 50)
        best = int(starts[int(np.argmax(total[starts + SHOWN] - total[starts]))])
        return best, best + SHOWN


def _without_tags(text: str) -> str:
    """What stands between words, with a new line where a page had tags."""
    return re.sub(r"(\s*</?[A-Za-z][^<>]{0,100}>\s*)+", "\n", text)


def explain(
    model: Model,
    vocabulary: Vocabulary,
    text: str,
    likely: Float64[np.ndarray, " label"],
    *,
    exclusive: bool,
    label: int | None = None,
) -> Explanation:
    """What moved a model's answer to a text.

    Args:
        model: What scored it.
        vocabulary: What cuts it.
        text: The text.
        likely: The probabilities that the model gave.
        exclusive: Whether a text has exactly one label.
        label: Where it may have several, which one is asked about; the surest where None.
    """
    tokens, places = vocabulary.pieces(text)
    weights = asked_about(likely, exclusive=exclusive, label=label)
    moved = model.moved(tokens, weights) if len(tokens) else np.zeros(0)
    attended = model.attended(tokens) if len(tokens) else None
    return Explanation(text, places, np.zeros(len(tokens)) if moved is None else moved, attended)


def asked_about(
    likely: Float64[np.ndarray, " label"], *, exclusive: bool, label: int | None = None
) -> Float64[np.ndarray, " score"]:
    """The sum of scores that stands for an answer.

    Of one label that is the likeliest one's score, less the mean of the others; where a text may have several, the
    score of the one that is asked about (the surest where None), turned round where the answer is that it is not there.

    >>> asked_about(np.array([0.9, 0.1]), exclusive=True).tolist()
    [-1.0]
    >>> asked_about(np.array([0.02, 0.7]), exclusive=False).tolist()
    [-1.0, 0.0]
    """
    best = int(np.argmax(likely))
    if exclusive and len(likely) == 2:
        return np.array([1.0 if best else -1.0])
    weights = np.zeros(len(likely))
    if not exclusive:
        asked = int(np.argmax(np.abs(likely - 0.5))) if label is None else label
        weights[asked] = 1.0 if likely[asked] > 0.5 else -1.0
        return weights
    weights[best] = 1.0
    return weights - 1 / len(likely)


def headings(
    said: Sequence[str], sure: Sequence[float], truth: Sequence[str] | None = None, places: Sequence[str] | None = None
) -> list[str]:
    """What stands above each text on a page."""
    found = []
    for number, label in enumerate(said):
        told = [f"{label or 'no label'}, {sure[number]:.1%} sure"]
        if truth is not None:
            told.append(f"but it is {truth[number] or 'no label'}")
        if places is not None:
            told.append(places[number])
        found.append("; ".join(told))
    return found
