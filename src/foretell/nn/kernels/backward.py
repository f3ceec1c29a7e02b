"""The way back through time: gradients by states, inputs and weights in one pass over what the way forward kept.

At each step the gradient by a block's sums is found first; from it follow, while it is in cache, the gradients by
weights and biases (summed over all steps), by the state before, and by the inputs where they are wanted.
"""

from typing import Any

import numpy as np
from numba import njit

from . import gru, lstm, rnn
from .compiling import kernel
from .layout import COLUMNS, GRU, GRU_BEFORE, LSTM
from .products import add_product, outer
from .tiles import (
    Sequences,
    add,
    clear,
    clear_after,
    fetch,
    fetch_states,
    going_on,
    longest,
    masked,
    write_states,
    write_steps,
)
from .vectors import ROWS, flush_denormals, lanes, load, prefetch, restore_denormals, store


@njit
def add_biases(dbias, dbias_at, dsums, at, count):
    """Adds a block's gradients, summed over the sequences, to those by its biases."""
    lane = lanes(dsums)
    for which in range(count):
        total = load(dbias, dbias_at + which * lane)
        for row in range(ROWS):
            total = total + load(dsums, at + (which * ROWS + row) * lane)
        store(dbias, dbias_at + which * lane, total)


@njit
def back_product(dresult, at, dsums, dsums_at, members, size, sums, columns, weights, targets, blocks):
    """Adds what the gradients by some sums of every block give through a packed transposed matrix, tile by tile.

    Args:
        dresult: Holds the first tile's results, to add to, from ``at`` on.
        at: Where.
        dsums: Holds the gradients by the first of these sums of the first tile's first block at ``dsums_at``.
        dsums_at: Where.
        members: Tiles of the group.
        size: Distance between two of them.
        sums: Sums of a block.
        columns: How many of them, one after the other.
        weights: The matrix.
        targets: Blocks of the result.
        blocks: Blocks of sums.
    """
    lane = lanes(dsums)
    tile = ROWS * lane
    for first in range(0, targets, 2):
        together = min(2, targets - first)
        for block in range(blocks):
            place = (first * blocks + block * together) * columns * lane * lane
            for this in range(members):
                result, left = at + this * size + first * tile, dsums_at + this * size + block * sums * tile
                add_product(together, dresult, result, dsums, left, columns * lane, weights, place)


def make_backward(cell: int, digest: int) -> Any:
    """The way back through time of one kind of cell, compiled when it is first called.

    Args:
        cell: The kind, as in :mod:`.layout`.
        digest: As in :func:`.forward.make_forward`.
    """
    columns = COLUMNS[cell]
    all_sums, first_input, gates_kept = columns.sums, columns.first_input, columns.kept
    by_inputs, by_state = len(columns.from_inputs), len(columns.from_state)
    parts = 2 if cell == LSTM else 1

    @kernel
    def backward(
        first_share, last_share, bounds, sizes, places, inputs, input_mask, state_mask, lengths,
        weights_back, state_weights_back, candidate_weights_back, states, kept, doutputs, dfinal, dfinal_cell,
        dinputs, dinitial, dinitial_cell,
        all_dweights, all_dstate_weights, all_dcandidate_weights, all_dbias, scratch,
    ):  # fmt: skip
        lane, units, features = lanes(states), sizes.units, sizes.features
        tile = ROWS * lane
        count, input_count = (units + lane - 1) // lane, (features + lane - 1) // lane
        part = count * tile
        slot, all_kept = parts * part, sizes.steps * count * gates_kept * tile
        no_mask = Sequences(inputs.values[:0], 0, 0)
        going = np.zeros(sizes.group * ROWS, np.bool_)
        # Without a mask between them, the gradient by the state that matrices read is the gradient by the state.
        apart = cell == GRU_BEFORE or state_mask.values.size > 0
        denormals = flush_denormals()
        for share in range(first_share, last_share):
            dweights, dstate_weights = all_dweights[share], all_dstate_weights[share]
            dcandidate_weights, dbias = all_dcandidate_weights[share], all_dbias[share]
            for start in range(bounds[share], bounds[share + 1], sizes.group):
                stop = min(start + sizes.group, bounds[share + 1])
                members = stop - start
                steps = longest(lengths, start * ROWS, min(stop * ROWS, sizes.batch))
                for this in range(start, stop):
                    at = (this - start) * places.size
                    fetch_states(scratch, at + places.dstate, dfinal, this * ROWS, sizes)
                    if cell == LSTM:
                        fetch_states(scratch, at + places.dcell, dfinal_cell, this * ROWS, sizes)
                for index in range(steps - 1, -1, -1):
                    step = steps - 1 - index if sizes.backwards else index
                    late = sizes.steps - 1 - index
                    for this in range(start, stop):
                        at, rows = (this - start) * places.size, (this - start) * ROWS
                        old = (this * sizes.slots + index) * slot
                        going_on(going, rows, lengths, this * ROWS, step, sizes)
                        fetch(scratch, at + places.inputs, inputs, input_mask, going, rows, this * ROWS, step, features)
                        masked(scratch, at + places.read, states, old, state_mask, this * ROWS, step, sizes)
                        # What the step before kept has long left the cache.
                        ahead = this * all_kept + (late + 1) * count * gates_kept * tile
                        for place in range(ahead, ahead + count * gates_kept * tile, lane):
                            prefetch(kept, place)
                        if apart:
                            clear(scratch, at + places.dread, at + places.dread + part)
                        if dinputs.values.size > 0:
                            clear(scratch, at + places.dinputs, at + places.dinputs + input_count * tile)
                        if doutputs.values.size > 0:
                            fetch(scratch, at + places.sums, doutputs, no_mask, going, rows, this * ROWS, step, units)
                            add(scratch, at + places.dstate, scratch, at + places.sums, at + places.sums + part)
                    for block in range(count):
                        for this in range(start, stop):
                            at, rows = (this - start) * places.size, (this - start) * ROWS
                            dsums, own = at + places.sums + block * all_sums * tile, at + block * tile
                            dstate = own + places.dstate
                            old = (this * sizes.slots + index) * slot + block * tile
                            new = old + slot
                            keep = this * all_kept + (late * count + block) * gates_kept * tile
                            if cell == LSTM:
                                lstm.back(
                                    scratch, dsums, dstate, own + places.dcell, states, old, new, part, kept, keep,
                                    going, rows, sizes.relu,
                                )  # fmt: skip
                            elif cell == GRU:
                                gru.back(scratch, dsums, dstate, states, old, kept, keep, going, rows, sizes.relu)
                            elif cell == GRU_BEFORE:
                                gru.back_to_candidate(
                                    scratch, dsums, dstate, states, old, kept, keep, going, rows, sizes.relu
                                )
                            else:
                                rnn.back(scratch, dsums, dstate, states, new, going, rows, sizes.relu)
                    if cell == GRU_BEFORE:
                        back_product(
                            scratch, places.dread, scratch, places.sums + 2 * tile, members, places.size,
                            all_sums, 1, candidate_weights_back, count, count,
                        )  # fmt: skip
                        for this in range(start, stop):
                            at, rows = (this - start) * places.size, (this - start) * ROWS
                            for block in range(count):
                                dsums, own = at + places.sums + block * all_sums * tile, at + block * tile
                                keep = this * all_kept + (late * count + block) * gates_kept * tile
                                gru.back_through_reset(
                                    scratch, dsums, own + places.dread, own + places.read, own + places.reset_read,
                                    kept, keep, going, rows,
                                )  # fmt: skip
                    for block in range(count):
                        for this in range(start, stop):
                            at = (this - start) * places.size
                            dsums = at + places.sums + block * all_sums * tile
                            add_biases(dbias, block * all_sums * lane, scratch, dsums, all_sums)
                            outer(
                                by_inputs, dweights, block * input_count * lane * by_inputs * lane,
                                scratch, at + places.inputs, input_count * lane, scratch, dsums + first_input * tile,
                            )  # fmt: skip
                            outer(
                                by_state, dstate_weights, block * count * lane * by_state * lane,
                                scratch, at + places.read, count * lane, scratch, dsums,
                            )  # fmt: skip
                            if cell == GRU_BEFORE:
                                outer(
                                    1, dcandidate_weights, block * count * lane * lane,
                                    scratch, at + places.reset_read, count * lane, scratch, dsums + 2 * tile,
                                )  # fmt: skip
                    back_product(
                        scratch, places.dread if apart else places.dstate, scratch, places.sums, members, places.size,
                        all_sums, by_state, state_weights_back, count, count,
                    )  # fmt: skip
                    if apart:
                        for this in range(start, stop):
                            at = (this - start) * places.size
                            dread = at + places.dread
                            masked(scratch, dread, scratch, dread, state_mask, this * ROWS, step, sizes)
                            add(scratch, at + places.dstate, scratch, dread, dread + part)
                    if dinputs.values.size > 0:
                        back_product(
                            scratch, places.dinputs, scratch, places.sums + first_input * tile, members, places.size,
                            all_sums, by_inputs, weights_back, input_count, count,
                        )  # fmt: skip
                        for this in range(start, stop):
                            place, rows = (this - start) * places.size + places.dinputs, (this - start) * ROWS
                            write_steps(dinputs, input_mask, scratch, place, going, rows, this * ROWS, step, features)
                for this in range(start, stop):
                    at = (this - start) * places.size
                    write_states(dinitial, scratch, at + places.dstate, this * ROWS, sizes)
                    if cell == LSTM:
                        write_states(dinitial_cell, scratch, at + places.dcell, this * ROWS, sizes)
                    if dinputs.values.size > 0:
                        clear_after(dinputs, lengths, this * ROWS, sizes, features)
        restore_denormals(denormals)
        return digest

    return backward
