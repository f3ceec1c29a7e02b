"""Checking model folders from anywhere: sound ones of every task, and all that makes one not to be trusted."""

import hashlib
import json
import os
import pickle
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from .commands import SMALL, Run
from .made_texts import frame

OLD = Path(__file__).parents[1] / "old_models"


@pytest.fixture(scope="module")
def trained_once(tmp_path_factory: pytest.TempPathFactory, hourly_csv: Path) -> Path:
    """The run of a small forecaster."""
    import foretell as ft

    home = tmp_path_factory.mktemp("model")
    options: dict[str, Any] = {"target": "T (degC)", "lookback": "12", "ahead": "3", "units": "3", "epochs": 1}
    ft.Forecaster("gru", **options).fit(str(hourly_csv)).save(home / "gru")
    return home / "gru"


@pytest.fixture
def model(trained_once: Path, tmp_path: Path) -> Path:
    """A copy of it, to be damaged."""
    return shutil.copytree(trained_once, tmp_path / "model")


def test_a_sound_folder_is_told_as_it_is(model: Path, run: Run) -> None:
    found = run("model", "check", model, "--json")
    assert found.code == 0, found.err
    told = found.document
    assert (told["sound"], told["task"], told["rung"], told["card"]) == (True, "forecast", "gru", True)
    assert {own["name"] for own in told["files"]} == {path.name for path in model.iterdir()}
    for own in told["files"]:
        content = (model / own["name"]).read_bytes()
        assert (own["bytes"], own["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
        assert own["belongs"]
    assert all(own["made"] == own["here"] for own in told["versions"])
    assert told["weights"]["numbers"] == sum(own.size for own in load_file(model / "weights.safetensors").values())
    assert (told["answer"]["answered"], told["notes"], told["strangers"]) == (True, [], [])
    assert run("model", "check", model, "--quiet").out == f"{model}: sound\n"
    assert "answers an example, in" in run("model", "check", model).out


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("notes.txt", b"hello", "a file that is no part of the model"),
        ("run.py", b"print()", "a program"),
        ("start", b"#!/bin/sh\n", "a program"),
        ("more.json", b"{}", "a file that is no part of the model"),
    ],
)
def test_what_is_strange_is_a_note(name: str, content: bytes, what: str, model: Path, run: Run) -> None:
    (model / name).write_bytes(content)
    found = run("model", "check", model, "--json")
    assert found.code == 0
    assert found.document["strangers"] == [{"name": name, "what": what, "dangerous": False}]
    assert f"note: {name} is {what}" in run("model", "check", model).out


def test_a_missing_card_and_other_versions_are_notes(model: Path, run: Run) -> None:
    (model / "README.md").unlink()
    document = json.loads((model / "model.json").read_text())
    (model / "model.json").write_text(json.dumps({**document, "versions": {**document["versions"], "torch": "1.0"}}))
    (model / "folder").mkdir()
    found = run("model", "check", model, "--json")
    assert (found.code, found.document["card"]) == (0, False)
    told = " ".join(found.document["notes"])
    assert all(part in told for part in ("it has no card", "other versions of torch", "folder is a folder"))


@pytest.mark.parametrize("length", [128, 384, 640, 896, 1152, 1408])
def test_weights_whose_length_looks_like_a_pickle_are_none(length: int, model: Path, run: Run) -> None:
    content = (model / "weights.safetensors").read_bytes()
    had = int.from_bytes(content[:8], "little")
    whole = length >= had
    if not whole:  # a header that is too long for this length: one array makes a shorter one
        save_file({"a": np.zeros(3, np.float32)}, model / "weights.safetensors")
        content = (model / "weights.safetensors").read_bytes()
        had = int.from_bytes(content[:8], "little")
    padded = length.to_bytes(8, "little") + content[8 : 8 + had].ljust(length) + content[8 + had :]
    (model / "weights.safetensors").write_bytes(padded)
    assert padded[0] == 0x80
    assert padded[1] <= 5
    assert load_file(model / "weights.safetensors")
    found = run("model", "check", model, "--json")
    assert "pickle" not in found.out
    assert found.code == (0 if whole else 5), found.out


def test_a_pickle_behind_a_crowd_is_found_out(model: Path, run: Run) -> None:
    for number in range(60):
        (model / f"a{number}.txt").write_text("a")
    crowded = run("model", "check", model)
    assert (crowded.code, crowded.out.count("note: "), "and 50 more" in crowded.out) == (0, 11, True)
    (model / "z.dat").write_bytes(pickle.dumps({}))
    assert "z.dat (a pickle" in run("model", "check", model).err
    for number in range(60, 1200):
        (model / f"a{number}.txt").write_text("a")
    found = run("model", "check", model)
    assert (found.code, "more than 100 files and folders" in found.err) == (5, True)


@pytest.mark.parametrize("name", ["a.bin", "a.npy", "A.NPZ", "a.joblib"])
def test_what_may_hold_a_pickle_is_not_to_be_trusted(name: str, model: Path, run: Run) -> None:
    (model / name).write_bytes(b"anything")
    found = run("model", "check", model)
    assert (found.code, "a pickle, which runs code" in found.err) == (5, True)


def test_folders_that_never_end_are_not_followed(model: Path, run: Run, tmp_path: Path) -> None:
    os.chdir(model)
    for _ in range(1500):
        Path("a").mkdir()
        os.chdir("a")
    os.chdir(tmp_path)
    found = run("model", "check", model)
    assert (found.code, "folders within folders" in found.err) == (5, True), found.err
    # What removes temporary folders follows each folder by a call of its own, and would not come back.
    os.chdir(model)
    for _ in range(1499):
        os.chdir("a")
    for _ in range(1499):
        Path("a").rmdir()
        os.chdir("..")
    os.chdir(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="the root user reads every folder")
def test_a_folder_that_cannot_be_read(model: Path, run: Run) -> None:
    (model / "closed").mkdir()
    (model / "closed").chmod(0)
    found = run("model", "check", model)
    (model / "closed").chmod(0o755)
    assert (found.code, "closed cannot be read" in found.err) == (5, True), found.err


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("versions", ["x"]),
        ("versions", "x"),
        ("versions", {"torch": 3}),
        ("format", "1.²"),
        ("format", "1." + "1" * 5000),
    ],
)
def test_documents_that_say_nonsense_are_damaged(key: str, value: object, model: Path, run: Run) -> None:
    document = json.loads((model / "model.json").read_text())
    (model / "model.json").write_text(json.dumps({**document, key: value}))
    found = run("model", "check", model, "--json")
    assert (found.code, found.document["error"]["code"]) == (5, "unsafe-file"), found.out
    assert key in found.document["error"]["message"]
    assert len(found.document["error"]["message"]) < 400


@pytest.mark.parametrize(
    ("name", "key", "value", "told"),
    [
        ("model.json", "windows", None, "model.json or scaling.json or vocabulary.json holds a value of another kind"),
        (
            "model.json",
            "config",
            {"data": {"max_missing": "x"}},
            "config in model.json must be options of its task; data.max_missing",
        ),
        ("scaling.json", "targets", None, "holds a value of another kind than belongs there"),
    ],
)
def test_damaged_documents_are_told_by_name(
    name: str, key: str, value: object, told: str, model: Path, run: Run
) -> None:
    document = json.loads((model / name).read_text())
    (model / name).write_text(json.dumps({**document, key: value}))
    found = run("model", "check", model)
    assert (found.code, f"{model}: the model folder is damaged: " in found.err, told in found.err) == (5, True, True), (
        found.err
    )
    assert "Error:" not in found.err.removeprefix("Error:")


def test_other_documents_are_not_opened(model: Path, run: Run) -> None:
    (model / "more.json").write_text("{ no JSON")
    found = run("model", "check", model)
    assert (found.code, "more.json is a file that is no part of the model" in found.out) == (0, True), found.err


def test_names_from_anywhere_obey_no_terminal(model: Path, run: Run) -> None:
    (model / "a\x1b[31mred").write_text("a")
    Path(os.fsdecode(os.fsencode(model) + b"/caf\xe9.txt")).write_text("a")
    document = json.loads((model / "model.json").read_text())
    made = {**document["versions"], "torch": "1\x1b[2J"}
    (model / "model.json").write_text(json.dumps({**document, "versions": made}))
    told, found = run("model", "check", model), run("model", "check", model, "--json")
    assert (told.code, found.code) == (0, 0), told.err
    assert "\x1b" not in told.out + found.out + told.err
    assert {"a\\x1b[31mred", "caf\\xe9.txt"} <= {own["name"] for own in found.document["strangers"]}
    assert "caf\\xe9.txt is a file" in told.out
    (model / "\x1b[2J.pkl").write_text("a")
    refused = run("model", "check", model)
    assert (refused.code, "\\x1b[2J.pkl (a pickle" in refused.err, "\x1b" in refused.err) == (5, True, False)


@pytest.mark.parametrize("where", ["extra.pkl", "extra.bin", "below/extra.dat"])
def test_a_pickle_is_not_to_be_trusted(where: str, model: Path, run: Run) -> None:
    (model / where).parent.mkdir(exist_ok=True)
    (model / where).write_bytes(pickle.dumps({"a": [1, 2]}))
    found = run("model", "check", model, "--json")
    assert (found.code, found.document["error"]["code"]) == (5, "unsafe-file")
    assert found.document["error"]["details"]["strangers"][0]["name"] == where
    assert f"{where} (a pickle, which runs code when it is opened)" in found.document["error"]["message"]


def test_a_pickle_in_an_archive_is_one_as_well(model: Path, run: Run) -> None:
    torch.save({"a": torch.zeros(2)}, model / "weights.bin")
    assert "weights.bin (a pickle" in run("model", "check", model).err
    (model / "weights.bin").unlink()
    with zipfile.ZipFile(model / "texts.zip", "w") as archive:
        archive.writestr("a.txt", "hello")
    assert run("model", "check", model).code == 0


@pytest.mark.parametrize("name", ["vocabulary.json", "weights.safetensors", "README.md", "elsewhere"])
def test_a_link_is_not_to_be_trusted(name: str, model: Path, run: Run, tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_bytes((model / name).read_bytes() if (model / name).exists() else b"{}")
    (model / name).unlink(missing_ok=True)
    (model / name).symlink_to(target)
    found = run("model", "check", model)
    assert (found.code, f"{name} (a link)" in found.err) == (5, True), found.err


def test_a_pipe_is_never_opened(model: Path, run: Run) -> None:
    os.mkfifo(model / "vocabulary.json")
    found = run("model", "check", model)
    assert (found.code, "vocabulary.json (no plain file)" in found.err) == (5, True)


@pytest.mark.parametrize("damage", ["no number", "another network", "cut short", "of tomorrow", "no JSON"])
def test_a_damaged_folder_is_not_sound(damage: str, model: Path, run: Run) -> None:
    weights = load_file(model / "weights.safetensors")
    if damage == "no number":
        save_file({name: np.full_like(own, np.nan) for name, own in weights.items()}, model / "weights.safetensors")
    elif damage == "another network":
        save_file({**weights, "more": np.zeros(3, np.float32)}, model / "weights.safetensors")
    elif damage == "cut short":
        content = (model / "weights.safetensors").read_bytes()
        (model / "weights.safetensors").write_bytes(content[: len(content) // 2])
    elif damage == "of tomorrow":
        text = (model / "model.json").read_text()
        (model / "model.json").write_text(text.replace('"format": "1', '"format": "9', 1))
    else:
        (model / "scaling.json").write_text("{")
    found = run("model", "check", model, "--json")
    assert (found.code, found.document["error"]["code"]) == (5, "unsafe-file"), found.out


def test_a_folder_that_is_none(run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("a")
    (tmp_path / "dangling").mkdir()
    (tmp_path / "dangling" / "model.json").symlink_to(tmp_path / "gone.json")
    (tmp_path / "hollow" / "model").mkdir(parents=True)
    for name in ("empty", "file", "dangling", "hollow"):
        found = run("model", "check", tmp_path / name)
        assert (found.code, f"{name} is no model folder: it holds no model.json" in found.err) == (3, True), found.err
    assert run("model", "check", "no-such-run").code == 3


@pytest.mark.parametrize("folder", sorted(OLD.iterdir()), ids=lambda folder: folder.name)
def test_old_models_are_sound(folder: Path, run: Run) -> None:
    found = run("model", "check", folder, "--json")
    assert (found.code, found.document["answer"]["answered"]) == (0, True), found.err


def test_models_of_all_tasks_answer(hourly_csv: Path, shops: Path, run: Run, tmp_path: Path) -> None:
    frame(60).write_csv("texts.csv")
    Path("corpus.txt").write_text("the quick brown fox jumps over the lazy dog. " * 60)
    rows = [f"der Hund {number % 7} rennt\tthe dog {number % 7} runs {number}" for number in range(80)]
    Path("pairs.tsv").write_text("de\ten\n" + "\n".join(rows) + "\n")
    known = ["--target", "sales", "--series", "shop", "--known", "plan", "--static", "kind", "--lookback", "24"]
    trained: dict[str, list[object]] = {
        "a": ["forecast", hourly_csv, *SMALL, "--rung", "climatology"],
        "b": ["forecast", shops, *known, "--ahead", "6", "--rung", "mlp", "--epochs", "1", "--calendar"],
        "c": ["classify", "texts.csv", "--rung", "bag", "--epochs", "1"],
        "d": ["generate", "corpus.txt", "--rung", "ngram"],
        "e": ["translate", "pairs.tsv", "--rung", "dictionary", "--tokens", "words"],
    }
    for name, arguments in trained.items():
        done = run("train", *arguments, "--name", name, "--quiet")
        assert done.code == 0, done.err
        found = run("model", "check", name, "--json")
        assert (found.code, found.document["answer"]["answered"]) == (0, True), (found.err, found.out)
        assert found.document["strangers"] == []
    assert run("compare", "recall", "--rungs", "chance", "--training-sequences", "100", "--name", "f").code == 0
    unasked = run("model", "check", "f", "--json")
    assert (unasked.code, unasked.document["answer"]["answered"]) == (0, False)
