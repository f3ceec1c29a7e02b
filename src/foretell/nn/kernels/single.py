"""One step of sequences without a way back, as generating takes it: nothing is packed, weights stream by once.

The equations are those of :mod:`foretell.nn.cells`. Each number is a sum in the same order however many sequences
there are, so that a sequence gives the same bits alone and in a batch.
"""

from typing import Any

import numpy as np
from numba import carray, njit

from .compiling import kernel
from .functions import activate, sigmoid
from .layout import COLUMNS, GRU, GRU_BEFORE, LSTM
from .products import add_product_of_rows
from .vectors import (
    ROWS,
    flush_denormals,
    fma,
    full,
    lanes,
    load,
    load_some,
    pointer,
    restore_denormals,
    store,
    store_some,
)

TOGETHER = 128  # sequences whose sums stay in cache while weights pass by


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
def add_many(
    sums, stride, first, width, numbers, numbers_at, numbers_stride, count, matrix, row_width, column, rows, slice
):  # fmt: skip
    """:func:`add_rows` for several sequences, whose sums and numbers lie ``stride`` and ``numbers_stride`` apart.

    Two vectors of the matrix at a time are copied to ``slice``, where they stay in cache for all sequences; what stands
    beyond ``width`` gets zeros added.
    """
    together = rows // ROWS * ROWS
    for row in range(together, rows):
        at = numbers_at + row * numbers_stride
        add_rows(sums, first + row * stride, width, numbers, at, count, matrix, row_width, column)
    if together == 0:
        return
    lane = lanes(sums)
    for j in range(0, width, 2 * lane):
        left, right = min(lane, width - j), min(lane, width - j - lane)
        for k in range(count):
            place = k * row_width + column + j
            store(slice, 2 * k * lane, load_some(matrix, place, left))
            store(slice, (2 * k + 1) * lane, load_some(matrix, place + lane, right))
        for row in range(0, together, ROWS):
            here, at = first + row * stride + j, numbers_at + row * numbers_stride
            add_product_of_rows(sums, here, stride, numbers, at, numbers_stride, count, slice)


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
    def single(
        like, layers, inputs_at, state_at, memory_at, new_state_at, new_memory_at, batch, units, relu, projected,
        first_row, last_row,
    ):  # fmt: skip
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
            projected: Whether the inputs are what the first layer's weights and bias make of them.
            first_row: The first sequence that is stepped.
            last_row: The one after the last.
        """
        lane, width = lanes(like), gates * units
        # For each sequence what inputs add, then what the state adds to a GRU's candidate.
        stride, apart = 2 * width + 4 * lane, width + 2 * lane
        sums = np.empty(stride * min(TOGETHER, last_row - first_row), like.dtype)
        slice = np.empty(2 * lane * max(units, np.max(layers[:, 0])), like.dtype)
        denormals = flush_denormals()
        inputs = numbers_at(like, inputs_at, batch * (width if projected else layers[0, 0]))
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
            for start in range(first_row, last_row, TOGETHER):
                rows = min(TOGETHER, last_row - start)
                states_at = start * units
                for row in range(rows):
                    for j in range(0, width, lane):
                        begun = bias if not projected else inputs
                        at = j if not projected else (start + row) * width + j
                        store(sums, row * stride + j, load_some(begun, at, min(lane, width - j)))
                if not projected:
                    at = start * features
                    add_many(sums, stride, 0, width, inputs, at, features, features, weights, width, 0, rows, slice)
                from_state = 2 * units if cell in (GRU, GRU_BEFORE) else width
                add_many(
                    sums, stride, 0, from_state, state, states_at, units, units, state_weights, width, 0, rows, slice
                )
                if cell == GRU:
                    for row in range(rows):
                        for j in range(units):
                            sums[row * stride + apart + j] = candidate_bias[j]
                    at, last = states_at, 2 * units
                    add_many(
                        sums, stride, apart, units, state, at, units, units, state_weights, width, last, rows, slice
                    )  # fmt: skip
                elif cell == GRU_BEFORE:
                    for row in range(rows):
                        for j in range(0, units, lane):
                            reset = sigmoid(load(sums, row * stride + j))
                            own = load_some(state, states_at + row * units + j, min(lane, units - j))
                            store(sums, row * stride + apart + j, reset * own)
                    last = 2 * units
                    add_many(
                        sums, stride, last, units, sums, apart, stride, units, state_weights, width, last, rows, slice
                    )  # fmt: skip
                for row in range(rows):
                    here, at = (start + row) * units, row * stride
                    for j in range(0, units, lane):
                        count = min(lane, units - j)
                        gate = load(sums, at + j)
                        before = load_some(state, here + j, count)
                        if cell == LSTM:
                            f, g = sigmoid(load(sums, at + units + j)), activate(load(sums, at + 2 * units + j), relu)
                            c = fma(f, load_some(memory, here + j, count), sigmoid(gate) * g)
                            h = sigmoid(load(sums, at + 3 * units + j)) * activate(c, relu)
                            store_some(new_memory, here + j, c, count)
                        elif cell == GRU:
                            z = sigmoid(load(sums, at + units + j))
                            candidate = fma(
                                sigmoid(gate), load(sums, at + apart + j), load(sums, at + 2 * units + j)
                            )  # fmt: skip
                            candidate = activate(candidate, relu)
                            h = fma(z, before - candidate, candidate)
                        elif cell == GRU_BEFORE:
                            z = sigmoid(load(sums, at + units + j))
                            candidate = activate(load(sums, at + 2 * units + j), relu)
                            h = fma(z, before - candidate, candidate)
                        else:
                            h = activate(gate, relu)
                        store_some(new_state, here + j, h, count)
            inputs, projected = new_state, False
        restore_denormals(denormals)
        return digest

    return single
