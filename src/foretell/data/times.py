"""Times as written by people: which column holds them, in which format, in which zone.

A format is taken only if it fits every row; two formats in one column are an error that names the row.
"""

from zoneinfo import ZoneInfo, available_timezones

import polars as pl

from ..errors import ConfigurationError, DataError, nearest
from .sources import Source

FORMATS = (
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y-%m-%dT%H:%M:%S%.f",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%dT%H:%M",
    "%Y-%m-%d",
    "%d.%m.%Y %H:%M:%S",
    "%d.%m.%Y %H:%M",
    "%d.%m.%Y",
    "%Y/%m/%d %H:%M:%S",
    "%Y/%m/%d %H:%M",
    "%Y/%m/%d",
    "%d/%m/%Y %H:%M:%S",
    "%m/%d/%Y %H:%M:%S",
    "%d/%m/%Y %H:%M",
    "%m/%d/%Y %H:%M",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d-%m-%Y %H:%M:%S",
    "%d-%m-%Y %H:%M",
    "%d-%m-%Y",
    "%d.%m.%y %H:%M:%S",
    "%d.%m.%y %H:%M",
    "%Y%m%dT%H%M%S",
    "%Y%m%d %H%M%S",
    "%Y-%m",
)
ZONED_FORMATS = ("%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%d %H:%M:%S%.f%#z", "%Y-%m-%dT%H:%M%#z", "%Y-%m-%d %H:%M%#z")
_PROBE = 500
_EXAMPLES = "2009-01-31 14:00:00, 2009-01-31T14:00Z, 31.01.2009 14:00:00"


def find_time_column(source: Source, named: str | None) -> str:
    """The column that holds the times.

    Args:
        source: The rows.
        named: The column that the user named.

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
    found = [name for name in frame.columns if _holds_times(frame[name])]
    if len(found) > 1:
        likely = [name for name in found if any(word in name.lower() for word in ("time", "date", "ds"))]
        found = likely if len(likely) == 1 else found
    if not found:
        raise DataError(
            f"{source.name} has no time column: no column holds times such as {_EXAMPLES}; columns are "
            f"{', '.join(frame.columns[:12])}; name it with --time",
            file=source.name,
        )
    if len(found) > 1:
        raise DataError(
            f"{source.name} has several columns of times ({', '.join(found)}); name one with --time", file=source.name
        )
    return found[0]


def parse_times(
    source: Source, column: str, time_format: str | None, timezone: str | None, series: str | None
) -> pl.Series:
    """The times of a column in microseconds since 1970, in UTC where a zone is known.

    Args:
        source: The rows, in the order of the file: the repeated hour of a local time is told apart by it.
        column: The column of times.
        time_format: The format, where the user named one.
        timezone: The zone of local times.
        series: The column that tells series apart.

    Raises:
        DataError: A time is missing, follows another format, or does not exist in its zone.
        ConfigurationError: There is no such zone.
    """
    values = source.frame[column]
    if values.null_count():
        row = int(values.is_null().arg_true()[0])
        raise DataError(
            f'{source.name}, {source.place(row)}, column "{column}": every row has a time; found none',
            file=source.name,
            row=row + 1,
            column=column,
        )
    if values.dtype == pl.String:
        values = _parse_text(source, column, time_format)
    elif values.dtype.is_numeric():
        values = _from_epoch(values)
    elif values.dtype == pl.Date:
        values = values.cast(pl.Datetime("us"))
    elif not isinstance(values.dtype, pl.Datetime):
        raise DataError(
            f'{source.name}, column "{column}" must hold times; found {values.dtype}', file=source.name, column=column
        )
    values = values.dt.cast_time_unit("us")
    if isinstance(values.dtype, pl.Datetime) and values.dtype.time_zone is not None:
        return values.dt.convert_time_zone("UTC").cast(pl.Int64)
    if timezone is None:
        return values.cast(pl.Int64)
    return _localise(source, column, values, timezone, series).cast(pl.Int64)


def check_timezone(timezone: str) -> ZoneInfo:
    """The zone of a name.

    Raises:
        ConfigurationError: There is no such zone.
    """
    if timezone not in available_timezones():
        raise ConfigurationError(
            f'there is no time zone "{timezone}"; {nearest(timezone, sorted(available_timezones()))[:200]}',
            option="timezone",
            value=timezone,
        )
    return ZoneInfo(timezone)


def _holds_times(values: pl.Series) -> bool:
    if values.dtype.is_temporal():
        return values.dtype in (pl.Date, pl.Datetime)
    if values.dtype != pl.String:
        return False
    probe = values.drop_nulls().head(_PROBE).str.strip_chars()
    return len(probe) > 0 and bool(_fitting(probe.head(20), share=0.5))


def _fitting(texts: pl.Series, share: float = 1.0) -> list[str]:
    """The formats that fit at least a share of the texts, those with a zone first."""
    fitting = []
    for pattern in (*ZONED_FORMATS, *FORMATS):
        parsed = _strptime(texts, pattern)
        if parsed.null_count() <= (1 - share) * len(texts) and parsed.null_count() < len(texts):
            fitting.append(pattern)
    return fitting


def _strptime(texts: pl.Series, pattern: str) -> pl.Series:
    if pattern == "%Y-%m":
        return (texts + "-01").str.to_datetime("%Y-%m-%d", time_unit="us", strict=False)
    zone = "UTC" if "z" in pattern.lower().partition("%#")[2] or "%z" in pattern else None
    return texts.str.to_datetime(pattern, time_unit="us", time_zone=zone, strict=False)


def _parse_text(source: Source, column: str, time_format: str | None) -> pl.Series:
    texts = source.frame[column]
    if time_format is None:
        spread = texts.gather_every(max(1, len(texts) // _PROBE)).str.strip_chars()
        candidates = _fitting(spread) or _fitting(spread.head(1)) or _fitting(texts.head(1).str.strip_chars())
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
        values = _strptime(texts, pattern)
        if values.null_count():
            values = _strptime(texts.str.strip_chars(), pattern)
        parsed[pattern] = values
    whole = {pattern: values for pattern, values in parsed.items() if values.null_count() == 0}
    if not whole:
        pattern, values = min(parsed.items(), key=lambda item: item[1].null_count())
        row = int(values.is_null().arg_true()[0])
        raise DataError(
            f'{source.name}, {source.place(row)}, column "{column}": all times follow one format, here {pattern}; '
            f'found "{texts[row]}"',
            file=source.name,
            row=row + 1,
            column=column,
            value=texts[row],
        )
    if len(whole) > 1:
        return _likelier(source, column, whole)
    return next(iter(whole.values()))


def _likelier(source: Source, column: str, readings: dict[str, pl.Series]) -> pl.Series:
    """Of several readings (day first or month first) the one whose rows run evenly, if only one does."""
    kinds = {pattern: values.cast(pl.Int64).diff().drop_nulls() for pattern, values in readings.items()}
    first = next(iter(readings.values()))
    if all(values.equals(first) for values in readings.values()):
        return first
    jumps = {pattern: int(steps.n_unique()) for pattern, steps in kinds.items()}
    fewest = min(jumps.values())
    best = [pattern for pattern, count in jumps.items() if count == fewest]
    if len(best) > 1:
        raise DataError(
            f'{source.name}, column "{column}": the times can be read as {" or ".join(best)}; say '
            "which with --time-format",
            file=source.name,
            column=column,
        )
    return readings[best[0]]


def _from_epoch(values: pl.Series) -> pl.Series:
    """Seconds, milliseconds, microseconds or nanoseconds since 1970, told apart by their size."""
    largest = float(values.abs().max() or 0)  # type: ignore[arg-type]
    scale = next((scale for bound, scale in ((1e11, 1e6), (1e14, 1e3), (1e17, 1.0)) if largest < bound), 1e-3)
    return (values * scale).round().cast(pl.Int64).cast(pl.Datetime("us"))


def _localise(source: Source, column: str, values: pl.Series, timezone: str, series: str | None) -> pl.Series:
    """Local times in UTC; of an hour that occurs twice, a time's second mention is the later one."""
    check_timezone(timezone)
    frame = pl.DataFrame(
        {"time": values, "series": source.frame[series] if series else pl.repeat(0, len(values), eager=True)}
    )
    mention = pl.int_range(pl.len()).over("series", "time")
    zoned = frame.select(
        pl.col("time").dt.replace_time_zone(
            timezone,
            ambiguous=pl.when(mention == 0).then(pl.lit("earliest")).otherwise(pl.lit("latest")),
            non_existent="null",
        )
    ).to_series()
    if zoned.null_count():
        row = int(zoned.is_null().arg_true()[0])
        raise DataError(
            f'{source.name}, {source.place(row)}, column "{column}": {source.frame[column][row]} does not exist in '
            f"{timezone}, where the clock skips it; the file may hold another zone, or standard time all year",
            file=source.name,
            row=row + 1,
            column=column,
        )
    return zoned.dt.convert_time_zone("UTC")
