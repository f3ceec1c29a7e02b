"""One step of each cell, forward and back, on vectors; the sums of products are ready before and are used after.

The equations are those of :mod:`foretell.nn.cells`. Gradients follow by the chain rule; "d" stands before the name of what
the loss is derived by. ``y · (1 − y)`` is the derivative of the sigmoid that gave y.
"""

from typing import Any

from numba import njit

from .functions import activate, sigmoid, slope
from .vectors import fma


@njit(forceinline=True)
def lstm(entry: Any, keep: Any, candidate: Any, exit_: Any, cell: Any, relu: bool) -> Any:
    """Hochreiter and Schmidhuber 1997, with the forget gate of Gers 2000: the four gates, the new cell, the output."""
    entry, keep, exit_ = sigmoid(entry), sigmoid(keep), sigmoid(exit_)
    candidate = activate(candidate, relu)
    cell = fma(keep, cell, entry * candidate)
    return entry, keep, candidate, exit_, cell, exit_ * activate(cell, relu)


@njit(forceinline=True)
def lstm_back(
    entry: Any, keep: Any, candidate: Any, exit_: Any, cell: Any, new_cell: Any, doutput: Any, dcell: Any, relu: bool
) -> Any:
    """Gradients by the four sums, and by the cell before."""
    shown = activate(new_cell, relu)
    dexit = doutput * shown * exit_ * (1.0 - exit_)
    dcell = fma(doutput * exit_, slope(shown, relu), dcell)
    dentry = dcell * candidate * entry * (1.0 - entry)
    dkeep = dcell * cell * keep * (1.0 - keep)
    dcandidate = dcell * entry * slope(candidate, relu)
    return dentry, dkeep, dcandidate, dexit, dcell * keep


@njit(forceinline=True)
def gru(state_half: Any, reset: Any, update: Any, input_half: Any, state: Any, relu: bool) -> Any:
    """Cho et al. 2014, the reset gate after the product: reset, update, candidate, the new state."""
    reset, update = sigmoid(reset), sigmoid(update)
    candidate = activate(fma(reset, state_half, input_half), relu)
    return reset, update, candidate, fma(update, state - candidate, candidate)


@njit(forceinline=True)
def gru_back(
    state_half: Any, reset: Any, update: Any, candidate: Any, state: Any, dstate: Any, relu: bool
) -> Any:
    """Gradients by the four sums, and by the state before as far as it is carried on."""
    dupdate = dstate * (state - candidate) * update * (1.0 - update)
    dcandidate = dstate * (1.0 - update) * slope(candidate, relu)
    dreset = dcandidate * state_half * reset * (1.0 - reset)
    return dcandidate * reset, dreset, dupdate, dcandidate, dstate * update


@njit(forceinline=True)
def gru_before_back(update: Any, candidate: Any, state: Any, dstate: Any, relu: bool) -> Any:
    """With the reset gate before the product: gradients by update, candidate and the state before, reset not yet known."""
    dupdate = dstate * (state - candidate) * update * (1.0 - update)
    dcandidate = dstate * (1.0 - update) * slope(candidate, relu)
    return dupdate, dcandidate, dstate * update
