"""The whole way on the command line, with tiny settings: check, plot, compare, train, resume, evaluate, predict, runs."""

import io
import json
import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from foretell.cli.main import main
from foretell.tasks import task_rungs

from .commands import Result, Run

TINY = ["--target", "T (degC)", "--lookback", "24", "--ahead", "6h", "--epochs", "2", "--units", "4"]


@pytest.fixture(scope="module")
def compared(hourly_csv: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished compare run, made once."""
    folder = tmp_path_factory.mktemp("compared")
    with pytest.raises(SystemExit) as stopped:
        main(["compare", "forecast", str(hourly_csv), *TINY, "--runs-dir", str(folder), "--name", "all", "--json"])
    assert stopped.value.code == 0
    return folder / "all"


def test_compare_prints_the_leaderboard_of_the_design(compared: Path) -> None:
    board = json.loads((compared / "leaderboard.json").read_text())
    assert board["task"] == "forecast"
    baselines = ["persistence", "seasonal", "climatology", "ridge"]
    models = [name for name, rung in task_rungs("forecast").items() if rung.kind == "model" and rung.at_hand]
    assert [row["rung"] for row in board["rows"]] == baselines + models
    assert board["best"] in {row["rung"] for row in board["rows"]}
    assert board["reference"] in {"persistence", "seasonal", "climatology", "ridge"}
    # 1,200 rows: spans of 840, 180 and 180; a window has 23 rows before its anchor and its target 6 after.
    assert board["windows"] == {"train": 840 - 23 - 6, "validation": 180, "test": 180}
    for row in board["rows"]:
        assert row["kind"] == ("model" if row["rung"] in models else "baseline")
        assert row["verdict"] in ("better", "worse", "unclear")
        assert set(row["skill"]) == {"value", "low", "high"}
        for span in ("validation", "test"):
            metrics = row["split"][span]
            assert metrics["unit"] == "degC"
            assert metrics["count"] == 180
            assert metrics["rmse"] == pytest.approx(metrics["mse"] ** 0.5)
            assert metrics["mae"] / metrics["mae_scaled"] == pytest.approx(
                board["rows"][0]["split"]["test"]["mae"] / board["rows"][0]["split"]["test"]["mae_scaled"]
            )
        reference = next(other for other in board["rows"] if other["rung"] == board["reference"])
        expected = 1 - row["split"]["test"]["mae"] / reference["split"]["test"]["mae"]
        assert row["skill"]["value"] == pytest.approx(expected)
        assert Path(row["run"], "model", "model.json").exists()
    best = min(board["rows"], key=lambda row: row["split"]["validation"]["mae_scaled"])
    assert board["best"] == best["rung"]
    assert Path(board["report"]).exists()


def test_persistence_is_what_anyone_can_compute(compared: Path, hourly: pl.DataFrame) -> None:
    values = hourly["T (degC)"].to_numpy()
    rows = np.arange(1020, 1200)
    board = json.loads((compared / "leaderboard.json").read_text())
    assert board["rows"][0]["split"]["test"]["mae"] == pytest.approx(np.abs(values[rows] - values[rows - 6]).mean())


def test_a_run_folder_can_be_read_with_an_editor(compared: Path) -> None:
    assert {path.name for path in compared.iterdir()} >= {
        "config.toml",
        "run.json",
        "leaderboard.json",
        "report.html",
        "model",
    }
    assert {path.name for path in (compared / "gru").iterdir()} == {"metrics.jsonl", "checkpoint", "model"}
    assert {path.name for path in (compared / "model").iterdir()} == {
        "model.json",
        "weights.safetensors",
        "scaling.json",
        "README.md",
    }
    assert 'lookback = "24"' in (compared / "config.toml").read_text()


def test_rows_come_as_they_are_done_and_progress_goes_to_standard_error(run: Run, hourly_csv: Path) -> None:
    result = run("compare", "forecast", hourly_csv, *TINY, "--rungs", "persistence,ridge")
    assert result.code == 0
    assert [line.split()[0] for line in result.out.splitlines()[:3]] == ["rung", "persistence", "ridge"]
    assert "1200 rows every 1h" in result.err
    assert "windows: 811 train" in result.err


def test_train_evaluate_predict(run: Run, hourly_csv: Path, hourly: pl.DataFrame) -> None:
    trained = run("train", "forecast", hourly_csv, *TINY, "--rung", "gru", "--name", "small", "--json")
    assert trained.code == 0
    test = next(row for row in trained.document["rows"] if row["rung"] == "gru")["split"]["test"]
    evaluated = run("evaluate", "small", "--json").document
    assert evaluated["span"] == "test"
    assert evaluated["metrics"]["mae"] == pytest.approx(test["mae"])
    other = run("evaluate", "small", hourly_csv.parent / "hourly.csv")
    assert "its test span" in other.out
    assert "small" in run("runs", "list").out
    assert "epoch 2" in run("runs", "show", "small").out

    predicted = run("predict", "small", hourly_csv, "-o", "forecast.csv")
    assert predicted.code == 0
    assert predicted.out == ""
    frame = pl.read_csv("forecast.csv", try_parse_dates=True)
    assert frame.columns == ["time", "made at", "forecast T (degC)"]
    last = hourly["time"][-1]
    assert frame["time"].to_list() == [last + timedelta(hours=ahead) for ahead in range(1, 7)]
    assert frame["made at"][-1] == last
    assert (frame["time"] - frame["made at"]).dt.total_hours().unique().to_list() == [6]


def test_predict_writes_what_the_file_name_says(run: Run, compared: Path, hourly_csv: Path) -> None:
    runs = ["--runs-dir", compared.parent]
    for suffix in ("csv", "json", "parquet"):
        assert run("predict", "all/mlp", hourly_csv, "-o", f"out.{suffix}", *runs).code == 0
    csv, as_json, parquet = pl.read_csv("out.csv"), pl.read_json("out.json"), pl.read_parquet("out.parquet")
    column = "forecast T (degC)"
    assert csv[column].to_list() == pytest.approx(as_json[column].to_list())
    assert parquet[column].to_list() == pytest.approx(csv[column].to_list())
    printed = run("predict", "all/mlp", hourly_csv, "--json", *runs).document
    assert [row[column] for row in printed["forecasts"]] == pytest.approx(csv[column].to_list())
    everything = run("predict", "all/mlp", hourly_csv, "--anchors", "all", *runs)
    assert pl.read_csv(io.StringIO(everything.out)).height == 1200 - 23
    assert run("predict", "all", hourly_csv, "-o", "out.xlsx", *runs).code == 2


def test_predict_reads_standard_input(
    run: Run, compared: Path, hourly_csv: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from_file = run("predict", "all", hourly_csv, "--runs-dir", compared.parent)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(hourly_csv.read_bytes())))
    assert run("predict", "all", "-", "--runs-dir", compared.parent).out == from_file.out


def test_every_rung_predicts_from_its_folder_alone(run: Run, compared: Path, hourly_csv: Path, tmp_path: Path) -> None:
    for rung in ("persistence", "seasonal", "climatology", "ridge", "mlp", "gru"):
        elsewhere = tmp_path / f"moved-{rung}"
        (compared / rung / "model").rename(elsewhere)
        try:
            result = run("predict", elsewhere, hourly_csv, "--json")
        finally:
            elsewhere.rename(compared / rung / "model")
        assert result.code == 0, result.err
        assert len(result.document["forecasts"]) == 6


def test_too_few_rows_says_how_many_are_needed(run: Run, compared: Path, hourly_csv: Path, tmp_path: Path) -> None:
    short = tmp_path / "short.csv"
    short.write_text("".join(hourly_csv.read_text().splitlines(keepends=True)[:11]))
    result = run("predict", "all/gru", short, "--runs-dir", compared.parent)
    assert result.code == 3
    assert "has 10 rows; one forecast needs 24" in result.err


def test_another_frequency_is_refused(run: Run, compared: Path, hourly: pl.DataFrame, tmp_path: Path) -> None:
    hourly.gather_every(2).write_csv(tmp_path / "sparse.csv")
    result = run("predict", "all/gru", tmp_path / "sparse.csv", "--runs-dir", compared.parent)
    assert result.code == 3
    assert "rows every 2h; the model was trained on rows every 1h" in result.err


def test_evaluate_on_other_data_counts_all_its_windows(
    run: Run, compared: Path, hourly: pl.DataFrame, tmp_path: Path
) -> None:
    hourly.tail(100).write_csv(tmp_path / "new.csv")
    document = run(
        "evaluate", "all/persistence", tmp_path / "new.csv", "--runs-dir", compared.parent, "--json"
    ).document
    assert document["span"] == "all"
    values = hourly["T (degC)"].tail(100).to_numpy()
    assert document["metrics"]["count"] == 100 - 23 - 6
    assert document["metrics"]["mae"] == pytest.approx(np.abs(values[29:] - values[23:-6]).mean())


def test_a_killed_train_run_is_resumed_from_the_command_line(hourly_csv: Path, tmp_path: Path) -> None:
    def command(*arguments: str) -> list[str]:
        return [sys.executable, "-m", "foretell", "train", *arguments, "--runs-dir", str(tmp_path)]

    options = [
        *TINY,
        "--rung",
        "gru",
        "--checkpoint-seconds",
        "0",
        "--threads",
        "1",
        "--patience",
        "0",
        "--epochs",
        "30",
    ]
    process = subprocess.Popen(
        command("forecast", str(hourly_csv), *options, "--name", "killed"), stderr=subprocess.DEVNULL
    )
    checkpoint = tmp_path / "killed" / "checkpoint" / "state.safetensors"
    deadline = time.monotonic() + 120
    while not checkpoint.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait(60)
    assert checkpoint.exists()
    assert not (tmp_path / "killed" / "model").exists()
    resumed = subprocess.run(command("--resume", "killed"), capture_output=True, text=True, timeout=300, check=False)
    assert resumed.returncode == 0, resumed.stderr
    whole = subprocess.run(
        command("forecast", str(hourly_csv), *options, "--name", "whole"), capture_output=True, timeout=300, check=False
    )
    assert whole.returncode == 0
    weights = [(tmp_path / name / "model" / "weights.safetensors").read_bytes() for name in ("killed", "whole")]
    assert weights[0] == weights[1]
    again = subprocess.run(command("--resume", "killed"), capture_output=True, text=True, timeout=120, check=False)
    assert again.returncode == 3
    assert "nothing to resume" in again.stderr


@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_ctrl_c_ends_with_130_and_says_how_to_go_on(hourly_csv: Path, tmp_path: Path, flags: list[str]) -> None:
    command = [sys.executable, "-m", "foretell", "train", "forecast", str(hourly_csv), *TINY, "--rung", "gru"]
    options = ["--epochs", "1000", "--patience", "0", "--runs-dir", str(tmp_path), "--name", "long"]
    process = subprocess.Popen([*command, *options, *flags], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not (tmp_path / "long" / "metrics.jsonl").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in err
    remedy = f"stopped; go on with: foretell train --resume {tmp_path / 'long'}"
    if flags:
        assert json.loads(out)["error"] == {"code": "interrupted", "message": remedy, "details": {}}
    else:
        assert remedy in err


def test_data_check_prints_health(run: Run, hourly_csv: Path, tmp_path: Path) -> None:
    document = run("data", "check", hourly_csv, "--json").document
    assert (document["healthy"], document["rows"], document["frequency"]) == (True, 1200, "1h")
    shown = run("data", "check", hourly_csv)
    assert shown.code == 0
    assert "healthy" in shown.out
    (tmp_path / "bad.csv").write_text("time,a\n2020-01-01,1\n2020-01-02,x\n2020-01-03,2\n2020-01-04,4\n")
    broken = run("data", "check", tmp_path / "bad.csv")
    assert broken.code == 3
    assert 'row 2 (line 3), column "a"' in broken.out
    assert run("data", "check", tmp_path / "none.csv", "--json").code == 3


def test_data_plot_draws(run: Run, hourly_csv: Path) -> None:
    result = run("data", "plot", hourly_csv, "--column", "T (degC)")
    assert result.code == 0
    picture = Path(result.out.strip())
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert picture.stat().st_size > 20_000
    assert run("data", "plot", hourly_csv, "--column", "nothing").code == 3


def test_options_come_from_flags_files_and_environment(
    run: Run, hourly_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "options.toml").write_text(
        run("config", "render", "forecast").out.replace('lookback = "48"', 'lookback = "12"')
    )
    monkeypatch.setenv("FORETELL_RUNS_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("FORETELL_TARGET", "T (degC)")
    arguments = [
        "--config",
        tmp_path / "options.toml",
        "--set",
        "windows.ahead=3",
        "--rungs",
        "persistence",
        "--name",
        "one",
    ]
    # The rendered file names runs_dir too; the environment is stronger.
    assert run("compare", "forecast", hourly_csv, *arguments, "--json").code == 0
    resolved = (tmp_path / "elsewhere" / "one" / "config.toml").read_text()
    assert 'lookback = "12"' in resolved
    assert 'ahead = "3"' in resolved
    assert "one" in run("runs", "list").out
    schema = run("config", "schema").document
    assert "windows" in schema["properties"]


def test_runs_are_listed_compared_and_deleted(run: Run, hourly_csv: Path) -> None:
    for name in ("a", "b"):
        assert (
            run("compare", "forecast", hourly_csv, *TINY, "--rungs", "persistence", "--name", name, "--quiet").code == 0
        )
    assert [entry["name"] for entry in run("runs", "list", "--json").document["runs"]] == ["a", "b"]
    assert len(run("runs", "compare", "a", "b", "--json").document["runs"]) == 2
    assert run("runs", "show", "a", "--json").document["job"]["verb"] == "compare"
    assert run("runs", "delete", "a", "--yes").code == 0
    assert [entry["name"] for entry in run("runs", "list", "--json").document["runs"]] == ["b"]
    missing = run("runs", "show", "a")
    assert missing.code == 3
    assert 'there is no run "a"' in missing.err


def test_doctor_and_completion(run: Run) -> None:
    document = run("doctor", "--json").document
    assert document["packages"]["torch"]
    assert set(document["kernels"]) == {"recurrent", "windows"}
    for shell in ("bash", "zsh", "fish"):
        assert "_FORETELL_COMPLETE" in run("completion", shell).out
    completed = subprocess.run(
        [Path(sys.executable).parent / "foretell"],
        env={**os.environ, "_FORETELL_COMPLETE": "bash_complete", "COMP_WORDS": "foretell comp", "COMP_CWORD": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "compare" in completed.stdout


def test_the_demo_runs(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORETELL_EPOCHS", "1")
    monkeypatch.setenv("FORETELL_STEPS_PER_EPOCH", "5")
    document = run("demo", "--json").document
    assert len(document["rows"]) == 7
    assert {entry["series"] for entry in document["rows"][0]["split"]["test"]["series"]} == {"EWR", "JFK", "LGA"}
    assert document["windows"]["test"] > 3900


def test_the_lectures_windows(run: Run, hourly_csv: Path) -> None:
    result = run(
        "compare",
        "forecast",
        hourly_csv,
        *TINY,
        "--align",
        "lecture",
        "--batch-size",
        "32",
        "--rungs",
        "persistence,mlp",
        "--steps-per-epoch",
        "3",
        "--json",
    )
    assert result.code == 0
    counts = result.document["windows"]
    assert counts["validation"] % 32 == counts["test"] % 32 == 0


def test_several_targets_and_leads(run: Run, hourly_csv: Path) -> None:
    arguments = ["--target", "all", "--lookback", "24", "--ahead", "1:4", "--epochs", "1", "--units", "3"]
    document = run("compare", "forecast", hourly_csv, *arguments, "--json").document
    test = document["rows"][-1]["split"]["test"]
    assert test["mae"] is None
    assert set(test["targets"]) == {"T (degC)", "p (mbar)"}
    assert test["targets"]["p (mbar)"]["unit"] == "mbar"
    frame = run("predict", Path(document["rows"][-1]["run"]), hourly_csv, "--json").document["forecasts"]
    assert len(frame) == 4
    assert set(frame[0]) == {"time", "made at", "forecast T (degC)", "forecast p (mbar)"}


def test_changed_data_are_noticed(run: Run, hourly: pl.DataFrame, tmp_path: Path) -> None:
    data = tmp_path / "grows.csv"
    hourly.head(800).with_columns(pl.lit(5).alias("constant"), pl.lit(None, pl.Float64).alias("empty")).write_csv(data)
    arguments = ["--rung", "mlp", "--name", "m", "--json"]
    trained = run("train", "forecast", data, *TINY, *arguments).document
    test = next(row for row in trained["rows"] if row["rung"] == "mlp")["split"]["test"]
    assert run("evaluate", "m", "--json").document["metrics"]["mae"] == pytest.approx(test["mae"])
    hourly.with_columns(pl.lit(5).alias("constant"), pl.lit(None, pl.Float64).alias("empty")).write_csv(data)
    changed = run("evaluate", "m")
    assert changed.code == 3
    assert "has changed since the training" in changed.err
    assert run("evaluate", "m", data, "--json").document["span"] == "all"


def test_a_run_is_resumed_only_on_the_same_data_and_after_a_kill_while_it_concludes(
    run: Run, hourly: pl.DataFrame, tmp_path: Path
) -> None:
    data = tmp_path / "data.csv"
    hourly.write_csv(data)
    assert run("train", "forecast", data, *TINY, "--rung", "mlp", "--name", "m", "--quiet").code == 0
    job = json.loads((tmp_path / "runs/m/run.json").read_text())
    weights = (tmp_path / "runs/m/model/weights.safetensors").read_bytes()
    # As a kill after the model folder and before the end leaves it.
    (tmp_path / "runs/m/run.json").write_text(json.dumps({**job, "finished": None}))
    (tmp_path / "runs/m/report.html").unlink()
    assert run("train", "--resume", "m", "--quiet").code == 0
    assert (tmp_path / "runs/m/model/weights.safetensors").read_bytes() == weights
    assert (tmp_path / "runs/m/report.html").exists()
    (tmp_path / "runs/m/run.json").write_text(json.dumps({**job, "finished": None}))
    hourly.head(1000).write_csv(data)
    refused = run("train", "--resume", "m")
    assert refused.code == 3
    assert "has changed since" in refused.err


def test_options_before_the_task_are_not_swallowed(run: Run, hourly_csv: Path) -> None:
    result = run("train", "--json", "forecast", hourly_csv, *TINY, "--rung", "mlp")
    assert result.code == 2
    assert "options come after the task" in result.out


def test_damaged_runs_do_not_spoil_the_list(run: Run, compared: Path, tmp_path: Path) -> None:
    for name, content in (("empty", "{}"), ("list", "[]"), ("cut", '{"verb": "tr')):
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "run.json").write_text(content)
    listed = {entry["name"]: entry["state"] for entry in run("runs", "list", "--json").document["runs"]}
    assert listed == {"empty": "damaged", "list": "damaged", "cut": "damaged"}
    for command in (["runs", "show", "cut"], ["evaluate", "empty"], ["train", "--resume", "list"]):
        assert run(*command).code in (3, 5)
    both = run("runs", "compare", compared, compared / "mlp", "--json").document["runs"]
    assert [entry["rung"] for entry in both] == [json.loads((compared / "leaderboard.json").read_text())["best"], "mlp"]


def test_what_a_model_folder_claims_is_checked(run: Run, compared: Path, hourly_csv: Path, tmp_path: Path) -> None:
    def spoil(file: str, path: list[Any], value: object, rung: str = "mlp") -> Result:
        folder = tmp_path / f"spoilt-{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        for source in (compared / rung / "model").iterdir():
            (folder / source.name).write_bytes(source.read_bytes())
        document = json.loads((folder / file).read_text())
        place = document
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value
        (folder / file).write_text(json.dumps(document))
        return run("predict", folder, hourly_csv)

    cases: list[tuple[str, list[Any], object, str]] = [
        ("model.json", ["windows", "every"], 0, "mlp"),
        ("model.json", ["windows", "lookback"], -6, "mlp"),
        ("model.json", ["windows", "leads"], [1, 1_000_000_000], "mlp"),
        ("model.json", ["windows", "leads"], [0, 0], "mlp"),
        ("model.json", ["windows", "align"], "foo", "mlp"),
        ("model.json", ["model", "network", "units"], [10**12], "mlp"),
        ("model.json", ["model", "network", "units"], [5], "mlp"),
        ("model.json", ["frequency", "count"], "x", "mlp"),
        ("model.json", ["frequency", "count"], 0, "mlp"),
        ("model.json", ["rung"], "os.system", "mlp"),
        ("model.json", ["windows", "lookback"], 20, "ridge"),
        ("model.json", ["model", "period"], 0, "seasonal"),
        ("scaling.json", ["columns"], ["a", "b"], "mlp"),
        ("scaling.json", ["deviation"], [[0.0, 1.0]], "mlp"),
        ("scaling.json", ["mean"], [[None, 1.0]], "mlp"),
        ("scaling.json", ["mean"], [[1.0]], "mlp"),
    ]
    for file, path, value, rung in cases:
        result = spoil(file, path, value, rung)
        assert result.code == 5, f"{path} = {value}: {result.err}"
        assert "Traceback" not in result.err


def test_odd_names_do_no_harm(run: Run, hourly: pl.DataFrame, tmp_path: Path) -> None:
    column = "<!--<script> $x_{$ </script> 温度 (degC)"
    hourly.rename({"T (degC)": column, "time": "made at"}).write_csv(tmp_path / "odd.csv")
    options = ["--target", column, *TINY[2:], "--rungs", "persistence,mlp", "--name", "odd"]
    assert run("compare", "forecast", "odd.csv", *options).code == 0
    page = (tmp_path / "runs/odd/report.html").read_text()
    assert "<!--<script>" not in page.split("<script>")[0]
    assert run("data", "plot", "odd.csv", "--column", column, "-o", "odd.png").code == 0
    columns = list(run("predict", "odd", "odd.csv", "--json").document["forecasts"][0])
    assert columns == ["made at", "forecast made at", f"forecast {column}"]


def test_a_reader_that_leaves_does_not_stop_the_comparison(hourly_csv: Path, tmp_path: Path) -> None:
    command = f"{sys.executable} -m foretell compare forecast '{hourly_csv}' --target 'T (degC)' --rungs persistence,ridge --name left"
    subprocess.run(
        ["bash", "-c", f"{command} --runs-dir '{tmp_path}' | head -1"], check=True, timeout=120, capture_output=True
    )
    assert (tmp_path / "left" / "report.html").exists()
    assert json.loads((tmp_path / "left" / "run.json").read_text())["finished"]


def test_a_device_that_is_absent_is_noticed_before_anything_is_made(run: Run, hourly_csv: Path, tmp_path: Path) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device here")
    result = run("compare", "forecast", hourly_csv, *TINY, "--device", "cuda", "--name", "g")
    assert result.code == 3
    assert "--device cuda cannot be used here" in result.err
    assert not (tmp_path / "runs").exists()


def test_the_environment_asks_for_json_and_cannot_spoil_the_demo(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FORETELL_JSON", "1")
    assert run("runs", "show", "nope").document["error"]["code"] == "input"
    assert run("runs", "list").document == {"runs": []}
    monkeypatch.setenv("FORETELL_TARGET", "zzz")
    monkeypatch.setenv("FORETELL_EPOCHS", "1")
    monkeypatch.setenv("FORETELL_STEPS_PER_EPOCH", "2")
    assert run("demo", "--json").code == 0


def test_data_check_judges_standard_input_too(run: Run, hourly_csv: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(hourly_csv.read_bytes())))
    result = run("data", "check", "-", "--target", "T (degC)", "--lookback", "24", "--ahead", "6h", "--json")
    assert result.document["windows"]["test"] == 180
    assert run("data", "check", hourly_csv, "--target", "T (degC)", "--ahead", "1200").code == 3
