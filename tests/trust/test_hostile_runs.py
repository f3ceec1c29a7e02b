"""Run folders from anywhere that are gone on with: what a rung, its curve or its options say is checked before it counts."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from foretell.cli.main import main
from foretell.config import TaskConfiguration
from foretell.errors import UnsafeFileError
from foretell.training.curves import CURVE, RATES, curve_of, kept_rate
from foretell.untrusted import read_toml

from ..tasks.commands import SMALL, Run
from .hostile_models import saying, writing
from .made_models import begin_again
from .test_crashed_commands import TINY

Spoil = Callable[[Path], object]
RECORD: dict[str, Any] = {"epoch": 1, "train": {"loss": 1.0}, "validation": {"loss": 1.0}, "seconds": 1.0}


def curve(**other: object) -> Spoil:
    """A learning curve of one epoch that says something else."""
    return lambda folder: (folder / CURVE).write_text(json.dumps({**RECORD, **other}) + "\n")


def of_another(folder: Path) -> None:
    """The model of another rung in place of its own."""
    shutil.rmtree(folder / "model")
    shutil.copytree(folder.parent / "rnn" / "model", folder / "model")


def of_other_options(folder: Path) -> None:
    """What says that it learned otherwise than its weights show."""
    saying("model/model.json", "config", "recall", "symbols", value=9)(folder)


RUNGS: dict[str, Spoil] = {
    "seconds that are words": curve(seconds="os:system"),
    "seconds without end": curve(seconds=float("inf")),
    "a loss that is a list": curve(train={"loss": []}),
    "a loss of hundreds of digits": curve(validation={"loss": 10**400}),
    "no losses": curve(validation=[1.0]),
    "an epoch that is far away": curve(epoch=10**400),
    "a curve that is none": writing(CURVE, b'{"epoch": ' * 100_000),
    "metrics that are a list": saying("model/model.json", "metrics", value=[1.0]),
    "a time that is none": saying("model/model.json", "metrics", "seconds", value=float("nan")),
    "another task's model": saying("model/model.json", "task", value="forecast"),
    "other data": saying("model/model.json", "data", "fingerprint", value="0" * 64),
    "another rung's model": of_another,
    "other options": of_other_options,
    "weights that are none": writing("model/weights.safetensors", b"\x80\x04."),
}


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A comparison that was stopped as it wrote its end."""
    runs = tmp_path_factory.mktemp("runs")
    with pytest.raises(SystemExit) as stopped:
        main(["compare", "recall", *TINY, "--runs-dir", str(runs), "--name", "a"])
    assert not stopped.value.code
    begin_again(runs / "a")
    (runs / "a" / "leaderboard.json").unlink()
    shutil.rmtree(runs / "a" / "model")
    return runs


@pytest.mark.parametrize("what", RUNGS)
def test_a_spoilt_rung_is_refused(what: str, sound: Path, run: Run, tmp_path: Path) -> None:
    shutil.copytree(sound, tmp_path / "runs")
    RUNGS[what](tmp_path / "runs" / "a" / "gru")
    done = run("compare", "--resume", "a", "--runs-dir", tmp_path / "runs", "--json")
    assert done.code == 5, (done.out, done.err)
    assert not (tmp_path / "runs" / "a" / "leaderboard.json").exists()


def test_what_is_sound_goes_on(sound: Path, run: Run, tmp_path: Path) -> None:
    shutil.copytree(sound, tmp_path / "runs")
    assert run("compare", "--resume", "a", "--runs-dir", tmp_path / "runs", "--json").code == 0


@pytest.mark.parametrize(
    "make",
    [
        os.mkfifo,
        Path.mkdir,
        lambda path: path.symlink_to("/dev/zero"),
        lambda path: path.write_text("[data]\nx = \x00"),
    ],
    ids=["pipe", "folder", "link", "damage"],
)
def test_options_of_a_run_are_a_plain_file(make: Spoil, sound: Path, run: Run, tmp_path: Path) -> None:
    shutil.copytree(sound, tmp_path / "runs")
    (tmp_path / "runs" / "a" / "config.toml").unlink()
    make(tmp_path / "runs" / "a" / "config.toml")
    done = run("compare", "--resume", "a", "--runs-dir", tmp_path / "runs", "--json")
    assert done.code == 5, (done.out, done.err)


def test_no_folder_sends_data_to_a_cluster(sound: Path, run: Run, tmp_path: Path) -> None:
    shutil.copytree(sound, tmp_path / "runs")
    options = tmp_path / "runs" / "a" / "config.toml"
    options.write_text(options.read_text().replace('on = "here"', 'on = "ray://127.0.0.1:9"'))
    resumed = ["compare", "--resume", "a", "--runs-dir", tmp_path / "runs", "--json"]
    refused = run(*resumed)
    assert refused.code == 3 and "say --on ray://127.0.0.1:9 if you trust both" in refused.document["error"]["message"]
    assert run(*resumed, "--on", "here").code == 0


@pytest.mark.parametrize("name", ["checkpoint", "checkpoint/state.safetensors", "metrics.jsonl", "model"])
def test_nothing_is_written_through_a_link(name: str, sound: Path, run: Run, tmp_path: Path) -> None:
    shutil.copytree(sound, tmp_path / "runs")
    path, elsewhere = tmp_path / "runs" / "a" / "gru" / name, tmp_path / "elsewhere"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    done = run("compare", "--resume", "a", "--runs-dir", tmp_path / "runs", "--json")
    assert done.code == 5, (done.out, done.err)
    assert "is a link" in done.document["error"]["message"]


def test_options_of_a_run_are_few(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("[training]\n" + "# \n" * 600_000)
    with pytest.raises(UnsafeFileError, match="larger than"):
        TaskConfiguration.build(file=tmp_path / "config.toml", read=read_toml)


@pytest.mark.parametrize(
    "told",
    [
        {"rates": ["a"], "losses": [1.0], "chosen": 0.1},
        {"rates": [0.1], "losses": [[]], "chosen": 0.1},
        {"rates": [0.1], "losses": [1.0], "chosen": "0.1"},
        {"rates": [0.1], "losses": [10**400], "chosen": 0.1},
    ],
)
def test_rates_are_numbers(told: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / RATES).write_text(json.dumps(told))
    with pytest.raises(UnsafeFileError, match=r"rates\.json is damaged"):
        kept_rate(tmp_path)


def test_a_curve_is_of_one_epoch_after_the_other(tmp_path: Path) -> None:
    lines = [json.dumps({**RECORD, "epoch": epoch}) for epoch in (1, 3)]
    (tmp_path / CURVE).write_text("\n".join(lines))
    with pytest.raises(UnsafeFileError, match="its record 2 is not that of epoch 2"):
        curve_of(tmp_path)


@pytest.mark.parametrize("name", ["live", "model", "live/rows.parquet"])
def test_a_model_that_follows_its_series_writes_through_no_link(
    name: str, run: Run, hourly_csv: Path, tmp_path: Path
) -> None:
    assert run("train", "forecast", hourly_csv, *SMALL[:6], "--rung", "persistence", "--name", "f").code == 0
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "runs" / "f" / "live").mkdir()
    path = tmp_path / "runs" / "f" / name
    if path.exists():
        path.rename(tmp_path / "elsewhere" / "own")
    path.symlink_to(tmp_path / "elsewhere" / "own")
    before = sorted(own.name for own in (tmp_path / "elsewhere").rglob("*"))
    refused = run("predict", "f", hourly_csv, "--update", "--json")
    assert refused.code == 5 and "is a link" in refused.document["error"]["message"]
    assert sorted(own.name for own in (tmp_path / "elsewhere").rglob("*")) == before
