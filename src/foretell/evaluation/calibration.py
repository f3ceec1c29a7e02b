"""Probabilities from scores, and the temperature that makes them as sure as they are right.

Guo et al., "On Calibration of Modern Neural Networks" (2017): scores divided by one number, chosen on validation,
change no answer and make probabilities honest.
"""

import numpy as np
from jaxtyping import Bool, Float64

COLDEST, HOTTEST = 0.05, 20.0
_STEPS = 60


def probabilities(
    scores: Float64[np.ndarray, "text score"], temperature: float = 1.0, *, exclusive: bool = True
) -> Float64[np.ndarray, "text label"]:
    """How likely each label is.

    Args:
        scores: Of each label; one score alone is that of the second of two labels.
        temperature: What scores are divided by.
        exclusive: Whether a text has exactly one label.

    >>> probabilities(np.array([[0.0], [np.log(3)]])).round(2).tolist()
    [[0.5, 0.5], [0.25, 0.75]]
    """
    scaled = scores / temperature
    if not exclusive:
        return _sigmoid(scaled)
    if scaled.shape[1] == 1:
        return np.concatenate([_sigmoid(-scaled), _sigmoid(scaled)], axis=1)
    powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def find_temperature(
    scores: Float64[np.ndarray, "text score"], truth: Bool[np.ndarray, "text label"], *, exclusive: bool = True
) -> float:
    """The temperature at which the truth is least surprising.

    Args:
        scores: As a model gives them.
        truth: Which labels each text has.
        exclusive: Whether that is exactly one.

    >>> truth = np.eye(2, dtype=bool)[np.r_[np.zeros(25, int), np.ones(75, int)]]
    >>> round(find_temperature(np.full((100, 1), 2 * np.log(3)), truth), 2)
    2.0
    """

    def surprise(temperature: float) -> float:
        # From scores rather than from probabilities, whose logarithms end where they come too near to zero.
        scaled = scores / temperature
        if exclusive and scaled.shape[1] > 1:
            largest = scaled.max(axis=1, keepdims=True)
            total = largest[:, 0] + np.log(np.exp(scaled - largest).sum(axis=1))
            return float((total - scaled[truth]).mean())
        signs = np.where(truth[:, 1:] if exclusive else truth, -1.0, 1.0)
        return float(np.logaddexp(0, signs * scaled).mean())

    # Golden-section search: the surprise falls and then rises with the logarithm of the temperature.
    ratio = (np.sqrt(5) - 1) / 2
    low, high = np.log(COLDEST), np.log(HOTTEST)
    left, right = high - ratio * (high - low), low + ratio * (high - low)
    at_left, at_right = surprise(np.exp(left)), surprise(np.exp(right))
    for _ in range(_STEPS):
        if at_left <= at_right:
            high, right, at_right = right, left, at_left
            left = high - ratio * (high - low)
            at_left = surprise(np.exp(left))
        else:
            low, left, at_left = left, right, at_right
            right = low + ratio * (high - low)
            at_right = surprise(np.exp(right))
    return float(np.exp((low + high) / 2))


def _sigmoid(values: Float64[np.ndarray, "*any"]) -> Float64[np.ndarray, "*any"]:
    """1 / (1 + exp(-x)) without overflow."""
    small = np.exp(-np.abs(values))
    return np.where(values >= 0, 1 / (1 + small), small / (1 + small))
