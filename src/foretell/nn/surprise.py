"""The surprise at tokens, from what a network makes of their places to its sum, without ever keeping a score of all.

A vocabulary is wide: the scores of a batch are larger than all else that training holds, and are read and written
several times. Here they are made, used and overwritten a few places at a time, while they are in cache, forward and
backward in one go. Label smoothing is that of Szegedy et al., "Rethinking the Inception Architecture" (2016), as
Vaswani et al. 2017, section 5.4, take it: a share of the certainty is given to all tokens alike.
"""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor

PLACES = 256  # whose scores are held at once


def sum_of_surprise(
    outputs: Float[Tensor, "place unit"],
    weight: Float[Tensor, "token unit"],
    bias: Float[Tensor, " token"],
    asked: Int64[Tensor, " place"],
    padding: int,
    smoothing: float = 0.0,
) -> Float[Tensor, ""]:
    """The sum of -Σ q log p over places, with p = softmax(outputs · weightᵀ + bias), in nats.

    Args:
        outputs: What a network made of each place.
        weight: A vector for each token.
        bias: A number for each token.
        asked: The token that comes at each place.
        padding: Places with this token do not count.
        smoothing: Share of q that is spread over all tokens; the rest is on the one that comes.

    >>> outputs, weight = torch.zeros(3, 4), torch.zeros(8, 4)
    >>> round(sum_of_surprise(outputs, weight, torch.zeros(8), torch.tensor([1, 2, 0]), 0).item(), 4)
    4.1589
    """
    with torch.autocast(outputs.device.type, enabled=False):  # sums over a vocabulary want all their bits
        wide = outputs.to(weight.dtype)
        return _summed(wide, weight, bias, asked, padding, smoothing)


class _SumOfSurprise(torch.autograd.Function):
    """Forward works out the gradients as well, as both need the scores; backward only scales them."""

    @staticmethod
    def forward(
        ctx: Any, outputs: Tensor, weight: Tensor, bias: Tensor, asked: Tensor, padding: int, smoothing: float
    ) -> Tensor:
        learns = any(ctx.needs_input_grad)
        by_outputs, by_weight, by_bias = (torch.zeros_like(own) for own in (outputs, weight, bias))
        counts = (asked != padding).to(outputs)
        # q is each for every token, and besides own for the one that comes.
        own, each = 1 - smoothing, smoothing / len(weight)
        of_all = weight.sum(0)
        total = outputs.new_zeros(())
        held = outputs.new_empty(min(PLACES, len(outputs)), len(weight))
        for start in range(0, len(outputs), PLACES):
            some = slice(start, start + PLACES)
            rows, tokens, counted = outputs[some], asked[some, None], counts[some, None]
            scores = torch.mm(rows, weight.T, out=held[: len(rows)]).add_(bias)
            expected = own * scores.gather(1, tokens)
            if each:  # the sum of all scores is a product with the sum of all vectors
                expected += each * (rows @ of_all + bias.sum())[:, None]
            highest = scores.amax(1, keepdim=True)
            powers = scores.sub_(highest).exp_()
            sums = powers.sum(1, keepdim=True)
            total += ((sums.log() + highest - expected) * counted).sum()
            if learns:  # the gradient by scores is p - q; what is the same for all tokens is taken off below
                difference = powers.mul_(counted / sums).scatter_add_(1, tokens, -own * counted)
                torch.mm(difference, weight, out=by_outputs[some])
                by_weight.addmm_(difference.T, rows)
                by_bias += difference.sum(0)
        if learns:
            if each:
                by_outputs.addr_(counts, of_all, alpha=-each)
                by_weight.sub_(each * (counts @ outputs))
                by_bias.sub_(each * counts.sum())
            ctx.save_for_backward(by_outputs, by_weight, by_bias)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        return *(own * gradients[0] for own in ctx.saved_tensors), None, None, None


_summed: Callable[..., Tensor] = _SumOfSurprise.apply
