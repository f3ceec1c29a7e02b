"""New rows after those that are known already, so that a forecast can be made again from the last window alone."""

import warnings
from dataclasses import replace
from itertools import pairwise

import numpy as np
import polars as pl
from jaxtyping import Float64, Int64

from ..errors import DataError, counted
from .checks import LARGEST_GRID
from .frequency import Frequency
from .tables import Table, local_times, show_time


def append_rows(table: Table, newer: Table) -> Table:
    """The rows of one table and those of a newer one; where both have a value, the newer one counts.

    Args:
        table: What is known.
        newer: Rows on the same grid, of the same columns; those that are absent between the two count as missing.

    Raises:
        DataError: They lie on another grid, or lack a column.
    """
    missing = [name for name in table.columns if name not in newer.columns]
    if missing:
        raise DataError(f'{newer.source} has no column "{missing[0]}"', file=newer.source, column=missing[0])
    newer = replace(newer, columns=table.columns, values=newer.take(table.columns))
    series = (*table.series, *(name for name in newer.series if name not in table.series))
    parts = [_joined(_rows(table, name), _rows(newer, name), newer, name) for name in series]
    times, values = zip(*parts, strict=True)
    starts = np.concatenate([[0], np.cumsum([len(own) for own in times])])
    statics = {name: tuple(_static(own, name, table, newer) for own in series) for name in table.statics}
    order = sorted(range(len(series)), key=lambda place: series[place])
    if order != list(range(len(series))):
        times, values = [times[place] for place in order], [values[place] for place in order]
        starts = np.concatenate([[0], np.cumsum([len(own) for own in times])])
        statics = {name: tuple(own[place] for place in order) for name, own in statics.items()}
        series = tuple(series[place] for place in order)
    return replace(
        table,
        source=f"{newer.source}, after the rows that were known",
        values=np.concatenate(values),
        times=np.concatenate(times),
        starts=starts,
        series=series,
        statics=statics,
        health=newer.health,
    )


def last_rows(table: Table, count: int, last: Int64[np.ndarray, " series"] | None = None) -> Table:
    """The last rows of each series, at most so many and one before them, which holds what was last observed by then.

    Args:
        table: The rows.
        count: How many.
        last: The row of each series up to which they are counted, those after it being kept too; its last where None.
    """
    ends = table.starts[1:] - 1 if last is None else last
    bounds = zip(table.starts[:-1], ends - count, table.starts[1:], strict=True)
    kept = [np.arange(max(start, first), stop) for start, first, stop in bounds]
    rows = np.concatenate(kept)
    starts = np.concatenate([[0], np.cumsum([len(own) for own in kept])])
    values = table.values[rows]
    for start, place, own in zip(table.starts[:-1], starts[:-1], kept, strict=True):
        values[place] = _last_values(table.values[start : own[0] + 1])
    return replace(table, values=values, times=table.times[rows], starts=starts)


def _last_values(values: Float64[np.ndarray, "row column"]) -> Float64[np.ndarray, " column"]:
    """The last observed value of each column; NaN where there is none."""
    seen = ~np.isnan(values)
    last = len(values) - 1 - seen[::-1].argmax(axis=0)
    return values[last, np.arange(values.shape[1])]


def longer(table: Table, count: int) -> Table:
    """A table whose series have so many rows at least: those that are too short begin with missing rows."""
    lengths = np.diff(table.starts)
    if (lengths >= count).all():
        return table
    times, values = [], []
    for start, stop in pairwise(table.starts):
        absent = max(0, count - int(stop - start))
        times.append(
            np.concatenate([_before(table.frequency, table.times[start:stop], absent), table.times[start:stop]])
        )
        values.append(np.concatenate([np.full((absent, table.values.shape[1]), np.nan), table.values[start:stop]]))
    starts = np.concatenate([[0], np.cumsum([len(own) for own in times])])
    return replace(table, values=np.concatenate(values), times=np.concatenate(times), starts=starts)


def frame_of(table: Table) -> pl.DataFrame:
    """The rows as a data frame: times, series, columns, static columns."""
    columns = [local_times(table.times, table.timezone).alias(table.time_column)]
    if table.series_column:
        columns.append(pl.Series(table.series_column, [table.series[code] for code in table.codes], pl.String))
    columns += [pl.Series(name, table.values[:, place]) for place, name in enumerate(table.columns)]
    for name, values in table.statics.items():
        columns.append(pl.Series(name, [values[code] for code in table.codes]))
    return pl.DataFrame(columns)


def _rows(table: Table, series: str) -> tuple[np.ndarray, np.ndarray] | None:
    if series not in table.series:
        return None
    code = table.series.index(series)
    own = slice(int(table.starts[code]), int(table.starts[code + 1]))
    return table.times[own], table.values[own]


def _joined(
    known: tuple[np.ndarray, np.ndarray] | None, newer: tuple[np.ndarray, np.ndarray] | None, source: Table, name: str
) -> tuple[np.ndarray, np.ndarray]:
    if known is None or newer is None:
        found = newer if known is None else known
        if found is None:
            raise DataError(f"{source.source} holds a series without rows", file=source.source)
        return found
    both = np.concatenate([known[0], newer[0]])
    origin = _origin(source.frequency, both)
    places, exact = source.frequency.index(both, origin)
    if not exact.all():
        row = int(np.argmin(exact))
        time = show_time(int(both[row]), source.timezone)
        raise DataError(
            f"{source.source}: new rows lie on the grid of those that are known, every {source.frequency}; "
            f"{time} does not",
            file=source.source,
        )
    _tell_what_lies_between(places[: len(known[0])], places[len(known[0]) :], source, name)
    first = int(places.min())
    count = int(places.max()) - first + 1
    if count > LARGEST_GRID * len(both) + 1_000_000:
        raise DataError(
            f"{source.source}: from the first row that is known to the last new one there are {count} rows every "
            f"{source.frequency} for {len(both)} that are there; a time is wrong, or the rows belong elsewhere",
            file=source.source,
        )
    places = places - first
    values = np.full((count, known[1].shape[1]), np.nan)
    values[places[: len(known[0])]] = known[1]
    later = places[len(known[0]) :]
    values[later] = np.where(np.isnan(newer[1]), values[later], newer[1])
    return source.frequency.times(np.arange(count) + first, origin), values


def _tell_what_lies_between(known: np.ndarray, newer: np.ndarray, source: Table, name: str) -> None:
    """Warns of rows that are absent between those that are known and the new ones, and of new ones that are older."""
    of = f" of {name}" if source.series_column else ""
    gap, older = int(newer.min() - known.max()) - 1, int((newer < known.min()).sum())
    if gap > 0:
        told = (
            f"{counted(gap, 'row')}{of} between those that were known and the new ones are absent and count as missing"
        )
        warnings.warn(f"{source.source}: {told}", stacklevel=2)
    if older:
        told = f"{counted(older, 'row')}{of} lie before those that were kept"
        warnings.warn(f"{source.source}: {told}", stacklevel=2)


def _static(series: str, name: str, table: Table, newer: Table) -> str | float | None:
    for own in (newer, table):
        if series in own.series and name in own.statics:
            value = own.statics[name][own.series.index(series)]
            if value is not None:
                return value
    return None


def _before(frequency: Frequency, times: np.ndarray, count: int) -> np.ndarray:
    """The times of so many rows before some."""
    origin = _origin(frequency, times)
    places, _ = frequency.index(times[:1], origin)
    return frequency.times(np.arange(-count, 0) + places[0], origin)


def _origin(frequency: Frequency, times: np.ndarray) -> int:
    """A time that says where the grid lies: in months, one that stands as late in its month as any."""
    if frequency.unit != "month":
        return int(times.min())
    days = local_times(times, None).dt.day().to_numpy()
    return int(times[days.argmax()])
