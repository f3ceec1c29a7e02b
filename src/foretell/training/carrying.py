"""A state that is carried from batch to batch: truncated back-propagation through time.

Batches that follow each other in time begin with the state in which the one before ended, and no gradient goes back
beyond their first step. Williams and Peng, "An Efficient Gradient-Based Algorithm for On-Line Training of Recurrent
Network Trajectories" (1990).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor


@dataclass
class Carrying:
    """What the last batch left; nothing for networks that give no state back beside their outputs.

    Attributes:
        state: The parts of the state; the first axis of each is the batch.
    """

    state: tuple[Tensor, ...] = ()
    _after: list[tuple[Tensor, ...]] = field(default_factory=list)

    def run(self, model: Callable[..., Any], inputs: Iterable[Tensor], rows: slice = slice(None)) -> Tensor:
        """A network's outputs for the next batch, or for some rows of it.

        Args:
            model: The network: of the inputs and the state.
            inputs: All else that it reads.
            rows: Which rows of the batch these are.
        """
        outputs = model(*inputs, *(part[rows] for part in self.state))
        if isinstance(outputs, tuple):
            outputs, state = outputs
            self._after.append(tuple(part.detach() for part in state))
        found: Tensor = outputs
        return found

    def advance(self) -> None:
        """All rows of a batch have run: what they left is what the next batch begins with."""
        if self._after:
            several = len(self._after) > 1
            self.state = tuple(map(torch.cat, zip(*self._after, strict=True))) if several else self._after[0]
            self._after = []

    def forget(self) -> None:
        """What comes next follows nothing."""
        self.state, self._after = (), []
