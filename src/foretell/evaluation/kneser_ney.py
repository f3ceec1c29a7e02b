"""Interpolated n-grams with modified Kneser-Ney smoothing: the baseline of everything that says what comes next.

    p(w | c) = max(count(c w) - D, 0) / count(c) + λ(c) · p(w | c without its first token)

The longest n-grams count how often they occur, shorter ones after how many different tokens; the discount D depends on
whether that is one, two or more, and λ(c) is what the discounts leave. Chen and Goodman, "An Empirical Study of
Smoothing Techniques for Language Modeling" (1999), section 3.

Each n-gram is its context's number times the number of tokens, plus its last token: sorted, that is a tree in which a
context's continuations stand side by side. Nothing loops over n-grams.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64

ORDERS = range(2, 9)
_DISCOUNTS = 3  # for n-grams that occur once, twice, more often


@dataclass(frozen=True)
class Level:
    """All n-grams of one length.

    Attributes:
        keys: Context · tokens + last token, in order; a context is the place of an n-gram among those one shorter.
        counts: How often each occurs, or after how many different tokens.
        contexts: How many n-grams there are that are one token shorter.
        tokens: How many tokens there are.
    """

    keys: Int64[np.ndarray, " ngram"]
    counts: Int64[np.ndarray, " ngram"]
    contexts: int
    tokens: int

    @cached_property
    def starts(self) -> Int64[np.ndarray, " bound"]:
        """Where the continuations of each context begin, with the end of all."""
        return np.searchsorted(self.keys, np.arange(self.contexts + 1) * self.tokens)

    @cached_property
    def last(self) -> Int64[np.ndarray, " ngram"]:
        """The last token of each."""
        return self.keys % self.tokens

    @cached_property
    def discounts(self) -> Float64[np.ndarray, " size"]:
        """What is taken from counts of none, one, two, and more."""
        one, two, three, four = (int((self.counts == size).sum()) for size in (1, 2, 3, 4))
        share = one / (one + 2 * two) if one + two else 0.5
        raw = [
            size - (size + 1) * share * more / here if here else 0.5 * size
            for size, here, more in ((1, one, two), (2, two, three), (3, three, four))
        ]
        # Where too few n-grams were seen to tell, the estimate may leave its bounds.
        return np.array([0.0, *(min(max(found, 0.05), size - 0.05) for size, found in enumerate(raw, 1))])

    @cached_property
    def gains(self) -> Float64[np.ndarray, " ngram"]:
        """What each n-gram adds to the probability of its last token."""
        taken = self.discounts[np.minimum(self.counts, _DISCOUNTS)]
        return (self.counts - taken) / self._totals[self.keys // self.tokens]

    @cached_property
    def rest(self) -> Float64[np.ndarray, " context"]:
        """What each context leaves to shorter ones; all where nothing is known to follow it."""
        left = np.bincount(self.keys // self.tokens, self.discounts[np.minimum(self.counts, _DISCOUNTS)], self.contexts)
        return np.where(self._totals > 0, left / np.maximum(self._totals, 1), 1.0)

    def find(self, contexts: Int64[np.ndarray, " place"], tokens: Int64[np.ndarray, " place"]) -> np.ndarray:
        """The place of each n-gram among all; -1 where it was never seen, or its context was not."""
        asked = contexts * self.tokens + tokens
        found = np.minimum(np.searchsorted(self.keys, asked), len(self.keys) - 1)
        return np.where((contexts >= 0) & (self.keys[found] == asked), found, -1)

    @cached_property
    def _totals(self) -> Float64[np.ndarray, " context"]:
        return np.bincount(self.keys // self.tokens, self.counts, self.contexts)


@dataclass(frozen=True)
class KneserNey:
    """What comes next by what came after the same tokens before.

    Attributes:
        levels: N-grams of one token, of two, and so on.

    >>> model = count_ngrams(np.array([1, 2, 1, 3, 1, 2]), 4, 3)[-1]
    >>> likely = model.distribution(model.read(np.array([1])))
    >>> int(likely.argmax()), round(float(likely.sum()), 6)
    (2, 1.0)
    """

    levels: tuple[Level, ...]

    @property
    def order(self) -> int:
        """The length of the longest n-grams."""
        return len(self.levels)

    @property
    def tokens(self) -> int:
        """How many tokens there are."""
        return self.levels[0].tokens

    @property
    def parameters(self) -> int:
        """How many counts it keeps."""
        return sum(len(level.keys) for level in self.levels)

    def begin(self, batch: int) -> Int64[np.ndarray, "batch order"]:
        """What is known before anything was read: for each length the context's number, -1 where there is none."""
        contexts = np.full((batch, self.order), -1)
        contexts[:, 0] = 0
        return contexts

    def advance(
        self, contexts: Int64[np.ndarray, "batch order"], tokens: Int64[np.ndarray, " batch"]
    ) -> Int64[np.ndarray, "batch order"]:
        """The contexts after one more token each."""
        after = np.zeros_like(contexts)
        for length in range(1, self.order):
            after[:, length] = self.levels[length - 1].find(contexts[:, length - 1], tokens)
        return after

    def read(self, tokens: Int64[np.ndarray, " time"]) -> Int64[np.ndarray, " order"]:
        """The contexts after a text."""
        contexts = self.begin(1)
        for token in tokens[len(tokens) - min(len(tokens), self.order - 1) :]:
            contexts = self.advance(contexts, np.array([token]))
        return contexts[0]

    def distribution(self, contexts: Int64[np.ndarray, " order"]) -> Float64[np.ndarray, " token"]:
        """How likely each token is after contexts."""
        likely = np.full(self.tokens, 1 / self.tokens)
        for level, context in zip(self.levels, contexts, strict=True):
            if context < 0:
                break
            first, end = level.starts[context], level.starts[context + 1]
            likely *= level.rest[context]
            likely[level.last[first:end]] += level.gains[first:end]
        return likely

    def probabilities(self, tokens: Int64[np.ndarray, " time"], known: int = 0) -> Float64[np.ndarray, " asked"]:
        """How likely each token of a text is after those before it.

        Args:
            tokens: The text.
            known: How many tokens at its beginning are only read.
        """
        likely = np.full(len(tokens), 1 / self.tokens)
        contexts = np.zeros(len(tokens), np.int64)
        for length, level in enumerate(self.levels):
            asked = contexts[: len(tokens) - length]  # the context of each token, without the first ones
            place = slice(length, None)
            there = asked >= 0
            found = level.find(asked, tokens[place])
            rest = np.where(there, level.rest[np.maximum(asked, 0)], 1.0)
            likely[place] = rest * likely[place] + np.where(found >= 0, level.gains[np.maximum(found, 0)], 0.0)
            contexts = found
        return likely[known:]


def count_tokens(counts: Int64[np.ndarray, " token"]) -> KneserNey:
    """A model of single tokens.

    Args:
        counts: How often each occurs.

    >>> count_tokens(np.array([0, 3, 1])).levels[0].counts.tolist()
    [3, 1]
    """
    keys = np.flatnonzero(counts)
    return KneserNey((Level(keys, counts[keys], 1, len(counts)),))


def count_ngrams(tokens: Int64[np.ndarray, " time"], known: int, most: int) -> list[KneserNey]:
    """Models of every order from one to the most, of one text.

    Args:
        tokens: The text.
        known: How many tokens there are.
        most: The longest n-grams; those longer than the text are left out.
    """
    often: list[Level] = []  # how often each n-gram occurs
    after: list[Level] = []  # after how many different tokens
    own, contexts = np.zeros(len(tokens), np.int64), 1
    models: list[KneserNey] = []
    for length in range(1, min(most, len(tokens)) + 1):
        keys, first, place, counts = _numbered(own[: len(tokens) - length + 1] * known + tokens[length - 1 :])
        often.append(Level(keys, counts, contexts, known))
        if length > 1:
            # The n-gram that is this one without its first token begins one place later.
            endings = np.bincount(own[first + 1], minlength=contexts)
            before = often[-2]
            # That at the very beginning comes after nothing.
            after.append(Level(before.keys, np.maximum(endings, 1), before.contexts, known))
        models.append(KneserNey((*after, often[-1])))
        own, contexts = place, len(keys)
    return models


def _numbered(values: Int64[np.ndarray, " place"]) -> tuple[Any, Any, Any, Any]:
    """Distinct values in order, where each stands first, the number of each value's own, and how often each occurs.

    As :func:`numpy.unique` has them, in half the memory.
    """
    order = np.argsort(values, kind="stable")
    values = values[order]
    begins = np.concatenate([[True], values[1:] != values[:-1]])
    values, starts = values[begins], np.flatnonzero(begins)
    numbers = np.empty(len(order), np.int64)
    numbers[order] = np.cumsum(begins, dtype=np.int32) - np.int32(1)
    return values, order[starts], numbers, np.diff(starts, append=len(order))
