"""Texts as a network reads them: a batch filled up to its longest text, cut to a length."""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor

from .storage import TokenArray, TokenFile
from .vocabulary import PADDING, UNKNOWN


class Reader:
    """Cuts texts, and makes batches of them.

    Args:
        length: Most tokens of a text.
        front: Whether longer ones are cut at their front.
        tokens: How many different tokens a network knows; others count as unknown.
    """

    def __init__(self, length: int, tokens: int, *, front: bool = True) -> None:
        self.length, self.tokens, self.front = length, tokens, front

    def cut(self, text: TokenArray) -> TokenArray:
        """What is read of a text; something stands in for a text without tokens."""
        if len(text) == 0:
            return np.array([UNKNOWN], np.int32)
        return text[-self.length :] if self.front else text[: self.length]

    def known(self, text: TokenArray) -> TokenArray:
        """What is read of a text, with what the network does not know as unknown."""
        cut = self.cut(text)
        return np.where(cut < self.tokens, cut, UNKNOWN).astype(np.int32)

    def lengths(self, texts: Int64[np.ndarray, " text"]) -> Int64[np.ndarray, " text"]:
        """How many tokens are read of texts that have so many."""
        return np.clip(texts, 1, self.length)

    def batch(self, file: TokenFile, numbers: Int64[np.ndarray, " batch"]) -> "Batch":
        """Some texts of a file."""
        return self.filled([self.cut(file[int(number)]) for number in numbers])

    def filled(self, texts: list[TokenArray]) -> "Batch":
        """Texts that have been cut, filled up to the longest of them."""
        lengths = np.array([len(text) for text in texts], np.int64)
        tokens = np.full((len(texts), int(lengths.max(initial=1))), PADDING, np.int64)
        for row, text in enumerate(texts):
            tokens[row, : len(text)] = text
        tokens[tokens >= self.tokens] = UNKNOWN
        return Batch(torch.from_numpy(tokens), torch.from_numpy(lengths))


class Batch(NamedTuple):
    """Texts of one length, and how much of each is its own: (batch, time), (batch)."""

    tokens: Tensor
    lengths: Tensor
