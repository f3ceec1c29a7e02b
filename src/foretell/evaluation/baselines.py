"""The rules that a network has to beat: persistence, the season before, climatology.

Each learns from training rows alone, chooses on validation, and says what it cannot do. (The fourth, ridge
regression, has a file of its own.)
"""

from abc import ABC, abstractmethod
from itertools import pairwise
from typing import Any

import numpy as np
from jaxtyping import Int64

from ..axes import AnchorArray, ForecastArray
from ..data.frequency import DAY
from ..data.tables import local_times
from .history import History

State = tuple[dict[str, Any], dict[str, np.ndarray]]


class Baseline(ABC):
    """A simple rule. ``fit`` learns, ``predict`` forecasts in the unit of the data, ``state`` is all it knows."""

    note: str = ""
    reads_past = True  # whether a window's values have a part in its forecast, or the clock alone

    @abstractmethod
    def fit(self, history: History, training: np.ndarray, anchors: dict[str, AnchorArray]) -> "Baseline":
        """Learns from the training rows and anchors, chooses on the validation anchors."""

    @abstractmethod
    def predict(self, history: History, anchors: AnchorArray) -> ForecastArray:
        """The forecast of each window, in the unit of the data."""

    @abstractmethod
    def rows_needed(self, history: History) -> int:
        """Rows up to the anchor that one forecast reads."""

    def fits(self, steps: int, leads: int, targets: int) -> bool:
        """Whether what it knows belongs to windows of so many steps, leads and targets."""
        return True

    @abstractmethod
    def state(self) -> State:
        """Plain values and arrays from which :meth:`restore` makes the same rule."""

    @classmethod
    @abstractmethod
    def restore(cls, document: dict[str, Any], arrays: dict[str, np.ndarray]) -> "Baseline":
        """The rule that some state describes."""


class Persistence(Baseline):
    """As it is now: the last input's target, at every lead."""

    def fit(self, history: History, training: np.ndarray, anchors: dict[str, AnchorArray]) -> "Persistence":
        """Learns nothing."""
        return self

    def predict(self, history: History, anchors: AnchorArray) -> ForecastArray:
        """The last value of each window, repeated."""
        return np.repeat(history.last(anchors)[:, None], history.shape.lead_count, axis=1)

    def rows_needed(self, history: History) -> int:
        """The last input alone."""
        return history.shape.last_input + 1

    def state(self) -> State:
        """Nothing."""
        return {}, {}

    @classmethod
    def restore(cls, document: dict[str, Any], arrays: dict[str, np.ndarray]) -> "Persistence":
        """A rule without anything learned."""
        return cls()


class SeasonalNaive(Baseline):
    """As it was a day or a week before the target, whichever validation prefers.

    Args:
        period: Length of the season in rows.
        note: What was chosen, and where it coincides with persistence.
    """

    def __init__(self, period: int = 1, note: str = "") -> None:
        self.period = period
        self.note = note

    def fit(self, history: History, training: np.ndarray, anchors: dict[str, AnchorArray]) -> "SeasonalNaive":
        """Tries each season of the frequency on the validation windows."""
        candidates = seasons(history, int(np.bincount(history.table.codes[training]).max()))
        if not candidates:
            self.period, self.note = (1, f"no season fits rows of {history.table.frequency}: the same as persistence")
            return self
        validation = anchors["validation"]
        truths = history.truths(validation)
        scale = history.deviation[history.table.codes[validation]][:, None]
        errors = {}
        for name, self.period in candidates.items():
            errors[name] = float((np.abs(self.predict(history, validation) - truths) / scale).mean())
        best = min(errors, key=lambda name: errors[name])
        self.period = candidates[best]
        seasons_back = (
            np.arange(history.shape.leads[0], history.shape.leads[1] + 1) - self._back(history)
        ) // self.period
        if seasons_back.max() == 1:
            self.note = f"as it was a {best} before the target"
        elif seasons_back.min() == seasons_back.max():
            self.note = f"as it was {seasons_back[0]} {best}s before the target, the latest that can be seen"
        else:
            self.note = f"as it was at the same time of the latest {best} that can be seen"
        if (self._back(history) == -history.shape.last_input).all():
            self.note += "; at this lead the same as persistence"
        return self

    def predict(self, history: History, anchors: AnchorArray) -> ForecastArray:
        """The value of the latest season that had been seen; persistence where the series is too young."""
        rows = anchors[:, None] + self._back(history)
        first = history.table.starts[:-1][history.table.codes[anchors]][:, None]
        now = (anchors - history.shape.last_input)[:, None]
        return history.filled[np.where(rows >= first, rows, now)]

    def fits(self, steps: int, leads: int, targets: int) -> bool:
        """Whether the period is one."""
        return self.period >= 1

    def rows_needed(self, history: History) -> int:
        """Back to the season before."""
        return int(-self._back(history).min()) + 1

    def state(self) -> State:
        """The period."""
        return {"period": self.period, "note": self.note}, {}

    @classmethod
    def restore(cls, document: dict[str, Any], arrays: dict[str, np.ndarray]) -> "SeasonalNaive":
        """A rule with this period."""
        return cls(int(document["period"]), str(document["note"]))

    def _back(self, history: History) -> Int64[np.ndarray, " lead"]:
        """Which row, counted from the anchor, stands for each lead."""
        shape = history.shape
        leads = np.arange(shape.leads[0], shape.leads[1] + 1)
        return leads - -(-(leads + shape.last_input) // self.period) * self.period


def seasons(history: History, rows: int) -> dict[str, int]:
    """The seasons that rows of a frequency can have, in rows: those with at least two rows and seen in training."""
    frequency = history.table.frequency
    if frequency.unit == "month":
        found = {"year": 12 // frequency.count} if 12 % frequency.count == 0 else {}
    elif frequency.unit == "weekday":
        found = {"week": 5}
    else:
        lengths = {"day": DAY, "week": 7 * DAY}
        if frequency.count >= DAY:
            lengths["year"] = round(365.2425 * DAY / frequency.count) * frequency.count
        found = {name: size // frequency.count for name, size in lengths.items() if size % frequency.count == 0}
    return {name: period for name, period in found.items() if 2 <= period <= rows}


class Climatology(Baseline):
    """As it usually is at this hour and this time of year: training means by hour and smoothed day of year.

    With less than two years of training the day of year cannot be told from the weather of that year, and
    the hour alone counts. New series get the mean of all.

    Args:
        series: Names of the series.
        mean: Mean for each series, day of year (one where it does not count) and hour; all series together last.
        note: Which of the two it is.
    """

    reads_past = False
    smoothing_days = 15

    def __init__(self, series: tuple[str, ...] = (), mean: np.ndarray | None = None, note: str = "") -> None:
        self.series = series
        self.mean = np.empty((1, 1, 24, 1)) if mean is None else mean
        self.note = note

    def fit(self, history: History, training: np.ndarray, anchors: dict[str, AnchorArray]) -> "Climatology":
        """Averages the observed targets of the training rows."""
        table = history.table
        times = table.times[training]
        days = int((int(times.max()) - int(times.min())) / DAY + 1 / table.frequency.rows_per_day)
        yearly = days >= 2 * 365
        by = "hour and day of year" if yearly else "hour of day"
        self.note = f"mean by {by}, from {days} days of training"
        places, hours = _calendar(times, table.timezone, yearly)
        observed, codes = history.observed[training], table.codes[training]
        bounds = np.searchsorted(codes, np.arange(len(table.series) + 1))
        groups = [*(slice(start, stop) for start, stop in pairwise(bounds)), slice(None)]
        overall = history.mean.mean(axis=0)
        self.series = table.series
        self.mean = np.stack([self._means(observed[own], places[own], hours[own], yearly, overall) for own in groups])
        return self

    def predict(self, history: History, anchors: AnchorArray) -> ForecastArray:
        """The mean of each target's hour and day."""
        times = history.target_times(anchors)
        days, hours = _calendar(times.reshape(-1), history.table.timezone, self.mean.shape[1] > 1)
        known = [self.series.index(name) if name in self.series else len(self.series) for name in history.table.series]
        codes = np.repeat(np.array(known)[history.table.codes[anchors]], times.shape[1])
        return self.mean[codes, days, hours].reshape(*times.shape, -1)

    def fits(self, steps: int, leads: int, targets: int) -> bool:
        """Whether the means are of so many targets."""
        shape = self.mean.shape
        return (
            len(shape) == 4 and shape[0] == len(self.series) + 1 and shape[1] in (1, 366) and shape[2:] == (24, targets)
        )

    def rows_needed(self, history: History) -> int:
        """One: the anchor, whose time says what is asked."""
        return 1

    def state(self) -> State:
        """The means."""
        return {"series": list(self.series), "note": self.note}, {"mean": self.mean}

    @classmethod
    def restore(cls, document: dict[str, Any], arrays: dict[str, np.ndarray]) -> "Climatology":
        """A rule with these means."""
        return cls(tuple(document["series"]), arrays["mean"], str(document["note"]))

    def _means(
        self, values: np.ndarray, days: np.ndarray, hours: np.ndarray, yearly: bool, overall: np.ndarray
    ) -> np.ndarray:
        """Means by day and hour; what was never seen takes the hour's mean, then the overall one."""
        size = 366 if yearly else 1
        slots = days * 24 + hours
        means = np.empty((size, 24, values.shape[1]))
        for target in range(values.shape[1]):
            seen = ~np.isnan(values[:, target])
            total = np.bincount(slots[seen], values[seen, target], minlength=size * 24).reshape(size, 24)
            count = np.bincount(slots[seen], minlength=size * 24).reshape(size, 24).astype(float)
            hour_count = count.sum(axis=0)
            by_hour = np.where(hour_count > 0, total.sum(axis=0) / np.maximum(hour_count, 1), overall[target])
            if yearly:
                total, count = (_smooth_circle(sums, self.smoothing_days) for sums in (total, count))
            means[:, :, target] = np.where(count > 0, total / np.maximum(count, 1e-12), by_hour)
        return means


def _smooth_circle(sums: np.ndarray, reach: int) -> np.ndarray:
    """Sums over the days within reach, the year being a circle."""
    wrapped = np.concatenate([sums[-reach:], sums, sums[:reach]])
    total = np.concatenate([np.zeros((1, sums.shape[1])), np.cumsum(wrapped, axis=0)])
    return total[2 * reach + 1 :] - total[: -2 * reach - 1]


def _calendar(times: np.ndarray, timezone: str | None, yearly: bool) -> tuple[np.ndarray, np.ndarray]:
    """Day of year (0 where it does not count) and hour of some times."""
    local = local_times(times, timezone)
    hours = local.dt.hour().to_numpy().astype(np.int64)
    days = local.dt.ordinal_day().to_numpy().astype(np.int64) - 1 if yearly else np.zeros(len(times), np.int64)
    return days, hours
