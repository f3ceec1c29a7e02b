"""The interval of a skill: what it says of equal, better and correlated errors, and how often it covers."""

import time

import numpy as np
import pytest

from foretell.evaluation.uncertainty import FEWEST_BLOCKS, bootstrap_skill, intervals_over_time


def correlated(rows: int, memory: float, seed: int) -> np.ndarray:
    """Noise of deviation one in which each value remembers the last."""
    generator = np.random.default_rng(seed)
    noise = generator.normal(0, np.sqrt(1 - memory**2), rows)
    noise[0] = generator.normal()
    for row in range(1, rows):
        noise[row] += memory * noise[row - 1]
    return noise


def width(skill: object) -> float:
    low, high = getattr(skill, "low", None), getattr(skill, "high", None)
    assert low is not None
    assert high is not None
    return float(high - low)


def test_equal_errors_have_no_skill() -> None:
    losses = np.random.default_rng(0).uniform(1, 2, 1000)
    skill = bootstrap_skill(losses, losses, np.arange(1000), 24)
    assert (skill.value, skill.low, skill.high, skill.verdict) == (0.0, 0.0, 0.0, "unclear")
    assert skill.document() == {"value": 0.0, "low": 0.0, "high": 0.0}


def test_the_value_is_one_less_the_ratio_of_the_errors() -> None:
    generator = np.random.default_rng(0)
    losses, baseline = generator.uniform(0, 3, 500), generator.uniform(1, 4, 500)
    skill = bootstrap_skill(losses, baseline, np.arange(500), 24)
    assert skill.value == pytest.approx(1 - losses.mean() / baseline.mean())
    assert skill.low is not None
    assert skill.high is not None
    assert skill.low < skill.value < skill.high


def test_the_verdict_follows_the_interval() -> None:
    generator = np.random.default_rng(0)
    baseline = generator.uniform(1, 2, 2000)
    time = np.arange(2000)
    better = bootstrap_skill(baseline - 0.2 + generator.normal(0, 0.1, 2000), baseline, time, 24)
    worse = bootstrap_skill(baseline + 0.2 + generator.normal(0, 0.1, 2000), baseline, time, 24)
    unclear = bootstrap_skill(baseline + generator.normal(0, 0.1, 2000), baseline, time, 24)
    assert (better.verdict, worse.verdict, unclear.verdict) == ("better", "worse", "unclear")
    assert better.low is not None
    assert better.low > 0
    assert worse.high is not None
    assert worse.high < 0
    assert unclear.low is not None
    assert unclear.high is not None
    assert unclear.low <= 0 <= unclear.high


def test_a_small_gain_in_correlated_errors_is_unclear() -> None:
    """Drawn one by one the same windows would have claimed a gain: this is what blocks are for."""
    baseline = 2 + 0.3 * correlated(2000, 0.98, 1)
    losses = 2 + 0.3 * correlated(2000, 0.98, 2) - 0.03
    single = bootstrap_skill(losses, baseline, np.arange(2000), 1)
    blocks = bootstrap_skill(losses, baseline, np.arange(2000), 168)
    assert single.verdict != "unclear"
    assert blocks.verdict == "unclear"
    assert single.value == blocks.value


@pytest.mark.parametrize("seed", range(3))
def test_blocks_widen_the_interval_of_correlated_errors_only(seed: int) -> None:
    time = np.arange(3000)
    losses = 2 + 0.3 * correlated(3000, 0.9, seed)
    baseline = 2 + 0.3 * correlated(3000, 0.9, seed + 100)
    assert width(bootstrap_skill(losses, baseline, time, 96)) > 2 * width(bootstrap_skill(losses, baseline, time, 1))
    losses, baseline = (2 + 0.3 * correlated(3000, 0.0, seed + extra) for extra in (0, 100))
    ratio = width(bootstrap_skill(losses, baseline, time, 48)) / width(bootstrap_skill(losses, baseline, time, 1))
    assert 0.7 < ratio < 1.3


def test_errors_that_are_paired_are_compared_as_pairs() -> None:
    """Both models miss the same storms: their difference is far surer than either error."""
    storms = 2 + np.abs(correlated(2000, 0.95, 0)) * 5
    model = storms * 0.95 + np.random.default_rng(0).normal(0, 0.05, 2000)
    paired = bootstrap_skill(model, storms, np.arange(2000), 48)
    shuffled = bootstrap_skill(np.roll(model, 1000), storms, np.arange(2000), 48)
    assert paired.verdict == "better"
    assert shuffled.verdict == "unclear"
    assert width(paired) < width(shuffled) / 10


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    """True skill 0.1; errors that remember half of the last one, blocks of a day, 400 simulations."""
    covered = wrong = 0
    for number in range(400):
        shared = correlated(1200, 0.5, number)
        losses = 1.8 + 0.3 * shared + 0.3 * correlated(1200, 0.5, 10_000 + number)
        baseline = 2.0 + 0.3 * shared + 0.3 * correlated(1200, 0.5, 20_000 + number)
        skill = bootstrap_skill(losses, baseline, np.arange(1200), 24, resamples=400, seed=number)
        assert skill.low is not None
        assert skill.high is not None
        covered += skill.low <= 0.1 <= skill.high
        even = bootstrap_skill(losses, baseline - 0.2, np.arange(1200), 24, resamples=400, seed=number)
        wrong += even.verdict != "unclear"
    assert 0.91 <= covered / 400 <= 0.98
    assert wrong / 400 <= 0.09


def test_confidence_widens_the_interval() -> None:
    generator = np.random.default_rng(0)
    losses, baseline = generator.uniform(0, 3, 500), generator.uniform(0, 3, 500)
    intervals = [
        bootstrap_skill(losses, baseline, np.arange(500), 10, confidence=confidence) for confidence in (0.5, 0.9, 0.99)
    ]
    assert width(intervals[0]) < width(intervals[1]) < width(intervals[2])


def test_too_few_blocks_give_no_interval() -> None:
    generator = np.random.default_rng(0)
    losses, baseline = generator.uniform(0, 0.1, 240), generator.uniform(1, 2, 240)
    enough = bootstrap_skill(losses, baseline, np.arange(240), 240 // FEWEST_BLOCKS)
    assert enough.verdict == "better"
    few = bootstrap_skill(losses, baseline, np.arange(240), 240 // FEWEST_BLOCKS + 1)
    assert (few.low, few.high, few.verdict) == (None, None, "unclear")
    assert few.value == enough.value
    assert few.document() == {"value": few.value, "low": None, "high": None}
    one = bootstrap_skill(losses[:1], baseline[:1], np.array([7]), 24)
    assert one.verdict == "unclear"


def test_a_perfect_baseline_leaves_nothing_to_gain() -> None:
    skill = bootstrap_skill(np.ones(500), np.zeros(500), np.arange(500), 10)
    assert np.isnan(skill.value)  # there is no share of nothing
    assert (skill.low, skill.verdict) == (None, "unclear")


def test_series_that_share_a_moment_are_drawn_together() -> None:
    """Three copies of one series tell nothing new: the interval stays as wide."""
    losses, baseline = 2 + 0.3 * correlated(1000, 0.5, 0), 2.1 + 0.3 * correlated(1000, 0.5, 1)
    time = 500 + np.arange(1000)
    alone = bootstrap_skill(losses, baseline, time, 24)
    tripled = bootstrap_skill(np.tile(losses, 3), np.tile(baseline, 3), np.tile(time, 3), 24)
    assert tripled.low == pytest.approx(alone.low)
    assert tripled.high == pytest.approx(alone.high)
    assert tripled.value == pytest.approx(alone.value)
    order = np.random.default_rng(0).permutation(1000)
    mixed = bootstrap_skill(losses[order], baseline[order], time[order], 24)
    assert mixed.low == pytest.approx(alone.low)
    assert mixed.high == pytest.approx(alone.high)


def test_a_seed_gives_the_same_interval() -> None:
    generator = np.random.default_rng(0)
    losses, baseline = generator.uniform(0, 3, 500), generator.uniform(0, 3, 500)
    one, again, other = (bootstrap_skill(losses, baseline, np.arange(500), 10, seed=seed) for seed in (3, 3, 4))
    assert one == again
    assert one != other


def test_intervals_of_means_lie_around_them_and_are_the_same_again() -> None:
    errors = np.abs(correlated(3000, 0.9, 0))
    found = intervals_over_time({"mae": errors, "twice": 2 * errors}, np.arange(3000), 144)
    assert found["mae"][0] < errors.mean() < found["mae"][1]
    assert np.allclose(np.array(found["mae"]) * 2, found["twice"])
    assert found == intervals_over_time({"mae": errors, "twice": 2 * errors}, np.arange(3000), 144)
    alone = intervals_over_time({"mae": errors}, np.arange(3000), 1)["mae"]
    assert alone[1] - alone[0] < found["mae"][1] - found["mae"][0]  # neighbours that err alike say less


def test_intervals_of_means_cover_about_as_often_as_they_say() -> None:
    held = 0
    for seed in range(200):
        values = 5 + correlated(2000, 0.8, seed)
        low, high = intervals_over_time({"x": values}, np.arange(2000), 60, resamples=400)["x"]
        held += low < 5 < high
    assert 0.86 < held / 200 < 0.99


def test_intervals_of_means_know_gaps_weights_and_short_times() -> None:
    moments = np.r_[np.arange(100), np.arange(1900, 2000)]
    low, high = intervals_over_time({"x": np.ones(200)}, moments, 20)["x"]
    assert (low, high) == (1.0, 1.0)
    sizes = np.full(50, 100.0)
    low, high = intervals_over_time({"x": sizes * 2}, np.arange(50), 5, weights=sizes)["x"]
    assert (low, high) == pytest.approx((2.0, 2.0))
    assert intervals_over_time({"x": np.ones(10)}, np.arange(10), 5) == {}
    assert intervals_over_time({"x": np.empty(0)}, np.arange(0), 5) == {}


def test_intervals_of_means_take_no_time() -> None:
    errors = np.random.default_rng(0).uniform(0, 1, 3000)
    started = time.perf_counter()
    intervals_over_time({"a": errors, "b": errors, "c": errors}, np.arange(3000), 24)
    assert time.perf_counter() - started < 0.2
