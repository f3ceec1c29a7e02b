"""Blocks with a seed, so that every random choice of a training can be repeated, and blocks with so many threads."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from ..nn.threads import kernel_threads, usable_processors

SMALL = 500_000  # weights


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Runs a block from a seed and gives torch's generator back as it was.

    Args:
        seed: Where the block's random numbers come from.

    >>> with seeded(1): first = torch.rand(2)
    >>> with seeded(1): bool((first == torch.rand(2)).all())
    True
    """
    before = torch.get_rng_state()
    torch.manual_seed(seed)
    try:
        yield
    finally:
        torch.set_rng_state(before)


def seed_of(*numbers: int) -> int:
    """A seed made of some numbers, which differs from those of other numbers.

    >>> seed_of(0, 1) == seed_of(0, 1), seed_of(0, 1) == seed_of(1, 0)
    (True, False)
    """
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> 1)


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Runs a block on so many processor threads; 0 leaves the choice to torch. What the block sets ends with it."""
    before = torch.get_num_threads()
    if count:
        torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def helpful_threads(weights: int) -> int:
    """One thread of torch's for a small network, 0 (torch's choice) for others.

    The operations of a small network are shorter than waiting for a second thread; where other programs compete for the
    processors, that wait was seen to make training seventy times slower. Our own kernels share a whole sequence out
    at once and wait once, so that they take all processors.

    Args:
        weights: How many it has.

    >>> helpful_threads(1000), helpful_threads(10**6)
    (1, 0)
    """
    return 1 if weights < SMALL else 0


@contextmanager
def steady(weights: int) -> Iterator[None]:
    """Inside a block a network that predicts has as many threads as help it.

    Args:
        weights: How many it has.
    """
    with threads(helpful_threads(weights)), kernel_threads(usable_processors()):
        yield
