"""Parquet files as Polars frames, decoded by Arrow: Polars' own reader can end the process where a file is damaged."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

POLARS = (pl.exceptions.PolarsError, pl.exceptions.PanicException)  # a panic is no Exception
DAMAGED = (*POLARS, pa.ArrowException, OSError, ValueError, OverflowError)  # what is said of files that cannot be read
Kind = Any  # a Polars type, which checks of annotations cannot read


class ParquetFile:
    """A Parquet file, inside ``with``.

    Args:
        source: Its path, or what it can be read from.

    Attributes:
        rows: How many it holds.
        schema: Names and types of its columns.

    Raises:
        DAMAGED: It cannot be read.
    """

    def __init__(self, source: Any) -> None:
        self._file = pq.ParquetFile(source, memory_map=False, pre_buffer=False)
        self.rows = int(self._file.metadata.num_rows)
        self.schema: dict[str, Kind] = dict(_frame(self._file.schema_arrow.empty_table()).schema)

    def __enter__(self) -> "ParquetFile":
        return self

    def __exit__(self, *problem: object) -> None:
        self._file.close()

    def pieces(self, columns: list[str], size: int) -> Iterator[pl.DataFrame]:
        """Its rows, so many at a time.

        Args:
            columns: Those that are read.
            size: How many.
        """
        for batch in self._file.iter_batches(size, columns=columns):
            yield _frame(pa.Table.from_batches([batch])).select(columns)

    def whole(self) -> pl.DataFrame:
        """All rows."""
        return _frame(self._file.read())


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
