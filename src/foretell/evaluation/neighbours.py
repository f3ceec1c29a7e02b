"""Words whose learned vectors lie in nearly the same direction: cosine similarity, as the slides discuss it."""

import numpy as np
from jaxtyping import Float64


def nearest_tokens(
    tokens: list[str], vectors: Float64[np.ndarray, "token unit"], token: str, count: int
) -> list[tuple[str, float]]:
    """The tokens that are nearest to one, and the cosine of the angle between their vectors.

    Args:
        tokens: Whose vectors they are.
        vectors: The vectors.
        token: One of them.
        count: How many to find.

    >>> nearest_tokens(["a", "b", "c"], np.array([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0]]), "a", 1)
    [('b', 1.0)]
    """
    place = tokens.index(token)
    lengths = np.linalg.norm(vectors, axis=1)
    along = vectors @ vectors[place]
    near = np.divide(
        along, lengths * lengths[place], out=np.full(len(tokens), -np.inf), where=lengths * lengths[place] > 0
    )
    near[place] = -np.inf
    order = np.argsort(-near, kind="stable")[:count]
    return [(tokens[number], float(near[number])) for number in order if np.isfinite(near[number])]
