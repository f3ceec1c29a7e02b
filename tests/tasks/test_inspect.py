"""``foretell inspect`` end to end: a train run, a compare run, a rung, a model folder; page, picture, JSON, errors."""

import json
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from foretell.cli.main import main

from ..browser import CHROMIUM
from .commands import Run

TINY = [
    "--target",
    "T (degC)",
    "--lookback",
    "24",
    "--ahead",
    "6h",
    "--epochs",
    "1",
    "--steps-per-epoch",
    "5",
    "--units",
    "4",
]
RECURRENT = ["rnn", "gru", "lstm"]


@pytest.fixture(scope="module")
def compared(hourly_csv: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a compare run of recurrent rungs and others, made once."""
    folder = tmp_path_factory.mktemp("inspected")
    rungs = ["--rungs", "persistence,mlp,rnn,gru,lstm"]
    with pytest.raises(SystemExit) as stopped:
        main(["compare", "forecast", str(hourly_csv), *TINY, *rungs, "--runs-dir", str(folder), "--name", "all", "-q"])
    assert stopped.value.code == 0
    return folder / "all"


def test_every_recurrent_rung_of_a_comparison(run: Run, compared: Path, hourly_csv: Path) -> None:
    result = run("inspect", "all", "--runs-dir", compared.parent, "--json")
    assert result.code == 0, result.out
    document = result.document
    assert (document["task"], document["span"], document["data"]) == ("forecast", "validation", str(hourly_csv))
    assert [model["rung"] for model in document["models"]] == RECURRENT
    assert [[layer["name"] for layer in model["layers"]] for model in document["models"]] == [
        ["rnn"],
        ["gru"],
        ["lstm state", "lstm cell"],
    ]
    for model, gates in zip(document["models"], (1, 3, 4), strict=True):
        assert model["windows"] == 180
        for layer in model["layers"]:
            assert len(layer["gradient"]) == 24
            assert min(layer["gradient"]) > 0
            assert layer["ratio"] == pytest.approx(layer["gradient"][-1] / layer["gradient"][0])
            assert layer["words"]
        assert len(model["matrices"]) == gates
        assert all(0 < matrix["eigenvalue"] <= matrix["singular_value"] * 1.000001 for matrix in model["matrices"])
        board = json.loads((compared / "leaderboard.json").read_text())
        row = next(row for row in board["rows"] if row["rung"] == model["rung"])
        assert sum(tensor["count"] for tensor in model["parameters"]) == row["parameters"]
    page = Path(document["output"])
    assert page == compared / "inspect.html"
    for text in ("Gradients through time", "Recurrent matrices", "Parameters", "largest eigenvalue"):
        assert text in page.read_text()


def test_the_gradients_are_those_of_the_loss_that_was_trained(run: Run, compared: Path, hourly_csv: Path) -> None:
    """At the last step the head alone lies between state and loss: its weights' norm is the gradient of the mean error."""
    (model,) = run("inspect", "all/rnn", "--runs-dir", compared.parent, "--json").document["models"]
    (layer,) = model["layers"]
    head = next(tensor for tensor in model["parameters"] if tensor["name"] == "head.weight")
    assert layer["gradient"][0] == pytest.approx(head["norm"])
    board = json.loads((compared / "leaderboard.json").read_text())
    row = next(row for row in board["rows"] if row["rung"] == "rnn")
    assert model["loss"] == pytest.approx(row["split"]["validation"]["mae_scaled"], rel=1e-4)
    options = ["--rung", "rnn", "--loss", "mse", "--name", "squared", "--quiet"]
    assert run("train", "forecast", hourly_csv, *TINY, *options).code == 0
    (squared,) = run("inspect", "squared", "--json").document["models"]
    board = json.loads(Path("runs/squared/leaderboard.json").read_text())
    row = next(row for row in board["rows"] if row["rung"] == "rnn")
    assert squared["loss"] != pytest.approx(row["split"]["validation"]["mae_scaled"], rel=1e-2)
    assert squared["rung"] == "rnn"
    assert Path("runs/squared/inspect.html").exists()


def test_tables_are_printed(run: Run, compared: Path) -> None:
    result = run("inspect", "all/lstm", "--runs-dir", compared.parent, "--windows", "7")
    assert result.code == 0
    lines = result.out.splitlines()
    assert lines[0].split() == [
        "state",
        "at",
        "the",
        "end",
        "furthest",
        "back",
        "steps",
        "ratio",
        "what",
        "becomes",
        "of",
        "it",
    ]
    assert [line.split()[:2] for line in lines[1:3]] == [["lstm", "state"], ["lstm", "cell"]]
    gates = lines[5:9]
    assert [line.split()[1] for line in gates] == ["input", "forget", "candidate", "output"]
    assert "recurrent.cells.0.state_weights" in result.out
    assert "7 windows, evenly spread over the validation span" in lines[-2]
    assert lines[-1] == f"page: {compared / 'lstm' / 'inspect.html'}"


def test_a_picture_instead_of_the_page(run: Run, compared: Path) -> None:
    (compared / "gru" / "inspect.html").unlink(missing_ok=True)
    result = run("inspect", compared / "gru", "-o", "gradients.png")
    assert result.code == 0
    assert Path("gradients.png").read_bytes().startswith(b"\x89PNG")
    assert not (compared / "gru" / "inspect.html").exists()
    assert run("inspect", compared / "gru", "-o", "gradients.pdf").code == 2
    assert run("inspect", compared / "gru", "-o", "nowhere/page.html").code == 1


def test_a_model_folder_needs_data(run: Run, compared: Path, hourly: pl.DataFrame, hourly_csv: Path) -> None:
    shutil.copytree(compared / "gru" / "model", "served")
    alone = run("inspect", "served")
    assert alone.code == 3
    assert "name the DATA: foretell inspect served DATA" in alone.err
    own = run("inspect", "served", hourly_csv, "--json").document
    assert (own["span"], own["models"][0]["windows"]) == ("validation", 180)
    assert own["output"] == "served-inspect.html", "what is served stays as it is"
    hourly.tail(100).write_csv("new.csv")
    other = run("inspect", "served", "new.csv", "--json").document
    assert (other["span"], other["models"][0]["windows"]) == ("all", 100 - 23 - 6)
    within = run("inspect", compared / "gru" / "model", "--json").document
    assert within["models"][0]["layers"] == own["models"][0]["layers"]


def test_a_task_that_makes_its_own_data_needs_none_named(run: Run) -> None:
    options = ["--gap", "5", "--epochs", "1", "--steps-per-epoch", "3", "--units", "4", "--name", "own", "--quiet"]
    assert run("train", "recall", "--rung", "gru", *options).code == 0
    document = run("inspect", "own", "--windows", "50", "--json").document
    assert (document["data"], document["span"]) == (None, "validation")
    (model,) = document["models"]
    assert (model["windows"], len(model["layers"][0]["gradient"])) == (50, 6)
    shutil.copytree("runs/own/model", "served")
    again = run("inspect", "served", "--windows", "50")
    assert again.code == 0
    assert "50 sequences, evenly spread over the validation span of its own data" in again.out


def test_models_lie_as_deep_as_they_will(run: Run, compared: Path, hourly_csv: Path) -> None:
    study = Path("runs/study")
    for value, rung in (("10", "gru"), ("9", "lstm"), ("9", "rnn"), ("9", "persistence")):
        shutil.copytree(compared / rung / "model", study / value / rung / "model")
    shutil.copytree(compared / "model", study / "9" / "model")
    shutil.copytree(compared / "gru" / "model", study / "9" / ".gru.left" / "model")
    job = json.loads((compared / "run.json").read_text())
    vary = {"option": "windows.ahead", "values": ["9", "10"], "folders": ["9", "10"]}
    (study / "run.json").write_text(json.dumps({**job, "verb": "study", "vary": vary}))
    document = run("inspect", "study", hourly_csv, "--json").document
    assert [model["rung"] for model in document["models"]] == ["9/rnn", "9/lstm", "10/gru"]
    assert document["models"][2]["layers"][0]["name"] == "10/gru"


def test_what_cannot_be_inspected_says_why(run: Run, compared: Path, hourly: pl.DataFrame) -> None:
    for rung in ("mlp", "persistence"):
        refused = run("inspect", compared / rung)
        assert refused.code == 3
        assert f"it holds {rung};" in refused.err
        assert "train a recurrent rung" in refused.err
    as_json = run("inspect", compared / "mlp", "--json").document
    assert as_json["error"]["details"]["rungs"] == ["mlp"]
    unknown = run("inspect", "nothing")
    assert unknown.code == 3
    assert 'there is no run "nothing"' in unknown.err
    assert run("inspect", compared, "--windows", "0").code == 2
    hourly.head(1100).write_csv("data.csv")
    options = ["--rung", "gru", "--name", "own", "--quiet"]
    assert run("train", "forecast", "data.csv", *TINY, *options).code == 0
    hourly.write_csv("data.csv")
    changed = run("inspect", "own")
    assert changed.code == 3
    assert "has changed since the training, so its validation span is gone" in changed.err
    assert run("inspect", "own", "data.csv", "--json").document["span"] == "all"
    Path("data.csv").unlink()
    gone = run("inspect", "own")
    assert gone.code == 3
    assert "there is no file" in gone.err
    shutil.rmtree("runs/own/model")
    early = run("inspect", "own")
    assert early.code == 3
    assert "holds no model yet; finish it with: foretell train --resume own" in early.err
    assert all("Traceback" not in result.err for result in (refused, unknown, changed, gone, early))


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed (apt-get install chromium)")
def test_the_page_draws_on_a_logarithmic_axis_and_asks_nobody(run: Run, compared: Path, browser: Any) -> None:
    assert run("inspect", compared, "-o", "page.html").code == 0
    page = browser.new_page(viewport={"width": 390, "height": 900})
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(Path("page.html").resolve().as_uri())
    page.wait_for_selector(".plot .main-svg")
    assert (said, asked) == ([], [Path("page.html").resolve().as_uri()])
    assert page.evaluate("document.querySelector('.plot')._fullLayout.yaxis.type") == "log"
    assert page.evaluate("document.querySelector('.plot').data.map(line => line.y.length)") == [24] * 4
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth + 1"), "it scrolls sideways"
    page.close()
