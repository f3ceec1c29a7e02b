"""Which windows there are and what they hold, against plain loops; the lectures' windows against their own listing."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import assume, given, reject
from hypothesis import strategies as st

from foretell.config import WindowSection
from foretell.data.frequency import Frequency
from foretell.data.lecture import lecture_anchors
from foretell.data.reading import read_table
from foretell.data.scaling import learn_scaling
from foretell.data.spans import SPAN_NAMES, Spans, cut_spans
from foretell.data.tables import Table
from foretell.data.windows import (
    Anchors,
    Windows,
    WindowShape,
    find_anchors,
    grouped_places,
    missing_share,
    possible_anchors,
    target_rows,
)
from foretell.errors import ConfigurationError, DataError

from .made_tables import HOUR, HOURLY, Recipe, make_table, recipes, series_of, shapes

LIMITS = st.sampled_from([0.0, 0.25, 1 / 3, 0.5, 1.0])
TEN_MINUTES = Frequency("microsecond", HOUR // 6)


def input_rows(anchor: int, shape: WindowShape) -> list[int]:
    """The rows of the design, word for word."""
    lookback, every = shape.lookback, shape.every
    if shape.align == "lecture":
        return list(range(anchor - lookback, anchor, every))
    steps = lookback // every
    return [anchor - (steps - 1 - step) * every for step in range(steps)]


def naive_anchors(table: Table, shape: WindowShape, ahead: int) -> list[int]:
    """Every row whose inputs and targets lie inside its series."""
    return [
        row
        for rows in series_of(table)
        for row in rows
        if input_rows(row, shape)[0] >= rows.start and row + ahead < rows.stop
    ]


@pytest.mark.parametrize("align", ["standard", "lecture"])
@given(data=st.data())
def test_windows_hold_what_a_plain_loop_finds(data: st.DataObject, align: str) -> None:
    recipe = data.draw(recipes(shortest=1, longest=50))
    shape = data.draw(shapes(align=align))
    table = recipe.make()
    generator = np.random.default_rng(recipe.seed)
    inputs = generator.normal(size=(table.rows, recipe.width)).astype(np.float32)
    targets = generator.normal(size=(table.rows, recipe.targets)).astype(np.float32)
    expected = naive_anchors(table, shape, shape.leads[1])
    if not expected:
        with pytest.raises(DataError, match=f"one window needs {shape.rows_to_train}"):
            possible_anchors(table, shape, shape.leads[1])
        return
    anchors = possible_anchors(table, shape, shape.leads[1])
    assert anchors.tolist() == expected
    anchors = generator.permutation(anchors)
    windows = Windows(inputs, targets, shape, table.starts)
    gathered, wanted = windows.inputs_at(anchors).numpy(), windows.targets_at(anchors).numpy()
    assert gathered.shape == (len(anchors), shape.steps, recipe.width)
    assert wanted.shape == (len(anchors), shape.lead_count, recipe.targets)
    for number, anchor in enumerate(anchors.tolist()):
        np.testing.assert_array_equal(gathered[number], inputs[input_rows(anchor, shape)])
        leads = range(shape.leads[0], shape.leads[1] + 1)
        np.testing.assert_array_equal(wanted[number], targets[[anchor + lead for lead in leads]])


@given(recipes(shortest=1, longest=40), shapes())
def test_a_given_tensor_is_filled_with_the_same(recipe: Recipe, shape: WindowShape) -> None:
    table = recipe.make()
    assume(naive_anchors(table, shape, 0))
    inputs = np.random.default_rng(0).normal(size=(table.rows, 2)).astype(np.float32)
    windows = Windows(inputs, inputs[:, :1].copy(), shape, table.starts)
    anchors = possible_anchors(table, shape, 0)
    new = windows.inputs_at(anchors)
    out = torch.full_like(new, -7.0)
    same = windows.inputs_at(anchors, out)
    assert same.data_ptr() == out.data_ptr()
    assert torch.equal(out, new)
    half = windows.inputs_at(anchors[: len(anchors) // 2 + 1], out[: len(anchors) // 2 + 1])
    assert torch.equal(half, new[: len(half)])


@given(st.lists(st.integers(0, 20), min_size=1, max_size=4), st.integers(1, 7))
def test_grouping_is_a_permutation_that_makes_windows_contiguous(lengths: list[int], every: int) -> None:
    starts = np.concatenate([[0], np.cumsum(lengths)])
    places = grouped_places(starts, every)
    if places is None:
        assert every == 1
        return
    assert sorted(places.tolist()) == list(range(starts[-1]))
    for start, length in zip(starts, lengths, strict=False):
        for row in range(start, start + length - every):
            assert places[row + every] == places[row] + 1


def naive_spans(
    table: Table, shape: WindowShape, spans: Spans, missing: np.ndarray, limit: float
) -> tuple[dict[str, list[int]], dict[str, int]]:
    """Each window in the span in which all its targets lie; what is dropped, and why."""
    kept: dict[str, list[int]] = {name: [] for name in SPAN_NAMES}
    dropped = {"border": 0, "target_missing": 0, "inputs_missing": 0, "outside_spans": 0}
    observed = table.take(table.targets)
    for anchor in naive_anchors(table, shape, shape.leads[1]):
        rows = [anchor + lead for lead in range(shape.leads[0], shape.leads[1] + 1)]
        found = {
            sum(int(spans.places[row]) >= border for border in spans.borders[1:]) for row in rows
        }  # 0 train, 1 validation, 2 test, 3 after it
        inputs = missing[input_rows(anchor, shape)]
        if 3 in found:
            dropped["outside_spans"] += 1
        elif len(found) > 1:
            dropped["border"] += 1
        elif np.isnan(observed[rows]).any():
            dropped["target_missing"] += 1
        elif int(inputs.sum()) / inputs.size > limit:
            dropped["inputs_missing"] += 1
        else:
            kept[SPAN_NAMES[found.pop()]].append(anchor)
    return kept, dropped


@given(recipes(), shapes(), st.sampled_from(["0.5,0.25,0.25", "0.4,0.2,0.2", "14,3,rest"]), LIMITS)
def test_a_window_belongs_to_the_span_in_which_all_its_targets_lie(
    recipe: Recipe, shape: WindowShape, text: str, limit: float
) -> None:
    table = recipe.make()
    spans = cut_spans(table, text)
    missing = np.isnan(table.values)
    kept, dropped = naive_spans(table, shape, spans, missing, limit)
    if not all(kept.values()):
        with pytest.raises(DataError, match=r"has no window|one window needs"):
            find_anchors(table, shape, spans, missing, limit)
        return
    found = find_anchors(table, shape, spans, missing, limit)
    assert {name: anchors.tolist() for name, anchors in found.spans.items()} == kept
    assert found.dropped == dropped
    assert found.counts == {name: len(anchors) for name, anchors in kept.items()}
    possible = possible_anchors(table, shape, shape.leads[1])
    assert sum(found.counts.values()) + sum(found.dropped.values()) == len(possible)


@given(recipes(), shapes(), st.integers(0, 2**32 - 1))
def test_no_target_of_training_is_a_target_of_validation_or_test(recipe: Recipe, shape: WindowShape, seed: int) -> None:
    table = recipe.make()
    spans = cut_spans(table, "0.5,0.25,0.25")
    try:
        found = find_anchors(table, shape, spans, np.isnan(table.values), 1.0)
    except DataError:
        reject()
    latest, earliest = [], []
    for name in SPAN_NAMES:
        times = table.times[target_rows(found.spans[name], shape)]
        latest.append(times.max())
        earliest.append(times.min())
    assert latest[0] < earliest[1]
    assert latest[1] < earliest[2]
    assert earliest[1] >= table.times.min() + spans.borders[1] * HOUR


def test_windows_at_borders_with_missing_targets_and_with_missing_inputs_are_counted() -> None:
    values = np.column_stack([np.arange(100.0), np.arange(100.0)])
    values[20, 0] = np.nan  # one target, forecast by three windows
    values[30:36, 1] = np.nan  # half of the inputs of the windows that lie within
    table = make_table(values)
    shape = WindowShape(4, 1, (2, 4))
    found = find_anchors(table, shape, cut_spans(table, "60,20,rest"), np.isnan(values), 0.49)
    # Inputs may reach back over a border: the first validation window forecasts rows 60 to 62 from rows 55 to 58.
    assert found.spans["train"][0] == 3
    assert found.spans["train"][-1] == 55
    assert found.spans["validation"].tolist() == list(range(58, 76))
    assert found.spans["test"].tolist() == list(range(78, 96))
    assert found.dropped == {"border": 4, "target_missing": 3, "inputs_missing": 3, "outside_spans": 0}
    assert not {16, 17, 18, 33, 34, 35} & set(found.spans["train"].tolist())
    assert sum(found.counts.values()) + sum(found.dropped.values()) == 100 - 3 - 4


@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(1, 6), st.integers(1, 4))
def test_the_share_of_missing_inputs_is_exact(seed: int, width: int, steps: int, every: int) -> None:
    generator = np.random.default_rng(seed)
    missing = generator.random((90, width)) < 0.4
    table = make_table(generator.normal(size=(90, width)), [50, 40])
    shape = WindowShape(steps * every, every, (1, 1))
    anchors = possible_anchors(table, shape, 1)
    exact = [int(missing[input_rows(anchor, shape)].sum()) / (steps * width) for anchor in anchors.tolist()]
    assert missing_share(table, shape, anchors, missing).tolist() == exact


def test_no_window_is_dropped_for_missing_inputs_where_all_may_be_missing() -> None:
    generator = np.random.default_rng(0)
    values = generator.normal(size=(400, 4))
    values[generator.random((400, 4)) < 0.5] = np.nan
    values[50:90, 1:] = values[300:340, 1:] = np.nan
    values[:, 0] = np.arange(400)
    table = make_table(values)
    found = find_anchors(table, WindowShape(3, 1, (1, 1)), cut_spans(table, "200,100,rest"), np.isnan(values), 1.0)
    assert found.dropped["inputs_missing"] == 0
    others = np.isnan(values[:, 1:])
    found = find_anchors(table, WindowShape(3, 1, (1, 1)), cut_spans(table, "200,100,rest"), others, 1.0)
    assert found.dropped["inputs_missing"] == 0


def test_windows_never_cross_series() -> None:
    table = make_table(np.arange(60.0), [20, 25, 15])
    shape = WindowShape(6, 2, (1, 3))
    inputs = table.codes[:, None].astype(np.float32)
    windows = Windows(inputs, inputs.copy(), shape, table.starts)
    anchors = possible_anchors(table, shape, 3)
    own = torch.from_numpy(table.codes[anchors])[:, None, None].float()
    assert (windows.inputs_at(anchors) == own).all()
    assert (windows.targets_at(anchors) == own).all()
    assert len(anchors) == (20 - 7) + (25 - 7) + (15 - 7)


def test_too_short_spans_and_tables_say_what_is_needed() -> None:
    table = make_table(np.arange(100.0))
    shape = WindowShape(48, 1, (1, 24))
    with pytest.raises(DataError, match=r"one window needs 172 \(lookback 48, ahead 124, frequency 1h\)") as caught:
        find_anchors(
            table, WindowShape(48, 1, (1, 124)), cut_spans(table, "0.7,0.15,0.15"), np.zeros((100, 1), bool), 1.0
        )
    assert caught.value.details == {"file": "a made table", "rows": 100, "needed": 172}
    with pytest.raises(DataError, match=r"the validation span has no window: it holds 15 rows.*with 24") as caught:
        find_anchors(table, shape, cut_spans(table, "0.75,0.15,0.1"), np.zeros((100, 1), bool), 1.0)
    assert caught.value.details["span"] == "validation"


@pytest.mark.parametrize(
    ("lookback", "every", "ahead", "shape"),
    [
        ("10d", "1h", "24h", WindowShape(1440, 6, (144, 144))),
        ("1440", "6", "1:144", WindowShape(1440, 6, (1, 144))),
        ("1h", "10min", "10min:1h", WindowShape(6, 1, (1, 6))),
        ("12", "12", "3", WindowShape(12, 12, (3, 3))),
    ],
)
def test_durations_and_rows_make_the_same_windows(lookback: str, every: str, ahead: str, shape: WindowShape) -> None:
    assert WindowShape.resolve(WindowSection(lookback=lookback, every=every, ahead=ahead), TEN_MINUTES) == shape


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"lookback": "100", "every": "6"}, r"100 \(100 rows\) and 6 \(6 rows\); the nearest lookback is 102 rows"),
        ({"lookback": "25h", "every": "1d"}, "the nearest lookback is 144 rows"),
        ({"lookback": "2", "every": "6"}, "the nearest lookback is 6 rows"),
        ({"lookback": "0"}, "lookback must be at least one row; found 0"),
        ({"every": "-1"}, "every must be at least one row; found -1"),
        ({"every": "0h"}, "every must be at least one row; found 0"),
        ({"ahead": "0"}, "ahead must be at least one row"),
        ({"ahead": "-3"}, "ahead must be at least one row"),
        ({"ahead": "0:5"}, "ahead must be at least one row"),
        ({"ahead": "24:1"}, "a range must rise"),
        ({"ahead": ":"}, "ahead is one value"),
        ({"ahead": "1:2:3"}, "ahead is one value"),
        ({"ahead": "soon"}, "neither a duration"),
        ({"ahead": "15min"}, "ahead 15min is no multiple of the rows' frequency, 10min; the nearest is 2 rows"),
        ({"lookback": "1mo"}, "cannot be counted"),
        ({"ahead": "1:5", "align": "lecture"}, "knows one lead"),
    ],
)
def test_a_window_that_cannot_be_is_a_wrong_configuration(options: dict[str, object], told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        WindowShape.resolve(WindowSection.model_validate(options), TEN_MINUTES)


def test_the_nearest_lookback_is_accepted() -> None:
    for lookback in range(1, 40):
        for every in range(1, 9):
            try:
                WindowShape.resolve(WindowSection(lookback=str(lookback), every=str(every)), HOURLY)
            except ConfigurationError as error:
                near = error.details["nearest"]
                assert isinstance(near, int)
                assert WindowShape.resolve(WindowSection(lookback=str(near), every=str(every)), HOURLY).lookback == near
                assert abs(near - lookback) <= max(every / 2, every - lookback)


@pytest.mark.parametrize("every", [1, 6])
def test_memory_grows_with_the_batch_and_not_with_the_table(every: int) -> None:
    rows, width, steps = 200_000, 8, 240
    inputs = np.zeros((rows, width), np.float32)
    windows = Windows(inputs, inputs[:, :1].copy(), WindowShape(steps * every, every, (1, 1)), np.array([0, rows]))
    view = windows._view
    assert view.untyped_storage().nbytes() == rows * width * 4
    assert view.shape[0] * view.shape[1] * width * 4 > 1_500_000_000  # what all windows would take
    anchors = np.arange(steps * every, steps * every + 128)
    with torch.autograd.profiler.profile(profile_memory=True) as record:
        windows.inputs_at(anchors)
    taken = sum(max(event.self_cpu_memory_usage, 0) for event in record.function_events)
    assert 128 * steps * width * 4 <= taken < 2 * 128 * steps * width * 4


def listing(  # the decks' generator, without the data that it copies
    length: int, lookback: int, delay: int, min_index: int, max_index: int | None, batch_size: int = 128
) -> Iterator[np.ndarray]:
    if max_index is None:
        max_index = length - delay - 1
    i = min_index + lookback
    while 1:
        if i + batch_size >= max_index:
            i = min_index + lookback
        rows = np.arange(i, min(i + batch_size, max_index))
        i += len(rows)
        yield rows


def listing_of_samples(
    data: np.ndarray, lookback: int, rows: np.ndarray, delay: int, step: int
) -> tuple[np.ndarray, np.ndarray]:
    """The rest of the decks' generator: what it copies for the rows of a batch."""
    samples = np.zeros((len(rows), lookback // step, data.shape[-1]))
    targets = np.zeros((len(rows),))
    for j in range(len(rows)):
        indices = range(rows[j] - lookback, rows[j], step)
        samples[j] = data[indices]
        targets[j] = data[rows[j] + delay][1]
    return samples, targets


def drawn(generator: Iterator[np.ndarray], steps: int) -> np.ndarray:
    return np.concatenate([next(generator) for _ in range(steps)])


def lectured(table: Table, shape: WindowShape, text: str, batch_size: int) -> Anchors:
    return lecture_anchors(table, shape, cut_spans(table, text, as_they_come=True), batch_size)


def test_the_lectures_windows_are_the_listings() -> None:
    length, lookback, step, delay, batch_size = 420_551, 1440, 6, 144, 128
    table = make_table(np.arange(float(length)), frequency=TEN_MINUTES)
    shape = WindowShape.resolve(WindowSection(lookback="10d", every="1h", ahead="24h", align="lecture"), TEN_MINUTES)
    assert shape == WindowShape(lookback, step, (delay, delay), "lecture")
    found = lectured(table, shape, "200000,100000,rest", batch_size)
    val_steps = (300_000 - 200_001 - lookback) // batch_size
    test_steps = (length - 300_001 - lookback) // batch_size
    assert (val_steps, test_steps) == (769, 930)
    assert found.counts == {"train": 198_416, "validation": 769 * 128, "test": 930 * 128}
    validation = drawn(listing(length, lookback, delay, 200_001, 300_000), val_steps)
    test = drawn(listing(length, lookback, delay, 300_001, None), test_steps)
    np.testing.assert_array_equal(found.spans["validation"], validation)
    np.testing.assert_array_equal(found.spans["test"], test)
    # The timeline slide: 1-based anchors 1,441 to 199,856; the last target is the last row of training.
    np.testing.assert_array_equal(found.spans["train"], np.arange(1440, 199_856))
    assert found.spans["train"][-1] + delay == 199_999
    assert found.spans["train"][0] - lookback == 0
    # The documented exception: the last validation targets reach over the border.
    assert 300_000 <= found.spans["validation"].max() + delay <= 300_000 + delay
    assert (test + delay).max() < length


@given(st.integers(1, 3), st.integers(1, 4), st.integers(1, 5), st.integers(1, 9), st.integers(120, 300))
def test_the_lectures_samples_and_targets_are_the_listings(
    step: int, steps: int, delay: int, batch_size: int, length: int
) -> None:
    lookback = step * steps
    data = np.random.default_rng(length).normal(size=(length, 3)).astype(np.float32)
    table = make_table(data, targets=("b",), frequency=TEN_MINUTES)
    shape = WindowShape(lookback, step, (delay, delay), "lecture")
    first, second = length // 2, length // 2 + length // 4
    found = lectured(table, shape, f"{first},{second - first},rest", batch_size)
    windows = Windows(data, data[:, 1:2].copy(), shape, table.starts)
    spans = {
        "validation": (first + 1, second, (second - (first + 1) - lookback) // batch_size),
        "test": (second + 1, None, (length - (second + 1) - lookback) // batch_size),
    }
    for name, (min_index, max_index, count) in spans.items():
        rows = drawn(listing(length, lookback, delay, min_index, max_index, batch_size), count)
        np.testing.assert_array_equal(found.spans[name], rows)
        samples, targets = listing_of_samples(data, lookback, rows, delay, step)
        np.testing.assert_array_equal(windows.inputs_at(rows).numpy(), samples)
        np.testing.assert_array_equal(windows.targets_at(rows).numpy()[:, 0, 0], targets)
    train = found.spans["train"]
    assert (train[0], train[-1] + delay) == (lookback, first - 1)


def test_the_lectures_windows_with_missing_targets_are_counted() -> None:
    values = np.arange(2000.0)
    values[[150, 1150, 1700]] = np.nan
    found = lectured(
        make_table(values, frequency=TEN_MINUTES), WindowShape(12, 6, (6, 6), "lecture"), "1000,500,rest", 8
    )
    assert found.dropped["target_missing"] == 3
    assert 144 not in found.spans["train"]
    with pytest.raises(DataError, match="the validation span has no full batch of 600 windows"):
        lectured(make_table(values), WindowShape(12, 6, (6, 6), "lecture"), "1000,500,rest", 600)


def test_etth1_has_all_its_windows(shared_data: Path) -> None:
    table = read_table(shared_data / "forecast" / "ETTh1.csv", target=("all",))
    assert (table.rows, len(table.columns), str(table.frequency)) == (17_420, 7, "1h")
    spans = cut_spans(table, "8640,2880,2880")
    scaling = learn_scaling(table, spans.training_rows)
    shape = WindowShape.resolve(WindowSection(lookback="336", ahead="1:96"), table.frequency)
    found = find_anchors(table, shape, spans, scaling.missing(table), 0.5)
    assert found.counts == {"train": 8640 - 336 - 95, "validation": 2785, "test": 2785}
    targets = target_rows(found.spans["test"], shape)
    assert (targets.min(), targets.max()) == (11_520, 14_399)
    assert found.dropped == {
        "border": 2 * 95,
        "target_missing": 0,
        "inputs_missing": 0,
        "outside_spans": 17_420 - 14_400,
    }
