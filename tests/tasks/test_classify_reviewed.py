"""Classifying: what a review found, each held by a test."""

import io
import json
import math
import os
import signal
import subprocess
import sys
import time
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import foretell as ft
from foretell.artefact import read_artefact, write_artefact
from foretell.evaluation.classification import Judged
from foretell.tasks import get_task, task_configuration, task_rungs
from foretell.tasks.classify.rungs import LINEAR, NETWORKS
from foretell.tasks.interface import Attempt, Silent

from . import made_texts
from .commands import Run

TINY = ["--epochs", "1", "--units", "4", "--embedding", "4", "--batch-size", "16", "--buckets", "200", "--length", "40"]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "reviews.csv"
    made_texts.frame(120).write_csv(path)
    return path


@pytest.mark.parametrize("rung", ["bag", "bag-weighted", "lstm"])
def test_training_goes_on_from_any_network(run: Run, data: Path, rung: str) -> None:
    assert run("train", "classify", data, "--rung", rung, *TINY, "--name", "first").code == 0
    made_texts.frame(90, seed=9).filter((pl.col("label") == "neg") | (pl.int_range(pl.len()) < 30)).write_csv(
        "newer.csv"
    )
    result = run("train", "classify", "newer.csv", "--from", "first", "--name", "second", "--json")
    assert result.code == 0, result.out
    before, after = (read_artefact(Path(f"runs/{name}/model")) for name in ("first", "second"))
    for name in ("embedding.table", "embedding.factors"):
        assert name not in before.arrays or (before.arrays[name] == after.arrays[name]).all()
    assert before.files["vocabulary.json"] == after.files["vocabulary.json"]


@pytest.mark.parametrize("rung", NETWORKS)
def test_what_is_searched_by_itself_is_read(rung: str) -> None:
    options = {name for section, name, _ in task_configuration("classify").options() if section == "network"}
    assert set(task_rungs("classify")[rung].search) & options <= NETWORKS[rung].reads


def test_an_ensemble_takes_different_rungs_that_make_the_same_mistakes(run: Run) -> None:
    rows = [
        (f"a {word} film {number}", label) for number in range(60) for word, label in (("good", "pos"), ("bad", "neg"))
    ]
    pl.DataFrame(rows, schema=["text", "label"], orient="row").write_csv("clear.csv")
    options = [
        "--rungs",
        "majority,tfidf,nb-svm,bag-weighted,ensemble",
        "--epochs",
        "8",
        "--learning-rate",
        "0.02",
        "--json",
    ]
    rows_of = {row["rung"]: row for row in run("compare", "classify", "clear.csv", *options).document["rows"]}
    assert rows_of["nb-svm"]["split"]["test"]["accuracy"] == rows_of["tfidf"]["split"]["test"]["accuracy"] == 1
    assert "majority" not in rows_of["ensemble"]["note"]


def test_answers_can_be_labelled_again(run: Run, data: Path) -> None:
    assert run("compare", "classify", data, "--rungs", "nb-svm", "--name", "m").code == 0
    for number in range(3):
        source = data if number == 0 else f"said-{number - 1}.csv"
        assert run("predict", "m", source, "-o", f"said-{number}.csv").code == 0
    columns = pl.read_csv("said-2.csv").columns
    assert {"label", "predicted label", "predicted predicted label"} <= set(columns)


def test_standard_input_is_explained_or_read_as_a_table(run: Run, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("compare", "classify", data, "--rungs", "nb-svm", "--name", "m").code == 0

    def given(content: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))

    given(b"a superb film\nawful and dull\n")
    rows = run("predict", "m", "-", "--explain", "--json").document["labels"]
    assert rows[0]["words"][0]["word"] == "superb"
    assert rows[1]["words"][0]["word"] in ("awful", "dull")
    given(b"words,n\na superb film,1\n")
    assert run("predict", "m", "-", "--text", "words", "--json").document["labels"][0]["n"] == "1"
    for encoding, sentence in (("nonsense", "there is no encoding"), ("utf-16", "give a file")):
        given(b"fine\n")
        result = run("predict", "m", "-", "--encoding", encoding)
        assert result.code == 3
        assert sentence in result.err
    Path("lines.txt").write_bytes(b"good \x0c film\r\nsuperb \xe2\x80\xa8 film\n")
    assert pl.read_csv(run("predict", "m", "lines.txt").out.encode()).height == 2
    assert run("predict", "m", "lines.txt", "--encoding", "nonsense").code == 3


def test_a_bad_line_ends_a_stream_that_stays_open(run: Run, data: Path) -> None:
    assert run("compare", "classify", data, "--rungs", "nb-svm", "--name", "m").code == 0
    command = [sys.executable, "-m", "foretell", "predict", "m", "-"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdin is not None and process.stdout is not None and process.stderr is not None
    with process.stdin, process.stdout, process.stderr:
        process.stdin.write(b"fine\n")
        process.stdin.flush()
        assert process.stdout.readline().startswith(b"label")
        process.stdin.write(b"sch\xf6n\n")
        process.stdin.flush()
        assert process.wait(60) == 3  # while its standard input is open
        assert b"line 2: byte 3 is not utf-8" in process.stderr.read()


def test_files_are_told_by_what_they_are(run: Run) -> None:
    made_texts.frame(60).rename({"text": "text"}).with_columns(PK=pl.int_range(60)).select(
        "PK", "text", "label"
    ).write_csv("pk.csv")
    made_texts.frame(60).write_csv("my.table.csv")
    for name in ("pk.csv", "my.table.csv"):
        assert run("compare", "classify", name, "--rungs", "majority").code == 0
    made_texts.folder(Path("reviews"), 30)
    with zipfile.ZipFile("reviews.zip", "w") as archive:
        for path in sorted(Path("reviews").rglob("*.txt")):
            archive.write(path)
    assert run("data", "check", "reviews.zip", "--json").document["texts"] == 30


def test_other_data_need_no_spans(run: Run) -> None:
    frame = made_texts.frame(90).with_columns(part=pl.Series(["train", "validation", "test"] * 30))
    frame.write_csv("spans.csv")
    assert (
        run("compare", "classify", "spans.csv", "--span-column", "part", "--rungs", "nb-svm", "--name", "m").code == 0
    )
    assert run("evaluate", "m", "--json").document["span"] == "test"
    made_texts.frame(30, seed=3).write_csv("other.csv")
    assert run("evaluate", "m", "other.csv", "--json").document["span"] == "all"


def test_byte_pairs_are_the_same_for_one_rung_and_for_all(run: Run, data: Path) -> None:
    pieces = ["--tokens", "bpe", "--vocabulary", "60", *TINY]
    assert run("train", "classify", data, "--rung", "bag", *pieces, "--name", "one").code == 0
    assert run("compare", "classify", data, "--rungs", "bag", *pieces, "--name", "all").code == 0
    one, several = (read_artefact(Path(f"runs/{name}/model")).files["vocabulary.json"] for name in ("one", "all/bag"))
    assert one == several
    refused = run("train", "classify", data, "--rung", "bag", *pieces, "--vectors", "v.txt")
    assert refused.code == 3
    assert "say --tokens words" in refused.err


DAMAGE: dict[str, tuple[str, dict[str, Any]]] = {
    "a width below zero": ("bag", {"embedding": -4}),
    "no width": ("transformer", {"embedding": 0}),
    "a width beyond all memory": ("bag", {"embedding": 10**25}),
    "an endless length": ("bag", {"length": float("inf")}),
    "no members": ("ensemble", {"members": []}),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_model_folders_that_make_no_sense_are_refused(run: Run, data: Path, case: str) -> None:
    rung, changes = DAMAGE[case]
    rungs = ["--rungs", "majority,bag,transformer,ensemble"]
    assert run("compare", "classify", data, *rungs, *TINY, "--name", "m").code == 0
    artefact = read_artefact(Path(f"runs/m/{rung}/model"))
    document = {**artefact.document, "model": {**artefact.document["model"], **changes}}
    write_artefact(Path("broken"), replace(artefact, document=document))
    file = Path("broken/model.json")
    if case == "an endless length":
        file.write_text(file.read_text().replace('"length": null', '"length": Infinity'))
    result = run("predict", "broken", data, "--json")
    assert result.code == 5, result.out
    assert "\n" not in result.document["error"]["message"]


@pytest.mark.parametrize("temperature", [0, -1, None])
def test_members_of_an_ensemble_have_a_temperature(run: Run, data: Path, temperature: object) -> None:
    assert run("compare", "classify", data, "--rungs", "tfidf,nb-svm,ensemble", "--name", "m").code == 0
    artefact = read_artefact(Path("runs/m/ensemble/model"))
    model = artefact.document["model"]
    members = [{**own, "temperature": temperature} for own in model["members"]]
    document = {**artefact.document, "model": {**model, "members": members}}
    write_artefact(Path("broken"), replace(artefact, document=document))
    assert run("predict", "broken", data).code == 5


def test_many_labels_are_judged_in_time() -> None:
    generator = np.random.default_rng(0)
    labels, texts = 900, 3000
    likely = generator.dirichlet(np.ones(labels), texts)
    truth = np.arange(labels) == generator.integers(0, labels, texts)[:, None]
    started = time.monotonic()
    metrics = Judged([str(label) for label in range(labels)], likely, truth, True).metrics()
    assert time.monotonic() - started < 20  # a limit against hanging: it took 69 s
    assert metrics.get("intervals", {}) == {}


def test_nothing_is_learned_from_validation_or_test() -> None:
    task = get_task("classify")
    flags = {"epochs": 1, "steps_per_epoch": 2, "batch_size": 8, "embedding": 4, "span_column": "part"}
    configuration = task_configuration("classify").build(flags, environment={})
    frame = made_texts.frame(120).with_columns(part=pl.Series(["train", "train", "validation", "test"] * 30))
    other = frame.with_columns(
        text=pl.when(pl.col("part") == "train").then("text").otherwise(pl.col("text").str.reverse() + " new words"),
        label=pl.when(pl.col("part") == "train").then("label").otherwise(pl.lit("pos")),
    )
    learned: list[dict[str, np.ndarray]] = []
    vocabularies = []
    for data in (frame, other):
        prepared: Any = task.prepare(data, configuration)
        vocabularies.append(prepared.vocabulary)
        own: dict[str, np.ndarray] = {}
        for rung in ("majority", *LINEAR, "bag-weighted", "lstm"):
            options = task.rungs[rung].options
            fitted: Any = (
                task.fit(prepared.of_rung({**options, "epochs": 1}), rung, Attempt(Path(), Silent()))
                if rung in ("majority", *LINEAR)
                else None
            )
            if fitted is not None and rung not in LINEAR:
                own |= {f"{rung}/{name}": array for name, array in fitted.artefact({}).arrays.items() if name != "seen"}
            if fitted is not None and rung in LINEAR:
                own[f"{rung}/keys"] = fitted.model.linear.keys
                own[f"{rung}/scale"] = fitted.model.linear.scale
        learned.append(own)
    assert vocabularies[0] == vocabularies[1]
    assert learned[0].keys() == learned[1].keys()
    assert all((learned[0][name] == learned[1][name]).all() for name in learned[0])


@pytest.mark.parametrize("rung", ["bag-weighted", "lstm"])
def test_the_first_steps_of_a_network_know_nothing_of_validation_or_test(rung: str, tmp_path: Path) -> None:
    task = get_task("classify")
    flags = {"epochs": 1, "steps_per_epoch": 3, "batch_size": 8, "embedding": 4, "units": 4, "span_column": "part"}
    configuration = task_configuration("classify").build(flags, environment={})
    frame = made_texts.frame(120).with_columns(part=pl.Series(["train", "train", "validation", "test"] * 30))
    other = frame.with_columns(
        text=pl.when(pl.col("part") == "train").then("text").otherwise(pl.col("text").str.reverse() + " new words")
    )
    arrays = []
    for number, data in enumerate((frame, other)):
        fitted: Any = task.fit(task.prepare(data, configuration), rung, Attempt(tmp_path / str(number), Silent()))
        arrays.append(fitted.artefact({}).arrays)
    names = set(arrays[0]) - {"seen"}  # of validation too, so that nothing it was chosen on is judged on later
    assert all((arrays[0][name] == arrays[1][name]).all() for name in names)


def test_a_comparison_that_was_stopped_goes_on(run: Run, data: Path) -> None:
    command = [sys.executable, "-m", "foretell", "compare", "classify", str(data), "--rungs", "majority,nb-svm,gru,bag"]
    tiny = ["--epochs", "80", "--patience", "0", "--units", "4", "--embedding", "4", "--batch-size", "8", "--name", "c"]
    process = subprocess.Popen(
        [*command, *tiny], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ)
    )
    assert process.stdout is not None and process.stderr is not None
    with process.stdout, process.stderr:
        while not process.stdout.readline().startswith("nb-svm"):
            pass
        checkpoint = Path("runs/c/bag/checkpoint/state.safetensors")
        deadline = time.monotonic() + 120
        while not checkpoint.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
        assert "go on with: foretell compare --resume" in process.stderr.read()
    config = Path("runs/c/config.toml")
    assert "epochs = 80" in config.read_text()
    result = run("compare", "--resume", "c", "--json")
    assert result.code == 0, result.out
    assert [row["rung"] for row in result.document["rows"]] == ["majority", "nb-svm", "bag", "gru"]
    assert json.loads(Path("runs/c/run.json").read_text())["finished"]


def test_several_seeds_have_a_spread(run: Run, data: Path) -> None:
    options = ["--rungs", "nb-svm,bag", *TINY, "--seeds", "2"]
    row = run("compare", "classify", data, *options, "--json").document["rows"][-1]
    assert row["split"]["test"]["trials"] == 2
    assert "accuracy" in row["split"]["test"]["spread"]
    assert "p" not in row["skill"]


def test_a_mistake_in_one_of_several_labels_is_the_one_that_is_explained(run: Run) -> None:
    generator = np.random.default_rng(0)
    rows = []
    for number in range(240):
        own = [label for label in made_texts.FEELING if generator.random() < 0.4]
        felt = own if generator.random() > 0.3 else list(made_texts.FEELING)[:1]
        words = [str(generator.choice(made_texts.FEELING[label])) for label in felt]
        rows.append({"text": " ".join(["film", *words, str(number)]), "label": "|".join(own)})
    pl.DataFrame(rows).write_csv("several.csv")
    result = run("compare", "classify", "several.csv", "--multi-label", "--rungs", "majority,nb-svm", "--json")
    page = Path(result.document["report"]).read_text("utf-8")
    assert "; but it is not " in page
    assert "always no label" in page or "always " in page
    said: Any = ft.load(result.document["model"]).fitted
    frame, _ = said.explain(["a superb film"])
    assert "superb" in [own["word"] for own in frame["words"][0]]


def test_a_model_is_not_judged_on_texts_that_it_learned_from_before(run: Run, data: Path) -> None:
    assert run("train", "classify", data, "--rung", "gru", *TINY, "--name", "first").code == 0
    refused = run("train", "classify", data, "--from", "first", "--seed", "5", "--name", "again")
    assert refused.code == 0, refused.err
    assert "dropped, since the model learned from the same:" in refused.err
    document = json.loads(Path("runs/again/leaderboard.json").read_text())
    assert document["dropped"]["learned_from_before"] > 0
    (row,) = (row for row in document["rows"] if row["rung"] == "gru")
    judged = run("evaluate", "again", "--json").document
    assert (judged["span"], judged["metrics"]["count"]) == ("test", row["split"]["test"]["count"])
    assert judged["metrics"]["accuracy"] == row["split"]["test"]["accuracy"]
    fitted: list[Any] = [ft.load(f"runs/{name}").fitted for name in ("first", "again")]
    assert set(fitted[0].seen) <= set(fitted[1].seen)
    pl.read_csv(data).head(40).write_csv("some.csv")
    told = run("evaluate", "first", "some.csv")
    assert "of the 40 texts are among those that gru learned from" in told.err


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_label_that_is_no_number_is_none(tmp_path: Path, value: float) -> None:
    labels = [1.0, 2.0] * 20
    labels[7] = value
    frame = made_texts.frame(40).with_columns(pl.Series("label", labels))
    frame.write_parquet(tmp_path / "numbers.parquet")
    for source in (frame, tmp_path / "numbers.parquet"):
        with pytest.raises(ft.ForetellError, match='row 8, column "label": each row has a label; found'):
            ft.Classifier("bag", epochs=1, label="label").fit(source)


def test_what_is_no_text_is_not_labelled(data: Path) -> None:
    classifier = ft.Classifier("nb-svm").fit(data)
    with pytest.warns(UserWarning, match="1 text without a word"):
        assert classifier.predict(["a superb film", None])["label"].to_list()[1] is None
    pandas = pytest.importorskip("pandas")
    for nothing in (math.nan, np.float32("nan"), pandas.NA, pandas.NaT):
        with pytest.warns(UserWarning, match="1 text without a word"):
            assert classifier.predict([nothing])["label"].to_list() == [None]
    with pytest.warns(UserWarning, match="1 text without a word"):
        classifier.predict(pandas.Series(["a superb film", pandas.NA], dtype="string"))
    for thing in (b"superb", 5, math.inf, np.array([1.0, math.nan])):
        with pytest.raises(ft.ForetellError, match="entry 0 of the list is no text"):
            classifier.predict([thing])
    with pytest.raises(ft.ForetellError, match="texts themselves go into a list"):
        classifier.predict("a superb film")
    series = pl.Series(["a superb film"])
    assert (
        classifier.predict(series)["label"][0]
        == classifier.predict(series.to_pandas())["label"][0]
        == classifier.predict(np.array(series))["label"][0]
    )


def test_a_column_of_zeros_is_no_label(run: Run) -> None:
    made_texts.frame(60).with_columns(a=pl.lit(0), b=pl.int_range(60) % 2).drop("label").write_csv("flags.csv")
    result = run("compare", "classify", "flags.csv", "--multi-label", "--label", "a,b", "--rungs", "majority")
    assert result.code == 3
    assert 'no text of flags.csv has the label "a"' in result.err


def test_archives_hold_no_files_outside_of_themselves(run: Run) -> None:
    with zipfile.ZipFile("evil.zip", "w") as archive:
        for number in range(20):
            archive.writestr(f"../../{'ab'[number % 2]}/{number}.txt", f"a film {number}")
    with zipfile.ZipFile("windows.zip", "w") as archive:
        for number, (text, label) in enumerate(made_texts.reviews(60)):
            archive.writestr(f"data\\{label}\\{number}.txt", text)
    assert run("compare", "classify", "evil.zip", "--rungs", "majority").code == 5
    assert run("compare", "classify", "windows.zip", "--rungs", "majority").code == 0


def test_a_span_that_duplicates_empty_is_told_why(run: Run) -> None:
    pl.DataFrame({"text": ["good", "bad"] * 40, "label": ["pos", "neg"] * 40}).write_csv("words.csv")
    result = run("compare", "classify", "words.csv", "--rungs", "majority")
    assert result.code == 3
    assert "were dropped, since another span" in result.err


def test_an_interrupt_ends_a_stream_that_waits(run: Run, data: Path) -> None:
    assert run("compare", "classify", data, "--rungs", "nb-svm", "--name", "m").code == 0
    command = [sys.executable, "-m", "foretell", "predict", "m", "-"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdin is not None and process.stdout is not None and process.stderr is not None
    with process.stdin, process.stdout, process.stderr:
        process.stdin.write(b"fine\n")
        process.stdin.flush()
        assert process.stdout.readline().startswith(b"label")
        assert process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130


def test_baselines_beside_a_training_that_goes_on_know_all_words(run: Run) -> None:
    made_texts.frame(120).write_csv("old.csv")
    assert run("train", "classify", "old.csv", "--rung", "gru", *TINY, "--vocabulary", "8", "--name", "few").code == 0
    made_texts.frame(240, seed=4).write_csv("new.csv")
    anew = run("compare", "classify", "new.csv", "--rungs", "nb-svm", "--json").document["rows"][-1]
    result = run("train", "classify", "new.csv", "--from", "few", "--json").document
    beside = next(row for row in result["rows"] if row["rung"] == "nb-svm")
    assert beside["parameters"] == anew["parameters"]
    assert beside["split"]["test"]["accuracy"] == anew["split"]["test"]["accuracy"]


def test_layers_that_lack_something_are_told_before_anything_is_made(run: Run, data: Path) -> None:
    result = run("train", "classify", data, "--rung", "lstm", "--kernel", "torch", *TINY)
    assert result.code == 3
    assert "lengths" in result.err
    assert not Path("runs").exists()
