"""Long short-term memory on tiles; its equations are those of :class:`foretell.nn.cells.LSTMCell`.

A block's sums stand in the order of the gates i, f, g, o, a tile each. Gradients follow by the chain rule: "d" stands
before the name of what the loss is derived by, and y · (1 − y) is the derivative of the sigmoid that gave y.
"""

from numba import njit

from .functions import activate, sigmoid, slope
from .vectors import ROWS, fma, full, lanes, load, store, stream


@njit
def step(sums, at, state_at, cell_at, states, new, part, kept, keep, going, going_at, relu):
    """The new states and cells of a block of units from their sums, in place; keeps them and the gates."""
    tile = ROWS * lanes(sums)
    for row in range(ROWS):
        here = row * lanes(sums)
        i = sigmoid(load(sums, at + here))
        f = sigmoid(load(sums, at + tile + here))
        g = activate(load(sums, at + 2 * tile + here), relu)
        o = sigmoid(load(sums, at + 3 * tile + here))
        before = load(sums, cell_at + here)
        c = fma(f, before, i * g)
        h = o * activate(c, relu)
        if not going[going_at + row]:
            c, h = before, load(sums, state_at + here)
        store(sums, state_at + here, h)
        store(sums, cell_at + here, c)
        if states.size > 0:
            stream(states, new + here, h)
            stream(states, new + part + here, c)
            stream(kept, keep + here, i)
            stream(kept, keep + tile + here, f)
            stream(kept, keep + 2 * tile + here, g)
            stream(kept, keep + 3 * tile + here, o)


@njit
def back(dsums, at, dstate_at, dcell_at, states, old, new, part, kept, keep, going, going_at, relu):
    """The gradients by a block's sums and cells from those by its new states and cells."""
    tile = ROWS * lanes(dsums)
    for row in range(ROWS):
        here = row * lanes(dsums)
        dh, dc = load(dsums, dstate_at + here), load(dsums, dcell_at + here)
        if going[going_at + row]:
            i, f = load(kept, keep + here), load(kept, keep + tile + here)
            g, o = load(kept, keep + 2 * tile + here), load(kept, keep + 3 * tile + here)
            shown = activate(load(states, new + part + here), relu)
            dc = fma(dh * o, slope(shown, relu), dc)
            store(dsums, at + here, dc * g * i * (1.0 - i))
            store(dsums, at + tile + here, dc * load(states, old + part + here) * f * (1.0 - f))
            store(dsums, at + 2 * tile + here, dc * i * slope(g, relu))
            store(dsums, at + 3 * tile + here, dh * shown * o * (1.0 - o))
            store(dsums, dcell_at + here, dc * f)
            store(dsums, dstate_at + here, full(dh, 0.0))
        else:
            for gate in range(4):
                store(dsums, at + gate * tile + here, full(dh, 0.0))
