"""Whether new rows, or the errors on them, are unlike what a model learned from.

Of inputs: the population stability index (Siddiqi, "Credit Risk Scorecards", 2006) of a column's values over tenths of
the training span. A week is never like a year, so an index is compared with those of stretches of training that are as
long. Of errors: their mean, beside those of stretches of the validation span that are as long.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64

SHARES = 10
FEWEST = 8  # stretches of a length, from which a limit can be read
MOST = 16_384  # of the shortest length
CONFIDENCE = 0.975
_LEAST = 1e-4  # share of an empty tenth


@dataclass(frozen=True)
class Limits:
    """What stretches of each length came to at most, but for one in forty.

    Attributes:
        lengths: In rows or windows, rising.
        values: The limit of each.
    """

    lengths: tuple[int, ...]
    values: tuple[float, ...]

    def of(self, length: int) -> float | None:
        """The limit of the longest stretches that are no longer; None where nothing is as short."""
        known = [value for own, value in zip(self.lengths, self.values, strict=True) if own <= length]
        return known[-1] if known else None

    def document(self) -> dict[str, Any]:
        """As a JSON object."""
        return {"lengths": list(self.lengths), "values": list(self.values)}

    @classmethod
    def restore(cls, document: Mapping[str, Any]) -> "Limits":
        """What a JSON object says."""
        lengths, values = document["lengths"], document["values"]
        if len(lengths) != len(values):
            raise ValueError("every length of a stretch has one limit")
        return cls(tuple(int(own) for own in lengths), tuple(float(own) for own in values))


NO_LIMITS = Limits((), ())


@dataclass(frozen=True)
class ColumnProfile:
    """How a column's values lie in training.

    Attributes:
        edges: The inner edges of its tenths.
        shares: Of the values that lie in each of them; not all alike where values are tied.
        limits: The stability indices of stretches of training.
    """

    edges: tuple[float, ...]
    shares: tuple[float, ...]
    limits: Limits

    def index(self, values: Float64[np.ndarray, " row"]) -> float:
        """The stability index of some values; 0 is alike, above 0.25 is usually called a change."""
        return stability_index(values, np.array(self.edges), np.array(self.shares))

    def document(self) -> dict[str, Any]:
        """As a JSON object."""
        return {"edges": list(self.edges), "shares": list(self.shares), "limits": self.limits.document()}

    @classmethod
    def restore(cls, document: Mapping[str, Any]) -> "ColumnProfile":
        """What a JSON object says."""
        edges, shares = (tuple(float(value) for value in document[name]) for name in ("edges", "shares"))
        if len(shares) != len(edges) + 1:
            raise ValueError("a column's profile must hold a share for each of its tenths")
        return cls(edges, shares, Limits.restore(document["limits"]))


def profile_column(values: Float64[np.ndarray, " row"]) -> ColumnProfile | None:
    """The profile of a column in training; None where nothing was observed.

    Args:
        values: In the order of time; NaN where missing.
    """
    observed = values[~np.isnan(values)]
    if not len(observed):
        return None
    edges = np.unique(np.quantile(observed, np.arange(1, SHARES) / SHARES))
    tenths = np.searchsorted(edges, values, side="left")
    tenths[np.isnan(values)] = len(edges) + 1
    kinds = len(edges) + 2
    lengths, limits = [], []
    counts: np.ndarray = np.zeros((0, kinds - 1))
    expected = np.bincount(tenths, minlength=kinds)[:-1] / len(observed)
    for length in stretch_lengths(len(values)):
        if len(counts):
            counts = counts[: len(counts) // 2 * 2].reshape(-1, 2, kinds - 1).sum(axis=1)
        elif len(values) // length <= MOST:
            whole = len(values) // length * length
            places = np.arange(whole) // length * kinds + tenths[:whole]
            counts = np.bincount(places, minlength=whole // length * kinds).reshape(-1, kinds)[:, :-1]
        seen = counts[counts.sum(axis=1) > 0]
        if len(seen) >= FEWEST:
            lengths.append(length)
            indices = _index(seen / seen.sum(axis=1, keepdims=True), expected)
            limits.append(float(np.quantile(indices, CONFIDENCE)))
    limited = Limits(tuple(lengths), tuple(limits))
    return ColumnProfile(tuple(map(float, edges)), tuple(map(float, expected)), limited)


def error_limits(losses: Float64[np.ndarray, " window"], stride: int) -> Limits:
    """How large the mean error of a stretch of windows is at most.

    Args:
        losses: The error of each window, in the order of time.
        stride: How many windows each of them stands for.
    """
    lengths, limits = [], []
    for length in stretch_lengths(len(losses)):
        means = losses[: len(losses) // length * length].reshape(-1, length).mean(axis=1)
        if len(means) >= FEWEST:
            lengths.append(length * stride)
            limits.append(float(np.quantile(means, CONFIDENCE)))
    return Limits(tuple(lengths), tuple(limits))


def stretch_lengths(count: int) -> list[int]:
    """Lengths of stretches of which there are enough: 1, 2, 4 ... rows.

    >>> stretch_lengths(100)
    [1, 2, 4, 8]
    """
    return [1 << power for power in range(40) if (1 << power) * FEWEST <= count]


def stability_index(
    values: Float64[np.ndarray, " row"], edges: Float64[np.ndarray, " edge"], shares: Float64[np.ndarray, " tenth"]
) -> float:
    """Σ (p - q) ln(p / q) over the tenths of training, p being the shares of some values and q those of training.

    >>> stability_index(np.arange(10.0), np.arange(0.5, 9), np.full(10, 0.1))
    0.0
    """
    observed = values[~np.isnan(values)]
    if not len(observed):
        return 0.0
    counts = np.bincount(np.searchsorted(edges, observed, side="left"), minlength=len(edges) + 1)
    return float(_index(counts / len(observed), shares))


def _index(found: Float64[np.ndarray, "*stretch tenth"], expected: Float64[np.ndarray, " tenth"]) -> np.ndarray:
    found, expected = np.maximum(found, _LEAST), np.maximum(expected, _LEAST)
    return np.asarray(((found - expected) * np.log(found / expected)).sum(axis=-1))
