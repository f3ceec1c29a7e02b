"""Prediction intervals: their margins are those of crepes and of plain loops, and they cover as often as they say."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from foretell.errors import DataError
from foretell.evaluation.conformal import Calibration, CoverageSums, Intervals, ends, quantiles_of
from foretell.training.losses import LOSSES, quantile_loss

LEVELS = (0.5, 0.8, 0.9)


def learn(
    forecasts: np.ndarray, truths: np.ndarray, deviation: np.ndarray, levels: tuple[float, ...] = LEVELS
) -> Intervals:
    calibration = Calibration(levels)
    calibration.add(forecasts, truths, deviation)
    return calibration.intervals("a made table")


def points(seed: int, windows: int, leads: int = 3, targets: int = 2) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Forecasts of one number, truths whose errors grow with the lead, and the deviation of each window's series."""
    generator = np.random.default_rng(seed)
    truths = generator.normal(10, 3, (windows, leads, targets))
    forecasts = truths + generator.normal(0.2, 1, truths.shape) * np.arange(1, leads + 1)[:, None]
    return forecasts[..., None], truths, generator.choice([0.5, 2.0], (windows, targets))


def bands(seed: int, windows: int, leads: int = 3, targets: int = 2) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Likewise with the quantiles of three levels, too narrow for the first target and too wide for the second."""
    generator = np.random.default_rng(seed)
    centre = generator.normal(10, 3, (windows, leads, targets))
    truths = centre + generator.exponential(1, centre.shape)
    width = np.array([0.2, 6.0, 0.2, 6.0])[:targets]
    forecasts = centre[..., None] + width[:, None] * np.array([-1.6, -1.3, -0.7, 0.0, 0.7, 1.3, 1.6])
    return forecasts, truths, generator.choice([0.5, 2.0], (windows, targets))


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def smallest(scores: list[float], level: float) -> float:
    return sorted(scores)[math.ceil((len(scores) + 1) * level - 1e-9) - 1]


@pytest.mark.parametrize("windows", [50, 202])  # crepes rounds (n + 1) · level wrongly where it is whole
def test_margins_are_those_of_crepes(windows: int) -> None:
    crepes = pytest.importorskip("crepes")
    forecasts, truths, deviation = points(0, windows)
    intervals = learn(forecasts, truths, deviation)
    for lead in range(3):
        for target in range(2):
            residuals = (truths[:, lead, target] - forecasts[:, lead, target, 0]) / deviation[:, target]
            regressor = crepes.ConformalRegressor().fit(residuals)
            for number, level in enumerate(LEVELS):
                theirs = regressor.predict_int(np.zeros(1), confidence=level)[0]
                np.testing.assert_allclose(intervals.margins[number, lead, target] * np.array([-1, 1]), theirs, 3e-6)


@pytest.mark.parametrize("windows", [9, 19, 100])
def test_margins_are_the_right_smallest_distance_of_each_lead_and_target(windows: int) -> None:
    forecasts, truths, deviation = points(1, windows)
    intervals = learn(forecasts, truths, deviation)
    assert intervals.margins.shape == (3, 3, 2)
    for number, level in enumerate(LEVELS):
        for lead in range(3):
            for target in range(2):
                distances = [
                    abs(float(truths[own, lead, target] - forecasts[own, lead, target, 0])) / deviation[own, target]
                    for own in range(windows)
                ]
                assert intervals.margins[number, lead, target] == pytest.approx(smallest(distances, level), rel=3e-6)
    low, high = intervals.around(forecasts, deviation, 1)
    margin = intervals.margins[1] * deviation[:, None]
    np.testing.assert_allclose(low, forecasts[..., 0] - margin)
    np.testing.assert_allclose(high, forecasts[..., 0] + margin)


def test_quantiles_are_widened_by_the_formula_of_conformalized_quantile_regression() -> None:
    forecasts, truths, deviation = bands(2, 60)
    new, _, other = bands(3, 5)
    intervals = learn(forecasts, truths, deviation)
    for number, level in enumerate(LEVELS):
        low, high = intervals.around(new, other, number)
        below, above = 2 - number, 4 + number
        for lead in range(3):
            for target in range(2):
                scores = [
                    max(
                        forecasts[own, lead, target, below] - truths[own, lead, target],
                        truths[own, lead, target] - forecasts[own, lead, target, above],
                    )
                    / deviation[own, target]
                    for own in range(60)
                ]
                margin = smallest(scores, level)
                assert (margin > 0) == (target == 0), "the second target's quantiles are too wide"
                for own in range(5):
                    one, two = new[own, lead, target, below], new[own, lead, target, above]
                    added = margin * other[own, target]
                    middle = (one + two) / 2
                    assert low[own, lead, target] == pytest.approx(min(one - added, middle), abs=1e-5)
                    assert high[own, lead, target] == pytest.approx(max(two + added, middle), abs=1e-5)


@pytest.mark.parametrize("kind", [points, bands])
@pytest.mark.parametrize("windows", [30, 99])
def test_what_is_promised_is_covered(kind: Callable[..., tuple[np.ndarray, ...]], windows: int) -> None:
    """Each of 20,000 leads and targets learns from its own windows, and is asked about one more that is like them."""
    forecasts, truths, deviation = kind(4, windows + 1, 10_000, 2)
    deviation[:] = 2.0
    intervals = learn(forecasts[1:], truths[1:], deviation[1:])
    for number, level in enumerate(LEVELS):
        low, high = intervals.around(forecasts[:1], deviation[:1], number)
        covered = ((low <= truths[:1]) & (truths[:1] <= high)).mean()
        expected = math.ceil((windows + 1) * level - 1e-9) / (windows + 1)
        assert abs(covered - expected) < 3.5 * math.sqrt(expected * (1 - expected) / 20_000)


@given(st.integers(0, 2**32 - 1), st.integers(10, 40))
def test_negative_margins_narrow_and_never_cross(seed: int, windows: int) -> None:
    generator = np.random.default_rng(seed)
    truths = generator.normal(0, 0.1, (windows, 2, 1))
    wide = np.sort(generator.normal(0, 5, (windows, 2, 1, 7)), axis=-1)
    wide[..., :3] -= 5
    wide[..., 4:] += 5
    deviation = np.ones((windows, 1))
    intervals = learn(wide, truths, deviation)
    assert (intervals.margins < 0).all()
    others = [wide, wide * 1e-3, generator.normal(0, 5, wide.shape)]  # as wide, far narrower, and quantiles that cross
    for forecasts in others:
        for number in range(len(LEVELS)):
            low, high = intervals.around(forecasts, deviation, number)
            lower, upper = ends(forecasts, number)
            assert (low <= high).all()
            ordered = lower <= upper
            assert (low >= lower)[ordered].all()
            assert (high <= upper)[ordered].all()
            assert ((high - low) < (upper - lower))[ordered].all()


def test_the_number_of_windows_that_a_level_needs_is_told_and_is_enough() -> None:
    for percent in range(1, 100):
        level, needed = percent / 100, -(-percent // (100 - percent))
        forecasts, truths, deviation = points(percent, needed)
        learn(forecasts, truths, deviation, (level,))
        if needed == 1:
            continue
        with pytest.raises(DataError, match=f"covers {level:g} needs {needed} validation windows; there are") as caught:
            learn(forecasts[1:], truths[1:], deviation[1:], (level,))
        assert caught.value.details == {"file": "a made table", "needed": needed, "windows": needed - 1}
        assert caught.value.exit_code == 3


def test_scores_gathered_batch_by_batch_give_the_same_margins() -> None:
    forecasts, truths, deviation = bands(5, 60)
    calibration = Calibration(LEVELS)
    for part in (slice(0, 7), slice(7, 8), slice(8, 60)):
        calibration.add(forecasts[part], truths[part], deviation[part])
    np.testing.assert_array_equal(calibration.intervals("a table").margins, learn(forecasts, truths, deviation).margins)


@given(st.lists(st.integers(1, 99), min_size=1, max_size=6, unique=True))
def test_quantiles_are_the_ends_of_the_levels_and_the_median(percents: list[int]) -> None:
    levels = tuple(percent / 100 for percent in percents)
    quantiles = quantiles_of(levels)
    assert len(quantiles) == 2 * len(levels) + 1
    assert list(quantiles) == sorted(set(quantiles))
    assert quantiles[len(levels)] == 0.5
    assert [low + high for low, high in zip(quantiles, reversed(quantiles), strict=True)] == pytest.approx(
        [1.0] * len(quantiles)
    )
    forecasts = np.array(quantiles).reshape(1, 1, 1, -1)
    for number, level in enumerate(sorted(levels)):
        low, high = ends(forecasts, number)
        assert (low.item(), high.item()) == pytest.approx(((1 - level) / 2, (1 + level) / 2))


def test_one_number_is_both_ends_of_its_interval() -> None:
    forecasts = points(0, 4)[0]
    for number in range(3):
        low, high = ends(forecasts, number)
        assert (low == forecasts[..., 0]).all()
        assert (high == forecasts[..., 0]).all()


def test_coverage_is_what_a_plain_loop_counts() -> None:
    intervals = learn(*bands(6, 80))
    forecasts, truths, _ = bands(7, 40)
    deviation, codes = np.array([[0.5, 3.0], [2.0, 1.0], [1.0, 1.0]]), np.random.default_rng(0).integers(0, 3, 40)
    sums = CoverageSums(intervals, deviation)
    sums.add(forecasts, truths, codes)
    for number, level in enumerate(LEVELS):
        low, high = intervals.around(forecasts, deviation[codes], number)
        inside: list[list[list[bool]]] = [[[], []], [[], []], [[], []]]
        width: list[list[float]] = [[], []]
        scaled: list[list[float]] = [[], []]
        for own in range(40):
            for lead in range(3):
                for target in range(2):
                    one, two = low[own, lead, target], high[own, lead, target]
                    inside[lead][target].append(bool(one <= truths[own, lead, target] <= two))
                    width[target].append(two - one)
                    scaled[target].append((two - one) / deviation[codes[own], target])
        for target in range(2):
            shares = [float(np.mean(inside[lead][target])) for lead in range(3)]
            found = sums.metrics(target)[f"{level:g}"]
            assert found["coverage"] == pytest.approx(np.mean(shares))
            assert found["width"] == pytest.approx(np.mean(width[target]), rel=3e-6)
            assert found["width_scaled"] == pytest.approx(np.mean(scaled[target]), rel=3e-6)
            assert list(sums.by_lead(number, target)) == pytest.approx(shares)
        both = sums.metrics()[f"{level:g}"]
        assert both["coverage"] == pytest.approx(
            np.mean([sums.metrics(own)[f"{level:g}"]["coverage"] for own in (0, 1)])
        )
        assert both["width"] is None, "units are never pooled"
        assert both["width_scaled"] == pytest.approx(np.mean(scaled), rel=3e-6)


def test_coverage_batch_by_batch_is_that_of_all_at_once() -> None:
    intervals = learn(*points(8, 80))
    forecasts, truths, _ = points(9, 50)
    deviation, codes = np.array([[0.5, 3.0], [2.0, 1.0]]), np.arange(50) % 2
    whole, parts = CoverageSums(intervals, deviation), CoverageSums(intervals, deviation)
    whole.add(forecasts, truths, codes)
    for part in (slice(0, 1), slice(1, 33), slice(33, 50)):
        parts.add(forecasts[part], truths[part], codes[part])
    assert (parts.inside == whole.inside).all()
    assert parts.count == whole.count == 50
    np.testing.assert_allclose(parts.width, whole.width)
    np.testing.assert_allclose(parts.width_scaled, whole.width_scaled)


@pytest.mark.parametrize("share", [0.05, 0.25, 0.5, 0.9])
def test_the_quantile_loss_is_least_at_the_quantile(share: float) -> None:
    sample = torch.tensor(np.random.default_rng(0).exponential(1, 999))
    loss = quantile_loss([share])

    def at(value: float) -> float:
        return loss(torch.full((999, 1), value, dtype=torch.float64), sample[:, None]).item()

    candidates = torch.linspace(0, 6, 3001, dtype=torch.float64).tolist()
    best = min(candidates, key=at)
    assert best == pytest.approx(sample.quantile(share).item(), abs=0.01)
    assert at(sample.quantile(share).item()) <= at(best) + 1e-6


def test_the_quantile_loss_of_the_median_is_the_absolute_error() -> None:
    outputs, targets = drawn(6, 4, 2), drawn(6, 4, 2, seed=1)
    torch.testing.assert_close(quantile_loss([0.5])(outputs, targets), LOSSES["mae"](outputs, targets))


def test_the_quantile_loss_takes_the_quantiles_of_each_target_one_after_the_other() -> None:
    shares = (0.1, 0.5, 0.9)
    outputs, targets = drawn(5, 3, 2 * 3), drawn(5, 3, 2, seed=1)
    losses = []
    for batch in range(5):
        for lead in range(3):
            for target in range(2):
                for place, share in enumerate(shares):
                    above = (targets[batch, lead, target] - outputs[batch, lead, 3 * target + place]).item()
                    losses.append(2 * (share * above if above > 0 else (share - 1) * above))
    assert quantile_loss(shares)(outputs, targets).item() == pytest.approx(sum(losses) / len(losses), rel=1e-5)
