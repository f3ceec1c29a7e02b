"""Parquet files and folders of them: what they hold, told without reading it, and their rows piece by piece."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import polars as pl

from ..errors import DataError, UnsafeFileError
from .cache import digest_of
from .columnar import DAMAGED, ParquetFile
from .sources import Source, first_line, tidy

SUFFIXES = (".parquet", ".pq")
CELLS = 2_000_000  # that are looked at together
Kind = Any  # a Polars type, which checks of annotations cannot read
_HIVE_NULL = "__HIVE_DEFAULT_PARTITION__"


@dataclass(frozen=True)
class ParquetPart:
    """One file, and what its folders say of all its rows (``station=EWR/part-0.parquet``).

    Attributes:
        path: The file.
        name: Its path inside the folder that was named.
        told: Columns that the names of folders give.
        rows: How many it holds.
    """

    path: Path
    name: str
    told: dict[str, str | None]
    rows: int


@dataclass(frozen=True)
class ParquetTable:
    """A table in one file or many.

    Attributes:
        path: The file or folder.
        parts: Its files, in the order of their names.
        schema: Names and types of the columns; those that folders give are text or numbers.
    """

    path: Path
    parts: tuple[ParquetPart, ...]
    schema: dict[str, Kind] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What to call it in messages."""
        return self.path.name

    @property
    def rows(self) -> int:
        """How many rows all files hold."""
        return sum(part.rows for part in self.parts)

    @property
    def bytes_in_memory(self) -> int:
        """Memory that its rows would take, roughly: eight bytes a cell."""
        return 8 * self.rows * len(self.schema)

    @classmethod
    def at(cls, path: Path) -> "ParquetTable":
        """The table of a file, or of all Parquet files in a folder.

        Raises:
            DataError: There is none, they hold no rows, or their columns differ.
            UnsafeFileError: A file is damaged.
        """
        files = [path] if path.is_file() else _files_in(path)
        if not files:
            remedy = "name a file in it, or a folder of Parquet files"
            raise DataError(f"{path} is a folder that holds no Parquet file; {remedy}", file=str(path))
        parts, first = [], None
        for file in files:
            name = path.name if file == path else str(file.relative_to(path))
            schema, rows = _schema_of(file, name)
            told: dict[str, str | None] = {} if file == path else _told_by(file.relative_to(path))
            kinds = {column: kind for column, kind in schema.items() if column not in told}
            if first is None:
                first = (name, kinds, set(told))
            _must_agree(path, first, (name, kinds, set(told)))
            parts.append(ParquetPart(file, name, told, rows))
        table = cls(path, tuple(parts), {**(first[1] if first else {}), **_told_kinds(parts)})
        if table.rows == 0:
            raise DataError(f"{path.name} holds no rows", file=path.name)
        return table

    def pieces(self, columns: list[str] | None = None, text_columns: tuple[str, ...] = ()) -> Iterator[Source]:
        """Its rows, file by file, a piece at a time.

        Args:
            columns: Those that are read; all where None.
            text_columns: Columns to keep as text even when they hold numbers (identifiers).

        Raises:
            UnsafeFileError: A file is damaged.
        """
        wanted = list(self.schema) if columns is None else columns
        size = max(1, CELLS // len(wanted))
        for part in self.parts:
            kinds = {name: pl.String() if name in text_columns else self.schema[name] for name in part.told}
            done, told = 0, [_told_column(name, value, kinds[name]) for name, value in part.told.items()]
            own = [name for name in wanted if name not in part.told]
            try:
                with ParquetFile(part.path) as file:
                    given = {name.strip(): name for name in file.schema}
                    for frame in file.pieces([given[name] for name in own], size):
                        rows = frame.rename(str.strip).with_columns(told).select(wanted)
                        yield Source(part.name, tidy(rows, text_columns), before=done)
                        done += frame.height
            except (*DAMAGED, KeyError) as error:
                raise _damaged(part.name, error) from None

    def whole(self, text_columns: tuple[str, ...] = ()) -> Source:
        """All its rows at once.

        Raises:
            UnsafeFileError: A file is damaged.
        """
        frames = [piece.frame for piece in self.pieces(text_columns=text_columns)]
        return Source(self.name, pl.concat(frames, how="vertical_relaxed"))

    def digest(self) -> str:
        """A hash of every byte of its files, and of their names."""
        return digest_of(self.name, ((part.name, part.path) for part in self.parts))


def is_parquet(path: Path) -> bool:
    """Whether a path is a folder, which can only hold Parquet files, or a Parquet file."""
    if path.is_dir():
        return True
    try:
        with path.open("rb") as stream:
            return stream.read(4) == b"PAR1"
    except OSError:
        return False


def _files_in(folder: Path) -> list[Path]:
    """The Parquet files below a folder; what begins with a dot or an underscore is a program's own."""

    def refused(error: OSError) -> None:
        raise DataError(f"{error.filename} cannot be read: {error.strerror}", file=str(error.filename))

    below = os.walk(folder, onerror=refused, followlinks=False)
    paths = (Path(parent) / name for parent, _, names in below for name in names)
    found = (path for path in paths if path.suffix.lower() in SUFFIXES and path.is_file())
    return sorted(path for path in found if not any(part[0] in "._" for part in path.relative_to(folder).parts))


def _schema_of(file: Path, name: str) -> tuple[dict[str, Kind], int]:
    """The columns of a file, and how many rows it holds."""
    try:
        with ParquetFile(file) as opened:
            given, rows = opened.schema, opened.rows
        schema = {column.strip(): kind for column, kind in given.items()}
        if len(schema) < len(given):
            twice = next(own for own in schema if sum(column.strip() == own for column in given) > 1)
            raise DataError(
                f'{name}: columns have names of their own; several are called "{twice}", but for blanks: rename them',
                file=name,
            )
        return schema, rows
    except DAMAGED as error:
        raise _damaged(name, error) from None


def _told_by(path: Path) -> dict[str, str | None]:
    """What the folders on the way to a file say of its rows."""
    pairs = [part.split("=", 1) for part in path.parent.parts if "=" in part[1:]]
    return {unquote(name): None if value == _HIVE_NULL else unquote(value) for name, value in pairs}


def _told_kinds(parts: list[ParquetPart]) -> dict[str, Kind]:
    """The type of each column that folders give: numbers where all its values are such."""
    return {
        name: pl.Float64() if all(_is_number(part.told.get(name)) for part in parts) else pl.String()
        for name in dict.fromkeys(name for part in parts for name in part.told)
    }


def _is_number(text: str | None) -> bool:
    try:
        return text is None or (text.strip() == text and float(text) is not None)
    except ValueError:
        return False


def _told_column(name: str, value: str | None, kind: Kind) -> pl.Expr:
    return pl.lit(None if value is None else float(value) if kind.is_float() else value, dtype=kind).alias(name)


_Columns = tuple[str, dict[str, Kind], set[str]]


def _must_agree(path: Path, first: _Columns, other: _Columns) -> None:
    """Checks that a file has the columns of the first, and folders that tell the same of it."""
    (name, kinds, told), (other_name, other_kinds, other_told) = first, other
    if told != other_told:
        raise DataError(
            f"{path.name}: all files lie in folders of one kind (station=EWR); {name} is told "
            f"{_listed(told)}, {other_name} {_listed(other_told)}",
            file=other_name,
        )
    for column in (*kinds, *other_kinds):
        if column not in other_kinds or column not in kinds:
            lacking, having = (other_name, name) if column not in other_kinds else (name, other_name)
            raise DataError(
                f'{path.name}: all files have the same columns; {lacking} has no "{column}", which {having} has',
                file=lacking,
                column=column,
            )
        one, two = kinds[column], other_kinds[column]
        if one != two and not (_is_numeric(one) and _is_numeric(two)):
            raise DataError(
                f'{path.name}, column "{column}": it has one type in all files; {one} in {name}, {two} in {other_name}',
                file=other_name,
                column=column,
            )


def _is_numeric(kind: Kind) -> bool:
    return kind.is_numeric() or kind == pl.Boolean


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "nothing"


def _damaged(name: str, error: BaseException) -> UnsafeFileError:
    return UnsafeFileError(f"{name} is damaged: {first_line(error)}", file=name)
