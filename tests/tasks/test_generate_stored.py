"""Generators that learn from a corpus in a store: the same ones, in memory that does not grow with the corpus."""

import json
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmarks.corpora.tunes import tune_book

from foretell.data.streams import BEFORE, spread_stretches
from foretell.evaluation.panels import Passages
from foretell.tasks.generate.config import Configuration
from foretell.tasks.generate.judging import evaluation_of
from foretell.tasks.generate.models import CountModel
from foretell.tasks.generate.prepare import PreparedCorpus, prepare
from foretell.tasks.generate.task import task
from foretell.tasks.interface import Attempt, Silent

from .commands import Run

TINY = ["--epochs", "2", "--units", "12", "--embedding", "12", "--batch-size", "8", "--unroll", "20", "--threads", "1"]
TINY += ["--sample-length", "40"]


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty tunes in one file."""
    path = tmp_path_factory.mktemp("corpus") / "tunes.abc"
    path.write_text(tune_book(60))
    return path


def by_name(run: Run) -> list[dict[str, Any]]:
    """What the cache lists; which of two stores was used last may be within one tick of the clock."""
    return sorted(run("cache", "list", "--json").document["stores"], key=lambda own: str(own["name"]))


def prepared(book: Path, **options: Any) -> PreparedCorpus:
    """A corpus as every rung reads it."""
    return prepare(book, Configuration.build(options, environment={}))


@pytest.mark.parametrize("tokens", ["characters", "words"])
def test_a_model_that_learned_through_a_store_is_the_one_that_learned_in_memory(
    run: Run, book: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tokens: str
) -> None:
    monkeypatch.setenv("FORETELL_CACHE_DIR", str(tmp_path / "cache"))
    documents = {}
    for store in ("yes", "no"):
        named = ["--store", store, "--tokens", tokens, "--runs-dir", tmp_path / "runs", "--name", store, "--rungs"]
        done = run("compare", "generate", book, *TINY, *named, "lstm,ngram,mixture", "--json")
        assert done.code == 0, done.err
        documents[store] = done.document
        rows = [row | {"seconds": 0, "run": ""} for row in documents[store]["rows"]]
        documents[store] = {"rows": rows, "windows": documents[store]["windows"]}
    assert documents["yes"] == documents["no"]
    for rung in ("lstm", "ngram", "mixture"):
        weights = [tmp_path / "runs" / store / rung / "model" / "weights.safetensors" for store in ("yes", "no")]
        assert weights[0].read_bytes() == weights[1].read_bytes()
        models = [json.loads(path.with_name("model.json").read_text()) for path in weights]
        assert models[0]["data"] == models[1]["data"]
    listed = by_name(run)
    assert sorted((own["kind"], own["source"], own["whole"]) for own in listed) == [
        ("text", str(book), True),
        ("tokens", str(book), True),
    ]
    # It is judged again with what is there, and writes without any of it.
    again = run("evaluate", tmp_path / "runs" / "yes" / "lstm", "--json").document
    test = next(row["split"]["test"] for row in documents["no"]["rows"] if row["rung"] == "lstm")
    assert again["span"] == "test"
    assert again["metrics"]["bits_per_character"] == pytest.approx(test["bits_per_character"], abs=1e-6)
    assert by_name(run) == listed
    assert run("cache", "clear", "--json").document["bytes"] > 0
    wrote = [
        run("generate", tmp_path / "runs" / store / "lstm", "--prompt", "X:1", "--length", "30") for store in documents
    ]
    assert wrote[0].out == wrote[1].out
    assert run("cache", "list", "--json").document["stores"] == []


def test_a_model_that_learns_on_cuts_another_stored_text_into_its_own_tokens(
    run: Run, book: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORETELL_CACHE_DIR", str(tmp_path / "cache"))
    named = ["--store", "yes", "--runs-dir", tmp_path / "runs", "--rung", "lstm", *TINY]
    first = run("train", "generate", book, *named, "--name", "first", "--quiet")
    assert first.code == 0, first.err
    other = tmp_path / "other.abc"
    other.write_text(tune_book(40, seed=5))
    went_on = run(
        "train",
        "generate",
        other,
        "--store",
        "yes",
        "--from",
        tmp_path / "runs" / "first",
        "--runs-dir",
        tmp_path / "runs",
    )
    assert went_on.code == 0, went_on.err
    kinds = [own["kind"] for own in run("cache", "list", "--json").document["stores"]]
    assert sorted(kinds) == ["text", "text", "tokens", "tokens"]
    whole = run("evaluate", tmp_path / "runs" / "first", other, "--json").document
    assert whole["span"] == "all"
    assert whole["metrics"]["count"] == len(other.read_text())


def test_spans_that_are_very_long_are_judged_on_stretches_and_that_is_said(book: Path) -> None:
    whole, part = prepared(book), prepared(book, judged=640)
    assert not [told for told in whole.messages if "--judged" in told]
    size = len(whole.tokens["test"])
    assert f"models are judged on 640 of the {size:,} tokens of test, evenly spread (--judged)" in part.messages
    stretches = list(part.judged("test"))
    tokens, known = whole.with_context("test")
    assert sum(len(own) - before for own, before in stretches) == 640
    for (own, before), (start, stop) in zip(stretches, spread_stretches(size, 640), strict=True):
        assert own.tolist() == tokens[known + start - before : known + stop].tolist()[-len(own) :]
        assert before >= min(BEFORE, start) or start == 0
    assert stretches[-1][0][-1] == tokens[-1]
    attempt = Attempt(book.parent, Silent())
    model = task.fit(part, "ngram", attempt).model
    found, every = (evaluation_of(model, own.tokenizer, own.judged("test")).metrics for own in (part, whole))
    assert (found["count"], every["count"]) == (640, size)
    assert found["bits_per_character"] == pytest.approx(every["bits_per_character"], rel=0.3)
    assert part.counts == whole.counts
    assert list(map(len, next(iter(prepared(book, judged=0).judged("test")))[:1])) == [len(tokens)]


def test_another_text_that_is_very_long_is_judged_on_stretches_too(book: Path, tmp_path: Path) -> None:
    fitted = task.fit(prepared(book, judged=960), "ngram", Attempt(tmp_path, Silent()))
    other = tmp_path / "other.abc"
    other.write_text(tune_book(30, seed=3))
    with pytest.warns(UserWarning, match=r"judged on 960 of the [\d,]+ characters of other.abc, evenly spread"):
        judged = task.judge(fitted, other)
    assert (judged["span"], judged["metrics"]["count"]) == ("all", 960)
    every = fitted.score_text(other.read_text()).metrics
    assert judged["metrics"]["bits_per_character"] == pytest.approx(every["bits_per_character"], rel=0.3)


def test_what_is_no_file_is_judged_in_memory_wherever_the_text_of_the_training_lay(book: Path, tmp_path: Path) -> None:
    read = prepared(book, store="yes", cache_dir=tmp_path / "cache")
    fitted, text = task.fit(read, "ngram", Attempt(tmp_path, Silent())), tune_book(5, seed=3)
    judged = task.judge(fitted, [text])
    assert (judged["span"], judged["metrics"]) == ("all", fitted.score_text(text).metrics)


def test_n_grams_count_as_much_of_training_as_they_are_told_and_say_so(book: Path, tmp_path: Path) -> None:
    attempt = Attempt(tmp_path, Silent())
    part = task.fit(prepared(book, counted=3200, order=4), "ngram", attempt)
    assert ", counted in 3,200 of " in part.note
    assert isinstance(part.model, CountModel)
    assert part.model.counts.levels[-1].counts.sum() == 3200 - 3
    whole = task.fit(prepared(book, counted=0, order=4), "ngram", attempt)
    assert "counted in" not in whole.note
    assert whole.model.parameters > part.model.parameters


def test_what_is_judged_in_part_is_shown_as_it_was_judged(book: Path, tmp_path: Path) -> None:
    some = prepared(book, judged=320, sample_length=20)
    fitted = task.fit(some, "ngram", Attempt(tmp_path, Silent()))
    evaluations = {"ngram": task.evaluate(some, fitted, "test")}
    panels = task.panels(some, {"ngram": fitted}, "ngram", evaluations, "ngram")
    (passages,) = [panel.items[0] for panel in panels if panel.heading == "Where it is surprised"]
    assert isinstance(passages, Passages)
    (passage,) = passages.entries
    assert "".join(passage.pieces) == some.text("test")[:10]
    expected = np.minimum(1, evaluations["ngram"].details[:10] / 8)
    np.testing.assert_allclose(passage.underlined or [], expected, rtol=1e-6)


CODE = """
import threading, time
from pathlib import Path
from foretell.tasks.generate.config import Configuration
from foretell.tasks.generate.task import task
from foretell.tasks.interface import Attempt, Silent

def anonymous():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon:")) / 1000

most = 0
def watch():
    global most
    while True:
        most = max(most, anonymous())
        time.sleep(0.005)

options = dict(store="yes", cache_dir={cache!r}, units="32", epochs=2, steps_per_epoch=10, judged=100_000, threads=1)
configuration = Configuration.build(options, environment={{}})
threading.Thread(target=watch, daemon=True).start()
prepared = task.prepare(Path({path!r}), configuration)
fitted = task.fit(prepared, "lstm", Attempt(Path({folder!r}), Silent()))
prepared.messages, task.evaluate(prepared, fitted, "test")
print(most, sum(prepared.counts.values()))
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_memory_does_not_grow_with_the_corpus(tmp_path: Path) -> None:
    tunes, found = tune_book(2000).encode(), []
    for size in (6_000_000, 60_000_000):
        path = tmp_path / f"{size}.abc"
        path.write_bytes((tunes * -(-size // len(tunes)))[:size])
        code = CODE.format(cache=str(tmp_path / "cache"), path=str(path), folder=str(tmp_path / str(size)))
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stderr
        megabytes, characters = done.stdout.split()
        assert int(characters) == size
        found.append(float(megabytes))
    # Held in memory, 54 MB of text more would take 54 MB as text and four times that as tokens.
    assert found[1] - found[0] < 40
