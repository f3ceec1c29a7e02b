"""How much each of several models counts in a mixture of what they say."""

from itertools import combinations

import numpy as np
from jaxtyping import Float64

_ROUNDS = 100  # over all pairs, where there are several
_HALVINGS = 50
_ENOUGH = 1e-9  # change of a weight


def mixture_weights(likely: Float64[np.ndarray, "model place"]) -> Float64[np.ndarray, " model"]:
    """The weights that make what came most likely.

    Jelinek and Mercer, "Interpolated estimation of Markov source parameters from sparse data" (1980). The logarithm of
    a mixture is concave in its weights, so that what two models share is dealt out best where the slope is zero; pair
    after pair leads to the one best.

    Args:
        likely: How likely each model found what came, on text that none of them learned from.

    >>> mixture_weights(np.array([[0.9, 0.1, 0.9], [0.2, 0.8, 0.2]])).round(2).tolist()
    [0.67, 0.33]
    """
    weights = np.full(len(likely), 1 / len(likely))
    for _ in range(_ROUNDS):
        before = weights.copy()
        for one, other in combinations(range(len(likely)), 2):
            both = weights[one] + weights[other]
            rest = weights @ likely - weights[one] * likely[one] - weights[other] * likely[other]
            share = _best_share(both * likely[one], both * likely[other], rest)
            weights[one], weights[other] = both * share, both * (1 - share)
        if len(likely) == 2 or np.abs(weights - before).max() < _ENOUGH:
            break
    return weights


def _best_share(
    one: Float64[np.ndarray, " place"], other: Float64[np.ndarray, " place"], rest: Float64[np.ndarray, " place"]
) -> float:
    """The share t at which the sum of log(t · one + (1 - t) · other + rest) is highest."""
    low, high, difference = 0.0, 1.0, one - other

    def slope(share: float) -> float:
        with np.errstate(divide="ignore", invalid="ignore"):
            terms = difference / (share * one + (1 - share) * other + rest)
        return float(np.where(difference == 0, 0.0, terms).sum())

    if not difference.any():
        return 0.5
    if slope(0.0) <= 0:
        return 0.0
    if slope(1.0) >= 0:
        return 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if slope(middle) > 0 else (low, middle)
    return (low + high) / 2
