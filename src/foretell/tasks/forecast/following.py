"""Following a series: new rows are appended to the last window, and a forecast is made again from that alone."""

import warnings
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from ...data.appending import append_rows, frame_of, last_rows
from ...data.columnar import DAMAGED, read_parquet
from ...data.covariates import last_observed
from ...data.frames import like
from ...data.tables import Table
from ...errors import DataError, InputError, UnsafeFileError
from ...files import write_parquet
from .learned import LearnedForecaster
from .predicting import MADE

ROWS = "rows.parquet"
FORECASTS = "forecasts"


@dataclass
class Follower:
    """A forecaster and the last rows that it knows.

    Attributes:
        learned: The forecaster.
        table: Those rows; None before there are any.
        forecasts: The latest forecasts.
    """

    learned: LearnedForecaster
    table: Table | None = None
    forecasts: pl.DataFrame | None = None

    def begin(self, source: object) -> None:
        """Takes the last rows of a table as those that are known.

        Args:
            source: A path or data frame.
        """
        self.table = self._last(self.learned.read(source).whole())

    def update(self, source: Any) -> Any:
        """Appends new rows and forecasts again.

        Args:
            source: A path or data frame with the rows that came since; those that are known already may be among them.

        Returns:
            One forecast for each future row within reach, as the kind of frame that came in.

        Raises:
            DataError: The rows do not fit those that are known, or are too few.
        """
        newer = self.learned.read(source).whole()
        table = newer if self.table is None else append_rows(self.table, newer)
        self.forecasts = self.learned.predict_table(table)
        self.table = self._last(table)
        return like(self.forecasts, source)

    @property
    def rows(self) -> int:
        """Rows of each series that are kept: those that the forecasts of the latest windows read."""
        return int(self.learned.about["rows_needed"]) + self.learned.shape.leads[1]

    def _last(self, table: Table) -> Table:
        """The rows that are kept; where some are known ahead, those of the past and all that follow."""
        return last_rows(table, self.rows, last_observed(table) if self.learned.covariates.known else None)

    def warm(self) -> None:
        """Loads what forecasts are computed with, so that the next update takes no longer than those after it."""
        if self.table is not None:
            with suppress(InputError), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self.learned.predict_table(self.table)

    def save(self, folder: Path) -> None:
        """Keeps the rows in a folder, and the latest forecasts, so that they can be scored when their time has come.

        Raises:
            StorageError: It cannot be written.
        """
        if self.table is None or self.forecasts is None:
            return
        made = next(name for name in MADE if name in self.forecasts.columns)
        moment: Any = self.forecasts[made].max()
        write_parquet(folder / FORECASTS / f"{moment:%Y%m%dT%H%M%S%f}.parquet", self.forecasts)
        # Last, so that an update that was cut short is made again from the rows of before, and nothing is missing.
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
            return cls(learned, learned.read(path).whole())
        except DataError as error:
            raise UnsafeFileError(f"{path} is damaged: {error.message}", file=str(path)) from None


def logged_forecasts(folder: Path) -> pl.DataFrame | None:
    """All forecasts that were kept; None where none were.

    Raises:
        UnsafeFileError: One is damaged.
    """
    frames = []
    for path in sorted((folder / FORECASTS).glob("*.parquet")):
        try:
            frames.append(read_parquet(path))
        except DAMAGED as error:
            raise UnsafeFileError(f"{path} is damaged: {error}", file=str(path)) from None
    return pl.concat(frames) if frames else None
