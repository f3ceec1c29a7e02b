"""After a power cut at any moment of a training, a comparison or an export, it goes on to the very same end."""

import json
import os
import random
import shutil
from pathlib import Path
from typing import Any

import pytest
from safetensors import safe_open

from foretell.artefact import WEIGHTS
from foretell.training.checkpoints import FILE
from foretell.training.curves import CURVE

from ..tasks.commands import SMALL, Run
from ..unit.test_training import fit
from .amounts import Figures, much
from .crash_states import crash_states, make_again
from .recorded_disk import Call, Disk, Tree, needs_proc

pytestmark = needs_proc
OPTIONS: dict[str, Any] = {"epochs": 2, "steps_per_epoch": 3, "optimiser": "adam", "average_last": 2, "threads": 1}
MODELS = ("model", "chance/model", "rnn/model", "gru/model")
TINY = ["--gap", "3", "--symbols", "4", "--training-sequences", "40", "--validation-sequences", "20"]
TINY += ["--test-sequences", "20", "--units", "3", "--epochs", "2", "--batch-size", "20", "--threads", "1"]
TINY += ["--checkpoint-seconds", "0", "--rungs", "rnn,gru", "--patience", "0", "--quiet"]


def steps_in(file: Path, steps: int) -> int:
    """The steps of the training that a checkpoint holds; none where there is none."""
    if not file.exists():
        return 0
    with safe_open(file, "pt") as stored:
        position = json.loads(stored.metadata()["position"])
    return int(position["epoch"]) * steps + int(position["step"])


def flushed(calls: list[Call], folder: str) -> list[int]:
    """After each number of calls, how many checkpoints are sure to have been kept."""
    found, renamed, sure = [0], 0, 0
    for call in calls:
        renamed += call.kind == "rename" and call.other == f"{folder}/{FILE}"
        sure = renamed if call.kind == "sync" and call.path == folder else sure
        found.append(sure)
    return found


def test_a_training_goes_on_from_whatever_a_power_cut_leaves(tmp_path: Path, figures: Figures) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    with Disk(folder) as disk:
        network, whole = fit(folder, checkpoint_seconds=0.0, **OPTIONS)
    expected = {name: weight.tolist() for name, weight in network.state_dict().items()}
    sure = flushed(disk.calls, "checkpoint")
    assert sure[-1] == 6, "one a step"
    count = 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        for done, tree in crash_states(disk.before, disk.calls):
            again = make_again(tree, tmp_path / "again")
            assert steps_in(again / "checkpoint" / FILE, 3) >= sure[done], "a checkpoint that was flushed is gone"
            resumed, result = fit(again, checkpoint_seconds=1e9, **OPTIONS)
            assert {name: weight.tolist() for name, weight in resumed.state_dict().items()} == expected
            assert without_clocks(result.history) == without_clocks(whole.history)
            assert len((again / CURVE).read_text().splitlines()) == 2
            assert not list(again.glob("checkpoint/.*")), "what was half-written is gone"
            shutil.rmtree(again)
            count += 1
    assert count > 60
    figures(calls=len(disk.calls), states=count)


def test_a_comparison_goes_on_from_whatever_a_power_cut_leaves(run: Run, tmp_path: Path, figures: Figures) -> None:
    home = tmp_path / "runs"
    home.mkdir()
    with Disk(home) as disk:
        assert run("compare", "recall", *TINY, "--runs-dir", home, "--name", "a").code == 0
    expected = what_came_of_it(home / "a")
    begun = unfinished = 0
    tried, known = sampled(disk, much(4, 300))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        for number, tree in enumerate(tried):
            again = make_again(tree, tmp_path / f"state-{number}")
            listed = run("runs", "list", "--runs-dir", again, "--json")
            assert listed.code == 0, listed.err
            (state,) = [own["state"] for own in listed.document["runs"]] or ["none"]
            if state == "none":
                resumed = run("compare", "recall", *TINY, "--runs-dir", again, "--name", "a")
            else:
                begun += 1
                resumed = run("compare", "--resume", "a", "--runs-dir", again, "--quiet")
            if state == "done":
                assert "nothing to resume" in resumed.err
            else:
                unfinished += 1
                assert resumed.code == 0, resumed.err
                assert not list((again / "a").rglob(".*")), "what was half-written is gone"
            assert what_came_of_it(again / "a") == expected
            shutil.rmtree(again)
    assert begun and unfinished
    figures(calls=len(disk.calls), states=known, tried=len(tried))


def test_an_export_is_there_as_a_whole_or_not_at_all(
    run: Run, hourly_csv: Path, tmp_path: Path, figures: Figures
) -> None:
    pytest.importorskip("onnxruntime")
    options = [*SMALL, "--ahead", "1:3", "--rung", "mlp", "--epochs", "1", "--name", "a", "--quiet"]
    assert run("train", "forecast", hourly_csv, *options).code == 0
    home = tmp_path / "exports"
    home.mkdir()
    with Disk(home) as disk:
        assert run("export", "a", "--to", "onnx", "-o", home / "x" / "own").code == 0
    names = {"README.md", "model.onnx"}
    whole = {f"x/own/{name}": (home / "x" / "own" / name).read_bytes() for name in names}
    count = 0
    for done, tree in crash_states(disk.before, disk.calls):
        there = {path: content for path, content in tree.items() if path.startswith("x/own/")}
        assert there == whole or (not there and "x/own" not in tree and done < len(disk.calls)), sorted(tree)
        count += 1
    assert count > 10
    figures(calls=len(disk.calls), states=count)


def sampled(disk: Disk, most: int) -> tuple[list[Tree], int]:
    """Some of the states of a long trace, one at each of so many moments; and how many there are at these."""
    chance, known = random.Random(0), 0
    found = []
    for moment in range(0, len(disk.calls) + 1, max(1, len(disk.calls) // most)):
        states = [tree for _, tree in crash_states(disk.before, disk.calls, (moment,))]
        found.append(chance.choice(states))
        known += len(states)
    return found, known


def without_clocks(history: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A learning curve without its clocks."""
    return [{key: value for key, value in own.items() if key not in ("seconds", "per_second")} for own in history]


def what_came_of_it(folder: Path) -> dict[str, Any]:
    """The weights and the leaderboard of a comparison, without its clocks and places."""
    board = json.loads((folder / "leaderboard.json").read_text())
    rows = [{key: value for key, value in row.items() if key not in ("seconds", "run")} for row in board["rows"]]
    models = {str(path): (folder / path / WEIGHTS).read_bytes() for path in map(Path, MODELS)}
    curves = [
        without_clocks([json.loads(line) for line in (folder / rung / CURVE).read_text().splitlines()])
        for rung in ("rnn", "gru")
    ]
    return {"rows": rows, "best": board["best"], "models": models, "curves": curves}


def test_a_search_goes_on_wherever_its_study_was_cut(run: Run, tmp_path: Path, figures: Figures) -> None:
    pytest.importorskip("optuna")
    options = [*TINY[: TINY.index("--rungs")], "--rung", "rnn", "--search", "units=3..5", "--trials", "2", "--quiet"]
    assert run("tune", "recall", *options, "--name", "whole").code == 0
    whole = tmp_path / "runs" / "whole"
    study = (whole / "study.jsonl").read_bytes()
    chance, many = random.Random(0), much(1, 40)
    for number in range(many):
        cut = tmp_path / "runs" / f"cut-{number}"
        shutil.copytree(whole, cut)
        place = chance.randrange(len(study) * number // many, len(study) * (number + 1) // many)
        (cut / "study.jsonl").write_bytes(study[: place - (study[place - 1 : place] == b"\n")])  # within a line
        (cut / "study.jsonl.lock").touch()
        (cut / "leaderboard.json").unlink()
        shutil.rmtree(cut / "model")
        (cut / "run.json").write_text(json.dumps({**json.loads((cut / "run.json").read_text()), "finished": None}))
        resumed = run("tune", "--resume", cut.name, "--json")
        assert resumed.code == 0, (place, resumed.out)
        assert resumed.document["tuning"]["trials"], resumed.document
        # What was added to it is read again.
        assert all(json.loads(line) for line in (cut / "study.jsonl").read_bytes().splitlines())
    figures(cuts=many, bytes=len(study))
