"""The first pass over a table that is not held in memory: which series there are, and the grid of times of each.

Only times and the names of series are read. What is known afterwards says where every row belongs.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Int64

from ..axes import TimeArray
from ..config import DataSection
from ..errors import ConfigurationError, DataError, counted
from ..passes import followed
from .checks import MOSTLY_ABSENT, most_places, must_have_step
from .columns import series_of_rows
from .frequency import DAY, Frequency, infer_frequency, named_frequency
from .health import Health
from .parquet import ParquetTable
from .sources import Source
from .times import Written, find_time_column, parse_times

_REMEDY = "--store no reads the table into memory, where it has room"
_SAMPLE = 2_000_000  # rows from which the frequency is inferred


@dataclass(frozen=True)
class Moments:
    """The times of a piece of rows.

    Attributes:
        rows: As they came: their times and names.
        codes: The series of each, by its number in ``names``.
        names: Names of the series in these rows.
        times: Microseconds since 1970.
    """

    rows: Source
    codes: Int64[np.ndarray, " row"]
    names: list[str]
    times: TimeArray


@dataclass(frozen=True)
class Survey:
    """Which series a table has, and where their rows lie.

    Attributes:
        table: The files.
        time_column: Name of the column of times.
        frequency: The step of the grid.
        series: Names of the series, in the order of the alphabet.
        origins: The first time of each.
        starts: The first row of each on its grid, and the number of rows at the end.
        given: How many rows the files hold.
        timezone: Zone in which times are shown.
        written: How times are written.
    """

    table: ParquetTable
    time_column: str
    frequency: Frequency
    series: tuple[str, ...]
    origins: Int64[np.ndarray, " series"]
    starts: Int64[np.ndarray, " bound"]
    given: int
    timezone: str | None
    written: Written

    @cached_property
    def _names(self) -> np.ndarray:
        return np.array(self.series)

    def codes_of(self, moments: Moments) -> Int64[np.ndarray, " row"]:
        """The number of each row's series."""
        known = np.searchsorted(self._names, np.array(moments.names))
        return known[moments.codes].astype(np.int64)

    def rows_of(
        self, codes: Int64[np.ndarray, " row"], times: TimeArray
    ) -> tuple[Int64[np.ndarray, " row"], Bool[np.ndarray, " row"]]:
        """Where rows belong, and whether their times lie on the grid."""
        places, fits = self.frequency.index(times, self.origins[codes])
        return self.starts[codes] + places, fits


@dataclass
class _Seen:
    """What a pass has seen of each series so far."""

    numbers: dict[str, int] = field(default_factory=dict)
    first: Int64[np.ndarray, " series"] = field(default_factory=lambda: np.zeros(0, np.int64))
    last: Int64[np.ndarray, " series"] = field(default_factory=lambda: np.zeros(0, np.int64))
    given: int = 0

    def add(self, moments: Moments) -> Int64[np.ndarray, " row"]:
        """Counts a piece; gives the number of each row's series in the order in which they were seen."""
        own = np.array([self.numbers.setdefault(name, len(self.numbers)) for name in moments.names], np.int64)
        new = len(self.numbers) - len(self.first)
        self.first = np.concatenate([self.first, np.full(new, np.iinfo(np.int64).max)])
        self.last = np.concatenate([self.last, np.full(new, np.iinfo(np.int64).min)])
        codes = own[moments.codes]
        np.minimum.at(self.first, codes, moments.times)
        np.maximum.at(self.last, codes, moments.times)
        self.given += len(codes)
        return codes


def moments_of(
    table: ParquetTable, section: DataSection, written: Written, what: str, further: tuple[str, ...] = ()
) -> Iterator[Moments]:
    """The times and series of all rows, a piece at a time.

    Args:
        table: The files.
        section: How they are read.
        written: Which column holds the times.
        what: What they are read for, in words.
        further: Columns that are read as well.

    Raises:
        DataError: A time or a name is missing, or times cannot be read.
    """
    step = _rounding(section)
    own = list(dict.fromkeys(name for name in (written.column, section.series, *further) if name))
    texts = (section.series,) if section.series else ()
    pieces = table.pieces(own, texts)
    for piece in followed(pieces, lambda rows: rows.frame.height, f"{what} {table.name}", table.rows, "rows"):
        codes, names = series_of_rows(piece, section.series, written.column)
        quiet = Health()
        times = parse_times(piece, written.column, section.time_format, None, section.series, quiet, written)
        if times.timezone is not None and step:
            raise ConfigurationError(
                f"--frequency goes with times in UTC where a table is read piece by piece; those of {table.name} tell "
                f"their zone; {_REMEDY}",
                option="frequency",
            )
        placed = times.values.to_numpy()
        yield Moments(piece, codes, names, placed // step * step if step else placed)


def survey(table: ParquetTable, section: DataSection, health: Health, grid: Frequency | None = None) -> Survey:
    """Reads the times of all rows.

    Args:
        table: The files.
        section: How they are read.
        health: Where it is reported.
        grid: The step that the rows must have; inferred where None.

    Raises:
        ConfigurationError: A frequency cannot be followed where rows are not held together.
        DataError: Times cannot be read, or lie so that a grid would be nearly empty.
    """
    head = next(table.pieces(None, (section.series,) if section.series else ()))
    time_column = find_time_column(head, section.time, section.time_format)
    parsed = parse_times(head, time_column, section.time_format, None, section.series, health)
    written = Written(time_column, parsed.pattern)
    seen, sample, sampled = _Seen(), list[tuple[np.ndarray, np.ndarray]](), 0
    for moments in moments_of(table, section, written, "reading the times of"):
        codes = seen.add(moments)
        if sampled < _SAMPLE:
            sample.append((codes, moments.times))
            sampled += len(codes)
    frequency = grid or (named_frequency(section.frequency) if section.frequency else _inferred(table, sample))
    order = np.argsort(np.array(list(seen.numbers)), kind="stable")
    names = np.array(list(seen.numbers))[order]
    first, last = seen.first[order], seen.last[order]
    places, _ = frequency.index(last, first)
    starts = np.concatenate([[0], np.cumsum(places + 1)]).astype(np.int64)
    if grid is not None and starts[-1] > MOSTLY_ABSENT * seen.given:
        must_have_step(table.name, _inferred(table, sample), grid)
    _must_be_dense(table, seen, frequency, int(starts[-1]), names, places)
    return Survey(
        table=table,
        time_column=time_column,
        frequency=frequency,
        series=tuple(names.tolist()),
        origins=first,
        starts=starts,
        given=seen.given,
        timezone=parsed.timezone,
        written=written,
    )


def _inferred(table: ParquetTable, sample: list[tuple[np.ndarray, np.ndarray]]) -> Frequency:
    codes, times = (np.concatenate(part) for part in zip(*sample, strict=True))
    order = np.lexsort((times, codes))
    codes, times = codes[order], times[order]
    starts = np.flatnonzero(np.diff(codes, prepend=-1))
    try:
        return infer_frequency(times, starts)
    except DataError as error:
        raise DataError(f"{table.name}: {error.message}", file=table.name, rows=len(times)) from None


def _rounding(section: DataSection) -> int:
    """The step in microseconds to which times are rounded down; none where no frequency is named."""
    if not section.frequency:
        return 0
    named = named_frequency(section.frequency)
    if named.unit != "microsecond" or named.count % DAY == 0:
        raise ConfigurationError(
            f"--frequency of a day or more goes with a table that is read into memory; found {section.frequency}; "
            f"{_REMEDY}",
            option="frequency",
        )
    return named.count


def must_be_possible(section: DataSection) -> None:
    """Checks that nothing is asked that needs all rows side by side, where they are read piece by piece.

    Raises:
        ConfigurationError: Something is.
    """
    if section.timezone:
        raise ConfigurationError(
            "--timezone goes with a table that is read into memory, as the repeated hour is told by the order of rows; "
            f"of one that is read piece by piece times are in UTC or tell their zone; {_REMEDY}",
            option="timezone",
        )
    if section.duplicates == "mean":
        raise ConfigurationError(
            f"--duplicates mean goes with a table that is read into memory; say first or last; {_REMEDY}",
            option="duplicates",
        )
    if section.static:
        raise ConfigurationError(f"--static goes with a table that is read into memory; {_REMEDY}", option="static")


def _must_be_dense(
    table: ParquetTable, seen: _Seen, frequency: Frequency, total: int, names: np.ndarray, places: np.ndarray
) -> None:
    if total <= most_places(seen.given, len(table.schema)):
        return
    longest = str(names[int(np.argmax(places))])
    of = f"; series {longest} alone spans {counted(int(places.max()) + 1, 'row')}" if longest else ""
    raise DataError(
        f"{table.name}: a grid of {frequency} from the first time to the last would hold {total} rows for the "
        f"{seen.given} given{of}; remove stray times, or say --frequency",
        file=table.name,
        rows=seen.given,
    )
