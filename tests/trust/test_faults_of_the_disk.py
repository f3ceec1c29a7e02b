"""A disk that fails at any one call: the command says so in a sentence and ends with 1, and nothing is lost or half there."""

import errno
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from benchmarks.corpora.tunes import tune_book

from foretell import runs
from foretell.data.cache import Kept
from foretell.files import HALF
from foretell.tasks.forecast.following import ROWS, logged_forecasts

from ..tasks.commands import SMALL, Result, Run
from ..unit.test_store import panel, written
from .amounts import LONG, Figures, much
from .recorded_disk import Call, Disk, needs_proc, tree_of
from .test_crashed_commands import TINY, what_came_of_it

pytestmark = needs_proc
ERRORS = (errno.ENOSPC, errno.EACCES, errno.EIO)
# What is left behind where it cannot be removed, or that nobody misses: how far a climb is, for those who look.
FORGIVEN = ("unlink", "rmdir")
COURTESIES = ("progress.json",)


@dataclass(frozen=True)
class Command:
    """A command that writes.

    Attributes:
        arguments: Those of the command, for the folder into which it writes.
        again: Those of the command that goes on after a fault.
        outcome: What it came to.
        step: In CI one call of so many fails.
        begin: What is there before.
        sound: Checks what is there after a fault.
    """

    arguments: Callable[[Path], list[object]]
    again: Callable[[Path], list[object]]
    outcome: Callable[[Path], Any]
    step: int
    begin: Callable[[Path], object] = Path.mkdir
    sound: Callable[[Path], object] = Path.exists


def comparing(home: Path) -> list[object]:
    return ["compare", "recall", *TINY, "--runs-dir", home, "--name", "a", "--json"]


def comparing_again(home: Path) -> list[object]:
    if not (home / "a").exists():
        return comparing(home)
    if runs.job_of(home / "a")["finished"]:  # the very last flush failed, and it is said that a power cut may undo it
        return ["runs", "show", "a", "--runs-dir", home]
    return ["compare", "--resume", "a", "--runs-dir", home, "--quiet", "--json"]


def stores(home: Path) -> dict[str, dict[str, bytes]]:
    """What the stores hold that are there, each of which must be whole."""
    found = {}
    for folder in (home / "stores").iterdir() if (home / "stores").exists() else ():
        if folder.is_dir() and not folder.name.startswith("."):
            document = json.loads((folder / "store.json").read_text())
            assert Kept(folder, document, 0, 0.0).whole
            found[folder.name] = {name: (folder / name).read_bytes() for name in document["files"]}
    return found


def exported(home: Path) -> dict[str, bytes]:
    return {str(path.relative_to(home)): path.read_bytes() for path in home.glob("own/*.onnx")}


def attempt(run: Run, home: Path, command: Command, fault: tuple[int, int] | None = None) -> tuple[Result, Disk]:
    command.begin(home)
    with Disk(home, *(fault or (None, 0))) as disk:
        result = run(*command.arguments(home))
    return result, disk


def is_courtesy(disk: Disk) -> bool:
    """Whether what failed was part of writing what is not missed, be it the flush of the folder that it is in."""
    calls = [call for call in (disk.failed, disk.before_that) if call]
    return any(name in call.path or name in call.other for call in calls for name in COURTESIES)


def is_told(result: Result, call: Call) -> None:
    """One sentence, a code of its own, no traceback."""
    assert (result.code, "Traceback" in result.err) == (1, False), (call, result.out, result.err)
    error = result.document["error"]
    assert error["code"] == "storage", (call, error)
    assert "\n" not in error["message"] and "bug" not in error["message"], error


def every_fault(run: Run, tmp_path: Path, command: Command) -> dict[str, float]:
    """Runs a command with each of its calls failing in turn, and once more without."""
    clean, disk = attempt(run, tmp_path / "clean", command)
    expected, calls = command.outcome(tmp_path / "clean"), disk.asked
    assert expected, clean.err
    told = forgiven = 0
    tried = range(0, calls, much(command.step, 1))
    for number in tried:
        for error in ERRORS if LONG else (ERRORS[number // command.step % len(ERRORS)],):
            home = tmp_path / f"fault-{number}-{error}"
            result, failed = attempt(run, home, command, (number, error))
            call = failed.failed
            if call is None:  # a courtesy more or less was written, since the clock went otherwise
                continue
            if result.code == clean.code:
                assert call.kind in FORGIVEN or is_courtesy(failed), (call, failed.before_that)
                assert command.outcome(home) == expected, call
                forgiven += 1
            else:
                is_told(result, call)
                told += 1
                command.sound(home)
                if call.kind not in FORGIVEN:
                    left = [path for path in tree_of(home) if HALF in path or path.startswith("stores/.")]
                    assert [path for path in left if not path.endswith(".lock")] == [], call
                done = run(*command.again(home))
                assert done.code == clean.code, (call, done.out, done.err)
                assert command.outcome(home) == expected, call
            shutil.rmtree(home)
    assert told > 3
    return {"calls": calls, "faults": told + forgiven, "told": told, "forgiven": forgiven}


def test_a_comparison_on_a_failing_disk(run: Run, tmp_path: Path, figures: Figures) -> None:
    command = Command(comparing, comparing_again, lambda home: what_came_of_it(home / "a"), step=17)
    figures(**every_fault(run, tmp_path, command))


def test_an_export_on_a_failing_disk(run: Run, hourly_csv: Path, tmp_path: Path, figures: Figures) -> None:
    pytest.importorskip("onnxruntime")
    options = [*SMALL, "--ahead", "1:3", "--rung", "mlp", "--epochs", "1", "--name", "a", "--quiet"]
    assert run("train", "forecast", hourly_csv, *options).code == 0

    def export(home: Path) -> list[object]:
        return ["export", "a", "--to", "onnx", "-o", home / "own", "--json"]

    figures(**every_fault(run, tmp_path, Command(export, export, exported, step=3)))


def test_a_store_of_a_table_on_a_failing_disk(run: Run, tmp_path: Path, figures: Figures) -> None:
    table = written(panel(5, (60, 40), 0.02, 0.02), tmp_path / "panel")

    def check(home: Path) -> list[object]:
        options = ["--series", "id", "--target", "a", "--store", "yes", "--cache-dir", home, "--json"]
        return ["data", "check", table, *options]

    figures(**every_fault(run, tmp_path, Command(check, check, stores, step=5, sound=stores)))


def test_the_stores_of_a_corpus_on_a_failing_disk(run: Run, tmp_path: Path, figures: Figures) -> None:
    book = tmp_path / "tunes.abc"
    book.write_text(tune_book(12))
    count = 0

    def learn(home: Path) -> list[object]:
        nonlocal count
        count += 1
        options = ["--rungs", "ngram", "--store", "yes", "--cache-dir", home, "--name", f"run-{count}", "--json"]
        return ["compare", "generate", book, *options, "--quiet"]

    figures(**every_fault(run, tmp_path, Command(learn, learn, stores, step=9, sound=stores)))


def test_an_update_on_a_failing_disk(run: Run, hourly: pl.DataFrame, tmp_path: Path, figures: Figures) -> None:
    hourly.head(400).write_csv("old.csv")
    hourly[400:401].write_csv("new.csv")
    hourly[401:402].write_csv("newer.csv")
    assert run("train", "forecast", "old.csv", *SMALL[:6], "--rung", "persistence", "--name", "f", "--quiet").code == 0
    assert run("predict", "f", "new.csv", "--update").code == 0

    def begin(home: Path) -> None:
        shutil.copytree(tmp_path / "runs" / "f", home)

    def update(home: Path) -> list[object]:
        return ["predict", home, "newer.csv", "--update", "--json"]

    def kept(home: Path) -> tuple[Any, int]:
        forecasts = logged_forecasts(home / "live")
        assert forecasts is not None
        return pl.read_parquet(home / "live" / ROWS)["time"].max(), forecasts.height

    def sound(home: Path) -> None:
        rows, forecasts = kept(home)
        assert (rows, forecasts) == before or forecasts == after[1], "no row without its forecasts"

    before = kept(tmp_path / "runs" / "f")
    begin(tmp_path / "after")
    assert run(*update(tmp_path / "after")).code == 0
    after = kept(tmp_path / "after")
    assert before[0] < after[0] and before[1] < after[1]
    figures(**every_fault(run, tmp_path, Command(update, update, kept, step=2, begin=begin, sound=sound)))
