"""Attention: what each position takes from others, weighted by how well their keys fit what it asks for.

softmax(QKᵀ/√d)V in several heads (Vaswani et al., "Attention Is All You Need", 2017, section 3.2), which the decks walk
through as a search: encode the position (``positions.py``), extract query, key and value, compute the weighting,
extract the features. And the two that recurrent decoders had before: additive and multiplicative.
"""

import math
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from ..errors import ConfigurationError
from .ways import kernels_step

FEW = 8  # queries of a source, above which products of whole matrices are faster
MANY = 16  # sources, below which it is not worth the while to start numba


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
        causal: bool = False,
    ) -> Any:
        """What each asking position finds among those that are asked.

        Args:
            asking: Positions that pose queries.
            asked: Positions with keys and values; the same for self-attention.
            allowed: Where attention may go; everywhere where None.
            return_attention: Whether the weights come back as well, (batch, head, query, key).
            causal: Whether each position sees itself and those before it alone, in place of ``allowed``.

        Returns:
            What was found; with ``return_attention`` a pair of that and the weights.
        """
        return self.attend(self.queries(asking), *self.keys_values(asked), allowed, return_attention, causal)

    def queries(self, asking: Float[Tensor, "batch query unit"]) -> Float[Tensor, "batch head query own"]:
        """What each position asks for, in each head."""
        return self._split(self.query(asking))  # 2. extract query, key, value

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
        causal: bool = False,
    ) -> Any:
        """What queries find among keys: the weighted mean of their values, heads merged; as :meth:`forward`."""
        mask = None if allowed is None else allowed[:, None]
        share = self.dropout if self.training else 0.0
        if return_attention:
            if causal:
                mask = before(queries.shape[2], keys.shape[2], queries.device)
            weights = attention_weights(queries, keys, mask)  # 3. compute the weighting
            found = functional.dropout(weights, share) @ values  # 4. extract the features
        else:  # the same in one go, which keeps no weights
            weights, found = None, _fused(queries, keys, values, mask, share, causal)
        merged = self.merge(found.transpose(1, 2).flatten(2))
        return (merged, weights) if return_attention else merged

    def _split(self, positions: Float[Tensor, "batch place unit"]) -> Float[Tensor, "batch head place own"]:
        return positions.view(*positions.shape[:2], self.heads, -1).transpose(1, 2)


def before(queries: int, keys: int, device: torch.device | None = None) -> Bool[Tensor, "1 1 query key"]:
    """Where attention may go that sees nothing to come: the keys up to each query, the last of which stand together.

    >>> before(2, 3)[0, 0].tolist()
    [[True, True, False], [True, True, True]]
    """
    return torch.ones(1, 1, queries, keys, dtype=torch.bool, device=device).tril(keys - queries)


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


def _fused(
    queries: Float[Tensor, "batch head query own"],
    keys: Float[Tensor, "batch head key own"],
    values: Float[Tensor, "batch head key own"],
    allowed: Bool[Tensor, "#batch 1 #query key"] | None,
    dropout: float,
    causal: bool,
) -> Float[Tensor, "batch head query own"]:
    """What queries find among keys, by torch's fused attention, or in a step of many texts by a kernel of our own."""
    if queries.shape[2] <= FEW and len(queries) >= MANY and not dropout and not causal and kernels_step(queries):
        from .kernels.attending import attend  # numba takes half a second to import

        found: Tensor | None = attend(queries, keys, values, allowed)
        if found is not None:
            return found
    return functional.scaled_dot_product_attention(queries, keys, values, allowed, dropout, is_causal=causal)


class QueryAttention(nn.Module):
    """What the states of a decoder find among those of an encoder, however well each key fits each query.

    Args:
        key: What makes keys of the states that are asked.
    """

    def __init__(self, key: nn.Linear) -> None:
        super().__init__()
        self.key = key

    def keys(self, asked: Float[Tensor, "batch key unit"]) -> Float[Tensor, "batch key own"]:
        """The key of each position: worked out once for all queries."""
        return self.key(asked)

    def fits(
        self, asking: Float[Tensor, "batch query unit"], keys: Float[Tensor, "batch key own"]
    ) -> Float[Tensor, "batch query key"]:
        """How well each key fits each query."""
        raise NotImplementedError

    def forward(
        self,
        asking: Float[Tensor, "batch query unit"],
        asked: Float[Tensor, "batch key width"],
        keys: Float[Tensor, "batch key own"],
        allowed: Bool[Tensor, "batch key"] | None = None,
    ) -> tuple[Float[Tensor, "batch query width"], Float[Tensor, "batch query key"]]:
        """What each asking position finds, and how much of it comes from where.

        Args:
            asking: States of a decoder.
            asked: States of an encoder.
            keys: What :meth:`keys` made of these.
            allowed: Where attention may go; everywhere where None.
        """
        scores = self.fits(asking, keys)
        if allowed is not None:
            scores = scores.masked_fill(~allowed[:, None], -torch.inf)
        weights = scores.softmax(dim=-1)
        return weights @ asked, weights


class AdditiveAttention(QueryAttention):
    """vᵀ tanh(Wq + Uk): how well each key fits each query, by a small dense layer.

    Bahdanau, Cho and Bengio, "Neural Machine Translation by Jointly Learning to Align and Translate" (2015), A.1.2.

    Args:
        asking: Numbers of a position that asks.
        asked: Numbers of one that is asked.
        units: Numbers in which both are compared.

    >>> attention, states = AdditiveAttention(5, 6, 4), torch.zeros(2, 7, 6)
    >>> context, weights = attention(torch.zeros(2, 3, 5), states, attention.keys(states))
    >>> context.shape, weights.shape
    (torch.Size([2, 3, 6]), torch.Size([2, 3, 7]))
    """

    def __init__(self, asking: int, asked: int, units: int) -> None:
        super().__init__(nn.Linear(asked, units))
        self.query, self.score = nn.Linear(asking, units, bias=False), nn.Linear(units, 1, bias=False)

    def fits(
        self, asking: Float[Tensor, "batch query unit"], keys: Float[Tensor, "batch key own"]
    ) -> Float[Tensor, "batch query key"]:
        """vᵀ tanh(Wq + Uk)."""
        return self.score(torch.tanh(self.query(asking)[:, :, None] + keys[:, None])).squeeze(-1)


class MultiplicativeAttention(QueryAttention):
    """qᵀWk: how well each key fits each query, by a product.

    Luong, Pham and Manning, "Effective Approaches to Attention-based Neural Machine Translation" (2015), "general".

    Args:
        asking: Numbers of a position that asks.
        asked: Numbers of one that is asked.

    >>> attention, states = MultiplicativeAttention(5, 6), torch.zeros(2, 7, 6)
    >>> context, weights = attention(torch.zeros(2, 3, 5), states, attention.keys(states))
    >>> context.shape, weights.shape
    (torch.Size([2, 3, 6]), torch.Size([2, 3, 7]))
    """

    def __init__(self, asking: int, asked: int) -> None:
        super().__init__(nn.Linear(asked, asking, bias=False))

    def fits(
        self, asking: Float[Tensor, "batch query unit"], keys: Float[Tensor, "batch key own"]
    ) -> Float[Tensor, "batch query key"]:
        """qᵀWk."""
        return asking @ keys.transpose(1, 2)
