"""The way back through time: gradients by states, inputs and weights in one pass over what the way forward kept.

At each step the gradient by a block's sums is found first; from it follow, while it is in cache, the gradients by
weights and biases (summed over all steps), by the state before, and by the inputs where they are wanted.
"""

from typing import Any

import numpy as np
from numba import njit

from . import gru, lstm, rnn
from .compiling import kernel
from .layout import COLUMNS, GRU, GRU_BEFORE, LSTM, pack_transposed
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
def add_biases(gradients, dbias_at, dsums, at, count):
    """Adds a block's gradients, summed over the sequences, to those by its biases."""
    lane = lanes(dsums)
    for which in range(count):
        total = load(gradients, dbias_at + which * lane)
        for row in range(ROWS):
            total = total + load(dsums, at + (which * ROWS + row) * lane)
        store(gradients, dbias_at + which * lane, total)


@njit
def ask_for(kept, at, gates, quarter):
    """Asks memory for a quarter of what a block has kept; all at once would fill the processor's list of requests."""
    quarter_size = gates * ROWS * lanes(kept) // 4
    for place in range(at + quarter * quarter_size, at + (quarter + 1) * quarter_size, lanes(kept)):
        prefetch(kept, place)


@njit
def back_product(scratch, at, dsums_at, members, size, sums, columns, weights_at, targets, blocks):
    """Adds what the gradients by some sums of every block give through a packed transposed matrix, tile by tile.

    Args:
        scratch: The thread's scratch memory.
        at: Where the first tile's results, to add to, stand.
        dsums_at: Where the gradients by the first of these sums of the first tile's first block stand.
        members: Tiles of the group.
        size: Distance between two of them.
        sums: Sums of a block.
        columns: How many of them, one after the other.
        weights_at: Where the matrix stands.
        targets: Blocks of the result.
        blocks: Blocks of sums.
    """
    lane = lanes(scratch)
    tile = ROWS * lane
    # Where all sums take part, those of all blocks stand side by side: one product does them together.
    whole = blocks if columns == sums else 1
    for first in range(0, targets, 2):
        together = min(2, targets - first)
        for block in range(0, blocks, whole):
            weights = weights_at + (first * blocks + block * together) * columns * lane * lane
            for this in range(members):
                result, left = at + this * size + first * tile, dsums_at + this * size + block * sums * tile
                add_product(together, scratch, result, scratch, left, whole * columns * lane, scratch, weights)


def make_backward(cell: int, digest: int) -> Any:
    """The way back through time of one kind of cell, compiled when it is first called.

    Args:
        cell: The kind, as in :mod:`.layout`.
        digest: As in :func:`.forward.make_forward`.
    """
    columns = COLUMNS[cell]
    all_sums, first_input, gates_kept = columns.sums, columns.first_input, columns.kept
    from_inputs, from_state = columns.from_inputs, columns.from_state
    by_inputs, by_state = len(from_inputs), len(from_state)
    parts = 2 if cell == LSTM else 1

    @kernel
    def backward(
        first_share, last_share, bounds, sizes, places, inputs, input_mask, state_mask, lengths,
        weights, state_weights, states, kept, doutputs, dfinal, dfinal_cell,
        dinputs, dinitial, dinitial_cell, shares, scratch,
    ):  # fmt: skip
        lane, units, features = lanes(states), sizes.units, sizes.features
        tile = ROWS * lane
        count, input_count = (units + lane - 1) // lane, (features + lane - 1) // lane
        part = count * tile
        slot, all_kept = parts * part, sizes.steps * count * gates_kept * tile
        no_mask = Sequences(inputs.values[:0], 0, 0)
        going = np.zeros(sizes.group * ROWS, np.bool_)
        dstate_weights, dcandidate_weights, dbias = places.state_weights, places.candidate_weights, places.bias
        # Without a mask between them, the gradient by the state that matrices read is the gradient by the state.
        apart = cell == GRU_BEFORE or state_mask.values.size > 0
        denormals = flush_denormals()
        if dinputs.values.size > 0:
            pack_transposed(scratch, places.weights, weights, units, from_inputs)
        pack_transposed(scratch, places.state_weights, state_weights, units, from_state)
        if cell == GRU_BEFORE:
            pack_transposed(scratch, places.candidate_weights, state_weights, units, (2,))
        for share in range(first_share, last_share):
            # Gradients stand in the order in which the way forward packs weights and biases.
            gradients = shares[share]
            gradients[:] = 0
            for start in range(bounds[share], bounds[share + 1], sizes.group):
                stop = min(start + sizes.group, bounds[share + 1])
                members = stop - start
                steps = longest(lengths, start * ROWS, min(stop * ROWS, sizes.batch))
                for this in range(start, stop):
                    at = places.tiles + (this - start) * places.size
                    fetch_states(scratch, at + places.state, dfinal, this * ROWS, sizes)
                    if cell == LSTM:
                        fetch_states(scratch, at + places.cell, dfinal_cell, this * ROWS, sizes)
                for index in range(steps - 1, -1, -1):
                    step = steps - 1 - index if sizes.backwards else index
                    late = sizes.steps - 1 - index
                    for this in range(start, stop):
                        at, rows = places.tiles + (this - start) * places.size, (this - start) * ROWS
                        old = (this * (sizes.steps + 1) + index) * slot
                        going_on(going, rows, lengths, this * ROWS, step, sizes)
                        fetch(scratch, at + places.inputs, inputs, input_mask, going, rows, this * ROWS, step, features)
                        masked(scratch, at + places.read, states, old, state_mask, this * ROWS, step, sizes)
                        if apart:
                            clear(scratch, at + places.dread, at + places.dread + part)
                        if dinputs.values.size > 0:
                            clear(scratch, at + places.dinputs, at + places.dinputs + input_count * tile)
                        if doutputs.values.size > 0:
                            fetch(scratch, at + places.sums, doutputs, no_mask, going, rows, this * ROWS, step, units)
                            add(scratch, at + places.state, scratch, at + places.sums, at + places.sums + part)
                    for block in range(count):
                        for this in range(start, stop):
                            at, rows = places.tiles + (this - start) * places.size, (this - start) * ROWS
                            dsums, own = at + places.sums + block * all_sums * tile, at + block * tile
                            dstate = own + places.state
                            old = (this * (sizes.steps + 1) + index) * slot + block * tile
                            new = old + slot
                            keep = this * all_kept + (late * count + block) * gates_kept * tile
                            ask_for(kept, keep + count * gates_kept * tile, gates_kept, 0)
                            if cell == LSTM:
                                lstm.back(
                                    scratch, dsums, dstate, own + places.cell, states, old, new, part, kept, keep,
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
                            scratch, places.tiles + places.dread, places.tiles + places.sums + 2 * tile,
                            members, places.size, all_sums, 1, places.candidate_weights, count, count,
                        )  # fmt: skip
                        for this in range(start, stop):
                            at, rows = places.tiles + (this - start) * places.size, (this - start) * ROWS
                            for block in range(count):
                                dsums, own = at + places.sums + block * all_sums * tile, at + block * tile
                                keep = this * all_kept + (late * count + block) * gates_kept * tile
                                gru.back_through_reset(
                                    scratch, dsums, own + places.dread, own + places.read, own + places.reset_read,
                                    kept, keep, going, rows,
                                )  # fmt: skip
                    for block in range(count):
                        for this in range(start, stop):
                            at = places.tiles + (this - start) * places.size
                            dsums = at + places.sums + block * all_sums * tile
                            ahead = this * all_kept + ((late + 1) * count + block) * gates_kept * tile
                            ask_for(kept, ahead, gates_kept, 1)
                            add_biases(gradients, dbias + block * all_sums * lane, scratch, dsums, all_sums)
                            ask_for(kept, ahead, gates_kept, 2)
                            outer(
                                by_inputs, gradients, block * input_count * lane * by_inputs * lane,
                                scratch, at + places.inputs, input_count * lane, scratch, dsums + first_input * tile,
                            )  # fmt: skip
                            ask_for(kept, ahead, gates_kept, 3)
                            outer(
                                by_state, gradients, dstate_weights + block * count * lane * by_state * lane,
                                scratch, at + places.read, count * lane, scratch, dsums,
                            )  # fmt: skip
                            if cell == GRU_BEFORE:
                                outer(
                                    1, gradients, dcandidate_weights + block * count * lane * lane,
                                    scratch, at + places.reset_read, count * lane, scratch, dsums + 2 * tile,
                                )  # fmt: skip
                    back_product(
                        scratch, places.tiles + (places.dread if apart else places.state), places.tiles + places.sums,
                        members, places.size, all_sums, by_state, places.state_weights, count, count,
                    )  # fmt: skip
                    if apart:
                        for this in range(start, stop):
                            at = places.tiles + (this - start) * places.size
                            dread = at + places.dread
                            masked(scratch, dread, scratch, dread, state_mask, this * ROWS, step, sizes)
                            add(scratch, at + places.state, scratch, dread, dread + part)
                    if dinputs.values.size > 0:
                        back_product(
                            scratch, places.tiles + places.dinputs, places.tiles + places.sums + first_input * tile,
                            members, places.size, all_sums, by_inputs, places.weights, input_count, count,
                        )  # fmt: skip
                        for this in range(start, stop):
                            at, rows = places.tiles + (this - start) * places.size, (this - start) * ROWS
                            place = at + places.dinputs
                            write_steps(dinputs, input_mask, scratch, place, going, rows, this * ROWS, step, features)
                for this in range(start, stop):
                    at = places.tiles + (this - start) * places.size
                    write_states(dinitial, scratch, at + places.state, this * ROWS, sizes)
                    if cell == LSTM:
                        write_states(dinitial_cell, scratch, at + places.cell, this * ROWS, sizes)
                    if dinputs.values.size > 0:
                        clear_after(dinputs, lengths, this * ROWS, sizes, features)
        restore_denormals(denormals)
        return digest

    return backward
