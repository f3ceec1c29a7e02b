"""Pairs that do not belong together: lines that are shifted, sides that are exchanged, texts in the wrong language.

Which words go together is learned from the pairs themselves, most of which are right.
"""

import re
from collections import Counter
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

_WORD = re.compile(r"\w+")
_LEAST = 200  # pairs
_FREQUENT, _RARE = 0.1, 2  # share of texts above which a word says nothing; texts up to which little is known of it
_APART = 4.0  # usual deviations between pairs and lines taken at random: else nothing can be said
_DEEP = 8.0  # pairs taken at random that a stretch is worth
_SHIFTS = (1, -1, 2, -2, 3, -3)
_SURE = 2.0  # a word is this much (in logarithms) more frequent on one side
_WORDS = 3
_PARTS = 8


@dataclass(frozen=True)
class Misaligned:
    """Pairs whose sides say different things.

    Attributes:
        first: The first of them.
        last: The one after the last.
        shift: By how many lines the targets stand too late; zero where no shift puts it right.
    """

    first: int
    last: int
    shift: int


class Sides:
    """The words of both sides, and how often they stand in one pair.

    Args:
        sources: Texts.
        targets: Their partners.
    """

    def __init__(self, sources: list[str], targets: list[str]) -> None:
        self.all = tuple([_words(text) for text in side] for side in (sources, targets))
        self.counts = tuple(Counter(word for words in side for word in words) for side in self.all)
        most = _FREQUENT * len(sources)
        self.telling = tuple(
            [{word for word in words if _RARE < counts[word] < most} for words in side]
            for side, counts in zip(self.all, self.counts, strict=True)
        )
        self.together = Counter(
            (one, other) for pair in zip(*self.telling, strict=True) for other in pair[1] for one in pair[0]
        )

    def match(self, source: int, target: int) -> float:
        """How well the words of a target go with those of a source; NaN where they say nothing.

        What a pair itself adds to the counts is taken off.
        """
        words, others = self.telling[1][target], self.telling[0][source]
        if not words or not others:
            return np.nan
        own = int(source == target)
        best = 0.0
        for word in words:
            shares = (
                2 * (self.together[one, word] - own) / (self.counts[0][one] + self.counts[1][word])
                for one in others
                if (one, word) in self.together
            )
            best += max(shares, default=0.0)
        return best / len(words)


def misaligned(sides: Sides) -> list[Misaligned]:
    """Stretches of pairs whose words do not go together.

    Args:
        sides: The words of all pairs, in order.
    """
    count = len(sides.all[0])
    if count < _LEAST:
        return []
    matches = np.array([sides.match(place, place) for place in range(count)])
    apart = np.array([sides.match(place, (place + 7) % count) for place in range(0, count, max(1, count // 3000))])
    # Where most lines are shifted, some part still shows how well pairs match that are none.
    usual = max(float(np.nanmedian(part)) for part in np.array_split(matches, _PARTS) if np.isfinite(part).any())
    random = float(np.nanmean(apart))
    if not usual - random > _APART * float(np.nanstd(apart)):
        return []
    middle = (usual + random) / 2
    worth: Float64[np.ndarray, " pair"] = np.nan_to_num(middle - matches)
    found = []
    while (stretch := _heaviest(worth))[2] > _DEEP * (middle - random):
        first, last, _ = stretch
        found.append(Misaligned(first, last, _shift(sides, first, last, middle)))
        worth[first:last] = 0.0
    return sorted(found, key=lambda own: own.first)


def in_the_wrong_language(sides: Sides) -> tuple[list[int], list[int], list[int]]:
    """Pairs whose sides are exchanged; those of which only the source, or only the target, is in the other language.

    Args:
        sides: The words of all pairs.
    """
    if len(sides.all[0]) < _LEAST:
        return [], [], []
    own = [np.array([_like_targets(sides, words) for words in side]) for side in sides.all]
    source, target = own[0] > 0, own[1] < 0
    return (
        np.flatnonzero(source & target).tolist(),
        np.flatnonzero(source & ~target).tolist(),
        np.flatnonzero(target & ~source).tolist(),
    )


def _like_targets(sides: Sides, words: set[str]) -> float:
    """Above zero: nearly all words are those of targets; below zero: of sources; zero where it is not sure."""
    scores = [np.log((sides.counts[1][word] + 0.5) / (sides.counts[0][word] + 0.5)) for word in words]
    sure = [score for score in scores if abs(score) > _SURE]
    if len(sure) < _WORDS or len({score > 0 for score in sure}) > 1:
        return 0.0
    return float(sum(sure))


def _heaviest(worth: Float64[np.ndarray, " pair"]) -> tuple[int, int, float]:
    """The stretch whose sum is largest (Kadane)."""
    best, running, start = (0, 0, 0.0), 0.0, 0
    for place, own in enumerate(worth.tolist()):
        if running <= 0:
            running, start = 0.0, place
        running += own
        if running > best[2]:
            best = (start, place + 1, running)
    return best


def _shift(sides: Sides, first: int, last: int, middle: float) -> int:
    """By how many lines the targets of a stretch stand too late, where that makes its pairs match."""
    count = len(sides.all[0])
    for shift in _SHIFTS:
        places = [place for place in range(first, last) if 0 <= place + shift < count][:200]
        matches = np.array([sides.match(place, place + shift) for place in places])
        if np.isfinite(matches).any() and float(np.nanmean(matches)) > middle:
            return shift
    return 0


def _words(text: str) -> set[str]:
    return set(_WORD.findall(text.lower()))
