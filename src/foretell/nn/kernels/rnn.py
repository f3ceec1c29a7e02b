"""The simple recurrent cell on tiles; its equation is that of :class:`foretell.nn.cells.RNNCell`."""

from numba import njit

from .functions import activate, slope
from .vectors import ROWS, full, lanes, load, store, stream


@njit
def step(sums, at, state_at, states, new, going, going_at, relu):
    """The new states of a block of units from their sums, in place; keeps them for the way back."""
    for row in range(ROWS):
        here = row * lanes(sums)
        h = activate(load(sums, at + here), relu) if going[going_at + row] else load(sums, state_at + here)
        store(sums, state_at + here, h)
        if states.size > 0:
            stream(states, new + here, h)


@njit
def back(dsums, at, dstate_at, states, new, going, going_at, relu):
    """The gradients by a block's sums from those by its new states, which do not reach further back by themselves."""
    for row in range(ROWS):
        here = row * lanes(dsums)
        dstate = load(dsums, dstate_at + here)
        nothing = full(dstate, 0.0)
        if going[going_at + row]:
            store(dsums, at + here, dstate * slope(load(states, new + here), relu))
            store(dsums, dstate_at + here, nothing)
        else:
            store(dsums, at + here, nothing)
