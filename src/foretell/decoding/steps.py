"""What any model that can step offers: it is given tokens and a state, and gives back scores and the state after.

Scores are a number for each token that may follow: logarithms of probabilities up to a number that they share.
"""

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Float64, Int, Int64

Prompt = Int[np.ndarray, " _time"]  # those beside it are of other lengths
Scores = Float[np.ndarray, "batch token"]
Tokens = Int64[np.ndarray, " batch"]


@runtime_checkable
class Steps(Protocol):
    """A model that says what comes next, token by token; whoever is given its scores may write over them."""

    def begin(self, prompts: Sequence[Prompt]) -> tuple[Scores, Any]:
        """The scores of what follows each prompt, and the state after them."""
        ...

    def step(self, tokens: Tokens, state: Any) -> tuple[Scores, Any]:
        """The scores after one more token of each text, and the state then."""
        ...

    def chosen(self, state: Any, rows: Int64[np.ndarray, " row"]) -> Any:
        """The state of some of the texts, in some order, perhaps several times the same."""
        ...


def log_softmax(scores: Float[np.ndarray, "*batch token"]) -> Float[np.ndarray, "*batch token"]:
    """The logarithms of probabilities.

    >>> float(np.exp(log_softmax(np.array([[1.0, 3.0]]))).sum().round(9))
    1.0
    """
    shifted = scores - scores.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def entropies(scores: Scores) -> Float64[np.ndarray, " batch"]:
    """How open it is what comes next, in bits.

    >>> entropies(np.zeros((1, 8))).round(9).tolist()
    [3.0]
    """
    logarithms = log_softmax(scores.astype(np.float64))
    likely = np.exp(logarithms)
    return -(likely * np.where(likely > 0, logarithms, 0)).sum(axis=1) / np.log(2)
