"""A corpus: one text from whatever a user has, be it a file, many of them, a folder, standard input, or a column."""

import gzip
import hashlib
import sys
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from ..config import CorpusSection
from ..errors import DataError, UnsafeFileError, counted
from .labelled import TEXT_NAMES, column_of
from .members import content_of, is_archive, members
from .rows import Rows, decoded, known_encoding, rows_of

_TABLES = (".parquet", ".jsonl", ".ndjson", ".csv", ".tsv")
TABLES = (*_TABLES, *(f"{suffix}.gz" for suffix in _TABLES))
_SHOWN = 3  # names


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
    # Of several texts each ends as if it stood alone: what follows is another one.
    end, several = section.separator, len(parts) > 1 or reader.rows
    text = "".join(part if part.endswith(end) else part + end for part in parts) if several else parts[0]
    if not text:
        raise DataError(f"{name} holds no text; a corpus has some thousand letters or more", file=name)
    if "\r" in text:
        reader.notes.append("line ends of Windows are read as line ends")
        text = text.replace("\r\n", "\n").replace("\r", "\n")
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
        if path.is_dir() or is_archive(path):
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
            content, name = member.read(), f"{path.name}/{member.path}"
            if self._is_text(content):
                found.append((str(member.path), self._decoded(name, content)))
            else:
                passed.append(str(member.path))
        if passed:
            shown = ", ".join(passed[:_SHOWN]) + (" ..." if len(passed) > _SHOWN else "")
            self.notes.append(f"{counted(len(passed), 'file')} of {path.name} passed over, being no text: {shown}")
        if not found:
            raise DataError(f"{path} holds no file of text", file=str(path))
        return [text for _, text in sorted(found)]

    def _is_text(self, content: bytes) -> bool:
        wide = self.section.encoding.lower().replace("_", "-").startswith(("utf-16", "utf-32"))
        return wide or content.startswith(b"\x1f\x8b") or b"\0" not in content[:65_536]

    def _decoded(self, name: str, content: bytes) -> str:
        if content.startswith(b"\x1f\x8b"):
            try:
                content = gzip.decompress(content)
            except (OSError, EOFError, zlib.error) as error:
                raise UnsafeFileError(f"{name} is damaged: {error}", file=name) from None
        if not content:
            raise DataError(f"{name} is empty (0 bytes); a corpus has some thousand letters or more", file=name)
        if not self._is_text(content):
            at = content.index(b"\0")
            raise DataError(f"{name} is no text: byte {at} is zero; say --encoding if it is utf-16", file=name)
        return decoded(name, content, self.section.encoding).removeprefix("\ufeff")

    def _of_rows(self, rows: Rows) -> tuple[list[str], str]:
        self.rows = True
        with rows:
            own = column_of(rows, self.section.text, (*TEXT_NAMES, "smiles", "abc"), "texts", "--text")
            at = rows.columns.index(own)
            cells = [row.cells[at] for row in rows.rows]
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
