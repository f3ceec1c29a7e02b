"""Columns that have one value for each series: a place, a kind, a size."""

from collections.abc import Iterator

import polars as pl
from jaxtyping import Int64
from numpy import ndarray

from ..errors import ConfigurationError, DataError
from .columns import LARGEST
from .sources import Source

StaticValues = tuple[str | float | None, ...]


def read_statics(
    rows: Source, names: tuple[str, ...], series_column: str | None, codes: Int64[ndarray, " row"], series: list[str]
) -> dict[str, StaticValues]:
    """The value of each static column for each series; None where it is missing, which numbers beyond
    those of columns are as well.

    Args:
        rows: As they came.
        names: The columns.
        series_column: What tells series apart.
        codes: The series of each row.
        series: Their names.

    Raises:
        ConfigurationError: Nothing tells series apart.
        DataError: A series has two values.
    """
    if names and series_column is None:
        raise ConfigurationError(
            f"--static {', '.join(names)}: a static column has one value for each series; say --series", option="static"
        )
    return dict(_read(rows, names, codes, series))


def _read(
    rows: Source, names: tuple[str, ...], codes: Int64[ndarray, " row"], series: list[str]
) -> Iterator[tuple[str, StaticValues]]:
    for name in names:
        column = rows.frame[name]
        column = column if column.dtype == pl.Float64 else column.cast(pl.String)
        seen = pl.DataFrame({"series": codes, "value": column}).drop_nulls().unique().sort("series", "value")
        if column.dtype == pl.Float64:  # neither NaN nor what columns of rows read as missing
            seen = seen.filter(pl.col("value").is_not_nan() & (pl.col("value").abs() <= LARGEST))
        found: list[str | float | None] = [None] * len(series)
        for code, value in seen.iter_rows():
            if found[code] is not None:
                raise DataError(
                    f'{rows.name}, column "{name}": a static column has one value for each series; series '
                    f'"{series[code]}" has {found[code]!r} and {value!r}; leave it out of --static',
                    file=rows.name,
                    column=name,
                    series=series[code],
                )
            found[code] = value
        yield name, tuple(found)
