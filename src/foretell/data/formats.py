"""Formats in which people write times, and which of them fit some texts."""

import polars as pl

from ..errors import ConfigurationError

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
    "%Y-%m-%d %I:%M:%S %p",
    "%m/%d/%Y %I:%M:%S %p",
    "%d/%m/%Y %I:%M:%S %p",
    "%m/%d/%Y %I:%M %p",
    "%d/%m/%Y %I:%M %p",
    "%Y%m%dT%H%M%S",
    "%Y%m%d %H%M%S",
    "%Y-%m",
)
# Nothing else that people write is read by these.
YEAR_FIRST = ("%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%d %H:%M:%S%.f%#z")
ZONED_FORMATS = ("%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%d %H:%M:%S%.f%#z", "%Y-%m-%dT%H:%M%#z", "%Y-%m-%d %H:%M%#z")


def fitting(texts: pl.Series, formats: tuple[str, ...], share: float = 1.0) -> list[str]:
    """The formats that fit at least a share of the texts, those with a zone first."""
    fitting = []
    for pattern in (*ZONED_FORMATS, *formats):
        parsed = parsed_as(texts, pattern)
        if parsed.null_count() <= (1 - share) * len(texts) and parsed.null_count() < len(texts):
            fitting.append(pattern)
    return fitting


def parsed_as(texts: pl.Series, pattern: str) -> pl.Series:
    """Texts as date times; null where one does not follow the format.

    Raises:
        ConfigurationError: The pattern is no format of times.
    """
    if "%d" not in pattern and "%j" not in pattern:
        # A month or a year alone stands for its first day.
        month = "" if "%m" in pattern or "%b" in pattern else "-01"
        texts, pattern = texts + month + "-01", f"{pattern}{'-%m' if month else ''}-%d"
    zone = "UTC" if "%#z" in pattern or "%z" in pattern or "%:z" in pattern else None
    try:
        parsed = texts.str.to_datetime(pattern, time_unit="us", time_zone=zone, strict=False)
        # "%Y" also reads the two digits of 31.12.21, as the year 21.
        return parsed.set(parsed.dt.year() < 1000, None) if "%Y" in pattern else parsed
    except pl.exceptions.PolarsError as error:
        raise ConfigurationError(
            f'--time-format "{pattern}" is no format of times: {str(error).splitlines()[0]}', option="time_format"
        ) from None
