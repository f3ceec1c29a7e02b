"""Which examples make which batch: a pure function of seed, epoch and step, so that any step can be resumed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Protocol, overload, runtime_checkable

import numpy as np
from jaxtyping import Int64

from .shuffling import ShuffledBatches

MOST_HELD = 4_000_000  # examples whose order is held; that of more is worked out batch by batch
STRETCH = 50  # batches among which examples of like length are looked for


@runtime_checkable
class Order(Protocol):
    """Which examples make which batch."""

    @property
    def steps(self) -> int:
        """Steps of an epoch."""
        ...

    def epoch(self, number: int) -> Sequence[Int64[np.ndarray, " batch"]]:
        """The batches of an epoch, as positions among the examples."""
        ...


@dataclass(frozen=True)
class Sampler:
    """The order of the examples in every epoch.

    Attributes:
        examples: How many there are to draw from.
        batch_size: Examples of a step.
        steps_per_epoch: Steps of an epoch; None visits each example once.
        seed: Where all orders come from.
        replace: Whether each draw is independent of the others, as in the lectures.
        lengths: Of each example; batches are then made of examples of like length, which saves what filling them up to
            one length costs.
    """

    examples: int
    batch_size: int
    steps_per_epoch: int | None
    seed: int
    replace: bool = False
    lengths: Int64[np.ndarray, " example"] | None = None

    @property
    def steps(self) -> int:
        """Steps of an epoch; the last batch of a full pass may be smaller."""
        return self.steps_per_epoch or -(-self.examples // self.batch_size)

    def epoch(self, number: int) -> Sequence[Int64[np.ndarray, " batch"]]:
        """The batches of an epoch, as positions among the examples."""
        if self.examples > MOST_HELD and self.lengths is None and not self.replace:
            drawn = self.examples if self.steps_per_epoch is None else self.steps * self.batch_size
            return ShuffledBatches(self.examples, self.batch_size, drawn, self.seed, number)
        generator = np.random.Generator(np.random.Philox(key=[self.seed, number]))
        if self.replace:
            return list(generator.integers(0, self.examples, (self.steps, self.batch_size)))
        if self.steps_per_epoch is None:
            order = generator.permutation(self.examples)
            return self._batches(order, generator)
        needed = self.steps * self.batch_size
        passes = [generator.permutation(self.examples) for _ in range(-(-needed // self.examples))]
        return self._batches(np.concatenate(passes)[:needed], generator)

    def _batches(
        self, order: Int64[np.ndarray, " drawn"], generator: np.random.Generator
    ) -> list[Int64[np.ndarray, " batch"]]:
        """An order in batches; where lengths are known, of like lengths, the batches in random order."""
        if self.lengths is not None:
            # Sorted within stretches of many batches, so that which examples meet is still drawn anew each epoch; and
            # of one pass, so that no example meets itself.
            stretch = min(STRETCH * self.batch_size, self.examples)
            starts = [
                start
                for first in range(0, len(order), self.examples)
                for start in range(first, min(first + self.examples, len(order)), stretch)
            ]
            parts = [order[start:end] for start, end in pairwise([*starts, len(order)])]
            order = np.concatenate([part[np.argsort(self.lengths[part], kind="stable")] for part in parts])
        batches = [order[start : start + self.batch_size] for start in range(0, len(order), self.batch_size)]
        return batches if self.lengths is None else [batches[place] for place in generator.permutation(len(batches))]


@dataclass(frozen=True)
class StreamSampler:
    """The order in which a text is read in several streams, side by side and each in pieces that follow each other.

    In each epoch the streams begin elsewhere, so that pieces are cut at other places.

    Attributes:
        tokens: Of the text.
        streams: How many are read side by side.
        length: Tokens of a piece.
        steps_per_epoch: Steps of an epoch; None reads the text once.
        seed: Where all beginnings come from.

    >>> [batch.tolist() for batch in StreamSampler(10, 2, 2, None, seed=0).epoch(0)]
    [[0, 5], [2, 7]]
    """

    tokens: int
    streams: int
    length: int
    steps_per_epoch: int | None
    seed: int

    @property
    def steps(self) -> int:
        """Steps of an epoch; what is left at the end of each stream is too short for another."""
        return self.steps_per_epoch or max(1, self.tokens // self.streams // self.length)

    def epoch(self, number: int) -> Sequence[Int64[np.ndarray, " batch"]]:
        """Where the pieces of each step begin; behind the last token comes the first."""
        generator = np.random.Generator(np.random.Philox(key=[self.seed, number]))
        first = generator.integers(self.tokens) + np.arange(self.streams) * (self.tokens // self.streams)
        return StreamSteps(first, self.tokens, self.length, range(self.steps))


@dataclass(frozen=True)
class StreamSteps(Sequence[Int64[np.ndarray, " batch"]]):
    """Where the pieces of each step of an epoch begin, worked out when it is asked for.

    Attributes:
        first: Where those of its first step begin.
        tokens: Of the text.
        length: Tokens of a piece.
        numbers: Which of its steps these are.
    """

    first: Int64[np.ndarray, " batch"]
    tokens: int
    length: int
    numbers: range

    def __len__(self) -> int:
        return len(self.numbers)

    @overload
    def __getitem__(self, place: int) -> Int64[np.ndarray, " batch"]: ...

    @overload
    def __getitem__(self, place: slice) -> "StreamSteps": ...

    def __getitem__(self, place: int | slice) -> "Int64[np.ndarray, ' batch'] | StreamSteps":
        if isinstance(place, slice):
            return replace(self, numbers=self.numbers[place])
        return (self.first + self.numbers[place] * self.length) % self.tokens


@dataclass(frozen=True)
class TokenSampler:
    """The order of pairs of sequences, in batches of like lengths and of so many tokens at most.

    All pairs are sorted by their lengths, those of the same lengths in random order, and cut into batches; the batches
    then come in random order. What is cut where depends on lengths alone, so that each epoch has as many steps.

    Attributes:
        lengths: Tokens of both sides of each pair.
        tokens: Most tokens of a batch on either side, with those that fill up.
        batch_size: Most pairs of a batch.
        steps_per_epoch: Steps of an epoch; None visits each pair once.
        seed: Where all orders come from.

    >>> lengths = np.array([[3, 2], [9, 8], [3, 3], [2, 2]])
    >>> [sorted(batch.tolist()) for batch in TokenSampler(lengths, 9, 100, None, seed=1).epoch(0)]
    [[1], [0, 2, 3]]
    """

    lengths: Int64[np.ndarray, "pair 2"]
    tokens: int
    batch_size: int
    steps_per_epoch: int | None
    seed: int

    @property
    def steps(self) -> int:
        """Steps of an epoch."""
        return self.steps_per_epoch or len(self._bounds) - 1

    def epoch(self, number: int) -> list[Int64[np.ndarray, " batch"]]:
        """The batches of an epoch, as positions among the pairs."""
        generator = np.random.Generator(np.random.Philox(key=[self.seed, number]))
        batches: list[Int64[np.ndarray, " batch"]] = []
        while len(batches) < self.steps:
            shuffled = generator.permutation(len(self.lengths))
            order = shuffled[np.lexsort(self.lengths[shuffled].T)]
            cut = [order[start:end] for start, end in pairwise(self._bounds)]
            batches += [cut[place] for place in generator.permutation(len(cut))]
        return batches[: self.steps]

    @cached_property
    def _bounds(self) -> list[int]:
        """Where the sorted pairs are cut."""
        bounds, longest = [0], 0
        for place, length in enumerate(self.lengths[np.lexsort(self.lengths.T)].max(axis=1).tolist()):
            longest, count = max(longest, length), place - bounds[-1]
            if count and (longest * (count + 1) > self.tokens or count == self.batch_size):
                bounds.append(place)
                longest = length
        return [*bounds, len(self.lengths)]


def evenly_spread(examples: int, most: int) -> Int64[np.ndarray, " batch"]:
    """Positions from the first example to the last, as many as there are but at most so many.

    >>> evenly_spread(10, 4).tolist(), evenly_spread(2, 4).tolist()
    ([0, 3, 6, 9], [0, 1])
    """
    return np.linspace(0, examples - 1, min(most, examples)).round().astype(np.int64)
