"""A state that is carried from batch to batch: truncated back-propagation through time.

Batches that follow each other in time begin with the state in which the one before ended, and no gradient goes back
beyond their first step. Williams and Peng, "An Efficient Gradient-Based Algorithm for On-Line Training of Recurrent
Network Trajectories" (1990).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from torch import Tensor


@dataclass
class Carrying:
    """What the last batch left; nothing for networks that give no state back beside their outputs.

    Attributes:
        state: The parts of the state.
    """

    state: tuple[Tensor, ...] = ()

    def run(self, model: Callable[..., Any], inputs: Iterable[Tensor]) -> Tensor:
        """A network's outputs for the next batch.

        Args:
            model: The network: of the inputs and the state.
            inputs: All else that it reads.
        """
        outputs = model(*inputs, *self.state)
        if isinstance(outputs, tuple):
            outputs, state = outputs
            self.state = tuple(part.detach() for part in state)
        found: Tensor = outputs
        return found

    def forget(self) -> None:
        """What comes next follows nothing."""
        self.state = ()
