"""Single values out of all proportion: far from the range of all others, once or a few times."""

import numpy as np
from jaxtyping import Float64

_MOST = 3
_FAR = 2.0  # ranges of the others


def spikes(values: Float64[np.ndarray, " row"]) -> list[int]:
    """The rows whose value lies further outside of the others than twice the range of these.

    Args:
        values: Of a column; NaN where missing.

    >>> spikes(np.array([*np.sin(np.arange(50.0)), 40.0, 0.5]))
    [50]
    """
    rows = np.flatnonzero(~np.isnan(values))
    if len(rows) < 30:
        return []
    order = rows[np.argsort(values[rows], kind="stable")]
    ordered = values[order]
    found: list[int] = []
    for count in range(_MOST, 0, -1):
        usual = ordered[-count - 1] - ordered[0]
        if usual > 0 and ordered[-count] - ordered[-count - 1] > _FAR * usual:
            found += order[-count:].tolist()
            break
    for count in range(_MOST, 0, -1):
        usual = ordered[-1 if not found else -len(found) - 1] - ordered[count]
        if usual > 0 and ordered[count] - ordered[count - 1] > _FAR * usual:
            found += order[:count].tolist()
            break
    return sorted(found)
