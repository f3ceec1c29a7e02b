"""What is raced: the networks, their sizes, the arrays they read, and the goals. Needs numpy alone.

Every contestant reads this file, in whichever environment it runs.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

BATCH, STEPS, FEATURES = 128, 240, 14
LEARNING_RATE = 1e-3
DROPOUT, RECURRENT_DROPOUT = 0.1, 0.5
GATES = {"GRU": 3, "LSTM": 4}


@dataclass(frozen=True)
class Layer:
    """A recurrent layer: its kind (GRU or LSTM), its units, its activation."""

    kind: Literal["GRU", "LSTM"]
    units: int
    activation: Literal["tanh", "relu"] = "tanh"


@dataclass(frozen=True)
class Case:
    """A network that is trained, or one step of a layer that carries its state.

    Attributes:
        name: As it is printed and asked for.
        layers: First to last; every layer but the last gives sequences.
        goals: How many times faster than the fastest peer: without dropout, with dropout in every layer.
        turns: How often each contestant has its turn.
        steps: Steps that count in a turn.
        bidirectional: Whether the layers read both ways.
        limit: At most so many times the time of the matrix products, where that is a goal.
        calls: Zero for a training step; else a step is so many single steps in a row, batch 1, without gradient.
    """

    name: str
    layers: tuple[Layer, ...]
    goals: tuple[float, ...]
    turns: int
    steps: int
    bidirectional: bool = False
    limit: float | None = None
    calls: int = 0


SMALL: tuple[float, float] = (3.0, 4.0)
LARGE: tuple[float, float] = (1.0, 1.0)
CASES = (
    Case("GRU 32", (Layer("GRU", 32),), SMALL, turns=11, steps=3, limit=4.0),
    Case("LSTM 32", (Layer("LSTM", 32),), SMALL, turns=11, steps=3, limit=4.0),
    Case("bidirectional GRU 32", (Layer("GRU", 32),), SMALL, turns=11, steps=2, bidirectional=True, limit=4.0),
    Case("GRU 32 then GRU 64 relu", (Layer("GRU", 32), Layer("GRU", 64, "relu")), SMALL, turns=11, steps=2, limit=4.0),
    Case("GRU 128", (Layer("GRU", 128),), LARGE, turns=5, steps=2),
    Case("LSTM 128", (Layer("LSTM", 128),), LARGE, turns=5, steps=2),
    Case("GRU 256", (Layer("GRU", 256),), LARGE, turns=5, steps=1),
    Case("LSTM 256", (Layer("LSTM", 256),), LARGE, turns=5, steps=1),
    Case("single step of LSTM 128", (Layer("LSTM", 128),), (3.0,), turns=15, steps=1, calls=300),
)


def training_arrays() -> tuple[np.ndarray, np.ndarray]:
    """A batch of inputs (batch, time, feature) and of targets (batch, 1), always the same."""
    generator = np.random.default_rng(0)
    inputs = generator.standard_normal((BATCH, STEPS, FEATURES), dtype=np.float32)
    return inputs, generator.standard_normal((BATCH, 1), dtype=np.float32)


def single_step() -> np.ndarray:
    """The inputs of one step (1, feature), always the same."""
    return np.random.default_rng(0).standard_normal((1, FEATURES), dtype=np.float32)
