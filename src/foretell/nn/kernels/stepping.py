"""Single steps by a kernel of their own: what stands between tensors and :mod:`.single`."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..cells import Cell, State
from .compiling import DIGEST, is_ready, patience
from .layout import COLUMNS
from .plans import DTYPES, KINDS, NOTHING, kind
from .single import make_single

_SINGLE = {cell: make_single(cell, DIGEST) for cell in COLUMNS}


def one_step(cells: list[Cell], inputs: Tensor, state: State) -> State | None:
    """One step of a few sequences through layers, without a way back; None where no kernel knows the layers.

    Args:
        cells: The layers' cells.
        inputs: (batch, feature).
        state: The state before, each part (layer, batch, unit).
    """
    standing = _standing(cells)
    if standing is None or inputs.dtype != standing.dtype:
        return None
    before = [part if part.is_contiguous() else part.contiguous() for part in (inputs, *state)]
    after = [torch.empty_like(part) for part in before[1:]]
    places = [part.data_ptr() for part in before]
    new_places = [part.data_ptr() for part in after]
    if len(after) == 1:
        places.append(0)
        new_places.append(0)
    units = before[1].shape[2]
    arguments = (standing.like, standing.layers, *places, *new_places, len(inputs), units, standing.relu)
    key = ("single", standing.kind, standing.dtype)
    if is_ready(key):
        _SINGLE[standing.kind](*arguments)
    else:
        with patience(key):
            _SINGLE[standing.kind](*arguments)
    return tuple(after)


@dataclass(frozen=True)
class _Standing:
    """What single steps need of layers.

    Attributes:
        places: Where the weights are; when one has moved, this is to be made again.
        kind: Which kernel computes them.
        relu: Their activation.
        dtype: The type of all numbers.
        like: An array of that type.
        layers: What the kernel reads of each layer.
    """

    places: list[int]
    kind: int
    relu: bool
    dtype: torch.dtype
    like: np.ndarray
    layers: np.ndarray


def _standing(cells: list[Cell]) -> _Standing | None:
    """What a step needs of layers, made again when weights have moved; None where no kernel knows them."""
    weights = [weight for cell in cells for weight in cell._parameters.values() if weight is not None]
    places = [weight.data_ptr() for weight in weights]
    kept: _Standing | None = cells[0].__dict__.get("_standing")
    if kept is not None and kept.places == places:
        return kept
    dtype = weights[0].dtype
    alike = all(weight.dtype == dtype and weight.is_cpu and weight.is_contiguous() for weight in weights)
    if dtype not in DTYPES or not alike or any(type(cell) not in KINDS for cell in cells):
        return None
    layers = np.zeros((len(cells), 5), np.int64)
    for layer, cell in zip(layers, cells, strict=True):
        own = [weight.data_ptr() for weight in cell._parameters.values() if weight is not None]
        layer[: 1 + len(own)] = [cell.features, *own]
    standing = _Standing(places, kind(cells[0]), cells[0].activation == "relu", dtype, NOTHING[DTYPES[dtype]], layers)
    cells[0].__dict__["_standing"] = standing
    return standing
