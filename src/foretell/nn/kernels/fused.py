"""Recurrent layers by the fused kernels, as a function that autograd knows."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..cells import Cell, GRUCell, LSTMCell, RNNCell, State
from ..threads import share
from . import layout
from .backward import make_backward
from .forward import Sequences, Sizes, make_forward
from .layout import COLUMNS, GRU, GRU_BEFORE, LSTM, RNN
from .memory import SHELF
from .vectors import BITS, LANES, ROWS

_DIGEST = int.from_bytes(
    hashlib.sha256(b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")))).digest()[:7]
)
_FORWARD = {cell: make_forward(cell, _DIGEST) for cell in COLUMNS}
_BACKWARD = {cell: make_backward(cell, _DIGEST) for cell in COLUMNS}
_GATES = {
    cell: (np.array(columns.from_inputs), np.array(columns.from_state), np.array([2]))
    for cell, columns in COLUMNS.items()
}
_LANES = {np.dtype(str(dtype)): lanes for dtype, lanes in LANES.items()}
_SHARES = 8  # enough for as many processors as small layers make use of
_SMALL = 2_000_000  # multiplications that are done before another thread has begun
_CACHE = 1_500_000  # bytes of weights up to which each tile goes through time alone


def kind(cell: Cell) -> int | None:
    """Which kernel computes a cell; None where there is none."""
    if type(cell) is GRUCell:
        return GRU if cell.reset == "after" else GRU_BEFORE
    return {RNNCell: RNN, LSTMCell: LSTM}.get(type(cell))


def fused(cell: Cell, sequences: Any, state: State) -> tuple[Tensor | None, State]:
    """Takes a cell through sequences on the processor; arguments and results as :func:`foretell.nn.recurrence.run`'s."""
    candidate_bias = cell.candidate_bias if isinstance(cell, GRUCell) else None
    inputs = sequences.inputs
    call = _Call(cell, inputs, sequences.input_mask, sequences.state_mask, sequences.lengths, sequences.backwards, sequences.every_step)
    tensors = (inputs, state[0], state[1] if len(state) > 1 else None, cell.input_weights, cell.state_weights, cell.bias, candidate_bias)
    learns = torch.is_grad_enabled() and any(tensor is not None and tensor.requires_grad for tensor in tensors)
    results = _Recurrence.apply(call, *tensors) if learns else call.forward(*tensors, learns=False)
    outputs, final = results[0], results[1 : 1 + len(state)]
    return outputs, tuple(final)


class _Call:
    """One run over sequences: what it is about, and what its way back needs besides tensors.

    Args:
        cell: The cell.
        inputs: (batch, time, feature).
        input_mask: (batch, 1 or time, feature).
        state_mask: (batch, 1 or time, unit).
        lengths: (batch).
        backwards: Whether sequences are read from their ends.
        sequences: Whether the states of all steps are wanted.
    """

    def __init__(
        self,
        cell: Cell,
        inputs: Tensor,
        input_mask: Tensor | None,
        state_mask: Tensor | None,
        lengths: Tensor | None,
        backwards: bool,
        sequences: bool,
    ) -> None:
        self.kind = kind(cell)
        self.columns = COLUMNS[self.kind]
        self.batch, self.steps, self.features = inputs.shape
        self.units, self.relu = cell.units, cell.activation == "relu"
        self.backwards, self.sequences = backwards, sequences
        self.dtype = np.dtype(np.float32 if inputs.dtype == torch.float32 else np.float64)
        self.lanes = _LANES[self.dtype]
        self.tile = ROWS * self.lanes
        self.tiles = -(-self.batch // ROWS)
        self.blocks = layout.blocks(self.units, self.lanes)
        self.input_blocks = layout.blocks(self.features, self.lanes)
        self.parts = 2 if self.kind == LSTM else 1
        self.nothing = Sequences(np.empty(0, self.dtype), 0, 0)
        self.input_mask, self.state_mask = self._sequences(input_mask), self._sequences(state_mask)
        self.lengths = np.full(self.batch, self.steps) if lengths is None else lengths.numpy()
        work = self.batch * self.steps * self.units * (self.units + self.features) * len(self.columns.from_inputs)
        self.alone = work < _SMALL
        weights = (self.units + self.features) * self.units * self.columns.sums * self.dtype.itemsize
        # Each share sums gradients for itself, so large weights are cut into few shares; their tiles go through time together.
        self.shares = min(self.tiles, _SHARES if weights < _CACHE else 2)
        self.group = 1 if weights < _CACHE else -(-self.tiles // self.shares)

    def _sequences(self, tensor: Tensor | None) -> Sequences:
        if tensor is None:
            return self.nothing
        if tensor.stride(-1) != 1 and tensor.shape[-1] > 1:
            tensor = tensor.contiguous()
        last = sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.stride(), strict=True)) + 1
        row, time = (tensor.stride(0), tensor.stride(1) if tensor.ndim == 3 and tensor.shape[1] > 1 else 0)
        return Sequences(tensor.detach().as_strided((last,), (1,)).numpy(), row, time)

    def _sizes(self, slots: int) -> Sizes:
        return Sizes(self.batch, self.steps, self.features, self.units, slots, self.group, self.backwards, self.relu)

    def _packed(self, weights: Tensor, gates: np.ndarray, transposed: bool) -> np.ndarray:
        matrix = weights.detach().contiguous().numpy()
        packed = SHELF.borrow(layout.packed_size(len(matrix), self.units, len(gates), self.lanes), self.dtype)
        (layout.pack_transposed if transposed else layout.pack)(matrix, self.units, gates, packed)
        return packed

    def _bias(self, bias: Tensor, candidate_bias: Tensor | None) -> np.ndarray:
        gates = list(bias.detach().numpy().reshape(-1, self.units))
        if candidate_bias is not None:
            gates = [candidate_bias.detach().numpy(), *gates]
        return layout.pack_bias(gates, self.lanes)

    def forward(
        self,
        inputs: Tensor,
        state: Tensor,
        memory: Tensor | None,
        weights: Tensor,
        state_weights: Tensor,
        bias: Tensor,
        candidate_bias: Tensor | None,
        learns: bool,
    ) -> tuple[Tensor | None, ...]:
        """The states of all steps, the final state, and what the way back needs."""
        from_inputs, from_state, from_candidate = _GATES[self.kind]
        slots = self.steps + 1 if learns else 2
        part = self.tiles * self.blocks * self.tile
        states = SHELF.borrow(part * slots * self.parts, self.dtype)
        kept = SHELF.borrow(part * self.steps * self.columns.kept, self.dtype) if learns else self.nothing.values
        own = (self.input_blocks + self.blocks * (2 + self.columns.sums)) * self.tile
        scratch = [SHELF.borrow(own * self.group, self.dtype) for _ in range(self.shares)]
        outputs = torch.empty(self.batch, self.steps, self.units, dtype=inputs.dtype) if self.sequences else None
        final = torch.empty(self.batch, self.units, dtype=inputs.dtype)
        final_memory = torch.empty_like(final) if memory is not None else None
        arguments = (
            self._sizes(slots), self._sequences(inputs), self.input_mask, self.state_mask, self.lengths,
            self._sequences(state), self._sequences(memory),
            self._packed(weights, from_inputs, False), self._packed(state_weights, from_state, False),
            self._packed(state_weights, from_candidate, False) if self.kind == GRU_BEFORE else self.nothing.values,
            self._bias(bias, candidate_bias),
            self._sequences(outputs), final.numpy().reshape(-1),
            self.nothing.values if final_memory is None else final_memory.numpy().reshape(-1), states, kept,
        )
        kernel = _FORWARD[self.kind]
        share(lambda number, first, last: kernel(first, last, *arguments, scratch[number]), self.tiles, self.shares, self.alone)
        return outputs, final, final_memory, torch.from_numpy(states), torch.from_numpy(kept)

    def backward(
        self, saved: tuple[Tensor, ...], needs_inputs: bool, doutputs: Tensor | None, dfinal: Tensor | None, dmemory: Tensor | None
    ) -> tuple[Tensor | None, ...]:
        """Gradients by the tensors of :meth:`forward`."""
        inputs, weights, state_weights, states, kept = saved
        from_inputs, from_state, from_candidate = _GATES[self.kind]
        before = self.kind == GRU_BEFORE
        zeros = torch.zeros(self.batch, self.units, dtype=inputs.dtype)
        dinputs = torch.empty(inputs.shape, dtype=inputs.dtype) if needs_inputs else None
        dstate, dcell = torch.empty_like(zeros), torch.empty_like(zeros) if self.parts == 2 else None
        rows, state_rows = self.features, self.units
        sizes = (
            layout.packed_size(rows, self.units, len(from_inputs), self.lanes),
            layout.packed_size(state_rows, self.units, len(from_state), self.lanes),
            layout.packed_size(state_rows, self.units, 1, self.lanes) if before else 0,
            self.blocks * self.columns.sums * self.lanes,
        )
        sums = np.zeros((self.shares, sum(sizes)), self.dtype)
        ends = np.cumsum(sizes)
        own = (2 * self.input_blocks + self.blocks * (5 + self.columns.sums)) * self.tile
        scratch = [SHELF.borrow(own * self.group, self.dtype) for _ in range(self.shares)]
        arguments = (
            self._sizes(self.steps + 1), self._sequences(inputs), self.input_mask, self.state_mask, self.lengths,
            self._packed(weights, from_inputs, True) if needs_inputs else self.nothing.values,
            self._packed(state_weights, from_state, True),
            self._packed(state_weights, from_candidate, True) if before else self.nothing.values,
            states.numpy(), kept.numpy(),
            self._sequences(doutputs), self._sequences(zeros if dfinal is None else dfinal),
            self._sequences(None if self.parts == 1 else zeros if dmemory is None else dmemory),
            self._sequences(dinputs), dstate.numpy().reshape(-1), self.nothing.values if dcell is None else dcell.numpy().reshape(-1),
        )
        kernel = _BACKWARD[self.kind]
        share(
            lambda number, first, last: kernel(first, last, *arguments, *np.split(sums[number], ends[:-1]), scratch[number]),
            self.tiles,
            self.shares,
            self.alone,
        )
        dweights, dstate_weights, dcandidate_weights, dbias = np.split(sums.sum(axis=0), ends[:-1])
        gates = len(from_inputs)
        for_inputs = layout.unpack(dweights, rows, self.units, self.columns.from_inputs, self.lanes).reshape(rows, -1)
        for_state = np.empty((state_rows, gates, self.units), self.dtype)
        for_state[:, from_state] = layout.unpack(dstate_weights, state_rows, self.units, self.columns.from_state, self.lanes)
        if before:
            for_state[:, 2] = layout.unpack(dcandidate_weights, state_rows, self.units, (2,), self.lanes)[:, 0]
        biases = layout.unpack_bias(dbias, self.columns.sums, self.units, self.lanes)
        return (
            dinputs,
            dstate,
            dcell,
            torch.from_numpy(for_inputs),
            torch.from_numpy(for_state.reshape(state_rows, -1)),
            torch.from_numpy(biases[self.columns.first_input :].reshape(-1)),
            torch.from_numpy(biases[0]) if self.kind == GRU else None,
        )


class _Recurrence(torch.autograd.Function):
    """The kernels as one operation of autograd."""

    @staticmethod
    def forward(ctx: Any, call: _Call, *tensors: Tensor | None) -> tuple[Tensor | None, ...]:
        outputs, final, memory, states, kept = call.forward(*tensors, learns=True)
        inputs, _, _, weights, state_weights, _, _ = tensors
        ctx.save_for_backward(inputs, weights, state_weights, states, kept)
        ctx.call = call
        ctx.set_materialize_grads(False)
        return outputs, final, memory

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, doutputs: Tensor | None, dfinal: Tensor | None, dmemory: Tensor | None) -> tuple[Tensor | None, ...]:
        return None, *ctx.call.backward(ctx.saved_tensors, ctx.needs_input_grad[1], doutputs, dfinal, dmemory)
