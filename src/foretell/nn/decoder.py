"""A Transformer that reads on and on: each position attends to those before it, whose keys and values it is given.

Reading a text at once, in pieces or token by token gives the same: what a position may attend to depends on its place
alone. Dai et al., "Transformer-XL: Attentive Language Models beyond a Fixed-Length Context" (2019) carry what was read
from piece to piece in training too.
"""

from typing import Literal

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from ..errors import ConfigurationError
from .attention import MultiHeadAttention
from .positions import Rotation, rotated, rotation

Positions = Literal["rotary", "learned"]
State = tuple[Tensor, ...]


class CausalBlock(nn.Module):
    """Masked self-attention, then two dense layers; each normalises what it reads and adds what it finds.

    Args:
        width: Numbers of a position.
        heads: Heads of attention.
        feed_forward: Units between the two dense layers.
        dropout: Share of what is added that is dropped in training (not of the weights of attention, which the fast
            ways to compute it on a processor do not know).
    """

    def __init__(self, width: int, heads: int, feed_forward: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.attention_norm, self.dense_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = MultiHeadAttention(width, heads)
        self.dense = nn.Sequential(nn.Linear(width, feed_forward), nn.GELU(), nn.Linear(feed_forward, width))
        self.dropout = nn.Dropout(dropout)

    def forward(
        self,
        positions: Float[Tensor, "batch place unit"],
        turned: Rotation | None,
        before: tuple[Float[Tensor, "batch head context own"], Float[Tensor, "batch head context own"]],
        allowed: Bool[Tensor, "batch place key"],
    ) -> tuple[Float[Tensor, "batch place unit"], Tensor, Tensor]:
        """Each position, with what it found among those before it.

        Args:
            positions: The new ones.
            turned: By how much queries and keys are turned, each by its place; None where they are not.
            before: Keys and values of positions that were read before.
            allowed: Which of these, and of the new ones, each new one may attend to.

        Returns:
            The positions, and the keys and values of both.
        """
        read = self.attention_norm(positions)
        queries = self.attention.queries(read)
        keys, values = self.attention.keys_values(read)
        if turned is not None:
            queries, keys = rotated(queries, turned), rotated(keys, turned)
        keys, values = torch.cat([before[0], keys], 2), torch.cat([before[1], values], 2)
        positions = positions + self.dropout(self.attention.attend(queries, keys, values, allowed))
        positions = positions + self.dropout(self.dense(self.dense_norm(positions)))
        return positions, keys, values


class DecoderBody(nn.Module):
    """Decoder blocks one upon the other, and a last normalisation.

    With rotary positions each place attends to itself and to the ``context`` places before it. Learned positions are
    numbered from 0 to ``context`` - 1, again and again, and a place attends to those of its own round.

    Args:
        width: Numbers of a position.
        heads: Heads of attention; each needs an even share of the width where positions turn it.
        feed_forward: Units between the dense layers of a block.
        layers: How many blocks.
        context: How many places back attention may go.
        positions: ``rotary`` or ``learned``.
        dropout: Share that is dropped in training.

    Raises:
        ConfigurationError: The width is no even multiple of the heads.

    >>> body = DecoderBody(32, 4, 64, layers=2, context=16)
    >>> outputs, state = body(torch.zeros(3, 7, 32), body.begin(3))
    >>> outputs.shape
    torch.Size([3, 7, 32])
    """

    def __init__(
        self,
        width: int,
        heads: int,
        feed_forward: int,
        layers: int,
        context: int,
        positions: Positions = "rotary",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if positions == "rotary" and width % (2 * heads):
            raise ConfigurationError(
                f"with rotary positions the width must be an even multiple of the heads; found embedding {width} and "
                f"heads {heads}",
                option="heads",
                value=heads,
            )
        self.blocks = nn.ModuleList(CausalBlock(width, heads, feed_forward, dropout) for _ in range(layers))
        self.norm, self.dropout = nn.LayerNorm(width), nn.Dropout(dropout)
        self.width, self.context, self.heads = width, context, heads
        self.learned = nn.Embedding(context, width) if positions == "learned" else None
        if self.learned is not None:
            nn.init.normal_(self.learned.weight, std=0.02)

    def begin(self, batch: int) -> State:
        """What is known before anything was read: how much that was, and room for keys and values of each block."""
        room = self.norm.weight.new_zeros(batch, self.heads, self.context, self.width // self.heads)
        return (torch.zeros(batch, dtype=torch.int64, device=room.device), *(room,) * (2 * len(self.blocks)))

    def forward(
        self, vectors: Float[Tensor, "batch time unit"], state: State
    ) -> tuple[Float[Tensor, "batch time unit"], State]:
        """Reads on.

        Args:
            vectors: Those of the new tokens.
            state: What was read before.
        """
        read, time = state[0], vectors.shape[1]
        places = read[:, None] + torch.arange(time, device=vectors.device)
        if self.learned is not None:
            vectors = vectors + self.learned(places % self.context)
        positions, after = self.dropout(vectors), [read + time]
        allowed = self.allowed(places)
        turned = rotation(places, self.width // self.heads, vectors.dtype) if self.learned is None else None
        for number, block in enumerate(self.blocks):
            before = (state[2 * number + 1], state[2 * number + 2])
            positions, keys, values = block(positions, turned, before, allowed)
            after += [keys[:, :, time:], values[:, :, time:]]
        return self.norm(positions), tuple(after)

    def allowed(self, places: Int64[Tensor, "batch time"]) -> Bool[Tensor, "batch time key"]:
        """Which of the places before, and of the new ones, each new one may attend to."""
        first = places[:, :1]
        keys = torch.arange(-self.context, places.shape[1], device=places.device) + first
        asking, asked = places[:, :, None], keys[:, None, :]
        near = (asked >= 0) & (asked <= asking) & (asking - asked <= self.context)
        if self.learned is not None:
            near &= asking // self.context == asked // self.context
        return near
