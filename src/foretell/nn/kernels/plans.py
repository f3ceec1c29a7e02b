"""What a run over sequences needs besides tensors: which kernel, how many of what, where in memory."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from ..cells import Cell, GRUCell, LSTMCell, RNNCell
from . import layout
from .layout import COLUMNS, GRU, GRU_BEFORE, LSTM, RNN
from .tiles import Sequences, Sizes
from .vectors import LANES, ROWS

KINDS: dict[type[Cell], int] = {RNNCell: RNN, LSTMCell: LSTM, GRUCell: GRU}
DTYPES: dict[torch.dtype, np.dtype] = {torch.float32: np.dtype(np.float32), torch.float64: np.dtype(np.float64)}
NOTHING: dict[np.dtype, np.ndarray] = {dtype: np.empty(0, dtype) for dtype in DTYPES.values()}
NO_SEQUENCES = {dtype: Sequences(nothing, 0, 0) for dtype, nothing in NOTHING.items()}
_LANES: dict[np.dtype, int] = {np.dtype(str(dtype)): lanes for dtype, lanes in LANES.items()}
_SHARES, _SHARES_OF_LARGE = 8, 4  # threads that the way back can make use of
_SMALL = 2_000_000  # multiplications that are done before another thread has begun
# Bytes of weights that leave the second cache little room for anything else.
_LARGE = 1_500_000


def kind(cell: Cell) -> int:
    """Which kernel computes a cell."""
    which = KINDS[type(cell)]
    return GRU_BEFORE if isinstance(cell, GRUCell) and cell.reset == "before" else which


def array(tensor: Tensor) -> np.ndarray:
    """A tensor as a contiguous array; over the same memory where it can be."""
    whole = tensor if tensor.is_contiguous() else tensor.contiguous()
    return whole.detach().numpy() if whole.requires_grad else whole.numpy()


@dataclass(frozen=True)
class Plan:
    """What is the same in every run over sequences of one shape.

    Attributes:
        kind: The cell.
        dtype: The type of all numbers.
        sizes: How many of what, on the way forward and on the way back.
        places: The scratch memory of a thread.
        tiles: Tiles of the batch.
        bounds: The first tile of each share on the way back, and the one after the last.
        alone: Whether there is too little to do for a second thread.
        states: Numbers of the states of all steps.
        kept: Numbers that are kept for the way back besides.
        whole: The lengths of sequences that are all as long as the batch.
        gates: Which gates inputs, the state and the reset state add to.
    """

    kind: int
    dtype: np.dtype
    sizes: tuple[Sizes, Sizes]
    places: layout.Places
    tiles: int
    bounds: np.ndarray
    alone: bool
    states: int
    kept: int
    whole: np.ndarray
    gates: tuple[np.ndarray, np.ndarray, np.ndarray]


@lru_cache(maxsize=512)
def plan(
    kind: int, dtype: np.dtype, shape: tuple[int, int, int], units: int, backwards: bool, relu: bool, threads: int
) -> Plan:
    """The plan for a cell and sequences of the shape (batch, time, feature)."""
    batch, steps, features = shape
    columns, lanes = COLUMNS[kind], _LANES[dtype]
    tiles, input_blocks, blocks = -(-batch // ROWS), layout.blocks(features, lanes), layout.blocks(units, lanes)
    weights = (units + features) * units * len(columns.from_inputs)
    alone = batch * steps * weights < _SMALL
    large = weights * dtype.itemsize > _LARGE
    # A share sums gradients for itself. It never depends on the threads, so that sums are the same on one and many.
    shares = min(tiles, _SHARES_OF_LARGE if large else _SHARES)
    # Tiles with large weights go through time together, so that weights are fetched less often.
    forward_group = -(-tiles // (1 if alone else min(threads, tiles))) if large else 1
    backward_group = -(-tiles // shares) if large else 1
    part = tiles * blocks * ROWS * lanes
    reset = (2,) if kind == GRU_BEFORE else ()
    return Plan(
        kind,
        dtype,
        (
            Sizes(batch, steps, features, units, forward_group, backwards, relu),
            Sizes(batch, steps, features, units, backward_group, backwards, relu),
        ),
        layout.places(columns, input_blocks, blocks, lanes),
        tiles,
        np.array([tiles * share // shares for share in range(shares + 1)]),
        alone,
        part * (steps + 1) * (2 if kind == LSTM else 1),
        part * steps * columns.kept,
        np.full(batch, steps),
        (np.array(columns.from_inputs), np.array(columns.from_state), np.array(reset, np.int64)),
    )
