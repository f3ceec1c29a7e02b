"""Killed while it saves: whatever stands at its final name is whole, work goes on, and one interval is lost at most."""

import os
import random
import shutil
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmarks.corpora.tunes import tune_book

from foretell import runs
from foretell.artefact import DOCUMENT, read_artefact
from foretell.cli.main import main
from foretell.data.cache import kept_as
from foretell.files import HALF
from foretell.tasks.recall.config import Configuration
from foretell.training.checkpoints import FILE
from foretell.training.curves import CURVE, curve_of

from ..tasks.commands import SMALL
from ..unit.test_store import panel, written
from .amounts import Figures, much
from .killed_work import BEGUN, MADE, carry_out, stores_in
from .test_crashed_commands import steps_in, without_clocks
from .tiny_trainings import STEPS

KILLS = much(3, 75)  # of each kind of work
MOST_KILLS = 20  # until at least one thing was whole before
PATIENCE_SECONDS = 120.0
LONGEST_WAIT = 1.5  # seconds of work before a kill, more where nothing comes to its end in that time


def until(true: Callable[[], bool], process: Any, seconds: float = 0.002) -> None:
    """Waits for something that a process does, or for its end."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not true() and process.is_alive():
        assert time.monotonic() < end
        time.sleep(seconds)


class Kills:
    """Kills of one kind of work.

    Args:
        processes: Where they come from.
        kind: Of work.
        home: Where it is done.
    """

    def __init__(self, processes: Any, kind: str, home: Path) -> None:
        self.processes, self.kind, self.home = processes, kind, home
        self.chance = random.Random(kind)
        self.kills, self.saving, self.ended = 0, 0, 0
        self.longest = LONGEST_WAIT
        self.left = set[Path]()  # what kills before this one left

    def carried_out(self, *, killed: bool) -> bool:
        """Has work done; whether it came to its end before it was killed."""
        (self.home / BEGUN).unlink(missing_ok=True)
        process = self.processes.Process(target=carry_out, args=(self.kind, str(self.home)))
        process.start()
        if killed:
            until((self.home / BEGUN).exists, process)
            time.sleep(self.chance.uniform(0.0, self.longest))
            if self.kills % 3:  # two of three strike while something is half-written, wherever they find it
                until(lambda: any(self.half_written()), process, 0.0)
            with suppress(ProcessLookupError):  # it may have come to its end just now
                os.kill(process.pid, signal.SIGKILL)
        process.join(PATIENCE_SECONDS)
        if process.exitcode == -signal.SIGKILL:
            self.kills += 1
            self.saving += any(self.half_written())
            self.left |= set(self.half_written())
            return False
        assert process.exitcode == 0
        self.ended += 1
        return True

    def half_written(self) -> list[Path]:
        """What is under way, or was when it was killed; what was left by kills before is not told again."""
        while True:
            with suppress(FileNotFoundError):  # a folder was put in place, or taken away, while it was looked at
                found = [*self.home.rglob(f".*{HALF}*"), *self.home.glob("cache-*/stores/.*.*.*.*")]
                return [path for path in found if path not in self.left]

    def figures(self) -> dict[str, float]:
        return {"kills": self.kills, "while_saving": self.saving}


def test_a_training(processes: Any, tmp_path: Path, figures: Figures) -> None:
    whole = tmp_path / "whole"
    whole.mkdir()
    assert Kills(processes, "train", whole).carried_out(killed=False)
    home = tmp_path / "killed"
    kills, most, before = Kills(processes, "train", home), 0, 0
    home.mkdir()
    while kills.kills < KILLS or not kills.ended:
        if not kills.carried_out(killed=kills.kills < KILLS):
            made = int(np.fromfile(home / MADE, np.int64).sum()) if (home / MADE).exists() else 0
            kept = steps_in(home / "run" / "checkpoint" / FILE, STEPS)
            assert kept >= before, "a checkpoint went back"
            most, before = max(most, made - kept), kept
            curve_of(home / "run")
            continue
        assert (home / "final.safetensors").read_bytes() == (whole / "final.safetensors").read_bytes()
        assert without_clocks(curve_of(home / "run")) == without_clocks(curve_of(whole / "run"))
        assert not list((home / "run").rglob(".*")), "nothing half-written is left"
        if kills.kills < KILLS:
            shutil.rmtree(home)
            home.mkdir()
            before = 0
    assert most <= 1, "one step lies between two checkpoints"
    figures(**kills.figures(), most_steps_lost=most)


def compared(folder: Path) -> dict[str, Any]:
    """What a comparison came to, without clocks; all that is there must be whole."""
    models = [path.parent for path in folder.rglob(DOCUMENT) if HALF not in str(path)]
    weights = {
        str(path.relative_to(folder)): {name: own.tobytes() for name, own in read_artefact(path).arrays.items()}
        for path in models
    }
    curves = {str(path.relative_to(folder)): without_clocks(curve_of(path.parent)) for path in folder.rglob(CURVE)}
    for path in folder.rglob(FILE):
        steps_in(path, 1)
    Configuration.build(file=folder / "config.toml", environment={})
    board = runs.leaderboard_of(folder)
    rows = (
        [{key: value for key, value in row.items() if key not in ("seconds", "run")} for row in board["rows"]]
        if board
        else []
    )
    return {"weights": weights, "curves": curves, "rows": rows}


def test_a_comparison(processes: Any, tmp_path: Path, figures: Figures) -> None:
    whole = tmp_path / "whole"
    whole.mkdir()
    assert Kills(processes, "compare", whole).carried_out(killed=False)
    expected = compared(whole / "runs" / "a")
    assert expected["rows"] and expected["weights"]
    home = tmp_path / "killed"
    home.mkdir()
    kills = Kills(processes, "compare", home)
    while kills.kills < KILLS or not kills.ended:
        ended = kills.carried_out(killed=kills.kills < KILLS)
        listed = runs.listing(home / "runs")
        assert [run["state"] for run in listed] in ([], ["unfinished"], ["done"])
        if listed:
            found = compared(home / "runs" / "a")
            assert found["rows"] in ([], expected["rows"])
        if ended or [run["state"] for run in listed] == ["done"]:
            assert found == expected
            shutil.rmtree(home / "runs")
    figures(**kills.figures())


def test_exports(processes: Any, hourly_csv: Path, tmp_path: Path, figures: Figures) -> None:
    runtime = pytest.importorskip("onnxruntime")
    options = [*SMALL, "--ahead", "1:3", "--rung", "mlp", "--epochs", "1", "--name", "a", "--quiet"]
    with pytest.raises(SystemExit) as stopped:
        main(["train", "forecast", str(hourly_csv), *options, "--runs-dir", str(tmp_path / "runs")])
    assert not stopped.value.code
    home = tmp_path / "killed"
    shutil.copytree(tmp_path / "runs" / "a" / "model", home / "model")
    kills, seen = Kills(processes, "export", home), set[Path]()
    while kills.kills < KILLS or (not seen and kills.kills < MOST_KILLS):
        assert not kills.carried_out(killed=True)
        for folder in set(home.glob("exports/[0-9]*")) - seen:
            assert sorted(path.name for path in folder.iterdir()) == ["README.md", "model.onnx"]
            assert (folder / "README.md").read_text().endswith(".\n")
            runtime.InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])
            seen.add(folder)
        kills.longest *= 1 if seen else 2
    assert seen
    figures(**kills.figures(), exports=len(seen))


def test_stores(processes: Any, tmp_path: Path, figures: Figures) -> None:
    home = tmp_path / "killed"
    written(panel(5, (60, 40), 0.02, 0.02), home / "panel")
    (home / "tunes.abc").write_text(tune_book(12))
    expected = stores_in(home, tmp_path / "whole")
    kills, seen, again = Kills(processes, "store", home), 0, 0
    while kills.kills < KILLS or (not seen and kills.kills < MOST_KILLS):
        assert not kills.carried_out(killed=True)
        for cache in home.glob("cache-*"):
            for folder in (own for own in (cache / "stores").glob("[0-9a-f]*") if own.is_dir()):
                assert kept_as(folder.name, cache) is not None, "one that stands at its name is whole"
                seen += 1
            again += bool(list((cache / "stores").glob(".*"))) or len(list((cache / "stores").glob("[0-9a-f]*"))) < 3
            assert stores_in(home, cache) == expected
            shutil.rmtree(cache)
        kills.longest *= 1 if seen else 2
    assert seen
    figures(**kills.figures(), whole=seen, made_again=again)
