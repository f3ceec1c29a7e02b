"""A checked table: times on an even grid, one series after the other, columns of numbers, what was found.

The one way in is :func:`read_table`; file → source → columns told apart → checked → table.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
from jaxtyping import Int64

from ..axes import TableArray, TimeArray
from ..config import DataSection
from ..errors import ConfigurationError, DataError, UsageError, nearest
from . import checks
from .columns import columns_of_numbers, mark_missing, must_exist, series_of_rows
from .frequency import Frequency, named_frequency
from .health import Health
from .sources import read_source
from .statics import StaticValues, read_statics
from .times import Written, find_time_column, parse_times, round_down

_UNIT = re.compile(r"[(\[]([^()\[\]]+)[)\]]\s*$")


@dataclass(frozen=True)
class Table:
    """Rows on a time grid, the series one after the other.

    Attributes:
        source: What the rows came from.
        columns: Names of the columns of numbers.
        values: The numbers; NaN where missing.
        times: Microseconds since 1970 (UTC where a zone is known) of each row.
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
    values: TableArray
    times: TimeArray
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
        return len(self.times)

    @cached_property
    def codes(self) -> Int64[np.ndarray, " row"]:
        """The number of each row's series."""
        return np.repeat(np.arange(len(self.series)), np.diff(self.starts))

    def take(self, names: Iterable[str]) -> TableArray:
        """The columns of these names, side by side."""
        return self.values[:, [self.columns.index(name) for name in names]]

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

    def local_hours(self, times: TimeArray) -> Int64[np.ndarray, " row"]:
        """The hour of day, 0 to 23, of times in the table's zone."""
        return local_times(times, self.timezone).dt.hour().to_numpy().astype(np.int64)


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


def show_time(time: int, timezone: str | None = None) -> str:
    """One time for a person.

    >>> show_time(0)
    '1970-01-01 00:00'
    """
    moment = datetime.fromtimestamp(time / 1e6, UTC).astimezone(ZoneInfo(timezone) if timezone else UTC)
    if moment.microsecond:
        return moment.strftime("%Y-%m-%d %H:%M:%S.%f")
    return moment.strftime("%Y-%m-%d %H:%M:%S" if moment.second else "%Y-%m-%d %H:%M")


def read_table(
    source: object,
    section: DataSection | None = None,
    *,
    regular: bool = True,
    strict: bool = True,
    grid: Frequency | None = None,
    before: Written | None = None,
    **options: object,
) -> Table:
    """Reads a table, checks it, and puts it on an even grid of times.

    Args:
        source: A path (CSV plain, gzip or zip; Parquet), ``-`` for standard input, or a data frame.
        section: How to read it; its fields may be given as keywords instead.
        regular: Whether rows are sorted, freed of duplicates and put on the grid; the lectures take them as they come.
        strict: Whether the first error is raised, or all are collected in ``health``.
        grid: The step that the rows must have; inferred where None.
        before: How times were written in rows that were read before; then values are not looked through for sentinels.
        **options: Fields of :class:`~foretell.config.DataSection`, such as ``time="Date Time"``.

    A table that was read before is taken as it is; only its targets and features are chosen anew.

    Raises:
        DataError: The rows cannot be used; the message names file, row and column.
        UsageError: There is no such option.
        UnsafeFileError: The file is damaged.

    >>> import polars as pl
    >>> hours = pl.datetime_range(pl.datetime(2024, 1, 1), pl.datetime(2024, 1, 3), "1h", eager=True)
    >>> table = read_table(pl.DataFrame({"time": hours, "load (MW)": range(len(hours))}))
    >>> str(table.frequency), table.rows, table.columns
    ('1h', 49, ('load (MW)',))
    """
    for name in options:
        if name not in DataSection.model_fields:
            raise UsageError(f'there is no option "{name}"; {nearest(name, DataSection.model_fields)}', option=name)
    section = section or DataSection.model_validate(options)
    if isinstance(source, Table):
        return _choose_again(source, section)
    rows = read_source(source, text_columns=(section.series,) if section.series else ())
    health = Health(strict=strict)
    for sentence in rows.notes:
        health.note("reading", sentence)
    time_column = find_time_column(rows, section.time, section.time_format, before)
    codes, series = series_of_rows(rows, section.series, time_column)
    zone = section.timezone
    parsed = parse_times(rows, time_column, section.time_format, zone, section.series, health, before)
    named = named_frequency(section.frequency) if section.frequency else None
    placed_times = round_down(parsed, named) if named else parsed
    static = split_names(section.static, rows.frame.columns)
    named_columns = (section.target, section.features, section.known)
    wanted = tuple(name for names in named_columns for name in split_names(names, rows.frame.columns))
    must_exist(rows, wanted + static)
    statics = read_statics(rows, static, section.series, codes, series)
    apart = (time_column, section.series, *(name for name in static if name not in wanted))
    candidates = [name for name in rows.frame.columns if name not in apart]
    numbers = columns_of_numbers(rows, candidates, wanted, section, health)
    columns = tuple(numbers.columns)
    features, targets = _roles(rows.name, section, columns, time_column)
    numbers = numbers.select(list(dict.fromkeys((*features, *targets))))
    values = numbers.to_numpy().astype(np.float64, copy=False)
    values = mark_missing(rows, numbers.columns, values, section.missing, health)
    if before is None:
        checks.point_out_sentinels(numbers.columns, values, health)
    written, times = parsed.values.to_numpy(), placed_times.values.to_numpy()
    came = checks.Rows(rows, time_column, section.series, numbers.columns, codes, series, written, times, values)
    if regular:
        placed = checks.regularise(came, grid or named, section.duplicates, health, known=grid is not None)
    else:
        placed = checks.as_they_come(came, health)
    return Table(
        source=rows.name,
        columns=tuple(numbers.columns),
        values=placed.values,
        times=placed.times,
        starts=placed.starts,
        series=tuple(series),
        frequency=placed.frequency,
        targets=targets,
        features=features,
        time_column=time_column,
        series_column=section.series,
        timezone=placed_times.timezone,
        health=health,
        statics=statics,
        written=Written(time_column, parsed.pattern),
    )


def _choose_again(table: Table, section: DataSection) -> Table:
    """A table with the targets and features that a section names."""
    for name in split_names(section.target + section.features + section.known, table.columns):
        if name not in table.columns and name != "all":
            raise DataError(
                f'{table.source} has no column "{name}"; {nearest(name, table.columns)}', file=table.source, column=name
            )
    if section.series is not None and section.series != table.series_column:
        raise DataError(
            f'{table.source} was read without telling series apart by "{section.series}"; name it to read_table',
            file=table.source,
            column=section.series,
        )
    for name in split_names(section.static, table.statics):
        if name not in table.statics:
            raise DataError(f'{table.source} was read without its static column "{name}"; name it to read_table')
    features, targets = _roles(table.source, section, table.columns, table.time_column)
    if not section.features:
        features = table.features
    return replace(table, features=features, targets=targets or table.targets)


def split_names(names: tuple[str, ...], columns: Iterable[str]) -> tuple[str, ...]:
    """Names as given, those with commas split unless a column is called just so.

    >>> split_names(("a,b", "c, d"), ["c, d"])
    ('a', 'b', 'c, d')
    """
    known = set(columns)
    parts = [part for name in names for part in ([name] if name in known else name.split(","))]
    return tuple(dict.fromkeys(part.strip() for part in parts if part.strip()))


def _roles(
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


def require_targets(table: Table) -> None:
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
        observed = table.take([name])[:, 0]
        observed = observed[~np.isnan(observed)]
        if len(observed) == 0:
            raise DataError(
                f'{table.source}, column "{name}": the target must be observed; all of its '
                f"{table.rows} values are missing",
                file=table.source,
                column=name,
            )
        if observed.min() == observed.max():
            raise DataError(
                f'{table.source}, column "{name}": the target must vary; all {len(observed)} observed values are '
                f"{observed[0]:g}",
                file=table.source,
                column=name,
                value=float(observed[0]),
            )
