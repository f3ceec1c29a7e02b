"""Whatever a user may bring as pairs or ask of a translator: one sentence, the right exit code, nothing half-written."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from foretell.cli.main import main
from foretell.data.builtin.dates import dates

from .commands import Run

PAIRS = [(one, two) for one, two, _ in dates(200)]
COMPARE = ["compare", "translate", "a.en", "a.de", "--rungs", "copy"]


def written(folder: Path, one: bytes | None = None, two: bytes | None = None) -> None:
    for name, place, content in (("a.en", 0, one), ("a.de", 1, two)):
        usual = "".join(f"{pair[place]}\n" for pair in PAIRS).encode()
        (folder / name).write_bytes(usual if content is None else content)


CASES: dict[str, tuple[bytes | None, bytes | None, list[str], int, str]] = {
    "files of unequal length": (None, b"x\n" * 199, [], 3, "line 200 of a.en has no partner"),
    "an empty file": (b"", b"", [], 3, "no pair of a source and a target stands in a.en"),
    "empty lines alone": (b"\n\n\n", b"\n\n\n", [], 3, "3 have an empty side"),
    "too few pairs": (b"a\nb\nc\n", b"x\ny\nz\n", [], 3, "training needs 10 pairs or more"),
    "all beyond the length": (None, None, ["--max-length", "1"], 3, "of more than 1 tokens (--max-length)"),
    "a vocabulary too large": (
        None,
        None,
        ["--vocabulary", "90000"],
        3,
        "--vocabulary asks for 90,000 pieces, and the",
    ),
    "a vocabulary below its letters": (None, None, ["--vocabulary", "9"], 3, "too few for the"),
    "validation from a file that is none": (None, None, ["--validation-data", "x.en,x.de"], 3, "there is no file x.en"),
    "a vocabulary of one": (None, None, ["--vocabulary", "1"], 3, "greater than or equal to 2"),
    "not UTF-8": (b"sch\xf6n\n" * 200, None, [], 3, "a.en, line 1: byte 3 (0xf6) is not utf-8"),
    "zero bytes": (None, b"\0\1\2" * 50, [], 3, "has no partner"),
    "spans that are no shares": (None, None, ["--spans", "0.5,0.5"], 3, "shares above zero that add up to 1, of train"),
    "no such file": (None, None, ["--test-data", "none.en,none.de"], 3, "there is no file"),
    "an unknown rung": (None, None, ["--rungs", "transformer"], 2, 'there is no rung "transformer"'),
    "a width that no heads share": (
        None,
        None,
        ["--rungs", "copy,transformer-tiny", "--embedding", "30"],
        3,
        "must be a multiple of its heads",
    ),
    "no such language": (None, None, ["--bleu-tokens", "klingon"], 2, "'klingon' is not one of"),
    "one source again and again": (b"same\n" * 200, None, [], 3, "all pairs of one source are of one span"),
    "a damaged archive": (b"\x1f\x8b\x08nothing", None, [], 5, "a.en is damaged"),
}


@pytest.mark.parametrize("case", list(CASES))
def test_one_sentence_and_the_right_exit_code(case: str, run: Run, tmp_path: Path) -> None:
    one, two, options, code, said = CASES[case]
    written(tmp_path, one, two)
    found = run(*COMPARE, *options)
    assert found.code == code, found.err
    assert said in found.err
    assert found.err.startswith("Error: ")
    assert not list(tmp_path.glob("runs/*"))
    as_json = run(*COMPARE, *options, "--json")
    assert as_json.code == code
    assert said in as_json.document["error"]["message"]


@pytest.mark.parametrize("verb", ["train", "tune"])
def test_what_needs_a_rung_names_those_of_the_task(verb: str, run: Run, tmp_path: Path) -> None:
    written(tmp_path)
    found = run(verb, "translate", "a.en", "a.de")
    assert found.code == 2
    assert "a rung is needed, as in --rung NAME: one of copy, dictionary, lstm, gru-attention" in found.err


def test_dropped_pairs_are_counted(run: Run, tmp_path: Path) -> None:
    lines = [f"{one}\n" for one, _ in PAIRS]
    lines[3] = "\n"
    lines[9] = "day " * 300 + "\n"
    written(tmp_path, "".join(lines).encode())
    found = run(*COMPARE)
    assert found.code == 0, found.err
    assert "dropped: 1 pair, a side of them empty" in found.err
    assert "dropped: 1 pair, of more than 256 tokens (--max-length)" in found.err


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    written(folder)
    options = ["--rung", "gru-attention", "--epochs", "1", "--units", "8", "--embedding", "8", "--quiet"]
    with pytest.raises(SystemExit) as stopped:
        main(
            [
                "train",
                "translate",
                str(folder / "a.en"),
                str(folder / "a.de"),
                *options,
                "--runs-dir",
                str(folder),
                "--name",
                "m",
            ]
        )
    assert stopped.value.code == 0
    return folder / "m"


ASKED: dict[str, tuple[list[str], int, str]] = {
    "an empty text": ([""], 3, "there is nothing to translate: the text is empty"),
    "a blank text": (["  "], 3, "there is nothing to translate"),
    "a text and a file": (["a", "--file", "b.txt"], 2, "TEXT and --file exclude each other"),
    "no such file": (["--file", "none.txt"], 3, "there is no file none.txt"),
    "an empty file": (["--file", "empty.txt"], 3, "empty.txt is empty"),
    "a map of many": (["--file", "empty.txt", "--attention", "map.html"], 2, "--attention shows one translation"),
    "a map that is no page": (["a", "--attention", "map.png"], 2, "--attention ends in .html"),
    "an output that is none": (["a", "-o", "out.csv"], 2, "--output ends in .txt, .json, .jsonl"),
    "more than are followed": (
        ["a", "--beam", "2", "--n-best", "3"],
        3,
        "asks for more translations than are followed",
    ),
    "greedy and a beam": (["a", "--greedy", "--beam", "3"], 3, "--greedy follows one translation"),
    "a folder that is none": (["a", "-o", "nowhere/out.txt"], 1, "there is no folder nowhere"),
    "an encoding that is none": (["--file", "empty.txt", "--encoding", "nope"], 3, 'there is no encoding "nope"'),
    "a folder for a file": (["--file", "."], 3, ". cannot be read: Is a directory"),
    "a beam of none": (["a", "--beam", "0"], 3, "greater than or equal to 1"),
    "no length": (["a", "--max-length", "0"], 3, "greater than or equal to 1"),
}


@pytest.mark.parametrize("case", list(ASKED))
def test_what_cannot_be_translated_is_told(case: str, model: Path, run: Run, tmp_path: Path) -> None:
    options, code, said = ASKED[case]
    (tmp_path / "empty.txt").write_bytes(b"")
    found = run("translate", model, *options)
    assert found.code == code, found.err
    assert said in found.err
    assert not list(tmp_path.glob("*.html"))


def test_models_of_other_tasks_translate_nothing(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("abcdefgh ijkl\n" * 100)
    assert run("train", "generate", "a.txt", "--rung", "unigram", "--name", "other").code == 0
    found = run("translate", "other", "a")
    assert found.code == 2
    assert "a model of generate, which translates nothing" in found.err


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda own: own.update(rung="lstm-deluxe"), "names a rung"),
        (lambda own: own["model"].update(tokens=7), "reads other tokens than its vocabulary has"),
        (lambda own: own["model"]["network"].update(units=[9]), "of another network than the folder describes"),
        (lambda own: own["data"].update(languages="en"), "languages of another kind"),
        (lambda own: own["data"].pop("pairs"), "what it learned from"),
        (lambda own: own["config"].pop("search") and own.pop("note"), "it lacks note"),
    ],
)
def test_folders_that_lie_are_damaged(
    change: Callable[[dict[str, Any]], object], said: str, model: Path, run: Run, tmp_path: Path
) -> None:
    shutil.copytree(model / "model", tmp_path / "copy")
    document = json.loads((tmp_path / "copy" / "model.json").read_text())
    change(document)
    (tmp_path / "copy" / "model.json").write_text(json.dumps(document))
    found = run("translate", "copy", "a")
    assert found.code == 5, found.err
    assert said in found.err
