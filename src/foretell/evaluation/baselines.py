"""The rules that a network has to beat: persistence, the season before, climatology.

Each learns from training rows alone, chooses on validation, and says what it cannot do. (The fourth, ridge
regression, has a file of its own.)
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64

from ..axes import AnchorArray, ForecastArray, TimeArray, TrainingRows
from ..data.frequency import DAY
from ..data.tables import Stretch, local_times
from .history import History

_AT_ONCE = 4096  # windows
_MOST_CELLS = 20_000_000  # means of a climatology
_CELLS = 1_000_000  # of them that are worked out together

State = tuple[dict[str, Any], dict[str, np.ndarray]]


class Baseline(ABC):
    """A simple rule. ``fit`` learns, ``predict`` forecasts in the unit of the data, ``state`` is all it knows."""

    note: str = ""
    reads_past = True  # whether a window's values have a part in its forecast, or the clock alone

    @abstractmethod
    def fit(self, history: History, training: TrainingRows, anchors: dict[str, AnchorArray]) -> "Baseline":
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

    def fit(self, history: History, training: TrainingRows, anchors: dict[str, AnchorArray]) -> "Persistence":
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

    def fit(self, history: History, training: TrainingRows, anchors: dict[str, AnchorArray]) -> "SeasonalNaive":
        """Tries each season of the frequency on the validation windows."""
        candidates = seasons(history, int(_trained(history, training).max()))
        if not candidates:
            self.period, self.note = (1, f"no season fits rows of {history.table.frequency}: the same as persistence")
            return self
        validation = anchors["validation"]
        errors = dict.fromkeys(candidates, 0.0)
        for start in range(0, len(validation), _AT_ONCE):
            some = validation[start : start + _AT_ONCE]
            truths, scale = history.truths(some), history.deviation[history.table.codes_of(some)][:, None]
            for name, self.period in candidates.items():
                errors[name] += float((np.abs(self.predict(history, some) - truths) / scale).sum())
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
        first = history.table.starts[:-1][history.table.codes_of(anchors)][:, None]
        now = (anchors - history.shape.last_input)[:, None]
        return history.filled(np.where(rows >= first, rows, now))

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

    def fit(self, history: History, training: TrainingRows, anchors: dict[str, AnchorArray]) -> "Climatology":
        """Averages the observed targets of the training rows."""
        table = history.table
        ends = [_ends(stretch.part.times[stretch.own][training[stretch.rows]]) for stretch in _parts(history, training)]
        first, last = min(low for low, _ in ends), max(high for _, high in ends)
        days = int((last - first) / DAY + 1 / table.frequency.rows_per_day)
        cells, targets = (len(table.series) + 1) * 366 * 24, history.mean.shape[1]
        yearly = days >= 2 * 365 and cells * targets <= _MOST_CELLS
        by = "hour and day of year" if yearly else "hour of day"
        self.note = f"mean by {by}, from {days} days of training"
        if days >= 2 * 365 and not yearly:
            self.note += "; the series are too many to tell each by the day of the year"
        size = 366 if yearly else 1
        total = np.zeros((len(table.series) + 1, size * 24, targets))
        count = np.zeros_like(total)
        for stretch in _parts(history, training):
            own = training[stretch.rows]
            days_of, hours = _calendar(stretch.part.times[stretch.own][own], table.timezone, yearly)
            rows = np.arange(stretch.rows.start, stretch.rows.stop)[own]
            observed, slots = history.observed(rows), days_of * 24 + hours
            codes = table.codes_of(rows)
            first, last = int(codes[0]), int(codes[-1])
            _add_by_slot(total[first : last + 1], count[first : last + 1], observed, slots, codes - first)
            _add_by_slot(total[-1:], count[-1:], observed, slots, np.zeros_like(codes))
        self.series = table.series
        self.mean = np.empty((len(total), size, 24, targets))
        block = max(1, _CELLS // total[0].size)
        for start in range(0, len(total), block):
            some = slice(start, start + block)
            self.mean[some] = self._means(total[some], count[some], history.mean.mean(axis=0))
        return self

    def predict(self, history: History, anchors: AnchorArray) -> ForecastArray:
        """The mean of each target's hour and day."""
        times = history.target_times(anchors)
        days, hours = _calendar(times.reshape(-1), history.table.timezone, self.mean.shape[1] > 1)
        own, series = history.table.codes_of(anchors), history.table.series
        if series != self.series:
            places = {name: place for place, name in enumerate(self.series)}
            seen, where = np.unique(own, return_inverse=True)
            own = np.array([places.get(series[code], len(self.series)) for code in seen])[where]
        codes = np.repeat(own, times.shape[1])
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
        self,
        total: Float64[np.ndarray, "series slot target"],
        count: Float64[np.ndarray, "series slot target"],
        overall: Float64[np.ndarray, " target"],
    ) -> Float64[np.ndarray, "series day hour target"]:
        """Means by day and hour; what was never seen takes the hour's mean, then the overall one."""
        total, count = (sums.reshape(len(sums), -1, 24, sums.shape[2]) for sums in (total, count))
        hour_count = count.sum(axis=1, keepdims=True)
        by_hour = np.where(hour_count > 0, total.sum(axis=1, keepdims=True) / np.maximum(hour_count, 1), overall)
        if total.shape[1] > 1:
            total, count = (_smooth_circle(sums, self.smoothing_days) for sums in (total, count))
        return np.where(count > 0, total / np.maximum(count, 1e-12), by_hour)


def _trained(history: History, training: TrainingRows) -> Int64[np.ndarray, " series"]:
    """How many rows of each series lie in the training span."""
    counts = np.zeros(len(history.table.series), np.int64)
    for stretch in history.table.stretches():
        rows = np.arange(stretch.rows.start, stretch.rows.stop)[training[stretch.rows]]
        codes, own = np.unique(history.table.codes_of(rows), return_counts=True)
        counts[codes] += own
    return counts


def _parts(history: History, training: TrainingRows) -> Iterator[Stretch]:
    """The stretches of a table that have rows in the training span."""
    return (stretch for stretch in history.table.stretches() if training[stretch.rows].any())


def _ends(times: TimeArray) -> tuple[int, int]:
    return int(times.min()), int(times.max())


def _add_by_slot(
    total: Float64[np.ndarray, "series slot target"],
    count: Float64[np.ndarray, "series slot target"],
    values: Float64[np.ndarray, "row target"],
    slots: Int64[np.ndarray, " row"],
    series: Int64[np.ndarray, " row"],
) -> None:
    """Adds observed values to the sums of their series and slots, and counts them."""
    shape = total.shape[:2]
    cells = series * shape[1] + slots
    for target in range(values.shape[1]):
        seen = ~np.isnan(values[:, target])
        total[..., target] += np.bincount(cells[seen], values[seen, target], total[..., target].size).reshape(shape)
        count[..., target] += np.bincount(cells[seen], minlength=total[..., target].size).reshape(shape)


def _smooth_circle(
    sums: Float64[np.ndarray, "series day hour target"], reach: int
) -> Float64[np.ndarray, "series day hour target"]:
    """Sums over the days within reach, the year being a circle."""
    wrapped = np.concatenate([sums[:, -reach:], sums, sums[:, :reach]], axis=1)
    total = np.concatenate([np.zeros_like(sums[:, :1]), np.cumsum(wrapped, axis=1)], axis=1)
    return total[:, 2 * reach + 1 :] - total[:, : -2 * reach - 1]


def _calendar(times: np.ndarray, timezone: str | None, yearly: bool) -> tuple[np.ndarray, np.ndarray]:
    """Day of year (0 where it does not count) and hour of some times."""
    local = local_times(times, timezone)
    hours = local.dt.hour().to_numpy().astype(np.int64)
    days = local.dt.ordinal_day().to_numpy().astype(np.int64) - 1 if yearly else np.zeros(len(times), np.int64)
    return days, hours
