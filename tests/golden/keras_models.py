"""Weights that Keras gave, copied into our networks: gates in our order, matrices transposed, two biases made one."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn

from foretell.data.windows import WindowShape
from foretell.nn import Bidirectional
from foretell.nn.cells import Cell, GRUCell
from foretell.tasks.forecast.config import RUNGS, Configuration
from foretell.tasks.forecast.rungs import NetworkShape, build_network

__all__ = ["copied", "redundant"]
Weights = Iterator[np.ndarray]


def copied(rung: str, steps: int, features: int, units: int, weights: list[np.ndarray]) -> nn.Module:
    """A rung's network, of the lectures' shape, with Keras's weights.

    Args:
        rung: Its name; with "before" after it where its reset gate acts before the product, as on the slides.
        steps: Inputs of a window along time.
        features: Inputs at each step.
        units: Of its first layer.
        weights: As ``model.get_weights()`` gives them.
    """
    rung, _, reset = rung.partition(" ")
    options = dict(RUNGS[rung].options) | ({"reset": reset} if reset else {})
    options["units"] = (units, 2 * units) if rung == "gru-stacked" else (units,)
    section = Configuration().of_rung(options).network
    network = build_network(rung, NetworkShape(WindowShape(steps, 1, (1, 1)), features, 1), section)
    remaining = iter(weights)
    with torch.no_grad():
        for layer in network.modules():
            if isinstance(layer, Bidirectional):
                for cell in (*layer.ahead.each, *layer.back.each):
                    _copy_cell(cell, remaining)
            elif isinstance(layer, Cell) and not _inside_both(network, layer):
                _copy_cell(layer, remaining)
            elif isinstance(layer, nn.Conv1d):
                layer.weight.copy_(torch.from_numpy(next(remaining)).permute(2, 1, 0))
                _bias(layer).copy_(torch.from_numpy(next(remaining)))
            elif isinstance(layer, nn.Linear):
                layer.weight.copy_(torch.from_numpy(next(remaining)).T)
                _bias(layer).copy_(torch.from_numpy(next(remaining)))
    assert next(remaining, None) is None
    return network.eval()


def redundant(network: nn.Module) -> int:
    """How many biases more Keras keeps: of a GRU's two gates it has two, of which only the sum matters."""
    cells = [layer for layer in network.modules() if isinstance(layer, GRUCell) and layer.reset == "after"]
    return sum(2 * cell.units for cell in cells)


def _copy_cell(cell: Cell, weights: Weights) -> None:
    kernel, recurrent, bias = (torch.from_numpy(next(weights)) for _ in range(3))
    if isinstance(cell, GRUCell):
        kernel, recurrent, bias = (_reset_first(part) for part in (kernel, recurrent, bias))
    if isinstance(cell, GRUCell) and cell.candidate_bias is not None:
        cell.candidate_bias.copy_(bias[1, 2 * cell.units :])
        own = bias[0].clone()
        own[: 2 * cell.units] += bias[1, : 2 * cell.units]
        bias = own
    cell.input_weights.copy_(kernel)
    cell.state_weights.copy_(recurrent)
    cell.bias.copy_(bias)


def _reset_first(part: Tensor) -> Tensor:
    """Keras's gates are z, r, candidate; ours r, z, candidate."""
    update, reset, candidate = part.chunk(3, -1)
    return torch.cat([reset, update, candidate], -1)


def _inside_both(network: nn.Module, cell: Cell) -> bool:
    return any(
        cell in (*layer.ahead.each, *layer.back.each) for layer in network.modules() if isinstance(layer, Bidirectional)
    )


def _bias(layer: nn.Linear | nn.Conv1d) -> Tensor:
    assert layer.bias is not None
    return layer.bias
