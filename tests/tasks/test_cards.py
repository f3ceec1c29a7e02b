"""Model cards: what a model is, its data, how good it is beside a baseline, its limits, and how it is used."""

import re
from pathlib import Path

import polars as pl
import pytest

from .commands import SMALL, Run
from .made_texts import frame

PARTS = ["What it is", "Data", "How good it is", "Limits", "Use"]


def trained(run: Run, home: Path, *arguments: object) -> str:
    """The card of a model that was trained from a file in a folder of its own, checked for what all cards have."""
    found = run("train", *arguments, "--name", "a", "--quiet")
    assert found.code == 0, found.err
    card = (home / "runs" / "a" / "model" / "README.md").read_text("utf-8")
    assert re.findall(r"^## (.*)$", card, re.MULTILINE) == PARTS
    assert str(home) not in card
    assert f"{home.name}/" not in card
    assert re.search(r"- Fingerprint: `[0-9a-f]{32,}`", card)
    assert "| metric | validation | test |" in card
    assert "curl -X POST http://127.0.0.1:8501/v1/models/NAME/predict" in card
    assert "foretell as ft" in card
    return card


def test_a_forecaster_tells_windows_errors_coverage_and_verdict(hourly_csv: Path, run: Run, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_bytes(hourly_csv.read_bytes())
    options = [*SMALL, "--ahead", "1:6", "--rung", "mlp", "--intervals", "0.8", "--epochs", "1"]
    card = trained(run, tmp_path, "forecast", tmp_path / "rows.csv", *options)
    assert "- Source: rows.csv, 1,200 rows every 1h" in card
    assert re.search(r"\| windows \| \d+ \| 17\d \| 17\d \|\n\nDropped: \d+ \(border\)\.", card)
    assert len(re.findall(r" [\d.]+ degC \([\d.]+ to [\d.]+\) \|", card)) == 2
    assert len(re.findall(r"\| (?:MAE, scaled|RMSE) \|(?: [\d.]+ \([\d.]+ to [\d.]+\) \|){2}", card)) == 2
    assert "In brackets: 95 % intervals" in card
    assert "- Ahead: 1 to 6 rows ahead (1h to 6h)" in card
    assert re.search(r"Skill against `ridge`.* \(95 % interval\): [-+][\d.]+% .*\. Verdict: worse\.", card)
    assert "On test it is worse than the baseline `ridge`" in card
    assert re.search(r"on test those of 80 % held [\d.]+% of the truth", card)
    assert "it needs 24 rows or more" in card


def test_a_forecaster_of_many_series_tells_what_it_never_saw(shops: Path, run: Run, tmp_path: Path) -> None:
    options = ["--target", "sales", "--series", "shop", "--lookback", "24", "--ahead", "6", "--known", "plan"]
    card = trained(run, tmp_path, "forecast", shops, *options, "--rung", "ridge")
    assert "A series that it never saw" in card
    assert "It must be told plan" in card
    assert "It is the baseline that models are held against." in card
    assert "| series | target | MAE | RMSE | windows |" in card
    assert "`--intervals 0.8,0.95` in training makes some" in card


def test_a_classifier_tells_labels_intervals_and_unknown_words(run: Run, tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    frame(120).write_csv(tmp_path / "texts.csv")
    card = trained(run, tmp_path, "classify", tmp_path / "texts.csv", "--rung", "gru", "--units", "3", "--epochs", "1")
    assert card.startswith("# Classifier of texts.csv\n")
    assert re.search(r"\| accuracy \| [\d.]+ % \| [\d.]+ % \([\d.]+ to [\d.]+\) \|", card)
    assert "In brackets: 95 % intervals" in card
    assert "they count as unknown" in card
    assert "It reads at most 500 tokens of a text; of a longer one the end." in card


def test_a_generator_and_a_translator_tell_what_they_do_badly(run: Run, tmp_path: Path) -> None:
    pytest.importorskip("sacrebleu")
    (tmp_path / "corpus.txt").write_text("the quick brown fox jumps over the lazy dog. " * 700)
    options = ["--rung", "lstm", "--units", "4", "--embedding", "4", "--epochs", "1"]
    card = trained(run, tmp_path, "generate", tmp_path / "corpus.txt", *options)
    assert "may recite" in card
    assert re.search(r"\| bits per character \|.*\| [\d.]+ bits \([\d.]+ to [\d.]+\) \|", card)
    assert re.search(r"\| characters \| 25,200 \| 3,150 \| 3,150 \|", card)
    rows = [f"der Hund {number % 7} rennt\tthe dog {number % 7} runs {number}" for number in range(120)]
    (tmp_path / "pairs.tsv").write_text("de\ten\n" + "\n".join(rows) + "\n")
    run("runs", "delete", "a", "--yes")
    card = trained(run, tmp_path, "translate", tmp_path / "pairs.tsv", "--rung", "dictionary", "--tokens", "words")
    assert "may leave out or invent" in card
    assert "chrF: sacrebleu" in card
    assert re.search(r"\| BLEU \|.* [\d.]+ \([\d.]+ to [\d.]+\) \|\n", card)
    assert re.search(r"\| BLEU as papers print it \| [\d.]+ \| [\d.]+ \|", card)
    assert "in brackets as papers" not in card


def test_a_forecaster_tells_all_that_it_reads(shops: Path, run: Run, tmp_path: Path) -> None:
    options = ["--target", "sales", "--series", "shop", "--lookback", "24h", "--every", "3h", "--ahead", "6"]
    options += ["--known", "plan", "--static", "kind", "--calendar", "--rung", "mlp", "--epochs", "1"]
    card = trained(run, tmp_path, "forecast", shops, *options)
    assert re.search(r"- Reads: 8 inputs over 24 rows every 1h, one every 3h: .*plan", card)
    assert "- Reads beside: the calendar (day, week, year); of each series kind; known ahead plan" in card
    assert "- Ahead: 6 rows ahead (6h)" in card


def test_several_targets_have_one_scaled_error_and_units_in_parts(
    hourly: pl.DataFrame, run: Run, tmp_path: Path
) -> None:
    hourly.write_csv(tmp_path / "rows.csv")
    numbers = [name for name, kind in hourly.schema.items() if kind.is_numeric()][:2]
    options = [part for name in numbers for part in ("--target", name)]
    card = trained(run, tmp_path, "forecast", tmp_path / "rows.csv", *options, *SMALL[2:], "--rung", "ridge")
    assert card.count("scaled (") == 2
    assert "| MAE, scaled |" not in card
    assert re.search(r"\| T \(degC\) \| [\d.]+ degC \| [\d.]+ degC \|", card)


def test_names_with_slashes_stay_as_they_are(hourly: pl.DataFrame, run: Run, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    hourly.rename({"T (degC)": "speed (m /s)"}).write_csv(tmp_path / "in" / "rows.csv")
    options = ["--target", "speed (m /s)", "--lookback", "12", "--ahead", "3", "--rung", "ridge"]
    card = trained(run, tmp_path, "forecast", tmp_path / "in" / "rows.csv", *options)
    assert card.startswith("# Forecaster: speed (m /s)\n")
    assert "- Source: rows.csv, " in card
    run("runs", "delete", "a", "--yes")
    named = pl.col("label").replace({"neg": "/r/cats", "pos": "/r/news"})
    frame(60).with_columns(named).write_csv(tmp_path / "in" / "texts.csv")
    card = trained(run, tmp_path, "classify", tmp_path / "in" / "texts.csv", "--rung", "bag", "--epochs", "1")
    assert "/r/cats, /r/news" in card
    assert "| /r/news |" in card
