"""Prediction intervals by split conformal prediction: how wide they must be is read from errors on the validation span.

For each lead and target the margin is the k-th smallest score of n validation windows, k = ⌈(n + 1) · level⌉. The score
of a forecast of one number is its distance from the truth (Vovk, Gammerman and Shafer, "Algorithmic Learning in a
Random World", 2005; Lei et al., "Distribution-Free Predictive Inference for Regression", 2018); that of quantiles is
how far the truth lies outside them (Romano, Patterson and Candès, "Conformalized Quantile Regression", 2019). What is
covered on average holds where validation and future are alike; what was reached on test is always told beside it.
"""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float32, Float64, Int64

from ..axes import ForecastArray, QuantileArray
from ..errors import DataError

ROUNDING = 1e-6
MOST_SCORES = 40_000_000  # of one level; beyond it evenly spread windows are taken


def quantiles_of(levels: tuple[float, ...]) -> tuple[float, ...]:
    """The quantiles that the ends of intervals are, with the median between them.

    >>> quantiles_of((0.5, 0.9))
    (0.05, 0.25, 0.5, 0.75, 0.95)
    """
    lower = [(1 - level) / 2 for level in sorted(levels, reverse=True)]
    return tuple(round(share, 6) for share in (*lower, 0.5, *(1 - share for share in reversed(lower))))


def ends(forecasts: QuantileArray, number: int) -> tuple[ForecastArray, ForecastArray]:
    """The quantiles that enclose the interval of a level; the forecast itself, twice, where it is one number.

    Args:
        forecasts: As a model gives them.
        number: The level's place among the levels, the smallest first.
    """
    low, high = ends_at(forecasts.shape[-1], number)
    return forecasts[..., low], forecasts[..., high]


def ends_at(count: int, number: int) -> tuple[int, int]:
    """Where the quantiles that enclose the interval of a level stand among so many.

    Args:
        count: How many quantiles there are; one alone is the forecast itself.
        number: The level's place among the levels, the smallest first.

    >>> ends_at(5, 0), ends_at(5, 1), ends_at(1, 1)
    ((1, 3), (0, 4), (0, 0))
    """
    middle = count // 2
    reach = 0 if middle == 0 else number + 1
    return middle - reach, middle + reach


@dataclass(frozen=True)
class Intervals:
    """What is to be added to both ends of a forecast.

    Attributes:
        levels: Shares of the truth that shall be covered, the smallest first.
        margins: For each of them, in the deviations that scale the targets.
    """

    levels: tuple[float, ...]
    margins: Float64[np.ndarray, "level lead target"]

    def around(
        self, forecasts: QuantileArray, deviation: Float64[np.ndarray, "window target"], number: int
    ) -> tuple[ForecastArray, ForecastArray]:
        """Both ends of each forecast's interval, in the unit of the data.

        Args:
            forecasts: As a model gives them, in the unit of the data.
            deviation: What scales the targets of each window's series.
            number: The level's place among the levels.
        """
        low, high = ends(forecasts, number)
        margin = self.margins[number] * deviation[:, None]
        # A negative margin may narrow quantiles that are too wide, never past their middle.
        middle = (low + high) / 2
        return np.minimum(low - margin, middle), np.maximum(high + margin, middle)


@dataclass
class Calibration:
    """Scores of validation windows, gathered batch by batch.

    Args:
        levels: Shares of the truth that shall be covered, the smallest first.
        scores: A list of scores for each of them.
    """

    levels: tuple[float, ...]
    scores: list[list[Float32[np.ndarray, "window lead target"]]] = field(init=False)

    def __post_init__(self) -> None:
        self.scores = [[] for _ in self.levels]

    def add(
        self, forecasts: QuantileArray, truths: ForecastArray, deviation: Float64[np.ndarray, "window target"]
    ) -> None:
        """Takes the scores of some windows."""
        for number in range(len(self.levels)):
            low, high = ends(forecasts, number)
            outside = np.maximum(low - truths, truths - high) / deviation[:, None]
            self.scores[number].append(outside.astype(np.float32))

    def intervals(self, source: str) -> Intervals:
        """The margins that the scores ask for.

        Args:
            source: What the windows came from, for the error.

        Raises:
            DataError: There are too few windows for a level.
        """
        margins = []
        for level, parts in zip(self.levels, self.scores, strict=True):
            scores = np.concatenate(parts)
            rank = math.ceil((len(scores) + 1) * level - 1e-9)
            if rank > len(scores):
                needed = math.ceil(level / (1 - level) - 1e-9)
                raise DataError(
                    f"{source}: an interval that covers {level:g} needs {needed} validation windows; there are "
                    f"{len(scores)}; choose a longer validation span or a smaller share",
                    file=source,
                    needed=needed,
                    windows=len(scores),
                )
            margins.append(np.partition(scores, rank - 1, axis=0)[rank - 1])
        exact = np.stack(margins).astype(np.float64)
        # Scores are rounded; truths that lie at the very margin, as those of whole numbers often do, belong inside.
        return Intervals(self.levels, exact + ROUNDING * np.abs(exact))


@dataclass
class CoverageSums:
    """How often intervals held the truth, and how wide they were, summed batch by batch.

    Args:
        intervals: The intervals.
        deviation: The deviation that scales each target of each series.
    """

    intervals: Intervals
    deviation: Float64[np.ndarray, "series target"]
    inside: Int64[np.ndarray, "level lead target"] = field(init=False)
    width: Float64[np.ndarray, "level target"] = field(init=False)
    width_scaled: Float64[np.ndarray, "level target"] = field(init=False)
    count: int = 0

    def __post_init__(self) -> None:
        shape = self.intervals.margins.shape
        self.inside = np.zeros(shape, np.int64)
        self.width, self.width_scaled = (np.zeros((shape[0], shape[2])) for _ in range(2))

    def add(self, forecasts: QuantileArray, truths: ForecastArray, codes: Int64[np.ndarray, " window"]) -> None:
        """Counts some windows."""
        deviation = self.deviation[codes]
        for number in range(len(self.intervals.levels)):
            low, high = self.intervals.around(forecasts, deviation, number)
            self.inside[number] += ((low <= truths) & (truths <= high)).sum(axis=0)
            self.width[number] += (high - low).mean(axis=1).sum(axis=0)
            self.width_scaled[number] += ((high - low).mean(axis=1) / deviation).sum(axis=0)
        self.count += len(codes)

    def metrics(self, target: int | None = None) -> dict[str, dict[str, Any]]:
        """Coverage and mean width of each level: of one target in its unit, or of all, scaled.

        Args:
            target: Its number; all where None.
        """
        chosen = slice(None) if target is None else slice(target, target + 1)
        return {
            f"{level:g}": {
                "coverage": float(self.inside[number, :, chosen].mean() / self.count),
                "width": None if target is None else float(self.width[number, target] / self.count),
                "width_scaled": float(self.width_scaled[number, chosen].mean() / self.count),
            }
            for number, level in enumerate(self.intervals.levels)
        }

    def by_lead(self, number: int, target: int = 0) -> Float64[np.ndarray, " lead"]:
        """The share of the truth inside a level's intervals, at each lead."""
        return self.inside[number, :, target] / max(1, self.count)
