"""Which tokens moved a network's answer: the gradient of a score by each token's vector, times that vector.

Denil, Demiraj and de Freitas, "Extraction of Salient Sentences from Labelled Documents" (2015): to first order this is
what the score would lose without the token.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int64
from torch import Tensor


def contributions(
    embed: Callable[[Tensor], Tensor],
    read: Callable[[Tensor, Tensor], Tensor],
    tokens: Int64[Tensor, "batch time"],
    lengths: Int64[Tensor, " batch"],
    weights: Float[Tensor, "batch score"],
) -> Float[Tensor, "batch time"]:
    """How much each token moves a sum of a text's scores.

    Args:
        embed: Vectors of tokens.
        read: Scores of vectors.
        tokens: Of a batch of texts.
        lengths: Of each.
        weights: Of each score in the sum: one at the score that is asked about.
    """
    with torch.enable_grad():
        embedded = embed(tokens).detach().requires_grad_(True)
        asked = (read(embedded, lengths) * weights).sum()
        (gradient,) = torch.autograd.grad(asked, embedded)
    return (gradient * embedded).sum(-1).detach()
