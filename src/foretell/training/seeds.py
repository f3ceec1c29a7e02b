"""Randomness that can be repeated: every random choice of a training comes from one seed."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


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
