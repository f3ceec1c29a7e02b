"""A window as a row of numbers for trees: lags, seasons, means, other columns, the calendar, and the lead.

All is told relative to the target's last value, so that trees learn changes and not levels.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float32, Int64

from ...axes import AnchorArray
from ...data.tables import local_times
from .prepare import View

LAGS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256)
MEANS = (6, 24)
SEASONS_BACK = 3
MANY = 40  # columns beside the targets; of more only what is now and what has changed in a day is told
CHUNK_VALUES = 8_000_000

Places = Int64[np.ndarray, " row"]


@dataclass(frozen=True)
class Picks:
    """Which forecasts the rows are for: of which window, at which lead, of which target."""

    window: Places
    lead: Places
    target: Places


@dataclass(frozen=True)
class LagRows:
    """Makes rows.

    Attributes:
        view: The table.
        yearly: Whether the day of the year is told; it misleads where training saw less than two years.
    """

    view: View
    yearly: bool = False

    @property
    def width(self) -> int:
        """Numbers of a row."""
        anchors = np.array([self.view.shape.first_input])
        own = len(self._lags) + 2 * len(self._means) + 1
        others = self._of_others(anchors).shape[1]
        seasonal = SEASONS_BACK + 2 if self._day else 0
        return own + others + seasonal + 2 + self.yearly + 3 + self.view.known_width

    def of(
        self, anchors: AnchorArray, picks: Picks
    ) -> tuple[Float32[np.ndarray, "row number"], Float32[np.ndarray, " row"]]:
        """The rows of some forecasts, and the value from which each forecast's change is counted.

        Args:
            anchors: The windows.
            picks: Which forecasts of them; their windows are places among the anchors.
        """
        windows = self.view.inputs_at(anchors, own_past=True)[0].numpy()
        last = windows[:, -1]
        own = self._of_own_past(windows, last)[picks.window, :, picks.target]
        now = last[picks.window, picks.target]
        seasonal, base = self._of_seasons(windows, picks, now)
        others = self._of_others(anchors)[picks.window]
        parts = [own, others, *seasonal, *self._of_calendar(anchors, picks)]
        if self.view.known_width:
            known = self.view.inputs_at(anchors, own_past=True)[1].numpy()
            parts.append(known[picks.window, picks.lead - self.view.shape.leads[0]])
        codes = self.view.table.codes_of(anchors)[picks.window]
        parts += [picks.lead[:, None], picks.target[:, None], codes[:, None]]
        return np.concatenate([part.astype(np.float32, copy=False) for part in parts], axis=1), base

    def chunks(self, anchors: AnchorArray) -> Iterator[slice]:
        """Parts of some anchors whose windows are small enough to be held at once."""
        size = max(1, CHUNK_VALUES // (self.view.shape.steps * (self.view.width + len(self.view.scaling.targets))))
        for start in range(0, len(anchors), size):
            yield slice(start, start + size)

    @property
    def _lags(self) -> list[int]:
        return [lag for lag in LAGS if lag < self.view.shape.steps]

    @property
    def _means(self) -> list[int]:
        return sorted({min(length, self.view.shape.steps) for length in (*MEANS, self.view.shape.steps)})

    @property
    def _day(self) -> int:
        """Rows of a day; none where rows are not finer, or no whole number of them makes one."""
        rows = self.view.table.frequency.rows_per_day
        return round(rows) if rows >= 2 and abs(rows - round(rows)) < 1e-9 else 0

    def _of_own_past(
        self, windows: Float32[np.ndarray, "window time target"], last: Float32[np.ndarray, "window target"]
    ) -> Float32[np.ndarray, "window number target"]:
        lags = [windows[:, -1 - lag] - last for lag in self._lags]
        means = [windows[:, -length:].mean(axis=1) - last for length in self._means]
        spreads = [windows[:, -length:].std(axis=1) for length in self._means]
        return np.stack([*lags, *means, *spreads, last], axis=1)

    def _of_seasons(
        self, windows: Float32[np.ndarray, "window time target"], picks: Picks, now: Float32[np.ndarray, " row"]
    ) -> tuple[list[Any], Float32[np.ndarray, " row"]]:
        """The values at the target's time of day, on the days and in the week before; and the base of the change."""
        day, shape = self._day, self.view.shape
        if not day:
            return [], now
        steps = shape.steps

        def back(rows: Places) -> Float32[np.ndarray, " row"]:
            """The value so many rows before the anchor, at the nearest step; NaN outside the window."""
            step = np.rint((rows - shape.last_input) / shape.every).astype(np.int64)
            inside = (step >= 0) & (step < steps)
            found = windows[picks.window, steps - 1 - np.where(inside, step, 0), picks.target]
            return np.where(inside, found, np.nan).astype(np.float32)

        days = -(-(picks.lead + shape.last_input) // day)
        same = np.stack(
            [back((days + more) * day - picks.lead) for more in range(-(-steps * shape.every // day) + 1)], 1
        )
        seen = ~np.isnan(same)
        mean = np.where(seen, same, 0).sum(axis=1) / np.maximum(seen.sum(axis=1), 1)
        mean = np.where(seen.any(axis=1), mean, np.nan)
        shown = np.full((len(now), SEASONS_BACK), np.nan, np.float32)
        shown[:, : same.shape[1]] = same[:, :SEASONS_BACK]
        week = back(-(-(picks.lead + shape.last_input) // (7 * day)) * 7 * day - picks.lead)
        base = np.where(np.isnan(same[:, 0]), now, (now + same[:, 0]) / 2).astype(np.float32)
        return [shown - now[:, None], (week - now)[:, None], (mean - now)[:, None]], base

    def _of_others(self, anchors: AnchorArray) -> Float32[np.ndarray, "window number"]:
        """Columns beside the targets: now, and how that differs from the window and from the day before."""
        scaling, shape = self.view.scaling, self.view.shape
        named = [place for place, name in enumerate(scaling.features) if name not in scaling.targets]
        calendar = self.view.covariates.calendar_width(self.view.table.frequency)
        beside = range(len(scaling.features), self.view.width)
        kept = [place for place in beside if not scaling.width <= place < scaling.width + calendar]
        inputs = self.view.inputs_at(anchors, own_past=False)[0].numpy()
        columns, now = inputs[:, :, named], inputs[:, -1]
        day = min(max(1, (self._day or shape.every) // shape.every), shape.steps)
        change = columns[:, -1] - columns[:, -min(day + 1, shape.steps)]
        parts = [now[:, named], now[:, kept], change]
        if len(named) <= MANY:
            mean = columns.mean(axis=1)
            parts += [columns[:, -1] - mean, columns[:, -day:].mean(axis=1) - mean]
        return np.concatenate(parts, axis=1)

    def _of_calendar(self, anchors: AnchorArray, picks: Picks) -> list[np.ndarray]:
        """The hour, the day of the week and, where training saw two years, the day of the year of each target."""
        times = self.view.history.target_times(anchors)[picks.window, picks.lead - self.view.shape.leads[0]]
        local = local_times(times, self.view.table.timezone)
        hours = (local.dt.hour() + local.dt.minute() / 60).to_numpy()
        parts = [hours, local.dt.weekday().to_numpy()]
        if self.yearly:
            parts.append(local.dt.ordinal_day().to_numpy())
        return [part[:, None] for part in parts]
