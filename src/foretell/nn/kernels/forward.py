"""The way through time: a tile of sequences goes through all steps before the next begins, so that it stays in cache.

Where there will be a way back, ``states`` takes the state before each step and the last one, by tile, step, part
(state, and the cell of an LSTM), block, row, lane; ``kept`` takes the gates by tile, step (the last one first, as they
will be read), block.
"""

from typing import Any

import numpy as np

from . import gru, lstm, rnn
from .compiling import kernel
from .layout import COLUMNS, GRU, GRU_BEFORE, LSTM, pack, pack_bias
from .products import add_product, product
from .tiles import (
    Sequences,
    clear_after,
    clear_lanes,
    copy,
    fetch,
    fetch_states,
    going_on,
    longest,
    masked,
    write_states,
    write_steps,
)
from .vectors import ROWS, flush_denormals, lanes, load, restore_denormals, store


def make_forward(cell: int, digest: int) -> Any:
    """The way through time of one kind of cell, compiled when it is first called.

    Args:
        cell: The kind, as in :mod:`.layout`.
        digest: Of the kernels' source, see :mod:`.compiling`.
    """
    columns = COLUMNS[cell]
    all_sums, first_input, gates_kept = columns.sums, columns.first_input, columns.kept
    from_inputs, from_state = columns.from_inputs, columns.from_state
    by_inputs, by_state = len(from_inputs), len(from_state)
    parts = 2 if cell == LSTM else 1
    # Where inputs and state add to the same sums, one product of both does it.
    joint = from_inputs == from_state

    @kernel
    def forward(
        first_tile, last_tile, sizes, places, inputs, input_mask, state_mask, lengths, initial, initial_cell,
        weights, state_weights, bias, candidate_bias, outputs, final, final_cell, states, kept, scratch,
    ):  # fmt: skip
        lane, units, features = lanes(states), sizes.units, sizes.features
        tile = ROWS * lane
        count, input_count = (units + lane - 1) // lane, (features + lane - 1) // lane
        part = count * tile
        slot, all_kept = parts * part, sizes.steps * count * gates_kept * tile
        no_mask = Sequences(inputs.values[:0], 0, 0)
        going = np.zeros(sizes.group * ROWS, np.bool_)
        denormals = flush_denormals()
        input_rows, state_rows = input_count * lane, count * lane
        if joint:
            joint_rows = input_rows + state_rows
            pack(scratch, places.weights, weights, units, from_inputs, 0, joint_rows)
            pack(scratch, places.weights, state_weights, units, from_state, input_rows, joint_rows)
        else:
            pack(scratch, places.weights, weights, units, from_inputs, 0, input_rows)
            pack(scratch, places.state_weights, state_weights, units, from_state, 0, state_rows)
        if cell == GRU_BEFORE:
            pack(scratch, places.candidate_weights, state_weights, units, (2,), 0, state_rows)
        pack_bias(scratch, places.bias, bias, candidate_bias, units, all_sums, first_input)
        for start in range(first_tile, last_tile, sizes.group):
            stop = min(start + sizes.group, last_tile)
            steps = longest(lengths, start * ROWS, min(stop * ROWS, sizes.batch))
            for this in range(start, stop):
                at, slots = places.tiles + (this - start) * places.size, this * (sizes.steps + 1) * slot
                fetch_states(scratch, at + places.state, initial, this * ROWS, sizes)
                if cell == LSTM:
                    fetch_states(scratch, at + places.cell, initial_cell, this * ROWS, sizes)
                if states.size > 0:
                    copy(states, slots, scratch, at + places.state, slot)
            for index in range(steps):
                step = steps - 1 - index if sizes.backwards else index
                late = sizes.steps - 1 - index
                for this in range(start, stop):
                    at, rows = places.tiles + (this - start) * places.size, (this - start) * ROWS
                    going_on(going, rows, lengths, this * ROWS, step, sizes)
                    fetch(scratch, at + places.inputs, inputs, input_mask, going, rows, this * ROWS, step, features)
                    masked(scratch, at + places.read, scratch, at + places.state, state_mask, this * ROWS, step, sizes)
                for block in range(count):
                    for this in range(start, stop):
                        at, rows = places.tiles + (this - start) * places.size, (this - start) * ROWS
                        sums = at + places.sums + (block * all_sums * tile if cell == GRU_BEFORE else 0)
                        bias_at = places.bias + block * all_sums * lane
                        if joint:
                            product(
                                by_state, scratch, sums, scratch, at + places.inputs, input_rows + units,
                                scratch, places.weights + block * (input_rows + state_rows) * by_state * lane,
                                scratch, bias_at, lane, 0,
                            )  # fmt: skip
                        else:
                            product(
                                by_state, scratch, sums, scratch, at + places.read, units,
                                scratch, places.state_weights + block * state_rows * by_state * lane,
                                scratch, bias_at, lane, 0,
                            )  # fmt: skip
                            for which in range(by_state, all_sums):
                                number = load(scratch, bias_at + which * lane)
                                for row in range(ROWS):
                                    store(scratch, sums + (which * ROWS + row) * lane, number)
                            add_product(
                                by_inputs, scratch, sums + first_input * tile, scratch, at + places.inputs, features,
                                scratch, places.weights + block * input_rows * by_inputs * lane,
                            )  # fmt: skip
                        if (block + 1) * lane > units:
                            clear_lanes(scratch, sums, sums + all_sums * tile, units - block * lane)
                        own, keep = at + block * tile, this * all_kept + (late * count + block) * gates_kept * tile
                        new = (this * (sizes.steps + 1) + index + 1) * slot + block * tile
                        state_at, cell_at = own + places.state, own + places.cell
                        if cell == LSTM:
                            lstm.step(
                                scratch, sums, state_at, cell_at, states, new, part, kept, keep, going, rows, sizes.relu
                            )
                        elif cell == GRU:
                            gru.step(scratch, sums, state_at, states, new, kept, keep, going, rows, sizes.relu)
                        elif cell == GRU_BEFORE:
                            gru.reset_before(scratch, sums, own + places.read, own + places.reset_read)
                        else:
                            rnn.step(scratch, sums, state_at, states, new, going, rows, sizes.relu)
                if cell == GRU_BEFORE:
                    for block in range(count):
                        for this in range(start, stop):
                            at, rows = places.tiles + (this - start) * places.size, (this - start) * ROWS
                            sums = at + places.sums + block * all_sums * tile
                            add_product(
                                1, scratch, sums + 2 * tile, scratch, at + places.reset_read, units,
                                scratch, places.candidate_weights + block * state_rows * lane,
                            )  # fmt: skip
                            keep = this * all_kept + (late * count + block) * gates_kept * tile
                            new = (this * (sizes.steps + 1) + index + 1) * slot + block * tile
                            state_at = at + block * tile + places.state
                            gru.step_after_reset(
                                scratch, sums, state_at, states, new, kept, keep, going, rows, sizes.relu
                            )
                if outputs.values.size > 0:
                    for this in range(start, stop):
                        at, rows = places.tiles + (this - start) * places.size, (this - start) * ROWS
                        state_at = at + places.state
                        write_steps(outputs, no_mask, scratch, state_at, going, rows, this * ROWS, step, units)
            for this in range(start, stop):
                at = places.tiles + (this - start) * places.size
                write_states(final, scratch, at + places.state, this * ROWS, sizes)
                if cell == LSTM:
                    write_states(final_cell, scratch, at + places.cell, this * ROWS, sizes)
                if outputs.values.size > 0:
                    clear_after(outputs, lengths, this * ROWS, sizes, units)
        restore_denormals(denormals)
        return digest

    return forward
