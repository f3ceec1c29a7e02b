"""The rows of a table of texts, one by one and as they are: CSV, TSV, JSON lines, Parquet, plain or gzipped.

Unlike tables of numbers nothing is guessed here: "NA" and "-" may be texts. Nothing holds all rows.
"""

import csv
import gzip
import io
import json
import sys
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple, cast

import narwhals as nw
import polars as pl

from ..errors import DataError, UnsafeFileError
from .encodings import decoded_lines, known_encoding
from .unpacking import unpacked

SUFFIXES = (".csv", ".tsv", ".tab", ".jsonl", ".ndjson", ".json", ".parquet")
TABLES = (*SUFFIXES, *(f"{suffix}.gz" for suffix in SUFFIXES))
_SEPARATORS = (",", ";", "\t", "|")
_MARK = "\ufeff"  # of a byte order
_AT_ONCE = 4096  # rows of a Parquet file
csv.field_size_limit(1 << 30)


class Row(NamedTuple):
    """A row: its number, counted from 1, its line where there are lines, and its cells."""

    number: int
    line: int | None
    cells: Sequence[Any]


@dataclass
class Rows:
    """A table's rows, to be gone through once, inside ``with``.

    Attributes:
        name: What to call it in messages.
        columns: The names of its columns.
        rows: The rows.
        stream: What they are read from, where that is to be closed.
    """

    name: str
    columns: list[str]
    rows: Iterator[Row]
    stream: io.BufferedIOBase | None = None

    def __enter__(self) -> "Rows":
        return self

    def __exit__(self, *problem: object) -> None:
        if self.stream is not None:
            self.stream.close()

    def place(self, row: int, line: int | None) -> str:
        """Where a row is, in words."""
        return f"{self.name}, row {row}" + (f" (line {line})" if line is not None else "")


def unfolded(rows: Rows) -> Rows:
    """The same rows with the entries of objects as columns: texts by language often stand in one.

    What is an object in the first row is taken for one in all; names that would stand twice leave all as it was.

    Args:
        rows: As they were read.

    >>> table = pl.DataFrame({"id": [1], "translation": [{"en": "a dog", "de": "ein Hund"}]})
    >>> rows = unfolded(rows_of(table))
    >>> rows.columns, next(rows.rows).cells
    (['id', 'en', 'de'], [1, 'a dog', 'ein Hund'])
    """
    first = next(rows.rows, None)
    if first is None:
        return rows
    keys = [list(cell) if isinstance(cell, dict) else None for cell in first.cells]
    columns = [str(name) for own, column in zip(keys, rows.columns, strict=True) for name in own or [column]]
    every = chain([first], rows.rows)
    if len({*columns}) < len(columns) or not any(keys):
        return replace(rows, rows=every)

    def cells(row: Row) -> Iterator[Any]:
        for own, cell in zip(keys, row.cells, strict=True):
            if not own:
                yield cell
            else:
                yield from (cell.get(key) if isinstance(cell, dict) else None for key in own)

    return replace(rows, columns=columns, rows=(row._replace(cells=list(cells(row))) for row in every))


def rows_of(source: object, encoding: str = "utf-8") -> Rows:
    """The rows of a table.

    Args:
        source: A path, ``-`` for standard input, or a data frame.
        encoding: How text is encoded.

    Raises:
        DataError: There is no such file, it is empty, no table, or not encoded so.
        UnsafeFileError: It is damaged.
    """
    if isinstance(source, str) and source == "-":
        return rows_in("standard input", cast(io.BufferedIOBase, sys.stdin.buffer), encoding)
    if isinstance(source, str | Path):
        path = Path(source)
        stream = opened(path)
        try:
            rows = rows_in(path.name, stream, encoding)
        except BaseException:
            stream.close()
            raise
        rows.stream = stream
        return rows
    return _of_frame(source)


def opened(path: Path) -> io.BufferedReader:
    """A file to be read.

    Raises:
        DataError: There is none, or it cannot be read.
    """
    try:
        return path.open("rb")
    except FileNotFoundError:
        raise DataError(f"there is no file {path}", file=str(path)) from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}", file=str(path)) from None


def rows_in(name: str, stream: io.BufferedIOBase, encoding: str = "utf-8") -> Rows:
    """The rows of a table in a stream, whose kind is told by its first bytes and its name.

    Args:
        name: The file's name.
        stream: Its bytes.
        encoding: How text is encoded.
    """
    known_encoding(encoding)
    buffered = unpacked(stream)
    try:
        start = buffered.peek(64)[:64]
    except (OSError, EOFError, zlib.error) as error:
        raise UnsafeFileError(f"{name} is damaged: {error}", file=name) from None
    if not start:
        raise DataError(f"{name} is empty (0 bytes); a table of texts has a header and rows", file=name)
    if start.startswith(b"PAR1"):
        return _of_parquet(name, buffered)
    lines = decoded_lines(name, buffered, encoding)
    first = start.decode(encoding, "ignore").lstrip(f"{_MARK} \t\r\n")[:1]
    return _of_json(name, lines, whole=first == "[") if first in ("{", "[") else _of_csv(name, lines)


def _of_csv(name: str, lines: Iterator[str]) -> Rows:
    at, header = next(((place, line) for place, line in enumerate(lines, start=1) if line.strip()), (0, None))
    if header is None:
        raise DataError(f"{name} is empty; a table of texts has a header and rows", file=name)
    if "\0" in header:
        raise DataError(f"{name} is neither text nor Parquet: it holds a zero byte", file=name)
    separator = "\t" if name.lower().removesuffix(".gz").endswith((".tsv", ".tab")) else _separator(header)
    try:
        columns = _named(name, next(csv.reader([header], delimiter=separator)))
    except csv.Error as error:
        raise DataError(f"{name}, line {at}: {error}", file=name, line=at) from None
    return Rows(name, columns, _csv_rows(name, lines, separator, len(columns), at))


def _csv_rows(name: str, lines: Iterator[str], separator: str, width: int, header: int) -> Iterator[Row]:
    reader = csv.reader(lines, delimiter=separator, strict=True)
    number, line = 0, header + 1
    try:
        for cells in reader:
            if cells:
                number += 1
                if any("\0" in cell for cell in cells):
                    raise DataError(
                        f"{name}, row {number} (line {line}) holds a zero byte; if it is UTF-16 from there on, save "
                        "all of it as UTF-8",
                        file=name,
                        row=number,
                        line=line,
                    )
                if len(cells) != width:
                    raise DataError(
                        f"{name}, row {number} (line {line}): a row has as many fields as the header, {width}; found "
                        f"{len(cells)}; put texts that hold a separator between quotes",
                        file=name,
                        row=number,
                        line=line,
                    )
                yield Row(number, line, cells)
            line = header + reader.line_num + 1
    except csv.Error as error:
        place = f"{name}, the row that begins in line {line}"
        raise DataError(f"{place}: {error}; is a quote left open, or not doubled?", file=name, line=line) from None


def _separator(header: str) -> str:
    return max(_SEPARATORS, key=lambda candidate: (header.count(candidate), -_SEPARATORS.index(candidate)))


def _of_json(name: str, lines: Iterator[str], *, whole: bool) -> Rows:
    """JSON lines, an object each; or one array of objects."""
    found = _json_array(name, "".join(lines)) if whole else _json_lines(name, lines)
    first = next(found, None)
    if first is None:
        raise DataError(f"{name} holds no rows", file=name)
    keys = list(first[2])

    def rows() -> Iterator[Row]:
        for number, line, document in _chained(first, found):
            yield Row(number, line, [document.get(key) for key in keys])

    return Rows(name, _named(name, keys), rows())


def _json_lines(name: str, lines: Iterator[str]) -> Iterator[tuple[int, int | None, dict[str, Any]]]:
    number = 0
    for line, text in enumerate(lines, start=1):
        if not text.strip():
            continue
        number += 1
        try:
            document = _document(text)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{name}, line {line} is not JSON: {error}", file=name, line=line) from None
        if not isinstance(document, dict):
            raise DataError(
                f"{name}, line {line}: a line is an object with the text and its label, such as "
                f'{{"text": "...", "label": "..."}}; found {type(document).__name__}',
                file=name,
                line=line,
            )
        yield number, line, document


def _document(text: str) -> Any:
    """JSON, without halves of letters, which it can spell and which nothing can write."""
    found = json.loads(text)
    return _mended(found) if "\\ud" in text or "\\uD" in text else found


def _mended(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_mended(own) for own in value]
    return {_mended(name): _mended(own) for name, own in value.items()} if isinstance(value, dict) else value


def _json_array(name: str, text: str) -> Iterator[tuple[int, int | None, dict[str, Any]]]:
    try:
        documents = _document(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{name} is not JSON: {error}", file=name) from None
    for number, document in enumerate(documents, start=1):
        if not isinstance(document, dict):
            raise DataError(f"{name}, entry {number}: an entry is an object with the text and its label", file=name)
        yield number, None, document


def _chained(first: Any, others: Iterator[Any]) -> Iterator[Any]:
    yield first
    yield from others


def _of_parquet(name: str, stream: io.BufferedIOBase) -> Rows:
    from .columnar import DAMAGED, ParquetFile

    seekable = stream if stream.seekable() and not isinstance(getattr(stream, "raw", None), gzip.GzipFile) else None
    try:
        file = ParquetFile(seekable or io.BytesIO(stream.read()))
    except DAMAGED as error:
        raise UnsafeFileError(f"{name} is damaged: {error}", file=name) from None
    if file.rows == 0:
        raise DataError(f"{name} holds no rows", file=name)

    def rows() -> Iterator[Row]:
        number = 0
        try:
            for table in file.tables(_AT_ONCE):
                for cells in zip(*(column.to_pylist() for column in table.columns), strict=True):
                    number += 1
                    yield Row(number, None, cells)
        except DAMAGED as error:
            raise UnsafeFileError(f"{name} is damaged: {error}", file=name) from None

    return Rows(name, _named(name, file.names), rows())


def _of_frame(source: object) -> Rows:
    try:
        known: Any = nw.from_native(source, eager_only=True)
    except TypeError:
        raise DataError(
            f"texts come from a path or a data frame (pandas, Polars, PyArrow); found {type(source).__name__}"
        ) from None
    except nw.exceptions.NarwhalsError as error:
        raise DataError(f"the data frame cannot be read as a table: {str(error).splitlines()[0]}") from None
    try:
        frame: pl.DataFrame = known.to_polars()
    except (TypeError, ValueError, nw.exceptions.NarwhalsError, pl.exceptions.PolarsError) as error:
        raise DataError(f"the data frame cannot be read as a table: {str(error).splitlines()[0]}") from None
    if frame.height == 0:
        raise DataError("the data frame holds no rows")
    rows = (Row(number, None, cells) for number, cells in enumerate(frame.iter_rows(), start=1))
    return Rows("the data frame", _named("the data frame", frame.columns), rows)


def _named(name: str, columns: Iterable[object]) -> list[str]:
    """Names without blanks around, each once."""
    tidy = [str(column).strip() for column in columns]
    known: set[str] = set()
    for column in tidy:
        if column in known:
            raise DataError(
                f'{name}: each column needs a name of its own; "{column}" stands twice; rename one',
                file=name,
                column=column,
            )
        known.add(column)
    return tidy
