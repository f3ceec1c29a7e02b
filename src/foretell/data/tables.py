"""Checked tables: times on an even grid, one series after the other, columns of numbers, what was found.

What every table offers, and the one that is held in memory; the one on disk is in ``stored.py``. What reads a whole
table reads it in stretches, each an ordinary table; one that is held in memory is a single stretch.
"""

import hashlib
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
from jaxtyping import Int64

from ..axes import TableArray, TimeArray
from ..config import DataSection
from ..errors import ConfigurationError, DataError
from .filling import fill_forward
from .frequency import Frequency
from .health import Health
from .statics import StaticValues
from .times import Written

_UNIT = re.compile(r"[(\[]([^()\[\]]+)[)\]]\s*$")


Places = Int64[np.ndarray, "*row"]


@dataclass(frozen=True)
class Stretch:
    """Some rows of a table, with others before and after them as far as those are asked for.

    Attributes:
        part: The rows, an ordinary table.
        first: The row of the whole at which it begins.
        code: The number, in the whole, of its first series.
        own: Which of its rows belong to this stretch and to no other.
    """

    part: "Table"
    first: int
    code: int
    own: slice

    @property
    def rows(self) -> slice:
        """The rows of the whole that belong to this stretch."""
        return slice(self.first + self.own.start, self.first + self.own.stop)


@dataclass(frozen=True, kw_only=True)
class AnyTable(ABC):
    """Rows on a time grid, the series one after the other.

    Attributes:
        source: What the rows came from.
        columns: Names of the columns of numbers.
        starts: The first row of each series, and the number of rows at the end.
        series: Names of the series; one empty name where there is one series.
        frequency: The step of the grid.
        targets: Columns to forecast.
        features: Columns that a model reads.
        time_column: Name of the column of times.
        series_column: Name of the column of series.
        timezone: Zone in which times are shown.
        health: What was found.
        statics: Columns with one value for each series.
        written: How the times were written.
    """

    source: str
    columns: tuple[str, ...]
    starts: Int64[np.ndarray, " bound"]
    series: tuple[str, ...]
    frequency: Frequency
    targets: tuple[str, ...]
    features: tuple[str, ...]
    time_column: str
    series_column: str | None
    timezone: str | None
    health: Health
    statics: Mapping[str, StaticValues] = field(default_factory=dict)
    written: Written | None = None

    @property
    def rows(self) -> int:
        """How many rows there are, those that fill gaps included."""
        return int(self.starts[-1])

    def codes_of(self, rows: Places) -> Places:
        """The number of the series of some rows."""
        return np.searchsorted(self.starts, rows, side="right") - 1

    @property
    def first_time(self) -> int:
        """The earliest time of all."""
        return int(self.times_of(self.starts[:-1]).min())

    @property
    def last_time(self) -> int:
        """The latest time of all."""
        return int(self.times_of(self.starts[1:] - 1).max())

    def first_rows(self, time: int) -> Int64[np.ndarray, " series"]:
        """The first row of each series at or after a time; that after its last one where there is none."""
        low, high = self.starts[:-1].copy(), self.starts[1:].copy()
        while (open_ := low < high).any():
            middle = (low + high) // 2
            before = np.zeros(len(low), bool)
            before[open_] = self.times_of(middle[open_]) < time
            low, high = np.where(open_ & before, middle + 1, low), np.where(open_ & ~before, middle, high)
        return low

    @abstractmethod
    def times_of(self, rows: Places) -> Places:
        """The times of some rows, in microseconds since 1970 (UTC where a zone is known)."""

    @abstractmethod
    def values_of(self, names: Iterable[str], rows: Places) -> np.ndarray:
        """The values of some columns, along the last axis, in some rows; NaN where missing."""

    @abstractmethod
    def filled_of(self, names: Iterable[str], rows: Places) -> np.ndarray:
        """The same, missing ones filled with what was last observed; NaN before there is any."""

    @abstractmethod
    def range_of(self, name: str) -> tuple[int, float, float]:
        """How many values a column has, the least and the greatest; no numbers where there is none."""

    @abstractmethod
    def whole(self) -> "Table":
        """All of it in memory."""

    @abstractmethod
    def stretches(self, before: int = 0, after: int = 0) -> Iterator[Stretch]:
        """All rows in stretches that are small enough to be held, the series in their order.

        Args:
            before: So many rows of the same series before each are part of it as well, where there are any.
            after: So many after it, likewise.
        """

    @abstractmethod
    def fingerprint(self, names: Iterable[str]) -> str:
        """A hash of times and of some columns, to tell whether two tables hold the same there."""


@dataclass(frozen=True, kw_only=True)
class Table(AnyTable):
    """A table that is held in memory.

    Attributes:
        values: The numbers; NaN where missing.
        times: Microseconds since 1970 (UTC where a zone is known) of each row.
    """

    values: TableArray
    times: TimeArray

    def __getstate__(self) -> dict[str, Any]:
        """What it was made of; what follows from that does not travel."""
        return {name: value for name, value in self.__dict__.items() if name in self.__dataclass_fields__}

    @cached_property
    def codes(self) -> Int64[np.ndarray, " row"]:
        """The number of each row's series."""
        return np.repeat(np.arange(len(self.series)), np.diff(self.starts))

    def take(self, names: Iterable[str]) -> TableArray:
        """The columns of these names, side by side."""
        return self.values[:, [self.columns.index(name) for name in names]]

    def times_of(self, rows: Places) -> Places:
        """The times of some rows."""
        return self.times[rows]

    def values_of(self, names: Iterable[str], rows: Places) -> np.ndarray:
        """The values of some columns in some rows."""
        return self.values[rows][..., [self.columns.index(name) for name in names]]

    def filled_of(self, names: Iterable[str], rows: Places) -> np.ndarray:
        """The values of some columns in some rows, missing ones filled with what was last observed."""
        return np.stack([self._filled(name)[rows] for name in names], axis=-1)

    def _filled(self, name: str) -> np.ndarray:
        """A column, filled; each once."""
        known: dict[str, np.ndarray] = self.__dict__.setdefault("_filled_columns", {})
        if name not in known:
            known[name] = fill_forward(self.values[:, self.columns.index(name)], self.starts, np.nan)
        return known[name]

    def whole(self) -> "Table":
        """The table itself."""
        return self

    def stretches(self, before: int = 0, after: int = 0) -> Iterator[Stretch]:
        """The table itself."""
        yield Stretch(self, 0, 0, slice(0, self.rows))

    def range_of(self, name: str) -> tuple[int, float, float]:
        """How many values a column has, the least and the greatest."""
        values = self.take([name])[:, 0]
        values = values[~np.isnan(values)]
        return (len(values), float(values.min()), float(values.max())) if len(values) else (0, np.nan, np.nan)

    @property
    def first_time(self) -> int:
        """The earliest time of all; rows as they came need not begin with it."""
        return int(self.times.min())

    @property
    def last_time(self) -> int:
        """The latest time of all."""
        return int(self.times.max())

    def fingerprint(self, names: Iterable[str]) -> str:
        """A hash of times and of some columns, to tell whether two tables hold the same there."""
        chosen = list(dict.fromkeys(names))
        digest = hashlib.blake2b(digest_size=16)
        digest.update("\0".join((*chosen, *self.series)).encode())
        digest.update(repr(sorted(self.statics.items())).encode() if self.statics else b"")
        digest.update(np.ascontiguousarray(self.times).data)
        for column in self.take(chosen).T:
            digest.update(np.ascontiguousarray(column).data)
        return digest.hexdigest()

    def __repr__(self) -> str:
        return (
            f"Table({self.source}: {self.rows} rows every {self.frequency}, {len(self.series)} series, "
            f"columns {', '.join(self.columns[:6])}{' ...' if len(self.columns) > 6 else ''})"
        )


def unit_of(column: str) -> str | None:
    """The unit in a column's header.

    >>> unit_of("T (degC)"), unit_of("load")
    ('degC', None)
    """
    match = _UNIT.search(column)
    return match[1].strip() if match else None


def local_times(times: TimeArray, timezone: str | None) -> pl.Series:
    """Times as a Polars series of date times, in the zone where there is one."""
    values = pl.Series("time", times).cast(pl.Datetime("us"))
    return values.dt.replace_time_zone("UTC").dt.convert_time_zone(timezone) if timezone else values


def local_hours(times: TimeArray, timezone: str | None) -> Int64[np.ndarray, " row"]:
    """The hour of day, 0 to 23, of times in a zone."""
    return local_times(times, timezone).dt.hour().to_numpy().astype(np.int64)


def show_time(time: int, timezone: str | None = None) -> str:
    """One time for a person.

    >>> show_time(0)
    '1970-01-01 00:00'
    """
    moment = datetime.fromtimestamp(time / 1e6, UTC).astimezone(ZoneInfo(timezone) if timezone else UTC)
    if moment.microsecond:
        return moment.strftime("%Y-%m-%d %H:%M:%S.%f")
    return moment.strftime("%Y-%m-%d %H:%M:%S" if moment.second else "%Y-%m-%d %H:%M")


def split_names(names: tuple[str, ...], columns: Iterable[str]) -> tuple[str, ...]:
    """Names as given, those with commas split unless a column is called just so.

    >>> split_names(("a,b", "c, d"), ["c, d"])
    ('a', 'b', 'c, d')
    """
    known = set(columns)
    parts = [part for name in names for part in ([name] if name in known else name.split(","))]
    return tuple(dict.fromkeys(part.strip() for part in parts if part.strip()))


def roles(
    source: str, section: DataSection, columns: tuple[str, ...], time_column: str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The columns to read and the columns to forecast."""
    known = split_names(section.known, columns)
    features = tuple(dict.fromkeys((*split_names(section.features, columns), *known))) if section.features else columns
    targets = split_names(section.target, columns)
    if targets == ("all",) and "all" not in columns:
        targets = tuple(name for name in features if name not in known)
    for name in (*features, *targets, *known):
        if name not in columns:
            raise DataError(
                f'{source}, column "{name}": a target or feature holds numbers; found '
                f"{'times' if name == time_column else 'something else'}; columns of numbers are {', '.join(columns)}",
                file=source,
                column=name,
            )
    for option, names in (("known", known), ("static", split_names(section.static, columns))):
        if both := [name for name in targets if name in names]:
            raise ConfigurationError(
                f'"{both[0]}" is a target and stands in --{option} too: what is forecast is not known beforehand; '
                f"leave it out of --{option}",
                option=option,
                column=both[0],
            )
    return features, targets


def require_targets(table: AnyTable) -> None:
    """Checks that there is something to forecast and that it varies.

    Raises:
        ConfigurationError: No target was named.
        DataError: A target is missing everywhere, or never changes.
    """
    if not table.targets:
        raise ConfigurationError(
            f"a forecast needs a target; name one with --target; columns are {', '.join(table.columns)}",
            option="target",
        )
    for name in table.targets:
        count, low, high = table.range_of(name)
        if count == 0:
            raise DataError(
                f'{table.source}, column "{name}": the target must be observed; all of its '
                f"{table.rows} values are missing",
                file=table.source,
                column=name,
            )
        if low == high:
            raise DataError(
                f'{table.source}, column "{name}": the target must vary; all {count} observed values are {low:g}',
                file=table.source,
                column=name,
                value=low,
            )
