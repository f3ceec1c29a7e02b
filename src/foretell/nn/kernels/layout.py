"""How a recurrent layer's weights lie in memory while a kernel runs, and which sums each kind of cell keeps.

Units are cut into blocks of one vector. For each block, the columns of its gates stand side by side, so that one walk
through memory multiplies a tile of states by all of them; at most three columns go together, so that their sums stay
in registers. Numbers of rows and columns are filled up with zeros to whole vectors.
"""

from typing import NamedTuple

import numpy as np

from .compiling import kernel
from .vectors import lanes, load_some, store

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
    """Where a tile keeps what within the scratch memory that goes through time with it.

    Attributes:
        inputs: The step's inputs, masked.
        read: The state as matrices read it, masked.
        reset_read: The same, reset before the product.
        sums: The sums of each block; on the way back, the loss's gradient by them.
        dread: The gradient by the state as matrices read it.
        dstate: The gradient by the state.
        dcell: The gradient by an LSTM's cell.
        dinputs: The gradient by the step's inputs.
        size: All of it.
    """

    inputs: int
    read: int
    reset_read: int
    sums: int
    dread: int
    dstate: int
    dcell: int
    dinputs: int
    size: int


def places(columns: Columns, input_blocks: int, state_blocks: int, tile: int) -> Places:
    """The scratch memory of a tile.

    Args:
        columns: The cell's sums.
        input_blocks: Vectors that hold a step's inputs.
        state_blocks: Vectors that hold a state.
        tile: Numbers of a tile.
    """
    widths = (input_blocks, state_blocks, state_blocks, columns.sums * state_blocks, *[state_blocks] * 3, input_blocks)
    ends = [tile * sum(widths[:number]) for number in range(len(widths) + 1)]
    return Places(*ends)


def blocks(numbers: int, lanes: int) -> int:
    """Vectors that hold so many numbers."""
    return -(-numbers // lanes)


@kernel
def pack(weights, units, gates, packed):
    """A matrix as the product of tiles reads it: block by block, group of gates by group, row by row.

    Args:
        weights: (rows, all gates · units), contiguous.
        units: Units of the layer.
        gates: Which gates, in which order.
        packed: Takes the result; as long as :func:`packed_size` says.
    """
    lane, rows, columns = lanes(packed), len(weights), len(gates)
    flat = weights.reshape(-1)
    group = 3 if columns == 3 else min(columns, 2)
    place = 0
    for first in range(0, units, lane):
        numbers = min(lane, units - first)
        for start in range(0, columns, group):
            for row in range((rows + lane - 1) // lane * lane):
                for column in range(start, start + group):
                    source = row * weights.shape[1] + gates[column] * units + first
                    store(packed, place, load_some(flat, source, numbers if row < rows else 0))
                    place += lane


@kernel
def pack_transposed(weights, units, gates, packed):
    """A matrix as the way back reads it: from every block's gates to its rows, two blocks of them at a time."""
    lane, rows, columns = lanes(packed), len(weights), len(gates)
    row_blocks = (rows + lane - 1) // lane
    place = 0
    for first_block in range(0, row_blocks, 2):
        for first in range(0, units, lane):
            for column in range(columns):
                for unit in range(first, first + lane):
                    for row in range(first_block * lane, min(first_block + 2, row_blocks) * lane):
                        inside = row < rows and unit < units
                        packed[place] = weights[row, gates[column] * units + unit] if inside else 0
                        place += 1


def packed_size(rows: int, units: int, gates: int, lanes: int) -> int:
    """Numbers of a packed matrix."""
    return blocks(rows, lanes) * lanes * gates * blocks(units, lanes) * lanes


def unpack(packed: np.ndarray, rows: int, units: int, gates: tuple[int, ...], lanes: int) -> np.ndarray:
    """The inverse: (rows, gate in the order of ``gates``, unit)."""
    group = 3 if len(gates) == 3 else min(len(gates), 2)
    cut = packed.reshape(blocks(units, lanes), len(gates) // group, -1, group, lanes)
    return cut.transpose(2, 1, 3, 0, 4).reshape(cut.shape[2], len(gates), -1)[:rows, :, :units]


def pack_bias(columns: list[np.ndarray], lanes: int) -> np.ndarray:
    """Biases of one unit each, one array for each sum, block by block."""
    wide = np.zeros((len(columns), blocks(len(columns[0]), lanes) * lanes), columns[0].dtype)
    wide[:, : len(columns[0])] = columns
    return np.ascontiguousarray(wide.reshape(len(columns), -1, lanes).transpose(1, 0, 2)).reshape(-1)


def unpack_bias(packed: np.ndarray, sums: int, units: int, lanes: int) -> np.ndarray:
    """The inverse: (sum, unit)."""
    return packed.reshape(-1, sums, lanes).transpose(1, 0, 2).reshape(sums, -1)[:, :units]
