"""N-grams of texts as numbers: which occur often enough to be learned from, and how telling each is of a label."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float32, Int64

from ...data.batches import Reader
from ...data.storage import Chosen, TokenArray
from ...nn import NgramEmbedding
from ...nn.embedding import hashed

Keys = Int64[np.ndarray, " _ngram"]
Counts = Int64[np.ndarray, " _ngram"]
FEW = 100  # n-grams: where fewer occur twice, all are kept
_STREAM = 2**34  # of random numbers, that neither spans nor trainings draw from


def keys_at(tokens: TokenArray, ngrams: int) -> list[Keys]:
    """For each n a number for the n-gram that ends at each place; zero where there is none, or a token is unknown.

    Args:
        tokens: Of a text.
        ngrams: Tokens of the longest.

    >>> single, double = keys_at(np.array([5, 7, 1, 5, 7], np.int32), 2)
    >>> single.tolist(), (double[[1, 4]] == double[1]).all(), double[[0, 2, 3]].tolist()
    ([5, 7, 0, 5, 7], np.True_, [0, 0, 0])
    """
    return [keys[0].numpy() for keys in hashed(torch.from_numpy(tokens.astype(np.int64))[None], ngrams)]


def counted_keys(tokens: TokenArray, ngrams: int) -> tuple[Keys, Counts]:
    """The n-grams of a text, each once, and how often they occur."""
    every = np.concatenate(keys_at(tokens, ngrams))
    return np.unique(every[every != 0], return_counts=True)


def frequent(texts: Sequence[TokenArray], ngrams: int, shortest: int = 1, most: int | None = None) -> Keys:
    """The n-grams that occur in two texts or more, in order; where hardly any does, all.

    Args:
        texts: In pieces.
        ngrams: Tokens of the longest.
        shortest: Tokens of the shortest.
        most: How many are kept, the most frequent; all where None.
    """
    found = []
    for tokens in texts:
        every = np.concatenate([np.zeros(0, np.int64), *keys_at(tokens, ngrams)[shortest - 1 :]])
        found.append(np.unique(every[every != 0]))
    keys, counts = np.unique(np.concatenate(found), return_counts=True)
    often = counts >= 2
    if often.sum() >= FEW:
        keys, counts = keys[often], counts[often]
    if most is not None and len(keys) > most:
        keys = np.sort(keys[np.argsort(-counts, kind="stable")[:most]])
    return keys


def drawn(texts: Chosen, ngrams: int, most: int, seed: int) -> Chosen:
    """Some of the texts at random, so that they have at most so many n-grams in all; all where they have no more.

    Args:
        texts: In pieces.
        ngrams: Tokens of the longest n-gram.
        most: How many n-grams.
        seed: Where the choice comes from.
    """
    each = ngrams * texts.file.lengths[texts.numbers]
    if each.sum() <= most:
        return texts
    order = np.random.Generator(np.random.Philox(key=[seed, _STREAM])).permutation(len(texts))
    count = max(1, int(np.searchsorted(np.cumsum(each[order]), most)))
    return Chosen(texts.file, np.sort(texts.numbers[order[:count]]))


def naive_bayes_factors(
    embedding: NgramEmbedding, reader: Reader, texts: Sequence[TokenArray], truth: Bool[np.ndarray, "text label"]
) -> Float32[np.ndarray, " row"]:
    """How telling each vector's n-gram is: the logarithm of how much more frequent it is under a label than elsewhere.

    Args:
        embedding: Knows which vector stands for what.
        reader: Cuts texts as the network reads them.
        texts: Those of training.
        truth: Their labels.

    Returns:
        For each vector the largest over all labels.
    """
    rows = len(embedding.weight)
    there = [np.unique(embedding.rows(reader.filled([reader.cut(tokens)]).tokens).numpy()) for tokens in texts]
    every, owner = np.concatenate(there), np.repeat(np.arange(len(there)), [len(own) for own in there])
    total = np.bincount(every, minlength=rows)
    factors = np.zeros(rows)
    for has_it in truth.T:
        inside = np.bincount(every[has_it[owner]], minlength=rows)
        with_it, without = 1 + inside, 1 + total - inside
        ratio = np.log(with_it / with_it.sum()) - np.log(without / without.sum())
        factors = np.maximum(factors, np.abs(ratio))
    return factors.astype(np.float32)
