"""Missing values filled with what was last observed."""

import numpy as np


def fill_forward(values: np.ndarray, starts: np.ndarray, before_first: float) -> np.ndarray:
    """The last observed value in place of missing ones, never from another series.

    Args:
        values: One column; NaN where missing.
        starts: The first row of each series, and the number of rows at the end.
        before_first: The value before a series' first observation.

    >>> fill_forward(np.array([np.nan, 1.0, np.nan, np.nan]), np.array([0, 3, 4]), 0.0)
    array([0., 1., 1., 0.])
    """
    latest = np.where(np.isnan(values), -1, np.arange(len(values)))
    latest = np.maximum.accumulate(latest)
    first = np.repeat(starts[:-1], np.diff(starts))
    return np.where(latest >= first, values[np.maximum(latest, 0)], before_first).astype(values.dtype)
