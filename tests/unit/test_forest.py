"""Boosted trees as arrays: LightGBM's own answers to the last bit, whichever way one walks, and nothing damaged gets in."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jaxtyping
import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import foretell as ft
from foretell import nn
from foretell.nn import forest as module
from foretell.nn.forest import Forest, forest_of, walk_slowly

FEATURES = 5
Arrays = dict[str, np.ndarray]


def made_rows(count: int, seed: int = 0, missing: float = 0.2) -> np.ndarray:
    """Rows of which some numbers are missing, or zero, or stand for several rows."""
    generator = np.random.default_rng(seed)
    rows = generator.normal(size=(count, FEATURES)).astype(np.float32)
    rows[:, 1] = generator.integers(-2, 3, count)
    rows[generator.random(rows.shape) < 0.1] = 0.0
    rows[generator.random(rows.shape) < missing] = np.nan
    return rows


def made_trees(**options: Any) -> Any:
    """A small model of LightGBM's."""
    lightgbm = pytest.importorskip("lightgbm")
    complete = options.pop("complete", False)
    rows = made_rows(1500, missing=0.0 if complete else 0.2)
    filled = np.nan_to_num(rows, nan=-1.0)
    answers = filled[:, 0] + np.sin(3 * filled[:, 1]) * filled[:, 2] + 0.1 * np.isnan(rows).sum(1)
    parameters = {"objective": "l2", "num_leaves": 15, "verbosity": -1, "num_threads": 1, "seed": 3, **options}
    return lightgbm.train(parameters, lightgbm.Dataset(rows, answers.astype(np.float32)), 25)


MODELS: dict[str, dict[str, Any]] = {
    "l2": {},
    "l1": {"objective": "l1"},
    "complete when it learned": {"complete": True},
    "missing is not learned": {"use_missing": False},
    "stumps": {"num_leaves": 2},
    "one feature of many": {"feature_fraction": 0.2, "bagging_fraction": 0.5, "bagging_freq": 1},
    "without a split": {"min_data_in_leaf": 1000},
    "without a split, l1": {"min_data_in_leaf": 1000, "objective": "l1"},
    "some trees without a split": {"min_gain_to_split": 12.0, "learning_rate": 0.5},
}


@pytest.mark.parametrize("options", MODELS.values(), ids=MODELS)
def test_a_forest_says_what_lightgbm_says(options: dict[str, Any]) -> None:
    booster = made_trees(**options)
    forest = forest_of(booster.model_to_string())
    rows = made_rows(3000, seed=1)
    rows[:4] = [[np.nan] * FEATURES, [np.inf] * FEATURES, [-np.inf] * FEATURES, [0.0] * FEATURES]
    expected = booster.predict(rows.astype(np.float64))
    assert len(forest.size) == booster.num_trees()
    assert forest.predict(rows).tobytes() == expected.tobytes()
    assert walk_slowly(forest, rows).tobytes() == expected.tobytes()


def test_models_without_a_split_are_meant_so() -> None:
    assert (forest_of(made_trees(**MODELS["without a split"]).model_to_string()).size == 1).all()
    some = forest_of(made_trees(**MODELS["some trees without a split"]).model_to_string()).size
    assert some.max() > 1


def test_numbers_at_a_threshold_go_left_as_in_lightgbm() -> None:
    """But for those of at most 1e-35, which LightGBM takes for zero."""
    booster = made_trees()
    forest = forest_of(booster.model_to_string())
    rows = np.repeat(made_rows(1, missing=0.0), 3 * forest.threshold.size, 0)
    for node, (feature, threshold) in enumerate(zip(forest.feature, forest.threshold, strict=True)):
        near = np.float32(threshold if abs(threshold) > 1e-30 else 0)
        rows[3 * node : 3 * node + 3, feature] = [np.nextafter(near, -np.inf), near, np.nextafter(near, np.inf)]
    assert forest.predict(rows).tobytes() == booster.predict(rows.astype(np.float64)).tobytes()


def test_fewer_trees_can_be_kept() -> None:
    booster, rows = made_trees(), made_rows(200, seed=2)
    forest = forest_of(booster.model_to_string(num_iteration=7))
    assert len(forest.size) == 7
    assert forest.predict(rows).tobytes() == booster.predict(rows.astype(np.float64), num_iteration=7).tobytes()


def random_tree(generator: np.random.Generator, leaves: int) -> Arrays:
    """A tree that grew by splitting a leaf, any of them, again and again."""
    left, right = np.empty(leaves - 1, np.int32), np.empty(leaves - 1, np.int32)
    places: list[tuple[np.ndarray, int]] = []  # where each leaf hangs
    for node in range(leaves - 1):
        if places:
            side, parent = places.pop(generator.integers(len(places)))
            side[parent] = node
        places += [(left, node), (right, node)]
    for leaf, number in enumerate(generator.permutation(leaves)):
        if places:
            side, parent = places[number]
            side[parent] = -leaf - 1
    return {
        "size": np.array([leaves], np.int32),
        "feature": generator.integers(0, FEATURES, leaves - 1).astype(np.int32),
        "threshold": generator.normal(size=leaves - 1).round(1),
        "missing_left": generator.random(leaves - 1) < 0.5,
        "left": left,
        "right": right,
        "value": generator.normal(size=leaves),
    }


def random_arrays(seed: int, leaves: list[int]) -> Arrays:
    generator = np.random.default_rng(seed)
    trees = [random_tree(generator, count) for count in leaves]
    return {name: np.concatenate([tree[name] for tree in trees]) for name in trees[0]}


def plain_walk(forest: Forest, row: np.ndarray) -> float:
    """One row down one tree after the other."""
    total, node, leaf = 0.0, 0, 0
    for size in forest.size.tolist():
        place = 0 if size > 1 else -1
        while place >= 0:
            number, at = float(row[forest.feature[node + place]]), node + place
            left = bool(forest.missing_left[at]) if np.isnan(number) else number <= forest.threshold[at]
            place = int(forest.left[at] if left else forest.right[at])
        total += float(forest.value[leaf - place - 1])
        node, leaf = node + size - 1, leaf + size
    return total


@given(seed=st.integers(0, 2**32), leaves=st.lists(st.integers(1, 12), min_size=1, max_size=8))
def test_every_way_down_gives_the_same(seed: int, leaves: list[int]) -> None:
    forest = Forest.restore(random_arrays(seed, leaves), FEATURES)
    rows = made_rows(40, seed)
    expected = np.array([plain_walk(forest, row) for row in rows])
    assert walk_slowly(forest, rows).tobytes() == expected.tobytes()
    assert forest.predict(rows).tobytes() == expected.tobytes()


@pytest.mark.parametrize("count", [0, 1, 255, 256, 257, 4096, 4097, 20_000])
def test_any_number_of_threads_gives_the_same(count: int) -> None:
    forest, rows = Forest.restore(random_arrays(1, [31, 1, 7, 31]), FEATURES), made_rows(count)
    expected = walk_slowly(forest, rows).tobytes()
    for threads in (0, 1, 2, 3, 7):
        with nn.kernel_threads(threads):
            assert forest.predict(rows).tobytes() == expected


def test_rows_may_lie_in_memory_in_any_order() -> None:
    forest, rows = Forest.restore(random_arrays(2, [31, 7]), FEATURES), made_rows(300)
    expected = forest.predict(rows).tobytes()
    assert forest.predict(np.asfortranarray(rows)).tobytes() == expected
    assert forest.predict(np.repeat(rows, 2, 0)[::2]).tobytes() == expected
    rows.flags.writeable = False  # as columns of Arrow and Polars are
    assert forest.predict(rows).tobytes() == expected


def test_without_numba_the_answers_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    forest, rows = Forest.restore(random_arrays(3, [31, 7]), FEATURES), made_rows(300)
    expected = forest.predict(rows).tobytes()
    monkeypatch.setattr(module, "numba_problem", lambda: "numba is not installed")
    assert forest.predict(rows).tobytes() == expected


def test_a_forest_that_is_stored_is_the_same() -> None:
    forest = forest_of(made_trees(**MODELS["complete when it learned"]).model_to_string())
    restored = Forest.restore({name: array.copy() for name, array in forest.arrays().items()}, FEATURES)
    for name, array in forest.arrays().items():
        assert restored.arrays()[name].dtype == array.dtype, name
        assert restored.arrays()[name].tobytes() == array.tobytes(), name
    rows = made_rows(300)
    assert restored.predict(rows).tobytes() == forest.predict(rows).tobytes()


@pytest.mark.parametrize("name", list(MODELS))
def test_whatever_lightgbm_grows_can_be_restored(name: str) -> None:
    forest = forest_of(made_trees(**MODELS[name]).model_to_string())
    Forest.restore(forest.arrays(), FEATURES)


def test_trees_that_ask_whether_a_number_is_there_are_loaded(tmp_path: Path) -> None:
    """A window shorter than a day knows the value of the day before for some leads alone; and it matters which."""
    pytest.importorskip("lightgbm")
    hours = np.arange(500)
    times = pl.datetime_range(pl.datetime(2021, 1, 1), pl.datetime(2021, 12, 31), "1h", eager=True).head(len(hours))
    frame = pl.DataFrame({"time": times, "y": 40 * hours + np.random.default_rng(0).normal(0, 20, len(hours))})
    forecaster = ft.Forecaster("boosted-trees", "y", lookback=12, ahead="1:24", trees=30).fit(frame)
    expected = forecaster.predict(frame)
    found = ft.load(forecaster.save(tmp_path / "model")).predict(frame)
    assert found.equals(expected)


# Two trees: a root whose left child is an inner node, with three leaves; a root with two leaves.
WHOLE: Arrays = {
    "size": np.array([3, 2], np.int32),
    "feature": np.array([0, 4, 2], np.int32),
    "threshold": np.array([0.5, -0.5, 0.0]),
    "missing_left": np.array([True, False, True]),
    "left": np.array([1, -1, -1], np.int32),
    "right": np.array([-3, -2, -2], np.int32),
    "value": np.array([1.0, 2.0, 3.0, 10.0, 20.0]),
}
ORDER, PARENT, COUNT = "a child stands after its parent, in the same tree", "one parent", "leaves have"


def put(**changes: Any) -> Arrays:
    """The trees with other arrays."""
    return WHOLE | {name: np.asarray(values) for name, values in changes.items()}


DAMAGED: dict[str, tuple[Arrays, str]] = {
    "a node that is its own child": (put(left=[0, -1, -1]), ORDER),
    "children in a circle": (put(left=[1, 0, -1]), ORDER),
    "a child in another tree": (put(left=[2, -1, -1]), ORDER),
    "a child beyond all trees": (put(left=[1, -1, 1000]), ORDER),
    "a leaf of another tree": (put(right=[-3, -2, -3]), ORDER),
    "a leaf beyond all trees": (put(right=[-1000, -2, -2]), ORDER),
    "the smallest number for a child": (put(right=[-3, -2, np.iinfo(np.int32).min]), "a row of int32"),
    "a leaf with two parents": (put(right=[-1, -2, -2]), PARENT),
    "a node without a parent": (put(left=[-3, -1, -1]), PARENT),
    "both children the same leaf": (put(right=[-3, -2, -1]), PARENT),
    "a feature that rows do not have": (put(feature=[0, FEATURES, 2]), "one of 5 numbers"),
    "a feature below zero": (put(feature=[0, -1, 2]), "one of 5 numbers"),
    "a threshold that is no number": (put(threshold=[0.5, np.nan, 0.0]), "finite"),
    "a leaf that is no number": (put(value=[1.0, 2.0, 3.0, 10.0, np.nan]), "finite"),
    "a tree of no leaves": (put(size=[5, 0]), "every tree has a leaf"),
    "a tree of fewer than no leaves": (put(size=[6, -1]), "every tree has a leaf"),
    "a tree too many": (put(size=[3, 2, 1]), COUNT),
    "a tree too few": (put(size=[3]), COUNT),
    "trees of more leaves than there is memory for": (put(size=[2**31 - 1, 2]), COUNT),
    "other sizes": (put(size=[2, 3]), ORDER),
    "a feature too few": (put(feature=[0, 4]), COUNT),
    "a threshold too many": (put(threshold=[0.5, -0.5, 0.0, 1.0]), COUNT),
    "a left child too few": (put(left=[1, -1]), COUNT),
    "a right child too many": (put(right=[-3, -2, -2, -1]), COUNT),
    "a word on missing numbers too few": (put(missing_left=[True, False]), COUNT),
    "a leaf too few": (put(value=[1.0, 2.0, 3.0, 10.0]), COUNT),
    "nodes in a table": (put(left=[[1, -1, -1]]), "a row of int32"),
    "words for leaves": (put(value=["a", "b", "c", "d", "e"]), "a row of float64"),
}


@pytest.fixture
def as_users() -> Iterator[None]:
    """Without the checks of types and shapes that the tests add: what a user is told."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.mark.usefixtures("as_users")
@pytest.mark.parametrize(("arrays", "rule"), DAMAGED.values(), ids=DAMAGED)
def test_damaged_trees_are_refused(arrays: Arrays, rule: str) -> None:
    assert Forest.restore(WHOLE, FEATURES).predict(np.zeros((1, FEATURES), np.float32)).tolist() == [12]
    with pytest.raises(ValueError, match=rule):
        Forest.restore(arrays, FEATURES)


@pytest.mark.usefixtures("as_users")
@pytest.mark.parametrize(
    "arrays",
    [put(size=[[3], [2]]), put(size=[3.0, np.nan]), put(left=[1.0, -1.5, -1.0]), put(feature=[2**32, 4, 2])],
    ids=["sizes in a column", "sizes that are no number", "children that are not whole", "features beyond 32 bits"],
)
def test_arrays_of_another_kind_are_refused_likewise(arrays: Arrays) -> None:
    with pytest.raises(ValueError, match=r"."):
        Forest.restore(arrays, FEATURES)


@pytest.mark.usefixtures("as_users")
@given(data=st.data())
def test_trees_that_are_let_in_can_be_walked_to_the_end(data: st.DataObject) -> None:
    """Whatever numbers stand for the children: refused, or every walk ends in a leaf of its own tree."""
    children = st.lists(st.integers(-4, 4), min_size=3, max_size=3)
    arrays = put(left=data.draw(children), right=data.draw(children))
    try:
        forest = Forest.restore(arrays, FEATURES)
    except ValueError:
        return
    rows = made_rows(20)
    found = forest.predict(rows)
    assert found.tobytes() == np.array([plain_walk(forest, row) for row in rows]).tobytes()
    assert set(found) <= {one + two for one in (1.0, 2.0, 3.0) for two in (10.0, 20.0)}


@pytest.mark.parametrize("missing", WHOLE)
def test_an_array_that_is_not_there_is_missed(missing: str) -> None:
    with pytest.raises(KeyError, match=missing):
        Forest.restore({name: array for name, array in WHOLE.items() if name != missing}, FEATURES)
