"""How a recurrent layer's weights lie in memory while a kernel runs, and which sums each kind of cell keeps.

Units are cut into blocks of one vector. For each block, the columns of its gates stand side by side, so that one walk
through memory multiplies a tile of states by all of them; at most three columns go together, so that their sums stay
in registers. Numbers of rows and columns are filled up with zeros to whole vectors.
"""

from typing import Any, NamedTuple

from numba import njit

from .compiling import kernel
from .vectors import ROWS, lanes, load, load_some, store, store_some

RNN, LSTM, GRU, GRU_BEFORE = range(4)


class Columns(NamedTuple):
    """Which of a block's sums (one vector each for every sequence) belong to what.

    Attributes:
        sums: How many there are.
        from_inputs: For each sum that inputs add to, the gate whose weights they are multiplied by; they come last.
        from_state: The same for the state; they come first.
        kept: How many vectors a step keeps for the way back.
    """

    sums: int
    from_inputs: tuple[int, ...]
    from_state: tuple[int, ...]
    kept: int

    @property
    def first_input(self) -> int:
        """The first sum that inputs add to."""
        return self.sums - len(self.from_inputs)


# Gates are numbered as in the parameters: LSTM input, forget, candidate, output; GRU reset, update, candidate. A GRU
# that resets after the product keeps the candidate's two halves apart: its sums are (state's half, reset, update,
# inputs' half).
COLUMNS = {
    RNN: Columns(1, (0,), (0,), 0),
    LSTM: Columns(4, (0, 1, 2, 3), (0, 1, 2, 3), 4),
    GRU: Columns(4, (0, 1, 2), (2, 0, 1), 4),
    GRU_BEFORE: Columns(3, (0, 1, 2), (0, 1), 3),
}


class Places(NamedTuple):
    """Where a thread keeps what within its scratch memory: the packed weights, then tile after tile.

    Attributes:
        weights: The matrix by inputs.
        state_weights: The matrix by the state, right after the one by inputs.
        candidate_weights: The matrix by the reset state.
        bias: The biases.
        tiles: The first tile; what follows is counted from where a tile begins.
        inputs: The step's inputs, masked.
        read: The state as matrices read it, masked, right after the inputs.
        reset_read: The same, reset before the product.
        sums: The sums of each block; on the way back, the loss's gradient by them.
        state: The state; on the way back, the gradient by it.
        cell: An LSTM's cell; on the way back, the gradient by it.
        dread: The gradient by the state as matrices read it.
        dinputs: The gradient by the step's inputs.
        size: All of a tile.
    """

    weights: int
    state_weights: int
    candidate_weights: int
    bias: int
    tiles: int
    inputs: int
    read: int
    reset_read: int
    sums: int
    state: int
    cell: int
    dread: int
    dinputs: int
    size: int


def places(columns: Columns, inputs: int, states: int, lanes: int) -> Places:
    """The scratch memory of a thread.

    Args:
        columns: The cell's sums.
        inputs: Vectors that hold a step's inputs.
        states: Vectors that hold a state.
        lanes: Numbers of a vector.
    """
    first, second, third = _matrix_sizes(columns, inputs, states, lanes)
    bias = first + second + third
    tiles = bias + columns.sums * states * lanes
    widths = (inputs, states, states, columns.sums * states, states, states, states, inputs)
    ends = [ROWS * lanes * sum(widths[:number]) for number in range(len(widths) + 1)]
    return Places(0, first, first + second, bias, tiles, *ends)


def _matrix_sizes(columns: Columns, inputs: int, states: int, lanes: int) -> tuple[int, int, int]:
    """Numbers of the packed matrices by inputs, by the state, and by the reset state; arguments as above."""
    block = states * lanes**2
    by_inputs, by_state = len(columns.from_inputs), len(columns.from_state)
    return inputs * by_inputs * block, states * by_state * block, states * (by_inputs - by_state) * block


def blocks(numbers: int, lanes: int) -> int:
    """Vectors that hold so many numbers."""
    return -(-numbers // lanes)


@njit
def together(columns):
    """How many columns of gates stand side by side: as many as a product takes at once."""
    return columns if columns == 1 or columns == 3 else 2


@njit
def pack(packed, at, weights, units, gates, row, rows):
    """Writes a matrix as the product of tiles reads it: block by block, group of gates by group, row by row.

    Args:
        packed: Takes it from ``at`` on.
        at: Where.
        weights: (rows, all gates · units), contiguous.
        units: Units of the layer.
        gates: Which gates, in which order.
        row: Which row of the packed matrix the first one becomes.
        rows: Rows of the packed matrix.
    """
    lane, columns = lanes(packed), len(gates)
    flat = weights.reshape(-1)
    group = together(columns)
    for first in range(0, units, lane):
        numbers = min(lane, units - first)
        for start in range(0, columns, group):
            place = at + (first * columns + start * lane) * rows + row * group * lane
            for own in range((len(weights) + lane - 1) // lane * lane):
                for column in range(start, start + group):
                    source = own * weights.shape[1] + gates[column] * units + first
                    store(packed, place, load_some(flat, source, numbers if own < len(weights) else 0))
                    place += lane


@njit
def pack_transposed(packed, at, weights, units, gates):
    """The same as the way back reads it: from every block's gates to its rows, two blocks of them at a time."""
    lane, rows = lanes(packed), len(weights)
    row_blocks = (rows + lane - 1) // lane
    place = at
    for first_block in range(0, row_blocks, 2):
        for first in range(0, units, lane):
            for column in range(len(gates)):
                for unit in range(first, first + lane):
                    for row in range(first_block * lane, min(first_block + 2, row_blocks) * lane):
                        inside = row < rows and unit < units
                        packed[place] = weights[row, gates[column] * units + unit] if inside else 0
                        place += 1


@njit
def pack_bias(packed, at, bias, candidate_bias, units, sums, first_input):
    """Writes what each sum begins with, block by block; sums before ``first_input`` have the candidate's bias."""
    place = at
    for first in range(0, units, lanes(packed)):
        numbers = min(lanes(packed), units - first)
        for which in range(sums):
            if which < first_input:
                store(packed, place, load_some(candidate_bias, first, numbers))
            else:
                store(packed, place, load_some(bias, (which - first_input) * units + first, numbers))
            place += lanes(packed)


@njit
def total(shares, place):
    """What all shares have summed at some place, always added in the same order."""
    flat, width = shares.reshape(-1), shares.shape[1]
    result = load(flat, place)
    for share in range(1, len(shares)):
        result = result + load(flat, share * width + place)
    return result


@njit
def unpack(shares, at, weights, units, gates):
    """The inverse of :func:`pack` for a matrix of its own, summed over shares; returns where it ends."""
    lane, columns = lanes(shares), len(gates)
    flat = weights.reshape(-1)
    group = together(columns)
    place = at
    for first in range(0, units, lane):
        for start in range(0, columns, group):
            for row in range((len(weights) + lane - 1) // lane * lane):
                for column in range(start, start + group):
                    if row < len(weights):
                        target = row * weights.shape[1] + gates[column] * units + first
                        store_some(flat, target, total(shares, place), min(lane, units - first))
                    place += lane
    return place


def make_collect(digest: int) -> Any:
    """What ends a way back, compiled when it is first called; ``digest`` is of the kernels' source."""

    @kernel
    def collect(shares, units, from_inputs, from_state, from_reset, dweights, dstate_weights, dbias, dcandidate_bias):
        """The gradients by weights and biases, from the packed ones of all shares.

        Args:
            shares: (share, number).
            units: Units of the layer.
            from_inputs: Which gates inputs add to, as an array.
            from_state: Which gates the state adds to.
            from_reset: Which gates the reset state adds to.
            dweights: Takes the gradient by the input weights.
            dstate_weights: Takes that by the state weights.
            dbias: Takes that by the bias.
            dcandidate_bias: Takes that by a GRU's bias of its own for the candidate, where it has one.
        """
        place = unpack(shares, 0, dweights, units, from_inputs)
        place = unpack(shares, place, dstate_weights, units, from_state)
        place = unpack(shares, place, dstate_weights, units, from_reset)
        for first in range(0, units, lanes(shares)):
            numbers = min(lanes(shares), units - first)
            if dcandidate_bias.size > 0:
                store_some(dcandidate_bias, first, total(shares, place), numbers)
                place += lanes(shares)
            for gate in range(len(from_inputs)):
                store_some(dbias, gate * units + first, total(shares, place), numbers)
                place += lanes(shares)
        return digest

    return collect
