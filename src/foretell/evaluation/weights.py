"""What can be read off a network's weights: their sizes and norms, and how far a recurrent matrix stretches a state."""

from dataclasses import dataclass
from math import prod

import torch
from torch import nn

from ..nn.cells import Cell, GRUCell, LSTMCell, RNNCell

GATES: dict[type[Cell], tuple[str, ...]] = {
    RNNCell: ("state",),
    LSTMCell: ("input", "forget", "candidate", "output"),
    GRUCell: ("reset", "update", "candidate"),
}
"""The square blocks of a cell's recurrent weights, in their order."""


@dataclass(frozen=True)
class RecurrentMatrix:
    """The matrix with which a gate reads the state before.

    Attributes:
        module: The cell's name in the network.
        gate: Which of the cell's matrices.
        units: Its rows and columns.
        eigenvalue: The largest modulus of an eigenvalue: what many steps multiply a state by, each.
        singular_value: The largest singular value: the most that one step can multiply a state by.
    """

    module: str
    gate: str
    units: int
    eigenvalue: float
    singular_value: float


@dataclass(frozen=True)
class Weights:
    """One of a network's tensors.

    Attributes:
        name: Its name in the network.
        shape: Its axes.
        norm: The root of the sum of its squares.
    """

    name: str
    shape: tuple[int, ...]
    norm: float

    @property
    def count(self) -> int:
        """How many numbers it holds."""
        return prod(self.shape)


def recurrent_matrices(network: nn.Module) -> list[RecurrentMatrix]:
    """The matrices of every recurrent cell in a network.

    Args:
        network: Any.

    >>> from foretell.nn import LSTM
    >>> [matrix.gate for matrix in recurrent_matrices(LSTM(3, 5))]
    ['input', 'forget', 'candidate', 'output']
    """
    return [
        _measured(name, gate, block)
        for name, cell in network.named_modules()
        if isinstance(cell, Cell)
        for gate, block in zip(_gates(cell), torch.split(cell.state_weights.detach(), cell.units, 1), strict=True)
    ]


def weights_of(network: nn.Module) -> list[Weights]:
    """Every tensor that a network learned.

    Args:
        network: Any.
    """
    return [
        Weights(name, tuple(weights.shape), weights.detach().double().norm().item())
        for name, weights in network.named_parameters()
    ]


def _gates(cell: Cell) -> tuple[str, ...]:
    return GATES.get(type(cell)) or tuple(f"gate {number}" for number in range(1, cell.gates + 1))


def _measured(module: str, gate: str, block: torch.Tensor) -> RecurrentMatrix:
    block = block.double().cpu()
    eigenvalue = torch.linalg.eigvals(block).abs().max().item()
    return RecurrentMatrix(module, gate, len(block), eigenvalue, torch.linalg.matrix_norm(block, 2).item())
