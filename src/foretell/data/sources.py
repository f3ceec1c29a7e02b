"""Where rows come from: CSV (plain, gzip, zip), Parquet, standard input, or any data frame; Polars from here on.

Nothing is judged here beyond what cannot be read at all; what the rows mean is for tables.py and checks.py.
"""

import csv
import gzip
import io
import lzma
import re
import sys
import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import narwhals as nw
import numpy as np
import polars as pl
from jaxtyping import Int64

from ..errors import DataError, UnsafeFileError, counted
from .builtin import builtin_path
from .columnar import DAMAGED, MOST_COLUMNS, read_parquet
from .members import content_of
from .unpacking import Gzip, allowed, content_in_zip, holds_bytes, too_much

MISSING_WORDS = ("", "NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "None", "-", "?", "#N/A")
_PARQUET, _GZIP, _ZIP = b"PAR1", b"\x1f\x8b", b"PK\x03\x04"
_SEPARATORS = (",", ";", "\t", "|")
MOST_BYTES = 8_000_000_000  # of a packed table
_LONGEST_HEADER = 1 << 24
_PIECE = 1 << 20
_DAMAGE = (  # what is said of packed files; a zip whose file has no name makes an IndexError
    *(zipfile.BadZipFile, gzip.BadGzipFile, EOFError, zlib.error, lzma.LZMAError, RuntimeError, IndexError),
)


@dataclass(frozen=True)
class Source:
    """Rows as they were read, with what to call them in messages.

    Attributes:
        name: The file's name, or what the frame is.
        frame: Columns of numbers as Float64, all others as they were or as text.
        first_line: The line of the first row in a text file; None where there are no lines.
        notes: What was noticed while reading, a sentence each.
        numbers: The place of each row in the file, counted from 0, where blank rows were left out.
        before: How many rows of the file were read before these, where it is read piece by piece.
    """

    name: str
    frame: pl.DataFrame
    first_line: int | None = None
    notes: list[str] = field(default_factory=list)
    numbers: Int64[np.ndarray, " row"] | None = None
    before: int = 0

    def number(self, row: int) -> int:
        """The place of a row in its file, counted from 0."""
        return self.before + (row if self.numbers is None else int(self.numbers[row]))

    def place(self, row: int) -> str:
        """The place of a row, counted from 0, in words: ``row 3 (line 4)``."""
        row = self.number(row)
        if self.first_line is None:
            return f"row {row + 1}"
        return f"row {row + 1} (line {row + self.first_line})"

    def fault(self, row: int, column: str, sentence: str, **details: object) -> DataError:
        """What is wrong with a cell: the file, the row and the column in words, and as facts for a program."""
        return DataError(
            f'{self.name}, {self.place(row)}, column "{column}": {sentence}',
            file=self.name,
            row=self.number(row) + 1,
            column=column,
            **details,
        )


@dataclass(frozen=True)
class CsvText:
    """Rows that came as text rather than as a file.

    Attributes:
        text: A header and rows.
        name: What to call them in messages.
    """

    text: str
    name: str = "the rows"


def read_source(source: object, *, text_columns: tuple[str, ...] = ()) -> Source:
    """Reads a file, standard input (``-``), text or a data frame.

    Args:
        source: A path, the name of a built-in set, ``-``, text as it came, or a data frame that narwhals knows.
        text_columns: Columns to keep as text even when they look like numbers (identifiers).

    Raises:
        DataError: There is no such file, it is empty, or it is no table.
        UnsafeFileError: It is damaged.
    """
    if isinstance(source, CsvText):
        return _from_text(source.name, source.text.encode("utf-8", "replace"), text_columns)
    if isinstance(source, str) and source == "-":
        return _from_bytes("standard input", sys.stdin.buffer.read(), text_columns)
    if isinstance(source, str | Path):
        path = Path(source)
        if not path.exists():
            path = builtin_path(str(source)) or path
        if path.is_dir():
            raise DataError(f"{path} is a folder; name the file in it", file=str(path))
        return _from_bytes(path.name, content_of(path), text_columns)
    return _from_frame(source, text_columns)


def read_frame(path: Path, text_columns: tuple[str, ...] = ()) -> pl.DataFrame:
    """A table that Foretell wrote: CSV, Parquet or JSON, its columns as they are.

    Args:
        path: The file.
        text_columns: Columns of a CSV that are text, whatever they look like.

    Raises:
        DataError: There is no such file, or it is none of them.
    """
    if path.suffix != ".json":
        return read_source(path, text_columns=text_columns).frame
    try:
        frame = pl.read_json(path)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file", file=str(path)) from None
    except DAMAGED as error:
        raise DataError(f"{path} cannot be read as JSON: {first_line(error)}", file=str(path)) from None
    if frame.height == 0:
        raise DataError(f"{path} holds no rows", file=str(path))
    return frame


def _from_frame(frame: Any, text_columns: tuple[str, ...]) -> Source:
    if type(getattr(frame, "index", None)).__name__ == "PeriodIndex":
        frame = frame.to_timestamp()
    if _has_index_of_its_own(frame):
        frame = frame.reset_index()
    try:
        known = nw.from_native(frame, eager_only=True)
    except TypeError:
        raise DataError(
            f"a table is a path or a data frame (pandas, Polars, PyArrow); found {type(frame).__name__}"
        ) from None
    except nw.exceptions.NarwhalsError as error:
        raise DataError(f"the data frame cannot be read as a table: {first_line(error)}") from None
    try:
        native = known.to_polars()
    except (TypeError, ValueError, nw.exceptions.NarwhalsError, *DAMAGED) as error:
        raise DataError(f"the data frame cannot be read as a table: {first_line(error)}") from None
    if native.height == 0:
        raise DataError("the data frame holds no rows")
    return Source("the data frame", tidy(native, text_columns))


def _has_index_of_its_own(frame: Any) -> bool:
    """Whether a pandas frame keeps something worth a column in its index: times, or anything with a name."""
    index = getattr(frame, "index", None)
    if type(frame).__module__.partition(".")[0] != "pandas" or index is None:
        return False
    return index.name is not None or type(index).__name__ == "DatetimeIndex"


def _from_bytes(name: str, content: bytes, text_columns: tuple[str, ...]) -> Source:
    if not content or content.isspace():
        raise DataError(f"{name} is empty; a table has a header and rows", file=name)
    try:
        if content.startswith(_ZIP):
            name, content = _only_member(name, content)
        elif content.startswith(_GZIP):
            content = _unpacked(name, content)
        if content.startswith(_PARQUET):
            frame = read_parquet(io.BytesIO(content))
            if frame.height == 0:
                raise DataError(f"{name} holds no rows", file=name)
            return Source(name, tidy(frame, text_columns))
    except _DAMAGE as error:
        raise UnsafeFileError(f"{name} is damaged or protected: {error}", file=name) from None
    except DAMAGED as error:
        raise UnsafeFileError(f"{name} is damaged: {first_line(error)}", file=name) from None
    return _from_text(name, content, text_columns)


def _only_member(name: str, content: bytes) -> tuple[str, bytes]:
    """The one table inside a zip archive."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = [
            member
            for member in archive.infolist()
            if holds_bytes(member) and not member.filename.startswith("__MACOSX") and member.file_size > 0
        ]
        if len(members) != 1:
            found = ", ".join(member.filename for member in members[:5]) or "none"
            raise DataError(f"{name} must hold exactly one table; found {len(members)}: {found}", file=name)
        if members[0].file_size > MOST_BYTES:
            raise _too_large(name)
        if members[0].file_size > allowed(len(content)):
            raise zipfile.BadZipFile(too_much())
        return f"{name}:{members[0].filename}", content_in_zip(archive, members[0])


def _unpacked(name: str, content: bytes) -> bytes:
    """What a gzip file holds, as far as memory may be asked for it."""
    found = io.BytesIO()
    with Gzip(io.BytesIO(content)) as stream:
        while part := stream.read(_PIECE):
            found.write(part)
            if found.tell() > MOST_BYTES:
                raise _too_large(name)
    return found.getvalue()


def _too_large(name: str) -> DataError:
    told = f"{name} holds more than {MOST_BYTES:,} bytes when it is unpacked; unpack it, and make a Parquet file of it"
    return DataError(told, file=name)


def _from_text(name: str, content: bytes, text_columns: tuple[str, ...]) -> Source:
    notes: list[str] = []
    content = _as_utf8(name, content, notes)
    if not content or content.isspace():
        raise DataError(f"{name} is empty; a table has a header and rows", file=name)
    lines = content[:65536].decode("utf-8", "ignore").splitlines()
    head = [line for line in lines if line.strip()][:50]
    separator = _separator(head)
    begin = len(content) - len(content.lstrip())
    end = content.find(b"\n", begin)
    end = end if end >= 0 else len(content)
    if end - begin > _LONGEST_HEADER:
        raise DataError(f"{name} is no table: the first line, its header, has {end - begin:,} bytes", file=name)
    width = content.count(separator.encode(), begin, end) + 1
    if width > MOST_COLUMNS:
        raise DataError(
            f"{name} has {width:,} columns, and at most {MOST_COLUMNS:,} are read; put series one under the other, "
            "with a column that tells them apart (--series)",
            file=name,
        )
    cells = (cell for line in head[1:] for cell in re.split(r"[;\t|]", line))
    decimal_comma = separator != "," and any(re.fullmatch(r"-?\d+,\d+", cell.strip()) for cell in cells)
    options: dict[str, Any] = {
        "separator": separator,
        "null_values": list(MISSING_WORDS),
        "decimal_comma": decimal_comma,
        "try_parse_dates": False,
    }
    try:
        frame = _read_typed(content, options, text_columns)
    except DAMAGED as error:
        try:
            # Some value does not fit the type that the first rows suggest: read text, and judge it later.
            frame = pl.read_csv(content, infer_schema=False, **options)
        except DAMAGED:
            raise _ragged(name, content, separator, error) from None
    if decimal_comma:
        # A column in which some cell is no number came as text, its commas untouched.
        frame = frame.with_columns(pl.col(pl.String).str.replace(r"^(\s*[-+]?\d*),(\d+\s*)$", "$1.$2"))
    blank = frame.select(pl.all_horizontal(pl.all().is_null())).to_series()
    numbers = np.flatnonzero(~blank.to_numpy()) if blank.any() else None
    frame = frame.filter(~blank) if blank.any() else frame
    if frame.height == 0:
        raise DataError(f"{name} holds a header and no rows", file=name)
    _must_have_a_header(name, frame.columns)
    _must_differ(name, frame.columns)
    first = next(index for index, line in enumerate(lines) if line.strip())
    tidied = tidy(frame, text_columns)
    if tidied.width < frame.width:
        notes.append("a first column without a name holds row numbers and is left out")
    return Source(name, tidied, first + 2, notes, numbers)


def _must_have_a_header(name: str, columns: list[str]) -> None:
    """A header of nothing but numbers and dates is the first row."""
    bare = [re.sub(r"_duplicated_\d+$", "", column.strip()) for column in columns]
    if all(re.fullmatch(r"[-+\d.,:/ TZe]+", column) and re.search(r"\d", column) for column in bare):
        raise DataError(
            f"{name} has no header: its first line should name the columns; found {', '.join(columns[:6])}", file=name
        )


def _must_differ(name: str, columns: list[str]) -> None:
    """Each column has a name of its own; the reader numbers those that stand twice."""
    known = set(columns)
    for column in columns:
        match = re.fullmatch(r"(.*)_duplicated_\d+", column)
        if match and match[1].strip() and match[1] in known:
            raise DataError(
                f'{name}: each column needs a name of its own; "{match[1]}" stands twice in the header; rename one',
                file=name,
                column=match[1],
            )


def _read_typed(content: bytes, options: dict[str, Any], text_columns: tuple[str, ...]) -> pl.DataFrame:
    """Reads with the types of the first thousand rows; whole numbers become floats, which later rows may hold."""
    guess = pl.read_csv(content, n_rows=1000, infer_schema_length=1000, **options).schema
    types = {
        name: pl.String() if name.strip() in text_columns else pl.Float64() if kind.is_numeric() else kind
        for name, kind in guess.items()
    }
    return pl.read_csv(content, schema_overrides=types, **options)


def _as_utf8(name: str, content: bytes, notes: list[str]) -> bytes:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        notes.append("the file is UTF-16")
        return content.decode("utf-16", "replace").encode()
    content = content.removeprefix(b"\xef\xbb\xbf")
    if b"\0" in content:
        at = content.index(0)
        line = content.count(b"\n", 0, at) + 1
        told = f"{name} is neither text nor Parquet: it holds a zero byte at {at}, in line {line}"
        if line > 1:
            told += "; if it is UTF-16 from there on, save all of it as UTF-8"
        raise DataError(told, file=name, line=line)
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        return _line_by_line(content, error.start, notes)
    return content


def _line_by_line(content: bytes, start: int, notes: list[str]) -> bytes:
    """A file some lines of which are not UTF-8: these are read as latin-1."""
    lines, others, first = [], 0, 0
    for number, line in enumerate(content.split(b"\n"), start=1):
        try:
            others += not line.isascii() and bool(line.decode("utf-8"))
            lines.append(line)
        except UnicodeDecodeError:
            first = first or number
            lines.append(line.decode("latin-1").encode())
    if others:
        notes.append(
            f"encodings are mixed: line {first} (byte {start}) is not UTF-8 and was read as latin-1, while "
            f"{counted(others, 'other line')} are UTF-8"
        )
    else:
        notes.append(f"the file is not UTF-8 (byte {start}, line {first}) and was read as latin-1")
    return b"\n".join(lines)


def _separator(head: list[str]) -> str:
    """The separator that splits the header into most columns."""
    bare = re.sub(r'"[^"]*"', "", head[0])
    return max(_SEPARATORS, key=lambda candidate: (bare.count(candidate), -_SEPARATORS.index(candidate)))


def _ragged(name: str, content: bytes, separator: str, error: BaseException) -> DataError:
    """The first line whose number of fields differs from the header's, if that is what is wrong."""
    reader = csv.reader(io.StringIO(content.decode("utf-8", "replace")), delimiter=separator)
    try:
        width = len(next(reader))
        for row, fields in enumerate(reader, start=1):
            if len(fields) > width:
                return DataError(
                    f"{name}, row {row} (line {reader.line_num}): a row has as many fields as the header, {width}; "
                    f"found {len(fields)}",
                    file=name,
                    row=row,
                    line=reader.line_num,
                )
    except csv.Error:
        pass
    return DataError(f"{name} cannot be read as a table: {first_line(error)}", file=name)


def tidy(frame: pl.DataFrame, text_columns: tuple[str, ...]) -> pl.DataFrame:
    """A frame with names without blanks around, numbers as Float64, a nameless first column of row numbers left out."""
    nameless = frame.width > 1 and frame.columns[0].strip() in ("", "Unnamed: 0") and not frame.dtypes[0].is_temporal()
    if nameless and frame.to_series(0).cast(pl.Float64, strict=False).null_count() == 0:
        frame = frame.drop(frame.columns[0])
    names: dict[str, None] = {}
    for position, name in enumerate(frame.columns):
        tidy = name.strip() or f"column {position + 1}"
        names[tidy if tidy not in names else f"{tidy} ({position + 1})"] = None
    frame.columns = list(names)
    return frame.with_columns(
        pl.col(name).cast(pl.String if name in text_columns else pl.Float64)
        for name, kind in frame.schema.items()
        if (kind.is_numeric() or kind == pl.Boolean) and (kind != pl.Float64 or name in text_columns)
    )


def first_line(error: BaseException) -> str:
    """What an error says first."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
