"""What data look as if they were for, and what is said of them before anything learns from them."""

import gzip
from pathlib import Path

import polars as pl
import pytest
from benchmarks.corpora.tunes import tune_book

from . import made_texts
from .commands import Run


@pytest.fixture
def data(run: Run) -> dict[str, list[str]]:
    """Data of every kind in the working directory, by the task that they look as if they were for."""
    Path("tunes").mkdir()
    for number in range(3):
        Path(f"tunes/{number}.abc").write_text(tune_book(20, seed=number))
    Path("one.txt").write_text(tune_book(20))
    Path("same.txt").write_text("a" * 5000)
    Path("two.en.gz").write_bytes(gzip.compress(tune_book(20).encode()))
    made_texts.frame(60).write_csv("reviews.csv")
    made_texts.frame(60).write_ndjson("reviews.jsonl")
    for label in ("neg", "pos"):
        Path(f"folders/{label}").mkdir(parents=True)
        for number in range(20):
            Path(f"folders/{label}/{number}.txt").write_text(f"{label} text number {number}")
    hours = pl.datetime_range(pl.datetime(2021, 1, 1), pl.datetime(2021, 1, 9), "1h", eager=True)
    pl.DataFrame({"time": hours, "load": range(len(hours))}).write_csv("load.csv")
    Path("load.csv.gz").write_bytes(gzip.compress(Path("load.csv").read_bytes()))
    return {
        "generate": ["one.txt", "two.en.gz", "tunes", "tunes/0.abc tunes/1.abc"],
        "classify": ["reviews.csv", "reviews.jsonl", "folders"],
        "forecast": ["load.csv", "load.csv.gz", "nyc-weather --series station"],
    }


def test_data_are_looked_at_for_the_task_that_they_look_like(run: Run, data: dict[str, list[str]]) -> None:
    for task, sources in data.items():
        for source in sources:
            result = run("data", "check", *source.split(), "--json")
            assert (result.code, result.document["task"]) == (0, task), (source, result.out)
            shown = run("data", "check", *source.split())
            assert shown.out.rstrip().endswith("healthy"), shown.out


def test_a_task_may_be_named(run: Run, data: dict[str, list[str]]) -> None:
    document = run("data", "check", "reviews.csv", "--task", "generate", "--json").document
    assert document["documents"] == 60
    assert sum(document["spans"].values()) == document["characters"]
    smaller = run("data", "check", "reviews.csv", "--task", "generate", "--lowercase", "--spans", "100,50,50", "--json")
    assert smaller.document["spans"] == {"train": 100, "validation": 50, "test": 50}
    other = run("data", "check", "reviews.csv", "--spans", "0.5,0.25,0.25", "--split", "last", "--json").document
    assert other["spans"] == {"train": 30, "validation": 15, "test": 15}
    assert run("data", "check", "load.csv", "--task", "classify").code == 3


@pytest.mark.parametrize(
    ("command", "code", "told"),
    [
        ("one.txt --lookback 5", 2, "--lookback means nothing to data that are looked at for generate"),
        ("load.csv --lowercase", 2, "--lowercase means nothing to data that are looked at for forecast"),
        ("load.csv reviews.csv --task forecast", 2, "forecast reads one file; found 2"),
        ("one.txt -", 2, "standard input, which is read alone"),
        ("one.txt tunes/9.abc", 3, "tunes/9.abc"),
        ("same.txt", 3, "one character again and again"),
        ("one.txt --task recall", 2, "recall"),
        ("", 2, "DATA"),
        ("a" * 300, 3, "a" * 50),
    ],
)
def test_what_cannot_be_is_told(run: Run, data: dict[str, list[str]], command: str, code: int, told: str) -> None:
    result = run("data", "check", *command.split())
    assert result.code == code, result.out + result.err
    assert told in result.out + result.err
    assert "Traceback" not in result.err
