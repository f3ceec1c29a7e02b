"""A word-for-word dictionary, learned from pairs of texts alone: which word makes which likeliest.

Brown, Della Pietra, Della Pietra and Mercer, "The Mathematics of Statistical Machine Translation" (1993), Model 1: each
word of a target comes from one of the words of its source, or from none; how likely each makes each is found by
expectation and maximisation.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64, Int64

ROUNDS = 6
_MOST = 20_000_000  # pairs of words that are held at once
Words = Sequence[Sequence[str]]


def learn_dictionary(sources: Words, targets: Words, rounds: int = ROUNDS) -> dict[str, str]:
    """The likeliest word for each word of sources.

    Args:
        sources: The words of each source.
        targets: The words of each target.
        rounds: How often expectation and maximisation alternate.

    >>> sources = [["a", "dog"], ["a", "cat"], ["the", "dog"]]
    >>> targets = [["ein", "Hund"], ["eine", "Katze"], ["der", "Hund"]]
    >>> learn_dictionary(sources, targets)["dog"]
    'Hund'
    """
    known, numbers = _numbered(sources, 1)  # 0 is the word that is none
    others, asked = _numbered(targets, 0)
    pairs = _few(numbers, asked)
    # One row for each word of a target and each word of its source, or none.
    given = [np.concatenate([[0], numbers[pair]]) for pair in pairs]
    source = np.concatenate([np.tile(own, len(asked[pair])) for own, pair in zip(given, pairs, strict=True)])
    target = np.concatenate([np.repeat(asked[pair], len(own)) for own, pair in zip(given, pairs, strict=True)])
    sizes = np.repeat([len(own) for own in given], [len(asked[pair]) for pair in pairs])
    place = np.repeat(np.arange(len(sizes)), sizes)
    keys, of_key = np.unique(source * len(others) + target, return_inverse=True)
    cause, effect = np.divmod(keys, len(others))
    likely: Float64[np.ndarray, " key"] = np.ones(len(keys))
    for _ in range(rounds):
        each = likely[of_key]
        shares = each / np.bincount(place, each)[place]
        counts = np.bincount(of_key, shares, minlength=len(keys))
        likely = counts / np.bincount(cause, counts)[cause]
    order = np.lexsort((effect, -likely, cause))
    first = order[np.unique(cause[order], return_index=True)[1]]
    return {known[int(cause[own]) - 1]: others[int(effect[own])] for own in first if cause[own]}


def _numbered(texts: Words, first: int) -> tuple[list[str], list[Int64[np.ndarray, " _word"]]]:
    """The different words, in the order in which they come, and the number of each word of each text."""
    numbers: dict[str, int] = {}
    found = [np.array([numbers.setdefault(word, len(numbers) + first) for word in text], np.int64) for text in texts]
    return list(numbers), found


def _few(sources: Sequence[np.ndarray], targets: Sequence[np.ndarray]) -> list[int]:
    """The numbers of pairs, evenly spread where all of them would be too many."""
    products = np.array([(len(one) + 1) * len(two) for one, two in zip(sources, targets, strict=True)])
    step = max(1, int(np.ceil(products.sum() / _MOST)))
    return [int(pair) for pair in np.flatnonzero(products)[::step]]
