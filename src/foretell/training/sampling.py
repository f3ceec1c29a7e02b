"""Which examples make which batch: a pure function of seed, epoch and step, so that any step can be resumed."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64


@dataclass(frozen=True)
class Sampler:
    """The order of the examples in every epoch.

    Attributes:
        examples: How many there are to draw from.
        batch_size: Examples of a step.
        steps_per_epoch: Steps of an epoch; None visits each example once.
        seed: Where all orders come from.
        replace: Whether each draw is independent of the others, as in the lectures.
    """

    examples: int
    batch_size: int
    steps_per_epoch: int | None
    seed: int
    replace: bool = False

    @property
    def steps(self) -> int:
        """Steps of an epoch; the last batch of a full pass may be smaller."""
        return self.steps_per_epoch or -(-self.examples // self.batch_size)

    def epoch(self, number: int) -> list[Int64[np.ndarray, " batch"]]:
        """The batches of an epoch, as positions among the examples."""
        generator = np.random.Generator(np.random.Philox(key=[self.seed, number]))
        if self.replace:
            return list(generator.integers(0, self.examples, (self.steps, self.batch_size)))
        if self.steps_per_epoch is None:
            order = generator.permutation(self.examples)
            return [order[start : start + self.batch_size] for start in range(0, self.examples, self.batch_size)]
        needed = self.steps * self.batch_size
        passes = [generator.permutation(self.examples) for _ in range(-(-needed // self.examples))]
        return list(np.concatenate(passes)[:needed].reshape(self.steps, self.batch_size))


def evenly_spread(examples: int, most: int) -> Int64[np.ndarray, " batch"]:
    """Positions from the first example to the last, as many as there are but at most so many.

    >>> evenly_spread(10, 4).tolist(), evenly_spread(2, 4).tolist()
    ([0, 3, 6, 9], [0, 1])
    """
    return np.linspace(0, examples - 1, min(most, examples)).round().astype(np.int64)
