"""Model folders: whole or not at all, the same after reading, nothing trusted."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from foretell.artefact import DOCUMENT, FORMAT, WEIGHTS, Artefact, read_artefact, write_artefact
from foretell.errors import InputError, StorageError, UnsafeFileError
from foretell.predictor import Predictor

ARTEFACT = Artefact("forecast", {"rung": "x"}, {"a": np.arange(3.0)}, {"scaling.json": {"mean": [1]}}, "# card")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "model"
    write_artefact(path, ARTEFACT)
    return path


def test_what_is_written_is_read(folder: Path) -> None:
    read = read_artefact(folder)
    assert read.task == "forecast"
    assert read.document["rung"] == "x"
    assert read.document["format"] == FORMAT
    assert "torch" in read.document["versions"]
    assert read.arrays["a"].tolist() == [0, 1, 2]
    assert read.files == {"scaling.json": {"mean": [1]}}
    assert sorted(path.name for path in folder.iterdir()) == [
        "README.md",
        "model.json",
        "scaling.json",
        "weights.safetensors",
    ]
    assert [path.name for path in folder.parent.iterdir()] == ["model"], "nothing is left beside it"


def test_nothing_is_overwritten(folder: Path) -> None:
    with pytest.raises(InputError, match="exists already"):
        write_artefact(folder, ARTEFACT)


def test_what_is_called_alike_stays_and_what_a_kill_left_goes(tmp_path: Path) -> None:
    for name in (".model.original", ".model.json.swp", ".model.half-done"):
        (tmp_path / name).mkdir()
    (tmp_path / ".model.0a1b2c3d.half").mkdir()
    write_artefact(tmp_path / "model", ARTEFACT)
    kept = [".model.half-done", ".model.json.swp", ".model.original", "model"]
    assert sorted(path.name for path in tmp_path.iterdir()) == kept


def test_what_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError):
        write_artefact(tmp_path / "file" / "model", ARTEFACT)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    ("spoil", "error", "message"),
    [
        (lambda path: (path / DOCUMENT).unlink(), InputError, "holds no model.json"),
        (lambda path: (path / DOCUMENT).write_text("{"), UnsafeFileError, "damaged"),
        (lambda path: (path / DOCUMENT).write_text("[" * 100_000), UnsafeFileError, "damaged"),
        (lambda path: (path / DOCUMENT).write_text("[]"), UnsafeFileError, "names no task"),
        (lambda path: (path / WEIGHTS).unlink(), UnsafeFileError, "cannot be read"),
        (lambda path: (path / WEIGHTS).write_bytes(b"\x80\x04pickle"), UnsafeFileError, "damaged"),
        (lambda path: os.truncate(path / WEIGHTS, 20), UnsafeFileError, "damaged"),
        (lambda path: (path / "vocabulary.json").symlink_to("/etc/hostname"), UnsafeFileError, "is a link"),
    ],
)
def test_damage_is_told(folder: Path, spoil: Callable[[Path], object], error: type[Exception], message: str) -> None:
    spoil(folder)
    with pytest.raises(error, match=message):
        read_artefact(folder)


def rewrite(folder: Path, **changes: object) -> None:
    document = json.loads((folder / DOCUMENT).read_text())
    (folder / DOCUMENT).write_text(json.dumps({**document, **changes}))


@pytest.mark.parametrize("version", ["99.0", "1.99", "newest", None])
def test_a_newer_format_is_refused(folder: Path, version: object) -> None:
    rewrite(folder, format=version)
    with pytest.raises(UnsafeFileError, match="upgrade"):
        read_artefact(folder)


def test_an_unknown_task_or_contradiction_is_refused(folder: Path) -> None:
    with pytest.raises(UnsafeFileError, match="damaged"):
        Predictor(folder)
    rewrite(folder, task="os.system")
    with pytest.raises(UnsafeFileError, match="unknown task"):
        Predictor(folder)
