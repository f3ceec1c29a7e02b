"""Gated recurrent units on tiles, in both conventions; their equations are those of :class:`foretell.nn.cells.GRUCell`.

With the reset after the product, a block's sums are: what the state adds to the candidate (s), reset (r), update (z),
and what the inputs add to the candidate; with the reset before it they are reset, update, candidate. Gradients follow
by the chain rule: "d" stands before the name of what the loss is derived by, and y · (1 − y) is the derivative of the
sigmoid that gave y.
"""

from numba import njit

from .functions import activate, sigmoid, slope
from .vectors import ROWS, fma, full, lanes, load, store, stream


@njit
def step(sums, at, state_at, states, new, kept, keep, going, going_at, relu):
    """The new states of a block of units from their sums, in place; keeps them, s and the gates."""
    tile = ROWS * lanes(sums)
    for row in range(ROWS):
        here = row * lanes(sums)
        s = load(sums, at + here)
        r = sigmoid(load(sums, at + tile + here))
        z = sigmoid(load(sums, at + 2 * tile + here))
        candidate = activate(fma(r, s, load(sums, at + 3 * tile + here)), relu)
        before = load(sums, state_at + here)
        h = fma(z, before - candidate, candidate) if going[going_at + row] else before
        store(sums, state_at + here, h)
        if states.size > 0:
            stream(states, new + here, h)
            stream(kept, keep + here, s)
            stream(kept, keep + tile + here, r)
            stream(kept, keep + 2 * tile + here, z)
            stream(kept, keep + 3 * tile + here, candidate)


@njit
def back(dsums, at, dstate_at, states, old, kept, keep, going, going_at, relu):
    """The gradients by a block's sums from those by its new states, of which a part is carried further back."""
    tile = ROWS * lanes(dsums)
    for row in range(ROWS):
        here = row * lanes(dsums)
        dh = load(dsums, dstate_at + here)
        if going[going_at + row]:
            s, r = load(kept, keep + here), load(kept, keep + tile + here)
            z, candidate = load(kept, keep + 2 * tile + here), load(kept, keep + 3 * tile + here)
            dcandidate = dh * (1.0 - z) * slope(candidate, relu)
            store(dsums, at + here, dcandidate * r)
            store(dsums, at + tile + here, dcandidate * s * r * (1.0 - r))
            store(dsums, at + 2 * tile + here, dh * (load(states, old + here) - candidate) * z * (1.0 - z))
            store(dsums, at + 3 * tile + here, dcandidate)
            store(dsums, dstate_at + here, dh * z)
        else:
            for gate in range(4):
                store(dsums, at + gate * tile + here, full(dh, 0.0))


@njit
def reset_before(sums, at, read, reset_read):
    """With the reset before the product: what the candidate's matrix reads of a block of units, r ∘ h."""
    for row in range(ROWS):
        here = row * lanes(sums)
        r = sigmoid(load(sums, at + here))
        store(sums, at + here, r)
        store(sums, reset_read + here, r * load(sums, read + here))


@njit
def step_after_reset(sums, at, state_at, states, new, kept, keep, going, going_at, relu):
    """The new states once the candidate's sums are whole, in place; keeps them and the gates."""
    tile = ROWS * lanes(sums)
    for row in range(ROWS):
        here = row * lanes(sums)
        z = sigmoid(load(sums, at + tile + here))
        candidate = activate(load(sums, at + 2 * tile + here), relu)
        before = load(sums, state_at + here)
        h = fma(z, before - candidate, candidate) if going[going_at + row] else before
        store(sums, state_at + here, h)
        if states.size > 0:
            stream(states, new + here, h)
            stream(kept, keep + here, load(sums, at + here))
            stream(kept, keep + tile + here, z)
            stream(kept, keep + 2 * tile + here, candidate)


@njit
def back_to_candidate(dsums, at, dstate_at, states, old, kept, keep, going, going_at, relu):
    """The gradients by update and candidate, and the part that is carried further back; those by reset come after."""
    tile = ROWS * lanes(dsums)
    for row in range(ROWS):
        here = row * lanes(dsums)
        dh = load(dsums, dstate_at + here)
        nothing = full(dh, 0.0)
        store(dsums, at + here, nothing)
        if going[going_at + row]:
            z, candidate = load(kept, keep + tile + here), load(kept, keep + 2 * tile + here)
            store(dsums, at + tile + here, dh * (load(states, old + here) - candidate) * z * (1.0 - z))
            store(dsums, at + 2 * tile + here, dh * (1.0 - z) * slope(candidate, relu))
            store(dsums, dstate_at + here, dh * z)
        else:
            store(dsums, at + tile + here, nothing)
            store(dsums, at + 2 * tile + here, nothing)


@njit
def back_through_reset(dsums, at, dread, read, reset_read, kept, keep, going, going_at):
    """From the gradient by r ∘ h: that by reset, and that by h through this product; r ∘ h itself once more."""
    for row in range(ROWS):
        here = row * lanes(dsums)
        r, h, d = load(kept, keep + here), load(dsums, read + here), load(dsums, dread + here)
        store(dsums, reset_read + here, r * h)
        if going[going_at + row]:
            store(dsums, at + here, d * h * r * (1.0 - r))
            store(dsums, dread + here, d * r)
