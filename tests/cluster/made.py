"""Small trainings of every task, and what is compared of them."""

import json
import re
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from benchmarks.corpora.tunes import tune_book

from foretell.cluster.work import Done, Executor, Result, Shared, Work, done_or_raise
from foretell.data.builtin.dates import dates
from foretell.tasks import get_task, task_configuration
from foretell.tasks.interface import Prepared

from ..tasks import made_texts

FORETELL = [sys.executable, "-m", "foretell"]
PATIENCE = 120  # seconds that anything here may take
SMALL = ["--target", "T (degC)", "--lookback", "12", "--ahead", "3", "--units", "4", "--batch-size", "64"]
RUNGS = ["--rungs", "persistence,ridge,mlp,ensemble", "--seeds", "2"]
QUICK: dict[str, Any] = {"epochs": 2, "units": (8,), "learning_rate": 0.01}
OPTIONS: dict[str, dict[str, Any]] = {
    "forecast": {**QUICK, "target": ("T (degC)",), "lookback": "24", "every": "2", "ahead": "1:3", "calendar": True},
    "classify": {**QUICK, "embedding": 8, "batch_size": 16, "buckets": 500, "length": 40},
    "generate": {**QUICK, "embedding": 8, "batch_size": 8, "unroll": 20, "sample_epochs": (1,), "sample_length": 20},
    "translate": {**QUICK, "embedding": 8, "layers": 1, "batch_tokens": 400, "tokens": "characters", "beam": 2},
    "recall": {**QUICK, "gap": 3, "training_sequences": 200, "validation_sequences": 64, "test_sequences": 64},
}
"""The options of small trainings, by task."""
TRAINED = {
    "forecast": ("ridge", "boosted-trees", "gru"),
    "classify": ("majority", "nb-svm", "lstm"),
    "generate": ("ngram", "gru"),
    "translate": ("dictionary", "gru-attention"),
    "recall": ("chance", "gru"),
}
"""Rungs of each: by rule, by counting, as a network."""
SPEED = re.compile(r"[0-9,]+ target tokens a second")  # which a note may tell


def options_of(shared: Shared) -> Any:
    """The options under which data were prepared."""
    prepared: Any = shared.parts[0]
    return prepared.configuration


def wait_for(what: Callable[[], Any]) -> Any:
    """What something comes to, as soon as it is something."""
    end = time.monotonic() + PATIENCE
    while not (found := what()):
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)
    return found


def prepared_of(name: str, hourly: pl.DataFrame) -> Any:
    """A task's small data."""
    sources: dict[str, Any] = {
        "forecast": hourly.head(500),
        "classify": made_texts.frame(240),
        "generate": [tune_book(30)],
        "translate": pl.DataFrame([row[:2] for row in dates(200)], schema=["source", "target"], orient="row"),
        "recall": None,
    }
    configuration = task_configuration(name).build(OPTIONS[name], environment={})
    return get_task(name).prepare(sources[name], configuration)


class Deaf:
    """Listens to nothing, and remembers who began, and who began again."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.repeated: list[str] = []
        self.epochs: list[tuple[str, int]] = []

    def began(self, work: Work) -> None:
        self.begun.append(work.name)

    def step(self, work: Work, epoch: int, step: int, steps: int, loss: float) -> None:
        pass

    def epoch(self, work: Work, record: dict[str, Any], epochs: int) -> bool:
        self.epochs.append((work.name, record["epoch"]))
        return True

    def again(self, work: Work) -> None:
        self.repeated.append(work.name)


def results(executor: Executor, name: str, works: list[Work], listener: Deaf | None = None) -> dict[str, Result]:
    """What trainings come to, by name."""
    carried_out = executor.carry_out(get_task(name), iter(works), listener or Deaf())
    return {work.name: result for work, result in carried_out}


def trained(
    executor: Executor, name: str, prepared: Prepared, folder: Path, rungs: Sequence[str] = ()
) -> dict[str, Done]:
    """A task's rungs, trained by an executor."""
    shared = Shared([prepared])
    works = [Work(rung, rung, shared, folder / rung) for rung in rungs or TRAINED[name]]
    return {rung: done_or_raise(result) for rung, result in results(executor, name, works).items()}


def require_same(here: Done, elsewhere: Done) -> None:
    """The same model, with the same errors, wherever it was trained."""
    for span, own in here.evaluations.items():
        other = elsewhere.evaluations[span]
        assert own.metrics == other.metrics
        assert np.array_equal(own.losses, other.losses)
        assert np.array_equal(own.moments, other.moments)
        sums = own.losses.sum(axis=0)
        assert own.pooled is None or (other.pooled is not None and own.pooled(sums) == other.pooled(sums))
    models = [done.fitted.artefact({}) for done in (here, elsewhere)]
    documents = [json.loads(SPEED.sub("", json.dumps(model.document))) for model in models]
    assert documents[0] == documents[1]
    assert json.loads(json.dumps(models[0].files)) == json.loads(json.dumps(models[1].files))
    assert models[0].arrays.keys() == models[1].arrays.keys()
    assert all(np.array_equal(array, models[1].arrays[key]) for key, array in models[0].arrays.items())
    curves = [
        [{**record, "seconds": 0, "per_second": 0} for record in done.fitted.history] for done in (here, elsewhere)
    ]
    assert curves[0] == curves[1]


def plain(document: Any) -> Any:
    """A leaderboard without what differs from run to run: times and places."""
    if isinstance(document, dict):
        return {
            key: plain(value) for key, value in document.items() if key not in ("seconds", "run", "report", "model")
        }
    return [plain(value) for value in document] if isinstance(document, list) else document
