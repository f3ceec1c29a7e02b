"""A text in tokens as a network reads it: pieces of streams, windows, or a whole span cut into parts that overlap."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Float64, Int32, Int64, Integer

BEFORE = 256  # tokens that are read before a part of a span
_SHORTEST, _MOST = 1000, 64  # tokens of a part, and parts
_STRETCHES = 32  # of a text that is looked at in part


def pieces(
    tokens: Integer[np.ndarray, " time"], starts: Int64[np.ndarray, " batch"], length: int
) -> tuple[Int64[np.ndarray, "batch length"], Int64[np.ndarray, "batch length"]]:
    """Pieces of a text, and what comes after each of their tokens; behind the last token comes the first.

    >>> inputs, targets = pieces(np.arange(5, dtype=np.int32), np.array([0, 3]), 3)
    >>> inputs.tolist(), targets.tolist()
    ([[0, 1, 2], [3, 4, 0]], [[1, 2, 3], [4, 0, 1]])
    """
    places = (starts[:, None] + np.arange(length + 1)) % len(tokens)
    found = tokens[places].astype(np.int64)
    return found[:, :-1], found[:, 1:]


@dataclass(frozen=True)
class Parts:
    """A text cut into parts that are read side by side, each after some of what comes before it.

    Attributes:
        tokens: Those of each part, filled up with the first token to one length.
        asked: Which of them are asked for: the first and the last but one, for each part.
    """

    tokens: Int64[np.ndarray, "part time"]
    asked: list[tuple[int, int]]

    def joined(self, values: Float64[np.ndarray, "part next"]) -> Float64[np.ndarray, " asked"]:
        """Values of the tokens of each part but the first, as those of the text."""
        return np.concatenate([row[first - 1 : end - 1] for row, (first, end) in zip(values, self.asked, strict=True)])


def in_parts(tokens: Int32[np.ndarray, " time"], known: int, before: int = BEFORE) -> Parts:
    """Cuts a text into parts; short ones stay whole, so that every token has all before it.

    Args:
        tokens: The text.
        known: How many at its beginning are only read, one or more.
        before: How many are read before each part but the first, which is read after all that are known.

    >>> parts = in_parts(np.arange(2600, dtype=np.int32), 100)
    >>> parts.tokens.shape, parts.asked
    ((2, 1506), [(100, 1350), (256, 1506)])
    """
    asked = len(tokens) - known
    count = max(1, min(_MOST, asked // _SHORTEST))
    borders = [known + asked * number // count for number in range(count + 1)]
    parts: list[Int32[np.ndarray, " _time"]] = []
    places: list[tuple[int, int]] = []
    for start, end in pairwise(borders):
        first = max(0, start - before) if parts else 0
        parts.append(tokens[first:end])
        places.append((start - first, end - first))
    filled = np.zeros((count, max(map(len, parts))), np.int64)
    for row, part in zip(filled, parts, strict=True):
        row[: len(part)] = part
    return Parts(filled, places)


def windows_before(
    tokens: Int32[np.ndarray, " time"], places: Int64[np.ndarray, " asked"], lookback: int
) -> Iterator[tuple[Int64[np.ndarray, " same"], Int64[np.ndarray, "same time"]]]:
    """The tokens before each of some places, those of one number together: which places, and their windows.

    Args:
        tokens: The text.
        places: Of tokens, none the first.
        lookback: Most tokens of a window; at the beginning of a text there are fewer.
    """
    lengths = np.minimum(places, lookback)
    for length in np.unique(lengths):
        same = np.flatnonzero(lengths == length)
        yield same, tokens[places[same, None] - np.arange(length, 0, -1)].astype(np.int64)


def spread_stretches(length: int, most: int) -> list[tuple[int, int]]:
    """Stretches of a text, evenly spread, of so many tokens together: the first of each, and the one after its last.

    Args:
        length: Tokens of the text.
        most: Those of all stretches; 0 takes all.

    >>> spread_stretches(1000, 64)[:2], spread_stretches(1000, 0)
    ([(0, 2), (32, 34)], [(0, 1000)])
    """
    if not 0 < most < length:
        return [(0, length)]
    ends = np.unique(most * np.arange(_STRETCHES + 1) // _STRETCHES)
    left_out = np.linspace(0, length - most, len(ends) - 1).astype(int)  # before each of them
    return [(int(start), int(stop)) for start, stop in zip(ends[:-1] + left_out, ends[1:] + left_out, strict=True)]
