"""Changes of unit at which a column leaps, as it does nowhere else, to where it would be in another unit."""

import numpy as np
from jaxtyping import Float64

from .digits import KNOWN

_LEAP = 2.5  # times the largest step elsewhere
_LEAST = 30  # rows on each side

Values = Float64[np.ndarray, " _row"]


def leaps(values: Values) -> tuple[int, int, str] | None:
    """The first row after a leap, that after the last, and the unit in which the column goes on as if nothing were.

    Args:
        values: Of a column, row by row; NaN where missing.

    >>> walk = 15 + np.sin(np.arange(300.0))
    >>> walk[100:200] += 273.15
    >>> leaps(walk)
    (100, 200, 'kelvin instead of degrees Celsius')
    """
    rows = np.flatnonzero(~np.isnan(values))
    if len(rows) < 3 * _LEAST:
        return None
    own = values[rows]
    steps = np.abs(np.diff(own))
    first, second, third = (int(place) for place in np.argsort(-steps, kind="stable")[:3])
    if steps[first] > _LEAP * steps[second]:
        begin, end, usual = first + 1, len(own), float(steps[second])
    elif steps[second] > _LEAP * steps[third]:
        begin, end, usual = min(first, second) + 1, max(first, second) + 1, float(steps[third])
    else:
        return None
    if min(begin, end - begin) < _LEAST:
        return None
    unit = _unit(own, begin, end, usual)
    return None if unit is None else (int(rows[begin]), int(rows[end]) if end < len(own) else len(values), unit)


def _unit(own: Values, begin: int, end: int, usual: float) -> str | None:
    """The unit after which both borders are steps as any other, and steps within are as large as outside."""
    borders = [(begin - 1, begin)] + ([(end, end - 1)] if end < len(own) else [])
    moved = np.abs(np.diff(own))
    within = moved[begin : end - 1]
    around = np.concatenate([moved[: begin - 1], moved[end:]])
    grown = float(np.log(max(within.mean(), 1e-300) / max(around.mean(), 1e-300)))
    left = {}
    for name, (factor, offset) in KNOWN.items():
        apart = max(abs((own[inside] - offset) / factor - own[outside]) for outside, inside in borders)
        if apart <= usual:
            left[name] = apart / usual + abs(grown - float(np.log(factor)))
    return min(left, key=lambda name: left[name]) if left else None
