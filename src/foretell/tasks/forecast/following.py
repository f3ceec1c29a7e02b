"""Following a series: new rows are appended to the last window, and a forecast is made again from that alone."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from ...data.appending import append_rows, frame_of, last_rows
from ...data.tables import Table
from ...errors import DataError, UnsafeFileError
from ...files import write_parquet
from .learned import LearnedForecaster

ROWS = "rows.parquet"
FORECASTS = "forecasts"


@dataclass
class Follower:
    """A forecaster and the last rows that it knows.

    Attributes:
        learned: The forecaster.
        table: Those rows; None before there are any.
    """

    learned: LearnedForecaster
    table: Table | None = None

    def update(self, source: object) -> pl.DataFrame:
        """Appends new rows and forecasts again.

        Args:
            source: A path or data frame with the rows that came since; those that are known already may be among them.

        Returns:
            One forecast for each future row within reach.

        Raises:
            DataError: The rows do not fit those that are known, or are too few.
        """
        newer = self.learned.read(source)
        table = newer if self.table is None else append_rows(self.table, newer)
        forecasts = self.learned.predict_table(table)
        self.table = last_rows(table, self.rows)
        return forecasts

    @property
    def rows(self) -> int:
        """Rows of each series that are kept: those that the forecasts of the latest windows read."""
        return int(self.learned.about["rows_needed"]) + self.learned.shape.leads[1]

    def save(self, folder: Path) -> None:
        """Keeps the rows in a folder.

        Raises:
            StorageError: It cannot be written.
        """
        if self.table is not None:
            write_parquet(folder / ROWS, frame_of(self.table))

    @classmethod
    def open(cls, learned: LearnedForecaster, folder: Path) -> "Follower":
        """A forecaster with the rows that a folder keeps, if it keeps any.

        Raises:
            UnsafeFileError: They are damaged.
        """
        path = folder / ROWS
        if not path.exists():
            return cls(learned)
        try:
            return cls(learned, learned.read(path))
        except DataError as error:
            raise UnsafeFileError(f"{path} is damaged: {error.message}", file=str(path)) from None


def log_forecasts(folder: Path, forecasts: pl.DataFrame, made: str) -> None:
    """Keeps some forecasts, so that they can be scored when what they were about has come.

    Args:
        folder: Of the series that is followed.
        forecasts: As :meth:`Follower.update` gives them.
        made: The column of times at which they were made.

    Raises:
        StorageError: They cannot be written.
    """
    moment: Any = forecasts[made].max()
    write_parquet(folder / FORECASTS / f"{moment:%Y%m%dT%H%M%S%f}.parquet", forecasts)


def logged_forecasts(folder: Path) -> pl.DataFrame | None:
    """All forecasts that were kept; None where none were.

    Raises:
        UnsafeFileError: One is damaged.
    """
    frames = []
    for path in sorted((folder / FORECASTS).glob("*.parquet")):
        try:
            frames.append(pl.read_parquet(path))
        except (pl.exceptions.PolarsError, OSError) as error:
            raise UnsafeFileError(f"{path} is damaged: {error}", file=str(path)) from None
    return pl.concat(frames) if frames else None
