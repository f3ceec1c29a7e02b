"""Whether what a model is made of, and what it says, is numbers that can be reckoned with."""

import numpy as np
from jaxtyping import Float, Shaped

from .errors import DivergedError

LARGEST = float(np.finfo(np.float32).max)


def usable(numbers: Shaped[np.ndarray, "..."]) -> bool:
    """Whether all of what is stored is finite, in single precision too.

    >>> usable(np.array([1.0, -2.0])), usable(np.array([1.0, np.nan])), usable(np.array([1e300]))
    (True, False, False)
    """
    return numbers.dtype.kind in "fib" and bool((np.abs(numbers) <= LARGEST).all())


def require_numbers(said: Float[np.ndarray, "..."]) -> None:
    """Checks that a model's answers are finite numbers, before anybody takes them for answers.

    Args:
        said: The answers, or the highest of them.

    Raises:
        DivergedError: One is none.
    """
    if not np.isfinite(said).all():
        raise DivergedError(
            "the model answers with what is no finite number: its training diverged, or its weights were changed; "
            "train it anew, at a lower --learning-rate"
        )
