"""The Transformer's parts: encoder and decoder blocks of attention and dense layers (Vaswani et al. 2017, figure 1).

What is masked is masked by place alone, so that padding is invisible and reading token by token, with the keys and
values of the tokens before at hand, gives what reading all at once gives.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar, Literal, cast

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from ..errors import ConfigurationError, nearest
from .attention import MultiHeadAttention, before
from .dropout import Dropout
from .kept import Kept, KeysValues

NormPlace = Literal["pre", "post"]
ACTIVATIONS: dict[str, type[nn.Module]] = {"gelu": nn.GELU, "relu": nn.ReLU}
Grow = Callable[[Tensor, Tensor], KeysValues]
"""Given new keys and values, puts them to those before and gives all of them."""


class Block(nn.Module):
    """What all blocks have: self-attention, dense layers, and a place where they normalise.

    Args:
        width: Numbers of a position.
        heads: Heads of attention.
        feed_forward: Units between the two dense layers.
        dropout: Share that is dropped in training: of the weights of attention, and of what is added.
        attention_dropout: Share of the weights of attention; the same where None.
        norm: ``pre`` normalises what is read (Xiong et al., "On Layer Normalization in the Transformer Architecture",
            2020), ``post`` what comes of it, as in the paper.
        activation: ``gelu``, or ``relu`` as in the paper.

    Raises:
        ConfigurationError: There is no such place, or no such activation.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        feed_forward: int,
        dropout: float = 0.0,
        attention_dropout: float | None = None,
        norm: NormPlace = "pre",
        activation: str = "gelu",
    ) -> None:
        super().__init__()
        for name, value, known in (("norm", norm, ("pre", "post")), ("activation", activation, ACTIVATIONS)):
            if value not in known:
                raise ConfigurationError(f'there is no {name} "{value}"; {nearest(value, known)}', option=name)
        self.norm = norm
        self.weights_dropout = dropout if attention_dropout is None else attention_dropout
        self.attention_norm, self.dense_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = MultiHeadAttention(width, heads, self.weights_dropout)
        self.dense = nn.Sequential(
            nn.Linear(width, feed_forward), ACTIVATIONS[activation](), nn.Linear(feed_forward, width)
        )
        self.dropout = Dropout(dropout)

    def reads(self, positions: Tensor, norm: nn.Module) -> Tensor:
        """What a part of the block reads of positions."""
        return cast(Tensor, norm(positions)) if self.norm == "pre" else positions

    def adds(self, positions: Tensor, found: Tensor, norm: nn.Module) -> Tensor:
        """Positions with what that part found."""
        added = positions + self.dropout(found)
        return added if self.norm == "pre" else cast(Tensor, norm(added))


class EncoderBlock(Block):
    """Self-attention, then two dense layers; each adds what it finds. Made as any :class:`Block`."""

    def forward(
        self,
        positions: Float[Tensor, "batch place unit"],
        allowed: Bool[Tensor, "#batch #query place"] | None = None,
        return_attention: bool = False,
    ) -> Any:
        """Each position, with what it found among the others.

        Args:
            positions: Of a batch of sequences.
            allowed: Where attention may go; everywhere where None.
            return_attention: Whether the weights come back as well, (batch, head, query, key).
        """
        read = self.reads(positions, self.attention_norm)
        found, weights = _both(self.attention(read, read, allowed, return_attention))
        positions = self.adds(positions, found, self.attention_norm)
        found = self.dense(self.reads(positions, self.dense_norm))
        positions = self.adds(positions, found, self.dense_norm)
        return (positions, weights) if return_attention else positions


class Stack(nn.Module):
    """Blocks one upon the other, and where these normalise what they read a last normalisation.

    Args:
        width: Numbers of a position.
        heads: Heads of attention.
        feed_forward: Units between the dense layers of a block.
        layers: How many blocks.
        dropout: Share that is dropped in training.
        attention_dropout: Share of the weights of attention; the same where None.
        norm: Where blocks normalise: ``pre`` or ``post``.
        activation: ``gelu`` or ``relu``.
    """

    block: ClassVar[Callable[..., nn.Module]]

    def __init__(
        self,
        width: int,
        heads: int,
        feed_forward: int,
        layers: int,
        dropout: float = 0.0,
        attention_dropout: float | None = None,
        norm: NormPlace = "pre",
        activation: str = "gelu",
    ) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            type(self).block(width, heads, feed_forward, dropout, attention_dropout, norm, activation)
            for _ in range(layers)
        )
        self.norm = nn.LayerNorm(width) if norm == "pre" else nn.Identity()


class Encoder(Stack):
    """Encoder blocks one upon the other; made as any :class:`Stack`.

    >>> import torch
    >>> Encoder(32, 4, 64, layers=2)(torch.zeros(2, 7, 32)).shape
    torch.Size([2, 7, 32])
    """

    block = EncoderBlock

    def forward(
        self,
        positions: Float[Tensor, "batch place unit"],
        allowed: Bool[Tensor, "#batch #query place"] | None = None,
        return_attention: bool = False,
    ) -> Any:
        """Reads a batch of sequences.

        Args:
            positions: Of a batch of sequences.
            allowed: Where attention may go; everywhere where None.
            return_attention: Whether the weights of each block come back as well, in a list.
        """
        maps = []
        for block in self.blocks:
            positions = block(positions, allowed, return_attention)
            if return_attention:
                positions, weights = positions
                maps.append(weights)
        found = self.norm(positions)
        return (found, maps) if return_attention else found


class DecoderBlock(Block):
    """Masked self-attention, attention to what an encoder read, then two dense layers; each adds what it finds.

    Args:
        width: Numbers of a position.
        heads: Heads of attention.
        *options: As of any :class:`Block`.
        **named: Likewise.
    """

    def __init__(self, width: int, heads: int, *options: Any, **named: Any) -> None:
        super().__init__(width, heads, *options, **named)
        self.memory_norm = nn.LayerNorm(width)
        self.memory_attention = MultiHeadAttention(width, heads, self.weights_dropout)

    def forward(
        self,
        positions: Float[Tensor, "row place unit"],
        grow: Grow,
        memory: KeysValues,
        allowed: Bool[Tensor, "#source 1 key"] | None = None,
        return_attention: bool = False,
    ) -> tuple[Float[Tensor, "row place unit"], list[Tensor]]:
        """Each position, with what it found among those before it and in what was read.

        Args:
            positions: The new ones of each row.
            grow: Puts its new keys and values to those of positions that were read before.
            memory: Keys and values of what the encoder read; several rows that follow each other may share it.
            allowed: Which of these are no padding; all where None.
            return_attention: Whether the weights of both come back as well, (row, head, query, key).

        Returns:
            The positions, and the weights.
        """
        read = self.reads(positions, self.attention_norm)
        keys, values = grow(*self.attention.keys_values(read))
        found, looked_back = _both(self._look_back(self.attention.queries(read), keys, values, return_attention))
        positions = self.adds(positions, found, self.attention_norm)
        read = self.reads(positions, self.memory_norm)
        found, looked_up = self._look_up(read, memory, allowed, return_attention)
        positions = self.adds(positions, found, self.memory_norm)
        found = self.dense(self.reads(positions, self.dense_norm))
        positions = self.adds(positions, found, self.dense_norm)
        return positions, [own for own in (looked_back, looked_up) if own is not None]

    def _look_back(self, queries: Tensor, keys: Tensor, values: Tensor, watched: bool) -> Any:
        """Self-attention of new positions, the last ones, each of which sees those up to its own."""
        new, whole = queries.shape[2], keys.shape[2]
        if new == 1:  # nothing that is to come is there yet
            return self.attention.attend(queries, keys, values, None, watched)
        if new == whole:
            return self.attention.attend(queries, keys, values, None, watched, causal=True)
        return self.attention.attend(queries, keys, values, before(new, whole, keys.device)[0], watched)

    def _look_up(
        self, read: Tensor, memory: KeysValues, allowed: Tensor | None, watched: bool
    ) -> tuple[Tensor, Tensor | None]:
        """Attention to what the encoder read, of all rows that share a source at once."""
        shared = len(read) // len(memory[0])
        asking = read.reshape(len(memory[0]), shared * read.shape[1], read.shape[2])
        queries = self.memory_attention.queries(asking)
        found, weights = _both(self.memory_attention.attend(queries, *memory, allowed, watched))
        if weights is not None:
            weights = torch.unflatten(weights, 2, (shared, -1)).transpose(1, 2).flatten(0, 1)
        return found.view(read.shape), weights


class Decoder(Stack):
    """Decoder blocks one upon the other; made as any :class:`Stack`.

    >>> decoder = Decoder(32, 4, 64, layers=2)
    >>> memory = decoder.memory(torch.zeros(2, 7, 32))
    >>> decoder(torch.zeros(2, 5, 32), Kept(), memory)[0].shape
    torch.Size([2, 5, 32])
    """

    block = DecoderBlock

    @property
    def each(self) -> list[DecoderBlock]:
        """The blocks, from the first on."""
        return list(cast("list[DecoderBlock]", self.blocks))

    def memory(self, read: Float[Tensor, "source place unit"]) -> tuple[Tensor, ...]:
        """Keys and values of what an encoder read, of each block: worked out once for all steps."""
        return tuple(part for block in self.each for part in block.memory_attention.keys_values(read))

    def forward(
        self,
        positions: Float[Tensor, "row place unit"],
        earlier: Kept,
        memory: tuple[Tensor, ...],
        allowed: Bool[Tensor, "#source 1 key"] | None = None,
        return_attention: bool = False,
    ) -> tuple[Float[Tensor, "row place unit"], Kept, list[Tensor]]:
        """Reads on.

        Args:
            positions: The new ones of each row.
            earlier: Keys and values of those that were read before.
            memory: As :meth:`memory` gives it; several rows that follow each other may share one of its own.
            allowed: Which of its places are no padding; all where None.
            return_attention: Whether the weights come back as well: of each block self-attention's, then memory's.

        Returns:
            The positions, the keys and values of the old and new ones, and the weights.
        """
        after = earlier.grown(positions.shape[1])
        maps: list[Tensor] = []
        for number, block in enumerate(self.each):
            own = cast("KeysValues", memory[2 * number : 2 * number + 2])
            positions, weights = block(positions, partial(after.put, number), own, allowed, return_attention)
            maps += weights
        return self.norm(positions), after, maps


def _both(found: Any) -> tuple[Tensor, Tensor | None]:
    """What attention found, and its weights where it was asked for them."""
    return found if isinstance(found, tuple) else (found, None)
