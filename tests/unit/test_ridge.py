"""Ridge regression against the normal equations, solved one by one."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretell.axes import TrainingRows
from foretell.config import WindowSection
from foretell.data.reading import read_table
from foretell.data.scaling import learn_scaling
from foretell.data.spans import cut_spans
from foretell.data.tables import Table
from foretell.data.windows import WindowShape, find_anchors
from foretell.evaluation import ridge
from foretell.evaluation.history import History
from foretell.evaluation.ridge import PENALTIES, Ridge, _affordable, _moments, _solutions

from .made_tables import make_table, shapes

NAMES = ("a", "b", "c")


def walks(rows: int, columns: int, seed: int = 0) -> np.ndarray:
    """Columns that each follow their own past in their own way."""
    generator = np.random.default_rng(seed)
    values = generator.normal(size=(rows, columns))
    for row in range(2, rows):
        values[row] += np.linspace(1.4, -0.6, columns) * values[row - 1] - 0.5 * values[row - 2]
    return values * np.linspace(1, 40, columns) + 7


def prepared(
    table: Table, shape: WindowShape, *, per_series: bool = False
) -> tuple[History, TrainingRows, dict[str, np.ndarray]]:
    spans = cut_spans(table, "0.6,0.2,0.2")
    scaling = learn_scaling(table, spans.training_rows, per_series=per_series)
    anchors = find_anchors(table, shape, spans, scaling.missing(table), 1.0)
    return History.of(table, shape, scaling), spans.training_rows, anchors.spans


def pairs(history: History, anchors: np.ndarray, target: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Each window less its last value, its targets less it, and the last value; all scaled."""
    shape, every = history.shape, np.arange(history.table.rows)
    codes = history.table.codes_of(every)
    scaled = (history.filled(every) - history.mean[codes]) / history.deviation[codes]
    scaled = scaled.astype(np.float32).astype(np.float64)[:, target]
    changes, wanted, last = [], [], []
    for anchor in anchors.tolist():
        rows = [anchor - shape.last_input - step * shape.every for step in reversed(range(shape.steps))]
        leads = [anchor + lead for lead in range(shape.leads[0], shape.leads[1] + 1)]
        changes.append(scaled[rows] - scaled[rows[-1]])
        wanted.append(scaled[leads] - scaled[rows[-1]])
        last.append(scaled[rows[-1]])
    return np.array(changes), np.array(wanted), np.array(last)


def solved(changes: list[np.ndarray], wanted: list[np.ndarray], penalty: float) -> np.ndarray:
    """Coefficients and, below them, the intercept, which no penalty holds back."""
    x, y = np.concatenate(changes)[:, :-1], np.concatenate(wanted)
    x_mean, y_mean = x.mean(axis=0), y.mean(axis=0)
    gram = (x - x_mean).T @ (x - x_mean)
    loading = penalty * np.trace(gram) / len(gram)
    slopes = np.linalg.solve(gram + loading * np.eye(len(gram)), (x - x_mean).T @ (y - y_mean))
    return np.vstack([slopes, y_mean - x_mean @ slopes])


@pytest.mark.parametrize("align", ["standard", "lecture"])
@given(data=st.data())
def test_every_penalty_solves_the_normal_equations(data: st.DataObject, align: str) -> None:
    shape = data.draw(shapes(align=align))
    columns, several = data.draw(st.integers(1, 3)), data.draw(st.booleans())
    values = walks(200, columns, data.draw(st.integers(0, 99)))
    table = make_table(values, [80, 120] if several else None, targets=NAMES[:columns])
    history, _, anchors = prepared(table, shape, per_series=several)
    train = anchors["train"]
    solutions = list(_solutions(_moments(history, history.target_windows, train)))
    if shape.steps == 1:
        assert [penalty for penalty, _ in solutions] == [0.0]
    else:
        assert [penalty for penalty, _ in solutions] == PENALTIES.tolist()
    for penalty, weights in solutions[::4]:
        assert weights.shape == (columns, shape.steps, shape.lead_count)
        for target in range(columns):
            changes, wanted, _ = pairs(history, train, target)
            if shape.steps == 1:
                np.testing.assert_allclose(weights[target, 0], wanted.mean(axis=0), atol=1e-9)
            else:
                expected = solved([changes], [wanted], penalty)
                np.testing.assert_allclose(weights[target], expected, rtol=1e-6, atol=1e-8)


def errors_of_all(
    history: History, anchors: dict[str, np.ndarray]
) -> dict[tuple[str, float], tuple[float, np.ndarray]]:
    """The validation error and coefficients of every candidate."""
    targets = range(history.deviation.shape[1])
    train = [pairs(history, anchors["train"], target) for target in targets]
    judged = [pairs(history, anchors["validation"], target) for target in targets]
    found = {}
    for penalty in PENALTIES.tolist():
        shared = solved([entry[0] for entry in train], [entry[1] for entry in train], penalty)
        own = [solved([entry[0]], [entry[1]], penalty) for entry in train]
        for name, sets in (("shared", [shared] * len(own)), ("own", own)):
            misses = [
                np.column_stack([changes[:, :-1], np.ones(len(changes))]) @ weights - wanted
                for (changes, wanted, _), weights in zip(judged, sets, strict=True)
            ]
            kept = np.array([shared]) if name == "shared" else np.array(own)
            found[name, penalty] = (float(np.square(misses).mean()), kept)
    return found


@pytest.mark.parametrize("alike", [True, False])
def test_validation_chooses_penalty_and_whether_targets_share(alike: bool) -> None:
    if alike:  # little data, one law: sharing wins
        generator = np.random.default_rng(3)
        values = np.cumsum(generator.normal(size=(160, 3)), axis=0)
    else:
        values = walks(900, 3)
    table = make_table(values, targets=NAMES)
    history, training, anchors = prepared(table, WindowShape(12, 1, (1, 3)))
    rule = Ridge().fit(history, training, anchors)
    found = errors_of_all(history, anchors)
    (name, penalty), (error, weights) = min(found.items(), key=lambda item: item[1][0])
    assert name == ("shared" if alike else "own")
    assert len(rule.weights) == (1 if alike else 3)
    np.testing.assert_allclose(rule.weights, weights, rtol=1e-6, atol=1e-8)
    told = "shared by the targets" if alike else "one set for each target"
    assert rule.note.startswith(f"penalty {penalty:.1e} ")
    assert told in rule.note
    judged = _moments(history, history.target_windows, anchors["validation"])
    assert judged.error(rule.weights) == pytest.approx(error, rel=1e-9)


def test_test_rows_choose_nothing() -> None:
    values = walks(600, 2)
    other = values.copy()
    other[480:] = 1e4
    rules = []
    for numbers in (values, other):
        history, training, anchors = prepared(make_table(numbers, targets=("a", "b")), WindowShape(8, 2, (1, 3)))
        rules.append(Ridge().fit(history, training, anchors))
    assert rules[0].weights.tobytes() == rules[1].weights.tobytes()
    assert rules[0].note == rules[1].note


@pytest.mark.parametrize("align", ["standard", "lecture"])
def test_forecasts_are_in_the_unit_of_the_data(align: str) -> None:
    table = make_table(walks(400, 2), [150, 250], targets=("b", "a"))
    leads = (2, 2) if align == "lecture" else (1, 4)
    shape = WindowShape(6, 2, leads, "lecture" if align == "lecture" else "standard")
    history, training, anchors = prepared(table, shape, per_series=True)
    rule = Ridge().fit(history, training, anchors)
    test = anchors["test"]
    forecasts = rule.predict(history, test)
    for target in range(2):
        changes, _, last = pairs(history, test, target)
        weights = rule.weights[target % len(rule.weights)]
        scaled = last[:, None] + changes[:, :-1] @ weights[:-1] + weights[-1]
        codes = table.codes[test]
        expected = scaled * history.deviation[codes, target][:, None] + history.mean[codes, target][:, None]
        np.testing.assert_allclose(forecasts[:, :, target], expected, rtol=1e-9)
    assert rule.rows_needed(history) == shape.rows_to_predict


def test_a_steady_climb_is_forecast_exactly_since_the_intercept_goes_free() -> None:
    table = make_table(3 + 5.0 * np.arange(400))
    history, training, anchors = prepared(table, WindowShape(6, 1, (1, 9)))
    rule = Ridge().fit(history, training, anchors)
    test = anchors["test"]
    np.testing.assert_allclose(rule.predict(history, test), history.truths(test), rtol=1e-5)
    moments = _moments(history, history.target_windows, anchors["train"])
    step = 5.0 / history.deviation[0, 0]
    for _, weights in _solutions(moments):
        forecast = weights[0, -1] + (step * np.arange(-5, 0)) @ weights[0, :-1]
        np.testing.assert_allclose(forecast, step * np.arange(1, 10), rtol=1e-3)


def test_a_window_of_one_row_learns_the_mean_change() -> None:
    table = make_table(walks(300, 1))
    history, training, anchors = prepared(table, WindowShape(1, 1, (1, 2)))
    rule = Ridge().fit(history, training, anchors)
    _, wanted, _ = pairs(history, anchors["train"], 0)
    np.testing.assert_allclose(rule.weights[0, 0], wanted.mean(axis=0), atol=1e-9)


def test_missing_values_are_filled_in_inputs_and_never_in_targets() -> None:
    values = walks(600, 2)
    values[np.random.default_rng(0).random((600, 2)) < 0.05] = np.nan
    history, training, anchors = prepared(make_table(values, targets=("a", "b")), WindowShape(6, 1, (1, 2)))
    rule = Ridge().fit(history, training, anchors)
    assert np.isfinite(rule.weights).all()
    assert np.isfinite(rule.predict(history, anchors["test"])).all()


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    table = make_table(walks(500, 2), targets=("a", "b"))
    history, training, anchors = prepared(table, WindowShape(8, 1, (1, 3)))
    whole = Ridge().fit(history, training, anchors)
    monkeypatch.setattr(ridge, "_CHUNK_VALUES", 37 * 8 * 2)
    parts = Ridge().fit(history, training, anchors)
    np.testing.assert_allclose(parts.weights, whole.weights, rtol=1e-7, atol=1e-10)
    np.testing.assert_allclose(
        parts.predict(history, anchors["test"]), whole.predict(history, anchors["test"]), rtol=1e-7
    )


def test_too_much_work_is_done_on_evenly_spread_windows_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    anchors = np.arange(1000)
    assert len(_affordable(anchors, 100)) == 1000
    monkeypatch.setattr(ridge, "MOST_WORK", 64 * 100.0)
    taken = _affordable(anchors, 8)
    assert len(taken) == 100
    assert (taken // 10 == np.arange(100)).all()  # one of each tenth
    history, training, spans = prepared(make_table(walks(500, 1)), WindowShape(8, 1, (1, 3)))
    assert "fitted on 100 evenly spread windows" in Ridge().fit(history, training, spans).note


def test_a_rule_restored_from_its_state_forecasts_the_same() -> None:
    history, training, anchors = prepared(make_table(walks(400, 3), targets=NAMES), WindowShape(6, 1, (1, 3)))
    rule = Ridge().fit(history, training, anchors)
    restored = Ridge.restore(*rule.state())
    np.testing.assert_array_equal(restored.predict(history, anchors["test"]), rule.predict(history, anchors["test"]))
    assert restored.note == rule.note


def test_etth1_alone_reaches_what_the_design_says(shared_data: Path) -> None:
    table = read_table(shared_data / "forecast" / "ETTh1.csv", target=("all",))
    shape = WindowShape.resolve(WindowSection(lookback="336", ahead="1:96"), table.frequency)
    spans = cut_spans(table, "8640,2880,2880")
    scaling = learn_scaling(table, spans.training_rows)
    anchors = find_anchors(table, shape, spans, scaling.missing(table), 0.5).spans
    history = History.of(table, shape, scaling)
    rule = Ridge().fit(history, spans.training_rows, anchors)
    test = anchors["test"]
    assert len(test) == 2785
    errors = (rule.predict(history, test) - history.truths(test)) / history.deviation[0]
    assert np.square(errors).mean() <= 0.370
    assert np.abs(errors).mean() <= 0.392
