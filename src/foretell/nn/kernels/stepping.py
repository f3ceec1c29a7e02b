"""Single steps by a kernel of their own: what stands between tensors and :mod:`.single`."""

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor

from ..cells import Cell, State
from ..threads import share
from .compiling import DIGEST, is_ready, patience
from .layout import COLUMNS, GRU
from .plans import DTYPES, KINDS, NOTHING, kind
from .single import make_single
from .vectors import ROWS

_WEIGHTS = ("input_weights", "state_weights", "bias", "candidate_bias")
_ALONE = 20_000_000  # multiplications, below which a second thread comes too late
_SINGLE = {cell: make_single(cell, DIGEST) for cell in COLUMNS}


def one_step(cells: list[Cell], inputs: Tensor, state: State, projected: bool = False) -> State | None:
    """One step of sequences through layers, without a way back; None where no kernel knows the layers.

    Args:
        cells: The layers' cells.
        inputs: (batch, feature).
        state: The state before, each part (layer, batch, unit).
        projected: Whether the inputs are what the first layer's weights and bias make of them.
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
    batch, kernel = len(inputs), _SINGLE[standing.kind]
    arguments = (standing.like, standing.layers, *places, *new_places, batch, units, standing.relu, projected)
    key = ("single", standing.kind, standing.dtype)
    if not is_ready(key):
        with patience(key):
            kernel(*arguments, 0, batch)
    elif batch * (standing.weights - projected * cells[0].input_weights.numel()) < _ALONE:
        kernel(*arguments, 0, batch)
    else:
        share(lambda first, last: kernel(*arguments, first * ROWS, min(last * ROWS, batch)), -(-batch // ROWS), False)
    return tuple(after)


@dataclass(frozen=True)
class _Standing:
    """What single steps need of layers.

    Attributes:
        layers_as_seen: All that it was made from; when something has changed, this is to be made again.
        kind: Which kernel computes them.
        relu: Their activation.
        dtype: The type of all numbers.
        like: An array of that type.
        layers: What the kernel reads of each layer: its features, and where its weights are.
        weights: How many of these there are.
    """

    layers_as_seen: list[object]
    kind: int
    relu: bool
    dtype: torch.dtype
    like: np.ndarray
    layers: np.ndarray
    weights: int


_standings: WeakKeyDictionary[Cell, _Standing] = WeakKeyDictionary()


def _standing(cells: list[Cell]) -> _Standing | None:
    """What a step needs of layers, made again when they have changed; None where no kernel knows them."""
    seen: list[object] = []
    for cell in cells:
        own = cell._parameters
        seen += (type(cell), cell.activation, cell.__dict__.get("reset"))
        for name in _WEIGHTS:
            weight = own.get(name)
            seen += () if weight is None else (name, weight.data_ptr(), weight.is_contiguous(), weight.dtype)
    kept = _standings.get(cells[0])
    if kept is None or kept.layers_as_seen != seen:
        kept = _made(cells, seen)
        if kept is not None:
            _standings[cells[0]] = kept
    return kept


def _made(cells: list[Cell], seen: list[object]) -> _Standing | None:
    first = cells[0]
    if any(type(cell) not in KINDS for cell in cells) or len({(kind(cell), cell.activation) for cell in cells}) > 1:
        return None
    dtype, which = first.bias.dtype, kind(first)
    names = _WEIGHTS if which == GRU else _WEIGHTS[:3]
    layers = np.zeros((len(cells), 5), np.int64)
    for layer, cell in zip(layers, cells, strict=True):
        weights = [cell._parameters.get(name) for name in names]  # one that something else computes is not there
        for place, weight in enumerate(weights):
            if weight is None or weight.dtype != dtype or not weight.is_cpu or not weight.is_contiguous():
                return None
            layer[1 + place] = weight.data_ptr()
        layer[0] = cell.features
    if dtype not in DTYPES:
        return None
    count = sum(cell.input_weights.numel() + cell.state_weights.numel() for cell in cells)
    return _Standing(seen, which, first.activation == "relu", dtype, NOTHING[DTYPES[dtype]], layers, count)
