"""Embeddings: a learned vector for each token, and for the n-grams that tokens make."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

PADDING, UNKNOWN = 0, 1
SPREAD = 0.05  # of initial vectors, as Keras draws them
FACTOR = 0x1E3779B97F4A7C15  # of the hash, odd; products wrap around at 64 bits


class TokenEmbedding(nn.Module):
    """A vector for each token; zeros for what only fills a text up.

    Args:
        tokens: How many there are; the first one fills texts up.
        width: Numbers of a vector.
        spread: Initial vectors are drawn evenly between minus this and this.

    >>> TokenEmbedding(100, 8)(torch.tensor([[5, 7, 0]])).shape
    torch.Size([1, 3, 8])
    """

    def __init__(self, tokens: int, width: int, spread: float = SPREAD) -> None:
        super().__init__()
        self.tokens, self.width = tokens, width
        self.weight = nn.Parameter(torch.empty(tokens, width))
        _draw(self.weight, spread)

    def forward(self, tokens: Int64[Tensor, "batch time"]) -> Float[Tensor, "batch time unit"]:
        """The vectors at each place."""
        return nn.functional.embedding(tokens, self.weight, padding_idx=PADDING)

    def extra_repr(self) -> str:
        """What ``print`` shows."""
        return f"{self.tokens}, {self.width}"


class NgramEmbedding(nn.Module):
    """At each place the vector of a token and those of the n-grams that end there, as far as they are known.

    An n-gram is a hash of its tokens (Joulin et al., "Bag of Tricks for Efficient Text Classification", 2017), but only
    those of a given table have a vector, each its own: what training never saw twice says nothing. Vectors may be
    weighted, each by a number that stays as it is (Li et al., "Weighted Neural Bag-of-n-grams Model", 2016).

    Args:
        tokens: How many there are; the first one fills texts up, the second stands for unknown ones.
        width: Numbers of a vector.
        ngrams: Tokens of the longest n-gram.
        known: How many n-grams have a vector; ``table`` holds their hashes, in order.
        spread: Initial vectors are drawn evenly between minus this and this.

    Attributes:
        sparse: Whether gradients name only the vectors that a batch holds, for an optimiser that takes them so.

    >>> embedding = NgramEmbedding(100, 8, ngrams=2, known=1)
    >>> embedding.table[:] = hashed(torch.tensor([[5, 7]]), 2)[1][0, 1]
    >>> embedding.rows(torch.tensor([[5, 7, 0]])).tolist()
    [[[5, 7, 0], [0, 100, 0]]]
    """

    table: Tensor
    factors: Tensor

    def __init__(self, tokens: int, width: int, ngrams: int, known: int, spread: float = SPREAD) -> None:
        super().__init__()
        self.tokens, self.width, self.ngrams, self.sparse = tokens, width, ngrams, False
        self.weight = nn.Parameter(torch.empty(tokens + known, width))
        _draw(self.weight, spread)
        self.register_buffer("table", torch.zeros(known, dtype=torch.int64))
        self.register_buffer("factors", torch.ones(tokens + known))

    def forward(self, tokens: Int64[Tensor, "batch time"]) -> Float[Tensor, "batch time unit"]:
        """The sum of the vectors at each place."""
        rows = self.rows(tokens)
        found = nn.functional.embedding(rows, self.weight, padding_idx=PADDING, sparse=self.sparse)
        return (found * self.factors[rows][..., None]).sum(1)

    def rows(self, tokens: Int64[Tensor, "batch time"]) -> Int64[Tensor, "batch ngram time"]:
        """Which vector stands for each token, and for the n-grams that end there; padding's where there is none."""
        rows = [tokens]
        for ending in hashed(tokens, self.ngrams)[1:]:
            place = torch.searchsorted(self.table, ending).clamp(max=max(0, len(self.table) - 1))
            there = (self.table[place] == ending) & (ending != 0) if len(self.table) else ending != ending
            rows.append(torch.where(there, self.tokens + place, PADDING))
        return torch.stack(rows, 1)

    def extra_repr(self) -> str:
        """What ``print`` shows."""
        return f"{self.tokens}, {self.width}, ngrams={self.ngrams}, known={len(self.table)}"


def hashed(tokens: Int64[Tensor, "batch time"], ngrams: int) -> list[Int64[Tensor, "batch time"]]:
    """For each n up to some a hash of the n-gram that ends at each place; zero where one of its tokens is not known.

    Args:
        tokens: Of a batch of texts.
        ngrams: Tokens of the longest n-gram.
    """
    known = tokens > UNKNOWN
    found, whole, hashes = [torch.where(known, tokens, 0)], known, tokens
    for _ in range(ngrams - 1):
        before = nn.functional.pad(hashes, (1, 0))[:, :-1]
        hashes = (before ^ (before >> 29)) * FACTOR + tokens
        whole = nn.functional.pad(whole, (1, 0))[:, :-1] & known
        found.append(torch.where(whole, hashes, 0))
    return found


def _draw(weight: nn.Parameter, spread: float) -> None:
    nn.init.uniform_(weight, -spread, spread)
    with torch.no_grad():
        weight[PADDING] = 0
