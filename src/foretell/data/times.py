"""Times as written by people: which column holds them, in which format, in which zone.

A format is taken only if it fits every row; two formats in one column are an error that names the row.
"""

from dataclasses import dataclass
from functools import cache
from zoneinfo import available_timezones

import numpy as np
import polars as pl

from ..errors import ConfigurationError, DataError, nearest
from .formats import FORMATS, YEAR_FIRST, fitting, parsed_as
from .frequency import DAY, Frequency
from .health import Health
from .sources import Source

_NUMBER_NAMES = ("time", "date", "timestamp", "datetime", "ds", "year", "unix", "epoch", "unix time")
_PROBE = 500
_FIRST_TIME, _LAST_TIME = -62_135_596_800_000_000, 253_402_300_799_999_999  # of the years 1 and 9999
_EXAMPLES = "2009-01-31 14:00:00, 2009-01-31T14:00Z, 31.01.2009 14:00:00"


@dataclass(frozen=True)
class Times:
    """The times of all rows, in the order of the file.

    Attributes:
        values: Microseconds since 1970; in UTC where a zone is known.
        timezone: The zone in which they are shown; None where none is known.
        pattern: The format that they are written in; None where they are no text.
    """

    values: pl.Series
    timezone: str | None
    pattern: str | None = None


@dataclass(frozen=True)
class Written:
    """How times were written in rows that were read before: what to try first, to be quick.

    Attributes:
        column: The column that holds them.
        pattern: Their format; None where they were no text.
    """

    column: str
    pattern: str | None = None

    @property
    def likely(self) -> tuple[str, ...]:
        """Formats to try before all others: that of before, or such as can be read in one way only."""
        return (self.pattern,) if self.pattern else YEAR_FIRST


def find_time_column(
    source: Source, named: str | None, time_format: str | None = None, before: Written | None = None
) -> str:
    """The column that holds the times.

    Args:
        source: The rows.
        named: The column that the user named.
        time_format: The format that the user named.
        before: The column of rows that were read before; taken where it is there.

    Raises:
        DataError: The named column is absent, or none or several hold times.
    """
    frame = source.frame
    if named is not None:
        if named not in frame.columns:
            raise DataError(
                f'{source.name} has no column "{named}" to read times from; {nearest(named, frame.columns)}',
                file=source.name,
                column=named,
            )
        return named
    if before is not None and before.column in frame.columns:
        first = () if time_format else before.likely
        if _holds_times(frame[before.column], time_format, first):
            return before.column
    found = [name for name in frame.columns if _holds_times(frame[name], time_format)]
    if not found:
        found = [name for name in frame.columns if name.lower() in _NUMBER_NAMES and _counts_time(frame[name])]
    if len(found) > 1:
        likely = [name for name in found if any(word in name.lower() for word in ("time", "date", "ds"))]
        found = likely if len(likely) == 1 else found
    if not found:
        raise DataError(
            f"{source.name} has no time column: no column holds times such as {_EXAMPLES}; columns are "
            f"{', '.join(frame.columns[:12])}; name it with --time, and its format with --time-format",
            file=source.name,
        )
    if len(found) > 1:
        raise DataError(
            f"{source.name} has several columns of times ({', '.join(found)}); name one with --time", file=source.name
        )
    return found[0]


def parse_times(
    source: Source,
    column: str,
    time_format: str | None,
    timezone: str | None,
    series: str | None,
    health: Health,
    before: Written | None = None,
) -> Times:
    """The times of a column.

    Where rows are a day or more apart in their zone they are dates: they are kept as written, and no zone moves them.

    Args:
        source: The rows, in the order of the file: the repeated hour of a local time is told apart by it.
        column: The column of times.
        time_format: The format, where the user named one.
        timezone: The zone of local times.
        series: The column that tells series apart.
        health: Is told what was assumed.
        before: How times were written in rows that were read before.

    Raises:
        DataError: A time is missing, follows another format, or does not exist in its zone.
        ConfigurationError: There is no such zone.
    """
    if timezone is not None:
        check_timezone(timezone)
    values = source.frame[column]
    if values.null_count():
        row = int(values.is_null().arg_true()[0])
        raise source.fault(row, column, "every row has a time; found none")
    if values.dtype.is_numeric():
        values = _from_numbers(source, column, values, time_format)
    pattern: str | None = None
    if values.dtype == pl.String:
        likely = before.likely if before and not time_format else ()
        values, pattern = _parse_text(source, column, values, time_format, health, likely)
    elif values.dtype == pl.Date:
        values = values.cast(pl.Datetime("us"))
    elif not isinstance(values.dtype, pl.Datetime):
        raise DataError(
            f'{source.name}, column "{column}" must hold times; found {values.dtype}', file=source.name, column=column
        )
    values = values.dt.cast_time_unit("us")
    counts = values.to_physical()
    if not counts.is_between(_FIRST_TIME, _LAST_TIME).all():
        row = int((~counts.is_between(_FIRST_TIME, _LAST_TIME)).arg_true()[0])
        told = f"times lie in the years 1 to 9999; found one that is {counts[row]:,} microseconds from 1970"
        raise source.fault(row, column, told)
    zone = values.dtype.time_zone if isinstance(values.dtype, pl.Datetime) else None
    if zone is not None:
        shown = timezone or zone
        local = values.dt.convert_time_zone(shown).dt.replace_time_zone(None)
    elif timezone is not None:
        shown, local = timezone, values
    else:
        return Times(values.cast(pl.Int64), None, pattern)
    if shown != "UTC" and _are_dates(local):
        health.note("times", f"rows are whole days apart in {shown}: dates are kept as written")
        return Times(local.cast(pl.Int64), None, pattern)
    if zone is None:
        values = _localise(source, column, values, shown, series)
    return Times(values.dt.convert_time_zone("UTC").cast(pl.Int64), shown, pattern)


def round_down(times: Times, frequency: Frequency) -> Times:
    """Times rounded down to the grid of a frequency, by the clock of their zone.

    A grid of whole days or months starts with the first row and makes dates of the times, which no zone moves.

    Args:
        times: Of all rows.
        frequency: The step of the grid.
    """
    utc = times.values.to_numpy()
    local = utc
    if times.timezone is not None:
        moments = pl.Series(utc).cast(pl.Datetime("us", "UTC")).dt.convert_time_zone(times.timezone)
        local = moments.dt.replace_time_zone(None).cast(pl.Int64).to_numpy()
    if frequency.unit == "microsecond" and frequency.count % DAY:
        # One offset for all, so that the grid stays even when the clock changes.
        offset = int(local[0] - utc[0])
        return Times(pl.Series((utc + offset) // frequency.count * frequency.count - offset), times.timezone)
    first = int(local.min())
    origin = first // DAY * DAY
    if frequency.unit == "month":
        origin = int(
            np.array(first, "datetime64[us]").astype("datetime64[M]").astype("datetime64[us]").astype(np.int64)
        )
    _, fits = frequency.index(local, first)
    if fits.all():
        return Times(pl.Series(local), None)
    places, _ = frequency.index(local, origin)
    return Times(pl.Series(frequency.times(places, origin)), None)


@cache  # listing all zones takes 30 ms, which a forecast of every minute would pay anew
def check_timezone(timezone: str) -> None:
    """Checks a zone's name.

    Raises:
        ConfigurationError: There is no such zone.
    """
    if timezone not in available_timezones():
        raise ConfigurationError(
            f'there is no time zone "{timezone}"; {nearest(timezone, sorted(available_timezones()))[:200]}',
            option="timezone",
            value=timezone,
        )


def _holds_times(values: pl.Series, time_format: str | None, first: tuple[str, ...] = ()) -> bool:
    if values.dtype.is_temporal():
        return values.dtype in (pl.Date, pl.Datetime)
    if values.dtype != pl.String:
        return False
    probe = values.drop_nulls().head(20).str.strip_chars()
    if len(probe) and any(not parsed_as(probe, pattern).null_count() for pattern in first):
        return True
    return len(probe) > 0 and bool(fitting(probe, (time_format,) if time_format else FORMATS, share=0.5))


def _counts_time(values: pl.Series) -> bool:
    """Whether numbers under a name such as ``date`` are years, dates written as one number, or seconds since 1970."""
    if not values.dtype.is_numeric() or values.null_count() == len(values):
        return False
    numbers = values.drop_nulls().to_numpy()
    low, high = float(numbers.min()), float(numbers.max())
    return low >= 1000 and (high < 3000 or low >= 19_000_000)


def _parse_text(
    source: Source, column: str, texts: pl.Series, time_format: str | None, health: Health, likely: tuple[str, ...]
) -> tuple[pl.Series, str]:
    """The times of a text column, and the format that they are written in."""
    for pattern in likely:
        values = parsed_as(texts, pattern)
        if not values.null_count():
            return values, pattern
    if time_format is None:
        spread = texts.gather_every(max(1, len(texts) // _PROBE)).str.strip_chars()
        candidates = next(
            (
                fit
                for probe in (spread, spread.head(1), texts.head(1).str.strip_chars())
                if (fit := fitting(probe, FORMATS))
            ),
            [],
        )
        if not candidates:
            raise DataError(
                f'{source.name}, {source.place(0)}, column "{column}": times look like {_EXAMPLES}; found '
                f'"{texts[0]}"; name their format with --time-format',
                file=source.name,
                row=1,
                column=column,
                value=texts[0],
            )
    else:
        candidates = [time_format]
    parsed = {}
    for pattern in candidates:
        values = parsed_as(texts, pattern)
        parsed[pattern] = parsed_as(texts.str.strip_chars(), pattern) if values.null_count() else values
    whole = {pattern: values for pattern, values in parsed.items() if values.null_count() == 0}
    if not whole:
        pattern, values = min(parsed.items(), key=lambda item: item[1].null_count())
        row = int(values.is_null().arg_true()[0])
        raise source.fault(
            row, column, f'all times follow one format, here {pattern}; found "{texts[row]}"', value=texts[row]
        )
    pattern, first = next(iter(whole.items()))
    if all(values.equals(first) for values in whole.values()):
        return first, pattern
    pattern = _likelier(source, column, whole)
    health.note("times", f'"{column}" is read as {pattern}, in which its rows run evenly; --time-format says otherwise')
    return whole[pattern], pattern


def _likelier(source: Source, column: str, readings: dict[str, pl.Series]) -> str:
    """Of several readings (day first or month first) the one whose rows run most evenly."""
    jumps = {pattern: _unevenness(values) for pattern, values in readings.items()}
    fewest = min(jumps.values())
    best = [pattern for pattern, count in jumps.items() if count == fewest]
    if len(best) > 1:
        raise DataError(
            f'{source.name}, column "{column}": the times can be read as {" or ".join(best)}; '
            "say which with --time-format",
            file=source.name,
            column=column,
        )
    return best[0]


def _unevenness(values: pl.Series) -> int:
    """How many different steps there are between neighbours, counted in months where all stand on one day of theirs."""
    steps = values.diff().drop_nulls().n_unique()
    if values.dt.day().n_unique() > 1:
        return steps
    return min(steps, (values.dt.year() * 12 + values.dt.month().cast(pl.Int32)).diff().drop_nulls().n_unique())


def _from_numbers(source: Source, column: str, values: pl.Series, time_format: str | None) -> pl.Series:
    """Numbers as text where they are dates or years (20240131, 2024), else as time since 1970, by their size."""
    numbers = values.cast(pl.Float64)
    usable = numbers.is_finite() & (numbers.abs() < 1e19)
    if not usable.all():
        row = int((~usable).arg_true()[0])
        raise source.fault(row, column, f"a time is a number below 1e19; found {values[row]}")
    low, high = float(numbers.to_numpy().min()), float(numbers.to_numpy().max())
    whole = bool((numbers == numbers.round()).all())
    if time_format is not None and whole:
        return numbers.cast(pl.Int64).cast(pl.String)
    if whole and low >= 1000 and high < 3000:
        return (numbers.cast(pl.Int64).cast(pl.String) + "-01-01").str.to_datetime("%Y-%m-%d", time_unit="us")
    if whole and low >= 19_000_101 and high <= 21_001_231:
        dates = numbers.cast(pl.Int64).cast(pl.String).str.to_datetime("%Y%m%d", time_unit="us", strict=False)
        if dates.null_count() == 0:
            return dates
    if high < 1e8:
        raise DataError(
            f'{source.name}, column "{column}": numbers as times are years (2024), dates (20240131) or seconds since '
            f"1970; found {low:g} to {high:g}; name their format with --time-format",
            file=source.name,
            column=column,
        )
    scale = next((scale for bound, scale in ((1e11, 1e6), (1e14, 1e3), (1e17, 1.0)) if high < bound), 1e-3)
    return (numbers * scale).round().cast(pl.Int64).cast(pl.Datetime("us"))


def _are_dates(local: pl.Series) -> bool:
    """Whether all rows stand at one time of day: they are dates, which no zone should move."""
    return len(local) > 1 and (local.cast(pl.Int64) % DAY).n_unique() == 1 and local.n_unique() > 1


def _localise(source: Source, column: str, values: pl.Series, timezone: str, series: str | None) -> pl.Series:
    """Local times in their zone; of an hour that occurs twice, the later mention is the later one.

    "Later" follows the direction in which a series is written: newest-first files mention the later one first.
    """
    frame = pl.DataFrame(
        {"time": values, "series": source.frame[series] if series else pl.repeat(0, len(values), eager=True)}
    )
    place = pl.int_range(pl.len()).over("series", "time")
    falling = pl.col("time").first().over("series") > pl.col("time").last().over("series")
    mention = pl.when(falling).then(pl.len().over("series", "time") - 1 - place).otherwise(place)
    once = pl.len().over("series", "time") == 1
    earlier = (mention == 0) | once
    zoned = frame.select(
        pl.col("time").dt.replace_time_zone(
            timezone,
            ambiguous=pl.when(earlier).then(pl.lit("earliest")).otherwise(pl.lit("latest")),
            non_existent="null",
        )
    ).to_series()
    if zoned.null_count():
        row = int(zoned.is_null().arg_true()[0])
        raise source.fault(
            row,
            column,
            f"{source.frame[column][row]} does not exist in "
            f"{timezone}, where the clock skips it; the file may hold another zone, or standard time all year",
        )
    return zoned
