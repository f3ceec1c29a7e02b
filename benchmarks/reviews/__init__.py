"""Film reviews: reading and encoding all of them, and an epoch of the decks' LSTM beside the same model in Keras."""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from ..measure import Row, rows

ROOT = Path(__file__).parents[2]
PEERS = ROOT / ".venv-peers" / "bin" / "python"
SHARED = Path(os.environ.get("FORETELL_SHARED", ROOT.parent / "shared")) / "data" / "classify"
REVIEWS = SHARED / "aclImdb_labelled.tar.gz"
READINGS, TURNS = 3, 2
LIMIT, TIMES = 30.0, 3.0


def measure() -> list[Row]:
    """Both; nothing where the reviews are not at hand."""
    if not REVIEWS.exists():
        print(f"no reviews beside the checkout: {REVIEWS} is not there", file=sys.stderr)
        return []
    times = [_read() for _ in range(READINGS)]
    what = "50,000 reviews from a .tar.gz: read, dealt out, vocabulary, encoded"
    goals = {"foretell": ("under 30 s", lambda seconds, _: seconds < LIMIT)}
    measured = rows(what, {"foretell": times}, "foretell", goals)
    return measured + _epochs()


def _read() -> float:
    from foretell.config import TextSection, TextSpanSection, TokenSection
    from foretell.data.corpora import read_texts, share_out
    from foretell.data.storage import TokenFile
    from foretell.data.vocabulary import Vocabulary

    started = time.perf_counter()
    texts = read_texts(REVIEWS, TextSection())
    corpus = share_out(texts, TextSpanSection(), 0)
    vocabulary = Vocabulary.learn((texts.texts[int(number)] for number in corpus.of("train")), TokenSection())
    tokens = TokenFile.of(vocabulary.encode(texts.texts[number] for number in range(len(texts.texts))))
    seconds = time.perf_counter() - started
    print(f"read and encoded {len(tokens):,} reviews, {len(tokens.tokens):,} tokens: {seconds:.1f} s", file=sys.stderr)
    return seconds


def _epochs() -> list[Row]:
    """Training epochs in turns, each of all training reviews and the validation after it."""
    if not PEERS.exists():
        print("no Keras beside: run make bench, which installs it", file=sys.stderr)
        return []
    from foretell.recipes.reading import read_recipe
    from foretell.tasks import get_task, task_configuration

    recipe = read_recipe("lecture/imdb-lstm")
    configuration = task_configuration(recipe.task).build(recipe=recipe.sections, environment={})
    task = get_task(recipe.task)
    prepared: Any = task.prepare(str(REVIEWS), configuration.of_rung(task.rungs["lstm"].options))
    with tempfile.TemporaryDirectory() as folder:
        _write_arrays(prepared, Path(folder) / "reviews.npz")
        program = str(Path(__file__).parent / "keras_reviews.py")
        command = [str(PEERS), program, str(Path(folder) / "reviews.npz")]
        keras = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        times: dict[str, list[float]] = {"Keras (TensorFlow)": [], "foretell": []}
        for turn in range(TURNS + 1):  # the first one compiles
            for name in times:
                said = _keras_epoch(keras) if name != "foretell" else _own_epoch(prepared, Path(folder) / str(turn))
                print(
                    f"turn {turn}: {name} {said['seconds']:.1f} s, validation loss {said['loss']:.3f}", file=sys.stderr
                )
                if turn:
                    times[name].append(said["seconds"])
        keras.kill()
        keras.wait()
    counts = prepared.counts
    what = (
        f"an epoch of Embedding(10000, 32), LSTM(32): {counts['train']:,} reviews of at most 500 words, and validation"
    )
    goals = {"foretell": (f"{TIMES:g} × Keras", lambda _, ratio: ratio >= TIMES)}
    return rows(what, times, "Keras (TensorFlow)", goals)


def _own_epoch(prepared: Any, folder: Path) -> dict[str, float]:
    """One epoch of our training loop, from the beginning."""
    from foretell.tasks.classify.rungs import TextShape, build_network
    from foretell.tasks.classify.task import TextExamples
    from foretell.tasks.interface import Silent
    from foretell.training.loop import train
    from foretell.training.losses import class_loss
    from foretell.training.sampling import Sampler

    configuration = prepared.configuration
    section = configuration.training.model_copy(update={"epochs": 1})
    network = build_network("lstm", TextShape(configuration.tokens.vocabulary, 1, 500, 32), configuration.network)
    examples = TextExamples(prepared)
    lengths = examples.lengths(examples.training)
    sampler = Sampler(len(lengths), section.batch_size, None, section.seed, lengths=lengths)
    result = train(network, examples, class_loss(2, exclusive=True), sampler, section, folder, Silent())
    record = result.history[0]
    return {"seconds": record["seconds"], "loss": record["validation"]["loss"]}


def _keras_epoch(process: "subprocess.Popen[str]") -> dict[str, float]:
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("Keras's program cannot be talked to")
    process.stdin.write("epoch\n")
    process.stdin.flush()
    line = process.stdout.readline()
    while line and not line.startswith("{"):
        line = process.stdout.readline()
    answer: dict[str, float] = json.loads(line)
    return answer


def _write_arrays(prepared: Any, path: Path) -> None:
    """The same reviews as Keras reads them: filled up at the front to 500 words, as in the decks."""
    arrays: dict[str, Any] = {}
    for span in ("train", "validation"):
        numbers = prepared.corpus.of(span)
        padded = np.zeros((len(numbers), 500), np.int32)
        for row, number in enumerate(numbers):
            tokens = prepared.tokens[int(number)][-500:]
            padded[row, 500 - len(tokens) :] = np.where(tokens < 10_000, tokens, 1)
        arrays[span] = padded
        arrays[f"{span}_labels"] = prepared.corpus.texts.targets[numbers].astype(np.float32)
    np.savez(path, **arrays)
