"""Attention: softmax(QKᵀ/√d)V, in several heads (Vaswani et al., "Attention Is All You Need", 2017, section 3.2)."""

import math
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from ..errors import ConfigurationError


class MultiHeadAttention(nn.Module):
    """Several heads, each with queries, keys and values of its own, and a dense layer over what they find.

    Args:
        width: Numbers of a position.
        heads: How many heads share them.
        dropout: Share of the weights of attention that is dropped in training.

    Raises:
        ConfigurationError: The width is no multiple of the heads.

    >>> positions = torch.zeros(2, 7, 32)
    >>> MultiHeadAttention(32, 4)(positions, positions).shape
    torch.Size([2, 7, 32])
    """

    def __init__(self, width: int, heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        if width % heads:
            raise ConfigurationError(
                f"the width of attention must be a multiple of its heads; found a width of {width} and heads {heads}",
                option="heads",
                value=heads,
            )
        self.heads, self.dropout = heads, dropout
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.merge = nn.Linear(width, width)

    def forward(
        self,
        asking: Float[Tensor, "batch query unit"],
        asked: Float[Tensor, "batch key unit"],
        allowed: Bool[Tensor, "#batch #query key"] | None = None,
        return_attention: bool = False,
    ) -> Any:
        """What each asking position finds among those that are asked.

        Args:
            asking: Positions that pose queries.
            asked: Positions with keys and values; the same for self-attention.
            allowed: Where attention may go; everywhere where None.
            return_attention: Whether the weights come back as well, (batch, head, query, key).

        Returns:
            What was found; with ``return_attention`` a pair of that and the weights.
        """
        return self.attend(self.queries(asking), *self.keys_values(asked), allowed, return_attention)

    def queries(self, asking: Float[Tensor, "batch query unit"]) -> Float[Tensor, "batch head query own"]:
        """What each position asks for, in each head."""
        return self._split(self.query(asking))

    def keys_values(
        self, asked: Float[Tensor, "batch key unit"]
    ) -> tuple[Float[Tensor, "batch head key own"], Float[Tensor, "batch head key own"]]:
        """What each position answers to, and what it has to say, in each head."""
        return self._split(self.key(asked)), self._split(self.value(asked))

    def attend(
        self,
        queries: Float[Tensor, "batch head query own"],
        keys: Float[Tensor, "batch head key own"],
        values: Float[Tensor, "batch head key own"],
        allowed: Bool[Tensor, "#batch #query key"] | None = None,
        return_attention: bool = False,
    ) -> Any:
        """What queries find among keys: the weighted mean of their values, heads merged; as :meth:`forward`."""
        mask = None if allowed is None else allowed[:, None]
        share = self.dropout if self.training else 0.0
        if return_attention:
            weights = attention_weights(queries, keys, mask)
            found = functional.dropout(weights, share) @ values
        else:
            weights = None
            found = functional.scaled_dot_product_attention(queries, keys, values, mask, share)
        merged = self.merge(found.transpose(1, 2).flatten(2))
        return (merged, weights) if return_attention else merged

    def _split(self, positions: Float[Tensor, "batch place unit"]) -> Float[Tensor, "batch head place own"]:
        return positions.view(*positions.shape[:2], self.heads, -1).transpose(1, 2)


def attention_weights(
    queries: Float[Tensor, "batch head query own"],
    keys: Float[Tensor, "batch head key own"],
    allowed: Bool[Tensor, "#batch 1 #query key"] | None = None,
) -> Float[Tensor, "batch head query key"]:
    """softmax(QKᵀ/√d): how much each query takes from each key.

    Args:
        queries: Of each head.
        keys: Likewise.
        allowed: Where attention may go; everywhere where None.
    """
    scores = queries @ keys.transpose(-2, -1) / math.sqrt(queries.shape[-1])
    if allowed is None:
        return scores.softmax(dim=-1)
    weights = scores.masked_fill(~allowed, -torch.inf).softmax(dim=-1)
    return weights.masked_fill(~allowed, 0.0)  # a query that may go nowhere takes nothing
