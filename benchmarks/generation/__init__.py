"""Writing and learning to write: characters and targets per second beside Keras's example and torch's own layers."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from foretell.data.tokenizer import Tokenizer
from foretell.nn import LSTM, DecoderBody, LanguageNetwork, RecurrentBody, kernel_threads
from foretell.nn.threads import usable_processors
from foretell.tasks.generate.config import LanguageSection, WritingSection
from foretell.tasks.generate.models import NetworkModel, WindowModel
from foretell.tasks.generate.writing import Writer
from foretell.tasks.interface import Silent
from foretell.training.loop import train
from foretell.training.losses import LOSSES
from foretell.training.sampling import StreamSampler
from foretell.training.seeds import threads

from ..measure import Row, race, rows

PEERS = Path(__file__).parents[2] / ".venv-peers" / "bin" / "python"
SYMBOLS, UNITS, WINDOW, PROMPT = 56, 128, 40, 40
LETTERS = "".join(chr(65 + number) for number in range(SYMBOLS - 1))
ONE, MANY, STREAMS = 1000, 1000, 256  # characters of one stream, of each of many, and how many these are
TRAINED, UNROLL = 32, 64  # streams and tokens of a training step
STEPS = 40
KERAS = "Keras, predict on the last 40"


def measure() -> list[Row]:
    """All of it; without Keras where its environment is not there."""
    keras = _Keras() if PEERS.exists() else None
    if keras is None:
        print("no Keras beside: run make bench, which installs it", file=sys.stderr)
    try:
        return [*_one(keras), *_many(keras), *_transformer(), *_training(keras)]
    finally:
        if keras is not None:
            keras.stop()


class _Keras:
    """Keras's program in its own environment, asked for one measurement after the other."""

    def __init__(self) -> None:
        program = str(Path(__file__).parent / "keras_generate.py")
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen([str(PEERS), program], text=True, **pipes)

    def ask(self, *what: object) -> None:
        """Waits until it is done."""
        if self.process.stdin is None or self.process.stdout is None:
            raise RuntimeError("Keras's program cannot be talked to")
        self.process.stdin.write(" ".join(map(str, what)) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        while line and not line.startswith("{"):
            line = self.process.stdout.readline()
        json.loads(line)

    def stop(self) -> None:
        """Ends it."""
        self.process.kill()
        self.process.wait()


def _network() -> LanguageNetwork:
    return LanguageNetwork(SYMBOLS, 64, RecurrentBody([LSTM(64, UNITS, return_sequences=True)])).requires_grad_(False)


def _writer() -> Writer:
    tokenizer = Tokenizer("characters", ("", *LETTERS))
    return Writer(NetworkModel(_network().eval(), LanguageSection()), tokenizer, lowercase=False)


def _ours(streams: int, characters: int) -> Callable[[], object]:
    writer, section = _writer(), WritingSection(length=characters, temperature=0.5)
    prompts = [LETTERS[:PROMPT]] * streams
    return lambda: writer.write(prompts, section)


class _TorchWriter(nn.Module):
    """What one writes in torch: embedding, its LSTM with the state carried on, dense, a draw."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.lstm = nn.Embedding(SYMBOLS, 64), nn.LSTM(64, UNITS, batch_first=True)
        self.dense = nn.Linear(UNITS, SYMBOLS)

    @torch.inference_mode()
    def write(self, streams: int, characters: int) -> None:
        """So many characters of each stream."""
        outputs, state = self.lstm(self.embed(torch.arange(PROMPT).repeat(streams, 1)))
        for _ in range(characters):
            likely = (self.dense(outputs[:, -1]) / 0.5).softmax(dim=1)
            following = torch.multinomial(likely, 1)
            outputs, state = self.lstm(self.embed(following), state)


def _torchs(streams: int, characters: int) -> Callable[[], object]:
    torchs = _TorchWriter().eval()

    def write() -> None:
        with threads(1):  # two of torch's threads are slower here
            torchs.write(streams, characters)

    return write


def _written(keras: _Keras | None, streams: int, characters: int, few: int) -> dict[str, list[float]]:
    """Times in turns; Keras writes a few characters of each stream, and its times are scaled to as many as others."""
    contestants: dict[str, Callable[[], object]] = {}
    if keras is not None:
        contestants[KERAS] = lambda: keras.ask("write", streams, few)
    contestants |= {"torch, state carried": _torchs(streams, characters), "foretell": _ours(streams, characters)}
    times = race(contestants, repetitions=7)
    return {name: [s * characters / few if name == KERAS else s for s in own] for name, own in times.items()}


def _one(keras: _Keras | None) -> list[Row]:
    times = _written(keras, 1, ONE, ONE // 50)
    goals = {"foretell": ("5,000 a second", lambda seconds, _: ONE / seconds >= 5000)}
    what = f"LSTM({UNITS}) writes {ONE:,} of {SYMBOLS} characters, one stream"
    return rows(what, times, next(iter(times)), goals, (ONE, "characters"))


def _many(keras: _Keras | None) -> list[Row]:
    times = _written(keras, STREAMS, MANY, MANY // 200)
    goals = {"foretell": ("300,000 a second", lambda seconds, _: STREAMS * MANY / seconds >= 300_000)}
    what = f"the same, {STREAMS} streams of {MANY} characters"
    return rows(what, times, next(iter(times)), goals, (STREAMS * MANY, "characters"))


def _transformer() -> list[Row]:
    """A decoder of 4 blocks, width 128, that remembers keys and values, and one that reads its context anew."""
    body = DecoderBody(128, 4, 512, layers=4, context=128)
    network = LanguageNetwork(SYMBOLS, 128, body, tied=True).requires_grad_(False).eval()
    tokenizer, section = Tokenizer("characters", ("", *LETTERS)), WritingSection(length=100)
    cached = Writer(NetworkModel(network, LanguageSection()), tokenizer, lowercase=False)
    anew = Writer(WindowModel(network, LanguageSection(), 128), tokenizer, lowercase=False)
    prompts = [(LETTERS * 3)[:128]]
    contestants = {
        "the last 128 read anew": lambda: anew.write(prompts, section),
        "keys and values kept": lambda: cached.write(prompts, section),
    }
    times = race(contestants, repetitions=9)
    what = "Transformer (4 × 128, context 128) writes 100 characters"
    return rows(what, times, "the last 128 read anew", {}, (100, "characters"))


def _training(keras: _Keras | None) -> list[Row]:
    """Seconds for a million targets, each a character that is to be foreseen."""
    tokens = np.random.default_rng(0).integers(1, SYMBOLS, 200_000).astype(np.int32)
    windows = "Keras, a target for each window of 40"
    contestants: dict[str, Callable[[], object]] = {}
    if keras is not None:
        contestants[windows] = lambda: keras.ask("train", STEPS)
    contestants |= {"torch, streams": _torchs_training(tokens), "foretell, streams": _our_training(tokens)}
    targets = {windows: STEPS * 128}
    times = {
        name: [s * 1e6 / targets.get(name, STEPS * TRAINED * UNROLL) for s in own]
        for name, own in race(contestants, repetitions=7).items()
    }
    goals = {"foretell, streams": ("40 × Keras", lambda _, ratio: ratio >= 40)} if keras is not None else {}
    what = f"LSTM({UNITS}) learns from a million characters"
    return rows(what, times, next(iter(times)), goals, (1_000_000, "characters"))


class _Streams:
    """Random text as the loop reads it; there is nothing to validate."""

    def __init__(self, tokens: np.ndarray) -> None:
        self.tokens = tokens

    def batch(self, positions: np.ndarray) -> tuple[tuple[torch.Tensor, ...], torch.Tensor]:
        """Pieces, and what comes after each of their tokens."""
        from foretell.data.streams import pieces

        inputs, targets = pieces(self.tokens, positions, UNROLL)
        return (torch.from_numpy(inputs),), torch.from_numpy(targets)

    def validate(self, network: Any, loss: Any, device: Any, group: Any) -> dict[str, float]:
        """Nothing."""
        return {"loss": 0.0}


def _our_training(tokens: np.ndarray) -> Callable[[], object]:
    """The loop as it is, checkpoint at the end of the epoch included."""
    from foretell.tasks.generate.config import GenerateTraining

    section = GenerateTraining(optimiser="adamw", epochs=1, batch_size=TRAINED)
    examples = _Streams(tokens)

    def run() -> None:
        network = _network().requires_grad_(True)
        order = StreamSampler(len(tokens), TRAINED, UNROLL, STEPS, seed=0)
        with tempfile.TemporaryDirectory() as folder, kernel_threads(usable_processors()):
            train(network, examples, LOSSES["cross-entropy"], order, section, Path(folder), Silent())

    return run


def _torchs_training(tokens: np.ndarray) -> Callable[[], object]:
    """A plain loop over torch's own layers, the state carried on."""
    examples = _Streams(tokens)

    def run() -> None:
        network = _TorchWriter()
        optimiser = torch.optim.AdamW(network.parameters(), lr=1e-3)
        state: Any = None
        for batch in StreamSampler(len(tokens), TRAINED, UNROLL, STEPS, seed=0).epoch(0):
            (inputs,), targets = examples.batch(batch)
            outputs, state = network.lstm(network.embed(inputs), state)
            state = tuple(part.detach() for part in state)
            loss = nn.functional.cross_entropy(network.dense(outputs).flatten(0, 1), targets.flatten())
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()

    return run
