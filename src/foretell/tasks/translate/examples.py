"""Pairs as the training loop reads them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor

from ...data.joint import BEGIN, END, PADDING
from ...data.storage import TokenArray
from ...training.group import Group
from ...training.losses import Loss
from ...training.sampling import TokenSampler
from .prepare import PreparedPairs

TOKENS = 8_000  # of a batch that is only read


class PairExamples:
    """Pairs in batches: sources, and targets shifted by one.

    Args:
        prepared: The pairs, with a rung's own options.
        seed: Where orders come from.
    """

    def __init__(self, prepared: PreparedPairs, seed: int) -> None:
        self.prepared, self.seed = prepared, seed
        self.training, self.validation = prepared.of_span("train"), prepared.of_span("validation")

    @property
    def order(self) -> TokenSampler:
        """Which pairs make which batch."""
        section = self.prepared.configuration.training
        lengths = self.prepared.lengths[self.training]
        return TokenSampler(lengths, section.batch_tokens, section.batch_size, section.steps_per_epoch, self.seed)

    def batch(self, positions: Int64[np.ndarray, " batch"]) -> tuple[tuple[Tensor, ...], Tensor]:
        """Sources, their lengths, what was written and what comes after it; the last is the target too."""
        return self._of(self.training[positions])

    def validate(self, network: Any, loss: Loss, device: torch.device, group: Group) -> dict[str, float]:
        """The mean surprise at the tokens of validation."""
        total, count, own = 0.0, 0, self.validation[group.share(len(self.validation))]
        order = TokenSampler(self.prepared.lengths[own], TOKENS, TOKENS, None, 0)
        for batch in order.epoch(0) if len(own) else ():
            inputs, targets = self._of(own[batch])
            total += float(network(*(part.to(device) for part in inputs)))
            count += int((targets != PADDING).sum())
        whole, counted = group.sums(total, count)
        return {"loss": whole / max(1, counted)}

    def _of(self, numbers: Int64[np.ndarray, " pair"]) -> tuple[tuple[Tensor, ...], Tensor]:
        source, lengths = filled([self.prepared.sources[int(number)] for number in numbers], end=True)
        targets = [self.prepared.targets[int(number)] for number in numbers]
        written, _ = filled(targets, begin=True)
        asked, _ = filled(targets, end=True)
        return (source, lengths, written, asked), asked


def filled(texts: Sequence[TokenArray], *, begin: bool = False, end: bool = False) -> tuple[Tensor, Tensor]:
    """Texts in one rectangle, filled up to the longest, and how long each is.

    Args:
        texts: Tokens of each.
        begin: Whether each gets the token before the first.
        end: Whether each gets the token after the last.

    >>> filled([np.array([7, 8], np.int32), np.array([9], np.int32)], end=True)[0].tolist()
    [[7, 8, 3], [9, 3, 0]]
    """
    lengths = np.array([len(text) for text in texts]) + begin + end
    tokens = np.full((len(texts), int(lengths.max(initial=1))), PADDING, np.int64)
    if begin:
        tokens[:, 0] = BEGIN
    for row, text in enumerate(texts):
        tokens[row, begin : begin + len(text)] = text
    if end:
        tokens[np.arange(len(texts)), lengths - 1] = END
    return torch.from_numpy(tokens), torch.from_numpy(lengths)
