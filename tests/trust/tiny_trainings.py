"""A really tiny training of every task that trains: a few steps, everything that draws random numbers switched on."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
from benchmarks.corpora.tunes import tune_book

from foretell.data.builtin.dates import dates
from foretell.tasks import get_task, task_configuration, task_rungs

from ..tasks.made_texts import frame
from .amounts import LONG, much

EPOCHS, STEPS = much(2, 3), much(3, 5)
ALL = {"epochs": EPOCHS, "steps_per_epoch": STEPS, "patience": 0, "threads": 1, "learning_rate": 0.01}
NETWORK: dict[str, object] = {"units": 4, "dropout": 0.3}
_OWN: dict[str, dict[str, object]] = {"gru-stacked": {"units": None}}  # its layers have units of their own
_NOT_TRAINED = ("boosted-trees",)  # by steps, that is
_IN_CI = {
    "forecast": ["gru-dropout"],
    "classify": ["lstm"],
    "generate": ["lstm"],
    "translate": ["gru-attention"],
    "recall": ["gru"],
}


@dataclass(frozen=True)
class Tiny:
    """A training of a task.

    Attributes:
        source: Its data, put into a folder.
        options: Its options.
    """

    source: Callable[[Path], Any]
    options: dict[str, object]


def _hours(folder: Path) -> Any:
    times = pl.datetime_range(pl.datetime(2021, 1, 1), pl.datetime(2021, 2, 1), "1h", eager=True).head(200)
    return pl.DataFrame({"time": times, "a": [float(number % 24) for number in range(200)]})


def _texts(folder: Path) -> Any:
    path = folder / "texts.csv"
    frame(60).write_csv(path)
    return str(path)


def _book(folder: Path) -> Any:
    path = folder / "tunes.abc"
    path.write_text(tune_book(12))
    return str(path)


def _days(folder: Path) -> Any:
    path = folder / "days.csv"
    pl.DataFrame([(written, day) for written, day, _ in dates(80)], ["source", "target"], orient="row").write_csv(path)
    return str(path)


TRAININGS = {
    "forecast": Tiny(_hours, {**NETWORK, "target": "a", "lookback": "12", "ahead": "3", "batch_size": 8}),
    "classify": Tiny(_texts, {**NETWORK, "embedding": 4, "batch_size": 8, "buckets": 50, "length": 20, "heads": 2}),
    "generate": Tiny(
        _book,
        {
            **NETWORK,
            "embedding": 4,
            "batch_size": 4,
            "unroll": 8,
            "context": 8,
            "heads": 2,
            "feed_forward": 8,
            "layers": 1,
        },
    ),
    "translate": Tiny(
        _days,
        {
            **NETWORK,
            "embedding": 4,
            "layers": 1,
            "heads": 2,
            "feed_forward": 8,
            "batch_tokens": 200,
            "tokens": "characters",
        }
        | {"beam": 1, "warmup_steps": 3, "average_last": 2, "accumulate": 2},
    ),
    "recall": Tiny(
        lambda folder: None,
        {**NETWORK, "gap": 3, "symbols": 4, "training_sequences": 60, "validation_sequences": 20, "test_sequences": 20}
        | {"batch_size": 10, "recurrent_dropout": 0.3},
    ),
}


def trained_rungs() -> list[tuple[str, str]]:
    """Every task with its rungs that train step by step; in CI one of each task."""
    found = []
    for name in TRAININGS:
        rungs = task_rungs(name)
        trained = [
            rung
            for rung, own in rungs.items()
            if own.kind == "model" and not (own.combines or own.large) and rung not in _NOT_TRAINED
        ]
        assert set(_IN_CI[name]) <= set(trained)
        found += [(name, rung) for rung in (trained if LONG else _IN_CI[name])]
    return found


def prepared(name: str, rung: str, folder: Path, **options: object) -> tuple[Any, Any]:
    """A task, and its data prepared for a rung."""
    tiny = TRAININGS[name]
    named = {**ALL, **tiny.options, **_OWN.get(rung, {}), **options}
    own = task_configuration(name)
    known = {option for _, option, _ in own.build({}, environment={}).options()}
    said = {key: value for key, value in named.items() if key in known and value is not None}
    configuration = own.build(said, environment={})
    folder.mkdir(exist_ok=True)
    source = tiny.source(folder)
    task = get_task(name)
    return task, task.prepare(source, configuration)
