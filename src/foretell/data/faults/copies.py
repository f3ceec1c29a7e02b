"""Columns that say what another says: the same at the same time, or rows ahead, which is a leak."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

_EXACT = 1e-6  # of the variance is left: what rounding leaves
_ALMOST = 0.012  # the same, beside the target
_SHARP = (1.5, 3.0)  # times as much is left a row before and after: ahead, and at the same time
_ALIKE = 0.5  # correlation of steps from which a lead is looked into
_AHEAD = 0.05
_LEAST = 50  # rows
_CLIPPED = 8.0  # usual steps


@dataclass(frozen=True)
class Copy:
    """A column that says what another says.

    Attributes:
        column: Which one.
        of: Whose values it holds.
        ahead: How many rows before the other does; below zero: after.
        exact: Whether nothing but a factor and an offset lies between them.
    """

    column: int
    of: int
    ahead: int
    exact: bool


def copies(values: Float64[np.ndarray, "row column"], targets: tuple[int, ...]) -> list[Copy]:
    """Columns that hold what another holds, be it in another unit.

    Args:
        values: Of one series, row by row; NaN where missing.
        targets: Columns to forecast: of these, what is almost a copy counts too.

    >>> walk = np.cumsum(np.random.default_rng(0).normal(size=300))
    >>> copies(np.stack([walk, np.roll(walk, -5)], axis=1), ())
    [Copy(column=1, of=0, ahead=5, exact=True)]
    """
    steps = np.stack([_steps(own) for own in values.T], axis=1)
    size = 1 << int(np.ceil(np.log2(2 * len(steps) + 1)))
    waves = np.fft.rfft(steps, size, axis=0)
    power = np.sqrt((steps**2).sum(axis=0))
    found = []
    for of in range(values.shape[1]):
        for column in range(values.shape[1]):
            if column == of or power[of] == 0 or power[column] == 0:
                continue
            if (column in targets and of not in targets) or (column < of and (column in targets) == (of in targets)):
                continue  # each pair once: a target is what is copied, else the first
            ahead = _lead(waves[:, column], waves[:, of], size, power[of] * power[column], len(steps))
            copy = None if ahead is None else _as_copy(values, column, of, ahead, of in targets)
            if copy is not None:
                found.append(copy)
    return found


def _lead(own: np.ndarray, other: np.ndarray, size: int, power: float, rows: int) -> int | None:
    """How many rows a column is ahead of another where their steps are most alike; None where they are nowhere."""
    alike = np.abs(np.fft.irfft(np.conj(own) * other, size)) / power
    reach = rows // 4
    alike[reach : size - reach] = 0
    lead = int(alike.argmax())
    if alike[lead] < _ALIKE:
        return None
    return lead if lead < reach else lead - size


def _as_copy(values: np.ndarray, column: int, of: int, ahead: int, target: bool) -> Copy | None:
    left, beside = _left(values, column, of, ahead), min(_left(values, column, of, ahead + way) for way in (-1, 1))
    if left < _EXACT:
        return Copy(column, of, ahead, True)
    if ahead and left < _AHEAD and beside > _SHARP[0] * left:
        return Copy(column, of, ahead, False)
    if not ahead and target and left < _ALMOST and beside > _SHARP[1] * left:
        return Copy(column, of, 0, False)
    return None


def _left(values: np.ndarray, column: int, of: int, ahead: int) -> float:
    """The share of a column's variance that the other, so many rows later, does not explain by a straight line."""
    length = len(values) - abs(ahead)
    one, other = values[max(-ahead, 0) :][:length, column], values[max(ahead, 0) :][:length, of]
    both = ~np.isnan(one) & ~np.isnan(other)
    if both.sum() < _LEAST:
        return 1.0
    one, other = one[both] - one[both].mean(), other[both] - other[both].mean()
    power = float((one * one).sum() * (other * other).sum())
    return 1.0 - float((one * other).sum()) ** 2 / power if power > 0 else 1.0


def _steps(values: Float64[np.ndarray, " row"]) -> Float64[np.ndarray, " step"]:
    """Changes from row to row, none where one is missing; few huge ones do not count for all."""
    steps = np.nan_to_num(np.diff(values))
    moved = np.abs(steps[steps != 0])
    if not len(moved):
        return steps
    bound = _CLIPPED * float(np.median(moved))
    return np.clip(steps, -bound, bound)
