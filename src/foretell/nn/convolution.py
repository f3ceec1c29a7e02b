"""Convolutions along time ("1D CNNs"): each patch of a sequence seen by the same filters, and pooling between them."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from ..errors import ConfigurationError

Pool = Literal["maximum", "average"]
Padding = Literal["valid", "same"]


class Convolutions(nn.Module):
    """Convolutions with ReLU, one upon the other, with pooling between them.

    Args:
        features: Inputs of a step.
        filters: Outputs of a step, of each convolution.
        kernel_size: Steps that a filter sees at once.
        pool_size: Steps of which pooling makes one.
        pool: Which value of them it keeps: the ``maximum`` or the ``average``.
        padding: ``valid`` reads only what is there, so that sequences grow shorter; ``same`` reads zeros beyond the
            ends, and pools what is left at the end.

    >>> import torch
    >>> Convolutions(14, (32, 32, 32))(torch.zeros(8, 240, 14)).shape
    torch.Size([8, 20, 32])
    """

    def __init__(
        self,
        features: int,
        filters: Sequence[int],
        *,
        kernel_size: int = 5,
        pool_size: int = 3,
        pool: Pool = "maximum",
        padding: Padding = "valid",
    ) -> None:
        super().__init__()
        self.width, self.kernel_size, self.pool_size = filters[-1], kernel_size, pool_size
        self.pool, self.padding = pool, padding
        sizes = (features, *filters)
        self.layers = nn.ModuleList(nn.Conv1d(before, after, kernel_size) for before, after in pairwise(sizes))

    def forward(self, inputs: Float[Tensor, "batch time feature"]) -> Float[Tensor, "batch place filter"]:
        """Reads a batch of sequences.

        Raises:
            ConfigurationError: They are shorter than the filters need.
        """
        self.require(inputs.shape[1])
        found = inputs.transpose(1, 2)
        for number, layer in enumerate(self.layers):
            if number:
                found = self._pooled(found)
            if self.padding == "same":
                found = functional.pad(found, ((self.kernel_size - 1) // 2, self.kernel_size // 2))
            found = layer(found).relu()
        return found.transpose(1, 2)

    def require(self, steps: int) -> None:
        """Checks that sequences are long enough.

        Raises:
            ConfigurationError: They are not.
        """
        if self.length(steps) < 1:
            raise ConfigurationError(
                f"{len(self.layers)} convolutions over {self.kernel_size} steps with pooling of {self.pool_size} need "
                f"{steps_needed(len(self.layers), self.kernel_size, self.pool_size)} steps; found {steps}"
            )

    def length(self, steps: int) -> int:
        """Steps that come out where so many go in; below one where they are too few."""
        for number in range(len(self.layers)):
            if number:
                steps = -(-steps // self.pool_size) if self.padding == "same" else steps // self.pool_size
            steps -= 0 if self.padding == "same" else self.kernel_size - 1
        return steps

    def _pooled(self, found: Tensor) -> Tensor:
        whole = self.padding == "same"
        if self.pool == "maximum":
            return functional.max_pool1d(found, self.pool_size, ceil_mode=whole)
        return functional.avg_pool1d(found, self.pool_size, ceil_mode=whole, count_include_pad=False)


def steps_needed(layers: int, kernel_size: int, pool_size: int) -> int:
    """The shortest sequence that convolutions without padding can read.

    >>> steps_needed(3, 5, 3), steps_needed(2, 5, 3)
    (61, 19)
    """
    steps = kernel_size
    for _ in range(layers - 1):
        steps = steps * pool_size + kernel_size - 1
    return steps


def pooled(sequences: Float[Tensor, "batch place filter"], pool: Pool) -> Float[Tensor, "batch filter"]:
    """Global pooling: the maximum or the average of each filter over all places."""
    return sequences.amax(1) if pool == "maximum" else sequences.mean(1)
