"""The likeliest of many tokens, and how likely they are."""

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from .threads import share
from .ways import kernels_step

_LARGE = 100_000  # scores, below which it is not worth the while to start numba


def likeliest(
    scores: Float[Tensor, "row token"], count: int, never: tuple[int, ...] = ()
) -> tuple[Float[Tensor, "row some"], Int64[Tensor, "row some"]]:
    """The logarithms of the probabilities of each row's likeliest tokens, in order, and these; may overwrite scores.

    Args:
        scores: Logarithms of probabilities up to a number of each row.
        count: How many of each row; of those that are alike the first tokens.
        never: Tokens that are passed over.

    >>> found, tokens = likeliest(torch.tensor([[0.5, 0.25, 0.25]]).log(), 2)
    >>> found.exp().tolist(), tokens.tolist()
    ([[0.5, 0.25]], [[0, 1]])
    """
    if scores.numel() >= _LARGE and scores.dtype == torch.float32 and scores.is_contiguous() and kernels_step(scores):
        return _by_kernel(scores, count, never)
    return by_torch(scores, count, never)


def by_torch(
    scores: Float[Tensor, "row token"], count: int, never: tuple[int, ...] = ()
) -> tuple[Float[Tensor, "row some"], Int64[Tensor, "row some"]]:
    """The same by torch, for few scores: the kernel's oracle."""
    whole = scores.logsumexp(1, keepdim=True)
    if never:
        scores[:, list(never)] = -torch.inf
    if count == 1:
        highest = scores.max(1, keepdim=True)  # the first where several are as high
        return highest.values - whole, highest.indices
    found, tokens = scores.topk(min(count + 1, scores.shape[1]), 1)
    # Whether one that was left out is as high as the last that is taken.
    alike = (found[:, count - 1 : count] == found[:, count:]).any(1)
    tokens, by_token = tokens[:, :count].sort(1)
    found, by_score = found[:, :count].gather(1, by_token).sort(dim=1, descending=True, stable=True)
    tokens = tokens.gather(1, by_score)
    for row in alike.nonzero()[:, 0].tolist():
        ordered = scores[row].sort(descending=True, stable=True)
        found[row], tokens[row] = ordered.values[:count], ordered.indices[:count]
    return found - whole, tokens


def _by_kernel(scores: Tensor, count: int, never: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    from .kernels.compiling import is_ready, patience
    from .kernels.likeliest import likeliest as kernel

    rows, known = scores.shape
    flat, passed = scores.numpy().reshape(-1), np.array(never, np.int64)
    found, tokens = np.empty((rows, count), np.float32), np.empty((rows, count), np.int64)
    whole = np.empty((rows, 1), np.float32)

    def work(first: int, last: int) -> None:
        kernel(flat, known, passed, first, last, found, tokens, whole)

    if is_ready("likeliest"):
        share(work, rows, alone=False)
    else:
        with patience("likeliest"):
            work(0, rows)
    return torch.from_numpy(found - whole), torch.from_numpy(tokens)
