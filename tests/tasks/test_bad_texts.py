"""Whatever a user may bring as texts: one sentence, the right exit code, and nothing half-written."""

import gzip
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from foretell.artefact import write_artefact

from . import made_texts
from .commands import Run

COMPARE = ["compare", "classify", "texts.csv", "--rungs", "majority"]


def csv(count: int = 60) -> str:
    return made_texts.frame(count).write_csv()


def lines(change: Callable[[list[str]], object]) -> bytes:
    rows = csv().splitlines()
    change(rows)
    return ("\n".join(rows) + "\n").encode()


CASES: dict[str, tuple[bytes, list[str], int, str]] = {
    "0 bytes": (b"", [], 3, "texts.csv is empty (0 bytes)"),
    "a header only": (b"text,label\n", [], 3, "holds no texts with labels"),
    "a label missing": (
        lines(lambda rows: rows.__setitem__(7, "a film,")),
        [],
        3,
        "row 7 (line 8), column \"label\": each row has a label; found ''",
    ),
    "an empty text": (
        lines(lambda rows: rows.__setitem__(7, '"  ",pos')),
        [],
        3,
        'row 7 (line 8), column "text": each row has a text',
    ),
    "one class only": (b"text,label\n" + b"a film,pos\n" * 20, [], 3, 'has one label only, "pos"'),
    "not UTF-8": (
        b"text,label\nsch\xf6n,pos\nbad,neg\n",
        [],
        3,
        "texts.csv, line 2: byte 14 (0xf6) is not utf-8; say --encoding",
    ),
    "no such encoding": (csv().encode(), ["--encoding", "utf-9"], 3, 'there is no encoding "utf-9"'),
    "no such column": (csv().encode(), ["--text", "review"], 3, 'has no column "review"'),
    "no column of texts": (b"a,b,label\n1,2,x\n", [], 3, "name it with --text; there are a, b, label"),
    "no column of labels": (b"text,b,c\n1,2,x\n", [], 3, "name it with --label"),
    "too many fields": (
        lines(lambda rows: rows.__setitem__(5, "a, b,pos")),
        [],
        3,
        "row 5 (line 6): a row has as many",
    ),
    "a label a text": (
        b"text,label\n" + b"".join(b"film %d,l%d\n" % (n, n) for n in range(2000)),
        [],
        3,
        "has 2000 different labels over 2000 texts",
    ),
    "shares that make no whole": (csv().encode(), ["--spans", "0.5,0.2,0.2"], 3, "shares above zero that add up to 1"),
    "shares that are words": (csv().encode(), ["--spans", "most,some,few"], 3, "found most,some,few"),
    "too few texts": (b"text,label\na,pos\nb,neg\nc,pos\nd,neg\n", [], 3, "span holds no texts"),
    "sorted by label": (
        b"text,label\n"
        + b"film %d,a\n" * 0
        + b"".join(b"f %d,%s\n" % (n, b"ab"[n > 8 : n > 8 + 1] or b"a") for n in range(9))
        + b"x,b\ny,b\nz,b\n",
        ["--split", "last"],
        3,
        "one label only",
    ),
    "JSON that is none": (b'{"text": "a", "label": "b"}\n{"text": \n', [], 3, "line 2 is not JSON"),
    "a Parquet file cut short": (b"PAR1 and no more", [], 5, "is damaged"),
    "no such vectors": (csv().encode(), ["--vectors", "none.vec"], 3, "the word vectors none.vec cannot be read"),
    "an unknown rung": (csv().encode(), ["--rungs", "lstn"], 2, 'did you mean "lstm"'),
    "an option out of range": (
        csv().encode(),
        ["--label-smoothing", "1"],
        3,
        "greater than or equal to 0 and less than 1",
    ),
    "several labels without saying so": (
        b'{"text": "a", "label": ["x", "y"]}\n',
        [],
        3,
        "for several say --multi-label",
    ),
    "a span that is none": (
        b"text,label,where\n" + b"a film,pos,train\nan image,neg,elsewhere\n",
        ["--span-column", "where"],
        3,
        "a span is train, validation or test; found 'elsewhere'",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_bad_texts_end_in_a_sentence(run: Run, case: str) -> None:
    content, options, code, sentence = CASES[case]
    Path("texts.csv").write_bytes(content)
    arguments = [*COMPARE, *options] if "--rungs" not in options else [*COMPARE[:3], *options]
    result = run(*arguments)
    assert result.code == code, result.err
    assert sentence in result.err
    assert result.err.startswith("Error: ")
    assert "Traceback" not in result.err
    assert not Path("runs").exists() or not list(Path("runs").iterdir())
    document = run(*arguments, "--json").document
    assert sentence in document["error"]["message"]


def test_bytes_that_are_not_utf8_are_named_in_files_of_a_folder(run: Run) -> None:
    made_texts.folder(Path("reviews"), 30)
    bad = Path("reviews/train/pos/1000.txt")
    bad.write_bytes(b"sch\xf6n")
    result = run("compare", "classify", "reviews", "--rungs", "majority")
    assert result.code == 3
    assert "reviews/train/pos/1000.txt, line 1: byte 3 (0xf6) is not utf-8" in result.err
    assert run("compare", "classify", "reviews", "--rungs", "majority", "--encoding", "latin-1").code == 0


def test_an_empty_file_of_a_folder_is_named_or_left_out(run: Run) -> None:
    made_texts.folder(Path("reviews"), 30)
    Path("reviews/test/neg/empty.txt").write_text("\n")
    result = run("compare", "classify", "reviews", "--rungs", "majority")
    assert result.code == 3
    assert "reviews/test/neg/empty.txt is empty" in result.err
    dropped = run("compare", "classify", "reviews", "--rungs", "majority", "--incomplete", "drop")
    assert dropped.code == 0
    assert "left out, since empty: 1 text" in dropped.err


def test_a_damaged_archive_is_unsafe(run: Run) -> None:
    Path("texts.csv.gz").write_bytes(gzip.compress(csv().encode())[:-20])
    assert run("compare", "classify", "texts.csv.gz", "--rungs", "majority").code == 5
    assert run("compare", "classify", "nothing", "--rungs", "majority").code == 3
    Path("empty").mkdir()
    result = run("compare", "classify", "empty", "--rungs", "majority")
    assert result.code == 3
    assert "holds neither .txt files in folders of labels nor a table" in result.err


def test_rows_that_lack_something_can_be_dropped(run: Run) -> None:
    Path("texts.csv").write_bytes(lines(lambda rows: rows.extend(["a film,", ",pos"])))
    result = run(*COMPARE, "--incomplete", "drop")
    assert result.code == 0
    assert "2 rows of texts.csv lacked text or label" in result.err


def test_labels_that_training_never_saw_are_told(run: Run) -> None:
    Path("texts.csv").write_text(csv())
    assert run(*COMPARE, "--name", "m").code == 0
    Path("other.csv").write_text("text,label\na good film,pos\na bad one,negative\n")
    result = run("evaluate", "m", "other.csv")
    assert result.code == 3
    assert 'row 2 (line 3) has the label "negative", which training never saw; known are neg, pos' in result.err
    pl.DataFrame({"words": ["a"], "more": ["b"]}).write_csv("columns.csv")
    assert "has no column that is called like texts" in run("predict", "m", "columns.csv").err


def test_what_predict_is_given(run: Run) -> None:
    Path("texts.csv").write_text(csv())
    assert run(*COMPARE, "--name", "m").code == 0
    Path("empty.txt").write_bytes(b"")
    assert "is empty (0 bytes)" in run("predict", "m", "empty.txt").err
    assert run("predict", "m", "none.csv").code == 3
    Path("latin.txt").write_bytes("schön\n".encode("latin-1"))
    assert "latin.txt, line 1: byte 3 (0xf6) is not utf-8" in run("predict", "m", "latin.txt").err
    assert run("predict", "m", "latin.txt", "--encoding", "latin-1").code == 0
    Path("some.csv").write_text("text,other\ngood,1\n,2\n")
    some = run("predict", "m", "some.csv")
    assert some.code == 0
    assert "1 text without a word: no label is given" in some.err
    assert some.out.splitlines()[2] == '"",2,,,,'
    assert run("predict", "m", "some.csv", "--anchors", "all").code == 2
    assert run("predict", "m", "some.csv", "--update").code == 2
    assert run("predict", "m", "some.csv", "--page", "a.html").code == 2
    assert run("predict", "m", "some.csv", "--explain", "--page", "a.png").code == 2
    assert run("score", "m", "some.csv").code == 2


def test_options_that_no_rung_reads_are_told(run: Run) -> None:
    Path("texts.csv").write_text(csv())
    result = run(
        *COMPARE[:3],
        "--rungs",
        "majority,bag",
        "--epochs",
        "1",
        "--kernel-size",
        "3",
        "--embedding",
        "4",
        "--buckets",
        "50",
    )
    assert result.code == 0
    assert "no rung has a use for --kernel-size" in result.err
    plain = [
        *COMPARE[:3],
        "--rungs",
        "majority,nb-svm",
        "--class-weight",
        "balanced",
        "--epochs",
        "3",
        "--no-train-vectors",
    ]
    told = run(*plain).err
    assert all(f"no rung has a use for --{name}" in told for name in ("class-weight", "epochs", "train-vectors"))
    assert "--embedding" not in result.err


@pytest.mark.parametrize("damage", ["labels", "vocabulary", "temperature", "weights", "tokens", "rung", "keys"])
def test_a_damaged_model_folder_is_refused(run: Run, damage: str) -> None:
    from dataclasses import replace

    from foretell.artefact import read_artefact

    Path("texts.csv").write_text(csv())
    rungs = ["--rungs", "nb-svm,bag", "--epochs", "1", "--embedding", "4", "--buckets", "50"]
    assert run(*COMPARE[:3], *rungs, "--name", "m").code == 0
    rung = "nb-svm" if damage == "keys" else "bag"
    artefact = read_artefact(Path(f"runs/m/{rung}/model"))
    document, files, arrays = dict(artefact.document), dict(artefact.files), dict(artefact.arrays)
    if damage == "labels":
        document["labels"] = ["neg", "neg"]
    elif damage == "temperature":
        document["temperature"] = 0
    elif damage == "vocabulary":
        files["vocabulary.json"] = {**files["vocabulary.json"], "tokens": ["a", "a", "b"]}
    elif damage == "weights":
        arrays["embedding.weight"] = arrays["embedding.weight"][:-1]
    elif damage == "tokens":
        document["model"] = {**document["model"], "tokens": 10**9}
    elif damage == "rung":
        document["rung"] = "oracle"
    else:
        arrays["keys"] = arrays["keys"][::-1].copy()
    shutil.rmtree("broken", ignore_errors=True)
    write_artefact(Path("broken"), replace(artefact, document=document, files=files, arrays=arrays))
    Path("some.csv").write_text("text\ngood\n")
    result = run("predict", "broken", "some.csv", "--json")
    assert result.code == 5, result.out
    assert json.loads(result.out)["error"]["code"] == "unsafe-file"
