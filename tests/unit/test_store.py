"""A table in a store says what the same table in memory says, and a store is whole or not there."""

import json
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from foretell.config import DataSection
from foretell.data import cache, parquet, scattering, stored
from foretell.data.covariates import Covariates
from foretell.data.frequency import Frequency
from foretell.data.reading import open_table, read_table
from foretell.data.scaling import learn_scaling
from foretell.data.spans import cut_spans
from foretell.data.stored import StoredTable
from foretell.data.stored_windows import StoredKnown, StoredWindows
from foretell.data.tables import AnyTable, Table
from foretell.data.windows import Windows, WindowShape, find_anchors
from foretell.errors import ConfigurationError, DataError, InputError, StorageError, UnsafeFileError
from foretell.evaluation.baselines import Climatology, SeasonalNaive
from foretell.evaluation.history import History
from foretell.evaluation.ridge import Ridge
from foretell.tasks.forecast.drifting import remember_columns

START = np.datetime64("2021-03-01T00:00:00", "us")


def panel(seed: int, lengths: tuple[int, ...], absent: float = 0.0, gaps: float = 0.0) -> pl.DataFrame:
    """Series of different lengths and beginnings; some values missing, some rows not there."""
    draw = np.random.default_rng(seed)
    frames = []
    for number, length in enumerate(lengths):
        times = START + (np.arange(length) + int(draw.integers(0, 9))) * np.timedelta64(1, "h")
        walk = (
            1e3 * number + np.cumsum(draw.normal(size=(length, 2)), axis=0) + 5 * np.sin(np.arange(length) / 4)[:, None]
        )
        walk[draw.random(walk.shape) < absent] = np.nan
        keep = draw.random(length) >= gaps
        keep[[0, length - 1]] = True
        own = {"id": f"s{number}", "time": times, "a": walk[:, 0], "b": walk[:, 1], "c": draw.normal(size=length)}
        frames.append(pl.DataFrame(own).filter(keep))
    return pl.concat(frames)


def written(frame: pl.DataFrame, folder: Path, parts: int = 3) -> Path:
    """A frame in several files of a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    size = -(-frame.height // parts)
    for part in range(parts):
        frame.slice(part * size, size).write_parquet(folder / f"part-{part}.parquet")
    return folder


def both(folder: Path, home: Path, **options: object) -> tuple[StoredTable, Table]:
    """The same files through a store and in memory."""
    named = {"series": "id", "target": "a", **options}
    through = DataSection.model_validate({**named, "store": "yes", "cache_dir": home / "cache"})
    one = open_table(folder, through)
    assert isinstance(one, StoredTable)
    return one, read_table(folder, DataSection.model_validate(named))


def store_of(folder: Path, home: Path, **options: object) -> AnyTable:
    """The same files through a store in ``home``."""
    named = {"series": "id", "target": "a", "store": "yes", "cache_dir": home / "cache", **options}
    return open_table(folder, DataSection.model_validate(named))


def must_be_alike(one: StoredTable, other: Table) -> None:
    """Every row, time and name."""
    assert (one.series, one.columns, one.frequency) == (other.series, other.columns, other.frequency)
    assert (one.targets, one.features, one.timezone) == (other.targets, other.features, other.timezone)
    assert one.starts.tolist() == other.starts.tolist()
    rows = np.arange(other.rows)
    assert (one.times_of(rows) == other.times).all()
    assert (one.codes_of(rows) == other.codes).all()
    spread = np.nanmax(np.abs(other.values), axis=0)
    np.testing.assert_allclose(one.values_of(one.columns, rows) / spread, other.values / spread, rtol=0, atol=2e-7)
    np.testing.assert_allclose(
        one.filled_of(one.columns, rows) / spread, other.filled_of(other.columns, rows) / spread, rtol=0, atol=2e-7
    )
    for name in one.columns:
        assert one.range_of(name) == pytest.approx(other.range_of(name), nan_ok=True)
    assert (one.first_time, one.last_time) == (other.first_time, other.last_time)


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces, blocks and stretches of a few rows, so that small tables have many."""
    monkeypatch.setattr(parquet, "CELLS", 185)
    monkeypatch.setattr(scattering, "CELLS", 123)
    monkeypatch.setattr(stored, "CELLS", 159)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 10**6),
    lengths=st.lists(st.integers(30, 160), min_size=1, max_size=5).map(tuple),
    absent=st.sampled_from([0.0, 0.1, 0.6]),
    gaps=st.sampled_from([0.0, 0.2]),
    shuffled=st.booleans(),
    parts=st.integers(1, 4),
)
def test_a_stored_table_is_the_table_in_memory(
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
    lengths: tuple[int, ...],
    absent: float,
    gaps: float,
    shuffled: bool,
    parts: int,
) -> None:
    home = tmp_path_factory.mktemp("store")
    frame = panel(seed, lengths, absent, gaps)
    frame = frame.sample(fraction=1, shuffle=True, seed=seed) if shuffled else frame
    one, other = both(written(frame, home / "panel", parts), home)
    must_be_alike(one, other)
    told = [[(own.kind, own.column, own.rows) for own in table.health.findings] for table in (one, other)]
    assert told[0] == told[1]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 10**6),
    absent=st.sampled_from([0.0, 0.05]),
    lookback=st.sampled_from([4, 12]),
    every=st.sampled_from([1, 2, 4]),
    leads=st.sampled_from([(1, 1), (3, 3), (1, 6)]),
    per_series=st.booleans(),
    calendar=st.booleans(),
)
def test_spans_scaling_windows_and_rules_are_those_of_the_table_in_memory(
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
    absent: float,
    lookback: int,
    every: int,
    leads: tuple[int, int],
    per_series: bool,
    calendar: bool,
) -> None:
    home = tmp_path_factory.mktemp("store")
    one, other = both(written(panel(seed, (150, 90, 170), absent, absent / 3), home / "panel"), home, target=("a", "b"))
    shape = WindowShape(lookback, every, leads)
    spans = [cut_spans(table, "0.6,0.2,0.2") for table in (one, other)]
    assert spans[0].borders == spans[1].borders
    assert spans[0].starts == spans[1].starts
    assert spans[0].training_ends == spans[1].training_ends
    assert (spans[0].training_rows[:] == spans[1].training_rows[:]).all()
    scalings = [
        learn_scaling(table, own.training_rows, per_series=per_series)
        for table, own in zip((one, other), spans, strict=True)
    ]
    assert (scalings[0].features, scalings[0].masked) == (scalings[1].features, scalings[1].masked)
    np.testing.assert_allclose(scalings[0].mean, scalings[1].mean, rtol=1e-7, atol=1e-4)
    np.testing.assert_allclose(scalings[0].deviation, scalings[1].deviation, rtol=1e-4)
    anchors = [
        find_anchors(table, shape, own, scaling.missing(table), 0.6, reach=shape.first_input + 2)
        for table, own, scaling in zip((one, other), spans, scalings, strict=True)
    ]
    assert anchors[0].dropped == anchors[1].dropped
    for name in anchors[1].spans:
        assert anchors[0].spans[name].tolist() == anchors[1].spans[name].tolist()
    # The scaling of the table in memory for both, so that only the gathering is compared.
    scaling, chosen = scalings[1], np.concatenate(list(anchors[1].spans.values()))
    covariates = Covariates(calendar=calendar, known=("c",))
    ours = StoredWindows(one, shape, scaling, scaling.features, scaling.masked, covariates)
    inputs = np.concatenate([scaling.inputs(other), covariates.inputs(other)], axis=1)
    theirs = Windows(inputs, scaling.scaled_targets(other), shape, other.starts)

    def alike(ours: torch.Tensor, theirs: torch.Tensor) -> None:
        torch.testing.assert_close(ours, theirs, rtol=0, atol=2e-4, equal_nan=True)

    alike(ours.inputs_at(chosen), theirs.inputs_at(chosen))
    alike(ours.targets_at(chosen), theirs.targets_at(chosen))
    known, held = StoredKnown(one, scaling, covariates), covariates.ahead(other, scaling, leads[1])
    last = np.concatenate([chosen, other.starts[1:] - 1])
    alike(known.at(last, leads), held.at(last, leads))
    assert (known.whole(last, leads) == held.whole(last, leads)).all()
    assert known.first_absent(last, leads) == held.first_absent(last, leads)
    if per_series:
        return
    histories = [History.of(table, shape, scaling) for table in (one, other)]
    for kind in (SeasonalNaive, Climatology, Ridge):
        rules = [
            kind().fit(history, own.training_rows, anchors[1].spans)
            for history, own in zip(histories, spans, strict=True)
        ]
        said = [rule.predict(history, chosen) for rule, history in zip(rules, histories, strict=True)]
        np.testing.assert_allclose(said[0], said[1], rtol=0, atol=1e-6 * np.nanmax(np.abs(other.values)))
    remembered = [
        remember_columns(table, own.training_rows, ("a", "b")) for table, own in zip((one, other), spans, strict=True)
    ]
    assert remembered[0].columns.keys() == remembered[1].columns.keys()


def test_nothing_after_training_changes_what_is_stored_of_training(tmp_path: Path) -> None:
    frame = panel(3, (120, 100), 0.1)
    changed = frame.with_columns(
        pl.when(pl.col("time") > pl.lit(START.astype(object)) + pl.duration(hours=60))
        .then(pl.col("a") * 1000 + 7)
        .otherwise(pl.col("a"))
    )
    one, _ = both(written(frame, tmp_path / "one"), tmp_path)
    two, _ = both(written(changed, tmp_path / "two"), tmp_path)
    early = np.flatnonzero(one.times_of(np.arange(one.rows)) <= int(START.astype(np.int64)) + 60 * 3_600_000_000)
    assert (one.offsets == two.offsets).all()
    np.testing.assert_array_equal(one.stored[early], two.stored[early])


def test_large_numbers_that_change_little_keep_their_digits(tmp_path: Path) -> None:
    values = 1.7e9 + np.arange(200) * 0.25
    frame = pl.DataFrame({"time": START + np.arange(200) * np.timedelta64(1, "h"), "a": values})
    one, other = both(written(frame, tmp_path / "one"), tmp_path, series=None)
    np.testing.assert_array_equal(one.values_of(("a",), np.arange(200)), other.values)


def test_folders_that_tell_columns(tmp_path: Path) -> None:
    frame = panel(5, (60, 80, 70))
    for name, own in frame.partition_by("id", as_dict=True).items():
        for month, part in (
            own.with_columns(pl.col("time").dt.day().alias("day")).partition_by("day", as_dict=True).items()
        ):
            folder = tmp_path / "panel" / f"id={name[0]}" / f"day={month[0]}"
            folder.mkdir(parents=True)
            part.drop("id", "day").write_parquet(folder / "0.parquet")
    (tmp_path / "panel" / "_SUCCESS").touch()
    one, other = both(tmp_path / "panel", tmp_path)
    assert one.series == ("s0", "s1", "s2")
    assert "day" in one.columns
    must_be_alike(one, other)


@pytest.mark.parametrize("kind", ["text", "date", "zoned", "epoch", "ns"])
def test_times_of_every_kind(tmp_path: Path, kind: str) -> None:
    frame = panel(7, (90, 70), gaps=0.1)
    time_ = pl.col("time")
    frame = frame.with_columns(
        {
            "text": time_.dt.strftime("%d.%m.%Y %H:%M:%S"),
            "date": (time_.dt.date().first() + pl.duration(days=pl.int_range(pl.len()).over("id"))).cast(pl.Date),
            "zoned": time_.dt.replace_time_zone("UTC").dt.convert_time_zone("Europe/Berlin"),
            "epoch": time_.dt.epoch("s"),
            "ns": time_.dt.cast_time_unit("ns"),
        }[kind].alias("time")
    )
    one, other = both(written(frame, tmp_path / "panel"), tmp_path)
    must_be_alike(one, other)


def test_sentinels_infinities_and_frequencies_are_handled_as_in_memory(tmp_path: Path) -> None:
    frame = panel(9, (200, 150)).with_columns(
        pl.when(pl.int_range(pl.len()) % 40 == 3).then(-9999.0).otherwise(pl.col("a")).alias("a"),
        pl.when(pl.int_range(pl.len()) == 17).then(float("inf")).otherwise(pl.col("c")).alias("c"),
        (pl.col("time") + pl.duration(seconds=5)).alias("time"),
    )
    folder = written(frame, tmp_path / "panel")
    for options in ({}, {"missing": "-9999"}, {"missing": "-9999", "frequency": "1h"}):
        one, other = both(folder, tmp_path, **options)
        must_be_alike(one, other)
        assert [own.document() for own in one.health.findings if own.kind != "missing"] == [
            own.document() for own in other.health.findings if own.kind != "missing"
        ]
        assert {(own.column, own.rows) for own in one.health.findings if own.kind == "missing"} == {
            (own.column, own.rows) for own in other.health.findings if own.kind == "missing"
        }


@pytest.mark.parametrize("duplicates", ["first", "last"])
def test_rows_of_one_time(tmp_path: Path, duplicates: str) -> None:
    frame = panel(11, (80, 60))
    twice = pl.concat([frame, frame.slice(10, 5), frame.slice(90, 4).with_columns(pl.col("a") + 1)])
    one, other = both(written(twice, tmp_path / "panel"), tmp_path, duplicates=duplicates)
    must_be_alike(one, other)
    assert {(own.kind, own.rows) for own in one.health.findings if own.kind == "duplicates"} == {
        ("duplicates", 5),
        ("duplicates", 4),
    }
    with pytest.raises(DataError, match=r"part-2.parquet, row .*\"a\": rows of one time must agree; found"):
        store_of(tmp_path / "panel", tmp_path)


@pytest.mark.parametrize("duplicates", ["first", "last"])
@pytest.mark.parametrize("parts", [1, 3])
@pytest.mark.parametrize(
    "values",
    [
        (5.0, 500.0),
        (500.0, 5.0),
        (5.0, 500.0, 5.0),
        (5.0, 5.0, 500.0),
        (5.0, None),
        (None, 5.0),
        (5.0, None, 7.0),
        (5.0, 500.0, None),
    ],
)
def test_the_one_of_several_rows_that_counts(
    tmp_path: Path, duplicates: str, parts: int, values: tuple[float | None, ...]
) -> None:
    frame, time = panel(12, (90,)), START + np.timedelta64(200, "h")
    rows = pl.DataFrame({"id": "s0", "time": np.full(len(values), time), "a": values, "b": 1.0, "c": 2.0}, strict=False)
    early = frame.slice(40, 1).with_columns(a=pl.lit(-4000.0))  # farther than all others, and not taken as the first
    frame = pl.concat([frame, rows.cast({"time": frame.schema["time"]}), early])
    one, other = both(written(frame, tmp_path / "panel", parts), tmp_path, duplicates=duplicates)
    must_be_alike(one, other)
    at = one.times_of(np.arange(one.rows)).tolist().index(int(time.astype(np.int64)))
    chosen = values[0 if duplicates == "first" else -1]
    np.testing.assert_allclose(one.values_of(("a",), np.array([at]))[0, 0], np.nan if chosen is None else chosen)
    assert (one.range_of("a")[1] == pytest.approx(-4000.0)) is (duplicates == "last")


@pytest.mark.parametrize("kind", ["first absent", "first far off", "shuffled", "late"])
def test_offsets_lie_where_a_series_lies(tmp_path: Path, kind: str) -> None:
    draw, count = np.random.default_rng(4), 400
    values = {"s0": 1e9 + np.cumsum(draw.normal(size=count)), "s1": 3.0 + draw.normal(size=count)}
    if kind == "first absent":
        values["s0"][0] = np.nan
    elif kind == "first far off":
        values["s0"][0] = 0.0
    elif kind == "late":
        values["s0"][:150] = np.nan
    times = START + np.arange(count) * np.timedelta64(1, "h")
    frame = pl.concat([pl.DataFrame({"id": name, "time": times, "a": own}) for name, own in values.items()])
    frame = frame.sample(fraction=1.0, shuffle=True, seed=1) if kind == "shuffled" else frame
    one, other = both(written(frame.fill_nan(None), tmp_path / "panel"), tmp_path)
    apart = np.abs(one.values_of(("a",), np.arange(one.rows)) - other.values)[1:]
    assert np.nanmax(apart) < 1e-5, "of a walk in steps of one, around a thousand million"
    assert one.range_of("a") == pytest.approx(other.range_of("a"))
    warned = [own for own in one.health.findings if own.kind == "precision"]
    assert len(warned) == (kind == "first far off"), "that one value is kept less closely"


def test_steps_that_get_lost_are_told(tmp_path: Path) -> None:
    times = START + np.arange(900) * np.timedelta64(1, "h")
    frame = pl.DataFrame({"id": "one", "time": times, "a": np.arange(900) * 1.0, "count": np.arange(900) * 1e-3})
    jumps = frame.with_columns(pl.col("a") + pl.when(pl.col("a") > 500).then(1e9).otherwise(0.0))
    fine, _ = both(written(frame, tmp_path / "fine"), tmp_path, target="all")
    lost, _ = both(written(jumps, tmp_path / "lost"), tmp_path, target="all")
    assert not [own for own in fine.health.findings if own.kind == "precision"]
    (told,) = [own for own in lost.health.findings if own.kind == "precision"]
    assert told.column == "a" and "--store no" in told.message and told.severity == "warning"


def test_each_series_has_a_range_of_its_own(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    times = START + np.arange(200) * np.timedelta64(1, "h")
    walks = {"large": 1e7 + 1e5 * draw.normal(size=200), "small": 1e-4 * draw.normal(size=200)}
    frame = pl.concat([pl.DataFrame({"id": name, "time": times, "a": walk}) for name, walk in walks.items()])
    one, other = both(written(frame, tmp_path / "panel"), tmp_path)
    shape, inputs = WindowShape(12, 1, (1, 2)), []
    for table in (one, other):
        scaling = learn_scaling(table, cut_spans(table, "0.7,0.15,0.15").training_rows, per_series=True)
        anchors = np.array([20, 150, 230, 390])
        if isinstance(table, StoredTable):
            inputs.append(StoredWindows(table, shape, scaling, scaling.features).inputs_at(anchors))
        else:
            windows = Windows(scaling.inputs(table), scaling.scaled_targets(table), shape, table.starts)
            inputs.append(windows.inputs_at(anchors))
    torch.testing.assert_close(inputs[0], inputs[1], rtol=0, atol=2e-5)


def test_who_only_looked_leaves_nothing_that_could_be_learned_from(tmp_path: Path) -> None:
    frame = panel(12, (90,))
    twice = pl.concat([frame, frame.slice(10, 2).with_columns(pl.col("a") + 1)])
    folder = written(twice, tmp_path / "panel")
    section = DataSection.model_validate(
        {"series": "id", "target": "a", "store": "yes", "cache_dir": tmp_path / "cache"}
    )
    with pytest.raises(DataError, match="rows of one time must agree") as cold:
        open_table(folder, section)
    looked = open_table(folder, section, strict=False)
    assert [own.severity for own in looked.health.findings if own.kind == "duplicates"] == ["error"]
    with pytest.raises(DataError, match="rows of one time must agree") as warm:
        open_table(folder, section)
    assert warm.value.message == cold.value.message
    assert open_table(folder, section, strict=False).health.findings == looked.health.findings
    assert store_of(folder, tmp_path, duplicates="last").rows == 90


def test_what_a_store_cannot_do_is_said_also_when_it_is_there(tmp_path: Path) -> None:
    folder = written(panel(12, (90,)), tmp_path / "panel")
    store_of(folder, tmp_path)
    for options in ({"timezone": "Europe/Berlin"}, {"static": ("c",)}, {"duplicates": "mean"}):
        with pytest.raises(ConfigurationError):
            store_of(folder, tmp_path, **options)


def test_a_store_of_another_grid_is_not_taken(tmp_path: Path) -> None:
    folder = written(panel(12, (90,)), tmp_path / "panel")
    hour, half = Frequency("microsecond", 3_600_000_000), Frequency("microsecond", 1_800_000_000)
    section = DataSection.model_validate(
        {"series": "id", "target": "a", "store": "yes", "cache_dir": tmp_path / "cache"}
    )
    for store in ("yes", "no"):
        with pytest.raises(DataError, match="has rows every 1h; the model was trained on rows every 30min"):
            open_table(folder, section.model_copy(update={"store": store}), grid=half)
    assert open_table(folder, section, grid=hour).rows == 90
    assert open_table(folder, section).frequency == hour
    assert len(cache.listed(tmp_path / "cache")) == 2, "who names no grid finds it out"
    other = section.model_copy(update={"target": ("b",), "features": ("b",)})
    assert open_table(folder, other, grid=hour).rows == open_table(folder, other).rows == 90
    assert len(cache.listed(tmp_path / "cache")) == 2, "what was found out serves who asks for it"


def test_names_that_folders_give_stay_as_they_are(tmp_path: Path) -> None:
    frame = panel(12, (60, 60, 60))
    for name, own in zip(("007", "1e5", "1.0"), frame.partition_by("id"), strict=True):
        (tmp_path / "panel" / f"id={name}").mkdir(parents=True)
        own.drop("id").write_parquet(tmp_path / "panel" / f"id={name}" / "part.parquet")
    one, other = both(tmp_path / "panel", tmp_path)
    assert one.series == other.series == ("007", "1.0", "1e5")


def test_columns_that_differ_by_blanks_alone_are_told(tmp_path: Path) -> None:
    frame = panel(12, (90,)).with_columns(pl.col("a").alias("a "))
    for store in ("yes", "no"):
        with pytest.raises(DataError, match='several are called "a", but for blanks: rename them'):
            store_of(written(frame, tmp_path / "panel"), tmp_path, store=store)


def test_times_that_no_calendar_has_are_told(tmp_path: Path) -> None:
    frame = panel(12, (90,)).with_row_index()
    far = pl.when(pl.col("index") == 7).then(pl.lit(-(10**18))).otherwise(pl.col("time").cast(pl.Int64))
    frame = frame.with_columns(far.cast(pl.Datetime("us")).alias("time")).drop("index")
    for store in ("yes", "no"):
        with pytest.raises(DataError, match=r'row 8, column "time": times lie in the years 1 to 9999'):
            store_of(written(frame, tmp_path / "panel", 1), tmp_path, store=store)


@pytest.mark.parametrize("store", ["yes", "no"])
def test_a_series_column_that_is_not_there_is_told(tmp_path: Path, store: str) -> None:
    folder = written(panel(12, (90,)), tmp_path / "panel")
    with pytest.raises(DataError, match='has no column "ids" to tell series apart; did you mean "id"'):
        store_of(folder, tmp_path, store=store, series="ids")
    with pytest.raises(DataError, match='"time" holds the times; series are told apart by another column'):
        store_of(folder, tmp_path, store=store, series="time")


def test_columns_without_numbers_are_told(tmp_path: Path) -> None:
    frame = panel(12, (90,)).with_columns(word=pl.lit("so"))
    for table in both(written(frame, tmp_path / "panel"), tmp_path):
        (told,) = [own for own in table.health.findings if own.kind == "text"]
        assert told.message == "left out, since they hold no numbers: word"


def test_a_folder_that_cannot_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = written(panel(12, (90,)), tmp_path / "panel")
    written(panel(13, (90,)), folder / "more")
    scan = os.scandir

    def refusing(path: Any) -> Any:  # as a system refuses whoever is not root
        if str(path).endswith("more"):
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refusing)
    with pytest.raises(DataError, match=r"panel/more cannot be read: Permission denied"):
        store_of(folder, tmp_path)


def broken(folder: Path, name: str) -> None:
    """Files that cannot be read as one table."""
    frame = panel(13, (60,))
    written(frame, folder)
    last = folder / "part-2.parquet"
    if name == "cut":
        last.write_bytes(last.read_bytes()[:-40])
    elif name == "none":
        for path in folder.iterdir():
            path.rename(path.with_suffix(".txt"))
    elif name == "column":
        frame.drop("b").write_parquet(last)
    elif name == "type":
        frame.with_columns(pl.col("b").cast(pl.String)).write_parquet(last)
    elif name == "empty":
        for path in folder.iterdir():
            frame.head(0).write_parquet(path)
    elif name == "off":
        later = pl.when(pl.int_range(pl.len()) == 4).then(pl.col("time") + pl.duration(minutes=7))
        frame[40:].with_columns(later.otherwise(pl.col("time")).alias("time")).write_parquet(last)
    elif name == "time":
        frame.with_columns(pl.when(pl.col("c") > 0).then(pl.col("time"))).write_parquet(last)
    elif name == "stray":
        frame.with_columns(pl.col("time") + pl.duration(days=365 * 3000)).write_parquet(last)
    elif name == "mixed":
        (folder / "id=x").mkdir()
        last.rename(folder / "id=x" / "part-2.parquet")


@pytest.mark.parametrize(
    ("name", "kind", "told"),
    [
        ("cut", UnsafeFileError, r"part-2.parquet is damaged"),
        ("none", DataError, r"holds no Parquet file"),
        ("column", DataError, r'part-2.parquet has no "b", which part-0.parquet has'),
        ("type", DataError, r'column "b": it has one type in all files; Float64 in part-0'),
        ("empty", DataError, r"holds no rows"),
        ("off", DataError, r'part-2.parquet, row 5, column "time": times lie on a grid of 1h'),
        ("time", DataError, r'part-2.parquet, row \d+, column "time": every row has a time; found none'),
        ("stray", DataError, r"a grid of 1h from the first time to the last would hold"),
        ("mixed", DataError, r"all files lie in folders of one kind"),
    ],
)
def test_what_cannot_be_read_ends_in_one_sentence(tmp_path: Path, name: str, kind: type, told: str) -> None:
    broken(tmp_path / "panel", name)
    with pytest.raises(kind, match=told):
        store_of(tmp_path / "panel", tmp_path, series=None)
    assert not [own for own in cache.listed(tmp_path / "cache") if own.whole]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"timezone": "Europe/Berlin"}, "--timezone goes with a table that is read into memory"),
        ({"duplicates": "mean"}, "--duplicates mean goes with a table that is read into memory"),
        ({"static": "id"}, "--static goes with a table that is read into memory"),
        ({"frequency": "1d"}, "--frequency of a day or more goes with"),
    ],
)
def test_what_needs_all_rows_at_once_says_so(tmp_path: Path, options: dict[str, str], told: str) -> None:
    folder = written(panel(1, (60,)), tmp_path / "panel")
    with pytest.raises(ConfigurationError, match=told):
        store_of(folder, tmp_path, **options)


def test_a_store_is_made_once_and_again_when_the_files_change(tmp_path: Path) -> None:
    frame = panel(2, (80, 70))
    folder = written(frame, tmp_path / "panel")
    store_of(folder, tmp_path)
    (first,) = cache.listed(tmp_path / "cache")
    made = (first.folder / scattering.VALUES).stat().st_mtime_ns
    store_of(folder, tmp_path)
    assert [own.folder for own in cache.listed(tmp_path / "cache")] == [first.folder]
    assert (first.folder / scattering.VALUES).stat().st_mtime_ns == made
    before = folder.stat().st_mtime_ns
    written(frame.with_columns(pl.col("a") + 1), folder)
    os.utime(folder, ns=(before, before))
    table = store_of(folder, tmp_path)
    (second,) = cache.listed(tmp_path / "cache")  # the first is stale and went
    assert second.folder != first.folder
    np.testing.assert_allclose(table.values_of(("a",), np.arange(80))[:, 0], frame["a"][:80] + 1, rtol=1e-6)


@pytest.mark.parametrize("damage", ["cut", "gone", "document", "format", "beside", "starts", "rows", "columns"])
def test_a_store_that_is_damaged_or_half_written_is_made_again(tmp_path: Path, damage: str) -> None:
    folder = written(panel(2, (80, 70)), tmp_path / "panel")
    whole = store_of(folder, tmp_path).values_of(("a", "b", "c"), np.arange(150))
    (kept,) = cache.listed(tmp_path / "cache")
    values, document = kept.folder / scattering.VALUES, kept.folder / cache.DOCUMENT
    if damage == "cut":
        values.write_bytes(values.read_bytes()[:-4])
    elif damage == "gone":
        values.unlink()
    elif damage == "document":
        document.write_text("{")
    elif damage == "format":
        document.write_text(json.dumps({**kept.document, "format": 99}))
    elif damage == "starts":
        (kept.folder / "starts.i64").write_bytes(np.array([0, 200, 150], np.int64).tobytes())
    elif damage == "rows":
        document.write_text(json.dumps({**kept.document, "rows": 149}))
    elif damage == "columns":
        document.write_text(json.dumps({**kept.document, "columns": 5}))
    else:  # as a process leaves it that was killed while it wrote
        kept.folder.rename(kept.folder.with_name(f".{kept.folder.name}.{cache._host()}.999999999.x"))
        (cache.listed(tmp_path / "cache")[0].folder / cache.DOCUMENT).unlink()
    again = store_of(folder, tmp_path).values_of(("a", "b", "c"), np.arange(150))
    np.testing.assert_array_equal(again, whole)
    (kept,) = cache.listed(tmp_path / "cache")
    assert kept.whole


def test_a_process_that_is_killed_while_it_writes_leaves_nothing_that_is_taken_for_whole(tmp_path: Path) -> None:
    written(panel(2, (4000,) * 6), tmp_path / "panel", 8)
    code = textwrap.dedent(
        f"""
        from pathlib import Path
        from foretell.data import parquet
        from foretell.data.reading import open_table
        parquet.CELLS = 100
        open_table(Path({str(tmp_path / "panel")!r}), series="id", target="a", store="yes", cache_dir=Path({str(tmp_path / "cache")!r}))
        """
    )
    process = subprocess.Popen([sys.executable, "-c", code])
    try:
        stores, deadline = cache.stores_in(tmp_path / "cache"), time.monotonic() + 60
        while not (stores.is_dir() and any(path.stat().st_size for path in stores.glob(".*/values.f32"))):
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.005)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert [own.whole for own in cache.listed(tmp_path / "cache")] == [False]
    one, other = both(tmp_path / "panel", tmp_path)
    must_be_alike(one, other)
    assert [own.whole for own in cache.listed(tmp_path / "cache")] == [True]


def test_a_cache_that_cannot_be_written_to_is_said(tmp_path: Path) -> None:
    folder = written(panel(2, (80,)), tmp_path / "panel")
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(StorageError, match="--cache-dir names another folder"):
        store_of(folder, tmp_path / "file")


def keeping(text: str) -> Callable[[Path], dict[str, object]]:
    """What writes a text into a store."""

    def write(folder: Path) -> dict[str, object]:
        (folder / "x").write_text(text)
        return {}

    return write


def test_two_that_make_one_store_at_once_both_have_it(tmp_path: Path) -> None:
    def write(folder: Path) -> dict[str, object]:
        cache._make(cache.stores_in(tmp_path), "key", {"kind": "table"}, keeping("theirs"))  # a rival is quicker
        (folder / "x").write_text("ours")
        return {}

    kept = cache.keep("key", tmp_path, {"kind": "table"}, write)
    assert kept.whole
    assert (kept.folder / "x").read_text() == "theirs"


def test_what_is_being_made_is_not_cleared(tmp_path: Path) -> None:
    begun, go = threading.Event(), threading.Event()

    def slowly(folder: Path) -> dict[str, object]:
        (folder / "text").write_text("so")
        begun.set()
        assert go.wait(60)
        return {}

    about = {"kind": "table", "source": "x", "read": {}, "content": "y"}
    maker = threading.Thread(target=cache.keep, args=("a" * 32, tmp_path, about, slowly))
    maker.start()
    assert begun.wait(60)
    assert cache.clear(tmp_path) == []
    (kept,) = cache.listed(tmp_path)
    assert not kept.whole and cache.is_being_made(kept.folder)
    go.set()
    maker.join(60)
    assert [kept.whole for kept in cache.listed(tmp_path)] == [True]


def test_many_that_make_stores_at_once_do_not_trip_over_each_other(tmp_path: Path) -> None:
    code = textwrap.dedent(f"""
        import random, sys
        from pathlib import Path
        from foretell.data import cache
        def write(folder):
            (folder / "text").write_text("so")
            return {{}}
        for number in range(150):
            own = random.Random(int(sys.argv[1]) * 1000 + number).randrange(6)
            about = {{"kind": "table", "source": str(own % 2), "read": {{}}, "content": str(own)}}
            cache.keep(str(own), Path({str(tmp_path)!r}), about, write)
            if number % 50 == 49:
                cache.clear(Path({str(tmp_path)!r}))
    """)
    makers = [
        subprocess.Popen([sys.executable, "-c", code, str(number)], stderr=subprocess.PIPE) for number in range(3)
    ]
    for maker in makers:
        _, errors = maker.communicate(timeout=120)
        told = errors.decode().splitlines()
        assert maker.returncode == 0 or "was taken away as soon as it was made" in told[-1], errors.decode()


def test_clearing_names_what_is_gone(tmp_path: Path) -> None:
    for name in ("one", "two"):
        cache.keep(cache.key_of(name), tmp_path, {"kind": name}, keeping("x" * 50))
    found = cache.listed(tmp_path)
    assert len(found) == 2 and all(own.bytes > 50 for own in found)
    with pytest.raises(InputError, match='holds nothing called "zzz"'):
        cache.clear(tmp_path, ["zzz"])
    assert [own.folder for own in cache.clear(tmp_path, [found[0].folder.name[:8]])] == [found[0].folder]
    assert len(cache.clear(tmp_path)) == 1
    assert cache.listed(tmp_path) == []


def test_fewer_columns_are_read_from_a_store_that_has_more(tmp_path: Path) -> None:
    folder = written(panel(4, (80, 90), 0.1), tmp_path / "panel")
    whole, _ = both(folder, tmp_path)
    one, other = both(folder, tmp_path, features="c", target="b")
    assert len(cache.listed(tmp_path / "cache")) == 1
    must_be_alike(one, other)
    assert one.fingerprint(("b",)) == whole.fingerprint(("b",)) != whole.fingerprint(("a",))
    assert [own.column for own in one.health.findings if own.column] == []


def test_a_store_is_for_parquet(tmp_path: Path) -> None:
    panel(4, (80,)).write_csv(tmp_path / "panel.csv")
    with pytest.raises(ConfigurationError, match="--store yes goes with Parquet"):
        store_of(tmp_path / "panel.csv", tmp_path)


def test_who_asks_for_what_is_being_made_waits_for_it(tmp_path: Path) -> None:
    made: list[str] = []

    def write(folder: Path) -> dict[str, object]:
        made.append(threading.current_thread().name)
        time.sleep(0.2)
        return keeping("once")(folder)

    threads = [threading.Thread(target=cache.keep, args=("key", tmp_path, {"kind": "table"}, write)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(made) == 1
    assert [own.whole for own in cache.listed(tmp_path)] == [True]


def test_a_stored_table_travels_as_the_place_of_its_store(tmp_path: Path) -> None:
    one, other = both(written(panel(4, (800, 900), 0.1), tmp_path / "panel"), tmp_path)
    packed = pickle.dumps(one)
    assert len(packed) < one.stored.nbytes / 4
    must_be_alike(pickle.loads(packed), other)
    cache.clear(tmp_path / "cache")
    with pytest.raises(StorageError, match="--cache-dir names a folder that all machines see"):
        pickle.loads(packed)
