"""Forecasters over HTTP: rows in, as JSON or CSV, forecasts out, likewise."""

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import polars as pl
from pydantic import Field, model_validator

from ...data.frequency import DAY
from ...data.sources import CsvText
from ...data.tables import local_times
from ...errors import DataError
from ..serving import Question, Reply, Service, Shown
from .learned import LearnedForecaster

Cell = float | str | None
MOST_ROWS, MOST_COLUMNS = 200_000, 2000
_BEGIN = 1_704_067_200_000_000  # microseconds: 2024-01-01, a Monday


class ForecastQuestion(Question):
    """The rows up to now, in one of three forms."""

    rows: list[dict[str, Cell]] | None = Field(
        None,
        description="Rows, oldest first, each with its time and the columns of the training.",
        max_length=MOST_ROWS,
    )
    columns: dict[str, list[Cell]] | None = Field(None, description="The same, column by column.")
    csv: str | None = Field(None, description="The same as the text of a CSV file.")
    anchors: Literal["latest", "all"] = Field(
        "latest", description="latest: each future row within reach, once; all: from every window of the rows."
    )

    @model_validator(mode="after")
    def _one_form(self) -> "ForecastQuestion":
        given = [name for name in ("rows", "columns", "csv") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"one of rows, columns and csv is needed; found {', '.join(given) or 'none'}")
        return self


class ForecastReply(Reply):
    """Forecasts."""

    rows: list[dict[str, Cell]] = Field(
        description="Of each forecast its time, when it was made, and of each target 'forecast NAME', with both ends "
        "of each interval, 'low 90% NAME' and 'high 90% NAME'."
    )
    targets: list[str] = Field(description="The columns that are forecast.")
    units: dict[str, str | None] = Field(description="Their units, where the header told them.")


def _csv(reply: ForecastReply) -> bytes:
    """The forecasts as a CSV file."""
    return pl.DataFrame(reply.rows, infer_schema_length=None).write_csv().encode()


class ForecastService(Service):
    """Forecasters, as programs ask them."""

    question, reply = ForecastQuestion, ForecastReply
    bodies: ClassVar = {"text/csv": "csv"}
    forms: ClassVar = {"text/csv": Shown(_csv, {"type": "string"})}

    def expects(self, fitted: LearnedForecaster) -> dict[str, Any]:
        """Columns, the step of the rows, and how many are needed."""
        section = fitted.configuration.data
        return {
            "time": _time_column(fitted),
            "every": str(fitted.frequency),
            "columns": list(fitted.scaling.used),
            "targets": list(fitted.scaling.targets),
            "series": section.series,
            "known_ahead": list(fitted.covariates.known),
            "static": [own.name for own in fitted.covariates.statics],
            "rows_needed": int(fitted.about["rows_needed"]),
            "ahead": list(fitted.shape.leads),
            "intervals": list(fitted.intervals.levels) if fitted.intervals else [],
        }

    def example(self, fitted: LearnedForecaster) -> dict[str, Any]:
        """Rows that stand still at the means of the training."""
        return {"columns": example_columns(fitted)}

    def answers(self, fitted: LearnedForecaster, questions: Sequence[ForecastQuestion]) -> list[ForecastReply]:
        """The forecasts of each question's rows."""
        targets, units = fitted.scaling.targets, fitted.about["units"]
        named = dict(zip(targets, units, strict=True))
        return [
            ForecastReply(rows=_rows_of(fitted, question), targets=list(targets), units=named) for question in questions
        ]


def _rows_of(fitted: LearnedForecaster, question: ForecastQuestion) -> list[dict[str, Cell]]:
    frame = fitted.predict(_source(question), anchors=question.anchors)
    times = [name for name, kind in frame.schema.items() if isinstance(kind, pl.Datetime | pl.Date)]
    shown = frame.with_columns(pl.col(name).dt.to_string("iso").str.replace(r"\.0+(\D|$)", "$1") for name in times)
    return shown.with_columns(pl.col(pl.Float64).fill_nan(None)).rows(named=True)


def _source(question: ForecastQuestion) -> object:
    """The rows of a question, as tables are read."""
    width = len(question.columns or {}) or max(map(len, question.rows or ()), default=0)
    if question.csv is not None:
        width = max(question.csv.partition("\n")[0].count(separator) + 1 for separator in ",;\t|")
    if width > MOST_COLUMNS:
        raise DataError(f"rows have at most {MOST_COLUMNS} columns; found {width}; send those that the model reads")
    if question.csv is not None:
        return CsvText(question.csv)
    try:
        if question.columns is not None:
            return pl.DataFrame(question.columns)
        return pl.DataFrame(question.rows, infer_schema_length=None)
    except (pl.exceptions.PolarsError, TypeError, ValueError) as error:
        told = str(error).strip().partition("\n")[0]
        raise DataError(f"the rows are no table: columns are equally long, of numbers or of text; {told}") from None


def example_columns(fitted: LearnedForecaster) -> dict[str, list[Cell]]:
    """A table that can be forecast from: each column at its mean in training, some rows more of what is known ahead.

    Args:
        fitted: What forecasts.
    """
    last = fitted.shape.leads[1] if fitted.covariates.known else 0
    count = int(fitted.about["rows_needed"]) + last
    columns: dict[str, list[Cell]] = {_time_column(fitted): _example_times(fitted, count)}
    for name in dict.fromkeys((*fitted.scaling.used, *fitted.covariates.known)):
        mean = float(fitted.scaling.mean[-1, fitted.scaling.columns.index(name)])
        seen = count if name in fitted.covariates.known else count - last
        columns[name] = [*[round(mean, 6)] * seen, *[None] * (count - seen)]
    if fitted.configuration.data.series is not None:
        columns[fitted.configuration.data.series] = [fitted.about["series"][0]] * count
    for static in fitted.covariates.statics:
        columns[static.name] = [static.categories[0] if static.categories else static.mean] * count
    return columns


def _example_times(fitted: LearnedForecaster, count: int) -> list[Cell]:
    """So many times on the grid, as text; with their offset where they are read in a zone."""
    section, grid = fitted.configuration.data, fitted.frequency
    zoned = section.timezone is not None and grid.unit == "microsecond" and grid.count % DAY != 0
    pattern = section.time_format or ("%Y-%m-%dT%H:%M:%S+00:00" if zoned else "%Y-%m-%d %H:%M:%S%.f")
    return local_times(grid.times(np.arange(count), _BEGIN), None).dt.to_string(pattern).to_list()


def _time_column(fitted: LearnedForecaster) -> str:
    written = fitted.about.get("written") or {}
    return str(written.get("column") or fitted.configuration.data.time or "time")


service = ForecastService()
