"""Generating, end to end with tiny settings: compare, train, resume, evaluate, generate, score, predict, inspect, tune."""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from benchmarks.corpora.tunes import tune_book

import foretell as ft
from foretell.cli.main import main
from foretell.errors import UsageError
from foretell.tasks import task_rungs

from .commands import Run

TINY = ["--epochs", "2", "--units", "12", "--embedding", "12", "--feed-forward", "24", "--heads", "2", "--layers", "1"]
QUICK = ["--batch-size", "8", "--unroll", "20", "--context", "16", "--learning-rate", "0.02", "--sample-length", "60"]
RUNGS = list(task_rungs("generate"))
NETWORKS = [name for name, rung in task_rungs("generate").items() if rung.kind == "model" and not rung.combines]


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty tunes in one file."""
    path = tmp_path_factory.mktemp("corpus") / "tunes.abc"
    path.write_text(tune_book(60))
    return path


@pytest.fixture(scope="module")
def compared(book: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A run of the whole ladder."""
    runs = tmp_path_factory.mktemp("runs")
    options = [*TINY, *QUICK, "--sample-epochs", "1", "--runs-dir", str(runs), "--name", "all", "--quiet"]
    with pytest.raises(SystemExit) as stopped:
        main(["compare", "generate", str(book), *options])
    assert stopped.value.code == 0
    yield runs / "all"


def test_the_whole_ladder_is_climbed_and_judged(compared: Path, book: Path) -> None:
    document = json.loads((compared / "leaderboard.json").read_text())
    assert [row["rung"] for row in document["rows"]] == RUNGS
    characters = len(book.read_text())
    assert sum(document["windows"].values()) == characters
    assert document["windows"]["train"] == round(0.8 * characters)
    by_name = {row["rung"]: row for row in document["rows"]}
    for row in document["rows"]:
        metrics = row["split"]["test"]
        assert metrics["count"] == document["windows"]["test"]
        assert 0 < metrics["bits_per_character"] < 7
        assert (compared / row["rung"] / "model" / "model.json").exists()
    uniform, unigram, ngram = (by_name[name]["split"]["test"]["bits_per_character"] for name in RUNGS[:3])
    assert uniform > unigram > ngram
    assert document["reference"] == "ngram"
    assert "chosen on validation" in by_name["ngram"]["note"]
    assert "% ngram and" in by_name["mixture"]["note"]
    lowest = min(row["split"]["validation"]["bits_per_character"] for row in document["rows"])
    assert by_name["mixture"]["split"]["validation"]["bits_per_character"] == pytest.approx(lowest, abs=1e-6)


def test_the_report_shows_samples_and_how_new_they_are(compared: Path) -> None:
    page = (compared / "report.html").read_text("utf-8")
    for heading in ("Samples", "How new they are", "new words", "longest copy", "Where it is surprised", "Corpus"):
        assert heading in page
    for temperature in ("temperature 0.2", "temperature 0.5", "temperature 1"):
        assert temperature in page
    assert "forecast" not in page.partition("<script>")[0].lower()


@pytest.mark.parametrize("rung", RUNGS)
def test_every_rung_writes_from_its_folder_alone_the_same_again_and_in_a_batch(
    run: Run, compared: Path, tmp_path: Path, rung: str
) -> None:
    folder = tmp_path / "elsewhere"
    (compared / rung / "model").rename(folder)
    try:
        options = ["--length", "50", "--temperature", "0.8", "--seed", "3"]
        first = run("generate", folder, "--prompt", "X:1\nT:", *options)
        assert first.code == 0, first.err
        assert first.out.startswith("X:1\nT:")
        assert run("generate", folder, "--prompt", "X:1\nT:", *options).out == first.out
        batch = run("generate", folder, "--prompt", "X:1\nT:", "--prompt", "|: G", *options, "--json").document
        assert first.out == "X:1\nT:" + batch["texts"][0]["text"] + "\n"
        assert [own["tokens"] for own in batch["texts"]] == [50, 50]
        second = run("generate", folder, "--prompt", "|: G", *options)
        assert second.out == "|: G" + batch["texts"][1]["text"] + "\n"
        other = run("generate", folder, "--prompt", "X:1\nT:", *options[:-1], "4").out
        assert (other != first.out) or rung == "ngram"
    finally:
        folder.rename(compared / rung / "model")


@pytest.mark.parametrize("rung", ["ngram", "lstm", "transformer", "mixture"])
def test_greedy_is_temperature_zero_and_the_limit_of_low_ones(run: Run, compared: Path, rung: str) -> None:
    asked = ["generate", compared / rung, "--prompt", "K:", "--length", "40"]
    greedy = run(*asked, "--greedy").out
    assert run(*asked, "--temperature", "0").out == greedy
    if rung in NETWORKS:  # n-grams find several tokens exactly as likely
        assert run(*asked, "--temperature", "0.0001").out == greedy
    assert run(*asked, "--beam", "1").out == greedy
    assert run(*asked, "--top-k", "1").out == greedy


def test_a_beam_finds_what_is_likelier_than_what_greed_finds(run: Run, compared: Path) -> None:
    asked = ["generate", compared / "lstm", "--prompt", "K:", "--length", "12", "--json"]
    bits = [run(*asked, "--beam", width).document["texts"][0]["bits"] for width in (1, 8, 30)]
    assert bits[0] >= bits[1] >= bits[2]
    several = run(*asked, "--beam", "8", "--n", "3").document["texts"]
    assert [own["bits"] for own in several] == sorted(own["bits"] for own in several)
    assert len({own["text"] for own in several}) == 3
    more = run(*asked, "--beam", "2", "--n", "3")
    assert (more.code, "finds as many texts" in more.err or "finds as many texts" in more.out) == (2, True)


def test_writing_ends_before_a_stop_also_where_it_is_streamed(run: Run, compared: Path) -> None:
    asked = ["generate", compared / "ngram", "--prompt", "X:7\n", "--length", "400", "--temperature", "0.3"]
    whole = run(*asked).out
    assert "\nK:" in whole
    stopped = run(*asked, "--stop", "\nK:").out
    assert stopped == whole[: whole.index("\nK:")] + "\n"
    document = run(*asked, "--stop", "\nK:", "--stop", "never in it", "--json").document["texts"][0]
    assert document["stopped"] == "\nK:"
    assert "X:7\n" + document["text"] == stopped[:-1]


def test_probabilities_and_entropies_are_the_models_and_a_page_shows_them(
    run: Run, compared: Path, tmp_path: Path
) -> None:
    asked = ["generate", compared / "lstm", "--prompt", "K:", "--length", "9"]
    shown = run(*asked, "--show-probabilities", "--page", tmp_path / "page.html")
    assert shown.code == 0, shown.err
    assert len(shown.out.strip().splitlines()) >= 9 + 2
    document = run(*asked, "--show-probabilities", "--json").document["texts"][0]
    assert len(document["pieces"]) == 9
    assert "".join(piece["token"] for piece in document["pieces"]) == document["text"]
    following = run("generate", compared / "lstm", "--prompt", "K:", "--next", "40", "--json").document
    likely = {own["text"]: own["probability"] for own in following["continuations"][0]["next"]}
    first = document["pieces"][0]
    assert first["probability"] == pytest.approx(likely[first["token"]], rel=1e-4)
    page = (tmp_path / "page.html").read_text("utf-8")
    assert "entropy" in page


def test_the_likeliest_continuations_of_several_tokens_have_the_probability_of_their_parts(
    run: Run, compared: Path
) -> None:
    asked = ["generate", compared / "ngram", "--json", "--next"]
    pairs = run(*asked, "3", "--next-length", "2", "--prompt", "M:").document["continuations"][0]["next"]
    assert [own["probability"] for own in pairs] == sorted((own["probability"] for own in pairs), reverse=True)
    text = pairs[0]["text"]
    one = run(*asked, "90", "--prompt", "M:").document["continuations"][0]["next"]
    two = run(*asked, "90", "--prompt", "M:" + text[0]).document["continuations"][0]["next"]
    both = [
        next(own["probability"] for own in found if own["text"] == letter)
        for found, letter in zip((one, two), text, strict=False)
    ]
    assert pairs[0]["probability"] == pytest.approx(both[0] * both[1], rel=1e-6)


def test_scoring_and_evaluating_give_bits_per_character(run: Run, compared: Path, book: Path, tmp_path: Path) -> None:
    board = {row["rung"]: row for row in json.loads((compared / "leaderboard.json").read_text())["rows"]}
    for rung in ("ngram", "lstm", "mixture"):
        own = run("evaluate", compared / rung, "--json").document
        assert own["span"] == "test"
        expected = board[rung]["split"]["test"]["bits_per_character"]
        assert own["metrics"]["bits_per_character"] == pytest.approx(expected, abs=1e-5)
    other = tmp_path / "other.abc"
    other.write_text(tune_book(3, seed=9) + "ß")
    scored = run("generate", compared / "ngram", "--score", other, "--json").document["metrics"]
    assert scored["count"] == len(other.read_text())
    assert scored["unknown"] == 1
    assert run("evaluate", compared / "ngram", other, "--json").document["metrics"] == scored
    said = run("generate", compared / "ngram", "--score", other, "--page", tmp_path / "page.html")
    assert f"{scored['bits_per_character']:.4f} bits per character" in said.out
    assert (tmp_path / "page.html").exists()


def test_prompts_that_training_never_saw_are_told_or_skipped(run: Run, compared: Path) -> None:
    told = run("generate", compared / "lstm", "--prompt", "Kß", "--length", "5")
    assert told.code == 3
    assert told.out == "", "a part of the prompt was shown before the error"
    assert '"ß" at 2' in told.err
    assert "--on-unknown skip" in told.err
    skipped = run("generate", compared / "lstm", "--prompt", "Kß", "--length", "5", "--on-unknown", "skip")
    plain = run("generate", compared / "lstm", "--prompt", "K", "--length", "5")
    assert skipped.code == 0
    assert skipped.out == "Kß" + plain.out[1:]


def test_many_prompts_come_from_a_file_or_standard_input_and_go_to_a_file(
    run: Run, compared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "prompts.txt").write_text("X:\nK:\n")
    asked = ["generate", compared / "gru", "--length", "8", "--n", "2"]
    done = run(*asked, "--prompts", tmp_path / "prompts.txt", "-o", tmp_path / "texts.jsonl")
    assert done.code == 0, done.err
    lines = [json.loads(line) for line in (tmp_path / "texts.jsonl").read_text().splitlines()]
    assert [line["prompt"] for line in lines] == ["X:", "X:", "K:", "K:"]
    assert lines[0]["text"] != lines[1]["text"], "two texts of one prompt are the same"
    given = io.TextIOWrapper(io.BytesIO(b"X:\nK:\n"))
    monkeypatch.setattr(sys, "stdin", given)
    assert len(run(*asked, "--prompts", "-", "--json").document["texts"]) == 4


def test_predict_goes_on_from_each_line_and_each_row(
    run: Run, compared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pl.DataFrame({"number": [1, 2], "prompt": ["X:1", "|: G"]}).write_csv(tmp_path / "prompts.csv")
    done = run("predict", compared / "ngram", tmp_path / "prompts.csv", "--length", "6", "--temperature", "0")
    assert done.code == 0, done.err
    frame = pl.read_csv(io.StringIO(done.out))
    assert frame.columns == ["number", "prompt", "text"]
    named = run("predict", compared / "ngram", tmp_path / "prompts.csv", "--text", "prompt", "--length", "6", "--json")
    assert [own["text"] for own in named.document["texts"]] != []
    lines = io.TextIOWrapper(io.BytesIO(b"X:1\n|: G\n"))
    monkeypatch.setattr(sys, "stdin", lines)
    told = run("predict", compared / "ngram", "-", "--length", "6", "--temperature", "0")
    assert pl.read_csv(io.StringIO(told.out))["text"].to_list() == frame["text"].to_list()
    model = ft.load(compared / "ngram")
    assert model.predict(["X:1"], length=6, temperature=0)["text"].to_list() == frame["text"].to_list()[:1]


@pytest.mark.parametrize("kind", ["characters", "bytes", "words", "bpe"])
def test_every_kind_of_token_is_judged_in_bits_per_character(run: Run, book: Path, kind: str) -> None:
    size = ["--vocabulary", "300"] if kind in ("words", "bpe") else []
    asked = ["train", "generate", book, "--rung", "lstm", "--tokens", kind, *size, *TINY, *QUICK, "--json"]
    document = run(*asked, "--name", kind).document
    rows = {row["rung"]: row["split"]["test"] for row in document["rows"]}
    assert rows["lstm"]["count"] == len(book.read_text()) - round(0.9 * len(book.read_text()))
    assert rows["ngram"]["bits_per_character"] < 3.5
    text = run("generate", kind, "--prompt", "X:1\nT:The ", "--length", "20", "--json").document["texts"][0]["text"]
    assert text


@pytest.mark.parametrize("rung", ["lstm", "transformer"])
def test_windows_of_the_lecture_train_and_write(run: Run, book: Path, rung: str) -> None:
    options = ["--align", "lecture", "--lookback", "12", "--stride", "5", "--steps-per-epoch", "20"]
    done = run("train", "generate", book, "--rung", rung, *options, *TINY, *QUICK[:2], "--name", "windows")
    assert done.code == 0, done.err
    texts = [run("generate", "windows", "--prompt", prompt, "--length", "20").out for prompt in ("K", "X:1\nT:The Fox")]
    assert all(texts)
    assert "no rung has a use for --unroll" not in done.err


@pytest.mark.parametrize("options", [["--positions", "learned"], ["--tied"], ["--no-tied"], ["--layers", "2"]])
def test_networks_take_their_options(run: Run, book: Path, options: list[str]) -> None:
    for rung in ("lstm-stacked", "transformer"):
        own = [] if options[0] == "--positions" and rung != "transformer" else options
        done = run("train", "generate", book, "--rung", rung, *TINY, *QUICK, *own, "--name", rung)
        assert done.code == 0, done.err


def test_a_corpus_may_be_many_files_a_folder_standard_input_or_a_column(
    run: Run, book: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = book.read_text()
    tunes = text.split("\n\n")
    (tmp_path / "parts").mkdir()
    for number in range(3):
        (tmp_path / "parts" / f"{number}.abc").write_text("\n\n".join(tunes[20 * number : 20 * (number + 1)]) + "\n")
    pl.DataFrame({"tune": tunes}).write_parquet(tmp_path / "tunes.parquet")
    parts = [tmp_path / "parts" / f"{number}.abc" for number in range(3)]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    sources: list[tuple[list[object], list[str]]] = [
        ([*parts], []),
        ([tmp_path / "parts"], []),
        (["-"], []),
        ([tmp_path / "tunes.parquet"], ["--text", "tune"]),
    ]
    for number, (data, options) in enumerate(sources):
        done = run(
            "compare", "generate", *data, "--rungs", "unigram,ngram", *options, "--name", f"run{number}", "--json"
        )
        assert done.code == 0, done.err + done.out
        assert abs(sum(done.document["windows"].values()) - len(text)) < 100
    assert run("evaluate", "run0", "--json").document["span"] == "test"
    assert run("runs", "show", "run0").code == 0


def test_lowercase_reads_and_writes_small_letters(run: Run, book: Path) -> None:
    done = run("train", "generate", book, "--rung", "ngram", "--lowercase", "--name", "low")
    assert done.code == 0, done.err
    text = run("generate", "low", "--prompt", "X:1\nT:THE", "--length", "60", "--json").document["texts"][0]["text"]
    assert text == text.lower()


def test_training_goes_on_from_a_model_with_its_tokens(run: Run, book: Path, tmp_path: Path) -> None:
    assert run("train", "generate", book, "--rung", "lstm", *TINY, *QUICK, "--name", "first").code == 0
    other = tmp_path / "other.abc"
    other.write_text(tune_book(50, seed=8) + "ß" * 30)
    done = run("train", "generate", other, "--from", "first", "--epochs", "1", "--name", "second", "--json")
    assert done.code == 0, done.err + done.out
    models: list[Any] = [ft.load(f"runs/{name}").fitted for name in ("first", "second")]
    first, second = models
    assert first.tokenizer == second.tokenizer
    assert "went on from" in second.note
    refused = run("train", "generate", other, "--from", "first", "--tokens", "bytes")
    assert refused.code == 3
    assert "the model's" in refused.err


def test_what_is_named_is_not_searched(run: Run, book: Path) -> None:
    pytest.importorskip("optuna")
    named = ["--units", "8", "--embedding", "6", "--set", "network.recurrent_dropout=0.1", "--name", "kept"]
    asked = ["tune", "generate", book, "--rung", "lstm", "--epochs", "1", "--trials", "1", *QUICK[:4], *named, "--json"]
    done = run(*asked)
    assert done.code == 0, done.out
    assert set(done.document["tuning"]["best"]) == {"training.learning_rate", "network.output_dropout"}
    job = json.loads(Path("runs/kept/run.json").read_text()) | {"finished": None, "trials": 2}
    Path("runs/kept/run.json").write_text(json.dumps(job))
    again = run("tune", "--resume", "kept", "--json").document["tuning"]
    assert (again["trials"], set(again["best"])) == (2, set(done.document["tuning"]["best"]))
    none_left = run(*asked[:-3], "--learning-rate", "0.01", "--output-dropout", "0.1")
    assert (none_left.code, "has no options left to search" in none_left.err) == (2, True)


def test_tune_and_inspect_know_generators(run: Run, book: Path) -> None:
    asked = ["tune", "generate", book, "--rung", "lstm", *TINY[:2], *QUICK[:4], "--trials", "2", "--name", "tuned"]
    done = run(*asked, "--search", "units=8..12")
    assert done.code == 0, done.err
    assert run("train", "generate", book, "--rung", "gru", *TINY, *QUICK, "--name", "seen").code == 0
    looked = run("inspect", "seen", "--windows", "16", "--json")
    assert looked.code == 0, looked.err
    assert looked.document["models"][0]["layers"]


KILLED = """
import sys
from foretell.cli.main import main
from foretell.errors import UsageError
sys.exit(main(sys.argv[1:]))
"""


def test_a_killed_training_goes_on_in_the_middle_of_a_stream_and_ends_the_same(book: Path, tmp_path: Path) -> None:
    options = [*TINY, *QUICK, "--epochs", "3", "--checkpoint-seconds", "0", "--threads", "1", "--quiet"]
    whole = [sys.executable, "-m", "foretell", "train", "generate", str(book), "--rung", "lstm", *options]
    environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
    subprocess.run([*whole, "--name", "whole"], cwd=tmp_path, env=environment, check=True, timeout=300)
    metrics = tmp_path / "runs" / "killed" / "metrics.jsonl"
    process = subprocess.Popen([*whole, "--name", "killed"], cwd=tmp_path, env=environment)
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline and not (metrics.exists() and metrics.read_text()):
        time.sleep(0.01)
    time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "runs" / "killed" / "report.html").exists(), "it was done before it was killed"
    resume = [sys.executable, "-m", "foretell", "train", "--resume", "killed", "--quiet"]
    subprocess.run(resume, cwd=tmp_path, env=environment, check=True, timeout=300)
    first, second = (
        (tmp_path / "runs" / name / "model" / "weights.safetensors").read_bytes() for name in ("whole", "killed")
    )
    assert first == second


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--score", "x", "--n", "2"], "--score has no use for --n"),
        (["--score", "x", "--prompt", "a", "--greedy"], "--score has no use for --greedy, --prompt"),
        (["--next", "3", "-o", "a.txt"], "--next has no use for --output"),
        (["--next", "3", "--beam", "2"], "--next has no use for --beam"),
        (["--next-length", "3"], "--next-length goes with --next"),
        (["--text", "a"], "--text goes with --score"),
        (["--beam", "2", "--page", "a.html"], "leave --page away"),
        (["-o", "a.csv"], "--output ends in"),
        (["--page", "a.png"], "--page ends in .html"),
    ],
)
def test_options_without_a_part_in_what_is_asked_are_told(
    run: Run, compared: Path, options: list[str], told: str
) -> None:
    done = run("generate", compared / "ngram", *options)
    assert (done.code, done.out) == (2, "")
    assert told in done.err


def test_what_is_written_is_cut_with_all_that_is_told_of_it(run: Run, compared: Path) -> None:
    asked = ["generate", compared / "ngram", "--prompt", "X:7\n", "--length", "400", "--temperature", "0.3"]
    document = run(*asked, "--stop", "\nK:", "--show-probabilities", "--json").document["texts"][0]
    assert "".join(piece["token"] for piece in document["pieces"]) == document["text"]
    assert document["tokens"] == len(document["pieces"]) == len(document["text"])
    plain = run(*asked, "--stop", "\nK:", "--json").document["texts"][0]
    assert plain["text"] == document["text"]


def test_options_of_writing_come_from_the_environment(
    run: Run, compared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORETELL_LENGTH", "7")
    assert len(run("generate", compared / "ngram", "--prompt", "K").out) == len("K") + 7 + 1


def test_samples_of_every_network_stand_in_the_report_of_a_comparison(compared: Path) -> None:
    page = (compared / "report.html").read_text("utf-8")
    for rung in NETWORKS:
        assert f"Samples of {rung} after chosen epochs" in page, "whichever rung was kept"


@pytest.mark.parametrize("size", [300, 995, 1100])
def test_a_short_corpus_has_a_report_too(run: Run, size: int) -> None:
    Path("short.txt").write_text(tune_book(20)[:size])
    assert run("data", "check", "short.txt").code == 0
    done = run("compare", "generate", "short.txt", "--rungs", "unigram,ngram,gru", *TINY, *QUICK, "--name", "short")
    assert done.code == 0, done.err
    assert "Where it is surprised" in Path("runs/short/report.html").read_text("utf-8")


def test_beams_that_stop_differ(run: Run, compared: Path) -> None:
    asked = ["generate", compared / "ngram", "--prompt", "X:1", "--beam", "6", "--n", "4", "--length", "30", "--json"]
    texts = [own["text"] for own in run(*asked, "--stop", "\n").document["texts"]]
    assert len(set(texts)) == len(texts) == 4
    assert not any("\n" in text for text in texts)


def test_what_is_passed_over_in_a_score_is_told(run: Run, compared: Path) -> None:
    Path("mixed").mkdir()
    Path("mixed/a.abc").write_text(tune_book(2, seed=4))
    Path("mixed/b.bin").write_bytes(b"\0\1\2")
    for command in (["generate", compared / "ngram", "--score"], ["evaluate", compared / "ngram"]):
        done = run(*command, "mixed")
        assert (done.code, "b.bin" in done.err) == (0, True), done.err


def test_other_data_may_be_read_otherwise(run: Run, compared: Path) -> None:
    text = tune_book(3, seed=4)
    pl.DataFrame({"tune": [text], "notes": ["ä"]}).write_csv("odd.csv")
    ngram = ["evaluate", compared / "ngram"]
    unknown = run(*ngram, "odd.csv")
    assert (unknown.code, "name it with --text" in unknown.err) == (3, True)
    found = run(*ngram, "odd.csv", "--text", "tune", "--json")
    assert found.document["metrics"]["count"] == len(text)
    Path("latin.txt").write_bytes((text + "ä").encode("latin-1"))
    assert run(*ngram, "latin.txt").code == 3
    assert run(*ngram, "latin.txt", "--encoding", "latin-1", "--json").document["metrics"]["unknown"] == 1
    for wrong, told in ((["--text", "a"], "name them"), (["odd.csv", "--label", "a"], "means nothing to a model of")):
        done = run(*ngram, *wrong)
        assert (done.code, told in done.err) == (2, True)


def test_a_page_of_surprise_shows_the_letters_that_are_no_tokens(run: Run, compared: Path) -> None:
    Path("odd.abc").write_text("X:1\nT:Märchen\n" * 200)
    assert run("generate", compared / "ngram", "--score", "odd.abc", "--page", "odd.html").code == 0
    page = Path("odd.html").read_text("utf-8")
    assert page.count("ä") > 100
    assert "The first 1,500 of 2,800 characters" in page


def test_a_missing_file_of_a_model_is_named(run: Run, compared: Path, tmp_path: Path) -> None:
    shutil.copytree(compared / "ngram" / "model", tmp_path / "model")
    (tmp_path / "model" / "vocabulary.json").unlink()
    done = run("generate", tmp_path / "model", "--prompt", "X")
    assert (done.code, "the model folder is damaged: it lacks vocabulary.json" in done.err) == (5, True), done.err


def test_one_text_is_scored_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "line.txt"
    path.write_text("alpha beta gamma " * 60)
    generator = ft.Generator("ngram").fit(path)
    assert generator.score("alpha beta") < 3, "a line end that nobody wrote was scored"
    with pytest.raises(UsageError, match='writing has no option "lenght"; did you mean "length"'):
        generator.write("a", lenght=5)


def test_standard_input_is_judged_and_stands_alone(run: Run, compared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(tune_book(2, seed=5).encode())))
    done = run("evaluate", compared / "ngram", "-", "--json")
    assert done.code == 0, done.out
    assert done.document["metrics"]["count"] == len(tune_book(2, seed=5))
    beside = run("train", "generate", "a.txt", "-", "--rung", "ngram")
    assert (beside.code, "read alone" in beside.err) == (2, True)


@pytest.mark.parametrize(
    "spans", ["nan,1,rest", "inf,1,rest", "0.8,0.1,0.1,0.1", "0.8,0.2", "1,1", "-1,2,rest", "a,b,c"]
)
def test_spans_that_are_none_are_told(run: Run, book: Path, spans: str) -> None:
    done = run("train", "generate", book, "--rung", "ngram", "--spans", spans)
    assert done.code == 3
    assert "spans are three shares above zero" in done.err


def test_generator_for_python_writes_scores_and_saves(tmp_path: Path, book: Path) -> None:
    generator = ft.Generator("ngram").fit(book)
    text = generator.write("X:1\n", length=30, temperature=0.2, seed=1)
    assert len(text) == 30
    assert generator.score(book.read_text()) < 3
    loaded = ft.load(generator.save(tmp_path / "model"))
    assert loaded.predict(["X:1\n"], length=30, temperature=0.2, seed=1)["text"].to_list() == [text]
    frame = pl.DataFrame({"prompt": ["K:"]})
    assert isinstance(generator.predict(frame, length=3), pl.DataFrame)


def test_nothing_after_training_changes_what_is_learned(run: Run, book: Path, tmp_path: Path) -> None:
    text = book.read_text()
    end = round(0.8 * len(text))
    changed = tmp_path / "changed.abc"
    generator = np.random.default_rng(0)
    changed.write_text(text[:end] + "".join(generator.permutation(list(text[end:]))))
    for name, data in (("one", book), ("two", changed)):
        options = ["--order", "5", "--epochs", "1", *TINY[2:], *QUICK]
        done = run("compare", "generate", data, "--rungs", "unigram,ngram,lstm", *options, "--name", name)
        assert done.code == 0, done.err
    for rung in ("unigram", "ngram", "lstm"):
        first, second = (Path(f"runs/{name}/{rung}/model") for name in ("one", "two"))
        assert (first / "weights.safetensors").read_bytes() == (second / "weights.safetensors").read_bytes()
        assert (first / "vocabulary.json").read_bytes() == (second / "vocabulary.json").read_bytes()
