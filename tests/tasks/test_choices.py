"""What is chosen from which rows, what may be asked together, and that nothing asked is passed over in silence."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from .commands import SHOPS, SMALL, Run

WAYS = ["--rungs", "persistence,seasonal,climatology,ridge,ensemble"]


def test_the_test_of_a_fold_has_no_part_in_what_is_chosen_for_it(run: Run, hourly: pl.DataFrame) -> None:
    """Rows of the first test change; members, reference and model of that fold's ensemble stay, and so does the best."""
    hourly.write_csv("before.csv")
    generator = np.random.default_rng(3)
    first_test = pl.int_range(pl.len()).is_between(1040, 1079)
    noise = pl.Series(generator.normal(0, 30, 1200))
    hourly.with_columns(pl.when(first_test).then(noise).otherwise(pl.col("T (degC)")).alias("T (degC)")).write_csv(
        "after.csv"
    )
    boards = {}
    for name in ("before", "after"):
        options = [*SMALL[:6], *WAYS, "--folds", "3", "--name", name, "--json"]
        boards[name] = run("compare", "forecast", f"{name}.csv", *options).document
    folders = [Path(f"runs/{name}/ensemble") for name in boards]
    first, later = (
        [json.loads((folder / fold / "model" / "model.json").read_text())["note"] for folder in folders]
        for fold in ("fold-1", "fold-3")
    )
    assert first[0] == first[1]
    assert later[0] != later[1], "the later fold validates on the changed rows, so that the test can fail"
    assert boards["before"]["best"] == boards["after"]["best"]
    assert boards["before"]["reference"] == boards["after"]["reference"]


def test_what_is_forecast_is_not_known_beforehand(run: Run, hourly_csv: Path, shops: Path) -> None:
    both = run("train", "forecast", hourly_csv, *SMALL, "--known", "T (degC)", "--rung", "mlp")
    assert (both.code, "is a target and stands in --known too" in both.err) == (3, True)
    everything = ["--target", "all", "--known", "plan", *SHOPS[2:], "--lookback", "12", "--ahead", "1"]
    found = run("compare", "forecast", shops, *everything, "--rungs", "ridge", "--json").document
    assert "targets" not in found["rows"][0]["split"]["test"], "sales alone: the plan is known"
    kind = ["--target", "sales", "--static", "sales", *SHOPS[2:]]
    assert run("train", "forecast", shops, *kind, "--rung", "mlp").code == 3


def test_static_columns_are_read_by_all_networks_and_known_again(run: Run, shops: Path) -> None:
    rows = pl.read_csv(shops).with_columns(size=pl.col("shop").replace_strict({"a": 1.0, "b": 2.0, "c": 3.0}))
    rows.write_csv("sized.csv")
    small = [*SHOPS, "--static", "kind,size", "--lookback", "24", "--ahead", "2", "--epochs", "1"]
    result = run("train", "forecast", "sized.csv", *small, "--rung", "dlinear", "--name", "s", "--json")
    board = result.document
    judged = run("evaluate", "s", "--json").document
    assert judged["metrics"]["mae"] == pytest.approx(board["rows"][-1]["split"]["test"]["mae"])
    said = pl.read_csv(run("predict", "s", "sized.csv").out.encode())
    rows.with_columns(size=pl.col("size") * -5).write_csv("resized.csv")
    assert (
        said["forecast sales"].to_list()
        != pl.read_csv(run("predict", "s", "resized.csv").out.encode())["forecast sales"].to_list()
    )


def test_a_model_that_is_trained_on_keeps_its_columns_and_its_outputs(run: Run, hourly_csv: Path) -> None:
    assert run("train", "forecast", hourly_csv, *SMALL, "--rung", "gru", "--name", "first").code == 0
    wrong = {
        "data.target": ["--target", "p (mbar)"],
        "data.features": ["--features", "T (degC)"],
        "data.calendar": ["--calendar"],
        "data.known": ["--known", "p (mbar)"],
        "spans.scale": ["--scale", "per-series"],
        "--loss and --intervals": ["--loss", "quantile"],
    }
    for said, options in wrong.items():
        result = run("train", "forecast", hourly_csv, "--from", "first", *options, "--name", "second")
        assert (result.code, said in result.err) == (3, True), result.err
    assert not Path("runs/second").exists()
    again = ["--target", "T (degC)", "--epochs", "1", "--learning-rate", "0.0005", "--name", "second"]
    assert run("train", "forecast", hourly_csv, "--from", "first", *again).code == 0


def test_options_that_no_rung_reads_are_told(run: Run, hourly_csv: Path) -> None:
    options = ["--rungs", "ridge,gru", "--pool", "average", "--leaves", "5", "--reset", "before", "--epochs", "1"]
    told = run("compare", "forecast", hourly_csv, *SMALL[:6], *options)
    assert told.code == 0
    assert "no rung that is asked for has a use for --pool, --leaves\n" in told.err
    assert "has a use for" not in run("compare", "forecast", hourly_csv, *SMALL, "--rungs", "ridge,mlp").err
    train = ["train", "forecast", hourly_csv, *SMALL[:6], "--epochs", "1", "--rung", "gru-stacked"]
    assert "has a use for" not in run(*train).err
    assert "has a use for --heads\n" in run(*train, "--heads", "2").err
    again = run("compare", "forecast", hourly_csv, *SMALL, "--rungs", "ridge,segment-gru", "--aim", "change")
    assert "relative to its window already" in again.out
    sliding = run("compare", "forecast", hourly_csv, *SMALL, "--rungs", "ridge", "--origin", "sliding")
    assert (sliding.code, "--folds" in sliding.err) == (3, True)


def test_an_ensemble_needs_others(run: Run, hourly_csv: Path) -> None:
    result = run("compare", "forecast", hourly_csv, *SMALL, "--rungs", "ridge,ensemble")
    assert (result.code, "ensemble is made of other rungs" in result.err) == (2, True)


def test_a_search_is_checked_before_it_begins(run: Run, hourly_csv: Path) -> None:
    pytest.importorskip("optuna")
    small = [*SMALL[:6], "--every", "2", "--name", "t"]
    wrong: dict[str, tuple[list[str], int]] = {
        "which says what is judged": (["--rung", "gru", "--search", "ahead=1,24"], 2),
        "which says what is judged or how": (["--rung", "gru", "--search", "loss=mae,mse"], 2),
        "multiple of": (["--rung", "gru", "--search", "lookback=24,25"], 3),
        "units": (["--rung", "gru", "--search", "units=-3..0"], 3),
        "gru has no use": (["--rung", "gru", "--search", "kernel_size=1..8"], 2),
        "comparison": (["--rung", "ensemble", "--search", "units=2,3"], 2),
        "one width": (["--rung", "transformer", "--search", "layers=1..2", "--units", "4,8"], 3),
    }
    for said, (options, code) in wrong.items():
        result = run("tune", "forecast", hourly_csv, *small, *options, "--trials", "1")
        assert (result.code, said in result.err) == (code, True), result.err
    assert run("tune", "forecast", "-", *small, "--rung", "gru", "--search", "lookback=24,48").code == 2
    assert not Path("runs").exists()
    pairs = ["--search", "every=1,5", "--search", "lookback=20..40", "--rung", "gru", "--trials", "3", "--name", "p"]
    found = run("tune", "forecast", hourly_csv, *SMALL, *pairs, "--steps-per-epoch", "2", "--json")
    assert found.code == 0, found.err
    assert found.document["tuning"]["trials"] == 3
    sure = ["--rung", "gru", "--intervals", "0.999", "--search", "units=2,4", "--trials", "1"]
    few = run("tune", "forecast", hourly_csv, *SMALL, *sure)
    assert (few.code, "999 validation windows" in few.err) == (3, True), "what no value would mend is told as it is"


def test_a_comparison_that_goes_on_has_the_time_that_is_left(run: Run, hourly_csv: Path) -> None:
    """Of two minutes one network has had all but a second: the other is cut at once."""
    options = ["--rungs", "ridge,mlp,gru", "--budget", "120s", "--name", "b"]
    assert run("compare", "forecast", hourly_csv, *SMALL, *options).code == 0
    folder = Path("runs/b")
    job = json.loads((folder / "run.json").read_text()) | {"finished": None}
    (folder / "run.json").write_text(json.dumps(job))
    known = folder / "mlp" / "model" / "model.json"
    document = json.loads(known.read_text())
    document["metrics"]["seconds"] = 120.0
    known.write_text(json.dumps(document))
    for name in ("model", "checkpoint"):
        for path in sorted((folder / "gru" / name).iterdir()):
            path.unlink()
        (folder / "gru" / name).rmdir()
    (folder / "gru" / "metrics.jsonl").unlink()
    again = run("compare", "--resume", "b", "--json")
    notes = {row["rung"]: row["note"] for row in again.document["rows"]}
    assert "its share of the time" in notes["gru"]
