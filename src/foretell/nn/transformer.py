"""The Transformer's parts: encoder blocks of attention and dense layers (Vaswani et al. 2017)."""

from typing import Any

from jaxtyping import Bool, Float
from torch import Tensor, nn

from .attention import MultiHeadAttention
from .heads import dense
from .initialisation import initialise
from .positions import sinusoidal_positions


class EncoderBlock(nn.Module):
    """Self-attention, then two dense layers; each normalises what it reads and adds what it finds ("pre-norm").

    Xiong et al., "On Layer Normalization in the Transformer Architecture" (2020).

    Args:
        width: Numbers of a position.
        heads: Heads of attention.
        feed_forward: Units between the two dense layers.
        dropout: Share that is dropped in training: of the weights of attention, and of what is added.
        attention_dropout: Share of the weights of attention; the same where None.
    """

    def __init__(
        self, width: int, heads: int, feed_forward: int, dropout: float = 0.0, attention_dropout: float | None = None
    ) -> None:
        super().__init__()
        self.attention_norm, self.dense_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = MultiHeadAttention(width, heads, dropout if attention_dropout is None else attention_dropout)
        self.dense = nn.Sequential(nn.Linear(width, feed_forward), nn.GELU(), nn.Linear(feed_forward, width))
        self.dropout = nn.Dropout(dropout)

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
        read = self.attention_norm(positions)
        found = self.attention(read, read, allowed, return_attention)
        found, weights = found if return_attention else (found, None)
        positions = positions + self.dropout(found)
        positions = positions + self.dropout(self.dense(self.dense_norm(positions)))
        return (positions, weights) if return_attention else positions


class Encoder(nn.Module):
    """Encoder blocks one upon the other, and a last normalisation.

    Args:
        width: Numbers of a position.
        heads: Heads of attention.
        feed_forward: Units between the dense layers of a block.
        layers: How many blocks.
        dropout: Share that is dropped in training.
        attention_dropout: Share of the weights of attention; the same where None.

    >>> import torch
    >>> Encoder(32, 4, 64, layers=2)(torch.zeros(2, 7, 32)).shape
    torch.Size([2, 7, 32])
    """

    def __init__(
        self,
        width: int,
        heads: int,
        feed_forward: int,
        layers: int,
        dropout: float = 0.0,
        attention_dropout: float | None = None,
    ) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            EncoderBlock(width, heads, feed_forward, dropout, attention_dropout) for _ in range(layers)
        )
        self.norm = nn.LayerNorm(width)

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


class TransformerNetwork(nn.Module):
    """An encoder over the steps of a window, whose last position makes the forecast.

    Args:
        steps: Inputs of a window along time.
        features: Inputs at each step.
        width: Numbers of a position.
        heads: Heads of attention.
        feed_forward: Units between the dense layers of a block.
        layers: How many blocks.
        leads: Forecast steps.
        targets: Numbers to forecast at each of them.
        dropout: Share that is dropped in training.
        head: Units of further dense layers before the output.
    """

    positions: Tensor

    def __init__(
        self,
        steps: int,
        features: int,
        width: int,
        heads: int,
        feed_forward: int,
        layers: int,
        leads: int,
        targets: int,
        dropout: float = 0.0,
        head: tuple[int, ...] = (),
    ) -> None:
        super().__init__()
        self.embed = nn.Linear(features, width)
        self.register_buffer("positions", sinusoidal_positions(steps, width))
        self.dropout = nn.Dropout(dropout)
        self.encoder = Encoder(width, heads, feed_forward, layers, dropout)
        self.head = dense(width, head, leads * targets)
        self.output_shape = (leads, targets)
        initialise(self)

    def forward(self, inputs: Float[Tensor, "batch time feature"]) -> Float[Tensor, "batch lead target"]:
        """Forecasts a batch of windows."""
        positions = self.encoder(self.dropout(self.embed(inputs) + self.positions))
        return self.head(positions[:, -1]).unflatten(1, self.output_shape)
