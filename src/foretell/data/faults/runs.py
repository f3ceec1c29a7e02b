"""Runs of equal values, and which of them are far longer than all others."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64, Shaped

_FACTOR = 3.5  # times as long as the next
_MOST = 3  # of them at once


@dataclass(frozen=True)
class Runs:
    """Rows that follow each other and hold the same.

    Attributes:
        starts: The first row of each run.
        lengths: How many rows it has.
        values: What they hold.

    >>> Runs.of(np.array([5, 5, 7])).lengths.tolist()
    [2, 1]
    """

    starts: Int64[np.ndarray, " run"]
    lengths: Int64[np.ndarray, " run"]
    values: Shaped[np.ndarray, " run"]

    @classmethod
    def of(cls, values: Shaped[np.ndarray, " row"]) -> "Runs":
        """Those of some values."""
        begins = np.flatnonzero(values[1:] != values[:-1]) + 1
        starts = np.concatenate([[0], begins]).astype(np.int64) if len(values) else np.zeros(0, np.int64)
        return cls(starts, np.diff(np.append(starts, len(values))), values[starts])


def standing_out(lengths: Int64[np.ndarray, " run"], least: int = 12) -> Int64[np.ndarray, " found"]:
    """Which runs are far longer than all others: up to three, each 3.5 times as long as the longest of the rest.

    Args:
        lengths: Of the runs.
        least: How long one is at least.

    >>> standing_out(np.array([2, 50, 3, 60])).tolist(), standing_out(np.array([50, 40, 30, 20])).tolist()
    ([3, 1], [])
    """
    order = np.argsort(-lengths, kind="stable")
    ordered = np.append(lengths[order], 0)
    for count in range(min(_MOST, len(lengths)), 0, -1):
        if ordered[count - 1] >= max(least, _FACTOR * ordered[count]):
            return order[:count]
    return order[:0]
