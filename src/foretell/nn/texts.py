"""A network over texts: tokens in, a score for each class out."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from .embedding import NgramEmbedding, TokenEmbedding
from .heads import dense
from .initialisation import initialise
from .readers import AttentionReader, Reader


class TextNetwork(nn.Module):
    """Embedding, a reader of what it gives, dense layers: the decks' Embedding, LSTM, Dense among others.

    Args:
        embedding: Gives each token its vector.
        reader: Comes from the vectors of a text to one; knows its ``width``.
        outputs: Scores: one for each class, or one alone where there are two.
        dropout: Share of what the dense layers read that is dropped in training.
        head: Units of further dense layers before the output.
    """

    def __init__(
        self,
        embedding: TokenEmbedding | NgramEmbedding,
        reader: Reader,
        outputs: int,
        dropout: float = 0.0,
        head: Sequence[int] = (),
    ) -> None:
        super().__init__()
        self.embedding, self.reader, self.dropout = embedding, reader, nn.Dropout(dropout)
        self.head = dense(reader.width, head, outputs)
        initialise(self)

    def forward(
        self, tokens: Int64[Tensor, "batch time"], lengths: Int64[Tensor, " batch"]
    ) -> Float[Tensor, "batch score"]:
        """The scores of a batch of texts, each filled up after its length."""
        return self.read(self.embedding(tokens), lengths)

    def read(
        self, embedded: Float[Tensor, "batch time unit"], lengths: Int64[Tensor, " batch"]
    ) -> Float[Tensor, "batch score"]:
        """The scores of texts whose tokens have their vectors already."""
        return self.head(self.dropout(self.reader(embedded, lengths)))

    def attention(
        self, tokens: Int64[Tensor, "batch time"], lengths: Int64[Tensor, " batch"]
    ) -> Float[Tensor, "block batch head query key"] | None:
        """The weights of attention in each block; None where nothing attends."""
        if not isinstance(self.reader, AttentionReader):
            return None
        return torch.stack(self.reader(self.embedding(tokens), lengths, return_attention=True)[1])
