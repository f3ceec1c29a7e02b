"""What a forecaster remembers of its training, to tell later whether inputs or errors have drifted."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float64

from ...axes import TrainingRows
from ...data.tables import AnyTable, Table
from ...evaluation.drift import NO_LIMITS, ColumnProfile, Limits, profile_column

MOST_ROWS = 4_000_000  # of training, from which profiles are taken
NOTABLE = 0.1  # a stability index below it is usually called no change


@dataclass(frozen=True)
class Remembered:
    """How columns lay in training, and how large errors were on validation.

    Attributes:
        columns: The profile of each column that the model reads.
        ranges: The least and the largest value of each.
        limits: Of the mean scaled error of stretches of validation windows.
    """

    columns: dict[str, ColumnProfile] = field(default_factory=dict)
    ranges: dict[str, tuple[float, float]] = field(default_factory=dict)
    limits: Limits = NO_LIMITS

    def of(self, names: tuple[str, ...], limits: Limits) -> "Remembered":
        """The same of some columns, with the limits of a model's errors."""
        known = [name for name in names if name in self.columns]
        columns, ranges = {name: self.columns[name] for name in known}, {name: self.ranges[name] for name in known}
        return Remembered(columns, ranges, limits)

    def inputs(self, table: Table) -> list[dict[str, Any]]:
        """How each column of new rows lies beside training."""
        found = []
        for name, profile in self.columns.items():
            values = table.take([name])[:, 0]
            values = values[~np.isnan(values)]
            low, high = self.ranges[name]
            # Limits are those of stretches of one series; several series say more of the same time, not of more time.
            index, limit = profile.index(values), profile.limits.of(len(values) // len(table.series))
            beyond = float(((values < low) | (values > high)).mean()) if len(values) else 0.0
            drifted = limit is not None and index > max(limit, NOTABLE)
            found.append({"column": name, "index": index, "limit": limit, "beyond": beyond, "drifted": drifted})
        return found

    def errors(self, losses: Float64[np.ndarray, " forecast"], windows: int) -> dict[str, Any]:
        """How the errors of new forecasts lie beside validation.

        Args:
            losses: The scaled error of each.
            windows: How many windows they come from.
        """
        mean, limit = float(np.nanmean(losses)), self.limits.of(windows)
        return {"mae_scaled": mean, "limit": limit, "drifted": limit is not None and mean > limit}

    def document(self) -> dict[str, Any]:
        """As a JSON object."""
        return {
            "columns": {name: profile.document() for name, profile in self.columns.items()},
            "ranges": {name: list(ends) for name, ends in self.ranges.items()},
            "errors": self.limits.document(),
        }

    @classmethod
    def restore(cls, document: Mapping[str, Any]) -> "Remembered":
        """What a JSON object says.

        Raises:
            ValueError: It contradicts itself.
        """
        columns = {str(name): ColumnProfile.restore(own) for name, own in document["columns"].items()}
        ranges = {str(name): (float(own[0]), float(own[1])) for name, own in document["ranges"].items()}
        if columns.keys() != ranges.keys():
            raise ValueError("what is remembered of training names other columns in two places")
        return cls(columns, ranges, Limits.restore(document["errors"]))


NOTHING = Remembered()


def remember_columns(table: AnyTable, training: TrainingRows, names: tuple[str, ...]) -> Remembered:
    """How columns lie in training; in some stretches of it, evenly spread, where it is long.

    Args:
        table: The rows.
        training: Which of them lie in the training span.
        names: The columns that models read or forecast.
    """
    columns, ranges = {}, {}
    taken = _training_values(table, training, names)
    for place, name in enumerate(names):
        values = taken[:, place]
        profile = profile_column(values)
        if profile is not None:
            columns[name] = profile
            ranges[name] = (float(np.nanmin(values)), float(np.nanmax(values)))
    return Remembered(columns, ranges)


def _training_values(
    table: AnyTable, training: TrainingRows, names: tuple[str, ...]
) -> Float64[np.ndarray, "_row column"]:
    """The values of columns in training rows, in the order of time for each series."""
    step, parts = max(1, round(table.rows / MOST_ROWS)), list[Float64[np.ndarray, "_row column"]]()
    for number, stretch in enumerate(table.stretches()):
        own = training[stretch.rows]
        if number % step == 0 or (own.any() and not parts):
            parts.append(stretch.part.take(names)[stretch.own][own])
    return np.concatenate(parts)
