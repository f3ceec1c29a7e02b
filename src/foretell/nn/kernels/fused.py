"""Recurrent layers by the fused kernels, as a function that autograd knows."""

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..cells import Cell, GRUCell, LSTMCell, RNNCell, State
from ..threads import share, thread_count
from . import layout
from .backward import make_backward
from .compiling import is_ready, patience
from .forward import make_forward
from .layout import COLUMNS, GRU, GRU_BEFORE, LSTM, RNN
from .memory import SHELF
from .single import make_single
from .tiles import Sequences, Sizes
from .vectors import LANES, ROWS

_SOURCE = b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")))
_DIGEST = int.from_bytes(hashlib.sha256(_SOURCE).digest()[:7])
_FORWARD = {cell: make_forward(cell, _DIGEST) for cell in COLUMNS}
_BACKWARD = {cell: make_backward(cell, _DIGEST) for cell in COLUMNS}
_SINGLE = {cell: make_single(cell, _DIGEST) for cell in COLUMNS}
_KINDS: dict[type[Cell], int] = {RNNCell: RNN, LSTMCell: LSTM, GRUCell: GRU}
_LANES: dict[np.dtype, int] = {np.dtype(str(dtype)): lanes for dtype, lanes in LANES.items()}
_DTYPES: dict[torch.dtype, np.dtype] = {torch.float32: np.dtype(np.float32), torch.float64: np.dtype(np.float64)}
_NOTHING: dict[np.dtype, np.ndarray] = {dtype: np.empty(0, dtype) for dtype in _LANES}
_NO_SEQUENCES = {dtype: Sequences(nothing, 0, 0) for dtype, nothing in _NOTHING.items()}
_SHARES, _SHARES_OF_LARGE = 8, 4  # threads that the way back can make use of
_SMALL = 2_000_000  # multiplications that are done before another thread has begun
# Bytes of weights that leave the second cache little room for anything else.
_LARGE = 1_500_000


def kind(cell: Cell) -> int:
    """Which kernel computes a cell."""
    which = _KINDS[type(cell)]
    return GRU_BEFORE if isinstance(cell, GRUCell) and cell.reset == "before" else which


def fused(cell: Cell, sequences: Any, state: State) -> tuple[Tensor | None, State]:
    """Takes a cell through sequences on the processor; arguments and results are :func:`~..ways.run`'s."""
    inputs = sequences.inputs
    tensors = (
        inputs,
        state[0],
        state[1] if len(state) > 1 else None,
        cell.input_weights,
        cell.state_weights,
        cell.bias,
        cell.candidate_bias if isinstance(cell, GRUCell) else None,
    )
    learns = torch.is_grad_enabled() and any(tensor is not None and tensor.requires_grad for tensor in tensors)
    call = _Call(cell, sequences)
    results = _Recurrence.apply(call, *tensors) if learns else call.forward(*tensors, learns=False)
    return results[0], tuple(results[1 : 1 + len(state)])


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
    if dtype not in _DTYPES or not alike or any(type(cell) not in _KINDS for cell in cells):
        return None
    layers = np.zeros((len(cells), 5), np.int64)
    for layer, cell in zip(layers, cells, strict=True):
        own = [weight.data_ptr() for weight in cell._parameters.values() if weight is not None]
        layer[: 1 + len(own)] = [cell.features, *own]
    standing = _Standing(places, kind(cells[0]), cells[0].activation == "relu", dtype, _NOTHING[_DTYPES[dtype]], layers)
    cells[0].__dict__["_standing"] = standing
    return standing


def _array(tensor: Tensor) -> np.ndarray:
    """A tensor as a contiguous array; over the same memory where it can be."""
    whole = tensor if tensor.is_contiguous() else tensor.contiguous()
    return whole.detach().numpy() if whole.requires_grad else whole.numpy()


@dataclass(frozen=True)
class _Plan:
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
def _plan(
    kind: int, dtype: np.dtype, shape: tuple[int, int, int], units: int, backwards: bool, relu: bool, threads: int
) -> _Plan:
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
    return _Plan(
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


class _Call:
    """One run over sequences: what it is about, and what its way back needs besides tensors.

    Args:
        cell: The cell.
        sequences: What it goes through.
    """

    def __init__(self, cell: Cell, sequences: Any) -> None:
        dtype, shape = _DTYPES[sequences.inputs.dtype], tuple(sequences.inputs.shape)
        relu, threads = cell.activation == "relu", thread_count(shape[0], alone=False)
        self.plan = _plan(kind(cell), dtype, shape, cell.units, sequences.backwards, relu, threads)
        self.every_step = sequences.every_step
        self.nothing, self.no_sequences = _NOTHING[dtype], _NO_SEQUENCES[dtype]
        self.masks = self._view(sequences.input_mask), self._view(sequences.state_mask)
        self.lengths = self.plan.whole if sequences.lengths is None else sequences.lengths.contiguous().numpy()

    def forward(
        self,
        inputs: Tensor,
        state: Tensor,
        memory: Tensor | None,
        weights: Tensor,
        state_weights: Tensor,
        bias: Tensor,
        candidate_bias: Tensor | None,
        *,
        learns: bool,
    ) -> tuple[Tensor | None, ...]:
        """The states of all steps, the final state (and an LSTM's cell), and what the way back needs."""
        plan, sizes = self.plan, self.plan.sizes[0]
        states = SHELF.until_unused(plan.states, plan.dtype) if learns else self.nothing
        kept = SHELF.until_unused(plan.kept, plan.dtype) if learns else self.nothing
        outputs = inputs.new_empty(sizes.batch, sizes.steps, sizes.units) if self.every_step else None
        final = inputs.new_empty(sizes.batch, sizes.units)
        final_memory = None if memory is None else torch.empty_like(final)
        arguments = (
            *(sizes, plan.places, self._view(inputs), *self.masks, self.lengths),
            *(self._view(state), self._view(memory)),
            *(_array(weights), _array(state_weights), _array(bias), self._array(candidate_bias)),
            *(self._view(outputs), self._flat(final), self._flat(final_memory), states, kept),
        )
        kernel, scratch = _FORWARD[plan.kind], plan.places.tiles + plan.places.size * sizes.group
        with SHELF.lending() as borrow, patience(("forward", plan.kind, plan.dtype)):
            share(
                lambda first, last: kernel(first, last, *arguments, borrow(scratch, plan.dtype)), plan.tiles, plan.alone
            )
        if not learns:
            return outputs, final, final_memory
        return outputs, final, final_memory, torch.from_numpy(states), torch.from_numpy(kept)

    def backward(
        self, saved: tuple[Tensor, ...], needs_inputs: bool, gradients: tuple[Tensor | None, ...]
    ) -> tuple[Tensor | None, ...]:
        """Gradients by the tensors of :meth:`forward`, from those by its results."""
        inputs, weights, state_weights, states, kept = saved
        doutputs, dfinal, dmemory = gradients
        plan, sizes = self.plan, self.plan.sizes[1]
        zeros = inputs.new_zeros(sizes.batch, sizes.units) if dfinal is None or dmemory is None else None
        dinputs = inputs.new_empty(inputs.shape) if needs_inputs else None
        dstate = inputs.new_empty(sizes.batch, sizes.units)
        dcell = torch.empty_like(dstate) if plan.kind == LSTM else None
        dweights, dstate_weights = inputs.new_empty(weights.shape), inputs.new_empty(state_weights.shape)
        dbias = inputs.new_empty(weights.shape[1])
        dcandidate_bias = inputs.new_empty(sizes.units) if plan.kind == GRU else None
        arguments = (
            *(sizes, plan.places, self._view(inputs), *self.masks, self.lengths),
            *(_array(weights), _array(state_weights), states.numpy(), kept.numpy(), self._view(doutputs)),
            self._view(zeros if dfinal is None else dfinal),
            self._view(None if dcell is None else zeros if dmemory is None else dmemory),
            *(self._view(dinputs), self._flat(dstate), self._flat(dcell)),
        )
        kernel, scratch = _BACKWARD[plan.kind], plan.places.tiles + plan.places.size * sizes.group
        with SHELF.lending() as borrow, patience(("backward", plan.kind, plan.dtype)):
            count = len(plan.bounds) - 1
            shares = borrow(count * plan.places.tiles, plan.dtype).reshape(count, -1)

            def work(first: int, last: int) -> None:
                kernel(first, last, plan.bounds, *arguments, shares, borrow(scratch, plan.dtype))

            share(work, count, plan.alone)
            layout.collect(
                *(shares, sizes.units, *plan.gates, dweights.numpy(), dstate_weights.numpy(), dbias.numpy()),
                self._array(dcandidate_bias),
            )
        return dinputs, dstate, dcell, dweights, dstate_weights, dbias, dcandidate_bias

    def _array(self, tensor: Tensor | None) -> np.ndarray:
        return self.nothing if tensor is None else _array(tensor)

    def _flat(self, tensor: Tensor | None) -> np.ndarray:
        return self.nothing if tensor is None else tensor.numpy().reshape(-1)

    def _view(self, tensor: Tensor | None) -> Sequences:
        """A tensor as kernels see it: (batch, feature), or (batch, time, feature) one time or one a step."""
        if tensor is None:
            return self.no_sequences
        if tensor.stride(-1) != 1 and tensor.shape[-1] > 1:
            tensor = tensor.contiguous()
        last = sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.stride(), strict=True)) + 1
        time = tensor.stride(1) if tensor.ndim == 3 and tensor.shape[1] > 1 else 0
        return Sequences(tensor.detach().as_strided((last,), (1,)).numpy(), tensor.stride(0), time)


class _Recurrence(torch.autograd.Function):
    """The kernels as one operation of autograd."""

    @staticmethod
    def forward(ctx: Any, call: _Call, *tensors: Any) -> tuple[Tensor | None, ...]:
        outputs, final, memory, states, kept = call.forward(*tensors, learns=True)
        inputs, _, _, weights, state_weights, _, _ = tensors
        ctx.save_for_backward(inputs, weights, state_weights, states, kept)
        ctx.call = call
        ctx.set_materialize_grads(False)
        return outputs, final, memory

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        return None, *ctx.call.backward(ctx.saved_tensors, ctx.needs_input_grad[1], gradients)
