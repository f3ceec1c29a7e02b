"""Choosing what comes next: greedy, sampling and beam search, one interface over any model that can step."""

from .beam import Beam, Hypothesis, beam_search
from .sampling import Drawn, Sampling, choose, sample
from .steps import Prompt, Scores, Steps, Tokens, entropies, log_softmax

__all__ = [
    "Beam",
    "Drawn",
    "Hypothesis",
    "Prompt",
    "Sampling",
    "Scores",
    "Steps",
    "Tokens",
    "beam_search",
    "choose",
    "entropies",
    "log_softmax",
    "sample",
]
