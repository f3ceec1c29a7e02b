"""How surely one model beats another: a moving-block bootstrap of their paired errors.

Neighbouring windows overlap and their errors are correlated, so whole blocks of time are drawn, at least as
long as the forecast reaches and as a day; series that share a moment are drawn together.
Künsch, "The jackknife and the bootstrap for general stationary observations" (1989).
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float64, Int64

Verdict = Literal["better", "worse", "unclear"]
FEWEST_BLOCKS = 5


@dataclass(frozen=True)
class Skill:
    """1 - error / baseline error, with its interval.

    Attributes:
        value: Above zero where the model errs less than the baseline.
        low: Lower end of the interval; None where time is too short to tell.
        high: Upper end.
        verdict: ``better`` or ``worse`` only where the interval excludes zero.
    """

    value: float
    low: float | None
    high: float | None
    verdict: Verdict

    def document(self) -> dict[str, float | None]:
        """Value and interval as a JSON object."""
        return {"value": self.value, "low": self.low, "high": self.high}


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
    error = float(theirs.mean(axis=0).sum())
    value = 1 - float(ours.mean(axis=0).sum()) / error if error > 0 else 0.0
    place = moments - moments.min()
    length = int(place.max()) + 1
    blocks = length // block
    if blocks < FEWEST_BLOCKS:
        return Skill(value, None, None, "unclear")
    generator = np.random.default_rng(seed)
    starts = generator.integers(0, length - block + 1, (resamples, blocks))
    model, reference = (_resampled(errors, place, length, starts, block, generator) for errors in (ours, theirs))
    if not (reference > 0).all():
        return Skill(value, None, None, "unclear")
    skills = 1 - model / reference
    low, high = (float(bound) for bound in np.quantile(skills, [(1 - confidence) / 2, (1 + confidence) / 2]))
    return Skill(value, low, high, "better" if low > 0 else "worse" if high < 0 else "unclear")


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
    sums = np.empty((seeds, len(starts)))
    for number, own in enumerate(errors):
        # Sums over any block are differences of cumulative sums over time.
        total = np.concatenate([[0.0], np.cumsum(np.bincount(place, own, minlength=length))])
        sums[number] = (total[starts + block] - total[starts]).sum(axis=1)
    if seeds == 1:
        return sums[0]
    drawn = generator.multinomial(seeds, np.full(seeds, 1 / seeds), len(starts)) / seeds
    return (sums * drawn.T).sum(axis=0)
