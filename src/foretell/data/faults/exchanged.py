"""Rows in which two columns have changed places: what stands in one continues the other."""

from itertools import combinations

import numpy as np
from jaxtyping import Bool, Float64, Int64

from .runs import Runs, standing_out

Pair = Float64[np.ndarray, "_row 2"]

_LEAST, _AROUND = 50, 50  # rows: of a series, and beside a stretch
_FEW = 6  # rows: so few are no exchange where a column hardly ever moves
_LONGEST = 20  # stretches of each pair that are looked at
_MOST = 50.0  # usual steps that one column counts for
_END, _ONE_END = (3.0, 3.2), (8.0, 3.0)  # usual steps, and times as much as anywhere else
_GAIN, _LEAST_GAIN = 8.0, 2.0  # usual steps at both ends of a stretch, and at each


def exchanged(values: Float64[np.ndarray, "row column"]) -> list[tuple[int, int, int, int]]:
    """Stretches in which two columns are exchanged: the columns, the first row, and the row after the last.

    Args:
        values: Of one series, row by row; NaN where missing.

    >>> wave = np.sin(np.arange(200.0))
    >>> both = np.stack([wave, 20 + 3 * wave], axis=1)
    >>> both[50:60] = both[50:60, ::-1]
    >>> exchanged(both)
    [(0, 1, 50, 60)]
    """
    steps = np.abs(np.diff(values, axis=0))
    with np.errstate(invalid="ignore"):
        usual = np.array([_middle(own[own > 0]) for own in steps.T])
    found = []
    for one, other in combinations(range(values.shape[1]), 2):
        pair = values[:, [one, other]]
        rows = np.flatnonzero(~np.isnan(pair).any(axis=1))
        if usual[one] > 0 and usual[other] > 0 and len(rows) >= _LEAST:
            gains = _gains(pair[rows], usual[[one, other]])
            for first, last in _by_ends(gains) or _by_order(pair[rows], gains):
                if last - first < _FEW and _rests(pair[rows]):
                    continue  # a shower beside a calm
                if _are_each_others(pair[rows], first, last):
                    found.append((one, other, int(rows[first]), int(rows[last - 1]) + 1))
    return found


def _rests(pair: Pair) -> bool:
    """Whether a column stands at one value most of the time."""
    return any(int(np.unique(own, return_counts=True)[1].max()) > len(own) / 2 for own in pair.T)


def _are_each_others(pair: Pair, first: int, last: int) -> bool:
    """Whether in a stretch both columns together lie nearer to what the other is around it than to what they are."""
    reach = max(_AROUND, 2 * (last - first))
    around = np.concatenate([pair[max(0, first - reach) : first], pair[last : last + reach]])
    if not len(around):
        return False
    inside, outside = np.median(pair[first:last], axis=0), np.median(around, axis=0)
    return bool(np.abs(inside - outside[::-1]).sum() < np.abs(inside - outside).sum())


def _gains(pair: Pair, usual: Float64[np.ndarray, " 2"]) -> Pair:
    """How much smoother each column would go on at a row if its two values were exchanged, in usual steps."""
    here, before = pair[1:], pair[:-1]
    gains = (np.abs(here - before) - np.abs(here[:, ::-1] - before)) / usual
    return np.concatenate([np.zeros((1, 2)), np.clip(gains, -_MOST, _MOST)])


def _by_ends(gains: Pair) -> list[tuple[int, int]]:
    """The stretch between two rows at which both columns are smoother exchanged, far more than anywhere else."""
    both = gains.min(axis=1)
    first, second, third = (int(place) for place in np.argsort(-both, kind="stable")[:3])
    if both[second] > max(_END[0], _END[1] * both[third]):
        return [(min(first, second), max(first, second))]
    if both[first] > max(_ONE_END[0], _ONE_END[1] * both[second]):
        return [(first, len(gains))]
    return []


def _by_order(pair: Pair, gains: Pair) -> list[tuple[int, int]]:
    """Where columns keep an order: the stretch in which it is turned round, far longer than that happens otherwise.

    Exchanging back has to make its ends smooth, as seasons turn an order round as well.
    """
    apart = pair[:, 0] - pair[:, 1]
    above: Bool[np.ndarray, " row"] = apart > 0
    if above.mean() < 0.5:
        above, apart = ~above, -apart
    runs = Runs.of(above)
    turned: Int64[np.ndarray, " run"] = np.flatnonzero(~runs.values.astype(bool))
    turned = turned[np.argsort(-runs.lengths[turned], kind="stable")[:_LONGEST]]
    low, high = np.quantile(apart[above], [0.02, 0.98])
    likely = [low <= _middle(-apart[_rows(runs, run)]) <= high for run in turned]
    turned = turned[np.array(likely, bool)]
    found = []
    for run in turned[standing_out(runs.lengths[turned], least=1)]:
        own = _rows(runs, run)
        ends = gains[[place for place in (own.start, own.stop) if 0 < place < len(pair)]]
        enough = ends.sum(axis=1).min() > _LEAST_GAIN and ends.sum() > _GAIN
        if enough and ends.sum(axis=0).min() > _GAIN / 3:  # of both columns, or only one has changed
            found.append((own.start, own.stop))
    return found


def _rows(runs: Runs, run: np.int64) -> slice:
    return slice(int(runs.starts[run]), int(runs.starts[run] + runs.lengths[run]))


def _middle(values: np.ndarray) -> float:
    return float(np.median(values)) if len(values) else 0.0
