"""How new a text is beside the one that a model learned from: words it invents, what it repeats, what it copies."""

import re
from dataclasses import dataclass
from functools import cached_property

WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
SEARCHED = 5_000_000  # characters of a text in which copies are looked for
_WORDS, _LETTERS = 2, 8  # of an n-gram


@dataclass(frozen=True)
class Known:
    """The text that a model learned from.

    Attributes:
        text: All of it, or its beginning.
        characters: How many all of it has; those of the text where None.

    >>> known = Known("the same thing and the other thing")
    >>> known.new_words("the thingother same")
    [(4, 14)]
    >>> known.longest_copy("no, and the other day")
    ' and the other '
    """

    text: str
    characters: int | None = None

    @property
    def size(self) -> int:
        """How many characters all of it has."""
        return len(self.text) if self.characters is None else self.characters

    @property
    def whole(self) -> bool:
        """Whether all of it is known here."""
        return self.size == len(self.text)

    @cached_property
    def words(self) -> frozenset[str]:
        """Its words, in small letters."""
        return frozenset(match[0].casefold() for match in WORD.finditer(self.text))

    def new_words(self, text: str) -> list[tuple[int, int]]:
        """Where words begin and end that it does not hold; the last word of a text may have been cut and is left out.

        Args:
            text: What was written.
        """
        ends = [match.span() for match in WORD.finditer(text)]
        return [(start, end) for start, end in ends if end < len(text) if text[start:end].casefold() not in self.words]

    def longest_copy(self, text: str) -> str:
        """The longest stretch of a text that stands in it, or in the first ``SEARCHED`` characters of it.

        Args:
            text: What was written.
        """
        whole, longest = self.text[:SEARCHED], ""
        for start in range(len(text)):
            while start + len(longest) < len(text) and text[start : start + len(longest) + 1] in whole:
                longest = text[start : start + len(longest) + 1]
        return longest


def words_of(text: str) -> list[str]:
    """The words of a text, in small letters."""
    return [match[0].casefold() for match in WORD.finditer(text)]


def distinct_words(text: str) -> float | None:
    """The share of different ones among all pairs of words that follow each other; None where there are too few.

    Li et al., "A Diversity-Promoting Objective Function for Neural Conversation Models" (2016).

    >>> distinct_words("of the sense of the sense of the")
    0.42857142857142855
    """
    return _distinct(words_of(text), _WORDS)


def distinct_letters(text: str) -> float | None:
    """The share of different ones among all stretches of eight letters, for what has no words."""
    return _distinct(text, _LETTERS)


def _distinct(parts: list[str] | str, size: int) -> float | None:
    ngrams = [tuple(parts[start : start + size]) for start in range(len(parts) - size + 1)]
    return len(set(ngrams)) / len(ngrams) if ngrams else None
