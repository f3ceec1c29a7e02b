"""A corpus: one text that is held in memory, its lines, and where its spans begin."""

import hashlib
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import isfinite

from ..config import CorpusSection, entries
from ..errors import ConfigurationError, DataError
from .text_sources import TextSource
from .vocabulary import whole

SHARES = (0.8, 0.1, 0.1)
LEAST, SHORTEST = 100, 20  # characters of training, and of validation and test
_OFTEN = 0.02  # of the lines of test


class AnyCorpus(ABC):
    """One text, in memory or in a store.

    Attributes:
        source: Where it came from, in words.
        documents: Of how many files or rows it is made.
        notes: What the user should know of them.
    """

    source: str
    documents: int
    notes: tuple[str, ...]

    @property
    @abstractmethod
    def characters(self) -> int:
        """How many there are."""

    @abstractmethod
    def parts(self, start: int, stop: int) -> Iterator[str]:
        """The text between two places in parts, to be held one by one, none of which ends within a word or a line end.

        Args:
            start: The first character.
            stop: The one after the last.
        """

    @abstractmethod
    def beginning(self, start: int, stop: int) -> str:
        """The text between two places, or as much of its beginning as may be held at once.

        Args:
            start: The first character.
            stop: The one after the last.
        """

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """A hash that tells whether the text is still the same."""


@dataclass(frozen=True)
class Corpus(AnyCorpus):
    """One text that is held in memory.

    Attributes:
        text: All of it.
        source: Where it came from, in words.
        documents: Of how many files or rows it is made.
        notes: What the user should know of them.

    >>> corpus = read_corpus(["Good morning.", "Good night."], CorpusSection())
    >>> corpus.text, corpus.documents
    ('Good morning.\\nGood night.\\n', 2)
    """

    text: str
    source: str
    documents: int
    notes: tuple[str, ...] = ()

    @property
    def characters(self) -> int:
        """How many there are."""
        return len(self.text)

    def parts(self, start: int, stop: int) -> Iterator[str]:
        """All of the text between two places as one part."""
        yield self.text[start:stop]

    def beginning(self, start: int, stop: int) -> str:
        """All of the text between two places."""
        return self.text[start:stop]

    @property
    def fingerprint(self) -> str:
        """A hash that tells whether the text is still the same."""
        return hashlib.sha256(self.text.encode("utf-8", "surrogatepass")).hexdigest()


def read_corpus(source: object, section: CorpusSection) -> Corpus:
    """Reads all texts of a source into one.

    Args:
        source: A path, ``-`` for standard input, several paths, a data frame, or a list of texts. A folder or an
            archive is read file by file, in the order of names; a table row by row.
        section: How it is read.

    Raises:
        DataError: There is nothing there, or it is no text.
        UnsafeFileError: A file is damaged.
    """
    texts = TextSource(source, section)
    text = whole("".join(texts.pieces()))
    return Corpus(text.lower() if section.lowercase else text, texts.name, texts.documents, texts.notes)


def lines_of(text: str) -> Iterator[str]:
    """The lines of a text with their ends.

    >>> list(lines_of("a\\n\\nb"))
    ['a\\n', '\\n', 'b']
    """
    start = 0
    while start < len(text):
        end = text.find("\n", start) + 1 or len(text)
        yield text[start:end]
        start = end


def cut_text(corpus: AnyCorpus, spans: Sequence[str]) -> tuple[int, int, int]:
    """Where validation begins in a corpus, where test does, and where it ends.

    Args:
        corpus: The text.
        spans: As :func:`cut` takes them.

    Raises:
        DataError: A span would be too short to learn from or to judge on.
    """
    borders = cut(corpus.characters, spans)
    sizes = [end - start for start, end in pairwise((0, *borders))]
    if sizes[0] < LEAST or min(sizes[1:]) < SHORTEST:
        raise DataError(
            f"training needs {LEAST} characters or more, validation and test {SHORTEST} each; those of "
            f"{corpus.source} are {sizes[0]:,}, {sizes[1]:,} and {sizes[2]:,}: give it more text, or other --spans",
            file=corpus.source,
        )
    return borders


def cut(length: int, spans: Sequence[str]) -> tuple[int, int, int]:
    """Where validation begins, where test does, and where it ends.

    Args:
        length: Characters of the text.
        spans: Shares, or characters, of train, validation and test; eight, one and one tenth where there are none.

    Raises:
        ConfigurationError: They are no such thing, or want more than there is.

    >>> cut(1000, ()), cut(1000, ["700,200,rest"]), cut(1000, ["0.5", "0.25", "0.25"])
    ((800, 900, 1000), (700, 900, 1000), (500, 750, 1000))
    """
    texts = entries(spans) or [f"{share:g}" for share in SHARES]
    try:
        sizes = [float(text) for text in texts[:2]]
        last = None if texts[2:] == ["rest"] else float(texts[2])
        if len(texts) > 3 or not all(map(isfinite, (*sizes, last or 0))):
            sizes = []
    except (ValueError, IndexError):
        sizes, last = [], None
    shares = len(sizes) == 2 and last is not None and max(*sizes, last) < 1
    if shares and abs(sum(sizes) + (last or 0) - 1) < 1e-6 and min(*sizes, last or 0) > 0:
        first, second = (round(length * sum(sizes[: number + 1])) for number in range(2))
        return first, second, length
    whole = [int(size) for size in (*sizes, length - sum(sizes) if last is None else last)]
    exact = len(texts) == 3 and len(sizes) == 2 and all(size == own for size, own in zip(sizes, whole, strict=False))
    if shares or not exact or min(whole) < 1 or sum(whole) > length or (last is not None and last != whole[2]):
        raise ConfigurationError(
            f"spans are three shares above zero that add up to 1 (0.8,0.1,0.1), or characters of train, validation and "
            f"test (the last may be rest) of which there are {length:,}; found {','.join(texts)}",
            option="spans",
        )
    return whole[0], whole[0] + whole[1], sum(whole)


def repeated_lines(training: Iterable[str], test: str) -> list[str]:
    """A sentence where many lines of test stand in training too, so that knowing them by heart counts as foreseeing.

    Args:
        training: The parts of the text that is learned from.
        test: The text that is judged on.

    >>> repeated_lines(["CCO\\nCC", "N\\nCCC\\n"], "CCO\\nCCF\\n")
    ['50 % of the lines of test stand in training as well, word for word']
    """
    wanted = Counter(line for line in test.split("\n") if line.strip())
    longest = max(map(len, wanted), default=0)
    known, line = set[str](), ""
    for part in training:
        *lines, line = (line + part).split("\n")
        known.update(wanted.keys() & lines)
        line = line[-longest - 1 :]  # of one that is longer than all in test, enough to be none of them
    known.update(wanted.keys() & {line})
    share = sum(wanted[line] for line in known) / max(1, wanted.total())
    return [f"{share:.0%} of the lines of test stand in training as well, word for word".replace("%", " %")] * (
        share >= _OFTEN
    )
