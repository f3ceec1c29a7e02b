"""A process that does the same work again and again, and tells what it holds meanwhile: memory, objects, files, threads, children."""

import ctypes
import gc
import json
import os
import shutil
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from threading import Event, Thread
from typing import Any

import numpy as np
import polars as pl
import torch
import uvicorn

import foretell as ft
from foretell.config.serving import Serving
from foretell.nn import GRU, LSTM
from foretell.web.application import Service
from foretell.web.models import Models
from foretell.web.server import address_of, open_socket
from foretell.web.workshop import Workshop

from ..service.client import Client
from . import tiny
from .carrying_out import answering
from .sound import said

SHORT = ["--epochs", "1", "--threads", "1", "--quiet"]


def held() -> dict[str, int]:
    """What this process holds now, garbage collected and free memory given back."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    status = Path("/proc/self/status").read_text().splitlines()
    anonymous = next(int(line.split()[1]) for line in status if line.startswith("RssAnon"))
    tasks = list(Path("/proc/self/task").iterdir())
    return {
        "memory": 1024 * anonymous,
        "objects": len(gc.get_objects()),
        "files": len(list(Path("/proc/self/fd").iterdir())),
        "threads": len(tasks),
        "children": sum(len((task / "children").read_text().split()) for task in tasks),
        "left": sum(len(files) for folder in (os.environ["TMPDIR"], ".") for _, _, files in os.walk(folder)),
    }


def trained(
    task: list[str], rung: str, *asked: list[str], **of_round: Callable[[int], object]
) -> Callable[[int], None]:
    """A training from data to a model folder, questions to the model, and the run deleted."""

    def once(number: int) -> None:
        varied = [part for name, value in of_round.items() for part in (f"--{name}", value(number))]
        said(["train", *task, *SHORT, "--rung", rung, *varied, "--name", "one"], 0)
        for command in asked:
            said(command, 0)
        shutil.rmtree("runs")

    return once


def dreamt(number: int) -> None:
    """A dream, and its picture deleted."""
    said([*tiny.DREAM, "--seed", number, "-o", "dream.png"], 0)
    Path("dream.png").unlink()


def stored(number: int) -> None:
    """A table read through a store, and the store removed again."""
    tiny.table(200 + number % 50).write_parquet("stored.parquet")
    options = [*tiny.FORECAST[2:], *SHORT, "--store", "yes", "--cache-dir", "stores", "--rung", "gru", "--name", "one"]
    said(["train", "forecast", "stored.parquet", *options], 0)
    for left in ("runs", "stores"):
        shutil.rmtree(left)
    Path("stored.parquet").unlink()


def estimators(number: int) -> None:
    """A forecaster from Python, saved, loaded and asked; always of another length and width."""
    table = tiny.table(150 + number % 97)
    options: dict[str, Any] = {"target": "temperature", "ahead": "3", "epochs": 1, "threads": 1, "batch_size": 64}
    made = ft.Forecaster("lstm", lookback=str(6 + number % 19), units=2 + number % 13, **options).fit(table)
    made.evaluate()
    made.save("model")
    assert ft.load("model").predict(table)["forecast temperature"].is_finite().all()
    shutil.rmtree("model")


def kernels(number: int) -> None:
    """Recurrent layers over sequences of shapes that hardly ever come again."""
    chance = np.random.default_rng(number)
    batch, time, features, units = (int(chance.integers(1, most)) for most in (40, 60, 20, 40))
    layer = (GRU if number % 2 else LSTM)(features, units)
    out = layer(torch.randn(batch, time, features, requires_grad=True))
    out.sum().backward()


def loads(_: int) -> None:
    """Models of all tasks, loaded and let go."""
    models = Models({task: Path("kept") / task / "model" for task in ("forecast", "classify", "generate", "translate")})
    for own in models.all():
        own.document()


@cache
def serving() -> tuple[Models, Client]:
    """A service that runs on a thread of its own until the process ends."""
    models = Models({task: Path("kept") / task / "model" for task in ("forecast", "classify", "generate", "translate")})
    section = Serving.build({"workers": 2, "deadline": "60s"}, environment={}).serving
    listening = open_socket("127.0.0.1", 0)
    config = uvicorn.Config(Service(models, section, None, own=True).application, log_config=None, lifespan="on")
    Thread(target=uvicorn.Server(config).run, kwargs={"sockets": [listening]}, daemon=True).start()
    client = Client(address_of(listening))
    client.wait()
    return models, client


def services(number: int) -> None:
    """Questions to a service, some of them refused, and its models loaded anew. A process has one service."""
    models, client = serving()
    for own in models.all():
        example = own.predictor.service.example(own.predictor.fitted)
        assert client.predict(own.name, example).status == 200
        assert client.predict(own.name, {"nothing": number}).status == 422
    assert client.get(f"/nowhere/{number}").status == 404
    shop = Workshop(2, 4, 5.0)
    shop.close(5.0)
    models.reload(lambda line: None)


_KEPT: list[Any] = []


def broken(number: int) -> None:
    """Memory, objects, a file, a thread and something on disk that nobody gives back."""
    waiting = Thread(target=Event().wait, daemon=True)
    waiting.start()
    left = Path(os.environ["TMPDIR"]) / f"left-{number}"
    left.touch()
    _KEPT.append((np.full(500_000, 1.0), left.open(), waiting, [[] for _ in range(500)]))


KINDS: dict[str, Callable[[int], None]] = {
    "forecast": trained(
        tiny.FORECAST,
        "gru",
        ["predict", "one", "hourly.csv"],
        ["evaluate", "one"],
        seed=lambda number: number,
        lookback=lambda number: 6 + number % 23,
    ),
    "trees": trained(tiny.FORECAST, "boosted-trees", ["predict", "one", "hourly.csv"], seed=lambda number: number),
    "classify": trained(
        tiny.CLASSIFY,
        "lstm",
        ["predict", "one", "reviews.csv"],
        seed=lambda number: number,
        units=lambda own: 2 + own % 17,
    ),
    "linear": trained(tiny.CLASSIFY, "nb-svm", ["predict", "one", "reviews.csv"]),
    "generate": trained(
        tiny.GENERATE,
        "lstm",
        ["generate", "one", "--prompt", "X:1", "--length", "30"],
        seed=lambda number: number,
        unroll=lambda number: 8 + number % 29,
    ),
    "translate": trained(tiny.TRANSLATE, "gru-attention", ["translate", "one", "May 4"], seed=lambda number: number),
    "recall": trained(tiny.RECALL, "lstm", ["evaluate", "one"], gap=lambda number: 3 + number % 9),
    "dream": dreamt,
    "store": stored,
    "estimators": estimators,
    "kernels": kernels,
    "loads": loads,
    "service": services,
    "broken": broken,
}


def begin() -> None:
    """Data of every task, and a model of each that is served."""
    torch.set_num_threads(1)
    tiny.lay_out(Path())
    rungs = {"forecast": "gru", "classify": "lstm", "generate": "lstm", "translate": "gru-attention"}
    tasks = {
        "forecast": tiny.FORECAST,
        "classify": tiny.CLASSIFY,
        "generate": tiny.GENERATE,
        "translate": tiny.TRANSLATE,
    }
    for task, rung in rungs.items():
        said(["train", *tasks[task], *SHORT, "--rung", rung, "--name", task, "--runs-dir", "kept"], 0)


def watched(kind: str, rounds: int, samples: int) -> list[dict[str, Any]]:
    """What is held after so many rounds, at moments that lie evenly; the first of them comes when all is warm."""
    work, found = KINDS[kind], []
    warm = max(3, rounds // 4)
    for number in range(warm):
        work(number)
    for sample in range(samples + 1):
        for number in (
            range(warm + rounds * (sample - 1) // samples, warm + rounds * sample // samples) if sample else ()
        ):
            work(number)
        found.append({"round": warm + rounds * sample // samples, **held()})
    return found


if __name__ == "__main__":
    with answering() as answers:
        begin()
        assert pl.thread_pool_size() > 0  # its threads have begun
        for line in sys.stdin:
            kind, rounds, samples = json.loads(line)
            answers.write(json.dumps(watched(kind, rounds, samples)) + "\n")
            answers.flush()
