"""Units that change midway: from some row on a column holds other numbers of the same thing.

Before and after each day lie two weeks. A change of unit changes the size of steps and the range of values by one
factor, or the level by more than all else does, or hardly any value occurs on both sides (what is measured in steps of
0.1 is in steps of 0.18 from there on). Weather, seasons and loads do so too, but never as abruptly: so a change counts
where it stands far above every other change of the same column, or of the column beside another that goes with it.
"""

from collections import Counter
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float64, Int64

from ..frequency import Frequency
from .digits import KNOWN, changed_digits
from .leaps import leaps

_BLOCKS = 14  # of each side
_LEAST_BLOCKS = 4 * _BLOCKS
_LEAST_BLOCK = 4  # rows
# Times the next largest, and at least:
_SCALE, _LEVEL, _BESIDE, _STRANGE = (2.4, 0.4), (1.9, 1.3), (2.3, 0.33), (2.5, 5.0)
_SECOND = 0.6  # of the first: the change back, which has to stand out more, as two are left out of the rest
_STRICTER, _FEW = 1.15, 5  # and where there are but so many stretches as long as a side, more so
_MANY = 20  # stretches as long as a side from which those that stand out are told though nothing else tells of a unit
_LEAP, _CALM, _LEAP_NEAR = 1.5, 4.0, 2  # times the largest step near by, and on the calmer side; blocks
_SCALED = (1.25, 5.0)  # times as large
_KINDS = 50  # different values that a measure has at least
_MOST_KINDS = 20_000
_RESTS, _RECURRING = 0.05, 0.3  # shares of rows: a value to rest at; values that occur more than once
_MOST_BLOCKS = 1_500
_NEAR = 3  # blocks of each side that say what has become of a value
_AGAIN = 0.4  # of the values after


@dataclass(frozen=True)
class Change:
    """A change of a column's numbers.

    Attributes:
        column: Which one.
        first: The first row that is otherwise.
        last: The row after the last; the number of rows where it stays so.
        factor: How many times as large its steps are from there on.
        unit: What it looks like.
    """

    column: int
    first: int
    last: int
    factor: float
    unit: str | None


class _Sides(NamedTuple):
    """What lies before and after each split: columns along the first axis, splits along the second."""

    splits: Int64[np.ndarray, " split"]
    reach: int
    scale: Float64[np.ndarray, "column split 2"]  # logarithms of how steps and ranges grow
    level: Float64[np.ndarray, "column split"]  # by how many ranges the middle moves
    strange: Float64[np.ndarray, "column split"]  # one over the share of values that occur on both sides


class _Found(NamedTuple):
    ratio: float
    column: int
    split: int
    back: int | None


def changes(values: Float64[np.ndarray, "row column"], frequency: Frequency) -> list[Change]:
    """Columns whose numbers change for good, or for a while, as no unit's natural course does.

    Args:
        values: Of one series, row by row; NaN where missing.
        frequency: Of the rows.

    >>> hours = np.arange(24 * 100.0)
    >>> warm = 10 + 5 * np.sin(hours / 24 * 2 * np.pi) + np.random.default_rng(0).normal(size=len(hours))
    >>> warm[1200:] = 1.8 * warm[1200:] + 32
    >>> changes(warm[:, None], Frequency("microsecond", 3_600_000_000))[0].unit
    'degrees Fahrenheit instead of degrees Celsius'
    """
    day = frequency.rows_per_day
    block = max(round(day), _LEAST_BLOCK) if len(values) >= _LEAST_BLOCKS * max(day, _LEAST_BLOCK) else 0
    block = max(block or len(values) // _LEAST_BLOCKS, len(values) // _MOST_BLOCKS)
    if block < _LEAST_BLOCK:
        return []
    measures = [column for column, own in enumerate(values.T) if len(np.unique(own)) >= _KINDS]
    sides = _sides(values[:, measures], block)
    found: dict[int, _Found] = {}
    for one in [*_alone(sides), *_beside(sides)]:
        if one.column not in found or one.ratio > found[one.column].ratio:
            found[one.column] = one
    told: dict[int, Change] = {}
    certain: list[Change] = []
    for own in found.values():
        column = measures[own.column]
        change = _change(values[:, column], column, sides, block, own)
        if _is_sure(values[:, column], change, sides, block):
            told[column] = change
    for column, own in enumerate(values.T):
        leap = leaps(own)
        seen = [leap] if leap else changed_digits(own, block, sides.reach)
        if seen:
            told.pop(column, None)
        for first, last, unit in seen:
            certain.append(Change(column, first, last, np.nan, unit))
    return [*told.values(), *certain]


def _sides(values: Float64[np.ndarray, "row column"], block: int) -> _Sides:
    count = len(values) // block
    reach = _BLOCKS * block
    steps = np.abs(np.diff(values, axis=0, prepend=np.nan))
    steps[steps == 0] = np.nan
    scale, level, strange = [], [], []
    for own, moved in zip(values.T, steps.T, strict=True):
        windows, steps_of = _windows(own, block, count), _windows(moved, block, count)
        low, middle, high = (_quantile(*windows, share) for share in (0.1, 0.5, 0.9))
        step, spread = _mean_below(*steps_of, 0.9), high - low
        with np.errstate(all="ignore"):
            grown = [np.log(each[_BLOCKS:] / each[:-_BLOCKS]) for each in (step, spread)]
            shift = (middle[_BLOCKS:] - middle[:-_BLOCKS]) / ((spread[_BLOCKS:] + spread[:-_BLOCKS]) / 2)
        scale.append(np.stack(grown, axis=1))
        level.append(shift)
        strange.append(_strange(own[: count * block].reshape(count, block)) * np.where(shift < 0, -1.0, 1.0))
    splits = reach + block * np.arange(len(level[0]) if level else 0)
    known = (np.array(scale), np.array(level), np.array(strange))
    return _Sides(splits, reach, *(np.where(np.isfinite(each), each, 0.0) for each in known))


def _windows(values: Float64[np.ndarray, " row"], block: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The values of each fourteen blocks in a row, sorted, and how many are there."""
    blocks = values[: count * block].reshape(count, block)
    windows = np.sort(np.lib.stride_tricks.sliding_window_view(blocks, _BLOCKS, axis=0).reshape(-1, _BLOCKS * block))
    present = (~np.isnan(windows)).sum(axis=1)
    return windows, np.where(present >= _BLOCKS * block / 4, present, 0)


def _quantile(windows: np.ndarray, present: np.ndarray, share: float) -> Float64[np.ndarray, " window"]:
    places = np.maximum((share * (present - 1)).round().astype(int), 0)
    return np.where(present > 0, windows[np.arange(len(windows)), places], np.nan)


def _mean_below(windows: np.ndarray, present: np.ndarray, share: float) -> Float64[np.ndarray, " window"]:
    """The mean of what lies below a quantile: unlike a quantile it does not jump where values are few."""
    within = np.arange(windows.shape[1]) < (share * present)[:, None]
    with np.errstate(invalid="ignore"):
        return np.where(within, windows, 0.0).sum(axis=1) / within.sum(axis=1)


def _strange(blocks: Float64[np.ndarray, "block row"]) -> Float64[np.ndarray, " split"]:
    """One over the share of values that occur on both sides of each split; nothing where values hardly ever recur."""
    different, kind, often = np.unique(blocks, return_inverse=True, return_counts=True)
    recurring = (often > 1) & (often < _RESTS * blocks.size) & ~np.isnan(different)
    kind = np.where(recurring, np.cumsum(recurring) - 1, -1)[kind].reshape(blocks.shape)
    kinds, splits = int(recurring.sum()), len(blocks) - 2 * _BLOCKS + 1
    if not 0 < kinds <= _MOST_KINDS or often[recurring].sum() < _RECURRING * blocks.size:
        return np.zeros(splits)
    counts = np.zeros((len(blocks) + 1, kinds), np.int32)
    for number, own in enumerate(kind, start=1):
        counts[number] = counts[number - 1] + np.bincount(own[own >= 0], minlength=kinds)
    within = counts[_BLOCKS:] - counts[:-_BLOCKS]
    before, after = within[:splits], within[_BLOCKS : _BLOCKS + splits]
    with np.errstate(invalid="ignore"):
        shares = [
            np.where(other > 0, own, 0).sum(axis=1) / own.sum(axis=1)
            for own, other in ((before, after), (after, before))
        ]
    return 1 / (np.nan_to_num(np.mean(shares, axis=0), nan=1.0) + 0.01)


def _alone(sides: _Sides) -> list[_Found]:
    found = []
    for column in range(len(sides.scale)):
        sizes_of = (_agreeing(sides.scale[column]), sides.level[column], sides.strange[column])
        for sizes, rule in zip(sizes_of, (_SCALE, _LEVEL, _STRANGE), strict=True):
            if (split := _standing_out(sizes, sides, rule)) is not None:
                found.append(_Found(split[0], column, *split[1:]))
    return found


def _beside(sides: _Sides) -> list[_Found]:
    """The same for what a column does that another does not: what moves both (a season, a storm) goes out.

    A column that has changed is found beside all that go with it: so that which is found most often is the one.
    """
    pairs = []
    for pair in combinations(range(len(sides.scale)), 2):
        apart = _agreeing(sides.scale[pair[0]] - sides.scale[pair[1]])
        if (split := _standing_out(apart, sides, _BESIDE)) is not None:
            moved = [abs(float(sides.scale[own][split[1]].sum())) for own in pair]
            pairs.append((pair, moved, split))
    found = []
    while pairs:
        votes = Counter(own for pair, _, _ in pairs for own in pair)
        most = max(votes.values())
        pair, moved, split = max(pairs, key=lambda own: (most in map(votes.get, own[0]), own[2][0]))
        one = max(pair, key=lambda own: (votes[own], moved[pair.index(own)]))
        found.append(_Found(split[0], one, *split[1:]))
        pairs = [other for other in pairs if one not in other[0]]
    return found


def _agreeing(grown: Float64[np.ndarray, "split 2"]) -> Float64[np.ndarray, " split"]:
    """By how much both steps and ranges grow; nothing where one shrinks."""
    sign = np.sign(grown[:, 0])
    return np.where(sign == np.sign(grown[:, 1]), sign * np.abs(grown).min(axis=1), 0.0)


def _standing_out(
    sizes: Float64[np.ndarray, " split"], sides: _Sides, rule: tuple[float, float]
) -> tuple[float, int, int | None] | None:
    """The split whose change is far above all others, with that of the change back where there is one."""
    large = np.abs(sizes)
    split = int(large.argmax())
    far: Bool[np.ndarray, " split"] = np.abs(sides.splits - sides.splits[split]) > sides.reach
    if large[split] < rule[1] or not far.any():
        return None
    few = 1 + (_FEW * sides.reach / (sides.splits[-1] + sides.reach)) ** 2
    ratio = large[split] / max(float(large[far].max()), 1e-9)
    if ratio > few * rule[0]:
        return ratio, split, None
    opposite = far & (np.sign(sizes) == -np.sign(sizes[split]))
    if not opposite.any():
        return None
    back = int(np.where(opposite, large, 0.0).argmax())
    far &= np.abs(sides.splits - sides.splits[back]) > sides.reach
    if large[back] < max(rule[1], _SECOND * large[split]) or not far.any():
        return None
    ratio = large[back] / max(float(large[far].max()), 1e-9)
    return (ratio, split, back) if ratio > few * _STRICTER * rule[0] else None


def _change(own: Float64[np.ndarray, " row"], column: int, sides: _Sides, block: int, found: _Found) -> Change:
    places = [int(sides.splits[split]) for split in (found.split, found.back) if split is not None]
    exact = sorted(_border(own, place, block, sides.reach) for place in places)
    first, last = exact[0], exact[1] if len(exact) > 1 else len(own)
    before, after = own[max(0, first - sides.reach) : first], own[first : min(last, first + sides.reach)]
    near = _NEAR * block
    return Change(column, first, last, _size(after[:near]) / max(_size(before[-near:]), 1e-300), _unit(before, after))


def _is_sure(own: Float64[np.ndarray, " row"], change: Change, sides: _Sides, block: int) -> bool:
    """Whether there are many stretches to compare with, or the column leaps at the border as it does nowhere near."""
    if len(own) >= _MANY * sides.reach and not _rests(own):
        return True
    larger = max(change.factor, 1 / max(change.factor, 1e-300))
    steps = np.abs(np.diff(own, prepend=np.nan))
    for border in (change.first, change.last):
        near = steps[max(0, border - _LEAP_NEAR * block) : border + _LEAP_NEAR * block + 1]
        if border < len(own) and not np.isnan(near).all():
            place = int(np.nanargmax(near))
            leap, near[place] = float(near[place]), np.nan
            around = steps[max(0, border - sides.reach) : border], steps[border : border + sides.reach]
            most = sorted(float(np.nanmax(side, initial=0.0)) for side in around)
            if leap < _LEAP * most[1] and not (larger > _SCALED[1] and leap > _CALM * most[0]):
                return False
    return larger > _SCALED[0]


def _rests(own: Float64[np.ndarray, " row"]) -> bool:
    """Whether a column stands at one value most of the time: of the rest little can be said."""
    return bool(np.unique(own[~np.isnan(own)], return_counts=True)[1].max(initial=0) > len(own) / 2)


def _size(values: np.ndarray) -> float:
    """How large steps and range of values are, as one number."""
    low, _, high = _spread(values)
    steps = np.abs(np.diff(values))
    moved = steps[steps > 0]
    usual = np.sort(moved)[: max(1, int(0.9 * len(moved)))].mean() if len(moved) else 0.0
    return float(np.sqrt(usual * (high - low)))


def _spread(values: np.ndarray) -> tuple[float, float, float]:
    """Between which values most lie, and the middle one; NaN where none is there."""
    present = values[~np.isnan(values)]
    low, middle, high = np.quantile(present, [0.1, 0.5, 0.9]).tolist() if len(present) else [np.nan] * 3
    return low, middle, high


def _border(values: Float64[np.ndarray, " row"], place: int, block: int, reach: int) -> int:
    """The row at which values begin to look like those after rather than those before."""
    start, stop = max(0, place - 2 * block), min(len(values), place + 2 * block)
    sides = (values[max(0, place - reach) : start], values[stop : place + reach])
    scores = []
    for side in sides:
        low, middle, high = _spread(side)
        spread = max(high - low, 1e-12)
        scores.append(np.abs(values[start:stop] - middle) / spread + np.log(spread))
    better = np.nan_to_num(scores[1] - scores[0])  # above zero: it looks like those before
    return start + int(np.concatenate([[0], np.cumsum(better)]).argmax())


def _unit(before: Float64[np.ndarray, " _before"], after: Float64[np.ndarray, " _after"]) -> str | None:
    """The change of unit after which values are those of before again, to the digit, where one is."""
    before, after = before[~np.isnan(before)], after[~np.isnan(after)]
    moved = np.abs(np.diff(before))
    fine = float(np.median(moved[moved > 0])) / 20 if (moved > 0).any() else 0.0
    if fine == 0:
        return None
    known, different = np.unique(np.round(before / fine)), len(np.unique(after))
    again = {}
    for name, (factor, offset) in KNOWN.items():
        back = np.round((after - offset) / factor / fine)
        # What a large factor makes of all values is one: that they recur says nothing.
        again[name] = float(np.isin(back, known).mean()) if len(np.unique(back)) > different / 2 else 0.0
    name = max(again, key=lambda own: again[own])
    others = sorted(again.values())[-2]
    return name if again[name] > max(_AGAIN, 1.5 * others) else None
