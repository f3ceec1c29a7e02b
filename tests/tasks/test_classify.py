"""Classifying, end to end with tiny settings: compare, train, resume, evaluate, predict, explain, inspect, tune."""

import io
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import foretell as ft
from foretell.cli.main import main
from foretell.tasks import task_rungs

from . import made_texts
from .commands import Run

TINY = ["--epochs", "3", "--units", "8", "--embedding", "8", "--batch-size", "16", "--buckets", "500", "--length", "40"]
QUICK = ["--learning-rate", "0.01"]
NETWORKS = [name for name, rung in task_rungs("classify").items() if rung.kind == "model" and not rung.combines]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """240 reviews in a CSV."""
    path = tmp_path_factory.mktemp("texts") / "reviews.csv"
    made_texts.frame(240).write_csv(path)
    return path


@pytest.fixture(scope="module")
def compared(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A run of the whole ladder."""
    runs = tmp_path_factory.mktemp("runs")
    with pytest.raises(SystemExit) as stopped:
        main(["compare", "classify", str(data), *TINY, *QUICK, "--runs-dir", str(runs), "--name", "all", "--quiet"])
    assert stopped.value.code == 0
    yield runs / "all"


def test_the_whole_ladder_is_climbed_and_judged(compared: Path) -> None:
    document = json.loads((compared / "leaderboard.json").read_text())
    assert [row["rung"] for row in document["rows"]] == list(task_rungs("classify"))
    assert document["windows"] == {"train": 168, "validation": 36, "test": 36}
    by_name = {row["rung"]: row for row in document["rows"]}
    for row in document["rows"]:
        metrics = row["split"]["test"]
        assert {"accuracy", "macro_f1", "log_loss", "roc_auc", "calibration_error", "count"} <= metrics.keys()
        assert metrics["count"] == 36
        ends = metrics["intervals"]["accuracy"]
        assert ends["low"] <= metrics["accuracy"] <= ends["high"]
        assert (compared / row["rung"] / "model" / "model.json").exists()
    assert by_name["majority"]["split"]["test"]["accuracy"] == 0.5
    assert by_name["nb-svm"]["split"]["test"]["accuracy"] > 0.8
    assert by_name["bag"]["skill"].keys() == {"value", "low", "high", "p"}
    assert document["reference"] in ("tfidf", "nb-svm")
    assert "mean of" in by_name["ensemble"]["note"]


def test_the_report_shows_what_was_confused_and_the_worst_mistakes(compared: Path) -> None:
    page = (compared / "report.html").read_text("utf-8")
    for heading in ("Confusion", "Reliability", "Most confident mistakes", "Learning curves", "With 95 % intervals"):
        assert heading in page
    assert "McNemar" in page
    assert "moving-block" not in page
    assert "forecast" not in page.partition("<script>")[0].lower()


@pytest.mark.parametrize("rung", list(task_rungs("classify")))
def test_every_rung_labels_from_its_folder_alone_and_line_by_line_the_same(
    run: Run, compared: Path, data: Path, tmp_path: Path, rung: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "elsewhere"
    (compared / rung / "model").rename(folder)
    try:
        texts = pl.read_csv(data).head(30)
        texts.write_csv("few.csv")
        found = run("predict", folder, "few.csv", "--json")
        assert found.code == 0
        rows = found.document["labels"]
        assert [row["text"] for row in rows] == texts["text"].to_list()
        assert all(abs(row["p(neg)"] + row["p(pos)"] - 1) < 1e-9 for row in rows)
        alone = ft.load(folder)
        for row in rows[:5]:
            said = alone.predict([row["text"]])
            assert said["label"][0] == row["predicted label"]
            assert said["p(pos)"][0] == pytest.approx(row["p(pos)"], abs=1e-6)
        lines = "".join(text + "\n" for text in texts["text"]).encode()
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(lines)))
        printed = pl.read_csv(run("predict", folder, "-").out.encode())
        assert printed["label"].to_list() == [row["predicted label"] for row in rows]
        assert np.allclose(printed["p(pos)"], [row["p(pos)"] for row in rows], atol=1e-6)
    finally:
        folder.rename(compared / rung / "model")


@pytest.mark.parametrize("rung", ["nb-svm", "bag", "lstm", "transformer", "ensemble", "majority"])
def test_every_kind_of_model_says_what_moved_its_answers(run: Run, compared: Path, data: Path, rung: str) -> None:
    pl.read_csv(data).head(6).write_csv("few.csv")
    result = run(
        "predict", f"all/{rung}", "few.csv", "--explain", "--page", "why.html", "--json", "--runs-dir", compared.parent
    )
    assert result.code == 0, result.err
    rows = result.document["labels"]
    words = [entry for row in rows for entry in row["words"]]
    assert (rung == "majority") == (not words)
    assert all(isinstance(entry["weight"], float) and entry["word"] for entry in words)
    attends = rung in ("transformer",)
    assert all(("attention" in entry) == attends for entry in words) or rung == "ensemble"
    page = Path("why.html").read_text("utf-8")
    assert "What moved each answer" in page
    if rung == "nb-svm":
        feelings = {word for own in made_texts.FEELING.values() for word in own}
        assert sum(entry["word"] in feelings for row in rows for entry in row["words"][:1]) >= 5
        assert "<mark" in page


def test_lines_are_labelled_as_they_come(compared: Path) -> None:
    command = [sys.executable, "-m", "foretell", "predict", "all/nb-svm", "-", "--runs-dir", str(compared.parent)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None and process.stdout is not None
    with process.stdin, process.stdout:
        for number, (line, label) in enumerate((("a superb film\n", "pos"), ("awful and dull\n", "neg"))):
            process.stdin.write(line)
            process.stdin.flush()
            if number == 0:
                assert process.stdout.readline().startswith("label,probability,")
            assert process.stdout.readline().startswith(label)  # before the next line is written
        process.stdin.close()
        assert process.stdout.read() == ""
    assert process.wait(60) == 0


def test_a_folder_its_archive_and_a_csv_of_it_are_the_same_data(run: Run) -> None:
    made_texts.folder(Path("reviews"), 90)
    with tarfile.open("reviews.tar.gz", "w:gz") as archive:
        archive.add("reviews")
    few = ["--rungs", "majority,nb-svm", "--json"]
    first, second = (run("compare", "classify", data, *few).document for data in ("reviews", "reviews.tar.gz"))
    assert first["windows"] == second["windows"] == {"train": 48, "validation": 12, "test": 30}
    assert [row["split"] for row in first["rows"]] == [row["split"] for row in second["rows"]]


def test_train_evaluate_and_evaluate_on_other_data(run: Run, data: Path) -> None:
    trained = run("train", "classify", data, "--rung", "bag", *TINY, *QUICK, "--name", "b", "--json").document
    own = run("evaluate", "b", "--json").document
    assert own["span"] == "test"
    row = next(row for row in trained["rows"] if row["rung"] == "bag")
    assert own["metrics"]["accuracy"] == row["split"]["test"]["accuracy"]
    made_texts.frame(60, seed=5).write_csv("other.csv")
    other = run("evaluate", "b", "other.csv", "--json").document
    assert (other["span"], other["metrics"]["count"]) == ("all", 60)
    made_texts.frame(60, seed=5).rename({"text": "body", "label": "mood"}).write_csv("renamed.csv")
    renamed = run("evaluate", "b", "renamed.csv", "--text", "body", "--label", "mood", "--json").document
    assert renamed["metrics"] == other["metrics"]
    shown = run("evaluate", "b", "other.csv").out
    assert "share of right answers" in shown
    assert "precision" in shown
    assert "60 texts" in shown


def test_three_labels(run: Run) -> None:
    made_texts.frame(300, ("neg", "odd", "pos")).write_csv("three.csv")
    document = run(
        "compare", "classify", "three.csv", "--rungs", "nb-svm,bag,ensemble", *TINY, *QUICK, "--json"
    ).document
    by_name = {row["rung"]: row["split"]["test"] for row in document["rows"]}
    assert by_name["nb-svm"]["accuracy"] > 0.7
    assert [own["label"] for own in by_name["bag"]["labels"]] == ["neg", "odd", "pos"]
    said = ft.load(document["model"]).predict(["a weird and curious film"])
    assert said.columns == ["label", "probability", "p(neg)", "p(odd)", "p(pos)"]
    assert said["label"][0] == "odd"


def test_several_labels_a_text(run: Run) -> None:
    generator = np.random.default_rng(0)
    rows = []
    for number in range(300):
        own = [label for label in made_texts.FEELING if generator.random() < 0.4]
        words = [str(generator.choice(made_texts.FEELING[label])) for label in own]
        rows.append({"text": " ".join(["the film", *words, str(number)]), "label": "|".join(own)})
    pl.DataFrame(rows).write_csv("several.csv")
    several = ["several.csv", "--multi-label"]
    document = run("compare", "classify", *several, "--rungs", "nb-svm,bag,ensemble", *TINY, *QUICK, "--json").document
    by_name = {row["rung"]: row["split"]["test"] for row in document["rows"]}
    assert by_name["nb-svm"]["accuracy"] > 0.9
    assert by_name["nb-svm"]["exact_match"] <= by_name["nb-svm"]["accuracy"]
    said = ft.load(document["model"]).predict(["a superb and weird film", "we saw it"])
    assert said["label"].to_list() == ["odd|pos", ""]
    flags = pl.DataFrame({"text": [row["text"] for row in rows]}).with_columns(
        pl.Series(label, [int(label in row["label"].split("|")) for row in rows]) for label in made_texts.FEELING
    )
    flags.write_csv("flags.csv")
    columns = ["--label", "pos,neg,odd", "--multi-label"]
    again = run("compare", "classify", "flags.csv", *columns, "--rungs", "nb-svm", "--json").document
    assert again["rows"][-1]["split"]["test"]["accuracy"] == by_name["nb-svm"]["accuracy"]


@pytest.mark.parametrize("rung", ["lstm", "bag"])
def test_a_training_that_was_stopped_goes_on_to_the_same_bytes(run: Run, data: Path, rung: str) -> None:
    from foretell.tasks import get_task, task_configuration
    from foretell.tasks.interface import Attempt, Silent

    task = get_task("classify")
    flags = {"epochs": 4, "units": 8, "embedding": 8, "batch_size": 16, "buckets": 500, "dropout": 0.2}
    configuration = task_configuration("classify").build({**flags, "checkpoint_seconds": 0}, environment={})
    prepared = task.prepare(str(data), configuration)

    class Stopping(Silent):
        def __init__(self, after: int) -> None:
            self.left = after

        def step(self, epoch: int, step: int, steps: int, loss: float) -> None:
            self.left -= 1
            if self.left == 0:
                raise KeyboardInterrupt

    whole: Any = task.fit(prepared, rung, Attempt(Path("whole"), Silent()))
    for after in (5, 13):
        with pytest.raises(KeyboardInterrupt):
            task.fit(prepared, rung, Attempt(Path("parts"), Stopping(after)))
    parts: Any = task.fit(prepared, rung, Attempt(Path("parts"), Silent()))
    ours, theirs = whole.artefact({}), parts.artefact({})
    assert ours.arrays.keys() == theirs.arrays.keys()
    assert all((ours.arrays[name] == theirs.arrays[name]).all() for name in ours.arrays)
    assert whole.temperature == parts.temperature


def test_training_goes_on_from_a_model_with_newer_texts(run: Run, data: Path) -> None:
    assert run("train", "classify", data, "--rung", "gru", *TINY, "--name", "first").code == 0
    made_texts.frame(120, seed=9).write_csv("newer.csv")
    result = run("train", "classify", "newer.csv", "--from", "first", "--epochs", "1", "--name", "second", "--json")
    assert result.code == 0, result.out
    assert "went on from" in result.document["rows"][-1]["note"]
    refused = run("train", "classify", "newer.csv", "--from", "first", "--vocabulary", "50")
    assert refused.code == 3
    assert "tokens.vocabulary is the model's" in refused.err
    made_texts.frame(120, ("neg", "odd", "pos")).write_csv("three.csv")
    assert (
        'has the label "odd", which training never saw' in run("train", "classify", "three.csv", "--from", "first").err
    )


def test_options_are_searched(run: Run, data: Path) -> None:
    search = ["--trials", "2", "--search", "network.embedding=4..8", "--search", "tokens.length=5,20"]
    result = run("tune", "classify", data, "--rung", "bag", *TINY[:2], "--buckets", "100", *search, "--json")
    assert result.code == 0, result.err
    assert set(result.document["tuning"]["best"]) == {"network.embedding", "tokens.length"}


def test_inspect_finds_neighbours_and_gradients(run: Run, compared: Path) -> None:
    runs = ["--runs-dir", compared.parent]
    found = run("inspect", "all", "--neighbours", "good", "--count", "3", "--json", *runs).document["neighbours"]
    assert {row["rung"] for row in found["good"]} == set(NETWORKS)
    assert all(-1.001 <= row["cosine"] <= 1.001 for row in found["good"])
    assert "nearest to good:" in run("inspect", "all/bag", "--neighbours", "good", *runs).out
    unknown = run("inspect", "all", "--neighbours", "goood", *runs)
    assert unknown.code == 3
    assert "did you mean" in unknown.err
    assert run("inspect", "all/nb-svm", "--neighbours", "good", *runs).code == 3
    gradients = run("inspect", "all/lstm", "-o", "inside.html", "--json", *runs)
    assert gradients.code == 0, gradients.err
    assert gradients.document["models"][0]["layers"][0]["part"] == "state"


def vectors_of(run: str) -> Any:
    fitted: Any = ft.load(run).fitted
    return fitted.vectors()


def test_vectors_from_a_file_are_taken_and_may_stay(run: Run, data: Path) -> None:
    generator = np.random.default_rng(0)
    words = [word for own in made_texts.FEELING.values() for word in own]
    lines = [f"{word} {' '.join(f'{value:.4f}' for value in generator.normal(size=12))}" for word in words]
    Path("vectors.vec").write_text("\n".join([f"{len(words)} 12", *lines]) + "\n")
    common = ["train", "classify", data, "--rung", "lstm", *TINY[:4], "--batch-size", "16", "--vectors", "vectors.vec"]
    assert run(*common, "--no-train-vectors", "--name", "kept").code == 0
    tokens, values = vectors_of("runs/kept")
    expected = dict(line.split(" ", 1) for line in lines)
    place = tokens.index("superb")
    assert np.allclose(values[place], [float(part) for part in expected["superb"].split()], atol=1e-6)
    assert run(*common, "--name", "moved").code == 0
    moved = vectors_of("runs/moved")[1]
    assert not np.allclose(values[place], moved[place])
    note = json.loads(Path("runs/kept/leaderboard.json").read_text())["rows"][-1]["note"]
    assert "vectors of 12 of" in note and "stay as they are" in note


def test_class_weights_smoothing_schedule_and_recurrent_dropout_are_taken(run: Run) -> None:
    made_texts.frame(240).with_row_index().filter((pl.col("label") == "neg") | (pl.col("index") % 6 == 1)).drop(
        "index"
    ).write_csv("uneven.csv")
    plain = ["train", "classify", "uneven.csv", "--rung", "gru", *TINY]
    further = [
        "--class-weight",
        "balanced",
        "--label-smoothing",
        "0.1",
        "--schedule",
        "cosine",
        "--recurrent-dropout",
        "0.2",
    ]
    documents = [run(*plain, *options, "--json").document for options in ([], further)]
    assert documents[0]["rows"][-1]["split"] != documents[1]["rows"][-1]["split"]


def test_data_check_tells_what_there_is(run: Run, data: Path) -> None:
    document = run("data", "check", data, "--text", "text", "--json").document
    assert (document["texts"], document["healthy"]) == (240, True)
    assert [(own["label"], own["texts"]) for own in document["labels"]] == [("neg", 120), ("pos", 120)]
    Path("one.csv").write_text("text,label\na,b\nc,b\n")
    result = run("data", "check", "one.csv", "--label", "label")
    assert result.code == 3
    assert "one label only" in result.out
    assert "training would fail" in result.out


def test_a_text_of_five_megabytes_is_cut_and_told(run: Run, data: Path) -> None:
    rows = made_texts.reviews(60)
    long = " ".join(["the film was superb"] * 260_000)
    assert len(long) > 5_000_000
    pl.DataFrame([*rows, (long, "pos")], schema=["text", "label"], orient="row").write_csv("long.csv")
    result = run("train", "classify", "long.csv", "--rung", "gru", *TINY, "--name", "g")
    assert result.code == 0, result.err
    assert "1 text is longer than 40 tokens, the longest has 1,040,000" in result.err
    pl.DataFrame({"text": [long]}).write_csv("only.csv")
    said = run("predict", "g", "only.csv", "-o", "out.csv")
    assert "1 text is longer than the 40 tokens" in said.err
    assert pl.read_csv("out.csv").height == 1


def test_a_classifier_from_python(data: Path, tmp_path: Path) -> None:
    frame = pl.read_csv(data).to_pandas()
    classifier = ft.Classifier("bag", epochs=15, batch_size=16, buckets=500, embedding=8, learning_rate=0.02)
    assert classifier.fit(frame).counts_["test"] == 36
    assert classifier.evaluate()["accuracy"] > 0.7
    said = classifier.predict(frame)
    assert type(said).__module__.startswith("pandas")
    assert list(said.columns) == ["text", "label", "predicted label", "probability", "p(neg)", "p(pos)"]
    again = ft.load(classifier.save(tmp_path / "model")).predict(frame)
    assert (said["p(pos)"] == again["p(pos)"]).all()
    with pytest.raises(ft.ForetellError, match="learned nothing yet"):
        ft.Classifier("bag").predict(["a"])
    with pytest.raises(ft.ForetellError, match='no option "epoch"'):
        ft.Classifier("bag", epoch=1).fit(frame)


def test_without_scikit_learn_its_baselines_are_left_out_and_told(data: Path, tmp_path: Path) -> None:
    script = (
        "import sys, importlib.util as util\n"
        "found = util.find_spec\n"
        "util.find_spec = lambda name, *rest: None if name == 'sklearn' else found(name, *rest)\n"
        "from foretell.cli.main import main\nmain(sys.argv[1:])"
    )
    command = [sys.executable, "-c", script, "compare", "classify", str(data)]
    named = subprocess.run([*command, "--rungs", "nb-svm"], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert named.returncode == 4
    assert "pip install 'foretell[classify]'" in named.stderr
    tiny = [*TINY[:2], "--rungs", "bag"]
    done = subprocess.run(
        [*command, *tiny], capture_output=True, text=True, cwd=tmp_path, check=False, env=dict(os.environ)
    )
    assert done.returncode == 0, done.stderr
    assert "the baseline nb-svm is left out, since it needs sklearn: pip install 'foretell[classify]'" in done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()[1:3]] == ["majority", "bag"]
