"""The learning rate as a function of the step alone, so that nothing about it needs saving."""

import math

from ..config import TrainingSection


def learning_rate(section: TrainingSection, rate: float, step: int, total: int) -> float:
    """The rate of a step: a linear warm-up, then constant, half a cosine down to zero, or falling as 1/√step.

    The last is Vaswani et al. 2017, equation 3, whose highest rate is 1/√(width · warm-up).

    Args:
        section: Schedule and warm-up.
        rate: The highest rate.
        step: Steps done before this one.
        total: Steps of the whole training.

    >>> learning_rate(TrainingSection(warmup_steps=10), 0.1, 4, 100)
    0.05
    """
    if step < section.warmup_steps:
        return rate * (step + 1) / section.warmup_steps
    if section.schedule == "constant":
        return rate
    if section.schedule == "inverse-sqrt":
        return rate * math.sqrt(max(1, section.warmup_steps) / (step + 1))
    done = (step - section.warmup_steps) / max(1, total - section.warmup_steps)
    return rate * 0.5 * (1 + math.cos(math.pi * done))
