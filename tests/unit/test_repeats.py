"""Several trainings of one rung: their mean and spread, their skill, the folds that they see, and what curves say."""

import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretell.data.spans import cut_spans, roll_spans
from foretell.errors import InputError
from foretell.evaluation.learning import overfitting
from foretell.evaluation.repeats import mean_metrics, spread_of
from foretell.evaluation.uncertainty import bootstrap_skill
from foretell.ladder.trials import Outcome, Result, Trial, folder_of, skill_against, trials_of, without_repeats
from foretell.tasks import get_task, task_configuration
from foretell.tasks.interface import Attempt, Evaluation, Fitted, Prepared, Silent

from .made_tables import Recipe, make_table, recipes

FORECAST = get_task("forecast")
ROWS = 600


@pytest.fixture(scope="module")
def prepared(hourly: pl.DataFrame) -> Prepared:
    """A table cut for two folds, its trainings from seed 5 on."""
    sets = {"target": "T (degC)", "lookback": 24, "ahead": 3, "folds": 2, "seed": 5}
    configuration = task_configuration("forecast").build(sets=sets, environment={})
    return FORECAST.prepare(hourly.head(300), configuration)


@pytest.fixture(scope="module")
def fitted(prepared: Prepared, tmp_path_factory: pytest.TempPathFactory) -> Fitted:
    """A rung that learned."""
    return FORECAST.fit(prepared, "persistence", Attempt(tmp_path_factory.mktemp("run"), Silent()))


def evaluation(losses: np.ndarray, first: int) -> Evaluation:
    metrics = {"mae": float(losses.mean()), "unit": "degC", "count": len(losses), "mase": None}
    return Evaluation(metrics, losses, first + np.arange(len(losses)), 12)


def outcome(fitted: Fitted, trial: Trial, losses: np.ndarray) -> Outcome:
    """A trial whose errors on test are given, and on validation twice as large."""
    first = ROWS * trial.fold
    return Outcome(trial, fitted, evaluation(2 * losses, first), evaluation(losses, first + 50), 1.0)


def result(fitted: Fitted, trials: Sequence[Trial], losses: Sequence[np.ndarray], rung: str = "gru") -> Result:
    return Result(rung, [outcome(fitted, trial, own) for trial, own in zip(trials, losses, strict=True)])


def errors(seed: int, mean: float, rows: int = ROWS) -> np.ndarray:
    return mean + np.random.default_rng(seed).exponential(0.3, rows)


def test_the_mean_is_of_every_number_nested_ones_too() -> None:
    documents = [
        {"mae": 1.0, "count": 10, "unit": "K", "none": None, "sure": True, "deep": {"a": 2.0, "by": [{"b": 1.0}]}},
        {"mae": 4.0, "count": 20, "unit": "K", "none": None, "sure": True, "deep": {"a": 4.0, "by": [{"b": 2.0}]}},
    ]
    assert mean_metrics(documents) == {
        "mae": 2.5,
        "count": 15,
        "unit": "K",
        "none": None,
        "sure": True,
        "deep": {"a": 3.0, "by": [{"b": 1.5}]},
    }
    assert mean_metrics(documents, summed=("count", "a"))["count"] == 30
    assert mean_metrics(documents, summed=("count", "a"))["deep"]["a"] == 6.0
    assert mean_metrics([{"mae": 1.0}, {"mae": None}]) == {"mae": 1.0}, "of those that are known"
    assert mean_metrics(documents[:1]) is documents[0]


def test_the_spread_is_the_deviation_over_trainings() -> None:
    documents = [{"mae": value, "count": 3, "unit": "K", "deep": {"a": value}} for value in (1.0, 2.0, 6.0)]
    assert spread_of(documents) == {"mae": pytest.approx(np.std([1, 2, 6], ddof=1))}
    assert spread_of([{"mae": 1.0}, {"mae": None}]) == {}


def test_trials_are_the_folds_and_for_each_the_seeds(prepared: Prepared) -> None:
    trials = trials_of(FORECAST, prepared, 2)
    names = ["fold-1-seed-5", "fold-1-seed-6", "fold-2-seed-5", "fold-2-seed-6"]
    assert [trial.name for trial in trials] == names
    assert [(trial.fold, trial.seed) for trial in trials] == [(0, 5), (0, 6), (1, 5), (1, 6)]
    assert trials[0].prepared is trials[1].prepared
    assert trials[0].prepared.counts != trials[2].prepared.counts
    assert [trial.name for trial in trials_of(FORECAST, prepared, 1)] == ["fold-1", "fold-2"]
    assert [str(folder_of(Path("run"), trial)) for trial in trials[:1]] == [str(Path("run") / names[0])]


def test_one_test_has_no_fold_in_its_name(hourly: pl.DataFrame) -> None:
    sets = {"target": "T (degC)", "lookback": 24, "ahead": 3}
    prepared = FORECAST.prepare(hourly.head(300), task_configuration("forecast").build(sets=sets, environment={}))
    assert [trial.name for trial in trials_of(FORECAST, prepared, 2)] == ["seed-0", "seed-1"]
    (alone,) = trials_of(FORECAST, prepared, 1)
    assert (alone.name, alone.seed, alone.prepared) == ("", 0, prepared)
    assert folder_of(Path("run"), alone) == Path("run")
    assert [trial.name for trial in without_repeats(trials_of(FORECAST, prepared, 2))] == [""]


def test_what_no_seed_changes_is_tried_once_for_each_fold(prepared: Prepared) -> None:
    trials = trials_of(FORECAST, prepared, 3)
    once = without_repeats(trials)
    assert [(trial.name, trial.fold, trial.seed) for trial in once] == [("fold-1", 0, 5), ("fold-2", 1, 5)]
    assert [trial.prepared for trial in once] == [trials[0].prepared, trials[3].prepared]


def test_metrics_are_the_mean_of_folds_with_the_spread_of_trials(prepared: Prepared, fitted: Fitted) -> None:
    """Windows are counted once for each fold: seeds see the same ones."""
    losses = [np.full(rows, error) for rows, error in ((10, 1.0), (10, 3.0), (21, 2.0), (21, 6.0))]
    found = result(fitted, trials_of(FORECAST, prepared, 2), losses)
    test = found.metrics("test")
    assert (test["mae"], test["count"], test["trials"]) == (3.0, 31, 4)
    assert (test["unit"], test["mase"]) == ("degC", None)
    assert test["spread"] == {"mae": pytest.approx(np.std([1, 3, 2, 6], ddof=1))}
    validation = found.metrics("validation")
    assert (validation["mae"], validation["count"]) == (6.0, 16), "validations of folds overlap: their mean"
    assert found.score("mae") == 4.0, "of the first fold: later ones validate on what earlier ones are tested on"
    assert found.score("mae", fold=1) == 8.0
    assert found.kept("mae") is found.outcomes[2], "the best on validation in the last fold"
    alone = result(fitted, trials_of(FORECAST, prepared, 1)[:1], losses[:1])
    assert alone.metrics("test") is alone.outcomes[0].test.metrics


def test_errors_stand_seed_by_seed_and_fold_after_fold(prepared: Prepared, fitted: Fitted) -> None:
    losses = [np.full(rows, error) for rows, error in ((2, 1.0), (2, 3.0), (3, 2.0), (3, 6.0))]
    found = result(fitted, trials_of(FORECAST, prepared, 2), losses)
    assert found.test_losses().tolist() == [[1, 1, 2, 2, 2], [3, 3, 6, 6, 6]]
    assert found.validation_losses(0).tolist() == [[2, 2], [6, 6]]
    assert found.validation_losses(1).tolist() == [[4, 4, 4], [12, 12, 12]]
    assert found.moments().tolist() == [50, 51, 650, 651, 652]


def test_the_skill_of_one_seed_is_that_of_its_errors(prepared: Prepared, fitted: Fitted) -> None:
    trial = trials_of(FORECAST, prepared, 1)[:1]
    model, baseline = errors(0, 1.0), errors(1, 1.2)
    reference = result(fitted, trial, [baseline], "persistence")
    skill = skill_against(result(fitted, trial, [model]), reference)
    assert skill == bootstrap_skill(model, baseline, 50 + np.arange(ROWS), 12)
    assert skill_against(reference, reference).document() == {"value": 0.0, "low": 0.0, "high": 0.0}
    folds = trials_of(FORECAST, prepared, 1)
    both = skill_against(
        result(fitted, folds, [model, model + 0.1]), result(fitted, folds, [baseline, baseline], "persistence")
    )
    assert both.value == pytest.approx(1 - (2 * model.mean() + 0.1) / (2 * baseline.mean()))


def test_seeds_that_differ_widen_the_interval(prepared: Prepared, fitted: Fitted) -> None:
    trials = trials_of(FORECAST, prepared, 4)[:4]
    model, baseline = errors(0, 1.0), errors(1, 1.2)
    reference = result(fitted, without_repeats(trials), [baseline], "persistence")
    widths = []
    for difference in (0.0, 0.02, 0.1):
        losses = [model + difference * step for step in (-1.5, -0.5, 0.5, 1.5)]
        skill = skill_against(result(fitted, trials, losses), reference)
        assert skill.value == pytest.approx(1 - model.mean() / baseline.mean())
        assert skill.low is not None
        assert skill.high is not None
        widths.append(skill.high - skill.low)
    alone = bootstrap_skill(model, baseline, np.arange(ROWS), 12)
    assert alone.low is not None
    assert alone.high is not None
    assert widths[0] == pytest.approx(alone.high - alone.low)
    assert widths[0] < widths[1] < widths[2] / 2


@given(recipes(shortest=30), st.integers(1, 12), st.booleans(), st.data())
def test_folds_tile_the_test_and_never_look_ahead(
    recipe: Recipe, folds: int, sliding: bool, data: st.DataObject
) -> None:
    table = recipe.make()
    train, validation = data.draw(st.integers(1, 8)), data.draw(st.integers(1, 8))
    test = data.draw(st.integers(folds, 14))
    spans = cut_spans(table, f"{train},{validation},{test}")
    parts = roll_spans(table, spans, folds, sliding=sliding)
    assert len(parts) == folds
    assert parts[0].borders[2] == train + validation
    assert parts[-1].borders[3] == train + validation + test
    for one, other in pairwise(parts):
        assert one.borders[3] == other.borders[2]
    for part in parts:
        first, second, third, end = part.borders
        assert 0 <= first < second < third < end
        assert third - second == validation
        assert (second - first == train) if sliding else (first == 0)
        assert (part.places == spans.places).all()
        assert (part.places[part.training_rows[:]] < second).all()
        assert part.training_rows[:].sum() == ((part.places >= first) & (part.places < second)).sum()
    sizes = [part.borders[3] - part.borders[2] for part in parts]
    assert max(sizes) - min(sizes) <= 1


def test_one_fold_is_the_cut_itself_and_the_starts_are_told() -> None:
    table = make_table(np.arange(100.0))
    spans = cut_spans(table, "24,24,48")
    assert roll_spans(table, spans, 1, sliding=True) == [spans]
    second = roll_spans(table, spans, 2, sliding=True)[1]
    assert second.borders == (24, 48, 72, 96)
    assert second.starts == ("2021-01-02 00:00", "2021-01-03 00:00", "2021-01-04 00:00", "2021-01-04 23:00")


def test_a_test_span_is_cut_into_no_more_folds_than_it_has_rows() -> None:
    table = make_table(np.arange(100.0))
    spans = cut_spans(table, "50,45,5")
    assert len(roll_spans(table, spans, 5, sliding=False)) == 5
    with pytest.raises(
        InputError, match="the test span holds 5 rows of time, which cannot be cut into 6 folds"
    ) as caught:
        roll_spans(table, spans, 6, sliding=False)
    assert caught.value.details == {"rows": 5, "folds": 6}


@pytest.mark.parametrize(
    ("train", "validation", "sentence"),
    [
        ([0.5], [0.6], "One epoch tells nothing of overfitting."),
        (
            [0.5, 0.4, 0.3, 0.2],
            [0.6, 0.5, 0.6, 0.75],
            "It overfits: after epoch 2 of 4 training fell by 50 % more, while validation rose by 50 %.",
        ),
        (
            [0.5, 0.4, 0.3],
            [0.6, 0.5, 0.4],
            (
                "No overfitting within 3 epochs: validation was best after the last one and fell by 20.0 % in the last "
                "epoch, so more of them may help."
            ),
        ),
        (
            [0.5, 0.4, 0.399],
            [0.6, 0.5, 0.499],
            "No overfitting within 3 epochs: validation was best after the last one and has come to rest.",
        ),
        (
            [0.5, 0.4, 0.4],
            [0.6, 0.5, 0.75],
            (
                "Validation was best after epoch 2 of 3 and rose by 50 % since, though training hardly fell: it is "
                "unsteady rather than overfitting."
            ),
        ),
        (
            [0.5, 0.4, 0.2],
            [0.6, 0.5, 0.505],
            "Hardly any overfitting: validation was best after epoch 2 of 3 and has stayed within 1.0 % of that.",
        ),
        (
            [0.5, 0.0, 0.0],
            [0.6, 0.0, 0.0],
            "Hardly any overfitting: validation was best after epoch 2 of 3 and has stayed within 0.0 % of that.",
        ),
    ],
)
def test_a_learning_curve_is_told_in_a_sentence(train: list[float], validation: list[float], sentence: str) -> None:
    history = [
        {"train": {"loss": one}, "validation": {"loss": other}} for one, other in zip(train, validation, strict=True)
    ]
    assert overfitting(history) == sentence


@given(st.lists(st.tuples(st.floats(0, 10), st.floats(0, 10)), min_size=1, max_size=8))
def test_every_curve_gets_a_whole_sentence(losses: list[tuple[float, float]]) -> None:
    told = overfitting([{"train": {"loss": one}, "validation": {"loss": other}} for one, other in losses])
    assert told.endswith(".")
    assert "nan" not in told
    assert all(math.isfinite(float(word)) for word in told.split() if word[0].isdigit())
