"""A step's batch, dealt out: to the processes of a group, and to the parts that each works through."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol, runtime_checkable

from jaxtyping import Int64
from numpy import ndarray
from torch import Tensor

from .group import Group
from .losses import Loss, counted, counts_itself


@runtime_checkable
class Reads(Protocol):
    """Examples by their positions."""

    def batch(self, positions: Int64[ndarray, " batch"]) -> tuple[tuple[Tensor, ...], Tensor]:
        """Inputs and targets of the examples at some positions."""
        ...


@dataclass(frozen=True)
class Part:
    """Some examples of a batch.

    Attributes:
        rows: Which rows of this process's share.
        share: How much their mean counts in that of the whole batch.
        inputs: All that a network reads.
        targets: What it shall say.
        last: Whether no other part of this process's share follows.
    """

    rows: slice
    share: float
    inputs: tuple[Tensor, ...]
    targets: Tensor
    last: bool


def parts_of(
    examples: Reads, batch: Int64[ndarray, " batch"], count: int, loss: Loss, group: Group
) -> tuple[list[Part], int]:
    """This process's share of a batch in parts, and how much the whole batch counts.

    A process that has no share reads an example that counts nothing, as all take every step together.

    Args:
        examples: What is read.
        batch: Positions of the whole batch.
        count: Parts of a share.
        loss: Says what counts.
        group: Who shares the batch.
    """
    own = batch[group.share(len(batch))]
    idle = not len(own)
    if idle:
        own = batch[:1]
    count = max(1, min(count, len(batch) // group.size))  # as many for each: those that share weights go in step
    bounds = [len(own) * number // count for number in range(count + 1)]
    rows = [slice(start, end) for start, end in pairwise(bounds)]
    read = [examples.batch(own[some]) for some in rows]
    counts = [0 if idle else counted(loss, targets) for _, targets in read]
    total = int(group.sums(sum(counts))[0]) if counts_itself(loss) else len(batch)
    whole = max(1, total)
    return [
        Part(some, number / whole, inputs, targets, some is rows[-1])
        for some, number, (inputs, targets) in zip(rows, counts, read, strict=True)
    ], total
