"""Embeddings: a learned vector for each token, and for the n-grams that tokens make."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

PADDING = 0
SPREAD = 0.05  # of initial vectors, as Keras draws them
_FACTOR = 1_000_003  # of the hash, a prime


class TokenEmbedding(nn.Module):
    """A vector for each token; zeros for what only fills a text up.

    With ``ngrams`` above one each place also has the vectors of the n-grams that end there, which share so many
    ``buckets`` by a hash (Joulin et al., "Bag of Tricks for Efficient Text Classification", 2017).

    Args:
        tokens: How many there are; the first one fills texts up.
        width: Numbers of a vector.
        ngrams: Tokens of the longest n-gram with a vector.
        buckets: Vectors that n-grams share.
        spread: Initial vectors are drawn evenly between minus this and this.

    >>> TokenEmbedding(100, 8)(torch.tensor([[5, 7, 0]])).shape
    torch.Size([1, 3, 8])
    """

    def __init__(self, tokens: int, width: int, ngrams: int = 1, buckets: int = 0, spread: float = SPREAD) -> None:
        super().__init__()
        self.tokens, self.width, self.ngrams, self.buckets = tokens, width, ngrams, buckets if ngrams > 1 else 0
        self.weight = nn.Parameter(torch.empty(tokens + self.buckets, width))
        nn.init.uniform_(self.weight, -spread, spread)
        with torch.no_grad():
            self.weight[PADDING] = 0

    def forward(self, tokens: Int64[Tensor, "batch time"]) -> Float[Tensor, "batch time unit"]:
        """The vectors at each place."""
        found = nn.functional.embedding(tokens, self.weight, padding_idx=PADDING)
        for ended in self._ngrams(tokens):
            found = found + nn.functional.embedding(ended, self.weight, padding_idx=PADDING)
        return found

    def _ngrams(self, tokens: Int64[Tensor, "batch time"]) -> list[Int64[Tensor, "batch time"]]:
        """For each n the rows of the n-grams that end at each place; padding where there is none."""
        found = []
        hashed = tokens
        for length in range(2, self.ngrams + 1):
            before = nn.functional.pad(hashed, (1, 0))[:, :-1]
            hashed = (before * _FACTOR + tokens) % (2**31 - 1)
            whole = (tokens != PADDING) & (torch.arange(tokens.shape[1], device=tokens.device) >= length - 1)
            found.append(torch.where(whole, self.tokens + hashed % max(1, self.buckets), PADDING))
        return found

    def counts(self, lengths: Int64[Tensor, " batch"]) -> Int64[Tensor, " batch"]:
        """How many vectors texts of some lengths have in all."""
        return sum((lengths - longer).clamp(min=0) for longer in range(self.ngrams))  # type: ignore[return-value]

    def extra_repr(self) -> str:
        """What ``print`` shows."""
        return f"{self.tokens}, {self.width}" + (f", ngrams={self.ngrams}" if self.ngrams > 1 else "")
