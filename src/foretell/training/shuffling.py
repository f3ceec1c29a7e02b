"""A random order of very many examples, worked out a batch at a time rather than held.

A Feistel network makes every number of a range another one, each once, whatever its keys; numbers that fall outside
the examples are sent through again until they fall inside (Black and Rogaway, "Ciphers with Arbitrary Finite Domains",
2002). So the order is as good as shuffled, takes no memory, and any batch of it can be had at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import overload

import numpy as np
from jaxtyping import Int64, UInt64

_ROUNDS = 6
_MIX = (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB)  # of SplitMix64 (Steele et al. 2014)


@dataclass(frozen=True)
class Shuffled:
    """All numbers from 0 to a count in random order.

    Attributes:
        count: How many.
        seed: Where the order comes from.
        number: Which of the orders of that seed.

    >>> sorted(Shuffled(10, seed=1, number=0)[np.arange(10)].tolist()) == list(range(10))
    True
    """

    count: int
    seed: int
    number: int

    def __getitem__(self, places: Int64[np.ndarray, " place"]) -> Int64[np.ndarray, " place"]:
        found = self._turned(places.astype(np.uint64))
        while (outside := found >= self.count).any():
            found[outside] = self._turned(found[outside])
        return found.astype(np.int64)

    @cached_property
    def _keys(self) -> UInt64[np.ndarray, " round"]:
        generator = np.random.Generator(np.random.Philox(key=[self.seed, self.number]))
        return generator.integers(0, 2**63, _ROUNDS, dtype=np.uint64)

    def _turned(self, numbers: UInt64[np.ndarray, " number"]) -> UInt64[np.ndarray, " number"]:
        """Each number of the smallest square power of two that holds all as another one."""
        half = np.uint64(max(1, ((self.count - 1).bit_length() + 1) // 2))
        mask = (np.uint64(1) << half) - np.uint64(1)
        left, right = numbers >> half, numbers & mask
        for key in self._keys:
            left, right = right, left ^ (_mixed(right + key) & mask)
        return (left << half) | right


def _mixed(numbers: UInt64[np.ndarray, " number"]) -> UInt64[np.ndarray, " number"]:
    """Numbers whose bits all depend on all bits of others."""
    numbers = numbers * np.uint64(_MIX[0])
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(_MIX[1])
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(_MIX[2])
    return numbers ^ (numbers >> np.uint64(31))


@dataclass(frozen=True)
class ShuffledBatches(Sequence[Int64[np.ndarray, " batch"]]):
    """The batches of an epoch over very many examples, each made when it is asked for.

    Attributes:
        examples: How many there are to draw from.
        batch_size: Examples of a batch.
        drawn: Examples of the epoch; more than there are means another pass.
        seed: Where all orders come from.
        epoch: Its number.
        first: The batch of the epoch with which this begins.
    """

    examples: int
    batch_size: int
    drawn: int
    seed: int
    epoch: int
    first: int = 0

    def __len__(self) -> int:
        return max(0, -(-self.drawn // self.batch_size) - self.first)

    @overload
    def __getitem__(self, place: int) -> Int64[np.ndarray, " batch"]: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[Int64[np.ndarray, " batch"]]: ...

    def __getitem__(self, place: int | slice) -> Int64[np.ndarray, " batch"] | Sequence[Int64[np.ndarray, " batch"]]:
        if isinstance(place, slice):
            start, stop, step = place.indices(len(self))
            if step != 1 or stop != len(self):
                return [self[number] for number in range(start, stop, step)]
            own = (self.examples, self.batch_size, self.drawn, self.seed, self.epoch)
            return ShuffledBatches(*own, self.first + start)
        if not -len(self) <= place < len(self):
            raise IndexError(place)
        start = (self.first + place % len(self)) * self.batch_size
        places = np.arange(start, min(start + self.batch_size, self.drawn))
        passes, within = np.divmod(places, self.examples)
        batch = np.empty(len(places), np.int64)
        for number in np.unique(passes):
            # Orders of an epoch's further passes are those of epochs that nobody reaches.
            order = Shuffled(self.examples, self.seed, self.epoch + (int(number) << 32))
            batch[passes == number] = order[within[passes == number]]
        return batch
