"""Forecasters that learn through a store, from the command line: the leaderboard of a table in memory, and its cache."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from foretell.tasks.forecast.config import Configuration
from foretell.tasks.forecast.task import task as forecast
from foretell.tasks.interface import Attempt, Silent
from foretell.training.checkpoints import save_checkpoint

from ..unit.test_store import panel, written
from .commands import Run
from .test_resume import curve

READ = ["--series", "id", "--target", "a", "--lookback", "12", "--ahead", "3", "--threads", "1"]
TINY = ["--epochs", "2", "--units", "4", "--batch-size", "32", "--patience", "0"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Series of 400 and 300 hours in three files, some values and rows missing."""
    return written(panel(5, (400, 300), 0.02, 0.02), tmp_path_factory.mktemp("stored") / "panel")


@pytest.fixture(autouse=True)
def caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of the test's own, so that what is kept unasked is seen; nothing else says where."""
    monkeypatch.delenv("FORETELL_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def stores(cache: Path) -> list[Path]:
    return sorted(path for path in (cache / "stores").iterdir() if path.is_dir()) if cache.exists() else []


def test_a_leaderboard_through_a_store_is_that_in_memory(run: Run, folder: Path, tmp_path: Path) -> None:
    documents = {}
    for store in ("yes", "no"):
        places = ["--store", store, "--cache-dir", tmp_path / "cache", "--name", store]
        done = run("compare", "forecast", folder, *READ, *TINY, *places, "--rungs", "climatology,ridge,gru", "--json")
        assert done.code == 0, done.err
        documents[store] = done.document
    (one, other) = ({row["rung"]: row["split"] for row in documents[store]["rows"]} for store in ("yes", "no"))
    assert one.keys() == other.keys() and "gru" in one
    for rung, split in one.items():
        for span in ("validation", "test"):
            assert split[span]["mae"] == pytest.approx(other[rung][span]["mae"], rel=1e-4), (rung, span)
            assert split[span]["count"] == other[rung][span]["count"]
    assert documents["yes"]["windows"] == documents["no"]["windows"]


def test_a_model_is_judged_where_its_training_kept_its_store(
    run: Run, folder: Path, tmp_path: Path, caches: Path
) -> None:
    own, other = tmp_path / "cache", tmp_path / "other"
    places = ["--store", "yes", "--cache-dir", own, "--name", "one", "--rung", "gru"]
    assert run("train", "forecast", folder, *READ, *TINY, *places, "--quiet").code == 0
    made = stores(own)
    assert len(made) == 1
    told = run("train", "forecast", folder, *READ, *TINY, *places[:-4], "--rung", "ridge", "--json").document
    judged = run("evaluate", "runs/one", "--json")
    assert judged.code == 0, judged.err
    board = json.loads(Path("runs/one/leaderboard.json").read_text())
    row = next(row for row in board["rows"] if row["rung"] == "gru")
    assert judged.document["metrics"]["mae"] == row["split"]["test"]["mae"]
    assert told["windows"] == board["windows"]
    assert run("inspect", "runs/one", "--windows", "8").code == 0
    assert run("predict", "runs/one", folder, "-o", "next.csv").code == 0
    assert stores(own) == made and not stores(caches / "foretell"), "read where it was"
    assert pl.read_csv("next.csv").height > 0
    assert run("evaluate", "runs/one", "--cache-dir", other, "--quiet").code == 0
    assert len(stores(other)) == 1 and stores(own) == made, "what a command says counts"
    listed = run("cache", "list", "--cache-dir", own, "--json").document
    assert [entry["kind"] for entry in listed["stores"]] == ["table"]
    assert run("cache", "clear", "--cache-dir", own).code == 0 and not stores(own)
    assert run("evaluate", "runs/one", "--json").document["metrics"] == judged.document["metrics"], "made again"


class Killed(BaseException):
    """The end of the process."""


@pytest.mark.parametrize("kept", [True, False])
def test_a_training_through_a_store_goes_on_to_the_same_weights(
    run: Run, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: bool
) -> None:
    cache = tmp_path / "cache"
    options = [*READ, *TINY, "--store", "yes", "--cache-dir", cache, "--rung", "gru", "--checkpoint-seconds", "0"]
    assert run("train", "forecast", folder, *options, "--name", "whole", "--quiet").code == 0
    saved = 0

    def dying(*arguments: Any, **named: Any) -> None:
        nonlocal saved
        save_checkpoint(*arguments, **named)
        saved += 1
        if saved == 3:
            raise Killed

    with monkeypatch.context() as changed, pytest.raises(Killed):
        changed.setattr("foretell.training.loop.save_checkpoint", dying)
        run("train", "forecast", folder, *options, "--name", "killed", "--quiet")
    if not kept:
        shutil.rmtree(cache)
    assert run("train", "--resume", "runs/killed", "--quiet").code == 0
    weights = [Path("runs") / name / "model" / "weights.safetensors" for name in ("whole", "killed")]
    assert weights[0].read_bytes() == weights[1].read_bytes()
    assert curve(Path("runs/whole")) == curve(Path("runs/killed"))


def test_a_model_reads_what_cannot_go_through_a_store(run: Run, folder: Path, tmp_path: Path) -> None:
    rows, places = tmp_path / "rows.csv", ["--store", "yes", "--cache-dir", tmp_path / "cache", "--name", "one"]
    pl.concat([pl.read_parquet(own) for own in sorted(folder.iterdir())]).write_csv(rows)
    assert run("train", "forecast", folder, *READ, *TINY, *places, "--rung", "gru", "--quiet").code == 0
    through, held = (run("predict", "runs/one", own, "--json") for own in (folder, rows))
    assert through.code == held.code == 0, held.err
    for one, other in zip(through.document["forecasts"], held.document["forecasts"], strict=True):
        assert {
            name: own if isinstance(own, str) else pytest.approx(own, rel=1e-4) for name, own in one.items()
        } == other
    assert run("evaluate", "runs/one", rows).code == 0
    assert run("score", "runs/one", rows).code == 0
    assert run("train", "forecast", rows, "--from", "runs/one", "--epochs", "1", "--name", "two", "--quiet").code == 0
    missing = run("data", "check", "nope.parquet", "--store", "yes", "--target", "a")
    assert missing.code == 3 and "there is no file nope.parquet" in missing.err


def test_thinned_windows_are_drawn_with_those_between_them(run: Run, folder: Path, tmp_path: Path) -> None:
    drawn = {}
    for judged in ("0", "9"):
        options = [*READ, "--rungs", "persistence,ridge", "--judged", judged, "--name", f"all-{judged}"]
        assert run("compare", "forecast", folder, *options, "--quiet").code == 0
        drawn[judged] = json.loads(Path(f"runs/all-{judged}/leaderboard.json").read_text())
    counts = [
        {row["rung"]: row["split"]["test"]["count"] for row in document["rows"]}["ridge"] for document in drawn.values()
    ]
    assert counts[1] == 9 < counts[0]
    prepared = forecast.prepare(
        folder,
        Configuration.build(
            {"series": "id", "target": "a", "lookback": "12", "ahead": "3", "judged": "9"}, environment={}
        ),
    )
    fitted = forecast.fit(prepared, "persistence", Attempt(tmp_path, Silent()))
    stretch = forecast.evaluate(prepared, fitted, "test").details.stretch
    steps = np.diff([np.datetime64(time) for time in stretch.times]).astype("timedelta64[h]").astype(int)
    assert len(steps) > 20 and (steps == 1).mean() > 0.9, "hour by hour, but for what is missing"
    own = prepared.view.table.codes_of(prepared.anchors.spans["test"]).min()
    assert stretch.series == prepared.view.table.series[own], "the first series that is judged"
    assert not np.isnan(stretch.truth).any() and not np.isnan(stretch.forecast).any()


def test_what_has_changed_since_is_said(run: Run, folder: Path, tmp_path: Path) -> None:
    own = tmp_path / "panel"
    shutil.copytree(folder, own)
    options = [*READ, *TINY, "--store", "yes", "--cache-dir", tmp_path / "cache", "--rung", "mlp", "--name", "one"]
    assert run("train", "forecast", own, *options, "--quiet").code == 0
    first = own / "part-0.parquet"
    pl.read_parquet(first).with_columns(pl.col("a") + np.pi).write_parquet(first)
    ran = run("evaluate", "runs/one")
    assert ran.code == 3 and "has changed since the training" in ran.err
    assert len(stores(tmp_path / "cache")) == 1, "the store of the rows before has gone"


def test_the_series_that_is_drawn_is_named(run: Run, tmp_path: Path) -> None:
    early = written(panel(6, (150, 400)), tmp_path / "early")  # the first one ends before the test span begins
    assert run("compare", "forecast", early, *READ, "--rungs", "persistence", "--name", "one", "--quiet").code == 0
    assert "The end of the test span of s1:" in Path("runs/one/report.html").read_text()
