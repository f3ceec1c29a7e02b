"""Constants far outside everything else, such as -9999, which may stand for missing values.

A column's few least and greatest values say enough, so that rows may be looked at piece by piece.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from ..axes import TableArray
from ..errors import counted
from .health import Health

KNOWN_SENTINELS = (
    -9999.0,
    -999.0,
    -99.0,
    -999.9,
    -99.9,
    -9999.9,
    9999.0,
    999.0,
    99999.0,
    -99999.0,
    999.9,
    9999.9,
    -32768.0,
    65535.0,
)
_MOST = 4  # sentinels on each side of a column


@dataclass
class Extremes:
    """The least and the greatest values of a column, and how often each stands.

    Attributes:
        lowest: Values from the least on.
        low_counts: Of each.
        highest: Values from the greatest on.
        high_counts: Of each.

    >>> extremes = Extremes.of(np.array([1.0, 2.0, 2.0, -9999.0, np.nan]))
    >>> extremes.lowest.tolist(), extremes.highest.tolist(), extremes.high_counts.tolist()
    ([-9999.0, 1.0, 2.0], [2.0, 1.0, -9999.0], [2, 1, 1])
    """

    lowest: np.ndarray
    low_counts: np.ndarray
    highest: np.ndarray
    high_counts: np.ndarray

    @classmethod
    def of(cls, values: Float64[np.ndarray, " row"]) -> "Extremes":
        """Those of some values; NaN where missing."""
        found = cls(*(np.zeros(0, kind) for kind in (np.float64, np.int64) * 2))
        found.add(values)
        return found

    def add(self, values: Float64[np.ndarray, " row"]) -> None:
        """Looks at more values."""
        self.lowest, self.low_counts = _merged(self.lowest, self.low_counts, values)
        # What is greatest is least the other way round.
        turned, self.high_counts = _merged(-self.highest, self.high_counts, -values)
        self.highest = -turned

    def outliers(self, lowest: bool) -> Iterator[tuple[float, int, float, float]]:
        """Values far outside all others on one side: the value, how often it stands, and the range of the others."""
        own, counts = (self.lowest, self.low_counts) if lowest else (self.highest, self.high_counts)
        for place in range(min(_MOST, len(own) - 1)):
            value, count = float(own[place]), int(counts[place])
            ends = (float(own[place + 1]), float((self.highest if lowest else self.lowest)[0]))
            low, high = min(ends), max(ends)
            distance, spread = max(low - value, value - high), high - low
            usual = spread if value in KNOWN_SENTINELS else (3 if count > 1 else 1000) * spread
            if not (distance > usual and (spread > 0 or value in KNOWN_SENTINELS)):
                return
            yield value, count, low, high


def _merged(
    known: Float64[np.ndarray, " value"], counts: np.ndarray, values: Float64[np.ndarray, " row"]
) -> tuple[np.ndarray, np.ndarray]:
    """The least of what is known and of more values, and how often each stands."""
    most = _MOST + 1
    if len(known) == most:
        values = values[values <= known[-1]]
    else:
        values = values[~np.isnan(values)]
        if len(values) > 100 * most:  # some that hold the least ones, found without sorting all
            least = np.partition(values, 20 * most)[: 20 * most]
            if len(np.unique(least)) > most:
                values = values[values <= np.unique(least)[most - 1]]
    fresh, often = np.unique(values, return_counts=True)
    merged = np.union1d(known, fresh)
    total = np.zeros(len(merged), np.int64)
    total[np.searchsorted(merged, known)] += counts
    total[np.searchsorted(merged, fresh)] += often
    return merged[:most], total[:most]


def point_out_sentinels(columns: list[str], values: TableArray, health: Health) -> None:
    """Warns of constants that lie far outside everything else."""
    for position, name in enumerate(columns):
        point_out(name, Extremes.of(values[:, position]), health)


def point_out(name: str, extremes: Extremes, health: Health) -> None:
    """The same for one column whose extremes are known."""
    for lowest in (True, False):
        for value, count, low, high in extremes.outliers(lowest):
            health.warn(
                "suspicious",
                f'"{name}": {value:g} stands {counted(count, "time")}, far from the others ({low:g} to {high:g}); '
                f"if it means missing, say --missing {value:g}",
                column=name,
                rows=count,
                remedy={"missing": f"{value:g}"},
            )
