"""How much each of several models counts in a mixture of what they say."""

import numpy as np
from jaxtyping import Float64

_ROUNDS = 500
_ENOUGH = 1e-9  # change of a weight


def mixture_weights(likely: Float64[np.ndarray, "model place"]) -> Float64[np.ndarray, " model"]:
    """The weights that make what came most likely: expectation and maximisation in turn, which finds the one best.

    Jelinek and Mercer, "Interpolated estimation of Markov source parameters from sparse data" (1980).

    Args:
        likely: How likely each model found what came, on text that none of them learned from.

    >>> mixture_weights(np.array([[0.9, 0.1, 0.9], [0.2, 0.8, 0.2]])).round(2).tolist()
    [0.7, 0.3]
    """
    weights = np.full(len(likely), 1 / len(likely))
    for _ in range(_ROUNDS):
        shares = weights[:, None] * likely
        after = (shares / shares.sum(axis=0)).mean(axis=1)
        done, weights = bool(np.abs(after - weights).max() < _ENOUGH), after
        if done:
            break
    return weights
