"""What reads the vectors of a text, place by place, and comes to one vector: padding has no part in it.

A text gives the same alone and in a batch: whatever lies beyond its length is zero before a convolution, left out of
a mean or a maximum, not stepped through by recurrent layers, and not attended to.
"""

from collections.abc import Sequence
from typing import Any, Literal

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn
from torch.nn import functional

from .convolution import Convolutions
from .positions import sinusoidal_positions
from .recurrent import Bidirectional, Recurrent
from .transformer import Encoder

Pooling = Literal["last", "maximum", "average"]


def inside(lengths: Int64[Tensor, " batch"], places: int) -> Bool[Tensor, "batch place"]:
    """Which places are a text's own.

    >>> inside(torch.tensor([2, 3]), 3).tolist()
    [[True, True, False], [True, True, True]]
    """
    return torch.arange(places, device=lengths.device) < lengths[:, None]


def pool(
    sequences: Float[Tensor, "batch place unit"], lengths: Int64[Tensor, " batch"], pooling: Pooling
) -> Float[Tensor, "batch unit"]:
    """One vector of the vectors at a text's own places: the last, or of each number the maximum or the average."""
    if pooling == "last":
        return sequences[torch.arange(len(lengths), device=lengths.device), lengths - 1]
    own = inside(lengths, sequences.shape[1])[..., None]
    if pooling == "maximum":
        return sequences.masked_fill(~own, -torch.inf).amax(1)
    return sequences.masked_fill(~own, 0).sum(1) / lengths[:, None]


class MeanReader(nn.Module):
    """The sum of the vectors at all places, divided by how many places there are, or by the root of that.

    Args:
        width: Numbers of a vector.
        root: Whether by the root: then long texts say more.
    """

    def __init__(self, width: int, *, root: bool = False) -> None:
        super().__init__()
        self.width, self.root = width, root

    def forward(
        self, embedded: Float[Tensor, "batch place unit"], lengths: Int64[Tensor, " batch"]
    ) -> Float[Tensor, "batch unit"]:
        """Reads a batch of texts."""
        places = lengths[:, None].to(embedded)
        return embedded.sum(1) / (places.sqrt() if self.root else places)


class RecurrentReader(nn.Module):
    """Recurrent layers one upon the other.

    Args:
        layers: All but the last return sequences; the last one too where states are pooled.
        pooling: Whether the last state counts, or the maximum or average of all.
    """

    def __init__(self, layers: Sequence[Recurrent | Bidirectional], pooling: Pooling = "last") -> None:
        super().__init__()
        self.layers, self.width, self.pooling = nn.ModuleList(layers), layers[-1].width, pooling

    def forward(
        self, embedded: Float[Tensor, "batch place unit"], lengths: Int64[Tensor, " batch"]
    ) -> Float[Tensor, "batch state"]:
        """Reads a batch of texts."""
        for layer in self.layers:
            embedded = layer(embedded, lengths=lengths)
        return embedded if embedded.ndim == 2 else pool(embedded, lengths, self.pooling)


class ConvolutionReader(nn.Module):
    """Convolutions of several widths side by side, and of each filter what pooling keeps of all places.

    Kim, "Convolutional Neural Networks for Sentence Classification" (2014).

    Args:
        features: Numbers of a vector.
        filters: Of each width.
        kernel_sizes: The widths: places that a filter sees at once.
        pooling: What is kept of each filter.
        dropout: Share of the numbers of a text's vectors that is dropped in training, the same at each place.
    """

    def __init__(
        self,
        features: int,
        filters: int,
        kernel_sizes: Sequence[int],
        pooling: Pooling = "maximum",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.width, self.pooling = filters * len(kernel_sizes), pooling
        self.dropout = nn.Dropout1d(dropout)
        self.branches = nn.ModuleList(
            Convolutions(features, (filters,), kernel_size=size, padding="same") for size in kernel_sizes
        )

    def forward(
        self, embedded: Float[Tensor, "batch place unit"], lengths: Int64[Tensor, " batch"]
    ) -> Float[Tensor, "batch filter"]:
        """Reads a batch of texts."""
        read = self.dropout(embedded.transpose(1, 2)).transpose(1, 2)
        return torch.cat([pool(branch(read), lengths, self.pooling) for branch in self.branches], 1)


class ConvolutionRecurrentReader(nn.Module):
    """A convolution whose outputs are pooled, and a recurrent layer that reads what is left.

    Args:
        features: Numbers of a vector.
        filters: Of the convolution.
        kernel_size: Places that a filter sees at once.
        pool_size: Places of which pooling keeps the maximum.
        recurrent: What reads that.
        dropout: Share of the numbers of a text's vectors that is dropped in training, the same at each place.
        pooling: Whether the recurrent layer's last state counts, or the maximum or average of all.
    """

    def __init__(
        self,
        features: int,
        filters: int,
        kernel_size: int,
        pool_size: int,
        recurrent: Recurrent | Bidirectional,
        dropout: float = 0.0,
        pooling: Pooling = "last",
    ) -> None:
        super().__init__()
        self.pool_size, self.dropout = pool_size, nn.Dropout1d(dropout)
        self.convolution = Convolutions(features, (filters,), kernel_size=kernel_size, padding="same")
        self.recurrent = RecurrentReader([recurrent], pooling)
        self.width = self.recurrent.width

    def forward(
        self, embedded: Float[Tensor, "batch place unit"], lengths: Int64[Tensor, " batch"]
    ) -> Float[Tensor, "batch state"]:
        """Reads a batch of texts."""
        read = self.dropout(embedded.transpose(1, 2)).transpose(1, 2)
        # Nothing is below zero after ReLU: zeros beyond the end change no maximum.
        found = self.convolution(read) * inside(lengths, read.shape[1])[..., None]
        shorter = functional.max_pool1d(found.transpose(1, 2), self.pool_size, ceil_mode=True).transpose(1, 2)
        return self.recurrent(shorter, -(-lengths // self.pool_size))


class AttentionReader(nn.Module):
    """Positions are added, encoder blocks read all places at once, and pooling keeps one vector.

    Args:
        width: Numbers of a vector.
        heads: Heads of attention.
        feed_forward: Units between the dense layers of a block.
        layers: How many blocks.
        places: Places of the longest text.
        pooling: What is kept of all places.
        dropout: Share that is dropped in training; the weights of attention are kept, so that the fused kernel computes
            them.
    """

    positions: Tensor

    def __init__(
        self,
        width: int,
        heads: int,
        feed_forward: int,
        layers: int,
        places: int,
        pooling: Pooling = "average",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.width, self.pooling = width, pooling
        self.register_buffer("positions", sinusoidal_positions(places, width))
        self.dropout = nn.Dropout(dropout)
        self.encoder = Encoder(width, heads, feed_forward, layers, dropout, attention_dropout=0.0)

    def forward(
        self,
        embedded: Float[Tensor, "batch place unit"],
        lengths: Int64[Tensor, " batch"],
        return_attention: bool = False,
    ) -> Any:
        """Reads a batch of texts; with ``return_attention`` a pair of that and the weights of each block."""
        places = embedded.shape[1]
        read = self.dropout(embedded + self.positions[:places])
        allowed = inside(lengths, places)[:, None]
        found = self.encoder(read, allowed, return_attention)
        found, weights = found if return_attention else (found, None)
        pooled = pool(found, lengths, self.pooling)
        return (pooled, weights) if return_attention else pooled


Reader = MeanReader | RecurrentReader | ConvolutionReader | ConvolutionRecurrentReader | AttentionReader
"""What comes from the vectors of a text to one."""
