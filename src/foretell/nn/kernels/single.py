"""One step of a few sequences without a way back, as generating takes it: nothing is packed, weights stream by once.

The equations are those of :mod:`foretell.nn.cells`.
"""

from typing import Any

import numpy as np
from numba import carray, njit

from .compiling import kernel
from .functions import activate, sigmoid
from .layout import COLUMNS, GRU, GRU_BEFORE, LSTM
from .vectors import flush_denormals, fma, full, lanes, load, load_some, pointer, restore_denormals, store, store_some


@njit
def add_rows(sums, first, width, numbers, numbers_at, count, matrix, row_width, column):
    """sums[first + j] += Σₖ numbers[k] · matrix[k][column + j] for ``width`` j; what stands beyond is left alone."""
    lane = lanes(sums)
    whole = width // lane * lane
    k = 0
    while k + 4 <= count:
        # Four rows together: sums are loaded and stored a quarter as often.
        place = k * row_width + column
        for j in range(0, width, lane):
            total = load(sums, first + j)
            for row in range(4):
                here = place + row * row_width + j
                weights = load(matrix, here) if j < whole else load_some(matrix, here, width - whole)
                total = fma(full(total, numbers[numbers_at + k + row]), weights, total)
            store_some(sums, first + j, total, width - j)
        k += 4
    while k < count:
        here = k * row_width + column
        for j in range(0, width, lane):
            weights = load_some(matrix, here + j, width - j)
            total = fma(full(weights, numbers[numbers_at + k]), weights, load(sums, first + j))
            store_some(sums, first + j, total, width - j)
        k += 1


@njit
def numbers_at(like, place, count):
    """So many numbers of an array's type from a place in memory on."""
    return carray(pointer(like, place), (count,))


def make_single(cell: int, digest: int) -> Any:
    """One step through layers of one kind of cell, compiled when it is first called.

    What is read and written comes as places in memory: with arrays as arguments the call takes as long as the step.
    """
    gates = max(COLUMNS[cell].from_inputs) + 1

    @kernel
    def single(like, layers, inputs_at, state_at, memory_at, new_state_at, new_memory_at, batch, units, relu):
        """One step.

        Args:
            like: An array of the numbers' type.
            layers: For each layer its features, and where weights, state weights, bias and candidate's bias are.
            inputs_at: Where the inputs are, (batch, feature).
            state_at: Where the state before is, (layer, batch, unit).
            memory_at: Where an LSTM's cells before are.
            new_state_at: Where the new state goes.
            new_memory_at: Where an LSTM's new cells go.
            batch: Sequences.
            units: Numbers of a state.
            relu: Whether the activation is the larger of x and zero.
        """
        lane, width = lanes(like), gates * units
        # What inputs add, then what the state adds to a GRU's candidate.
        sums = np.zeros(2 * width + 2 * lane, like.dtype)
        apart = width + lane
        denormals = flush_denormals()
        inputs = numbers_at(like, inputs_at, batch * layers[0, 0])
        for layer in range(len(layers)):
            features, first = layers[layer, 0], layer * batch * units * like.itemsize
            weights = numbers_at(like, layers[layer, 1], features * width)
            state_weights = numbers_at(like, layers[layer, 2], units * width)
            bias = numbers_at(like, layers[layer, 3], width)
            candidate_bias = numbers_at(like, layers[layer, 4], units)
            state = numbers_at(like, state_at + first, batch * units)
            memory = numbers_at(like, memory_at + first, batch * units)
            new_state = numbers_at(like, new_state_at + first, batch * units)
            new_memory = numbers_at(like, new_memory_at + first, batch * units)
            for row in range(batch):
                here = row * units
                for j in range(width):
                    sums[j] = bias[j]
                add_rows(sums, 0, width, inputs, row * features, features, weights, width, 0)
                if cell == GRU:
                    add_rows(sums, 0, 2 * units, state, here, units, state_weights, width, 0)
                    for j in range(units):
                        sums[apart + j] = candidate_bias[j]
                    add_rows(sums, apart, units, state, here, units, state_weights, width, 2 * units)
                elif cell == GRU_BEFORE:
                    add_rows(sums, 0, 2 * units, state, here, units, state_weights, width, 0)
                    for j in range(0, units, lane):
                        reset = sigmoid(load(sums, j))
                        store(sums, apart + j, reset * load_some(state, here + j, min(lane, units - j)))
                    add_rows(sums, 2 * units, units, sums, apart, units, state_weights, width, 2 * units)
                else:
                    add_rows(sums, 0, width, state, here, units, state_weights, width, 0)
                for j in range(0, units, lane):
                    count = min(lane, units - j)
                    gate = load(sums, j)
                    before = load_some(state, here + j, count)
                    if cell == LSTM:
                        f, g = sigmoid(load(sums, units + j)), activate(load(sums, 2 * units + j), relu)
                        c = fma(f, load_some(memory, here + j, count), sigmoid(gate) * g)
                        h = sigmoid(load(sums, 3 * units + j)) * activate(c, relu)
                        store_some(new_memory, here + j, c, count)
                    elif cell == GRU:
                        z = sigmoid(load(sums, units + j))
                        candidate = fma(sigmoid(gate), load(sums, apart + j), load(sums, 2 * units + j))
                        candidate = activate(candidate, relu)
                        h = fma(z, before - candidate, candidate)
                    elif cell == GRU_BEFORE:
                        z = sigmoid(load(sums, units + j))
                        candidate = activate(load(sums, 2 * units + j), relu)
                        h = fma(z, before - candidate, candidate)
                    else:
                        h = activate(gate, relu)
                    store_some(new_state, here + j, h, count)
            inputs = new_state
        restore_denormals(denormals)
        return digest

    return single
