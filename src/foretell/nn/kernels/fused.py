"""Recurrent layers by the fused kernels, as a function that autograd knows."""

import hashlib
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
_CANDIDATE = np.array([2])
_LANES: dict[np.dtype, int] = {np.dtype(str(dtype)): lanes for dtype, lanes in LANES.items()}
_DTYPES: dict[torch.dtype, np.dtype] = {torch.float32: np.dtype(np.float32), torch.float64: np.dtype(np.float64)}
_NOTHING: dict[np.dtype, np.ndarray] = {dtype: np.empty(0, dtype) for dtype in _LANES}
_NO_STATE = {dtype: nothing[None] for dtype, nothing in _NOTHING.items()}
_NO_SEQUENCES = {dtype: Sequences(nothing, 0, 0) for dtype, nothing in _NOTHING.items()}
_SHARES, _SHARES_OF_LARGE = 8, 4  # threads that the way back can make use of
_SMALL = 2_000_000  # multiplications that are done before another thread has begun
# Bytes of weights that leave the second cache little room for anything else.
_LARGE = 1_500_000
FEW = 4  # sequences up to which a single step streams the weights instead of packing them


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


def knows(cell: Cell, dtype: torch.dtype) -> bool:
    """Whether a step of a cell with inputs of a type can be computed here."""
    return type(cell) in _KINDS and dtype in _DTYPES and cell.bias.dtype == dtype


def one_step(cells: list[Cell], inputs: Tensor, state: State) -> State:
    """One step of a few sequences through layers, without a way back.

    Args:
        cells: The layers' cells.
        inputs: (batch, feature).
        state: The state before, each part (layer, batch, unit).
    """
    before = [_array(part) for part in state]
    after = [np.empty(part.shape, part.dtype) for part in before]
    numbers = _array(inputs)
    for layer, cell in enumerate(cells):
        which, relu, weights = _standing(cell)
        old, new = [part[layer] for part in before], [part[layer] for part in after]
        if which != LSTM:
            old.append(_NO_STATE[numbers.dtype])
            new.append(_NO_STATE[numbers.dtype])
        key = ("single", which, numbers.dtype)
        if is_ready(key):
            _SINGLE[which](numbers, *old, *weights, *new, relu)
        else:
            with patience(key):
                _SINGLE[which](numbers, *old, *weights, *new, relu)
        numbers = new[0]
    return tuple(torch.from_numpy(part) for part in after)


def _array(tensor: Tensor) -> np.ndarray:
    """A tensor as a contiguous array; over the same memory where it can be."""
    whole = tensor if tensor.is_contiguous() else tensor.contiguous()
    return whole.detach().numpy() if whole.requires_grad else whole.numpy()


def _standing(cell: Cell) -> tuple[int, bool, list[np.ndarray]]:
    """What a step needs of a cell: its weights as arrays over the same memory, made again when they have moved."""
    weights = [weight for weight in cell._parameters.values() if weight is not None]
    places = [weight.data_ptr() for weight in weights]
    kept = cell.__dict__.get("_standing")
    if kept is not None and kept[0] == places:
        return kept[1]
    arrays = [_array(weight) for weight in weights]
    if len(arrays) == 3:
        arrays.append(_NOTHING[arrays[0].dtype])
    standing = (kind(cell), cell.activation == "relu", arrays)
    if all(weight.is_contiguous() for weight in weights):
        cell.__dict__["_standing"] = (places, standing)
    return standing


class _Call:
    """One run over sequences: what it is about, and what its way back needs besides tensors.

    Args:
        cell: The cell.
        sequences: What it goes through.
    """

    def __init__(self, cell: Cell, sequences: Any) -> None:
        self.kind = kind(cell)
        self.columns = COLUMNS[self.kind]
        self.batch, self.steps, self.features = sequences.inputs.shape
        self.units, self.relu = cell.units, cell.activation == "relu"
        self.backwards, self.every_step = sequences.backwards, sequences.every_step
        self.dtype = _DTYPES[sequences.inputs.dtype]
        self.lanes = _LANES[self.dtype]
        self.tile = ROWS * self.lanes
        self.tiles = -(-self.batch // ROWS)
        self.blocks = layout.blocks(self.units, self.lanes)
        input_blocks = layout.blocks(self.features, self.lanes)
        self.parts = 2 if self.kind == LSTM else 1
        self.places = layout.places(self.columns, input_blocks, self.blocks, self.tile)
        self.input_mask, self.state_mask = self._view(sequences.input_mask), self._view(sequences.state_mask)
        lengths = sequences.lengths
        self.lengths = np.full(self.batch, self.steps) if lengths is None else lengths.contiguous().numpy()
        gates = len(self.columns.from_inputs)
        multiplications = self.batch * self.steps * self.units * (self.units + self.features) * gates
        self.alone = multiplications < _SMALL
        large = (self.units + self.features) * self.units * gates * self.dtype.itemsize > _LARGE
        # Tiles with large weights go through time together, so that weights are fetched less often.
        self.group = -(-self.tiles // thread_count(self.tiles, self.alone)) if large else 1
        # A share sums gradients for itself. It never depends on the threads, so that sums are the same on one and many.
        shares = min(self.tiles, _SHARES_OF_LARGE if large else _SHARES)
        self.shares = [self.tiles * share // shares for share in range(shares + 1)]
        self.back_group = -(-self.tiles // shares) if large else 1

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
        slots = self.steps + 1 if learns else 2
        part = self.tiles * self.blocks * self.tile
        states = SHELF.until_unused(part * slots * self.parts, self.dtype)
        kept = SHELF.until_unused(part * self.steps * self.columns.kept, self.dtype) if learns else self._nothing
        outputs = inputs.new_empty(self.batch, self.steps, self.units) if self.every_step else None
        final = inputs.new_empty(self.batch, self.units)
        final_memory = torch.empty_like(final) if memory is not None else None
        with SHELF.lending() as borrow, patience(("forward", self.kind, self.dtype)):
            arguments = (
                *(
                    self._sizes(slots, self.group),
                    self.places,
                    self._view(inputs),
                    self.input_mask,
                    self.state_mask,
                    self.lengths,
                ),
                *(self._view(state), self._view(memory)),
                *self._pack(layout.pack, weights, state_weights, borrow),
                self._bias(bias, candidate_bias),
                *(self._view(outputs), self._flat(final), self._flat(final_memory), states, kept),
            )
            kernel = _FORWARD[self.kind]

            def work(first: int, last: int) -> None:
                kernel(first, last, *arguments, borrow(self.places.size * self.group, self.dtype))

            share(work, self.tiles, self.alone)
        if not learns:
            return outputs, final, final_memory
        return outputs, final, final_memory, torch.from_numpy(states), torch.from_numpy(kept)

    def backward(
        self, saved: tuple[Tensor, ...], needs_inputs: bool, gradients: tuple[Tensor | None, ...]
    ) -> tuple[Tensor | None, ...]:
        """Gradients by the tensors of :meth:`forward`, from those by its results."""
        inputs, weights, state_weights, states, kept = saved
        doutputs, dfinal, dmemory = gradients
        zeros = inputs.new_zeros(self.batch, self.units)
        dinputs = torch.empty(inputs.shape, dtype=inputs.dtype) if needs_inputs else None
        dstate, dcell = torch.empty_like(zeros), torch.empty_like(zeros) if self.parts == 2 else None
        sizes = [
            layout.packed_size(self.features, self.units, len(self.columns.from_inputs), self.lanes),
            layout.packed_size(self.units, self.units, len(self.columns.from_state), self.lanes),
            layout.packed_size(self.units, self.units, 1, self.lanes) if self.kind == GRU_BEFORE else 0,
            self.blocks * self.columns.sums * self.lanes,
        ]
        with SHELF.lending() as borrow, patience(("backward", self.kind, self.dtype)):
            arguments = (
                *(self._sizes(self.steps + 1, self.back_group), self.places, self._view(inputs)),
                *(self.input_mask, self.state_mask, self.lengths),
                *self._pack(layout.pack_transposed, weights if needs_inputs else None, state_weights, borrow),
                *(states.numpy(), kept.numpy(), self._view(doutputs), self._view(zeros if dfinal is None else dfinal)),
                self._view(None if dcell is None else zeros if dmemory is None else dmemory),
                *(self._view(dinputs), self._flat(dstate), self._flat(dcell)),
            )
            shares = len(self.shares) - 1
            sums = borrow(shares * sum(sizes), self.dtype).reshape(shares, -1)
            ends = np.cumsum(sizes)[:-1]
            parts = np.split(sums, ends, axis=1)
            bounds = np.array(self.shares)
            kernel = _BACKWARD[self.kind]

            def work(first: int, last: int) -> None:
                sums[first:last] = 0
                kernel(first, last, bounds, *arguments, *parts, borrow(self.places.size * self.back_group, self.dtype))

            share(work, shares, self.alone)
            return dinputs, dstate, dcell, *self._unpack(np.split(sums.sum(axis=0), ends))

    def _unpack(self, sums: list[np.ndarray]) -> tuple[Tensor | None, ...]:
        """The gradients by weights and biases, in the layout of the parameters."""
        of_weights, of_state_weights, of_candidate, of_bias = sums
        from_inputs, from_state = self.columns.from_inputs, self.columns.from_state
        dweights = layout.unpack(of_weights, self.features, self.units, from_inputs, self.lanes)
        dstate_weights = np.empty((self.units, len(from_inputs), self.units), self.dtype)
        dstate_weights[:, from_state] = layout.unpack(of_state_weights, self.units, self.units, from_state, self.lanes)
        if self.kind == GRU_BEFORE:
            dstate_weights[:, 2] = layout.unpack(of_candidate, self.units, self.units, (2,), self.lanes)[:, 0]
        biases = layout.unpack_bias(of_bias, self.columns.sums, self.units, self.lanes)
        return (
            torch.from_numpy(dweights.reshape(self.features, -1)),
            torch.from_numpy(dstate_weights.reshape(self.units, -1)),
            torch.from_numpy(biases[self.columns.first_input :].reshape(-1)),
            torch.from_numpy(biases[0]) if self.kind == GRU else None,
        )

    def _pack(self, pack: Any, weights: Tensor | None, state_weights: Tensor, borrow: Any) -> list[np.ndarray]:
        """The weights by inputs, by state, and by the reset state, as the kernels read them."""

        def packed(matrix: Tensor | None, gates: np.ndarray) -> np.ndarray:
            if matrix is None or not len(gates):
                return self._nothing
            result: np.ndarray = borrow(layout.packed_size(len(matrix), self.units, len(gates), self.lanes), self.dtype)
            pack(matrix.detach().contiguous().numpy(), self.units, gates, result)
            return result

        return [
            packed(weights, np.array(self.columns.from_inputs)),
            packed(state_weights, np.array(self.columns.from_state)),
            packed(state_weights, _CANDIDATE if self.kind == GRU_BEFORE else _CANDIDATE[:0]),
        ]

    def _bias(self, bias: Tensor, candidate_bias: Tensor | None) -> np.ndarray:
        gates = list(bias.detach().numpy().reshape(-1, self.units))
        if candidate_bias is not None:
            gates = [candidate_bias.detach().numpy(), *gates]
        return layout.pack_bias(gates, self.lanes)

    def _sizes(self, slots: int, group: int) -> Sizes:
        return Sizes(self.batch, self.steps, self.features, self.units, slots, group, self.backwards, self.relu)

    @property
    def _nothing(self) -> np.ndarray:
        return _NOTHING[self.dtype]

    def _flat(self, tensor: Tensor | None) -> np.ndarray:
        return self._nothing if tensor is None else tensor.numpy().reshape(-1)

    def _view(self, tensor: Tensor | None) -> Sequences:
        """A tensor as kernels see it: (batch, feature), or (batch, time, feature) one time or one a step."""
        if tensor is None:
            return _NO_SEQUENCES[self.dtype]
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
