"""How a cell goes through time: one plain loop that is always right, and faster ways that must agree with it.

=========  =====================================================================================================
loop       the cell's equations step by step in PyTorch: the oracle, for every device and every option
fused      numba kernels on the processor, see :mod:`foretell.nn.kernels`
torch      torch's own layers (cuDNN on CUDA): no dropout of the state, no lengths, no resetting before the product
compiled   the loop with each step compiled by ``torch.compile``, for CUDA with what cuDNN lacks
=========  =====================================================================================================
"""

import importlib.util
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, cast

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from ..errors import ConfigurationError, nearest
from .cells import Cell, GRUCell, LSTMCell, RNNCell, State

WAYS = ("fused", "torch", "compiled", "loop")
LARGEST = 4096  # units and features of one layer that the kernels were tried with
_forced: ContextVar[str | None] = ContextVar("recurrence", default=None)
_watched: ContextVar[list["Walk"] | None] = ContextVar("watched", default=None)
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Sequences:
    """What a cell goes through.

    Attributes:
        inputs: The steps' inputs.
        input_mask: Multiplies the inputs; one for the sequence, or one for each step.
        state_mask: Multiplies the state where matrices read it; likewise.
        lengths: Steps of each sequence; all where None.
        backwards: Whether each sequence is read from its end.
        every_step: Whether the states of all steps are wanted.
    """

    inputs: Float[Tensor, "batch time feature"]
    input_mask: Float[Tensor, "batch mask_time feature"] | None = None
    state_mask: Float[Tensor, "batch mask_time2 unit"] | None = None
    lengths: Int64[Tensor, " batch"] | None = None
    backwards: bool = False
    every_step: bool = False


@dataclass(frozen=True)
class Walk:
    """A cell's way through a batch of sequences, for those who look inside.

    Attributes:
        cell: The cell.
        backwards: Whether the sequences were read from their ends.
        states: The state after each step, in the order in which the steps were read; part of autograd's graph.
    """

    cell: Cell
    backwards: bool
    states: list[State]


Way = Callable[[Cell, Sequences, State], tuple[Tensor | None, State]]
"""One of the ways: the states of every step where wanted, and the last one."""


def run(cell: Cell, sequences: Sequences, state: State) -> tuple[Tensor | None, State]:
    """Takes a cell through sequences in the fastest way that can.

    Args:
        cell: The cell.
        sequences: What it goes through.
        state: Where it begins.

    Returns:
        The states of every step, (batch, time, unit), zero after a sequence's end (None unless wanted); and the state
        after each sequence's last step (its first one when read backwards).
    """
    if _watched.get() is not None:
        return loop(cell, sequences, state)
    name, reason = choose(cell, sequences)
    if reason:
        _say_once(reason)
    return _way(name)(cell, sequences, state)


def one_step(cells: list[Cell], inputs: Tensor, state: State, projected: bool = False) -> State | None:
    """One step of sequences through layers without gradients; None where :func:`run` has to do it.

    Args:
        cells: The layers' cells.
        inputs: (batch, feature).
        state: The state before, each part (layer, batch, unit).
        projected: Whether the inputs are what the first layer's weights and bias make of them.
    """
    if _watched.get() is not None or not kernels_step(inputs):
        return None
    stepped: State | None = _stepping().one_step(cells, inputs, state, projected)
    return stepped


def kernels_step(inputs: Tensor) -> bool:
    """Whether kernels may take a step of some inputs: without gradients, on a processor, and not told otherwise."""
    if torch.is_grad_enabled() or not inputs.is_cpu or not len(inputs):
        return False
    return _forced.get() in (None, "fused") and not numba_problem() and not _traced()


@cache
def _stepping() -> Any:
    """The kernels' door for single steps; numba takes half a second to import."""
    from .kernels import stepping

    return stepping


def choose(cell: Cell, sequences: Sequences) -> tuple[str, str]:
    """Which way is taken, and the line that is said when it is not the one that would be expected."""
    if 0 in sequences.inputs.shape[:2] or _traced():
        return "loop", ""
    forced, device = _forced.get(), sequences.inputs.device.type
    if forced == "fused":
        lacking = why_not_fused(cell) if device == "cpu" else f"they run on processors; the inputs are on {device}"
        if lacking:
            raise ConfigurationError(f"the fused kernels cannot compute this layer: {lacking}; leave the way to auto")
    if forced is not None:
        return forced, ""
    if device == "cuda":
        return ("compiled" if why_not_torch(cell, sequences) else "torch"), ""
    if device != "cpu":
        return "loop", ""
    reason = why_not_fused(cell)
    return (
        ("loop", f"the plain loop computes a recurrent layer, many times slower: {reason}") if reason else ("fused", "")
    )


def _traced() -> bool:
    """Whether torch is writing down operations to repeat them: a kernel would work on memory that is gone by then."""
    return torch.compiler.is_compiling() or bool(cast(Any, torch.jit).is_tracing())


def why_not_fused(cell: Cell) -> str:
    """What the kernels lack for a cell; nothing where they can."""
    if numba_problem():
        return numba_problem()
    if type(cell) not in (RNNCell, LSTMCell, GRUCell):
        return f"there is no kernel for {type(cell).__name__}"
    if cell.bias.dtype not in (torch.float32, torch.float64):
        return f"the kernels compute in float32 and float64, not in {cell.bias.dtype}"
    if max(cell.units, cell.features) > LARGEST:
        return f"the kernels go up to {LARGEST} units and features; this layer has {cell.units} and {cell.features}"
    return ""


def why_not_torch(cell: Cell, sequences: Sequences) -> str:
    """What torch's own layers lack for some sequences; nothing where they can."""
    if sequences.state_mask is not None:
        return "they have no dropout of the state"
    if sequences.lengths is not None:
        return "they take lengths in another form"
    if cell.activation != "tanh" and not isinstance(cell, RNNCell):
        return f"they have no {cell.activation} activation here"
    if isinstance(cell, GRUCell) and cell.reset != "after":
        return "they reset after the product"
    return ""


@contextmanager
def recurrence(way: str) -> Iterator[None]:
    """Takes recurrent layers through time in a given way inside a block, such as ``loop``; ``auto`` chooses.

    Raises:
        ConfigurationError: There is no such way, or it cannot be taken here.

    >>> with recurrence("loop"): pass
    """
    if way not in (*WAYS, "auto"):
        raise ConfigurationError(
            f'there is no way "{way}" to compute a recurrent layer; {nearest(str(way), (*WAYS, "auto"))}'
        )
    if way == "fused" and numba_problem():
        raise ConfigurationError(f"the fused kernels need numba: {numba_problem()}")
    token = _forced.set(None if way == "auto" else way)
    try:
        yield
    finally:
        _forced.reset(token)


@contextmanager
def watching() -> Iterator[list[Walk]]:
    """Keeps the states of every recurrent layer that is run inside a block, step by step; the plain loop runs them.

    >>> from foretell.nn import GRU
    >>> with watching() as walks: _ = GRU(3, 5)(torch.zeros(2, 7, 3))
    >>> len(walks), len(walks[0].states), walks[0].states[0][0].shape
    (1, 7, torch.Size([2, 5]))
    """
    walks: list[Walk] = []
    token = _watched.set(walks)
    try:
        yield walks
    finally:
        _watched.reset(token)


@cache
def numba_problem() -> str:
    """Why numba cannot compile the kernels; nothing where it can."""
    if importlib.util.find_spec("numba") is None:
        return "numba is not installed (pip install numba)"
    try:
        from numba import config
    except (ImportError, OSError) as error:
        return f"numba is installed but does not start ({' '.join(str(error).split())})"
    return "numba's compiler is switched off (NUMBA_DISABLE_JIT)" if config.DISABLE_JIT else ""


def describe(device: str) -> str:
    """How recurrent layers are computed on a kind of device, in a line."""
    forced = _forced.get()
    if forced:
        return f"{forced}, as was asked"
    if device == "cuda":
        return "cuDNN; with dropout of the state or lengths a compiled loop"
    if device == "cpu" and not numba_problem():
        from numba import __version__

        return f"fused kernels (numba {__version__}, {torch.get_num_threads()} threads)"
    return "plain loop" + (f": {numba_problem()}" if device == "cpu" else "")


@cache
def _say_once(reason: str) -> None:
    _log.warning(reason)


def _way(name: str) -> Way:
    if name == "fused":
        from .kernels.fused import fused

        return cast("Way", fused)
    return {"torch": torchs_own, "compiled": compiled, "loop": loop}[name]


def loop(cell: Cell, sequences: Sequences, state: State) -> tuple[Tensor | None, State]:
    """The cell's equations, step by step: the oracle of every other way."""
    return _loop(cell, sequences, state, cell.advance)


def compiled(cell: Cell, sequences: Sequences, state: State) -> tuple[Tensor | None, State]:
    """The same with each step compiled into one piece of code for the device."""
    return _loop(cell, sequences, state, partial(_compiled_steps()[type(cell)], cell))


@cache
def _compiled_steps() -> dict[type[Cell], Any]:
    return {kind: torch.compile(kind.advance, dynamic=True) for kind in (RNNCell, LSTMCell, GRUCell)}


def _loop(cell: Cell, sequences: Sequences, state: State, advance: Any) -> tuple[Tensor | None, State]:
    inputs, lengths = sequences.inputs, sequences.lengths
    if lengths is not None:
        beyond = torch.arange(inputs.shape[1], device=inputs.device) >= lengths[:, None]
        inputs = inputs.masked_fill(beyond[:, :, None], 0)  # whatever stands there has no part in any product
    if sequences.input_mask is not None:
        inputs = inputs * sequences.input_mask
    batch, steps, _ = inputs.shape
    projected = cell.project(inputs)
    outputs = []
    walks = _watched.get()
    states: list[State] = []
    for step in range(steps - 1, -1, -1) if sequences.backwards else range(steps):
        mask = sequences.state_mask
        if mask is not None:
            mask = mask[:, step if mask.shape[1] > 1 else 0]
        new = advance(projected[:, step], state, mask)
        output = new[0]
        if lengths is not None:
            going = (step < lengths)[:, None]
            output = torch.where(going, output, 0)
            new = tuple(torch.where(going, after, before) for after, before in zip(new, state, strict=True))
        state = new
        if walks is not None:
            states.append(state)
        if sequences.every_step:
            outputs.append(output)
    if walks is not None:
        walks.append(Walk(cell, sequences.backwards, states))
    if not sequences.every_step:
        return None, state
    if not outputs:
        return inputs.new_empty(batch, 0, cell.units), state
    return torch.stack(outputs[::-1] if sequences.backwards else outputs, 1), state


def torchs_own(cell: Cell, sequences: Sequences, state: State) -> tuple[Tensor | None, State]:
    """torch's recurrent layers, which are cuDNN's on CUDA.

    Raises:
        ConfigurationError: They lack something that is asked for.
    """
    lacking = why_not_torch(cell, sequences)
    if lacking:
        raise ConfigurationError(f"torch's own recurrent layers cannot compute this: {lacking}; leave the way to auto")
    inputs = sequences.inputs if sequences.input_mask is None else sequences.inputs * sequences.input_mask
    if sequences.backwards:
        inputs = inputs.flip(1)
    weights = [cell.input_weights.t().contiguous(), cell.state_weights.t().contiguous(), *cell.torch_biases()]
    before = [part[None] for part in state]
    # (has biases, layers, dropout, training, both directions, batch first); torch is several times faster with time
    # first.
    how = (True, 1, 0.0, cell.training, False, False)
    inputs = inputs.transpose(0, 1).contiguous()
    if isinstance(cell, LSTMCell):
        outputs, *after = torch.lstm(inputs, before, weights, *how)
    elif isinstance(cell, GRUCell):
        outputs, *after = torch.gru(inputs, before[0], weights, *how)
    else:
        simple = torch.rnn_tanh if cell.activation == "tanh" else torch.rnn_relu
        outputs, *after = simple(inputs, before[0], weights, *how)
    outputs = outputs.transpose(0, 1)
    if sequences.backwards:
        outputs = outputs.flip(1)
    return (outputs if sequences.every_step else None), tuple(part[0] for part in after)
