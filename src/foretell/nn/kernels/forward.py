"""The way through time: a tile of sequences goes through all steps before the next tile begins, so that it stays in cache.

States lie in ``states`` by tile, slot, part (state, and the cell of an LSTM), block, row, lane. With a way back to come each step
has a slot of its own and ``kept`` holds its gates; else two slots take turns.
"""

from typing import Any, NamedTuple

from numba import njit

from .gates import gru, lstm
from .functions import activate, sigmoid
from .layout import COLUMNS, GRU, GRU_BEFORE, LSTM
from .products import product
from .vectors import ROWS, flush_denormals, fma, full, lanes, load, load_some, restore_denormals, store, store_some


class Sizes(NamedTuple):
    """What a call is about: how many of what.

    Attributes:
        batch: Sequences.
        steps: Steps of the longest.
        features: Inputs of a step.
        units: Numbers of a state.
        slots: States that are kept for a tile.
        group: Tiles that go through time together; more than one where weights exceed the cache.
        backwards: Whether sequences are read from their ends.
        relu: Whether the activation is the larger of x and zero, not tanh.
    """

    batch: int
    steps: int
    features: int
    units: int
    slots: int
    group: int
    backwards: bool
    relu: bool


class Sequences(NamedTuple):
    """Numbers by sequence, step and feature in one flat array; none at all where it is empty.

    Attributes:
        values: The numbers; those of one step stand together.
        row: Distance between two sequences.
        time: Distance between two steps; 0 for a mask that holds for all of them.
    """

    values: Any
    row: int
    time: int


@njit
def fetch(tiles: Any, at: int, source: Any, mask: Any, first: int, step: int, sizes: Sizes, width: int) -> None:
    """Fills tiles with one step of the sequences from ``first`` on, times a mask; zeros where there is no sequence."""
    lane = lanes(tiles)
    for row in range(ROWS):
        here = (first + row) * source.row + step * source.time
        there = (first + row) * mask.row + step * mask.time
        for start in range(0, width, lane):
            count = min(lane, width - start) if first + row < sizes.batch else 0
            numbers = load_some(source.values, here + start, count)
            if mask.values.size > 0:
                numbers = numbers * load_some(mask.values, there + start, count)
            store(tiles, at + start * ROWS + row * lane, numbers)


@njit
def masked(tiles: Any, at: int, states: Any, state_at: int, mask: Any, first: int, step: int, sizes: Sizes) -> None:
    """Fills tiles with states, times a mask."""
    lane = lanes(tiles)
    for row in range(ROWS):
        there = (first + row) * mask.row + step * mask.time
        for start in range(0, sizes.units, lane):
            place = start * ROWS + row * lane
            numbers = load(states, state_at + place)
            if mask.values.size > 0:
                count = min(lane, sizes.units - start) if first + row < sizes.batch else 0
                numbers = numbers * load_some(mask.values, there + start, count)
            store(tiles, at + place, numbers)


@njit
def write(target: Any, at: int, tiles: Any, tiles_at: int, row: int, width: int) -> None:
    """Writes one sequence's numbers out of tiles."""
    lane = lanes(tiles)
    for start in range(0, width, lane):
        numbers = load(tiles, tiles_at + start * ROWS + row * lane)
        store_some(target, at + start, numbers, min(lane, width - start))


@njit
def longest(lengths: Any, first: int, last: int) -> int:
    """Steps of the longest of some sequences."""
    steps = 0
    for row in range(first, last):
        steps = max(steps, lengths[row])
    return steps


def make_forward(cell: int, digest: int) -> Any:
    """Compiles, when first called, the way through time of one kind of cell.

    Args:
        cell: The kind, as in :mod:`.layout`.
        digest: Changes with the kernels' source; numba's cache on disk looks at closures but not at other files.
    """
    sums, first_input, kept_vectors = COLUMNS[cell].sums, COLUMNS[cell].first_input, COLUMNS[cell].kept
    inputs_columns, state_columns = len(COLUMNS[cell].from_inputs), len(COLUMNS[cell].from_state)
    parts = 2 if cell == LSTM else 1

    @njit(cache=True, nogil=True)
    def forward(
        first_tile: int, last_tile: int, sizes: Sizes, inputs: Any, input_mask: Any, state_mask: Any, lengths: Any,
        initial: Any, initial_cell: Any, weights: Any, state_weights: Any, candidate_weights: Any, bias: Any,
        outputs: Any, final: Any, final_cell: Any, states: Any, kept: Any, scratch: Any,
    ) -> int:
        lane, units = lanes(states), sizes.units
        tile = ROWS * lane
        count = (units + lane - 1) // lane
        input_tiles = (sizes.features + lane - 1) // lane
        input_rows, state_rows = input_tiles * lane, count * lane
        part = count * tile
        slot = parts * part
        # The scratch of a tile: its inputs, its masked state, its sums, and for a reset before the product the reset state.
        own_sums = sums * tile * (count if cell == GRU_BEFORE else 1)
        own = input_tiles * tile + 2 * part + own_sums
        unmasked = Sequences(inputs.values[:0], 0, 0)
        before = flush_denormals()
        for start in range(first_tile, last_tile, sizes.group):
            stop = min(start + sizes.group, last_tile)
            steps = longest(lengths, start * ROWS, min(stop * ROWS, sizes.batch))
            for this in range(start, stop):
                fetch(states, this * sizes.slots * slot, initial, unmasked, this * ROWS, 0, sizes, units)
                if cell == LSTM:
                    fetch(states, this * sizes.slots * slot + part, initial_cell, unmasked, this * ROWS, 0, sizes, units)
            for index in range(steps):
                step = steps - 1 - index if sizes.backwards else index
                old_slot, new_slot = index % sizes.slots * slot, (index + 1) % sizes.slots * slot
                for this in range(start, stop):
                    at, all_slots = (this - start) * own, this * sizes.slots * slot
                    fetch(scratch, at, inputs, input_mask, this * ROWS, step, sizes, sizes.features)
                    masked(scratch, at + input_tiles * tile, states, all_slots + old_slot, state_mask, this * ROWS, step, sizes)
                for block in range(count):
                    for this in range(start, stop):
                        at, all_slots = (this - start) * own, this * sizes.slots * slot
                        state_at = at + input_tiles * tile
                        sums_at = state_at + 2 * part + (block * sums * tile if cell == GRU_BEFORE else 0)
                        for which in range(sums):
                            number = load(bias, (block * sums + which) * lane)
                            for row in range(ROWS):
                                store(scratch, sums_at + (which * ROWS + row) * lane, number)
                        product(
                            inputs_columns, scratch, sums_at + first_input * tile, scratch, at, sizes.features,
                            weights, block * input_rows * inputs_columns * lane,
                        )
                        product(
                            state_columns, scratch, sums_at, scratch, state_at, units,
                            state_weights, block * state_rows * state_columns * lane,
                        )
                        old, new = all_slots + old_slot + block * tile, all_slots + new_slot + block * tile
                        keep_at = ((this * sizes.steps + step) * count + block) * kept_vectors * tile
                        for row in range(ROWS):
                            here = row * lane
                            state = load(states, old + here)
                            going = this * ROWS + row < sizes.batch and step < lengths[this * ROWS + row]
                            first = load(scratch, sums_at + here)
                            if cell == LSTM:
                                entry, keep, candidate, exit_, memory, output = lstm(
                                    first, load(scratch, sums_at + tile + here), load(scratch, sums_at + 2 * tile + here),
                                    load(scratch, sums_at + 3 * tile + here), load(states, old + part + here), sizes.relu,
                                )
                                if kept.size > 0:
                                    store(kept, keep_at + here, entry)
                                    store(kept, keep_at + tile + here, keep)
                                    store(kept, keep_at + 2 * tile + here, candidate)
                                    store(kept, keep_at + 3 * tile + here, exit_)
                                store(states, new + part + here, memory if going else load(states, old + part + here))
                                store(states, new + here, output if going else state)
                            elif cell == GRU:
                                reset, update, candidate, output = gru(
                                    first, load(scratch, sums_at + tile + here), load(scratch, sums_at + 2 * tile + here),
                                    load(scratch, sums_at + 3 * tile + here), state, sizes.relu,
                                )
                                if kept.size > 0:
                                    store(kept, keep_at + here, first)
                                    store(kept, keep_at + tile + here, reset)
                                    store(kept, keep_at + 2 * tile + here, update)
                                    store(kept, keep_at + 3 * tile + here, candidate)
                                store(states, new + here, output if going else state)
                            elif cell == GRU_BEFORE:
                                reset = sigmoid(first)
                                store(scratch, sums_at + here, reset)
                                place = state_at + block * tile + here
                                store(scratch, place + part, reset * load(scratch, place))
                            else:
                                store(states, new + here, activate(first, sizes.relu) if going else state)
                if cell == GRU_BEFORE:
                    for block in range(count):
                        for this in range(start, stop):
                            at, all_slots = (this - start) * own, this * sizes.slots * slot
                            state_at = at + input_tiles * tile
                            sums_at = state_at + 2 * part + block * sums * tile
                            product(
                                1, scratch, sums_at + 2 * tile, scratch, state_at + part, units,
                                candidate_weights, block * state_rows * lane,
                            )
                            old, new = all_slots + old_slot + block * tile, all_slots + new_slot + block * tile
                            keep_at = ((this * sizes.steps + step) * count + block) * kept_vectors * tile
                            for row in range(ROWS):
                                here = row * lane
                                state = load(states, old + here)
                                going = this * ROWS + row < sizes.batch and step < lengths[this * ROWS + row]
                                update = sigmoid(load(scratch, sums_at + tile + here))
                                candidate = activate(load(scratch, sums_at + 2 * tile + here), sizes.relu)
                                if kept.size > 0:
                                    store(kept, keep_at + here, load(scratch, sums_at + here))
                                    store(kept, keep_at + tile + here, update)
                                    store(kept, keep_at + 2 * tile + here, candidate)
                                output = fma(update, state - candidate, candidate)
                                store(states, new + here, output if going else state)
                if outputs.values.size > 0:
                    for this in range(start, stop):
                        for row in range(this * ROWS, min((this + 1) * ROWS, sizes.batch)):
                            if step < lengths[row]:
                                there = row * outputs.row + step * outputs.time
                                write(outputs.values, there, states, this * sizes.slots * slot + new_slot, row % ROWS, units)
            for this in range(start, stop):
                last = this * sizes.slots * slot + steps % sizes.slots * slot
                for row in range(this * ROWS, min((this + 1) * ROWS, sizes.batch)):
                    write(final, row * units, states, last, row % ROWS, units)
                    if cell == LSTM:
                        write(final_cell, row * units, states, last + part, row % ROWS, units)
                    if outputs.values.size > 0:
                        for step in range(lengths[row], sizes.steps):
                            there = row * outputs.row + step * outputs.time
                            outputs.values[there : there + units] = 0
        restore_denormals(before)
        return digest

    return forward
