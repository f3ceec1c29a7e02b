"""Stretches in which a column stands still, far longer than it does elsewhere: a sensor that is stuck."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from .runs import Runs, standing_out

_RESTS = 0.05  # of all rows: a value that holds more, in several stretches, is one that a column rests at (no rain)
_STRETCHES = 5
_LONGER = 5.0  # times as long as rows usually stand still
_LEAST = 12  # rows
_USUAL_STEPS = 8.0  # times the middle one
_SHARED = 0.8  # of both stretches


@dataclass(frozen=True)
class _Column:
    rows: Int64[np.ndarray, " present"]
    runs: Runs
    kinds: Int64[np.ndarray, " run"]

    def is_saturated(self, run: np.int64) -> bool:
        """Whether a run stands at the end of the range, and the column comes there, and leaves, by a usual step."""
        values = self.runs.values
        if values[run] not in (values.min(), values.max()):
            return False
        steps = np.abs(np.diff(values))
        beside = steps[max(0, int(run) - 1) : int(run) + 1]
        return bool(len(beside) == 0 or beside.max() <= _USUAL_STEPS * np.median(steps))

    def stretch(self, run: np.int64) -> tuple[int, int]:
        first, length = int(self.runs.starts[run]), int(self.runs.lengths[run])
        return int(self.rows[first]), int(self.rows[first + length - 1]) + 1


def still_stretches(values: Float64[np.ndarray, "row column"]) -> list[tuple[int, int, int]]:
    """Stretches in which a column is stuck: the column, the first row, and the row after the last.

    A stretch is measured against others of its kind: at the value at which a column rests, at zero, together with
    another column (rows that were filled in), or none of these.

    Args:
        values: Row by row; NaN where missing.

    >>> waves = np.sin(np.arange(400.0))
    >>> waves[100:160] = waves[100]
    >>> still_stretches(waves[:, None])
    [(0, 100, 160)]
    """
    columns = [_column(own) for own in values.T]
    long = [
        (number, *own.stretch(run))
        for number, own in enumerate(columns)
        for run in np.flatnonzero((own.runs.lengths >= _LEAST) & (own.kinds <= 0))
    ]
    found = []
    for number, own in enumerate(columns):
        kinds = own.kinds.copy()
        for run in np.flatnonzero((own.runs.lengths >= _LEAST) & (kinds <= 0)):
            if _is_shared(number, *own.stretch(run), long):
                kinds[run] = -2
        for kind in np.unique(kinds):
            alike = np.flatnonzero(kinds == kind)
            found += [
                (number, *own.stretch(run))
                for run in alike[standing_out(own.runs.lengths[alike], _LEAST)]
                if own.runs.lengths[run] >= _LONGER * _usual(np.delete(own.runs.lengths, run))
                and not own.is_saturated(run)
            ]
    return sorted(found)


def _column(values: Float64[np.ndarray, " row"]) -> _Column:
    """Its runs, each with its kind: 1 and up for a value to rest at, -1 for zero, 0 for all others."""
    rows = np.flatnonzero(~np.isnan(values))
    runs = Runs.of(values[rows])
    different, value, stretches = np.unique(runs.values, return_inverse=True, return_counts=True)
    if len(different) < 3:
        rows, runs = rows[:0], Runs.of(values[:0])
        return _Column(rows, runs, np.zeros(0, np.int64))
    resting = (np.bincount(value, runs.lengths) > _RESTS * len(rows)) & (stretches >= _STRETCHES)
    return _Column(rows, runs, np.where(resting[value], value + 1, np.where(runs.values == 0, -1, 0)))


def _is_shared(number: int, first: int, last: int, others: list[tuple[int, int, int]]) -> bool:
    return any(
        other != number and min(last, end) - max(first, begin) >= _SHARED * max(last - first, end - begin)
        for other, begin, end in others
    )


def _usual(lengths: Int64[np.ndarray, " run"]) -> float:
    """How long the run is in which the middle one of all rows stands."""
    ordered = np.sort(lengths)
    held = np.cumsum(ordered)
    return float(ordered[np.searchsorted(held, held[-1] / 2)])
