"""The texts of which a corpus is made, from whatever a user has, one after the other and each piece by piece."""

import codecs
import gzip
import io
import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

from ..config import CorpusSection
from ..errors import DataError, UnsafeFileError, counted
from .encodings import known_encoding, not_encoded
from .labelled import TEXT_NAMES, column_of
from .members import is_archive, members
from .rows import Rows, opened, rows_of
from .unpacking import unpacked

_TABLES = (".parquet", ".jsonl", ".ndjson", ".csv", ".tsv")
TABLES = (*_TABLES, *(f"{suffix}.gz" for suffix in _TABLES))
PIECE = 1 << 20  # bytes that are decoded together
_SHOWN, _NAME = 3, 60  # names, and letters of one
Text = Iterator[str]  # the pieces of one


class TextSource:
    """The texts of a source, to be gone through once.

    Args:
        source: A path, ``-`` for standard input, several paths, a data frame, or a list of texts. A folder or an
            archive is read file by file, in the order of names; a table row by row.
        section: How it is read.

    Attributes:
        documents: How many texts it has, so far.
        notes: What the user should know of them, so far.

    Raises:
        DataError: There is no such encoding, or no such source.

    >>> "".join(TextSource(["Good morning.", "Good night."], CorpusSection()).pieces())
    'Good morning.\\nGood night.\\n'
    """

    def __init__(self, source: object, section: CorpusSection) -> None:
        known_encoding(section.encoding)
        self.section, self.documents = section, 0
        self._notes: list[str] = []
        self._rows, self._windows = False, False
        self._texts, self.name = self._found(source)

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know of the texts, a sentence each."""
        return (*self._notes, *["line ends of Windows are read as line ends"] * self._windows)

    def pieces(self) -> Iterator[str]:
        """All texts as one; of several each ends as if it stood alone: what follows is another one.

        Raises:
            DataError: There is nothing there, or it is no text.
            UnsafeFileError: A file is damaged.
        """
        end, ending, some = self.section.separator, "", False
        for text in self._texts:
            if self.documents and not ending.endswith(end):
                yield end
            self.documents, ending = self.documents + 1, ""
            for piece in self._without_returns(text):
                some, ending = some or bool(piece), (ending + piece)[-max(1, len(end)) :]
                yield piece
        if not some:
            raise DataError(f"{self.name} holds no text", file=self.name)
        if (self.documents > 1 or self._rows) and not ending.endswith(end):
            yield end

    def _without_returns(self, text: Text) -> Text:
        """A text with line ends alone; one that a piece ends with may be the first half of another."""
        held = ""
        for piece in text:
            whole = held + piece
            held = "\r" if whole.endswith("\r") else ""
            self._windows = self._windows or "\r" in whole
            yield whole.removesuffix("\r").replace("\r\n", "\n").replace("\r", "\n")
        if held:
            yield "\n"

    def _found(self, source: object) -> tuple[Iterator[Text], str]:
        """All texts, and what to call the whole."""
        if isinstance(source, str | Path):
            return self._at(source)
        if isinstance(source, Sequence) and source and all(isinstance(own, Path) for own in source):
            found = [self._at(own) for own in source]
            names = [name for _, name in found]
            shown = ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
            return (text for texts, _ in found for text in texts), shown
        if isinstance(source, Sequence):
            for place, own in enumerate(source):
                if not isinstance(own, str):
                    told = f"a text is a str; found {type(own).__name__}"
                    raise DataError(f"entry {place} of the list is no text: {told}")
            self._rows = True
            return (iter([str(own)]) for own in source), "the list"
        rows = rows_of(source, self.section.encoding)
        return self._of_rows(lambda: rows), rows.name

    def _at(self, source: str | Path) -> tuple[Iterator[Text], str]:
        if str(source) == "-":
            name = "standard input"
            return iter([self._decoded(name, lambda: io.BytesIO(cast(Any, sys.stdin.buffer).read()))]), name
        path = Path(source)
        if holds_files(path):
            return self._inside(path), path.name
        if path.name.lower().endswith(TABLES):
            return self._of_rows(lambda: rows_of(path, self.section.encoding)), path.name
        return iter([self._decoded(path.name, partial(opened, path))]), path.name

    def _inside(self, path: Path) -> Iterator[Text]:
        """The texts of a folder or an archive; what is no text is passed over and told."""
        found: dict[str, Callable[[], Text]] = {}
        passed: list[str] = []
        for member in members(path, ("",)):
            if any(part.startswith(".") for part in member.path.parts):
                continue
            # What is in a folder can be opened again; what is in an archive is at hand now.
            stream = partial(opened, path / member.path) if path.is_dir() else partial(io.BytesIO, member.read())
            read = partial(self._decoded, f"{path.name}/{member.path}", stream)
            try:
                for _ in read():
                    pass
                found[str(member.path)] = read
            except DataError:
                passed.append(str(member.path))
        if passed:
            shown = ", ".join(passed[:_SHOWN]) + (" ..." if len(passed) > _SHOWN else "")
            told = f"being no text in {self.section.encoding} (--encoding)"
            self._notes.append(f"{counted(len(passed), 'file')} of {path.name} passed over, {told}: {shown}")
        if not found:
            raise DataError(f"{path} holds no file of text in {self.section.encoding}", file=str(path))
        for name in sorted(found):
            yield found[name]()

    def _decoded(self, name: str, stream: Callable[[], io.BufferedIOBase]) -> Text:
        """The pieces of a text in a file, packed or not, without the mark of a byte order."""
        encoding, done, lines, begun = self.section.encoding, 0, 0, False
        wide = codecs.lookup(encoding).name.startswith(("utf-16", "utf-32"))
        decoder = None
        with stream() as packed:
            for content in _contents(name, packed):
                decoder = decoder or _decoder(encoding, content)
                if b"\0" in content and not wide:
                    at = done + content.index(b"\0")
                    line = lines + content.count(b"\n", 0, at - done) + 1
                    told = f"{name} is no text: byte {at} is zero, in line {line}; say --encoding if it is utf-16"
                    raise DataError(told, file=name, line=line)
                try:
                    piece = decoder.decode(content, final=not content)
                except UnicodeDecodeError as error:
                    # What is half a letter at the end of a piece stands before the next one.
                    offset = done + len(content) - len(error.object)
                    raise not_encoded(name, error, encoding, offset, lines) from None
                done += len(content)
                lines += content.count(b"\n")
                if piece:
                    yield piece if begun else piece.removeprefix("\ufeff")
                    begun = True
        if not done:
            raise DataError(f"{name} is empty (0 bytes)", file=name)

    def _of_rows(self, table: Callable[[], Rows]) -> Iterator[Text]:
        """The texts of a table, in the column that was named or found."""
        self._rows = True
        missing = found = 0
        with table() as rows:
            own = column_of(rows, self.section.text, (*TEXT_NAMES, "smiles", "abc"), "texts", "--text")
            at = rows.columns.index(own)
            for row in rows.rows:
                cell = row.cells[at]
                if cell is None:
                    missing += 1
                    continue
                if not isinstance(cell, str):
                    told = f"a text is made of letters; found {type(cell).__name__}"
                    place = rows.place(row.number, row.line)
                    raise DataError(
                        f'{place}: {told} in the column "{own}"', file=rows.name, row=row.number, column=own
                    )
                found += 1
                yield iter([cell])
        if missing:
            self._notes.append(f"{counted(missing, 'row')} of {rows.name} without a text passed over")
        if not found:
            raise DataError(f'{rows.name} holds no text in its column "{own}"', file=rows.name, column=own)


def holds_files(path: Path) -> bool:
    """Whether a path is a folder or an archive.

    Raises:
        DataError: It is no path.
    """
    try:
        return path.is_dir() or is_archive(path)
    except (OSError, ValueError):  # too long for a name, or with a zero in it
        shown = str(path)[:_NAME]
        raise DataError(f'"{shown}..." is no path of a file; texts themselves go into a list', file=shown) from None


def files_of(source: object) -> list[Path] | None:
    """The files that a source names, in the order in which they are read; None where it is anything else.

    Args:
        source: As for :class:`TextSource`.
    """
    paths = [Path(source)] if isinstance(source, str | Path) else source
    if not isinstance(paths, Sequence) or not paths or not all(isinstance(own, Path) for own in paths):
        return None
    found: list[Path] = []
    for path in paths:
        if str(path) == "-" or (holds_files(path) and not path.is_dir()):
            return None
        inside = [member.path for member in members(path, ("",))] if path.is_dir() else []
        shown = (str(own) for own in inside if not any(part.startswith(".") for part in own.parts))
        found += [path / own for own in sorted(shown)] if path.is_dir() else [path]
    return found


def _contents(name: str, stream: Any) -> Iterator[bytes]:
    """The bytes of a file, without its gzip where it has one, piece by piece; nothing at its end."""
    packed = False
    try:
        buffered = unpacked(stream)
        packed = isinstance(getattr(buffered, "raw", None), gzip.GzipFile)
        while content := buffered.read(PIECE):
            yield content
    except (OSError, EOFError, zlib.error) as error:
        if packed:
            raise UnsafeFileError(f"{name} is damaged: {error}", file=name) from None
        raise DataError(f"{name} cannot be read: {error}", file=name) from None
    yield b""


def _decoder(encoding: str, beginning: bytes) -> codecs.IncrementalDecoder:
    """What decodes a text piece by piece; one of wide letters without a mark is in the order of the machine's bytes."""
    name = codecs.lookup(encoding).name
    marks = {"utf-16": (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE), "utf-32": (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)}
    if name in marks and not beginning.startswith(marks[name]):
        name = f"{name}-{'le' if sys.byteorder == 'little' else 'be'}"
    return codecs.getincrementaldecoder(name)()
