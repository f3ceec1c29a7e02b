"""Recurrent layers by the fused kernels, as a function that autograd knows."""

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.forward_ad import unpack_dual

from ...errors import ConfigurationError
from ..cells import Cell, GRUCell, State
from ..threads import share, thread_count
from .backward import make_backward
from .compiling import DIGEST, patience
from .forward import make_forward
from .layout import COLUMNS, GRU, LSTM, make_collect
from .memory import SHELF
from .plans import DTYPES, NO_SEQUENCES, NOTHING, array, kind, plan
from .tiles import Sequences

_FORWARD = {cell: make_forward(cell, DIGEST) for cell in COLUMNS}
_BACKWARD = {cell: make_backward(cell, DIGEST) for cell in COLUMNS}
_COLLECT = make_collect(DIGEST)


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
    given = [tensor for tensor in tensors if tensor is not None]
    learns = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in given)
    if not learns and any(unpack_dual(tensor).tangent is not None for tensor in given):
        raise ConfigurationError('the kernels have no forward-mode derivatives; take them inside recurrence("loop")')
    call = _Call(cell, sequences)
    results = _Recurrence.apply(call, *tensors) if learns else call.forward(*tensors, learns=False)
    return results[0], tuple(results[1 : 1 + len(state)])


class _Call:
    """One run over sequences: what it is about, and what its way back needs besides tensors.

    Args:
        cell: The cell.
        sequences: What it goes through.
    """

    def __init__(self, cell: Cell, sequences: Any) -> None:
        dtype, shape = DTYPES[sequences.inputs.dtype], tuple(sequences.inputs.shape)
        relu, threads = cell.activation == "relu", thread_count(shape[0], alone=False)
        self.plan = plan(kind(cell), dtype, shape, cell.units, sequences.backwards, relu, threads)
        self.every_step = sequences.every_step
        self.nothing, self.no_sequences = NOTHING[dtype], NO_SEQUENCES[dtype]
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
            *(array(weights), array(state_weights), array(bias), self._array(candidate_bias)),
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
        unused = dfinal is None or (plan.kind == LSTM and dmemory is None)
        zeros = inputs.new_zeros(sizes.batch, sizes.units) if unused else None
        dinputs = inputs.new_empty(inputs.shape) if needs_inputs else None
        dstate = inputs.new_empty(sizes.batch, sizes.units)
        dcell = torch.empty_like(dstate) if plan.kind == LSTM else None
        dweights, dstate_weights = inputs.new_empty(weights.shape), inputs.new_empty(state_weights.shape)
        dbias = inputs.new_empty(weights.shape[1])
        dcandidate_bias = inputs.new_empty(sizes.units) if plan.kind == GRU else None
        arguments = (
            *(sizes, plan.places, self._view(inputs), *self.masks, self.lengths),
            *(array(weights), array(state_weights), states.numpy(), kept.numpy(), self._view(doutputs)),
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
            _COLLECT(
                *(shares, sizes.units, *plan.gates, dweights.numpy(), dstate_weights.numpy(), dbias.numpy()),
                self._array(dcandidate_bias),
            )
        return dinputs, dstate, dcell, dweights, dstate_weights, dbias, dcandidate_bias

    def _array(self, tensor: Tensor | None) -> np.ndarray:
        return self.nothing if tensor is None else array(tensor)

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
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():  # create_graph=True: autograd would take the gradients for constants
            raise ConfigurationError('the kernels have first derivatives only; take others inside recurrence("loop")')
        return None, *ctx.call.backward(ctx.saved_tensors, ctx.needs_input_grad[1], gradients)
