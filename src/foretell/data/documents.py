"""A corpus: one text from whatever a user has, be it a file, many of them, a folder, standard input, or a column."""

import codecs
import gzip
import hashlib
import sys
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import isfinite
from pathlib import Path
from typing import Any, cast

from ..config import CorpusSection, entries
from ..errors import ConfigurationError, DataError, UnsafeFileError, counted
from .labelled import TEXT_NAMES, column_of
from .members import content_of, is_archive, members
from .rows import Rows, decoded, known_encoding, rows_of
from .vocabulary import whole

_TABLES = (".parquet", ".jsonl", ".ndjson", ".csv", ".tsv")
TABLES = (*_TABLES, *(f"{suffix}.gz" for suffix in _TABLES))
SHARES = (0.8, 0.1, 0.1)
LEAST, SHORTEST = 100, 20  # characters of training, and of validation and test
_SHOWN, _NAME = 3, 60  # names, and letters of one
_OFTEN = 0.02  # of the lines of test


@dataclass(frozen=True)
class Corpus:
    """One text.

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
    known_encoding(section.encoding)
    reader = _Reader(section)
    parts, name = reader.parts(source)
    if any("\r" in part for part in parts):
        reader.notes.append("line ends of Windows are read as line ends")
        parts = [part.replace("\r\n", "\n").replace("\r", "\n") for part in parts]
    if not any(parts):
        raise DataError(f"{name} holds no text", file=name)
    # Of several texts each ends as if it stood alone: what follows is another one.
    end, several = section.separator, len(parts) > 1 or reader.rows
    text = whole("".join(part if part.endswith(end) else part + end for part in parts) if several else parts[0])
    return Corpus(text.lower() if section.lowercase else text, name, len(parts), tuple(reader.notes))


class _Reader:
    """The texts of a source, one after the other, and what is to be said of them."""

    def __init__(self, section: CorpusSection) -> None:
        self.section = section
        self.notes: list[str] = []
        self.rows = False

    def parts(self, source: object) -> tuple[list[str], str]:
        """All texts, and what to call the whole."""
        if isinstance(source, str | Path):
            return self._at(source)
        if isinstance(source, Sequence) and source and all(isinstance(own, Path) for own in source):
            found = [self._at(own) for own in source]
            names = [name for _, name in found]
            shown = ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
            return [part for parts, _ in found for part in parts], shown
        if isinstance(source, Sequence):
            for place, own in enumerate(source):
                if not isinstance(own, str):
                    told = f"a text is a str; found {type(own).__name__}"
                    raise DataError(f"entry {place} of the list is no text: {told}")
            self.rows = True
            return [str(own) for own in source], "the list"
        return self._of_rows(rows_of(source, self.section.encoding))

    def _at(self, source: str | Path) -> tuple[list[str], str]:
        if str(source) == "-":
            content = cast(Any, sys.stdin.buffer).read()
            return [self._decoded("standard input", content)], "standard input"
        path = Path(source)
        try:
            holds_files = path.is_dir() or is_archive(path)
        except (OSError, ValueError):  # too long for a name, or with a zero in it
            shown = str(source)[:_NAME]
            raise DataError(f'"{shown}..." is no path of a file; texts themselves go into a list', file=shown) from None
        if holds_files:
            return self._inside(path), path.name
        if path.name.lower().endswith(TABLES):
            return self._of_rows(rows_of(path, self.section.encoding))
        return [self._decoded(path.name, content_of(path))], path.name

    def _inside(self, path: Path) -> list[str]:
        """The texts of a folder or an archive; what is no text is passed over and told."""
        found: list[tuple[str, str]] = []
        passed: list[str] = []
        for member in members(path, ("",)):
            if any(part.startswith(".") for part in member.path.parts):
                continue
            name = f"{path.name}/{member.path}"
            content = self._unpacked(name, member.read())
            try:
                if not content or not self._is_text(content):
                    raise DataError(f"{name} is no text")
                found.append((str(member.path), self._decoded(name, content)))
            except DataError:
                passed.append(str(member.path))
        if passed:
            shown = ", ".join(passed[:_SHOWN]) + (" ..." if len(passed) > _SHOWN else "")
            told = f"being no text in {self.section.encoding} (--encoding)"
            self.notes.append(f"{counted(len(passed), 'file')} of {path.name} passed over, {told}: {shown}")
        if not found:
            raise DataError(f"{path} holds no file of text in {self.section.encoding}", file=str(path))
        return [text for _, text in sorted(found)]

    def _is_text(self, content: bytes) -> bool:
        wide = codecs.lookup(self.section.encoding).name.startswith(("utf-16", "utf-32"))
        return wide or b"\0" not in content

    def _unpacked(self, name: str, content: bytes) -> bytes:
        """The content of a file, without its gzip where it has one."""
        if not content.startswith(b"\x1f\x8b"):
            return content
        try:
            return gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise UnsafeFileError(f"{name} is damaged: {error}", file=name) from None

    def _decoded(self, name: str, packed: bytes) -> str:
        content = self._unpacked(name, packed)
        if not content:
            raise DataError(f"{name} is empty (0 bytes)", file=name)
        if not self._is_text(content):
            at = content.index(b"\0")
            raise DataError(f"{name} is no text: byte {at} is zero; say --encoding if it is utf-16", file=name)
        return decoded(name, content, self.section.encoding).removeprefix("\ufeff")

    def _of_rows(self, rows: Rows) -> tuple[list[str], str]:
        self.rows = True
        with rows:
            own = column_of(rows, self.section.text, (*TEXT_NAMES, "smiles", "abc"), "texts", "--text")
            at = rows.columns.index(own)
            found = [(row, row.cells[at]) for row in rows.rows]
        cells = [cell for _, cell in found]
        for row, cell in found:
            if not isinstance(cell, str | None):
                told = f"a text is made of letters; found {type(cell).__name__}"
                place = rows.place(row.number, row.line)
                raise DataError(f'{place}: {told} in the column "{own}"', file=rows.name, row=row.number, column=own)
        missing = sum(cell is None for cell in cells)
        if missing:
            self.notes.append(f"{counted(missing, 'row')} of {rows.name} without a text passed over")
        texts = [str(cell) for cell in cells if cell is not None]
        if not texts:
            raise DataError(f'{rows.name} holds no text in its column "{own}"', file=rows.name, column=own)
        return texts, rows.name


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


def cut_text(corpus: Corpus, spans: Sequence[str]) -> tuple[int, int, int]:
    """Where validation begins in a corpus, where test does, and where it ends.

    Args:
        corpus: The text.
        spans: As :func:`cut` takes them.

    Raises:
        DataError: A span would be too short to learn from or to judge on.
    """
    borders = cut(len(corpus.text), spans)
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


def repeated_lines(training: str, test: str) -> list[str]:
    """A sentence where many lines of test stand in training too, so that knowing them by heart counts as foreseeing.

    Args:
        training: The text that is learned from.
        test: The text that is judged on.

    >>> repeated_lines("CCO\\nCCN\\nCCC\\n", "CCO\\nCCF\\n")
    ['50 % of the lines of test stand in training as well, word for word']
    """
    lines = [line for line in test.split("\n") if line.strip()]
    known = {line for line in training.split("\n") if line.strip()}
    share = sum(line in known for line in lines) / max(1, len(lines))
    return [f"{share:.0%} of the lines of test stand in training as well, word for word".replace("%", " %")] * (
        share >= _OFTEN
    )
