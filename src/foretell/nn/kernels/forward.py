"""The way through time: a tile of sequences goes through all steps before the next begins, so that it stays in cache.

States lie by tile, slot, part (state, and the cell of an LSTM), block, row, lane. Where there will be a way back each
step has a slot of its own, and ``kept`` holds its gates by tile, step (the last one first, as they will be read),
block; else two slots take turns.
"""

from typing import Any

import numpy as np

from . import gru, lstm, rnn
from .compiling import kernel
from .layout import COLUMNS, GRU, GRU_BEFORE, LSTM
from .products import add_product, product
from .tiles import (
    Sequences,
    clear_after,
    clear_lanes,
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
        digest: Changes with the kernels' source; numba's cache on disk looks at closures but not at other files.
    """
    columns = COLUMNS[cell]
    all_sums, first_input, gates_kept = columns.sums, columns.first_input, columns.kept
    by_inputs, by_state = len(columns.from_inputs), len(columns.from_state)
    parts = 2 if cell == LSTM else 1

    @kernel
    def forward(
        first_tile, last_tile, sizes, places, inputs, input_mask, state_mask, lengths, initial, initial_cell,
        weights, state_weights, candidate_weights, bias, outputs, final, final_cell, states, kept, scratch,
    ):  # fmt: skip
        lane, units, features = lanes(states), sizes.units, sizes.features
        tile = ROWS * lane
        count, input_count = (units + lane - 1) // lane, (features + lane - 1) // lane
        part = count * tile
        slot, all_kept = parts * part, sizes.steps * count * gates_kept * tile
        no_mask = Sequences(inputs.values[:0], 0, 0)
        going = np.zeros(sizes.group * ROWS, np.bool_)
        denormals = flush_denormals()
        for start in range(first_tile, last_tile, sizes.group):
            stop = min(start + sizes.group, last_tile)
            steps = longest(lengths, start * ROWS, min(stop * ROWS, sizes.batch))
            for this in range(start, stop):
                first_slot = this * sizes.slots * slot
                fetch_states(states, first_slot, initial, this * ROWS, sizes)
                if cell == LSTM:
                    fetch_states(states, first_slot + part, initial_cell, this * ROWS, sizes)
            for index in range(steps):
                step = steps - 1 - index if sizes.backwards else index
                late = sizes.steps - 1 - index
                from_slot, to_slot = index % sizes.slots * slot, (index + 1) % sizes.slots * slot
                for this in range(start, stop):
                    at, old = (this - start) * places.size, this * sizes.slots * slot + from_slot
                    rows = (this - start) * ROWS
                    going_on(going, rows, lengths, this * ROWS, step, sizes)
                    fetch(scratch, at + places.inputs, inputs, input_mask, going, rows, this * ROWS, step, features)
                    masked(scratch, at + places.read, states, old, state_mask, this * ROWS, step, sizes)
                for block in range(count):
                    for this in range(start, stop):
                        at, slots = (this - start) * places.size, this * sizes.slots * slot + block * tile
                        sums = at + places.sums + (block * all_sums * tile if cell == GRU_BEFORE else 0)
                        bias_at = block * all_sums * lane
                        product(
                            by_state, scratch, sums, scratch, at + places.read, units,
                            state_weights, block * count * lane * by_state * lane, bias, bias_at, lane, 0,
                        )  # fmt: skip
                        for which in range(by_state, all_sums):
                            number = load(bias, bias_at + which * lane)
                            for row in range(ROWS):
                                store(scratch, sums + (which * ROWS + row) * lane, number)
                        add_product(
                            by_inputs, scratch, sums + first_input * tile, scratch, at + places.inputs, features,
                            weights, block * input_count * lane * by_inputs * lane,
                        )  # fmt: skip
                        if (block + 1) * lane > units:
                            clear_lanes(scratch, sums, sums + all_sums * tile, units - block * lane)
                        old, new = slots + from_slot, slots + to_slot
                        keep = this * all_kept + (late * count + block) * gates_kept * tile
                        rows = (this - start) * ROWS
                        if cell == LSTM:
                            lstm.step(scratch, sums, states, old, new, part, kept, keep, going, rows, sizes.relu)
                        elif cell == GRU:
                            gru.step(scratch, sums, states, old, new, kept, keep, going, rows, sizes.relu)
                        elif cell == GRU_BEFORE:
                            own = at + block * tile
                            gru.reset_before(scratch, sums, own + places.read, own + places.reset_read)
                        else:
                            rnn.step(scratch, sums, states, old, new, going, rows, sizes.relu)
                if cell == GRU_BEFORE:
                    for block in range(count):
                        for this in range(start, stop):
                            at, slots = (this - start) * places.size, this * sizes.slots * slot + block * tile
                            sums = at + places.sums + block * all_sums * tile
                            add_product(
                                1, scratch, sums + 2 * tile, scratch, at + places.reset_read, units,
                                candidate_weights, block * count * lane * lane,
                            )  # fmt: skip
                            old, new = slots + from_slot, slots + to_slot
                            keep = this * all_kept + (late * count + block) * gates_kept * tile
                            rows = (this - start) * ROWS
                            gru.step_after_reset(scratch, sums, states, old, new, kept, keep, going, rows, sizes.relu)
                if outputs.values.size > 0:
                    for this in range(start, stop):
                        new, rows = this * sizes.slots * slot + to_slot, (this - start) * ROWS
                        write_steps(outputs, no_mask, states, new, going, rows, this * ROWS, step, units)
            for this in range(start, stop):
                last = this * sizes.slots * slot + steps % sizes.slots * slot
                write_states(final, states, last, this * ROWS, sizes)
                if cell == LSTM:
                    write_states(final_cell, states, last + part, this * ROWS, sizes)
                if outputs.values.size > 0:
                    clear_after(outputs, lengths, this * ROWS, sizes, units)
        restore_denormals(denormals)
        return digest

    return forward
