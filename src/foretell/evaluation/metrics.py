"""Errors of forecasts, summed batch by batch, and the metrics that follow from the sums.

Units are never pooled: sums are kept by target, and what spans several targets is scaled.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64

from ..axes import ForecastArray
from .uncertainty import intervals_over_time

MOST_SERIES = 1000  # that are told one by one


@dataclass
class ErrorSums:
    """Sums of forecast errors over windows: by series, by lead and by hour of day, each by target.

    Args:
        deviation: The standard deviation that scaled each target of each series.
        leads: Forecast steps of a window.
    """

    deviation: Float64[np.ndarray, "series target"]
    leads: int
    absolute: Float64[np.ndarray, "series target"] = field(init=False)
    squared: Float64[np.ndarray, "series target"] = field(init=False)
    count: Int64[np.ndarray, " series"] = field(init=False)
    lead_absolute: Float64[np.ndarray, "lead target"] = field(init=False)
    hour_absolute: Float64[np.ndarray, "hour target"] = field(init=False)
    hour_count: Int64[np.ndarray, " hour"] = field(init=False)
    window_losses: list[Float64[np.ndarray, " window"]] = field(default_factory=list)
    window_errors: list[Float64[np.ndarray, "2 window"]] = field(default_factory=list)

    def __post_init__(self) -> None:
        series, targets = self.deviation.shape
        self.absolute = np.zeros((series, targets))
        self.squared = np.zeros((series, targets))
        self.count = np.zeros(series, np.int64)
        self.lead_absolute = np.zeros((self.leads, targets))
        self.hour_absolute = np.zeros((24, targets))
        self.hour_count = np.zeros(24, np.int64)

    def add(
        self,
        forecasts: ForecastArray,
        truths: ForecastArray,
        codes: Int64[np.ndarray, " window"],
        hours: Int64[np.ndarray, "window lead"],
    ) -> None:
        """Counts some windows.

        Args:
            forecasts: In the unit of the data.
            truths: Likewise.
            codes: The series of each window.
            hours: The hour of day of each target.
        """
        errors = forecasts - truths
        distances = np.abs(errors)
        order = np.argsort(codes, kind="stable")
        series, begins, counts = np.unique(codes[order], return_index=True, return_counts=True)
        self.absolute[series] += np.add.reduceat(distances.sum(axis=1)[order], begins, axis=0)
        self.squared[series] += np.add.reduceat(np.square(errors).sum(axis=1)[order], begins, axis=0)
        self.count[series] += counts
        self.lead_absolute += distances.sum(axis=0)
        flat = hours.reshape(-1)
        self.hour_count += np.bincount(flat, minlength=24)
        for target in range(distances.shape[2]):
            self.hour_absolute[:, target] += np.bincount(flat, distances[:, :, target].reshape(-1), minlength=24)
        if distances.shape[2] == 1:
            self.window_errors.append(np.stack([part.mean(axis=(1, 2)) for part in (distances, np.square(errors))]))
        self.window_losses.append((distances.mean(axis=1) / self.deviation[codes]).mean(axis=1))

    @property
    def losses(self) -> Float64[np.ndarray, " window"]:
        """The scaled absolute error of each window, in the order in which windows were added."""
        return np.concatenate(self.window_losses) if self.window_losses else np.empty(0)

    def metrics(
        self, targets: tuple[str, ...], units: tuple[str | None, ...], naive: Float64[np.ndarray, " target"]
    ) -> dict[str, Any]:
        """The metrics over all windows.

        Args:
            targets: Names of the targets.
            units: Their units.
            naive: What the seasonal naive rule misses by in training, for MASE.

        Returns:
            ``mae``, ``mse``, ``rmse`` in the unit where there is one target, the scaled ones and ``count`` always;
            with several targets those in a unit stand under ``targets``.
        """
        by_target = {
            name: self._one(number, units[number], float(naive[number])) for number, name in enumerate(targets)
        }
        if len(targets) == 1:
            return by_target[targets[0]]
        windows = int(self.count.sum())
        return {
            "mae": None,
            "unit": None,
            "mae_scaled": float(np.mean([entry["mae_scaled"] for entry in by_target.values()])),
            "mse_scaled": float(np.mean([entry["mse_scaled"] for entry in by_target.values()])),
            "count": windows,
            "targets": by_target,
        }

    def intervals(self, moments: Int64[np.ndarray, " window"], block: int) -> dict[str, dict[str, float]]:
        """The 95 % intervals of the metrics, by a bootstrap of blocks of time.

        Args:
            moments: The place in time of each window, in the order in which windows were added.
            block: Length of a block in places.

        Returns:
            The ends (``low``, ``high``) of ``mae_scaled``, and of ``mae`` and ``rmse`` where there is one target;
            nothing where time is too short to tell.
        """
        numbers = {"mae_scaled": self.losses}
        if self.window_errors:
            numbers["mae"], numbers["rmse"] = np.concatenate(self.window_errors, axis=1)
        found = intervals_over_time(numbers, moments, block)
        if "rmse" in found:
            low, high = found["rmse"]  # of the squares, whose root keeps their order
            found["rmse"] = (low**0.5, high**0.5)
        return {name: {"low": low, "high": high} for name, (low, high) in found.items()}

    def by_series(
        self, series: tuple[str, ...], targets: tuple[str, ...], units: tuple[str | None, ...]
    ) -> list[dict[str, Any]]:
        """Errors of each series and target, in the unit of the data; of the worst where series are very many."""
        rows = []
        scaled = (self.absolute / self.deviation).mean(axis=1) / np.maximum(self.count, 1)
        worst = np.sort(np.argsort(np.where(self.count > 0, -scaled, np.inf), kind="stable")[:MOST_SERIES])
        for code in worst.tolist():
            name = series[code]
            if not self.count[code]:
                continue
            for number, target in enumerate(targets):
                cells = self.count[code] * self.leads
                rows.append(
                    {
                        "series": name,
                        "target": target,
                        "mae": float(self.absolute[code, number] / cells),
                        "mae_scaled": float(self.absolute[code, number] / cells / self.deviation[code, number]),
                        "mse": float(self.squared[code, number] / cells),
                        "rmse": float(np.sqrt(self.squared[code, number] / cells)),
                        "unit": units[number],
                        "count": int(self.count[code]),
                    }
                )
        return rows

    def forget_windows(self) -> None:
        """Lets go of what is known window by window, once nobody asks for it any more."""
        self.window_losses, self.window_errors = [], []

    def by_lead(self, target: int = 0) -> Float64[np.ndarray, " lead"]:
        """Mean absolute error at each lead, in the target's unit."""
        return self.lead_absolute[:, target] / max(1, int(self.count.sum()))

    def by_hour(self, target: int = 0) -> Float64[np.ndarray, " hour"]:
        """Mean absolute error at each hour of the target's time; NaN where no target fell."""
        with np.errstate(invalid="ignore"):
            return self.hour_absolute[:, target] / np.where(self.hour_count, self.hour_count, np.nan)

    def _one(self, number: int, unit: str | None, naive: float) -> dict[str, Any]:
        cells = int(self.count.sum()) * self.leads
        absolute, squared = self.absolute[:, number], self.squared[:, number]
        deviation = self.deviation[:, number]
        mae, mse = float(absolute.sum() / cells), float(squared.sum() / cells)
        return {
            "mae": mae,
            "unit": unit,
            "mae_scaled": float((absolute / deviation).sum() / cells),
            "mse": mse,
            "mse_scaled": float((squared / deviation**2).sum() / cells),
            "rmse": mse**0.5,
            "mase": mae / naive if naive > 0 else None,
            "count": int(self.count.sum()),
        }
