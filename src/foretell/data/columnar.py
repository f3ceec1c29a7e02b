"""Parquet files as Polars frames, decoded by Arrow: Polars' own reader can end the process where a file is damaged."""

import os
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from .unpacking import allowed, too_much

POLARS = (pl.exceptions.PolarsError, pl.exceptions.PanicException)  # a panic is no Exception
DAMAGED = (*POLARS, pa.ArrowException, OSError, ValueError, OverflowError)  # what is said of files that cannot be read
MOST_COLUMNS = 50_000  # of a table: each takes some kilobytes, whatever it holds
_CELL = 8  # bytes of a number
_AT_ONCE = 65_536  # rows
_DELTA = {"DELTA_BYTE_ARRAY", "DELTA_LENGTH_BYTE_ARRAY"}  # ways to write texts
Kind = Any  # a Polars type, which checks of annotations cannot read


class ParquetFile:
    """A Parquet file, inside ``with``; one that says in a few bytes what fills the memory is damaged.

    Texts are read as a dictionary of those that differ, and written out once it is known how much they come to.

    Args:
        source: Its path, or what it can be read from.

    Attributes:
        rows: How many it holds.
        names: Of its columns.

    Raises:
        DAMAGED: It cannot be read.
    """

    def __init__(self, source: Any) -> None:
        with pq.ParquetFile(source, memory_map=False, pre_buffer=False) as file:
            self._plain, self._about = file.schema_arrow, file.metadata
            texts, delta = _texts_of(self._about)
        packed = source.stat().st_size if isinstance(source, Path) else source.seek(0, os.SEEK_END)
        self.rows, self.names = int(self._about.num_rows), list(self._plain.names)
        self._left = allowed(packed)
        _require_reasonable(self._about, self._left)
        # What one text leaves out, the one before has: none is longer than all that is there. Some copies are held.
        self._most = max(1, self._left // (8 * delta)) if delta else None
        self._file = pq.ParquetFile(source, memory_map=False, pre_buffer=False, read_dictionary=texts)

    def __enter__(self) -> "ParquetFile":
        return self

    def __exit__(self, *problem: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends it."""
        self._file.close()

    @cached_property
    def schema(self) -> dict[str, Kind]:
        """Names and types of the columns."""
        return dict(_frame(self._plain.empty_table()).schema)

    def tables(self, size: int, columns: list[str] | None = None) -> Iterator[Any]:
        """Its rows as Arrow has them, so many at a time at most.

        Args:
            size: How many.
            columns: Those that are read; all where None.

        Raises:
            DAMAGED: It cannot be read, or comes to far more than it should.
        """
        for batch in self._file.iter_batches(min(size, self._most or size), columns=columns):
            table = pa.Table.from_batches([batch])
            table.validate(full=True)
            self._left -= sum(_written_out(chunk) for column in table.columns for chunk in column.chunks)
            if self._left < 0:
                raise pa.ArrowInvalid(too_much())
            yield table.cast(pa.schema([self._plain.field(name) for name in table.column_names]))

    def pieces(self, columns: list[str], size: int) -> Iterator[pl.DataFrame]:
        """Its rows, so many at a time at most.

        Args:
            columns: Those that are read.
            size: How many.
        """
        for table in self.tables(size, columns):
            yield _frame(table).select(columns)

    def whole(self) -> pl.DataFrame:
        """All rows."""
        return _frame(pa.concat_tables([self._plain.empty_table(), *self.tables(_AT_ONCE)]))


def _texts_of(about: Any) -> tuple[list[str], int]:
    """The columns of texts, and how many bytes those have at most that Arrow cannot read as a dictionary."""
    found, most = [], 0
    columns = [about.schema.column(place) for place in range(about.num_columns)]
    for place, column in enumerate(columns):
        if column.physical_type == "BYTE_ARRAY":
            chunks = [about.row_group(number).column(place) for number in range(about.num_row_groups)]
            if any(_DELTA.intersection(chunk.encodings) for chunk in chunks):
                most = max(most, *(chunk.total_uncompressed_size for chunk in chunks))
            else:
                found.append(column.path)
    return found, most


def _require_reasonable(about: Any, most: int) -> None:
    """Checks that what a file says of itself does not come to far more than it should.

    Raises:
        ArrowInvalid: It does.
    """
    if about.num_columns > MOST_COLUMNS:
        raise pa.ArrowInvalid(f"it has {about.num_columns:,} columns; at most {MOST_COLUMNS:,} are read")
    groups = [about.row_group(number) for number in range(about.num_row_groups)]
    rows, size = max(about.num_rows, sum(group.num_rows for group in groups)), 0
    for place in range(about.num_columns):
        column = about.schema.column(place)
        several = column.max_repetition_level > 0
        values = sum(group.column(place).num_values for group in groups) if several else rows
        size += values * max(_CELL, column.length)
    if max(size, sum(group.total_byte_size for group in groups)) > most:
        raise pa.ArrowInvalid(too_much())


def _written_out(values: Any) -> int:
    """How many bytes an array comes to when each text of it stands for itself."""
    kind = values.type
    if pa.types.is_dictionary(kind):
        lengths = pc.binary_length(values.dictionary) if not pa.types.is_primitive(kind.value_type) else None
        return _CELL * len(values) if lengths is None else pc.sum(lengths.take(values.indices)).as_py() or 0
    if pa.types.is_struct(kind):
        return sum(_written_out(part) for part in values.flatten())
    if pa.types.is_map(kind):
        return _written_out(values.keys) + _written_out(values.items)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return _written_out(values.flatten())
    return int(values.nbytes)


def read_parquet(source: Path | Any) -> pl.DataFrame:
    """The rows of a Parquet file.

    Args:
        source: Its path, or what it can be read from.

    Raises:
        DAMAGED: It cannot be read.
    """
    with ParquetFile(source) as file:
        return file.whole()


def _frame(table: Any) -> pl.DataFrame:
    """Arrow's columns as Polars has them, once all in them is what it should be: Polars believes it."""
    table.validate(full=True)
    return cast(pl.DataFrame, pl.from_arrow(table))
