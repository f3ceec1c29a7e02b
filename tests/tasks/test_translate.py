"""Translating, end to end with tiny settings: compare, train, resume, evaluate, translate, look, predict, export, tune."""

import io
import json
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import foretell as ft
from foretell.cli.main import main
from foretell.data.builtin.dates import dates
from foretell.recipes.reading import read_recipe
from foretell.tasks import task_rungs

from .commands import Run

TINY = ["--embedding", "16", "--units", "12", "--layers", "1", "--heads", "2", "--feed-forward", "24"]
QUICK = ["--epochs", "2", "--batch-tokens", "400", "--tokens", "characters", "--beam", "2", "--warmup-steps", "5"]
RUNGS = [name for name, rung in task_rungs("translate").items() if not rung.large]
NETWORKS = [name for name in RUNGS if task_rungs("translate")[name].kind == "model"]


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two parallel files of a few hundred dates, one line of them empty."""
    folder = tmp_path_factory.mktemp("days")
    pairs = [(written, day) for written, day, _ in dates(300)]
    pairs[7] = ("", pairs[7][1])
    for place, language in enumerate(("en", "iso")):
        (folder / f"days.{language}").write_text("".join(f"{pair[place]}\n" for pair in pairs))
    return folder / "days.en", folder / "days.iso"


@pytest.fixture(scope="module")
def compared(days: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A run of the whole ladder."""
    runs = tmp_path_factory.mktemp("runs")
    options = [*TINY, *QUICK, "--runs-dir", str(runs), "--name", "all", "--quiet"]
    with pytest.raises(SystemExit) as stopped:
        main(["compare", "translate", *map(str, days), *options])
    assert stopped.value.code == 0
    yield runs / "all"


def test_the_whole_ladder_is_climbed_and_judged(compared: Path) -> None:
    document = json.loads((compared / "leaderboard.json").read_text())
    assert [row["rung"] for row in document["rows"]] == RUNGS
    assert sum(document["windows"].values()) + sum(document["dropped"].values()) == 300
    assert document["dropped"]["a side of them empty"] == 1
    for row in document["rows"]:
        metrics = row["split"]["test"]
        assert metrics["count"] == document["windows"]["test"]
        assert 0 <= metrics["bleu"] <= 100
        assert metrics["bleu_low"] <= metrics["bleu_high"]
        assert "tok:13a" in metrics["bleu_signature"]
        assert "case:lc" in metrics["papers_signature"]
        assert 0 <= metrics["exact"] <= 1
        assert sum(own["count"] for own in metrics["by_length"]) == metrics["count"]
        assert (compared / row["rung"] / "model" / "model.json").exists()
        if row["kind"] == "model":
            assert row["skill"]["p"] is not None
    assert document["reference"] in ("copy", "dictionary")


def test_the_report_shows_translations_lengths_and_attention(compared: Path) -> None:
    page = (compared / "report.html").read_text("utf-8")
    for heading in ("BLEU and chrF on test", "Translations", "By length of the source", "What was read", "tok:13a"):
        assert heading in page
    kept = json.loads((compared / "leaderboard.json").read_text())["kept"]
    assert ("Cross-attention" in page) == (kept not in ("copy", "dictionary", "lstm"))


@pytest.mark.parametrize("rung", RUNGS)
def test_a_model_translates_from_its_folder_alone(compared: Path, rung: str, run: Run, tmp_path: Path) -> None:
    model = tmp_path / "elsewhere"
    shutil.copytree(compared / rung / "model", model)
    texts = ["March 4, 2021", "Tue 5 Nov 2024", "1.2.2033"]
    found = [run("translate", model, text, "--json") for text in texts]
    assert all(own.code == 0 for own in found)
    alone = [own.document["translations"][0] for own in found]
    (tmp_path / "texts.txt").write_text("".join(f"{text}\n" for text in texts))
    together = run("translate", model, "--file", "texts.txt", "--json").document["translations"]
    assert [own["translation"] for own in together] == [own["translation"] for own in alone]
    for one, two in zip(alone, together, strict=True):
        assert one["score"] == (None if two["score"] is None else pytest.approx(two["score"], abs=1e-4))
    backward = run("predict", model, "texts.txt", "--json").document["translations"]
    assert [own["translation"] for own in backward] == [own["translation"] for own in alone]
    if rung == "copy":
        assert alone[0]["translation"] == texts[0]


def test_a_stopped_run_goes_on_and_ends_the_same(days: tuple[Path, Path], run: Run, tmp_path: Path) -> None:
    options = [*days, "--rung", "gru-attention", *TINY, *QUICK, "--average-last", "2", "--accumulate", "2"]
    assert run("train", "translate", *options, "--name", "whole", "--epochs", "3").code == 0
    stopped = ["--name", "stopped", "--epochs", "3", "--checkpoint-seconds", "0", "--budget", "1000"]
    with pytest.MonkeyPatch.context() as patch:
        from foretell.cli.progress import Teller

        seen: list[int] = []

        def step(self: Any, epoch: int, *rest: Any) -> None:
            seen.append(epoch)
            if epoch == 3 and seen.count(3) == 2:
                raise KeyboardInterrupt

        patch.setattr(Teller, "step", step)
        assert run("train", "translate", *options, *stopped).code == 130
    assert run("train", "--resume", "stopped").code == 0
    weights = [
        (tmp_path / "runs" / name / "model" / "weights.safetensors").read_bytes() for name in ("whole", "stopped")
    ]
    assert weights[0] == weights[1]


def test_evaluate_judges_the_test_span_or_other_pairs(compared: Path, days: tuple[Path, Path], run: Run) -> None:
    own = run("evaluate", compared / "dictionary", "--json").document
    assert own["span"] == "test"
    row = next(r for r in json.loads((compared / "leaderboard.json").read_text())["rows"] if r["rung"] == "dictionary")
    assert own["metrics"]["bleu"] == pytest.approx(row["split"]["test"]["bleu"])
    frame = pl.DataFrame({"source": ["March 4, 2021"] * 3, "target": ["2021-03-04"] * 3})
    frame.write_csv("other.csv")
    other = run("evaluate", compared / "dictionary", "other.csv", "--json").document
    assert (other["span"], other["metrics"]["count"]) == ("all", 3)
    text = run("evaluate", compared / "dictionary", "other.csv")
    assert "BLEU: sacrebleu nrefs:1|case:mixed" in text.out
    assert "chrF: sacrebleu" in text.out


def test_ways_of_translating(compared: Path, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = compared / "transformer-tiny"
    best = run("translate", model, "May 3, 1999", "--beam", "4", "--n-best", "3", "--json").document["translations"][0]
    assert len(best["n_best"]) == 3
    compared_scores = [own["compared"] for own in best["n_best"]]
    assert compared_scores == sorted(compared_scores, reverse=True)
    assert best["translation"] == best["n_best"][0]["translation"]
    greedy, one = (run("translate", model, "May 3, 1999", *options).out for options in (["--greedy"], ["--beam", "1"]))
    assert greedy == one
    short = run("translate", model, "May 3, 1999", "--max-length", "2", "--json").document["translations"][0]
    assert len(short["translation"]) <= 2
    shown = run("translate", model, "May 3, 1999", "--beam", "3", "--n-best", "2").out.splitlines()
    assert len(shown) == 2
    assert all(re.match(r" *-?\d+\.\d{3}  ", line) for line in shown)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"May 3, 1999\n\n1.2.2000\n")))
    piped = run("translate", model)
    assert piped.code == 0
    assert len(piped.out.split("\n")) == 4
    assert piped.out.split("\n")[1] == ""
    assert "1 text without any letter stay empty" in piped.err
    (tmp_path / "in.txt").write_text("May 3, 1999\n")
    for suffix in ("txt", "json", "jsonl"):
        assert run("translate", model, "--file", "in.txt", "-o", f"out.{suffix}").code == 0
        assert (tmp_path / f"out.{suffix}").read_text().strip()


def test_a_language_that_training_never_saw_is_warned_of(compared: Path, run: Run) -> None:
    found = run("translate", compared / "gru-attention", "Привет, мир")
    assert found.code == 0
    assert re.search(r"Warning: \d+ % of the tokens are unknown to the model", found.err)
    assert "(en)" in found.err


def test_unknown_symbols_are_copied_where_they_are_aligned(tmp_path: Path, run: Run) -> None:
    """Names that occur once are unknown; what stands for them in a translation is the name that was read."""
    generator = np.random.default_rng(0)
    letters = list("bcdfghjklm")
    names = ["".join(generator.choice(letters, 7)) for _ in range(400)]
    rows = [{"source": f"a dog {name} runs", "target": f"ein Hund {name} rennt"} for name in names]
    pl.DataFrame(rows).write_ndjson(tmp_path / "names.jsonl")
    options = ["--tokens", "words", "--rung", "gru-attention", "--epochs", "40", "--units", "24", "--embedding", "24"]
    quick = [
        "--batch-tokens",
        "300",
        "--learning-rate",
        "0.01",
        "--warmup-steps",
        "20",
        "--patience",
        "0",
        "--dropout",
        "0",
    ]
    done = run("train", "translate", "names.jsonl", *options, *quick, "--output-dropout", "0", "--name", "names")
    assert done.code == 0
    assert run("translate", "names", "a dog Zyx runs", "--greedy").out == "ein Hund Zyx rennt\n"
    plain = run("translate", "names", "a dog Zyx runs", "--greedy", "--no-copy-unknown").out
    assert plain == "ein Hund\ufffd rennt\n"


@pytest.mark.parametrize("rung", ["gru-attention", "transformer-tiny"])
def test_attention_is_a_page_of_maps_with_values(compared: Path, rung: str, run: Run, tmp_path: Path) -> None:
    found = run("translate", compared / rung, "May 3, 1999", "--attention", "map.html", "--json")
    assert found.code == 0
    page = (tmp_path / "map.html").read_text("utf-8")
    assert "plotly" not in page.lower()
    headings = re.findall(r"<h2>(.*?)</h2>", page)
    expected = ["Cross-attention"]
    if rung == "transformer-tiny":
        expected += ["Self-attention of the encoder", "Self-attention of the decoder"]
    assert headings == expected
    written = found.document["translations"][0]["translation"]
    cells = re.findall(r"<rect[^>]*fill-opacity=\"([\d.]+)\"><title>(.*?) takes ([\d.]+) from (.*?)</title>", page)
    assert all(one == two for one, _, two, _ in cells)
    cross = page.partition("Self-attention")[0]
    first = re.search(r"<svg.*?</svg>", cross, re.DOTALL)
    assert first is not None
    values = [float(value) for value in re.findall(r"takes ([\d.]+) from", first[0])]
    rows, columns = len(written) + 1, len("May 3, 1999") + 1
    assert len(values) == rows * columns
    for row in range(rows):
        assert sum(values[row * columns : (row + 1) * columns]) == pytest.approx(1, abs=0.01)


def test_models_travel(compared: Path, run: Run, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("ctranslate2")
    for rung, form in (
        ("lstm", "onnx"),
        ("gru-attention", "onnx"),
        ("lstm-attention", "onnx"),
        ("transformer-tiny", "ctranslate2"),
    ):
        found = run("export", compared / rung, "--to", form, "-o", f"{rung}-{form}", "--json")
        assert found.code == 0, found.err
        assert found.document["compared"] > 20
        assert found.document["same"] == found.document["compared"]
        assert (tmp_path / f"{rung}-{form}" / "README.md").exists()
    again = run("export", compared / "lstm", "--to", "onnx", "-o", "lstm-onnx")
    assert again.code == 3
    assert "exists already" in again.err
    wrong = run("export", compared / "lstm", "--to", "ctranslate2", "-o", "wrong")
    assert (wrong.code, (tmp_path / "wrong").exists()) == (3, False)
    assert "goes --to onnx" in wrong.err
    none = run("export", compared / "copy", "--to", "onnx", "-o", "none")
    assert (none.code, list(tmp_path.glob("*none*"))) == (3, [])


def test_python_translates(days: tuple[Path, Path]) -> None:
    pairs = [(written, day) for written, day, _ in dates(200)]
    options: dict[str, Any] = {"tokens": "characters", "epochs": 1, "embedding": 8, "units": 8, "beam": 1}
    translator = ft.Translator("gru-attention", **options).fit(pairs)
    assert translator.counts_["train"] > 100
    assert set(translator.evaluate()) >= {"bleu", "chrf", "exact", "bleu_signature"}
    assert isinstance(translator.translate("May 3, 1999"), str)
    frame = pl.DataFrame({"source": ["May 3, 1999", "1.2.2000"], "id": [1, 2]})
    found = translator.predict(frame)
    assert found.columns == ["source", "id", "translation", "score"]
    several = translator.predict(frame, n_best=2, beam=2)
    assert several["id"].to_list() == [1, 1, 2, 2]
    assert several["rank"].to_list() == [1, 2, 1, 2]


def test_data_are_checked(days: tuple[Path, Path], run: Run) -> None:
    found = run("data", "check", *days, "--task", "translate", "--json")
    assert found.code == 0
    assert found.document["task"] == "translate"
    assert (found.document["pairs"], found.document["empty"]) == (299, 1)
    assert found.document["languages"] == ["en", "iso"]
    shown = run("data", "check", *days)
    assert "299 pairs" in shown.out  # files of one name in two languages are pairs
    days[0].with_name("days.xx").write_text("one\n")
    broken = run("data", "check", days[0], days[0].with_name("days.xx"))
    assert broken.code == 3
    assert "has no partner" in broken.out


def test_options_are_searched(days: tuple[Path, Path], run: Run) -> None:
    pytest.importorskip("optuna")
    options = [*days, "--rung", "gru-attention", *TINY, *QUICK, "--trials", "2", "--search", "training.dropout=0..0.3"]
    wrong = run("tune", "translate", *options)
    assert wrong.code == 2
    options[-1] = "network.dropout=0..0.3"
    assert run("tune", "translate", *options, "--json").document["tuning"]["trials"] == 2


def test_training_goes_on_from_a_model(compared: Path, days: tuple[Path, Path], run: Run) -> None:
    model = compared / "gru-attention"
    found = run("train", "translate", *days, "--rung", "gru-attention", "--from", model, "--epochs", "1", "--json")
    assert found.code == 0, found.err
    row = found.document["rows"][-1]
    assert "went on from" in row["note"]
    none = run("train", "translate", *days, "--rung", "copy", "--from", compared / "copy")
    assert none.code == 3
    assert "holds no network" in none.err


@pytest.mark.parametrize("name", ["dates", "benchmark/multi30k", "benchmark/multi30k-long"])
def test_recipes_are_of_this_task(name: str) -> None:
    assert read_recipe(name).task == "translate"


def test_multi30k_is_read_from_its_folder(shared_data: Path, run: Run) -> None:
    found = run(
        "compare",
        "translate",
        shared_data / "translate",
        "--source",
        "en",
        "--target",
        "de",
        "--rungs",
        "copy,dictionary",
        "--json",
    )
    assert found.code == 0, found.err
    assert found.document["windows"] == {"train": 29_000, "validation": 1_014, "test": 1_000}
    copy, dictionary = (row["split"]["test"]["bleu"] for row in found.document["rows"])
    assert copy < 5 < 12 < dictionary < 15


def test_other_pairs_need_not_be_called_as_those_of_the_training(compared: Path, run: Run, tmp_path: Path) -> None:
    (tmp_path / "plain.tsv").write_text("March 4, 2021\t2021-03-04\n1.2.2000\t2000-02-01\n")
    pl.DataFrame({"written": ["1.2.2000"], "day": ["2000-02-01"]}).write_csv(tmp_path / "named.csv")
    frame = pl.DataFrame({"from": ["1.2.2000"] * 40, "to": ["2000-02-01"] * 40})
    frame.write_csv(tmp_path / "training.csv")
    options = ["--source", "from", "--target", "to", "--rung", "copy", "--spans", "0.5,0.25,0.25", "--name", "own"]
    done = run("train", "translate", "training.csv", *options)
    assert done.code == 3  # all pairs are one, which falls into one span
    assert "training needs 10 pairs or more" in done.err
    assert run("evaluate", compared / "copy", "plain.tsv", "--json").document["metrics"]["count"] == 2
    named = run("evaluate", compared / "copy", "named.csv", "--source", "written", "--target", "day", "--json")
    assert named.document["metrics"]["count"] == 1


def test_gradients_of_an_encoder_and_a_decoder_are_seen(compared: Path, run: Run) -> None:
    found = run("inspect", compared / "gru-attention", "--json")
    assert found.code == 0, found.err
    modules = {layer["module"] for model in found.document["models"] for layer in model["layers"]}
    assert any("encoder" in name for name in modules)
    assert any("decoder" in name for name in modules)


@pytest.mark.parametrize("verb", ["inspect", "evaluate"])
def test_pairs_of_which_none_is_short_enough_are_told(verb: str, compared: Path, run: Run, tmp_path: Path) -> None:
    shutil.copytree(compared, tmp_path / "runs" / "a")
    model = tmp_path / "runs" / "a" / "gru-attention" / "model" / "model.json"
    document = json.loads(model.read_text("utf-8"))
    document["config"]["pieces"]["max_length"] = 1
    model.write_text(json.dumps(document), "utf-8")
    done = run(verb, "a/gru-attention")
    assert done.code == 3
    assert "that is of 1 tokens at most" in done.err


@pytest.mark.parametrize("rung", ["gru-attention", "transformer-tiny"])
def test_half_the_bits_and_twice_as_many_train_too(days: tuple[Path, Path], rung: str, run: Run) -> None:
    options = [*days, "--rung", rung, *TINY, *QUICK, "--epochs", "1", "--steps-per-epoch", "3"]
    for precision in ("bf16", "64"):
        found = run("train", "translate", *options, "--precision", precision, "--name", precision, "--json")
        assert found.code == 0, found.err
        assert np.isfinite(found.document["rows"][-1]["split"]["test"]["bleu"])


def test_several_seeds_have_a_spread(days: tuple[Path, Path], run: Run) -> None:
    options = ["--rungs", "dictionary,gru-attention", "--seeds", "2", *TINY, *QUICK, "--epochs", "1", "--json"]
    document = run("compare", "translate", *days, *options).document
    row = document["rows"][-1]
    assert row["split"]["test"]["spread"]["bleu"] >= 0
    assert row["split"]["test"]["trials"] == 2
    listed = run("runs", "list")
    assert "translate" in listed.out


def test_dropped_pairs_are_dropped_wherever_they_are_judged(days: tuple[Path, Path], run: Run) -> None:
    options = [*days, "--rung", "dictionary", "--tokens", "characters", "--max-length", "20", "--name", "short"]
    trained = run("train", "translate", *options, "--json").document
    assert trained["dropped"]["of more than 20 tokens (--max-length)"] > 10
    again = run("evaluate", "short", "--json").document["metrics"]
    judged = trained["rows"][-1]["split"]["test"]
    assert (again["count"], again["bleu"]) == (judged["count"], judged["bleu"])
    assert again["count"] == trained["windows"]["test"]


def test_long_pairs_that_are_dropped_teach_no_tokens(run: Run, tmp_path: Path) -> None:
    lines = [f"{written}\t{day}\n" for written, day, _ in dates(100)]
    (tmp_path / "long.tsv").write_text("".join([*lines, "ж" * 500 + "\tж\n"] * 2))
    assert run("train", "translate", "long.tsv", "--rung", "copy", "--tokens", "characters", "--name", "long").code == 0
    vocabulary = json.loads((tmp_path / "runs" / "long" / "model" / "vocabulary.json").read_text())
    assert "ж" not in vocabulary["tokens"]


def test_what_a_baseline_has_no_use_for_is_told(compared: Path, run: Run) -> None:
    found = run("translate", compared / "dictionary", "May 3", "--max-length", "1")
    assert found.code == 0
    assert "dictionary looks for one translation, and has no use for --max-length" in found.err


def test_a_warm_up_that_never_ends_is_told(days: tuple[Path, Path], run: Run) -> None:
    options = [*days, "--rung", "gru-attention", *TINY, *QUICK, "--epochs", "1", "--steps-per-epoch", "2"]
    document = run("train", "translate", *options, "--warmup-steps", "50", "--json").document
    assert "its warm-up of 50 steps is longer than its training of 2: name fewer" in document["rows"][-1]["note"]
