"""How surely one model beats another: a bootstrap of their paired errors, and McNemar's test where answers are right
or wrong.

Neighbouring windows overlap and their errors are correlated, so whole blocks of time are drawn, at least as
long as the forecast reaches and as a day; series that share a moment are drawn together.
Künsch, "The jackknife and the bootstrap for general stationary observations" (1989).
Examples that have nothing to do with each other, such as texts, are drawn one by one.
McNemar, "Note on the sampling error of the difference between correlated proportions or percentages" (1947).
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float64, Int64

Verdict = Literal["better", "worse", "unclear"]
FEWEST_BLOCKS = 5
MOST_PLACES, MOST_BLOCKS = 1_000_000, 5_000
FEWEST_EXAMPLES = 10
_DRAWN = 10_000_000  # numbers of a bootstrap that are held at once
_LOOKED_UP = 1_000_000  # blocks whose sums are


@dataclass(frozen=True)
class Skill:
    """1 - error / baseline error, with its interval.

    Attributes:
        value: Above zero where the model errs less than the baseline.
        low: Lower end of the interval; None where time is too short to tell.
        high: Upper end.
        verdict: ``better`` or ``worse`` only where the interval excludes zero, and McNemar's test agrees.
        p: How likely a paired test finds a difference as large by chance: McNemar's where answers are right or wrong, a
            bootstrap's where errors are no means.
    """

    value: float
    low: float | None
    high: float | None
    verdict: Verdict
    p: float | None = None

    def document(self) -> dict[str, float | None]:
        """Value, interval and the p of a paired test, where there is one, as a JSON object."""
        return {"value": self.value, "low": self.low, "high": self.high, **({} if self.p is None else {"p": self.p})}


def bootstrap_skill(
    losses: Float64[np.ndarray, "*seed window"],
    baseline: Float64[np.ndarray, "*seed_of_baseline window"],
    moments: Int64[np.ndarray, " window"],
    block: int,
    *,
    resamples: int = 2000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Skill:
    """The skill of a model against a baseline on the same windows.

    Where a model was trained from several seeds, the seeds are drawn as well as the blocks, so that the interval says
    what the next training may come to.

    Args:
        losses: The model's error of each window; a row for each seed where there are several.
        baseline: The baseline's error of the same windows; likewise.
        moments: The place of each window on the time axis, in rows; several series may share one.
        block: Length of a block in rows.
        resamples: Bootstrap draws.
        confidence: Probability that the interval shall cover.
        seed: Of the draws.

    >>> time = np.arange(1000)
    >>> bootstrap_skill(np.full(1000, 0.9), np.ones(1000), time, 24).verdict
    'better'
    """
    ours, theirs = np.atleast_2d(losses), np.atleast_2d(baseline)
    value = _skill(ours, theirs)
    place, length, block = _placed(moments, block)
    blocks = length // block
    if blocks < FEWEST_BLOCKS:
        return Skill(value, None, None, "unclear")
    generator = np.random.default_rng(seed)
    starts = generator.integers(0, length - block + 1, (resamples, blocks))
    model, reference = (_resampled(errors, place, length, starts, block, generator) for errors in (ours, theirs))
    if not (reference > 0).all():
        return Skill(value, None, None, "unclear")
    low, high = _interval(model, reference, confidence)
    return Skill(value, low, high, _verdict(low, high))


def independent_skill(
    losses: Float64[np.ndarray, "*seed example"],
    baseline: Float64[np.ndarray, "*seed_of_baseline example"],
    *,
    resamples: int = 2000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Skill:
    """The skill of a model against a baseline on the same examples, which have nothing to do with each other.

    Args:
        losses: The model's error of each example; a row for each seed where there are several.
        baseline: The baseline's error of the same examples; likewise.
        resamples: Bootstrap draws.
        confidence: Probability that the interval shall cover.
        seed: Of the draws.

    >>> right, wrong = np.zeros(100), np.ones(100)
    >>> found = independent_skill(np.r_[wrong[:10], right[:90]], np.r_[wrong[:30], right[:70]])
    >>> round(found.value, 3), found.verdict, found.p < 1e-5
    (0.667, 'better', True)
    """
    ours, theirs = np.atleast_2d(losses), np.atleast_2d(baseline)
    value = _skill(ours, theirs)
    if losses.shape[-1] < FEWEST_EXAMPLES:
        return Skill(value, None, None, "unclear")
    generator = np.random.default_rng(seed)
    # How often each pair of errors is drawn is all that matters, and few different ones occur.
    pairs, counts = np.unique(np.concatenate([ours, theirs]), axis=1, return_counts=True)
    shares, size = counts / counts.sum(), max(1, _DRAWN // len(counts))
    sums = np.concatenate(
        [
            generator.multinomial(counts.sum(), shares, min(size, resamples - start)) @ pairs.T
            for start in range(0, resamples, size)
        ]
    ).T
    model, reference = (_over_seeds(part, generator) for part in (sums[: len(ours)], sums[len(ours) :]))
    low, high = _interval(model, reference, confidence) if (reference > 0).all() else (None, None)
    # Where a baseline errs in hardly any text there is no interval of a ratio; that of the difference says as much.
    verdict = _verdict(*_ends(reference - model, confidence))
    if len(ours) == len(theirs) == 1 and np.isin(pairs, (0, 1)).all():
        p = mcnemar(int((ours < theirs).sum()), int((ours > theirs).sum()))
        return Skill(value, low, high, verdict if p < 1 - confidence else "unclear", p)
    return Skill(value, low, high, verdict)


def pooled_skill(
    numbers: Float64[np.ndarray, "seed example number"],
    baseline: Float64[np.ndarray, "seed_of_baseline example number"],
    error: Callable[[Float64[np.ndarray, " number"]], float],
    *,
    resamples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Skill:
    """The skill of a model against a baseline where an error is no mean over examples, but made of what adds up.

    The same examples are drawn for both: a paired bootstrap (Koehn 2004), whose p says how often resamples differ by as
    much from what they differ by on average as the whole does from nothing.

    Args:
        numbers: What adds up, of each example under the model; for each seed where there are several.
        baseline: The same under the baseline.
        error: The error of examples whose numbers add up to these.
        resamples: Bootstrap draws.
        confidence: Probability that the interval shall cover.
        seed: Of the draws.

    >>> wrong, counts = np.r_[np.ones(10), np.zeros(90)], np.ones(100)
    >>> ours, theirs = (np.stack([own, counts], 1)[None] for own in (wrong, np.roll(wrong, 5) + wrong[::-1]))
    >>> found = pooled_skill(ours, theirs, lambda sums: float(sums[0] / sums[1]))
    >>> round(found.value, 2), found.verdict
    (0.5, 'better')
    """
    both = (numbers, baseline)
    errors = [float(np.mean([error(own.sum(0)) for own in each])) for each in both]
    value = 1 - errors[0] / errors[1] if errors[1] else math.nan
    if numbers.shape[1] < FEWEST_EXAMPLES:
        return Skill(value, None, None, "unclear")
    generator = np.random.default_rng(seed)
    examples = numbers.shape[1]
    drawn = generator.multinomial(examples, np.full(examples, 1 / examples), resamples).astype(np.float64)
    model, reference = (
        _over_seeds(np.stack([[error(sums) for sums in drawn @ own] for own in each]), generator) for each in both
    )
    low, high = _interval(model, reference, confidence) if (reference > 0).all() else (None, None)
    differences, whole = reference - model, errors[1] - errors[0]
    p = float((1 + (np.abs(differences - differences.mean()) >= abs(whole)).sum()) / (1 + resamples))
    verdict = _verdict(*_ends(differences, confidence))
    return Skill(value, low, high, verdict if p < 1 - confidence else "unclear", p)


def mcnemar(better: int, worse: int) -> float:
    """The exact p of McNemar's test: how likely right and wrong answers differ as much where neither model is better.

    Args:
        better: Examples that the model alone answers rightly.
        worse: Those that the baseline alone does.

    >>> round(mcnemar(10, 2), 5), mcnemar(3, 3), mcnemar(0, 0)
    (0.03857, 1.0, 1.0)
    """
    total, few = better + worse, min(better, worse)
    ways = [math.lgamma(total + 1) - math.lgamma(k + 1) - math.lgamma(total - k + 1) for k in range(few + 1)]
    return float(min(1.0, 2 * np.exp(np.array(ways) - total * math.log(2)).sum()))


def interval_of_mean(
    values: Float64[np.ndarray, " example"], *, resamples: int = 2000, confidence: float = 0.95, seed: int = 0
) -> tuple[float, float]:
    """The bootstrap interval of a mean over examples that have nothing to do with each other.

    Args:
        values: One for each example.
        resamples: Bootstrap draws.
        confidence: Probability that the interval shall cover.
        seed: Of the draws.

    >>> low, high = interval_of_mean(np.r_[np.ones(90), np.zeros(10)])
    >>> 0.8 < low < 0.9 < high < 1.0
    True
    """
    distinct, counts = np.unique(values, return_counts=True)
    generator, shares, size = np.random.default_rng(seed), counts / counts.sum(), max(1, _DRAWN // len(counts))
    means = np.concatenate(
        [
            generator.multinomial(len(values), shares, min(size, resamples - start)) @ distinct / len(values)
            for start in range(0, resamples, size)
        ]
    )
    return _ends(means, confidence)


def intervals_over_time(
    numbers: Mapping[str, Float64[np.ndarray, " window"]],
    moments: Int64[np.ndarray, " window"],
    block: int,
    *,
    weights: Float64[np.ndarray, " window"] | None = None,
    resamples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> dict[str, tuple[float, float]]:
    """The intervals of means over windows, by the blocks of time that :func:`bootstrap_skill` draws.

    Blocks that move reach the ends of time less often than its middle, so what they come to on average is not quite
    the mean; the interval is moved to lie around the mean itself (Lahiri, "Resampling Methods for Dependent Data").

    Args:
        numbers: One for each window, none below zero, by name; the same blocks are drawn for all.
        moments: The place of each window on the time axis; several series may share one.
        block: Length of a block in places.
        weights: What each window counts; all the same where None. Numbers are sums over it then.
        resamples: Bootstrap draws.
        confidence: Probability that an interval shall cover.
        seed: Of the draws.

    Returns:
        The ends by name; nothing where time is too short to tell.

    >>> errors = np.random.default_rng(0).uniform(1, 3, 1000)
    >>> low, high = intervals_over_time({"mae": errors}, np.arange(1000), 24)["mae"]
    >>> 1.9 < low < errors.mean() < high < 2.1
    True
    """
    if len(moments) == 0:
        return {}
    weights = np.ones(len(moments)) if weights is None else weights
    place, length, block = _placed(moments, block)
    blocks = length // block
    if blocks < FEWEST_BLOCKS:
        return {}
    names = list(numbers)
    totals = [np.bincount(place, own, minlength=length) for own in (weights, *numbers.values())]
    by_start = [_block_sums(own, block) for own in totals]
    generator, size = np.random.default_rng(seed), max(1, _DRAWN // blocks)
    sums = []
    for start in range(0, resamples, size):
        starts = generator.integers(0, length - block + 1, (min(size, resamples - start), blocks))
        sums.append(np.stack([own[starts].sum(axis=1) for own in by_start]))
    counted, *found = np.concatenate(sums, axis=1)
    there = counted > 0  # a draw may fall into gaps alone
    ends = {}
    for name, own, total in zip(names, found, totals[1:], strict=True):
        means = own[there] / counted[there]
        low, high = _ends(means, confidence)
        aside = float(total.sum() / weights.sum() - means.mean())
        ends[name] = (max(0.0, low + aside), max(0.0, high + aside))
    return ends


def _placed(moments: Int64[np.ndarray, " window"], block: int) -> tuple[Int64[np.ndarray, " window"], int, int]:
    """The place of each window from 0 on, how many places there are, and the length of a block in places.

    Of a very long time several moments count as one place, and blocks are longer than they must be: as many as
    ``MOST_BLOCKS`` say what more would say.
    """
    place = moments - moments.min()
    length = int(place.max()) + 1
    coarse = max(1, length // MOST_PLACES)
    if coarse > 1:
        place, length, block = place // coarse, -(-length // coarse), -(-block // coarse)
    return place, length, max(block, length // MOST_BLOCKS)


def _block_sums(values: Float64[np.ndarray, " place"], block: int) -> Float64[np.ndarray, " start"]:
    """The sums of values over each block, as differences of cumulative sums."""
    total = np.concatenate([[0.0], np.cumsum(values)])
    return total[block:] - total[:-block]


def _skill(losses: Float64[np.ndarray, "seed example"], baseline: Float64[np.ndarray, "other example"]) -> float:
    """1 - error / baseline error; no number where the baseline makes no error and the model does."""
    error, ours = float(baseline.mean(axis=0).sum()), float(losses.mean(axis=0).sum())
    return 1 - ours / error if error > 0 else math.nan if ours > 0 else 0.0


def _interval(
    model: Float64[np.ndarray, " resample"], reference: Float64[np.ndarray, " resample"], confidence: float
) -> tuple[float, float]:
    return _ends(1 - model / reference, confidence)


def _ends(values: Float64[np.ndarray, " resample"], confidence: float) -> tuple[float, float]:
    low, high = np.quantile(values, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def _verdict(low: float, high: float) -> Verdict:
    return "better" if low > 0 else "worse" if high < 0 else "unclear"


def _resampled(
    errors: Float64[np.ndarray, "seed window"],
    place: Int64[np.ndarray, " window"],
    length: int,
    starts: Int64[np.ndarray, "resample block"],
    block: int,
    generator: np.random.Generator,
) -> Float64[np.ndarray, " resample"]:
    """The summed error of each resample: its blocks, the mean over seeds that are drawn with replacement."""
    seeds = len(errors)
    sums, size = np.empty((seeds, len(starts))), max(1, _LOOKED_UP // starts.shape[1])
    for number, own in enumerate(errors):
        # Sums over any block are differences of cumulative sums over time.
        total = np.concatenate([[0.0], np.cumsum(np.bincount(place, own, minlength=length))])
        for first in range(0, len(starts), size):
            some = starts[first : first + size]
            sums[number, first : first + size] = (total[some + block] - total[some]).sum(axis=1)
    return _over_seeds(sums, generator)


def _over_seeds(
    sums: Float64[np.ndarray, "seed resample"], generator: np.random.Generator
) -> Float64[np.ndarray, " resample"]:
    """The mean over seeds that are drawn with replacement, anew for each resample."""
    seeds = len(sums)
    if seeds == 1:
        return sums[0]
    drawn = generator.multinomial(seeds, np.full(seeds, 1 / seeds), sums.shape[1]) / seeds
    return (sums * drawn.T).sum(axis=0)
