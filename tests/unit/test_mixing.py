"""Weights of a mixture: shares, and those that make what came most likely."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jaxtyping import Float64

from foretell.evaluation.mixing import mixture_weights

LIKELY = st.tuples(st.integers(1, 4), st.integers(1, 40), st.integers(0, 2**32 - 1), st.sampled_from([0.2, 1, 5]))
ROUNDS = 500  # after which models that differ little may still be weighed wrongly, but not so that it would matter


def drawn(models: int, places: int, seed: int, spread: float) -> Float64[np.ndarray, "model place"]:
    """How likely some models found what came."""
    generator = np.random.default_rng(seed)
    return np.exp(-spread * generator.exponential(1, (models, places)))


def mean_log(likely: Float64[np.ndarray, "model place"], weights: Float64[np.ndarray, " model"]) -> float:
    return float(np.log(weights @ likely).mean())


@given(LIKELY)
def test_weights_are_shares(case: tuple[int, int, int, float]) -> None:
    weights = mixture_weights(drawn(*case))
    assert weights.shape == (case[0],)
    assert (weights >= 0).all()
    assert abs(weights.sum() - 1) < 1e-12


@given(st.integers(1, 40), st.integers(0, 2**32 - 1), st.sampled_from([0.2, 1, 5]))
def test_no_weights_of_two_models_are_better(places: int, seed: int, spread: float) -> None:
    likely = drawn(2, places, seed, spread)
    shares = np.linspace(0, 1, 1001)
    best = max(mean_log(likely, np.array([share, 1 - share])) for share in shares)
    assert mean_log(likely, mixture_weights(likely)) >= best - np.log(2) / ROUNDS


@given(st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_no_weights_of_three_models_are_better(places: int, seed: int) -> None:
    likely = drawn(3, places, seed, 1)
    one, two = np.meshgrid(np.linspace(0, 1, 61), np.linspace(0, 1, 61))
    inside = one + two <= 1
    grid = np.stack([one[inside], two[inside], 1 - one[inside] - two[inside]], axis=1)
    best = float(np.log(np.maximum(grid, 0) @ likely).mean(axis=1).max())
    assert mean_log(likely, mixture_weights(likely)) >= best - np.log(3) / ROUNDS


@given(st.integers(0, 2**32 - 1))
def test_weights_are_those_of_the_grid_where_models_differ(seed: int) -> None:
    likely = drawn(2, 500, seed, 2)
    shares = np.linspace(0, 1, 2001)
    found = np.log(shares[:, None] * likely[0] + (1 - shares[:, None]) * likely[1]).mean(axis=1)
    weights = mixture_weights(likely)
    assert abs(weights[0] - shares[found.argmax()]) < 1e-3
    assert mean_log(likely, weights) >= found.max() - 1e-9


@given(LIKELY)
def test_the_order_of_models_does_not_matter(case: tuple[int, int, int, float]) -> None:
    likely = drawn(*case)
    np.testing.assert_allclose(mixture_weights(likely[::-1].copy())[::-1], mixture_weights(likely), atol=1e-6)


def test_one_model_counts_alone() -> None:
    assert mixture_weights(drawn(1, 10, 0, 1)).tolist() == [1.0]


def test_models_that_say_the_same_count_alike() -> None:
    likely = drawn(1, 10, 0, 1)
    np.testing.assert_allclose(mixture_weights(np.concatenate([likely] * 4)), [0.25] * 4)


def test_a_model_that_never_is_better_does_not_count() -> None:
    worse = drawn(1, 100, 0, 1)
    np.testing.assert_allclose(mixture_weights(np.concatenate([worse, 2 * worse])), [0, 1], atol=1e-8)


def test_a_model_that_found_something_impossible_may_count() -> None:
    likely = np.array([[0.0, 0.9, 0.9, 0.9], [0.5, 0.1, 0.1, 0.1]])
    weights = mixture_weights(likely)
    assert 0.5 < weights[0] < 1
    assert np.isfinite(mean_log(likely, weights))


@pytest.mark.parametrize("better", [1.1, 1.01, 1.002])
def test_a_model_that_is_a_little_better_everywhere_counts_alone(better: float) -> None:
    worse = drawn(1, 100, 0, 1)
    weights = mixture_weights(np.concatenate([worse, better * worse]))
    np.testing.assert_allclose(weights, [0, 1], atol=0.01)
