"""Changes of unit that stand in the digits: values after are those of before in another unit, and in no other way."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int64

_EACH_WAY = {
    ("degrees Fahrenheit", "degrees Celsius"): (1.8, 32.0),
    ("kelvin", "degrees Celsius"): (1.0, 273.15),
    ("kilometres per hour", "metres per second"): (3.6, 0.0),
    ("miles per hour", "metres per second"): (1 / 0.44704, 0.0),
    ("knots", "metres per second"): (1.943844, 0.0),
    ("kilometres", "miles"): (1.609344, 0.0),
    ("kilometres per hour", "knots"): (1.852, 0.0),
    ("miles per hour", "knots"): (1.150779, 0.0),
    ("millimetres", "inches"): (25.4, 0.0),
    ("feet", "metres"): (1 / 0.3048, 0.0),
    ("hectopascals", "millimetres of mercury"): (1.333224, 0.0),
    ("hectopascals", "inches of mercury"): (33.86389, 0.0),
    ("pounds", "kilograms"): (1 / 0.45359237, 0.0),
    ("litres", "gallons"): (3.785412, 0.0),
}
KNOWN = (
    {f"{new} instead of {old}": scale for (new, old), scale in _EACH_WAY.items()}
    | {f"{old} instead of {new}": (1 / by, -to / by) for (new, old), (by, to) in _EACH_WAY.items()}
    | {
        f"{times} times as much": (by, 0.0)
        for times, by in (("1,000", 1e3), ("100", 1e2), ("10", 10.0), ("0.1", 0.1), ("0.01", 0.01), ("0.001", 1e-3))
    }
)
_LEAST = 30  # values that say something
_RESTS = 0.3  # share of rows: a value to rest at says nothing
_SHARED = 0.3  # of rows after: those in the range of values before
_RECURRING = 0.5  # of the rest: values that occur more than once
_HITS, _BY_CHANCE = 0.97, 0.75  # of values after: those that one of before becomes; at most so where it is chance
_BESIDE = (0.9831, 0.9917, 1.0089, 1.0173)  # units that there are none of
_DECIMALS = 6
_MIDDLE, _DENSE = (0.02, 0.95), 0.5  # quantiles of rows; of the values between that are there
_ALIKE, _PLACES = 0.85, 4  # share of values that stand on both sides; of a column
_NEAR = 2  # blocks

Values = Float64[np.ndarray, " _value"]
Rows = Int64[np.ndarray, " _row"]


class Digits(NamedTuple):
    """What a stretch of values is written with.

    Attributes:
        values: Different ones of the middle range, in order; all that its digits allow, where most of these occur.
        rows: All of them.
        half: Half of the last digit.
    """

    values: Values
    rows: Values
    half: float


def digits(values: Values) -> Digits | None:
    """What values are written with; None where they hardly ever recur, or say too little.

    Args:
        values: Of some rows; NaN where missing.
    """
    present = values[~np.isnan(values)]
    different, often = np.unique(present, return_counts=True)
    if len(different) < 2 or often.sum() < _LEAST or often[often > 1].sum() < _RECURRING * often.sum():
        return None
    size = float(np.abs(different).max())
    places = next(
        (
            own
            for own in range(_DECIMALS + 1)
            if np.mean(np.abs(different - np.round(different, own)) <= 1e-9 * size) > _HITS
        ),
        None,
    )
    half = 1e-7 * size if places is None else 0.501 * 10.0**-places
    rows = np.repeat(different, often)
    low, high = np.quantile(rows, _MIDDLE)
    middle = different[(different >= low) & (different <= high)]
    if places is not None and len(middle) > _DENSE * ((high - low) * 10.0**places + 1):
        middle = np.arange(np.round(low * 10.0**places), np.round(high * 10.0**places) + 1) / 10.0**places
    return Digits(middle, rows, half)


def unit_between(before: Digits, after: Digits) -> str | None:
    """The unit in which values after are those of before, to the digit; None where there is none, or it may be chance.

    Args:
        before: What values were written with.
        after: And are from there on.

    >>> tenths = np.arange(0, 40, 0.5).repeat(2)
    >>> unit_between(digits(tenths), digits((1.8 * tenths + 32).round(1)))
    'degrees Fahrenheit instead of degrees Celsius'
    """
    found = {}
    for name, (factor, offset) in KNOWN.items():
        share = _share(before.values * factor + offset, after)
        chance = [_share(before.values * (factor * other) + offset * other, after) for other in _BESIDE]
        if share > _HITS and np.max(chance) < _BY_CHANCE:  # NaN where it cannot be said
            found[name] = float(np.max(chance))
    return min(found, key=lambda own: found[own]) if found else None


def _share(values: Values, after: Digits) -> float:
    """Of the rows after, in the range of some values, those that hold one of them, but for rounding."""
    if len(values) < 2:
        return np.nan
    rows = after.rows[(after.rows >= values[0]) & (after.rows <= values[-1])]
    if len(rows) < max(_LEAST, _SHARED * len(after.rows)):
        return np.nan
    places = np.clip(np.searchsorted(values, rows), 1, len(values) - 1)
    nearest = np.minimum(np.abs(values[places] - rows), np.abs(values[places - 1] - rows))
    return float(np.mean(nearest <= after.half))


def changed_digits(values: Values, block: int, reach: int) -> list[tuple[int, int, str]]:
    """Stretches whose values are those around them in another unit: the first row, that after the last, and the unit.

    Args:
        values: Of a column, row by row; NaN where missing.
        block: Rows within which a border is looked for.
        reach: Rows that are compared on each side of it.
    """
    rows = _telling(values)
    own, block = values[rows], max(_NEAR, block * len(rows) // max(1, len(values)))
    reach = min(reach, len(rows) // 3)
    borders = []
    for place in _strange_places(own, block, reach) if reach > _LEAST else ():
        sides = own[max(0, place - reach) : place - _NEAR * block], own[place + _NEAR * block : place + reach]
        before, after = (digits(side) for side in sides)
        if before is None or after is None:
            continue
        there, back = unit_between(before, after), unit_between(after, before)
        if there or back:
            borders.append((int(rows[_border(own, place, _NEAR * block, before, after)]), there, back))
    found: list[tuple[int, int, str]] = []
    for row, there, back in sorted(borders):
        unit = there or _turned(str(back))
        if found and found[-1][1] == len(values) and unit != found[-1][2]:
            found[-1] = (found[-1][0], row, found[-1][2])
        elif not found or found[-1][1] < len(values):
            found.append((row, len(values), unit))
    return found


def _telling(values: Values) -> Rows:
    """Rows that hold something, and not the value at which a column rests."""
    different, often = np.unique(values[~np.isnan(values)], return_counts=True)
    rests = different[often > _RESTS * len(values)]
    return np.flatnonzero(~np.isnan(values) & ~np.isin(values, rests))


def _turned(unit: str) -> str:
    """The unit of before, seen from after."""
    factor, offset = KNOWN[unit]
    back = (1 / factor, -offset / factor)
    return next(name for name, own in KNOWN.items() if np.allclose(own, back, rtol=1e-9, atol=1e-9))


def _strange_places(values: Values, block: int, reach: int) -> list[int]:
    """Rows at which fewest of the values before and after are the same, each far from the others."""
    places = np.arange(min(reach, len(values) // 4), len(values) - min(reach, len(values) // 4) + 1, _NEAR * block)
    shares = []
    for place in places:
        one, other = values[max(0, place - reach) : place], values[place : place + reach]
        shares.append(np.mean([np.isin(own, of).mean() for own, of in ((one, other), (other, one))]))
    found: list[int] = []
    for number in np.argsort(shares, kind="stable"):
        if shares[number] > _ALIKE or len(found) == _PLACES:
            break
        if all(abs(int(places[number]) - place) >= reach for place in found):
            found.append(int(places[number]))
    return found


def _border(values: Values, place: int, near: int, before: Digits, after: Digits) -> int:
    """The row from which on values are those after rather than those before."""
    start = max(0, place - near)
    rows = values[start : place + near]
    score = np.isin(rows, before.values).astype(float) - np.isin(rows, after.values)
    return start + int(np.concatenate([[0.0], np.cumsum(score)]).argmax())
