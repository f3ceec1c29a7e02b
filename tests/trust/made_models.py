"""Tiny models of every task, each in a run that can be gone on with, and data that they answer."""

import io
import json
from contextlib import redirect_stdout
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
import pytest

from foretell.cli.main import main

from ..tasks.made_texts import frame

LINES = "the sun rose over the hills and the birds began to sing\n"
SMALL = ["--epochs", "1", "--threads", "1"]


class Made(NamedTuple):
    """A run with a model: what it is of, and the data that it learned from."""

    task: str
    run: Path
    data: tuple[Path, ...]


def made_runs(home: Path, names: tuple[str, ...] = ()) -> dict[str, Made]:
    """Trains them.

    Args:
        home: The folder of runs and data.
        names: Which; all where none is named.
    """
    hours = np.arange(300)
    times = pl.datetime_range(pl.datetime(2021, 1, 1), pl.datetime(2021, 12, 31), "1h", eager=True).head(300)
    table = pl.DataFrame({"time": times, "x": (10 + 5 * np.sin(2 * np.pi * hours / 24)).round(3), "y": hours % 7 * 1.0})
    table.write_csv(home / "hours.csv", datetime_format="%Y-%m-%d %H:%M:%S")
    frame(60).write_csv(home / "reviews.csv")
    (home / "corpus.txt").write_text(LINES * 20)
    days = [f"{day} May {year}\t{year}-05-{day:02}" for year in range(1990, 1995) for day in range(1, 29)]
    (home / "days.tsv").write_text("source\ttarget\n" + "\n".join(days) + "\n")
    windows = ["--target", "x", "--lookback", "12", "--ahead", "3"]
    tokens = [
        "--tokens",
        "characters",
        "--units",
        "6",
        "--embedding",
        "4",
        "--batch-tokens",
        "400",
        "--warmup-steps",
        "2",
    ]
    wanted: dict[str, tuple[str, list[str], list[str]]] = {
        "gru": ("forecast", ["hours.csv"], [*windows, "--units", "3", *SMALL]),
        "ridge": ("forecast", ["hours.csv"], windows),
        "boosted-trees": ("forecast", ["hours.csv"], [*windows, "--trees", "5", "--leaf-rows", "5"]),
        "lstm": ("classify", ["reviews.csv"], ["--units", "3", "--embedding", "4", *SMALL]),
        "tfidf": ("classify", ["reviews.csv"], []),
        "writer": ("generate", ["corpus.txt"], ["--units", "6", "--embedding", "4", "--batch-size", "2", *SMALL]),
        "ngram": ("generate", ["corpus.txt"], []),
        "gru-attention": ("translate", ["days.tsv"], [*tokens, *SMALL]),
        "dictionary": ("translate", ["days.tsv"], []),
    }
    found = {}
    for name, (task, data, options) in wanted.items():
        if names and name not in names:
            continue
        rung = "lstm" if name == "writer" else name
        paths = [str(home / own) for own in data]
        where = ["--rung", rung, "--runs-dir", str(home / "runs"), "--name", name, "--quiet"]
        with redirect_stdout(io.StringIO()), pytest.raises(SystemExit) as stopped:
            main(["train", task, *paths, *options, *where])
        assert stopped.value.code == 0, name
        found[name] = Made(task, home / "runs" / name, tuple(map(Path, paths)))
    return found


def begin_again(run: Path) -> None:
    """Makes a run one that was stopped after its last epoch, with its checkpoint and without its model."""
    job = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**job, "finished": None}))
