"""One step of a few sequences without a way back, as generating takes it: nothing is packed, weights stream by once.

The equations are those of :mod:`foretell.nn.cells`.
"""

from typing import Any

import numpy as np
from numba import njit

from .compiling import kernel
from .functions import activate, sigmoid
from .layout import COLUMNS, GRU, GRU_BEFORE, LSTM
from .vectors import flush_denormals, fma, full, lanes, load, load_some, restore_denormals, store, store_some


@njit
def add_rows(sums, first, width, numbers, numbers_at, count, matrix, row_width, column):
    """sums[first + j] += Σₖ numbers[k] · matrix[k][column + j] for ``width`` j, and room for a whole last vector."""
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
            store(sums, first + j, total)
        k += 4
    while k < count:
        here = k * row_width + column
        for j in range(0, width, lane):
            weights = load_some(matrix, here + j, min(lane, width - j))
            store(sums, first + j, fma(full(weights, numbers[numbers_at + k]), weights, load(sums, first + j)))
        k += 1


def make_single(cell: int, digest: int) -> Any:
    """One step of one kind of cell, compiled when it is first called; arguments as in :func:`.forward.make_forward`."""
    gates = max(COLUMNS[cell].from_inputs) + 1

    @kernel
    def single(inputs, state, memory, weights, state_weights, bias, candidate_bias, new_state, new_memory, relu):
        batch, features = inputs.shape
        units = state.shape[1]
        width = gates * units
        input_row, state_row, memory_row = inputs.reshape(-1), state.reshape(-1), memory.reshape(-1)
        matrix, state_matrix = weights.reshape(-1), state_weights.reshape(-1)
        output, output_memory = new_state.reshape(-1), new_memory.reshape(-1)
        lane = lanes(output)
        sums = np.zeros(
            2 * width + 2 * lane, output.dtype
        )  # what inputs add, then what the state adds to a GRU's candidate
        apart = width + lane
        denormals = flush_denormals()
        for row in range(batch):
            here = row * units
            for j in range(width):
                sums[j] = bias[j]
            add_rows(sums, 0, width, input_row, row * features, features, matrix, width, 0)
            if cell == LSTM:
                add_rows(sums, 0, width, state_row, here, units, state_matrix, width, 0)
            elif cell == GRU:
                add_rows(sums, 0, 2 * units, state_row, here, units, state_matrix, width, 0)
                for j in range(units):
                    sums[apart + j] = candidate_bias[j]
                add_rows(sums, apart, units, state_row, here, units, state_matrix, width, 2 * units)
            elif cell == GRU_BEFORE:
                add_rows(sums, 0, 2 * units, state_row, here, units, state_matrix, width, 0)
                for j in range(0, units, lane):
                    reset = sigmoid(load(sums, j))
                    store(sums, apart + j, reset * load_some(state_row, here + j, min(lane, units - j)))
                add_rows(sums, 2 * units, units, sums, apart, units, state_matrix, width, 2 * units)
            else:
                add_rows(sums, 0, width, state_row, here, units, state_matrix, width, 0)
            for j in range(0, units, lane):
                count = min(lane, units - j)
                first = load(sums, j)
                before = load_some(state_row, here + j, count)
                if cell == LSTM:
                    f, g = sigmoid(load(sums, units + j)), activate(load(sums, 2 * units + j), relu)
                    c = fma(f, load_some(memory_row, here + j, count), sigmoid(first) * g)
                    h = sigmoid(load(sums, 3 * units + j)) * activate(c, relu)
                    store_some(output_memory, here + j, c, count)
                elif cell == GRU:
                    z = sigmoid(load(sums, units + j))
                    candidate = fma(sigmoid(first), load(sums, apart + j), load(sums, 2 * units + j))
                    candidate = activate(candidate, relu)
                    h = fma(z, before - candidate, candidate)
                elif cell == GRU_BEFORE:
                    z = sigmoid(load(sums, units + j))
                    candidate = activate(load(sums, 2 * units + j), relu)
                    h = fma(z, before - candidate, candidate)
                else:
                    h = activate(first, relu)
                store_some(output, here + j, h, count)
        restore_denormals(denormals)
        return digest

    return single
