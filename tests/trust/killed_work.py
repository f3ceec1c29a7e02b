"""Work that saves most of the time, to be killed in the midst of it, in a module of its own so that fresh processes import it."""

import os
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file

from foretell.cli.main import main
from foretell.config import CorpusSection, DataSection, TokenizerSection
from foretell.data.reading import open_table
from foretell.data.stored_corpus import open_corpus
from foretell.data.token_spans import cut_into_tokens
from foretell.export import export
from foretell.predictor import load
from foretell.tasks.interface import Attempt, Silent

from .tiny_trainings import prepared

BEGUN, MADE = "begun", "steps-made"
COMPARED = ["--gap", "3", "--symbols", "4", "--training-sequences", "40", "--validation-sequences", "20"]
COMPARED += ["--test-sequences", "20", "--units", "3", "--epochs", "15", "--batch-size", "20", "--threads", "1"]
COMPARED += ["--checkpoint-seconds", "0", "--patience", "0", "--seeds", "2", "--rungs", "rnn,gru", "--quiet"]


class Marks(Silent):
    """A watcher that writes down which step of which epoch was made, for those who outlive it."""

    def __init__(self, home: Path) -> None:
        self.file = os.open(home / MADE, os.O_RDWR | os.O_CREAT)

    def step(self, epoch: int, step: int, steps: int, loss: float) -> None:
        os.pwrite(self.file, np.array([(epoch - 1) * steps + step], np.int64).tobytes(), 0)


def train(home: Path) -> None:
    """A training with a checkpoint at every step, to its end; its weights are left in ``final.safetensors``."""
    task, data = prepared("recall", "gru", home / "data", epochs=30, checkpoint_seconds=0.0)
    (home / BEGUN).touch()
    learned = task.fit(data, "gru", Attempt(home / "run", Marks(home)))
    save_file(learned.model.state_dict(), home / "final.safetensors")


def compare(home: Path) -> None:
    """A comparison of many small rungs, begun or gone on with."""
    begun = (home / "runs" / "a" / "run.json").exists()
    arguments = ["--resume", "a", "--quiet"] if begun else ["recall", *COMPARED, "--name", "a"]
    (home / BEGUN).touch()
    main(["compare", *arguments, "--runs-dir", str(home / "runs")])


def export_again_and_again(home: Path) -> None:
    """Exports of a model, each to a place of its own."""
    predictor = load(home / "model")
    (home / BEGUN).touch()
    for number in count():
        if not (home / "exports" / f"{number}").exists():
            export(predictor, "onnx", home / "exports" / f"{number}", None)


def store_again_and_again(home: Path) -> None:
    """The stores of a table and a corpus, each pair in a cache of its own."""
    (home / BEGUN).touch()
    first = max(0, len(list(home.glob("cache-*"))) - 1)  # the one that was under way is made again
    for number in count(first):
        stores_in(home, home / f"cache-{number}")


def stores_in(home: Path, cache: Path) -> tuple[str, str, list[int]]:
    """The stores of a cache, made where they are not there yet, as what they hold."""
    table = open_table(home / "panel", DataSection(series="id", target="a", store="yes", cache_dir=cache))
    corpus = open_corpus(home / "tunes.abc", CorpusSection(store="yes", cache_dir=cache))
    spans = cut_into_tokens(corpus, ("0.8", "0.1", "0.1"), TokenizerSection(tokens="characters"))
    values = table.whole().values
    return np.nan_to_num(values).tobytes().hex(), corpus.fingerprint, [len(own) for own in spans.tokens.values()]


WORKS: dict[str, Callable[[Path], Any]] = {
    "train": train,
    "compare": compare,
    "export": export_again_and_again,
    "store": store_again_and_again,
}


def carry_out(kind: str, home: str) -> None:
    """Does some work in a folder."""
    torch.set_num_threads(1)
    sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115, PTH123 - as long as the process
    WORKS[kind](Path(home))
