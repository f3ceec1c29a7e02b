"""The way back through time: gradients by states, inputs and weights in one pass over what the way forward kept."""

from typing import Any

from numba import njit

from .forward import Sequences, Sizes, fetch, longest, masked, write
from .functions import slope
from .gates import gru_back, gru_before_back, lstm_back
from .layout import COLUMNS, GRU, GRU_BEFORE, LSTM
from .products import outer, product
from .vectors import ROWS, flush_denormals, fma, full, lanes, load, load_some, restore_denormals, store, store_some


def make_backward(cell: int, digest: int) -> Any:
    sums, first_input, kept_vectors = COLUMNS[cell].sums, COLUMNS[cell].first_input, COLUMNS[cell].kept
    inputs_columns, state_columns = len(COLUMNS[cell].from_inputs), len(COLUMNS[cell].from_state)
    parts = 2 if cell == LSTM else 1

    @njit(cache=True, nogil=True)
    def backward(
        first_tile: int, last_tile: int, sizes: Sizes, inputs: Any, input_mask: Any, state_mask: Any, lengths: Any,
        weights_back: Any, state_weights_back: Any, candidate_weights_back: Any, states: Any, kept: Any,
        doutputs: Any, dfinal: Any, dfinal_cell: Any,
        dinputs: Any, dinitial: Any, dinitial_cell: Any, dweights: Any, dstate_weights: Any, dcandidate_weights: Any, dbias: Any,
        scratch: Any,
    ) -> int:
        lane, units = lanes(states), sizes.units
        tile = ROWS * lane
        count = (units + lane - 1) // lane
        input_tiles = (sizes.features + lane - 1) // lane
        input_rows, state_rows = input_tiles * lane, count * lane
        part = count * tile
        slot = parts * part
        # inputs, masked state, product by the transposed weights, dstate, dcell, dsums, and the inputs' gradient
        state_from = input_tiles * tile
        back_from = state_from + part
        dstate_from = back_from + part
        dcell_from = dstate_from + part
        reset_from = dcell_from + part
        dsums_from = reset_from + part
        dinputs_from = dsums_from + sums * part
        own = dinputs_from + input_tiles * tile
        unmasked = Sequences(inputs.values[:0], 0, 0)
        before = flush_denormals()
        for start in range(first_tile, last_tile, sizes.group):
            stop = min(start + sizes.group, last_tile)
            steps = longest(lengths, start * ROWS, min(stop * ROWS, sizes.batch))
            for this in range(start, stop):
                at = (this - start) * own
                fetch(scratch, at + dstate_from, dfinal, unmasked, this * ROWS, 0, sizes, units)
                if cell == LSTM:
                    fetch(scratch, at + dcell_from, dfinal_cell, unmasked, this * ROWS, 0, sizes, units)
            for index in range(steps - 1, -1, -1):
                step = steps - 1 - index if sizes.backwards else index
                for this in range(start, stop):
                    at = (this - start) * own
                    old = (this * sizes.slots + index) * slot
                    fetch(scratch, at, inputs, input_mask, this * ROWS, step, sizes, sizes.features)
                    masked(scratch, at + state_from, states, old, state_mask, this * ROWS, step, sizes)
                    if doutputs.values.size > 0:
                        for row in range(this * ROWS, min((this + 1) * ROWS, sizes.batch)):
                            if step < lengths[row]:
                                there = row * doutputs.row + step * doutputs.time
                                for first in range(0, units, lane):
                                    place = at + dstate_from + first * ROWS + row % ROWS * lane
                                    extra = load_some(doutputs.values, there + first, min(lane, units - first))
                                    store(scratch, place, load(scratch, place) + extra)
                for block in range(count):
                    for this in range(start, stop):
                        at = (this - start) * own
                        old = (this * sizes.slots + index) * slot + block * tile
                        new = old + slot
                        keep_at = ((this * sizes.steps + step) * count + block) * kept_vectors * tile
                        dsums_at = at + dsums_from + block * sums * tile
                        for row in range(ROWS):
                            here = row * lane
                            dstate_at = at + dstate_from + block * tile + here
                            dstate = load(scratch, dstate_at)
                            zero = full(dstate, 0.0)
                            if this * ROWS + row >= sizes.batch or step >= lengths[this * ROWS + row]:
                                for which in range(sums):
                                    store(scratch, dsums_at + which * tile + here, zero)
                            elif cell == LSTM:
                                dcell_at = dstate_at + part
                                d0, d1, d2, d3, dmemory = lstm_back(
                                    load(kept, keep_at + here), load(kept, keep_at + tile + here),
                                    load(kept, keep_at + 2 * tile + here), load(kept, keep_at + 3 * tile + here),
                                    load(states, old + part + here), load(states, new + part + here),
                                    dstate, load(scratch, dcell_at), sizes.relu,
                                )
                                store(scratch, dsums_at + here, d0)
                                store(scratch, dsums_at + tile + here, d1)
                                store(scratch, dsums_at + 2 * tile + here, d2)
                                store(scratch, dsums_at + 3 * tile + here, d3)
                                store(scratch, dcell_at, dmemory)
                                store(scratch, dstate_at, zero)
                            elif cell == GRU:
                                d0, d1, d2, d3, dcarried = gru_back(
                                    load(kept, keep_at + here), load(kept, keep_at + tile + here),
                                    load(kept, keep_at + 2 * tile + here), load(kept, keep_at + 3 * tile + here),
                                    load(states, old + here), dstate, sizes.relu,
                                )
                                store(scratch, dsums_at + here, d0)
                                store(scratch, dsums_at + tile + here, d1)
                                store(scratch, dsums_at + 2 * tile + here, d2)
                                store(scratch, dsums_at + 3 * tile + here, d3)
                                store(scratch, dstate_at, dcarried)
                            elif cell == GRU_BEFORE:
                                d1, d2, dcarried = gru_before_back(
                                    load(kept, keep_at + tile + here), load(kept, keep_at + 2 * tile + here),
                                    load(states, old + here), dstate, sizes.relu,
                                )
                                store(scratch, dsums_at + here, zero)
                                store(scratch, dsums_at + tile + here, d1)
                                store(scratch, dsums_at + 2 * tile + here, d2)
                                store(scratch, dstate_at, dcarried)
                            else:
                                store(scratch, dsums_at + here, dstate * slope(load(states, new + here), sizes.relu))
                                store(scratch, dstate_at, zero)
                if cell == GRU_BEFORE:
                    for this in range(start, stop):
                        at = (this - start) * own
                        for place in range(at + back_from, at + back_from + part):
                            scratch[place] = 0
                    for first in range(0, count, 2):
                        for block in range(count):
                            for this in range(start, stop):
                                at = (this - start) * own
                                columns = min(2, count - first)
                                product(
                                    columns, scratch, at + back_from + first * tile, scratch, at + dsums_from + (block * sums + 2) * tile, lane,
                                    candidate_weights_back, (first * state_rows + block * columns * lane) * lane,
                                )
                    for this in range(start, stop):
                        at = (this - start) * own
                        for block in range(count):
                            keep_at = ((this * sizes.steps + step) * count + block) * kept_vectors * tile
                            for row in range(ROWS):
                                here = block * tile + row * lane
                                reset = load(kept, keep_at + row * lane)
                                back = load(scratch, at + back_from + here)
                                state = load(scratch, at + state_from + here)
                                going = this * ROWS + row < sizes.batch and step < lengths[this * ROWS + row]
                                if going:
                                    dreset = back * state * reset * (1.0 - reset)
                                    store(scratch, at + dsums_from + block * sums * tile + row * lane, dreset)
                                store(scratch, at + reset_from + here, reset * state)
                                # by the state before, through the reset state; masked with the rest below
                                store(scratch, at + back_from + here, back * reset if going else full(back, 0.0))
                elif state_mask.values.size > 0:
                    for this in range(start, stop):
                        at = (this - start) * own
                        for place in range(at + back_from, at + back_from + part):
                            scratch[place] = 0
                direct = cell != GRU_BEFORE and state_mask.values.size == 0
                for block in range(count):
                    for this in range(start, stop):
                        at = (this - start) * own
                        dsums_at = at + dsums_from + block * sums * tile
                        for which in range(sums):
                            total = load(dbias, (block * sums + which) * lane)
                            for row in range(ROWS):
                                total = total + load(scratch, dsums_at + (which * ROWS + row) * lane)
                            store(dbias, (block * sums + which) * lane, total)
                        outer(
                            inputs_columns, dweights, block * input_rows * inputs_columns * lane, scratch, at, input_rows,
                            scratch, dsums_at + first_input * tile,
                        )
                        outer(
                            state_columns, dstate_weights, block * state_rows * state_columns * lane, scratch, at + state_from, state_rows,
                            scratch, dsums_at,
                        )
                        if cell == GRU_BEFORE:
                            outer(
                                1, dcandidate_weights, block * state_rows * lane, scratch, at + reset_from, state_rows,
                                scratch, dsums_at + 2 * tile,
                            )
                for first in range(0, count, 2):
                    columns = min(2, count - first)
                    for block in range(count):
                        for this in range(start, stop):
                            at = (this - start) * own
                            product(
                                columns, scratch, at + (dstate_from if direct else back_from) + first * tile,
                                scratch, at + dsums_from + block * sums * tile, state_columns * lane,
                                state_weights_back, (first * state_rows + block * columns * lane) * state_columns * lane,
                            )
                if not direct:
                    for this in range(start, stop):
                        at = (this - start) * own
                        for row in range(ROWS):
                            there = (this * ROWS + row) * state_mask.row + step * state_mask.time
                            for first in range(0, units, lane):
                                place = at + first * ROWS + row * lane
                                back = load(scratch, place + back_from)
                                if state_mask.values.size > 0:
                                    numbers = min(lane, units - first) if this * ROWS + row < sizes.batch else 0
                                    back = back * load_some(state_mask.values, there + first, numbers)
                                store(scratch, place + dstate_from, load(scratch, place + dstate_from) + back)
                if dinputs.values.size > 0:
                    for this in range(start, stop):
                        at = (this - start) * own
                        for place in range(at + dinputs_from, at + own):
                            scratch[place] = 0
                        for first in range(0, input_tiles, 2):
                            columns = min(2, input_tiles - first)
                            for block in range(count):
                                product(
                                    columns, scratch, at + dinputs_from + first * tile,
                                    scratch, at + dsums_from + (block * sums + first_input) * tile, inputs_columns * lane,
                                    weights_back, (first * state_rows + block * columns * lane) * inputs_columns * lane,
                                )
                        for row in range(this * ROWS, min((this + 1) * ROWS, sizes.batch)):
                            there = row * dinputs.row + step * dinputs.time
                            masks = row * input_mask.row + step * input_mask.time
                            for first in range(0, sizes.features, lane):
                                numbers = min(lane, sizes.features - first)
                                gradient = load(scratch, at + dinputs_from + first * ROWS + row % ROWS * lane)
                                if input_mask.values.size > 0:
                                    gradient = gradient * load_some(input_mask.values, masks + first, numbers)
                                store_some(dinputs.values, there + first, gradient, numbers)
            for this in range(start, stop):
                at = (this - start) * own
                for row in range(this * ROWS, min((this + 1) * ROWS, sizes.batch)):
                    write(dinitial, row * units, scratch, at + dstate_from, row % ROWS, units)
                    if cell == LSTM:
                        write(dinitial_cell, row * units, scratch, at + dcell_from, row % ROWS, units)
                    if dinputs.values.size > 0:
                        for step in range(steps, sizes.steps):
                            there = row * dinputs.row + step * dinputs.time
                            dinputs.values[there : there + sizes.features] = 0
        restore_denormals(before)
        return digest

    return backward
