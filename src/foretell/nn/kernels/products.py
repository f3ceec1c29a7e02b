"""Products of small tiles whose sums stay in registers: where nearly all the arithmetic of a recurrent layer happens.

A tile holds one vector of numbers for each of ROWS sequences, side by side in memory. Matrices are cut into tiles of
that kind (see :mod:`.layout`), so that both functions walk through memory in a straight line.
"""

from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from .vectors import BITS, LANES, ROWS, address, as_vectors, lanes, llvm_vector, multiply_add, repeat

_INTEGER = ir.IntType(64)


class _Writer:
    """Writes loads and stores of one type at offsets from a place.

    Args:
        builder: Where the code goes.
        dtype: The type of the numbers.
    """

    def __init__(self, builder: ir.IRBuilder, dtype: types.Type) -> None:
        self.builder, self.dtype, self.align = builder, dtype, BITS[dtype] // 8

    def at(self, place: ir.Value, offset: int | ir.Value) -> ir.Value:
        """A place further on."""
        step = ir.Constant(_INTEGER, offset) if isinstance(offset, int) else offset
        return self.builder.gep(place, [step], inbounds=True)

    def vector(self, place: ir.Value, offset: int) -> ir.Value:
        """The vector there."""
        return self.builder.load(as_vectors(self.builder, self.at(place, offset), self.dtype), align=self.align)

    def repeated(self, place: ir.Value, offset: int) -> ir.Value:
        """The number there, in every lane."""
        return repeat(self.builder, self.builder.load(self.at(place, offset)), self.dtype)

    def put(self, value: ir.Value, place: ir.Value, offset: int) -> None:
        """Writes a vector there."""
        self.builder.store(value, as_vectors(self.builder, self.at(place, offset), self.dtype), align=self.align)


def _product(columns: int) -> Any:
    @intrinsic
    def product(
        typing: Any,
        sums: Any,
        sums_at: Any,
        left: Any,
        left_at: Any,
        count: Any,
        right: Any,
        right_at: Any,
        start: Any,
        start_at: Any,
        start_column: Any,
        start_row: Any,
    ) -> Any:
        """sums[c][r] = start[c][r] + Σₖ left[r][k] · right[k][c]; c counts vectors, k runs to ``count``."""
        dtype, width = sums.dtype, LANES[sums.dtype]
        tile = ROWS * width

        def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> ir.Value:
            kinds, write = signature.args, _Writer(builder, dtype)
            sums_place = address(context, builder, kinds[0], values[0], values[1])
            left_place = address(context, builder, kinds[2], values[2], values[3])
            right_place = address(context, builder, kinds[5], values[5], values[6])
            places = [(column * tile + row * width) for column in range(columns) for row in range(ROWS)]
            count, zero, one = values[4], ir.Constant(_INTEGER, 0), ir.Constant(_INTEGER, 1)

            start_place = address(context, builder, kinds[7], values[7], values[8])
            before = []
            for column in range(columns):
                first = write.at(start_place, builder.mul(values[9], ir.Constant(_INTEGER, column)))
                for row in range(ROWS):
                    own = write.at(first, builder.mul(values[10], ir.Constant(_INTEGER, row)))
                    before.append(write.vector(own, 0))
            entry, loop, done = builder.block, builder.append_basic_block(), builder.append_basic_block()
            builder.cbranch(builder.icmp_signed("<", zero, count), loop, done)

            builder.position_at_end(loop)
            k = builder.phi(_INTEGER)
            running = [builder.phi(llvm_vector(dtype)) for _ in places]
            within = builder.and_(k, ir.Constant(_INTEGER, width - 1))
            block = builder.sub(k, within)
            numbers = write.at(left_place, builder.add(builder.mul(block, ir.Constant(_INTEGER, ROWS)), within))
            here = write.at(right_place, builder.mul(k, ir.Constant(_INTEGER, columns * width)))
            rights = [write.vector(here, column * width) for column in range(columns)]
            after: list[ir.Value] = [None] * len(places)
            for row in range(ROWS):
                number = write.repeated(numbers, row * width)
                for column in range(columns):
                    which = column * ROWS + row
                    after[which] = multiply_add(builder, number, rights[column], running[which])
            following = builder.add(k, one)
            builder.cbranch(builder.icmp_signed("<", following, count), loop, done)
            k.add_incoming(zero, entry)
            k.add_incoming(following, loop)
            for value, first, last in zip(running, before, after, strict=True):
                value.add_incoming(first, entry)
                value.add_incoming(last, loop)

            builder.position_at_end(done)
            finals = [builder.phi(llvm_vector(dtype)) for _ in places]
            for value, first, last, place in zip(finals, before, after, places, strict=True):
                value.add_incoming(first, entry)
                value.add_incoming(last, loop)
                write.put(value, sums_place, place)
            return context.get_dummy_value()

        place, number = types.intp, types.intp
        signature = types.void(sums, place, left, place, number, right, place, start, place, number, number)
        return signature, generate

    return product


def _rows(columns: int) -> Any:
    @intrinsic
    def rows(
        typing: Any,
        sums: Any,
        sums_at: Any,
        sums_stride: Any,
        left: Any,
        left_at: Any,
        left_stride: Any,
        count: Any,
        right: Any,
    ) -> Any:
        """sums[r][c] += Σₖ left[r][k] · right[k][c] for ROWS rows that lie apart; c counts vectors."""
        dtype, width = sums.dtype, LANES[sums.dtype]

        def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> ir.Value:
            kinds, write = signature.args, _Writer(builder, dtype)
            count, zero, one = values[6], ir.Constant(_INTEGER, 0), ir.Constant(_INTEGER, 1)

            def each_row(kind: Any, array: ir.Value, at: ir.Value, stride: ir.Value) -> list[ir.Value]:
                first = address(context, builder, kind, array, at)
                return [write.at(first, builder.mul(stride, ir.Constant(_INTEGER, row))) for row in range(ROWS)]

            sums_rows = each_row(kinds[0], values[0], values[1], values[2])
            left_rows = each_row(kinds[3], values[3], values[4], values[5])
            right_place = address(context, builder, kinds[7], values[7], zero)
            before = [write.vector(row, column * width) for row in sums_rows for column in range(columns)]
            entry, loop, done = builder.block, builder.append_basic_block(), builder.append_basic_block()
            builder.cbranch(builder.icmp_signed("<", zero, count), loop, done)

            builder.position_at_end(loop)
            k = builder.phi(_INTEGER)
            running = [builder.phi(llvm_vector(dtype)) for _ in before]
            here = write.at(right_place, builder.mul(k, ir.Constant(_INTEGER, columns * width)))
            rights = [write.vector(here, column * width) for column in range(columns)]
            after = []
            for row in range(ROWS):
                number = write.repeated(write.at(left_rows[row], k), 0)
                after += [
                    multiply_add(builder, number, rights[column], running[row * columns + column])
                    for column in range(columns)
                ]
            following = builder.add(k, one)
            builder.cbranch(builder.icmp_signed("<", following, count), loop, done)
            k.add_incoming(zero, entry)
            k.add_incoming(following, loop)
            for value, first, last in zip(running, before, after, strict=True):
                value.add_incoming(first, entry)
                value.add_incoming(last, loop)

            builder.position_at_end(done)
            finals = [builder.phi(llvm_vector(dtype)) for _ in before]
            for number, (value, first, last) in enumerate(zip(finals, before, after, strict=True)):
                value.add_incoming(first, entry)
                value.add_incoming(last, loop)
                write.put(value, sums_rows[number // columns], number % columns * width)
            return context.get_dummy_value()

        place = types.intp
        return types.void(sums, place, place, left, place, place, place, right), generate

    return rows


def _outer(columns: int) -> Any:
    @intrinsic
    def outer(typing: Any, sums: Any, sums_at: Any, left: Any, left_at: Any, right: Any, right_at: Any) -> Any:
        """sums[k][c] += Σᵣ left[r][k] · right[c][r], for as many k as a tile has rows (or lanes, if fewer)."""
        dtype, width = sums.dtype, LANES[sums.dtype]
        depth = min(ROWS, width)

        def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> ir.Value:
            kinds, write = signature.args, _Writer(builder, dtype)
            sums_place = address(context, builder, kinds[0], values[0], values[1])
            left_place = address(context, builder, kinds[2], values[2], values[3])
            right_place = address(context, builder, kinds[4], values[4], values[5])
            places = [(k * columns + column) * width for k in range(depth) for column in range(columns)]
            running = [write.vector(sums_place, place) for place in places]
            for row in range(ROWS):
                rights = [write.vector(right_place, (column * ROWS + row) * width) for column in range(columns)]
                for k in range(depth):
                    number = write.repeated(left_place, row * width + k)
                    for column in range(columns):
                        which = k * columns + column
                        running[which] = multiply_add(builder, number, rights[column], running[which])
            for value, place in zip(running, places, strict=True):
                write.put(value, sums_place, place)
            return context.get_dummy_value()

        return types.void(sums, types.intp, left, types.intp, right, types.intp), generate

    return outer


_product_1, _product_2, _product_3 = _product(1), _product(2), _product(3)
_rows_2 = _rows(2)
_outer_1, _outer_2, _outer_3 = _outer(1), _outer(2), _outer(3)


@njit
def product(columns, sums, sums_at, left, left_at, count, right, right_at, start, start_at, start_column, start_row):
    """Multiplies a row of tiles by a packed matrix and adds something to begin with.

    Args:
        columns: Vectors of the result, 1 to 4.
        sums: Takes the tiles of the result, one for each column, from ``sums_at`` on.
        sums_at: Where.
        left: Holds the tiles to multiply from ``left_at`` on.
        left_at: Where.
        count: Numbers of each sequence to multiply.
        right: Holds the packed matrix from ``right_at`` on.
        right_at: Where.
        start: Holds the vectors to begin with from ``start_at`` on.
        start_at: Where.
        start_column: Distance between those of two columns.
        start_row: Distance between those of two sequences; 0 where all begin alike.
    """
    if columns == 3:
        _product_3(sums, sums_at, left, left_at, count, right, right_at, start, start_at, start_column, start_row)
        return
    width = lanes(sums)
    rows = (count + width - 1) // width * width
    while columns >= 2:
        _product_2(sums, sums_at, left, left_at, count, right, right_at, start, start_at, start_column, start_row)
        columns -= 2
        sums_at += 2 * ROWS * width
        right_at += 2 * rows * width
        start_at += 2 * start_column
    if columns:
        _product_1(sums, sums_at, left, left_at, count, right, right_at, start, start_at, start_column, start_row)


@njit
def add_product(columns, sums, sums_at, left, left_at, count, right, right_at):
    """The same, added to what the tiles hold."""
    row = lanes(sums)
    product(columns, sums, sums_at, left, left_at, count, right, right_at, sums, sums_at, ROWS * row, row)


@njit
def add_product_of_rows(sums, sums_at, sums_stride, left, left_at, left_stride, count, right):
    """Adds to two vectors of each of ROWS rows their product with a slice of a matrix.

    Args:
        sums: Holds the vectors from ``sums_at`` on.
        sums_at: Where.
        sums_stride: Distance between those of two rows.
        left: Holds the numbers of the rows from ``left_at`` on.
        left_at: Where.
        left_stride: Distance between those of two rows.
        count: Numbers of a row.
        right: The slice: for each number two vectors.
    """
    _rows_2(sums, sums_at, sums_stride, left, left_at, left_stride, count, right)


@njit
def outer(columns, sums, sums_at, left, left_at, count, right, right_at):
    """Adds the products of every number of some tiles with every number of others, summed over the sequences.

    Args:
        columns: Tiles to the right, 1 to 4.
        sums: Holds the result, packed as a matrix of ``count`` rows is, from ``sums_at`` on.
        sums_at: Where.
        left: Holds the tiles whose numbers become rows from ``left_at`` on.
        left_at: Where.
        count: How many rows, a multiple of the lanes.
        right: Holds the tiles whose numbers become columns from ``right_at`` on.
        right_at: Where.
    """
    width = lanes(sums)
    depth = min(ROWS, width)
    for k in range(0, count, depth):
        block = k // width * ROWS * width + k % width
        if columns == 3:
            _outer_3(sums, sums_at + k * 3 * width, left, left_at + block, right, right_at)
        elif columns == 1:
            _outer_1(sums, sums_at + k * width, left, left_at + block, right, right_at)
        else:
            _outer_2(sums, sums_at + k * 2 * width, left, left_at + block, right, right_at)
        if columns == 4:
            second = sums_at + (count + k) * 2 * width
            _outer_2(sums, second, left, left_at + block, right, right_at + 2 * ROWS * width)
