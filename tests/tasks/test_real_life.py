"""Tasks of real life, end to end with tiny settings: folds, seeds, budgets, intervals, covariates, going on, following."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import foretell as ft
from foretell.artefact import read_artefact

from .commands import SHOPS, SMALL, Run


def test_a_backtest_tells_mean_and_spread(run: Run, hourly_csv: Path) -> None:
    options = ["--rungs", "persistence,ridge,gru", "--folds", "3", "--name", "folds", "--json"]
    document = run("compare", "forecast", hourly_csv, *SMALL, *options).document
    assert [fold["fold"] for fold in document["folds"]] == [1, 2, 3]
    assert sum(fold["windows"]["test"] for fold in document["folds"]) == 180, "together they are the whole test span"
    trained = [fold["windows"]["train"] for fold in document["folds"]]
    assert trained[1] - trained[0] == trained[2] - trained[1] == 60, "training grows with each fold"
    ridge = document["rows"][1]
    assert ridge["split"]["test"]["spread"]["mae"] > 0
    assert ridge["split"]["test"]["trials"] == 3
    folder = Path(document["rows"][2]["run"])
    assert sorted(path.name for path in folder.iterdir()) == ["fold-1", "fold-2", "fold-3", "model"]
    judged = run("evaluate", "folds/gru", "--json").document
    assert judged["metrics"]["count"] == document["folds"][2]["windows"]["test"], (
        "the last fold's model, on its own test"
    )
    sliding = run("compare", "forecast", hourly_csv, *SMALL, *options[:4], "--origin", "sliding", "--json").document
    assert len({fold["windows"]["train"] for fold in sliding["folds"][1:]}) == 1


def test_seeds_have_a_spread_and_baselines_have_none(run: Run, hourly_csv: Path) -> None:
    options = ["--rungs", "ridge,gru,ensemble", "--seeds", "2", "--seed", "5", "--name", "seeds"]
    result = run("compare", "forecast", hourly_csv, *SMALL, *options, "--json")
    ridge, gru, ensemble = result.document["rows"]
    assert "spread" not in ridge["split"]["test"]
    assert gru["split"]["test"]["spread"]["mae"] > 0
    assert ensemble["split"]["test"]["trials"] == 2
    single = run("compare", "forecast", hourly_csv, *SMALL, "--rungs", "ridge,gru", "--seed", "6", "--json").document
    kept = [json.loads(path.read_text())["metrics"] for path in Path("runs/seeds/gru").glob("seed-*/model/model.json")]
    assert any(
        metrics["test"]["mae"] == pytest.approx(single["rows"][1]["split"]["test"]["mae"])
        for metrics in kept
        if "spread" not in metrics["test"]
    ), "the second seed is what a run with that seed is"
    shown = run("runs", "show", "seeds")
    assert "±" in shown.out


def test_a_budget_is_shared_and_what_is_cut_is_told(run: Run, hourly_csv: Path) -> None:
    options = [
        "--rungs",
        "ridge,mlp,gru,boosted-trees",
        "--budget",
        "1s",
        "--epochs",
        "4000",
        "--patience",
        "0",
        "--json",
    ]
    document = run("compare", "forecast", hourly_csv, *[*SMALL[:6], *SMALL[8:]], *options).document
    notes = {row["rung"]: row["note"] for row in document["rows"]}
    assert "its share of the time" in notes["mlp"]
    assert "its share of the time" in notes["gru"]
    assert "share" not in notes["ridge"]
    assert sum(row["seconds"] for row in document["rows"]) < 30
    wrong = run("compare", "forecast", hourly_csv, *SMALL, "--budget", "soon")
    assert (wrong.code, "90s, 10m or 2h" in wrong.err) == (3, True)


def test_a_stopped_comparison_goes_on_where_it_stopped(run: Run, hourly_csv: Path) -> None:
    options = ["--rungs", "persistence,ridge,mlp,gru,ensemble", "--intervals", "0.8"]
    whole = run("compare", "forecast", hourly_csv, *SMALL, *options, "--name", "whole", "--json").document
    stopped = Path("runs/stopped")
    shutil.copytree("runs/whole", stopped)
    job = json.loads((stopped / "run.json").read_text()) | {"finished": None}
    (stopped / "run.json").write_text(json.dumps(job))
    for name in ("leaderboard.json", "report.html"):
        (stopped / name).unlink()
    for name in ("model", "ensemble", "gru/model"):
        shutil.rmtree(stopped / name)
    curve = stopped / "mlp" / "metrics.jsonl"
    curve.write_text(
        curve.read_text().replace('"epoch": 1', '"kept": 7, "epoch": 1')
    )  # what is not trained again keeps it
    listed = run("runs", "show", "stopped")
    assert "foretell compare --resume stopped" in listed.out
    again = run("compare", "--resume", "stopped", "--json")
    assert again.code == 0, again.err
    for one, other in zip(whole["rows"], again.document["rows"], strict=True):
        assert one["split"]["test"]["mae"] == pytest.approx(other["split"]["test"]["mae"], rel=1e-12)
        assert one["skill"] == other["skill"]
    written = json.loads((stopped / "mlp" / "model" / "model.json").read_text())
    assert written["metrics"]["skill"] is not None
    assert '"kept": 7' in curve.read_text()
    assert run("compare", "--resume", "stopped").code == 3, "it is finished now"
    assert run("compare", "--resume", "whole", "forecast").code == 2


def test_intervals_stand_in_table_forecasts_and_folder(run: Run, hourly_csv: Path) -> None:
    options = ["--rungs", "ridge,gru", "--intervals", "0.8,0.95", "--ahead", "1:6", "--name", "sure"]
    result = run("compare", "forecast", hourly_csv, *SMALL, *options)
    assert "covered by 80 %" in result.out
    assert "width of 95 %" in result.out
    board = json.loads(Path("runs/sure/leaderboard.json").read_text())
    for row in board["rows"]:
        validation, test = row["split"]["validation"]["intervals"], row["split"]["test"]["intervals"]
        assert 0.78 < validation["0.8"]["coverage"] < 0.85
        assert validation["0.8"]["width"] < validation["0.95"]["width"] == pytest.approx(test["0.95"]["width"])
    frame = pl.read_csv(run("predict", "sure", hourly_csv).out.encode())
    wanted = [f"{end} {level}% T (degC)" for level in (80, 95) for end in ("low", "high")]
    assert frame.columns == ["time", "made at", "forecast T (degC)", *wanted]
    lows, middle = frame[wanted[2]].to_numpy(), frame["forecast T (degC)"].to_numpy()
    assert (lows <= frame[wanted[0]].to_numpy()).all()
    assert (lows <= middle).all()
    few = run("compare", "forecast", hourly_csv, *SMALL, "--intervals", "0.999", "--rungs", "ridge")
    assert (few.code, "999 validation windows" in few.err) == (3, True)


def test_quantile_loss_learns_the_ends(run: Run, hourly_csv: Path) -> None:
    options = ["--rung", "gru", "--loss", "quantile", "--intervals", "0.5,0.9", "--name", "ends", "--json"]
    document = run("train", "forecast", hourly_csv, *SMALL, *options).document
    test = document["rows"][-1]["split"]["test"]["intervals"]
    assert 0.1 < test["0.5"]["coverage"] < test["0.9"]["coverage"]
    artefact = read_artefact(Path("runs/ends/model"))
    assert artefact.document["model"]["quantiles"] == 5
    assert len(artefact.arrays["head.weight"]) == 5


def test_many_series_with_what_is_known_ahead_and_static(run: Run, shops: Path) -> None:
    small = [*SHOPS, "--lookback", "24", "--ahead", "1:4", "--epochs", "8", "--units", "16"]
    options = [*small, "--known", "plan", "--static", "kind", "--calendar", "--learning-rate", "0.005"]
    document = run(
        "compare", "forecast", shops, *options, "--rungs", "ridge,gru,dlinear", "--name", "shops", "--json"
    ).document
    by_name = {row["rung"]: row for row in document["rows"]}
    errors = {name: row["split"]["test"]["mae"] for name, row in by_name.items()}
    assert errors["gru"] < 0.8 * errors["ridge"], "the plan is worth three, noise a fifth"
    rows = pl.read_csv(shops, try_parse_dates=True)
    assert run("predict", "shops/gru", shops).code == 3
    told = run("predict", "shops/gru", shops).err
    assert "known ahead" in told
    last = rows["time"].to_list()[-1]
    hours = pl.datetime_range(last, last + (rows["time"][1] - rows["time"][0]) * 4, "1h", eager=True)[1:]
    ahead = [
        pl.DataFrame(
            {"shop": [name] * 4, "kind": [kind] * 4, "time": hours, "plan": [1.0, 0.0, 1.0, 0.0], "sales": [None] * 4},
            schema=rows.schema,
        )
        for name, kind in (("a", "big"), ("b", "small"), ("c", "small"))
    ]
    pl.concat([rows, *ahead]).write_csv("ahead.csv")
    frame = pl.read_csv(run("predict", "shops/gru", "ahead.csv").out.encode()).filter(pl.col("shop") == "a")
    found = frame["forecast sales"].to_numpy()
    assert found[0] - found[1] > 1.5
    assert found[2] - found[3] > 1.5
    every = pl.read_csv(run("predict", "shops/gru", shops, "--anchors", "all").out.encode())
    assert every.filter(pl.col("shop") == "a").height == 4 * (400 - 23 - 4), "windows whose future is known"
    assert run("score", "shops/gru", shops, "--json").document["origin"].startswith("made now")


def test_a_series_that_was_never_seen_is_forecast_and_one_too_young_left_out(run: Run, shops: Path) -> None:
    small = [*SHOPS, "--lookback", "24", "--ahead", "2", "--epochs", "1", "--units", "4"]
    for scale in ("all", "per-series"):
        assert run("train", "forecast", shops, *small, "--scale", scale, "--rung", "gru", "--name", scale).code == 0
        rows = pl.read_csv(shops)
        cold = rows.filter(pl.col("shop") == "b").with_columns(shop=pl.lit("new")).tail(40)
        young = rows.filter(pl.col("shop") == "b").with_columns(shop=pl.lit("young")).tail(5)
        pl.concat([rows, cold, young]).write_csv("more.csv")
        result = run("predict", scale, "more.csv")
        assert result.code == 0, result.err
        assert set(pl.read_csv(result.out.encode())["shop"]) == {"a", "b", "c", "new"}
        assert "no forecast of 1 series (young)" in result.err
        young.write_csv("young.csv")
        assert run("predict", scale, "young.csv").code == 3


def test_the_ensemble_is_the_mean_of_the_best_three(run: Run, hourly_csv: Path) -> None:
    options = ["--rungs", "persistence,seasonal,ridge,mlp,gru,dlinear,ensemble", "--name", "mean", "--json"]
    document = run("compare", "forecast", hourly_csv, *SMALL, *options).document
    alone = [row for row in document["rows"] if row["rung"] != "ensemble"]
    best = sorted(alone, key=lambda row: row["split"]["validation"]["mae_scaled"])[:3]
    note = document["rows"][-1]["note"]
    assert note == f"mean of {', '.join(row['rung'] for row in best)}"
    frames = [ft.load(f"runs/mean/{row['rung']}").predict(hourly_csv)["forecast T (degC)"] for row in best]
    mean = ft.load("runs/mean/ensemble").predict(hourly_csv)["forecast T (degC)"]
    np.testing.assert_allclose(mean.to_numpy(), np.mean([frame.to_numpy() for frame in frames], axis=0))
    alone_asked = run("train", "forecast", hourly_csv, *SMALL, "--rung", "ensemble")
    assert (alone_asked.code, "foretell compare" in alone_asked.err) == (2, True)


def test_conv_gru_samples_twice_as_densely_where_rows_allow_it(run: Run, hourly_csv: Path) -> None:
    small = ["--target", "T (degC)", "--lookback", "48", "--ahead", "6", "--epochs", "1", "--units", "4"]
    options = ["--rungs", "persistence,gru,conv-gru", "--json"]
    even = run("compare", "forecast", hourly_csv, *small, "--every", "2", *options).document
    odd = run("compare", "forecast", hourly_csv, *small, "--every", "3", *options).document
    assert "sampled 2 times as densely as the others: 48 steps" in even["rows"][2]["note"]
    assert "sampled as the others" in odd["rows"][2]["note"]
    assert even["dropped"]["denser_inputs_missing"] == 1
    assert "denser_inputs_missing" not in odd["dropped"]
    alone = run(
        "compare", "forecast", hourly_csv, *small, "--every", "2", "--rungs", "persistence,gru", "--json"
    ).document
    assert alone["windows"]["train"] == even["windows"]["train"] + 1
    shape = json.loads(Path(even["rows"][2]["run"], "model", "model.json").read_text())["windows"]
    assert (shape["lookback"], shape["every"]) == (48, 1)


def test_training_goes_on_from_a_model_with_newer_rows(run: Run, hourly_csv: Path, hourly: pl.DataFrame) -> None:
    assert run("train", "forecast", hourly_csv, *SMALL, "--rung", "gru", "--name", "first").code == 0
    warmer = hourly.with_columns(pl.col("T (degC)") + 20)
    warmer.write_csv("warmer.csv")
    for flags, said in (([], "went on from"), (["--rescale"], "its scaling learned anew")):
        name = "kept" if not flags else "anew"
        result = run("train", "forecast", "warmer.csv", "--from", "first", *flags, "--epochs", "1", "--name", name)
        assert result.code == 0, result.err
        assert said in result.out
    means = {
        name: json.loads(Path(f"runs/{name}/model/scaling.json").read_text())["mean"][0][0]
        for name in ("first", "kept", "anew")
    }
    assert means["kept"] == means["first"] < means["anew"] - 15
    gone = run("train", "forecast", "warmer.csv", "--from", "first", "--units", "8")
    assert (gone.code, "network.units is the model's" in gone.err) == (3, True)
    other = run("train", "forecast", "warmer.csv", "--from", "first", "--rung", "lstm")
    assert (other.code, "is a gru" in other.err) == (2, True)
    assert run("train", "forecast", "warmer.csv", *SMALL, "--rung", "gru", "--rescale").code == 2
    ridge = run("train", "forecast", hourly_csv, *SMALL[:6], "--rung", "ridge", "--name", "ridge")
    assert ridge.code == 0
    assert run("train", "forecast", "warmer.csv", "--from", "ridge").code == 3


def test_a_series_is_followed_and_earlier_forecasts_are_scored(run: Run, hourly: pl.DataFrame) -> None:
    hourly.head(1000).write_csv("old.csv")
    options = ["--rung", "ridge", "--ahead", "1:6", "--intervals", "0.8", "--name", "followed"]
    assert run("train", "forecast", "old.csv", *SMALL[:4], *options).code == 0
    for start in range(1000, 1040, 10):
        hourly[start : start + 10].write_csv("new.csv")
        updated = run("predict", "followed", "new.csv", "--update")
        assert updated.code == 0, updated.err
        hourly.head(start + 10).write_csv("whole.csv")
        assert updated.out == run("predict", "followed", "whole.csv").out, "as from the whole file"
    hourly.head(1200).write_csv("came.csv")
    scored = run("score", "followed", "came.csv", "--json").document
    assert scored["origin"] == "made by predict --update"
    assert scored["scored"] == 4 * 6
    truth = hourly["T (degC)"].to_numpy()
    made = [1009, 1019, 1029, 1039]
    said = ft.load("runs/followed").predict(hourly.head(1040), anchors="all")
    found = said.filter(pl.col("made at").is_in(hourly["time"].gather(made).implode()))["forecast T (degC)"].to_numpy()
    expected = np.abs(found.reshape(4, 6) - truth[np.array(made)[:, None] + np.arange(1, 7)])
    np.testing.assert_allclose(list(scored["targets"]["T (degC)"]["by_lead"].values()), expected.mean(axis=0))
    drifted = hourly.tail(300).with_columns(pl.col("T (degC)") * 3 + 40)
    drifted.write_csv("drifted.csv")
    result = run("score", "followed", "drifted.csv", "--forecasts", "nothing.csv")
    assert result.code == 3
    run("predict", "followed", "drifted.csv", "--anchors", "all", "-o", "said.csv")
    result = run("score", "followed", "drifted.csv", "--forecasts", "said.csv", "--report", "page.html")
    assert result.code == 0, result.err
    assert '"T (degC)" has drifted' in result.err
    assert "lie beyond all that training saw" in result.err
    assert Path("page.html").exists()


def test_tune_searches_prunes_and_goes_on(run: Run, hourly_csv: Path) -> None:
    pytest.importorskip("optuna")
    small = [*SMALL[:6], "--epochs", "2", "--steps-per-epoch", "3", "--batch-size", "16"]
    search = ["--search", "units=2..8", "--search", "lookback=12,24"]
    result = run(
        "tune", "forecast", hourly_csv, *small, "--rung", "gru", *search, "--trials", "4", "--name", "t", "--json"
    )
    document = result.document
    tuning = document["tuning"]
    assert tuning["trials"] == 4
    assert set(tuning["best"]) == {"network.units", "windows.lookback"}
    assert json.loads(Path("runs/t/model/model.json").read_text())["config"]["network"]["units"] == [
        tuning["best"]["network.units"]
    ]
    assert "Which options mattered" in Path("runs/t/report.html").read_text("utf-8")
    job = json.loads(Path("runs/t/run.json").read_text()) | {"finished": None, "trials": 6}
    Path("runs/t/run.json").write_text(json.dumps(job))
    again = run("tune", "--resume", "t", "--json").document
    assert again["tuning"]["trials"] == 6, "four were done before"
    assert len(list(Path("runs/t/trials").iterdir())) == 6
    for wrong, code in (
        (["--search", "unit=1..2"], 2),
        (["--search", "units=8..2"], 2),
        (["--search", "spans=1,2"], 2),
    ):
        assert run("tune", "forecast", hourly_csv, *small, "--rung", "gru", *wrong).code == code
    assert run("tune", "forecast", hourly_csv, *small, "--rung", "ridge").code == 2


def test_a_learning_rate_is_found_kept_and_shown(run: Run, hourly_csv: Path) -> None:
    document = run(
        "train", "forecast", hourly_csv, *SMALL, "--rung", "gru", "--learning-rate", "auto", "--name", "r", "--json"
    ).document
    rates = json.loads(Path("runs/r/rates.json").read_text())
    assert 1e-7 <= rates["chosen"] <= 0.1
    assert f"learning rate {rates['chosen']:g} found" in document["rows"][-1]["note"]
    assert "Learning rates" in Path("runs/r/report.html").read_text("utf-8")
    assert run("train", "forecast", hourly_csv, *SMALL, "--rung", "gru", "--learning-rate", "fast").code == 3


def test_options_that_make_no_network_are_told_before_anything_is_trained(run: Run, hourly_csv: Path) -> None:
    wrong = {
        "one width": ["--rungs", "ridge,gru,transformer", "--units", "8,4"],
        "no dropout of the state": ["--rungs", "ridge,gru-dropout", "--kernel", "torch"],
        "activation names 2 layers": ["--rungs", "ridge,gru", "--activation", "tanh,relu"],
        "need a window of 61 steps": ["--rungs", "ridge,conv", "--padding", "valid"],
    }
    for said, options in wrong.items():
        result = run("compare", "forecast", hourly_csv, *SMALL[:6], *options)
        assert (result.code, said in result.err) == (3, True), result.err
    assert not Path("runs").exists()


def test_which_columns_mattered_is_told(run: Run, shops: Path) -> None:
    small = [*SHOPS, "--lookback", "12", "--ahead", "1", "--epochs", "10", "--units", "8"]
    rows = pl.read_csv(shops).with_columns(noise=pl.Series(np.random.default_rng(1).normal(size=1080)))
    rows.write_csv("noisy.csv")
    run(
        "train",
        "forecast",
        "noisy.csv",
        *small,
        "--known",
        "plan",
        "--rung",
        "gru",
        "--learning-rate",
        "0.01",
        "--name",
        "i",
    )
    page = Path("runs/i/report.html").read_text("utf-8")
    assert "Which columns mattered" in page
    scripts = re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', page, re.DOTALL)
    drawn: Any = json.loads(next(script for script in scripts if "loses without each column" in script))
    assert drawn["data"][0]["x"][-1] == "noise", "noise matters least"


def test_a_recipe_reads_the_file_that_is_named(run: Run, hourly_csv: Path) -> None:
    small = ["--set", "training.epochs=1", "--set", "training.steps_per_epoch=2", "--batch-size", "16", "--units", "4"]
    spans = ["--spans", "0.6,0.2,0.2", "--lookback", "24", "--every", "1", "--ahead", "6"]
    result = run("train", "--recipe", "lecture/jena-gru", hourly_csv, *small, *spans, "--json")
    assert result.code == 0, result.err
    assert result.document["kept"] == "gru"
    missing = run("train", "--recipe", "lecture/jena-gru")
    assert (missing.code, "jena_climate_2009_2016.csv" in missing.err) == (4, True)
    assert run("train", "--recipe", "lecture/jena-gru", "nowhere.csv").code == 3
