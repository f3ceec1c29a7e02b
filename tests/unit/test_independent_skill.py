"""Skill on examples that have nothing to do with each other: its interval, McNemar's test, and where it is used."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from foretell.evaluation.uncertainty import (
    FEWEST_EXAMPLES,
    Skill,
    bootstrap_skill,
    independent_skill,
    interval_of_mean,
    mcnemar,
)
from foretell.ladder.trials import Outcome, Result, Trial, skill_against
from foretell.tasks import get_task, task_configuration
from foretell.tasks.interface import Attempt, Evaluation, Fitted, Prepared, Silent

Draw = Callable[[np.random.Generator], np.ndarray]


def answers(both: int, model_alone: int, baseline_alone: int, neither: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Errors of a model and a baseline, of which so many answer rightly."""
    model = np.r_[np.zeros(both), np.zeros(model_alone), np.ones(baseline_alone), np.ones(neither)]
    baseline = np.r_[np.zeros(both), np.ones(model_alone), np.zeros(baseline_alone), np.ones(neither)]
    return model, baseline


def ends(skill: Skill) -> tuple[float, float]:
    assert skill.low is not None
    assert skill.high is not None
    return skill.low, skill.high


def looped(model: np.ndarray, baseline: np.ndarray, resamples: int = 2000, seed: int = 7) -> tuple[float, float]:
    """The interval by a plain loop: examples are drawn, and for each model its seeds."""
    generator = np.random.default_rng(seed)
    ours, theirs = np.atleast_2d(model), np.atleast_2d(baseline)
    found = []
    for _ in range(resamples):
        rows = generator.integers(0, ours.shape[1], ours.shape[1])
        errors = [
            np.mean([own[number][rows].sum() for number in generator.integers(0, len(own), len(own))])
            for own in (ours, theirs)
        ]
        found.append(1 - errors[0] / errors[1])
    low, high = np.quantile(found, [0.025, 0.975])
    return float(low), float(high)


def assert_near(found: tuple[float, float], expected: tuple[float, float], share: float = 0.1) -> None:
    """Within a share of the width."""
    assert found == pytest.approx(expected, abs=share * (expected[1] - expected[0]))


# McNemar's test


@given(better=st.integers(0, 300), worse=st.integers(0, 300))
def test_mcnemar_is_the_two_sided_binomial_test(better: int, worse: int) -> None:
    expected = stats.binomtest(better, better + worse).pvalue if better + worse else 1.0
    assert mcnemar(better, worse) == pytest.approx(expected, rel=1e-9)
    assert mcnemar(better, worse) == mcnemar(worse, better)


def test_mcnemar_of_every_small_pair() -> None:
    for better in range(31):
        for worse in range(31):
            if better + worse:
                expected = stats.binomtest(better, better + worse).pvalue
                assert mcnemar(better, worse) == pytest.approx(expected, rel=1e-10), (better, worse)


@pytest.mark.parametrize(("better", "worse"), [(50_000, 50_600), (0, 5000), (100_000, 100_000), (1000, 1)])
def test_mcnemar_of_many_answers(better: int, worse: int) -> None:
    expected = stats.binomtest(better, better + worse).pvalue
    assert mcnemar(better, worse) == pytest.approx(expected, rel=1e-6, abs=1e-300)


def test_mcnemar_where_neither_model_is_better_is_rarely_small() -> None:
    generator = np.random.default_rng(0)
    found = [mcnemar(int(own), 60 - int(own)) for own in generator.binomial(60, 0.5, 2000)]
    assert np.mean(np.array(found) < 0.05) <= 0.05 + 0.015


# The interval


@pytest.mark.parametrize(
    ("model", "baseline"),
    [
        answers(200, 40, 20, 40),
        answers(50, 6, 5, 30),
        (np.random.default_rng(0).uniform(0, 2, 150), np.random.default_rng(1).uniform(0, 2.5, 150)),
        (np.random.default_rng(2).integers(0, 4, 90) / 3, np.random.default_rng(3).integers(0, 4, 90) / 3),
    ],
    ids=["answers", "few answers", "numbers", "shares"],
)
def test_the_interval_is_that_of_a_plain_loop(model: np.ndarray, baseline: np.ndarray) -> None:
    found = independent_skill(model, baseline)
    assert found.value == pytest.approx(1 - model.mean() / baseline.mean())
    assert_near(ends(found), looped(model, baseline))


@pytest.mark.parametrize(("seeds", "of_baseline"), [(3, 1), (1, 3), (4, 2)])
def test_seeds_are_drawn_as_well(seeds: int, of_baseline: int) -> None:
    generator = np.random.default_rng(0)
    hard = generator.uniform(0.1, 0.5, 200)
    rates = 0.7 + 0.15 * np.arange(seeds)
    model = (generator.random((seeds, 200)) < hard * rates[:, None]).astype(np.float64)
    baseline = (generator.random((of_baseline, 200)) < hard).astype(np.float64)
    found = independent_skill(model if seeds > 1 else model[0], baseline if of_baseline > 1 else baseline[0])
    assert found.value == pytest.approx(1 - model.mean() / baseline.mean())
    assert_near(ends(found), looped(model, baseline))
    assert found.p is None, "McNemar's test compares two models"
    assert independent_skill(np.atleast_2d(model), np.atleast_2d(baseline)) == found


def test_seeds_that_differ_widen_the_interval() -> None:
    generator = np.random.default_rng(0)
    baseline = generator.uniform(0.8, 1.2, 400)
    model = baseline - 0.1 + generator.normal(0, 0.05, 400)
    widths = []
    for difference in (0.0, 0.05, 0.2):
        low, high = ends(independent_skill(model + difference * np.array([[-1.5], [-0.5], [0.5], [1.5]]), baseline))
        widths.append(high - low)
    low, high = ends(independent_skill(model, baseline))
    assert widths[0] == pytest.approx(high - low, rel=1e-6)
    assert widths[0] < widths[1] < widths[2] / 2


@given(examples=st.integers(10, 60), seed=st.integers(0, 2**31), data=st.data())
def test_the_order_of_the_examples_says_nothing(examples: int, seed: int, data: st.DataObject) -> None:
    generator = np.random.default_rng(seed)
    model, baseline = (generator.integers(0, 3, examples) / 2 for _ in range(2))
    order = np.array(data.draw(st.permutations(range(examples))))
    one, other = (
        independent_skill(*pair, resamples=100) for pair in ((model, baseline), (model[order], baseline[order]))
    )
    assert one.document() == pytest.approx(other.document())
    assert one.verdict == other.verdict


@given(examples=st.integers(10, 80), seed=st.integers(0, 2**31))
def test_a_verdict_follows_the_interval_and_mcnemar(examples: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    share = generator.uniform(0, 1)
    baseline = (generator.random(examples) < 0.5).astype(np.float64)
    model = np.where(generator.random(examples) < share, baseline, generator.random(examples) < 0.3).astype(np.float64)
    found = independent_skill(model, baseline, resamples=300)
    assert found.value == pytest.approx(1 - model.mean() / baseline.mean() if baseline.any() else 0.0)
    if found.low is None or found.high is None:
        return
    better, worse = int((model < baseline).sum()), int((model > baseline).sum())
    assert found.p == mcnemar(better, worse)
    assert found.low <= found.high
    if found.p >= 0.05 or found.low < -0.03 < 0.03 < found.high:
        assert found.verdict == "unclear"
    elif found.low > 0.03 or found.high < -0.03:
        assert found.verdict == ("better" if found.low > 0 else "worse")


def test_verdicts() -> None:
    better, worse = independent_skill(*answers(300, 60, 20, 20)), independent_skill(*answers(300, 20, 60, 20))
    unclear, equal = independent_skill(*answers(300, 40, 35, 20)), independent_skill(*answers(300, 0, 0, 50))
    assert [own.verdict for own in (better, worse, unclear, equal)] == ["better", "worse", "unclear", "unclear"]
    assert (equal.value, *ends(equal), equal.p) == (0.0, 0.0, 0.0, 1.0)
    assert better.p == pytest.approx(stats.binomtest(20, 80).pvalue)
    assert better.document() == {"value": better.value, "low": better.low, "high": better.high, "p": better.p}
    assert ends(better)[0] > 0 > ends(worse)[1]


def test_both_the_interval_and_mcnemar_must_exclude_chance() -> None:
    """Five answers that differ, all one way: the interval excludes zero, yet one toss in sixteen is as one-sided."""
    few = independent_skill(*answers(600, 5, 0, 395))
    assert ends(few)[0] > 0
    assert few.p == pytest.approx(2 / 2**5)
    assert few.verdict == "unclear"
    assert independent_skill(*answers(600, 6, 0, 394)).verdict == "better"
    assert independent_skill(*answers(600, 5, 0, 395), confidence=0.9).verdict == "better"


def test_errors_that_are_no_answers_have_no_p() -> None:
    generator = np.random.default_rng(0)
    shares = generator.integers(0, 4, 200) / 3
    found = independent_skill(shares * 0.5, shares)
    assert (found.verdict, found.p) == ("better", None)
    assert found.value == pytest.approx(0.5)
    assert found.document().keys() == {"value", "low", "high"}


def test_errors_that_are_paired_are_compared_as_pairs() -> None:
    hard = (np.random.default_rng(0).random(1000) < 0.3).astype(np.float64)
    model = hard.copy()
    model[np.flatnonzero(hard)[:30]] = 0
    paired, shuffled = independent_skill(model, hard), independent_skill(np.roll(model, 500), hard)
    assert (paired.verdict, shuffled.verdict) == ("better", "unclear")
    assert ends(paired)[1] - ends(paired)[0] < (ends(shuffled)[1] - ends(shuffled)[0]) / 2


def test_confidence_widens_the_interval_and_a_seed_gives_the_same() -> None:
    model, baseline = answers(200, 30, 20, 40)
    intervals = [ends(independent_skill(model, baseline, confidence=own)) for own in (0.5, 0.9, 0.99)]
    assert intervals[2][0] < intervals[1][0] < intervals[0][0] < intervals[0][1] < intervals[1][1] < intervals[2][1]
    one, again, other = (independent_skill(model, baseline, seed=seed) for seed in (3, 3, 4))
    assert one == again
    assert one != other


def test_too_few_examples_give_no_interval() -> None:
    model, baseline = np.zeros(FEWEST_EXAMPLES), np.ones(FEWEST_EXAMPLES)
    assert independent_skill(model, baseline).verdict == "better"
    for few in (
        independent_skill(model[1:], baseline[1:]),
        independent_skill(np.zeros((30, FEWEST_EXAMPLES - 1)), baseline[1:]),
        independent_skill(model[:1], baseline[:1]),
    ):
        assert few == Skill(1.0, None, None, "unclear")
        assert few.document() == {"value": 1.0, "low": None, "high": None}


def test_a_perfect_baseline_leaves_nothing_to_gain() -> None:
    skill = independent_skill(np.zeros(100), np.zeros(100))
    assert (skill.value, skill.low, skill.high, skill.verdict) == (0.0, None, None, "unclear")
    worse = independent_skill(*answers(60, 0, 40))
    assert (worse.low, worse.high, worse.verdict) == (None, None, "worse")
    assert worse.p == pytest.approx(2 / 2**40)


def test_where_a_baseline_hardly_errs_there_is_a_verdict_without_an_interval() -> None:
    """Some draws hold none of its three errors, so that there is no ratio; that 197 answers differ one way is clear."""
    worse = independent_skill(*answers(200, 0, 197, 3))
    assert (worse.low, worse.high, worse.verdict) == (None, None, "worse")
    assert worse.value == pytest.approx(1 - 200 / 3)
    assert worse.p == pytest.approx(stats.binomtest(0, 197).pvalue)
    unclear = independent_skill(*answers(390, 3, 4, 2))
    assert (unclear.low, unclear.verdict, unclear.p) == (None, "unclear", 1.0)
    better = independent_skill(*answers(393, 7, 0))
    assert (better.value, better.verdict) == (1.0, "better")
    assert better.p == pytest.approx(2 / 2**7)


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    """True skill 0.2: errors of three in ten texts, the model mends a fifth of them and errs elsewhere at times."""
    generator = np.random.default_rng(0)
    covered = wrong = 0
    for number in range(400):
        baseline = generator.random(300) < 0.3
        model = np.where(baseline, generator.random(300) < 0.7, generator.random(300) < 0.3 / 0.7 * 0.1)
        low, high = ends(independent_skill(model.astype(float), baseline.astype(float), resamples=400, seed=number))
        covered += low <= 0.2 <= high
        even = np.where(baseline, generator.random(300) < 0.7, generator.random(300) < 0.3 / 0.7 * 0.3)
        skill = independent_skill(even.astype(float), baseline.astype(float), resamples=400, seed=number)
        wrong += skill.verdict != "unclear"
    assert 0.92 <= covered / 400 <= 0.98
    assert wrong / 400 <= 0.07


# The interval of a mean


@pytest.mark.parametrize("values", [answers(80, 15, 5)[1], np.random.default_rng(0).exponential(1, 70)])
def test_the_interval_of_a_mean_is_that_of_a_plain_loop(values: np.ndarray) -> None:
    generator = np.random.default_rng(5)
    means = [values[generator.integers(0, len(values), len(values))].mean() for _ in range(4000)]
    low, high = np.quantile(means, [0.025, 0.975])
    found = interval_of_mean(values)
    assert_near(found, (float(low), float(high)))
    assert found[0] < values.mean() < found[1]


@given(values=st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=50), confidence=st.floats(0.1, 0.99))
def test_the_interval_of_a_mean_lies_within_its_values(values: list[float], confidence: float) -> None:
    low, high = interval_of_mean(np.array(values), resamples=50, confidence=confidence)
    assert min(values) - 1e-9 <= low <= high <= max(values) + 1e-9
    assert interval_of_mean(np.array(values[::-1]), resamples=50, confidence=confidence) == pytest.approx((low, high))


def test_the_interval_of_a_mean_narrows_with_examples_and_covers_it() -> None:
    generator = np.random.default_rng(0)
    widths = []
    for examples in (50, 800):
        low, high = interval_of_mean(generator.normal(0, 1, examples))
        widths.append(high - low)
    assert widths[0] / widths[1] == pytest.approx(math.sqrt(16), rel=0.3)
    covered = 0
    for number in range(400):
        low, high = interval_of_mean((generator.random(200) < 0.2).astype(float), resamples=400, seed=number)
        covered += low <= 0.2 <= high
    assert 0.91 <= covered / 400 <= 0.98


# Where it is used


def texts(count: int) -> pl.DataFrame:
    """Reviews of words, most of which tell their label."""
    generator = np.random.default_rng(0)
    words = np.array([f"word{number}" for number in range(40)])
    labels = generator.random(count) < 0.5
    chosen = [generator.choice(words[5:] if label else words[:35], 8) for label in labels]
    return pl.DataFrame({"text": [" ".join(own) for own in chosen], "label": np.where(labels, "good", "bad")})


TRIED: dict[str, tuple[Any, dict[str, Any], str, str]] = {
    "recall": (
        None,
        {
            "training_sequences": 300,
            "validation_sequences": 60,
            "test_sequences": 90,
            "epochs": 1,
            "units": 6,
            "gap": 2,
        },
        "chance",
        "rnn",
    ),
    "classify": (texts(300), {}, "majority", "tfidf"),
}


@pytest.fixture(scope="module", params=TRIED)
def tried(request: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Prepared, Fitted, list[Evaluation]]:
    """A task's baseline and another rung on its test texts or sequences."""
    source, options, *rungs = TRIED[request.param]
    task = get_task(request.param)
    prepared = task.prepare(source, task_configuration(request.param).build(options, environment={}))
    fitted = [task.fit(prepared, str(rung), Attempt(tmp_path_factory.mktemp("run"), Silent())) for rung in rungs]
    return prepared, fitted[0], [task.evaluate(prepared, own, "test") for own in fitted]


def result(rung: str, prepared: Prepared, fitted: Fitted, evaluations: list[Evaluation]) -> Result:
    """Of a seed for each evaluation."""
    return Result(
        rung, [Outcome(Trial(prepared, seed=seed), fitted, own, own, 1.0) for seed, own in enumerate(evaluations)]
    )


def test_answers_to_texts_and_sequences_are_drawn_one_by_one(tried: tuple[Prepared, Fitted, list[Evaluation]]) -> None:
    prepared, fitted, (baseline, model) = tried
    assert (baseline.block, model.block) == (None, None)
    assert set(model.losses) <= {0.0, 1.0}
    assert model.metrics["error"] == pytest.approx(model.losses.mean())
    reference = result("baseline", prepared, fitted, [baseline])
    found = skill_against(result("model", prepared, fitted, [model]), reference)
    assert found == independent_skill(model.losses, baseline.losses)
    better, worse = int((model.losses < baseline.losses).sum()), int((model.losses > baseline.losses).sum())
    assert found.p == pytest.approx(stats.binomtest(better, better + worse).pvalue)
    several = skill_against(result("model", prepared, fitted, [model, baseline]), reference)
    assert several == independent_skill(np.stack([model.losses, baseline.losses]), baseline.losses)
    assert skill_against(reference, reference) == Skill(0.0, 0.0, 0.0, "unclear")


def test_what_has_a_place_in_time_is_drawn_in_blocks(tried: tuple[Prepared, Fitted, list[Evaluation]]) -> None:
    prepared, fitted, evaluations = tried
    blocks = [Evaluation(own.metrics, own.losses, own.moments, 4) for own in evaluations]
    reference, model = (result(name, prepared, fitted, [own]) for name, own in zip("ab", blocks, strict=True))
    expected = bootstrap_skill(blocks[1].losses, blocks[0].losses, blocks[0].moments, 4)
    assert skill_against(model, reference) == expected
    assert expected.p is None


def test_a_good_classifier_is_better_than_the_majority(tmp_path: Path) -> None:
    task = get_task("classify")
    prepared = task.prepare(texts(300), task_configuration("classify").build({}, environment={}))
    evaluations = {
        rung: task.evaluate(prepared, task.fit(prepared, rung, Attempt(tmp_path, Silent())), "test")
        for rung in ("majority", "nb-svm")
    }
    skill = independent_skill(evaluations["nb-svm"].losses, evaluations["majority"].losses)
    assert skill.verdict == "better"
    assert skill.p is not None
    assert skill.p < 0.05
