"""Recipes and studies, end to end with tiny settings: listed, shown, carried out, read again, and every mistake told."""

import json
from functools import partial
from pathlib import Path

import polars as pl
import pytest

from foretell.cli.main import main
from foretell.cli.recipes import asked_of, configured
from foretell.recipes.reading import read_recipe, recipe_names
from foretell.study import plan
from foretell.tasks import choose_rungs, task_configuration

from .commands import Run

SMALL = ["training_sequences=600", "validation_sequences=100", "test_sequences=100", "training.epochs=2", "units=8"]
SETS = [part for text in SMALL for part in ("--set", text)]
GAP = ["train", "--recipe", "lecture/long-gap", *SETS, "--set", "vary.values=1,2,40"]
WEATHER = ["--set", "training.steps_per_epoch=3", "--set", "training.epochs=2", "--set", "network.units=3"]


@pytest.fixture(scope="module")
def studied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished study, made once."""
    folder = tmp_path_factory.mktemp("studied")
    with pytest.raises(SystemExit) as stopped:
        main([*GAP, "--runs-dir", str(folder), "--name", "gaps", "--quiet"])
    assert stopped.value.code == 0
    return folder / "gaps"


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_is_valid(name: str) -> None:
    recipe = read_recipe(name)
    assert recipe.summary.endswith(".")
    assert len(recipe.summary) < 120
    named = recipe.source is not None or recipe.expects is not None
    assert named == task_configuration(recipe.task).reads_data
    build = partial(configured, recipe, asked_of(name, {}))
    section = build().run
    choose_rungs(recipe.task, section.rungs or ((section.rung,) if section.rung else ()))
    if recipe.vary:
        planned = plan(recipe.vary.option, recipe.vary.values, build)
        assert planned.option == recipe.vary.option
        assert len(planned.variants) == len(recipe.vary.values)


def test_recipes_are_listed_and_shown(run: Run) -> None:
    for arguments in (["recipes"], ["recipes", "list"]):
        listed = run(*arguments)
        assert [line.split()[0] for line in listed.out.splitlines()[1:]] == recipe_names()
        assert "foretell train --recipe" in listed.err
    documents = run("recipes", "--json").document["recipes"]
    assert documents == run("recipes", "list", "--json").document["recipes"]
    assert ("lecture/long-gap", "recall") in {(document["name"], document["task"]) for document in documents}
    shown = run("recipes", "show", "lecture/long-gap")
    assert "[vary]" in shown.out
    vary = run("recipes", "show", "lecture/long-gap", "--json").document["vary"]
    assert (vary["option"], vary["values"][0]) == ("recall.gap", 2)


def test_a_study_keeps_a_comparison_for_each_value(studied: Path) -> None:
    board = json.loads((studied / "leaderboard.json").read_text())
    assert (board["task"], board["option"]) == ("recall", "recall.gap")
    rows = [(row["value"], row["rung"]) for row in board["rows"]]
    assert rows == [(gap, rung) for gap in (1, 2, 40) for rung in ("chance", "rnn", "gru", "lstm")]
    for row in board["rows"]:
        test = row["split"]["test"]
        assert set(test) == {"accuracy", "error", "count"}
        assert test["accuracy"] + test["error"] == pytest.approx(1)
        assert Path(row["run"], "model", "model.json").exists()
    assert [entry["value"] for entry in board["variants"]] == [1, 2, 40]
    assert {entry["reference"] for entry in board["variants"]} == {"chance"}
    for folder in ("gap-1", "gap-2", "gap-40"):
        inside = {path.name for path in (studied / folder).iterdir()}
        assert inside >= {"config.toml", "run.json", "leaderboard.json", "report.html", "model", "rnn"}
    assert "gap = 40" in (studied / "gap-40" / "config.toml").read_text()
    # Nothing of a gap of 40 is learned in two short epochs; chance is what it is.
    chance = next(row for row in board["rows"] if (row["value"], row["rung"]) == (40, "chance"))
    assert chance["split"]["test"]["error"] == pytest.approx(7 / 8, abs=0.01)
    page = (studied / "report.html").read_text()
    for text in ("Test accuracy against recall.gap", "Learning curves", "Values and rungs", "gap-40"):
        assert text in page


def test_rows_are_printed_as_they_come(run: Run) -> None:
    result = run(*GAP, "--set", "run.rungs=rnn", "--set", "vary.values=1,2", "--name", "two")
    assert result.code == 0
    lines = [line.split() for line in result.out.splitlines()]
    assert lines[0][:2] == ["gap", "rung"]
    assert [line[:2] for line in lines[1:5]] == [["1", "chance"], ["1", "rnn"], ["2", "chance"], ["2", "rnn"]]
    assert "report: runs/two/report.html" in result.out
    assert result.err.count("sequences: 600 train") == 1
    assert "run: runs/two" in result.err


def test_the_runs_of_a_study_are_listed_shown_and_judged(run: Run, studied: Path) -> None:
    where = ["--runs-dir", studied.parent]
    listed = run("runs", "list", *where, "--json").document["runs"]
    assert [(entry["name"], entry["verb"], entry["option"]) for entry in listed] == [("gaps", "study", "recall.gap")]
    assert listed[0]["values"] == [1, 2, 40]
    assert "a study of recall.gap" in run("runs", "list", *where).out
    shown = run("runs", "show", "gaps", *where)
    assert "study recall over recall.gap" in shown.out
    assert [line.split()[0] for line in shown.out.splitlines()[2:6]] == ["1", "1", "1", "1"]
    assert run("runs", "show", "gaps", *where, "--json").document["job"]["recipe"] == "lecture/long-gap"
    assert "epoch 2" in run("runs", "show", "gaps/gap-2/rnn", *where).out
    pair = run("runs", "compare", "gaps/gap-1", "gaps/gap-2/rnn", *where, "--json").document["runs"]
    assert [entry["name"] for entry in pair] == ["gaps/gap-1", "gaps/gap-2/rnn"]
    board = json.loads((studied / "leaderboard.json").read_text())
    row = next(row for row in board["rows"] if (row["value"], row["rung"]) == (2, "rnn"))
    judged = run("evaluate", "gaps/gap-2/rnn", *where, "--json").document
    assert (judged["span"], judged["data"]) == ("test", None)
    assert judged["metrics"] == row["split"]["test"]
    assert "on its test span: share of wrong answers" in run("evaluate", "gaps/gap-2/rnn", *where).out


def test_a_study_is_no_one_model(run: Run, studied: Path) -> None:
    where = ["--runs-dir", studied.parent]
    for arguments in (["evaluate", "gaps"], ["predict", "gaps", "x.csv"], ["runs", "compare", "gaps", "gaps/gap-1"]):
        result = run(*arguments, *where)
        assert result.code == 3
        assert "is a study of recall.gap and keeps models for each of its values" in result.err
        assert "gaps/gap-1, gaps/gap-2, gaps/gap-40" in result.err
    resumed = run("train", "--resume", "gaps", *where)
    assert resumed.code == 3
    assert "is a run of study, not of train" in resumed.err
    part = run("runs", "delete", "gaps/gap-1", "--yes", *where)
    assert part.code == 3
    assert "delete that as a whole" in part.err


def test_a_study_is_deleted_and_one_that_was_stopped_says_so(run: Run, tmp_path: Path) -> None:
    assert run(*GAP, "--set", "vary.values=1", "--set", "run.rungs=chance", "--name", "s", "--json").code == 0
    path = tmp_path / "runs/s/run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "finished": None}))
    (tmp_path / "runs/s/leaderboard.json").unlink()
    assert "a study begins again: foretell train --recipe lecture/long-gap" in run("runs", "show", "s").out
    assert run("runs", "list", "--json").document["runs"][0]["state"] == "unfinished"
    path.write_text(json.dumps({**json.loads(path.read_text()), "vary": {}}))
    assert run("runs", "list", "--json").document["runs"][0]["state"] == "damaged"
    path.write_text(json.dumps({**json.loads(path.read_text()), "vary": {"option": "x", "folders": ["y"]}}))
    assert run("runs", "delete", "s", "--yes").code == 0
    assert run("runs", "list", "--json").document == {"runs": []}


def test_a_study_of_forecasts(run: Run) -> None:
    result = run("train", "--recipe", "lecture/naive-dropout", *WEATHER, "--json")
    assert result.code == 0, result.out
    document = result.document
    assert document["run"] == "runs/lecture-naive-dropout-1"
    assert [row["value"] for row in document["rows"] if row["rung"] == "gru"] == ["sequence", "step"]
    gru = [row["split"] for row in document["rows"] if row["rung"] == "gru"]
    assert gru[0] != gru[1]
    assert gru[0]["test"]["unit"] == "degC"
    # All four baselines stand beside the one rung, and are the same for both masks.
    for name in ("persistence", "seasonal", "climatology", "ridge"):
        errors = [row["split"]["test"]["mae"] for row in document["rows"] if row["rung"] == name]
        assert len(errors) == 2
        assert errors[0] == errors[1]
    assert "Test MAE (degC) against network.mask" in Path(document["report"]).read_text()
    assert "degC" in run("runs", "show", "lecture-naive-dropout-1").out


def test_any_option_of_any_recipe_can_be_varied(run: Run) -> None:
    sets = ["--set", "vary.option=ahead", "--set", "vary.values=6,24h", "--set", "run.rungs=persistence,ridge"]
    document = run("train", "--recipe", "demo", *sets, "--json").document
    assert document["option"] == "windows.ahead"
    assert [entry["value"] for entry in document["variants"]] == ["6", "24h"]
    errors = [row["split"]["test"]["mae"] for row in document["rows"] if row["rung"] == "ridge"]
    assert errors[0] < errors[1]


def test_a_study_of_one_rung_has_one(run: Run) -> None:
    document = run(*GAP[:-2], "--set", "vary.values=2", "--set", "run.rung=gru", "--json").document
    assert [row["rung"] for row in document["rows"]] == ["chance", "gru"]


def test_a_recipe_that_varies_nothing_is_compared_or_trained(run: Run) -> None:
    rungs = ["--set", "run.rungs=persistence,ridge"]
    compared = run("train", "--recipe", "demo", *rungs, "--name", "all", "--json").document
    assert [row["rung"] for row in compared["rows"]] == ["persistence", "ridge"]
    assert run("runs", "show", "all", "--json").document["job"]["recipe"] == "demo"
    trained = run("train", "--recipe", "demo", *WEATHER, "--set", "run.rung=mlp", "--json").document
    assert trained["run"] == "runs/demo-mlp-1"
    assert trained["kept"] == "mlp"


def test_a_task_that_makes_its_own_data_needs_none(run: Run, tmp_path: Path) -> None:
    pairs = [text.rpartition(".")[2].split("=") for text in SMALL]
    options = [word for name, value in pairs for word in (f"--{name.replace('_', '-')}", value)]
    compared = run("compare", "recall", "--gap", "2", *options, "--rungs", "rnn")
    assert compared.code == 0
    assert compared.out.splitlines()[0].split()[:5] == ["rung", "validation", "error", "test", "error"]
    assert (tmp_path / "runs/recall-1/model/model.json").exists()
    trained = run("train", "recall", "--gap", "2", *options, "--rung", "gru", "--name", "g")
    assert "gru: test " in trained.out
    pl.DataFrame({"symbol": [1, 2, 3, 4]}).write_csv(tmp_path / "seen.csv")
    predicted = run("predict", "g", "seen.csv")
    assert [line.split(",")[0] for line in predicted.out.splitlines()] == ["row", "3", "4"]
    assert len(run("predict", "g", "seen.csv", "--anchors", "latest", "--json").document["symbols"]) == 1
    on_table = run("evaluate", "g", "seen.csv")
    assert "gru on all sequences of seen.csv: share of wrong answers" in on_table.out
    assert run("compare", "recall", "seen.csv").code == 2


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["train", "--recipe", "lecture/long-gab"], 2, 'did you mean "lecture/long-gap"?'),
        (["recipes", "show", "demmo"], 2, 'did you mean "demo"?'),
        (["recipes", "shw"], 2, "shw"),
        (["train", "--recipe", "demo", "--resume", "x"], 2, "--recipe RECIPE, or --resume RUN"),
        (["train", "--resume", "x", "--set", "epochs=1"], 2, "No such option '--set'"),
        (["train", "--recipe", "demo", "forecast", "x.csv"], 2, "--recipe goes without a task"),
        (["train", "--recipe", "demo", "--set", "training.epoch=1"], 2, 'did you mean "training.epochs"?'),
        (["train", "--recipe", "demo", "--set", "epochs"], 2, "--set needs NAME=VALUE"),
        (["train", "--recipe", "demo", "--set", "training.epochs=0"], 3, "greater than or equal to 1; found '0'"),
        (["train", "--recipe", "demo", "--set", "vary.values=1,2"], 2, "--set vary.option=A.B"),
        (["train", "--recipe", "demo", "--set", "vary.value=1,2"], 2, 'did you mean "values"?'),
        ([*GAP, "--set", "vary.values="], 2, "--set vary.values=C,D"),
        ([*GAP, "--set", "vary.values=2,2"], 2, "the value 2 of recall.gap comes twice"),
        ([*GAP, "--set", "vary.values=2,0"], 3, "greater than or equal to 1"),
        ([*GAP, "--set", "vary.option=recall.gop"], 2, 'did you mean "recall.gap"?'),
        ([*GAP, "--set", "recall.gap=3"], 2, "recall.gap is what lecture/long-gap varies"),
        ([*GAP, "--set", "run.rungs=grru"], 2, 'did you mean "gru"?'),
        ([*GAP, "--set", "run.rung=grru"], 2, 'did you mean "gru"?'),
        ([*GAP, "--set", "vary.option=run.rungs", "--set", "vary.values=rnn,gru"], 2, "run.rungs says what is run"),
        ([*GAP[:3], "--set", "vary.option=network.units"], 2, "--set vary.values=C,D"),
        ([*GAP, "--name", "../up"], 3, "letters, digits"),
        ([*GAP, "--set", "recall.symbols=2", "--set", "training.seed=1"], 3, "too few for three spans"),
    ],
)
def test_mistakes_are_told_in_one_sentence(
    run: Run, tmp_path: Path, arguments: list[str], code: int, message: str
) -> None:
    result = run(*arguments)
    assert result.code == code, result.err
    assert message in result.err
    assert "Traceback" not in result.err
    assert not list(tmp_path.iterdir()), "something was left behind"
    document = run(*arguments, "--json").document
    assert message in document["error"]["message"]


def test_the_environment_cannot_change_what_a_recipe_is_about(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"GAP": "7", "RUNGS": "zzz", "RUNG": "zzz", "UNITS": "3", "EPOCHS": "1"}.items():
        monkeypatch.setenv(f"FORETELL_{name}", value)
    recipe = read_recipe("lecture/long-gap")
    options = configured(recipe, asked_of("lecture/long-gap", {}))
    assert (options.recall.gap, options.run.rung, options.network.units) == (10, None, (32,))
    assert options.run.rungs == ("chance", "rnn", "gru", "lstm")
    assert options.training.epochs == 1
