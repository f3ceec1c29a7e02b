"""Exporting, end to end: a model trained from a file, written for onnxruntime, used as the page beside it says."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import foretell as ft

from .commands import SMALL, Run
from .made_texts import frame

QUICK = ["--epochs", "1", "--units", "4"]


def said_by_the_page(folder: Path) -> str:
    """What the example on the page beside a graph prints."""
    (snippet,) = re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text("utf-8"), re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", snippet], cwd=folder, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_forecaster_is_exported_compared_and_used(hourly_csv: Path, run: Run, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    options = [*SMALL, "--ahead", "1:3", "--intervals", "0.5,0.8", "--epochs", "1"]
    assert run("compare", "forecast", hourly_csv, *options, "--rungs", "ridge,mlp,ensemble", "--name", "a").code == 0
    for rung in ("ridge", "mlp", "ensemble"):
        found = run("export", f"runs/a/{rung}", "--to", "onnx", "-o", rung, "--json")
        assert found.code == 0, found.err
        assert found.document["same"] == found.document["compared"] > 100
        assert found.document["largest_difference"] <= 1e-5
        assert said_by_the_page(tmp_path / rung).startswith("[[")
    told = run("export", "runs/a/mlp", "--to", "onnx", "-o", "again")
    assert re.search(r"to 1e-05 of the target's deviation: (\d+) of \1 forecasts are the same", told.out)
    other = run("export", "runs/a/mlp", "--to", "ctranslate2", "-o", "other")
    assert (other.code, "have no form" in other.err, (tmp_path / "other").exists()) == (2, True, False)
    none = run("export", "runs/a/climatology", "--to", "onnx", "-o", "none")
    assert (none.code, list(tmp_path.glob("*none*"))) == (3, []), none.err


def test_a_page_tells_the_calendar_series_and_what_is_known_ahead(shops: Path, run: Run, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    options = ["--target", "sales", "--series", "shop", "--known", "plan", "--static", "kind", "--lookback", "12"]
    options += ["--ahead", "2:4", "--calendar", "--scale", "per-series", "--intervals", "0.5", "--loss", "quantile"]
    assert run("train", "forecast", shops, *options, "--rung", "gru", *QUICK, "--name", "a").code == 0
    found = run("export", "a", "--to", "onnx", "-o", "out", "--json")
    assert found.code == 0, found.err
    assert found.document["same"] == found.document["compared"] > 50
    assert said_by_the_page(tmp_path / "out").count("[") > 3


def test_a_graph_forecasts_what_foretell_forecasts_from_the_same_rows(
    hourly_csv: Path, hourly: pl.DataFrame, run: Run, tmp_path: Path
) -> None:
    runtime = pytest.importorskip("onnxruntime")
    assert run("train", "forecast", hourly_csv, *SMALL, "--rung", "gru", "--epochs", "1", "--name", "a").code == 0
    assert run("export", "a", "--to", "onnx", "-o", "out").code == 0
    session = runtime.InferenceSession(str(tmp_path / "out" / "model.onnx"))
    told = session.get_modelmeta().custom_metadata_map
    columns, steps = json.loads(told["columns"]), len(json.loads(told["rows_before"]))
    window = hourly.select(columns).tail(steps).to_numpy().astype(np.float64)[None]
    (forecast,) = session.run(None, {"window": window})
    rows = ft.load("runs/a").predict(hourly)
    assert rows["forecast T (degC)"].to_list()[-1] == pytest.approx(float(forecast[0, -1, 0]), abs=1e-4)
    assert (told["rung"], json.loads(told["units"])) == ("gru", ["degC"])


def test_a_classifier_is_exported_compared_and_used(run: Run, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    frame(150, ("neg", "odd", "pos")).write_csv("texts.csv")
    rungs = "tfidf,bag,gru,ensemble"
    assert run("compare", "classify", "texts.csv", *QUICK, "--rungs", rungs, "--name", "c").code == 0
    for rung in rungs.split(","):
        found = run("export", f"runs/c/{rung}", "--to", "onnx", "-o", rung, "--json")
        assert found.code == 0, found.err
        assert found.document["same"] == found.document["compared"] > 10
        said = said_by_the_page(tmp_path / rung)
        assert said.count("'odd'") == 2
    Path("texts.csv").unlink()
    alone = run("export", "runs/c/gru", "--to", "onnx", "-o", "alone", "--data", "gone.csv")
    assert alone.code == 3


def test_what_is_not_installed_is_told_and_nothing_is_left(
    hourly_csv: Path, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("train", "forecast", hourly_csv, *SMALL, "--rung", "ridge", "--name", "a").code == 0
    monkeypatch.setitem(sys.modules, "onnx", None)  # as Python has it where a module cannot be imported
    found = run("export", "a", "--to", "onnx", "-o", "out")
    assert (found.code, "pip install 'foretell[export]'" in found.err) == (4, True), found.err
    assert not list(tmp_path.glob("*out*"))


def test_a_model_without_its_run_is_compared_on_nothing(hourly_csv: Path, run: Run, tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    assert run("train", "forecast", hourly_csv, *SMALL, "--rung", "ridge", "--name", "a").code == 0
    (tmp_path / "runs" / "a" / "model").rename(tmp_path / "moved")
    found = run("export", "moved", "--to", "onnx", "-o", "out", "--json")
    assert (found.code, found.document["compared"], found.document["largest_difference"]) == (0, 0, None)
    told = run("export", "moved", "--to", "onnx", "-o", "again")
    assert "compared on none" in told.err
    assert "are the same" not in told.out


def test_without_onnxruntime_a_graph_is_written_and_nothing_compared(
    hourly_csv: Path, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnx")
    assert run("train", "forecast", hourly_csv, *SMALL, "--rung", "ridge", "--name", "a").code == 0
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    found = run("export", "a", "--to", "onnx", "-o", "out")
    assert (found.code, (tmp_path / "out" / "model.onnx").exists()) == (0, True), found.err
    assert "Warning: nothing was compared: onnxruntime is not installed" in found.err
    assert "Nothing was compared when this was written." in (tmp_path / "out" / "README.md").read_text()
    assert "are the same" not in found.out


def test_a_task_without_forms_is_told_before_its_data(run: Run) -> None:
    Path("corpus.txt").write_text("the quick brown fox jumps over the lazy dog. " * 60)
    assert run("train", "generate", "corpus.txt", "--rung", "unigram", "--name", "a", "--quiet").code == 0
    Path("runs/a/model").rename("writer")
    found = run("export", "writer", "--to", "onnx")
    assert (found.code, "not at hand" in found.err) == (2, False)
    assert "a model of generate cannot be exported yet" in found.err


def test_answers_that_differ_are_a_warning(hourly_csv: Path, run: Run, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    assert run("train", "forecast", hourly_csv, *SMALL, "--rung", "mlp", "--epochs", "1", "--name", "a").code == 0
    same = run("export", "a", "--to", "onnx", "-o", "same")
    assert "Warning" not in same.err
    assert re.search(r"All of [\d,]+ forecasts are the same \(to 1e-05", (tmp_path / "same" / "README.md").read_text())
    # Numbers of single precision, which both programs have, do not go as high as these in steps of 1e-5 of a deviation.
    frame_of = pl.read_csv(hourly_csv)
    numbers = [name for name, kind in frame_of.schema.items() if kind.is_numeric()]
    frame_of.with_columns(pl.col(numbers) * 1e6).write_csv(tmp_path / "far.csv")
    found = run("export", "a", "--to", "onnx", "-o", "far", "--data", "far.csv")
    assert found.code == 0, found.err
    assert re.search(r"Warning: [\d,]+ of [\d,]+ forecasts are not the same \(to 1e-05", found.err), found.err
    assert "forecasts are not the same (to 1e-05" in (tmp_path / "far" / "README.md").read_text()
