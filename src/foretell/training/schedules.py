"""The learning rate as a function of the step alone, so that nothing about it needs saving."""

import math

from ..config import TrainingSection


def learning_rate(section: TrainingSection, rate: float, step: int, total: int) -> float:
    """The rate of a step: a linear warm-up, then constant, or half a cosine down to zero.

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
    done = (step - section.warmup_steps) / max(1, total - section.warmup_steps)
    return rate * 0.5 * (1 + math.cos(math.pi * done))
