"""Closed-form ridge regression on the window less its last value: a second's work that many networks do not beat.

Each target is forecast from its own past alone: w = (XᵀX + λI)⁻¹ XᵀY, where a row of X is a window less its
last value and Y the target less it. Coefficients are shared by the targets or each has its own, and λ is
chosen, on validation. Only XᵀX and XᵀY are ever held: memory does not grow with the number of windows.
Hoerl and Kennard, "Ridge regression" (1970); Zeng et al., "Are Transformers effective ...?" (2023).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64

from ..axes import AnchorArray, ForecastArray, TrainingRows
from ..data.stored_windows import StoredWindows
from ..data.windows import Windows, spread_over
from .baselines import Baseline, State
from .history import History

PENALTIES = np.logspace(-6, 2, 17)  # relative to the mean of the diagonal
MOST_STEPS = 2000
MOST_WINDOWS = 4_000_000
MOST_WORK = 2e11  # windows × steps²: beyond it evenly spread windows are taken
_CHUNK_VALUES = 5_000_000  # numbers that are unfolded at once


@dataclass(frozen=True)
class _Moments:
    """Second moments of some windows, for each target or all together: all that a squared error depends on."""

    gram: Float64[np.ndarray, "set step step"]
    cross: Float64[np.ndarray, "set step lead"]
    square: Float64[np.ndarray, "target lead"]
    count: int

    def error(self, weights: Float64[np.ndarray, "_ step lead"]) -> float:
        """The mean squared error of some coefficients on these windows."""
        fitted = np.sum(weights * (self.gram @ weights - 2 * self.cross))
        return float((fitted + self.square.sum()) / (self.count * self.square.size))


class Ridge(Baseline):
    """Ridge regression on each target's own window.

    Args:
        weights: Coefficients, the intercept last; one set for all targets, or one for each.
        note: What validation chose.
    """

    def __init__(self, weights: Float64[np.ndarray, "set step lead"] | None = None, note: str = "") -> None:
        self.weights = np.zeros((1, 1, 1)) if weights is None else weights
        self.note = note

    def fit(self, history: History, training: TrainingRows, anchors: dict[str, AnchorArray]) -> "Ridge":
        """Solves for every penalty, keeps what errs least on validation."""
        windows = history.target_windows
        used = _affordable(anchors["train"], history.shape.steps)
        learned = _moments(history, windows, used)
        judged = _moments(history, windows, _affordable(anchors["validation"], history.shape.steps))
        shared = _Moments(
            learned.gram.sum(0, keepdims=True), learned.cross.sum(0, keepdims=True), learned.square, learned.count
        )
        candidates = {"shared by the targets": shared, "one set for each target": learned}
        if len(learned.gram) == 1:
            candidates = {"one target": learned}
        best = float("inf")
        for name, moments in candidates.items():
            for penalty, weights in _solutions(moments):
                error = judged.error(weights)
                if error < best:
                    best, self.weights = error, weights
                    self.note = f"penalty {penalty:.1e} relative to the mean diagonal, {name}, chosen on validation"
        if len(used) < len(anchors["train"]):
            self.note += f"; fitted on {len(used)} evenly spread windows"
        return self

    def predict(self, history: History, anchors: AnchorArray) -> ForecastArray:
        """The last value and what the window adds to it."""
        windows = history.target_windows
        forecasts = np.empty((len(anchors), history.shape.lead_count, history.deviation.shape[1]))
        size = _chunk(history)
        for start in range(0, len(anchors), size):
            chunk = anchors[start : start + size]
            changes, last = _changes(windows, chunk)
            for target in range(forecasts.shape[2]):
                weights = self.weights[target % len(self.weights)]
                forecasts[start : start + size, :, target] = changes[target] @ weights + last[:, target, None]
        codes = history.table.codes_of(anchors)
        return forecasts * history.deviation[codes][:, None] + history.mean[codes][:, None]

    def rows_needed(self, history: History) -> int:
        """The whole window."""
        return history.shape.rows_to_predict

    def fits(self, steps: int, leads: int, targets: int) -> bool:
        """Whether the coefficients belong to such windows."""
        return self.weights.shape[0] in (1, targets) and self.weights.shape[1:] == (min(steps, MOST_STEPS), leads)

    def state(self) -> State:
        """The coefficients."""
        return {"note": self.note}, {"weights": self.weights}

    @classmethod
    def restore(cls, document: dict[str, Any], arrays: dict[str, np.ndarray]) -> "Ridge":
        """A regression with these coefficients."""
        return cls(arrays["weights"], str(document["note"]))


def _solutions(moments: _Moments) -> Iterator[tuple[float, Float64[np.ndarray, "set step lead"]]]:
    """The coefficients for every penalty, from one decomposition; the intercept goes free."""
    count = moments.gram[:, -1:, -1:]
    sums, total = moments.gram[:, :-1, -1:], moments.cross[:, -1:]
    gram = moments.gram[:, :-1, :-1] - sums @ sums.transpose(0, 2, 1) / count
    cross = moments.cross[:, :-1] - sums @ total / count
    if gram.shape[1] == 0:
        yield 0.0, total / count
        return
    values, vectors = np.linalg.eigh(gram)
    rotated = vectors.transpose(0, 2, 1) @ cross
    diagonal = np.maximum(gram.trace(axis1=1, axis2=2), 1e-12)[:, None] / gram.shape[1]
    for penalty in PENALTIES:
        slopes = vectors @ (rotated / (np.maximum(values, 0) + penalty * diagonal)[:, :, None])
        intercept = (total - sums.transpose(0, 2, 1) @ slopes) / count
        yield float(penalty), np.concatenate([slopes, intercept], axis=1)


def _affordable(anchors: AnchorArray, steps: int) -> Int64[np.ndarray, " taken"]:
    """All anchors, or evenly spread ones where the work would take minutes."""
    most = int(MOST_WORK / min(steps, MOST_STEPS) ** 2)
    return anchors[spread_over(len(anchors), min(most, MOST_WINDOWS))]


def _chunk(history: History) -> int:
    """How many windows to unfold at once, so that memory grows neither with steps nor with targets."""
    return max(1, _CHUNK_VALUES // (history.shape.steps * history.deviation.shape[1]))


def _changes(
    windows: Windows | StoredWindows, anchors: AnchorArray
) -> tuple[Float64[np.ndarray, "target window step"], Float64[np.ndarray, "window target"]]:
    """Each target's window less its last value, a one for the intercept; and the last values."""
    inputs = windows.inputs_at(anchors).numpy().astype(np.float64)[:, -MOST_STEPS:]
    last = inputs[:, -1]
    changes = (inputs - last[:, None]).transpose(2, 0, 1).copy()
    changes[:, :, -1] = 1.0  # the last value less itself is always zero: its place serves the intercept
    return changes, last


def _moments(history: History, windows: Windows | StoredWindows, anchors: AnchorArray) -> _Moments:
    shape = history.shape
    targets, steps = history.deviation.shape[1], min(shape.steps, MOST_STEPS)
    gram, cross = np.zeros((targets, steps, steps)), np.zeros((targets, steps, shape.lead_count))
    square = np.zeros((targets, shape.lead_count))
    size = _chunk(history)
    for start in range(0, len(anchors), size):
        chunk = anchors[start : start + size]
        changes, last = _changes(windows, chunk)
        wanted = (windows.targets_at(chunk).numpy().astype(np.float64) - last[:, None]).transpose(2, 0, 1)
        turned = changes.transpose(0, 2, 1)
        gram += turned @ changes
        cross += turned @ wanted
        square += np.square(wanted).sum(axis=1)
    return _Moments(gram, cross, square, len(anchors))
