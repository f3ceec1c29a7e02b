"""A processor register full of numbers as a numba type, so that kernels are written in whole registers.

LLVM vectorises plain loops only when it can prove a great deal about them, and never a call of ``exp``. A vector that
is a value of its own needs no proof: it adds, multiplies, loads and stores as one instruction on a processor that has
registers of that width, and as several narrower ones elsewhere.
"""

import operator
from collections.abc import Callable
from typing import Any

from llvmlite import binding, ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, overload, register_model

_FEATURES = binding.get_host_cpu_features()
# Bytes of a register, and how many sequences are worked on together: as many as leave the sums of a product in
# registers.
if _FEATURES.get("avx512f"):
    WIDTH, ROWS = 64, 8
elif _FEATURES.get("avx2"):
    WIDTH, ROWS = 32, 4
else:
    WIDTH, ROWS = 16, 8

BITS = {types.float32: 32, types.float64: 64}
LANES = {dtype: WIDTH * 8 // bits for dtype, bits in BITS.items()}
_MANTISSA = {types.float32: 23, types.float64: 52}


class Vector(types.Type):
    """The type of a register of numbers.

    Args:
        dtype: The type of its numbers.
    """

    def __init__(self, dtype: types.Type) -> None:
        self.dtype = dtype
        super().__init__(name=f"vector({dtype})")


VECTORS = {dtype: Vector(dtype) for dtype in BITS}


def llvm_vector(dtype: types.Type) -> ir.VectorType:
    """The type in LLVM's terms."""
    return ir.VectorType(ir.FloatType() if dtype == types.float32 else ir.DoubleType(), LANES[dtype])


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager: Any, vector: Vector) -> None:
        super().__init__(manager, vector, llvm_vector(vector.dtype))


def repeat(builder: ir.IRBuilder, number: ir.Value, dtype: types.Type) -> ir.Value:
    """One number in every lane."""
    vector = llvm_vector(dtype)
    empty, first = ir.Constant(vector, ir.Undefined), ir.Constant(ir.IntType(32), 0)
    everywhere = ir.Constant(ir.VectorType(ir.IntType(32), vector.count), None)
    return builder.shuffle_vector(builder.insert_element(empty, number, first), empty, everywhere)


def address(context: Any, builder: ir.IRBuilder, kind: types.Array, array: ir.Value, index: ir.Value) -> ir.Value:
    """Where in memory an entry of a contiguous array stands."""
    return builder.gep(context.make_array(kind)(context, builder, array).data, [index], inbounds=True)


def as_vectors(builder: ir.IRBuilder, place: ir.Value, dtype: types.Type) -> ir.Value:
    """The same place, seen as holding vectors."""
    return builder.bitcast(place, llvm_vector(dtype).as_pointer())


def call(builder: ir.IRBuilder, name: str, result: ir.Type, *values: ir.Value) -> ir.Value:
    """Calls one of LLVM's own functions."""
    kind = ir.FunctionType(result, [value.type for value in values])
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), values)


def multiply_add(builder: ir.IRBuilder, left: ir.Value, right: ir.Value, sum_: ir.Value) -> ir.Value:
    """left · right + sum, rounded once."""
    bits = 32 if isinstance(left.type.element, ir.FloatType) else 64
    return call(builder, f"llvm.fma.v{left.type.count}f{bits}", left.type, left, right, sum_)


@intrinsic
def lanes(typing: Any, array: types.Array) -> Any:
    """How many numbers of the array's type fill a vector; known when the kernel is compiled."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> ir.Value:
        return ir.Constant(ir.IntType(64), LANES[array.dtype])

    return types.intp(array), generate


@intrinsic
def load(typing: Any, array: types.Array, index: types.Type) -> Any:
    """The vector that starts at an index."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> ir.Value:
        place = address(context, builder, signature.args[0], *values)
        return builder.load(as_vectors(builder, place, array.dtype), align=BITS[array.dtype] // 8)

    return VECTORS[array.dtype](array, types.intp), generate


def _storing(doc: str, streaming: bool) -> Any:
    def store(typing: Any, array: types.Array, index: types.Type, vector: Vector) -> Any:
        def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> ir.Value:
            place = as_vectors(builder, address(context, builder, signature.args[0], *values[:2]), array.dtype)
            written = builder.store(values[2], place, align=WIDTH if streaming else BITS[array.dtype] // 8)
            if streaming:
                written.set_metadata("nontemporal", builder.module.add_metadata([ir.Constant(ir.IntType(32), 1)]))
            return context.get_dummy_value()

        return types.void(array, types.intp, vector), generate

    store.__doc__ = doc
    return intrinsic(store)


store = _storing("Writes a vector to where an index points.", streaming=False)
stream = _storing(
    "The same past the cache, for what is read again much later: the line is not fetched before it is overwritten. "
    "The place must be a multiple of the vector's width.",
    streaming=True,
)


@intrinsic
def pointer(typing: Any, like: types.Array, place: types.Type) -> Any:
    """Numbers of an array's type at a place in memory, given as a whole number; for ``numba.carray``."""
    result = types.CPointer(like.dtype)

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> ir.Value:
        return builder.inttoptr(values[1], context.get_value_type(result))

    return result(like, types.intp), generate


@intrinsic
def prefetch(typing: Any, array: types.Array, index: types.Type) -> Any:
    """Asks for the cache line that an entry stands in, to be read soon; it need not exist."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> ir.Value:
        data = context.make_array(signature.args[0])(context, builder, values[0]).data
        place = builder.bitcast(builder.gep(data, [values[1]]), ir.IntType(8).as_pointer())
        reading, soon, numbers = (ir.Constant(ir.IntType(32), number) for number in (0, 3, 1))
        call(builder, "llvm.prefetch.p0", ir.VoidType(), place, reading, soon, numbers)
        return context.get_dummy_value()

    return types.void(array, types.intp), generate


def _first(builder: ir.IRBuilder, count: ir.Value, dtype: types.Type) -> ir.Value:
    """Which lanes are among the first so many."""
    whole = ir.VectorType(ir.IntType(64), LANES[dtype])
    numbers = ir.Constant(whole, list(range(LANES[dtype])))
    filled = builder.insert_element(ir.Constant(whole, ir.Undefined), count, ir.Constant(ir.IntType(32), 0))
    everywhere = ir.Constant(ir.VectorType(ir.IntType(32), LANES[dtype]), None)
    filled = builder.shuffle_vector(filled, ir.Constant(whole, ir.Undefined), everywhere)
    return builder.icmp_signed("<", numbers, filled)


@intrinsic
def load_some(typing: Any, array: types.Array, index: types.Type, count: types.Type) -> Any:
    """The first so many numbers from an index on, and zeros after them; what lies beyond is not read."""
    dtype = array.dtype

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> ir.Value:
        place = as_vectors(builder, address(context, builder, signature.args[0], *values[:2]), dtype)
        name = f"llvm.masked.load.v{LANES[dtype]}f{BITS[dtype]}.p0"
        align = ir.Constant(ir.IntType(32), BITS[dtype] // 8)
        zeros = ir.Constant(llvm_vector(dtype), None)
        return call(builder, name, zeros.type, place, align, _first(builder, values[2], dtype), zeros)

    return VECTORS[dtype](array, types.intp, types.intp), generate


@intrinsic
def store_some(typing: Any, array: types.Array, index: types.Type, vector: Vector, count: types.Type) -> Any:
    """Writes the first so many numbers of a vector."""
    dtype = array.dtype

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> ir.Value:
        place = as_vectors(builder, address(context, builder, signature.args[0], *values[:2]), dtype)
        name = f"llvm.masked.store.v{LANES[dtype]}f{BITS[dtype]}.p0"
        align = ir.Constant(ir.IntType(32), BITS[dtype] // 8)
        call(builder, name, ir.VoidType(), values[2], place, align, _first(builder, values[3], dtype))
        return context.get_dummy_value()

    return types.void(array, types.intp, vector, types.intp), generate


@intrinsic
def full(typing: Any, like: Vector, number: types.Type) -> Any:
    """A vector like another, with one number in every lane."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> ir.Value:
        return repeat(builder, values[1], like.dtype)

    return like(like, like.dtype), generate


def _two(make: Callable[[ir.IRBuilder, ir.Value, ir.Value], ir.Value]) -> Any:
    """A function of two vectors, written in LLVM."""

    @intrinsic
    def function(typing: Any, left: Vector, right: Vector) -> Any:
        def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> ir.Value:
            return make(builder, *values)

        return left(left, right), generate

    return function


def _overload(symbol: Callable[..., Any], function: Any) -> None:
    """Makes an operator of Python work between vectors, and between a vector and a number."""

    @overload(symbol)
    def choose(left, right):
        if isinstance(left, Vector) and isinstance(right, Vector):
            return lambda left, right: function(left, right)
        if isinstance(left, Vector) and isinstance(right, types.Number):
            return lambda left, right: function(left, full(left, right))
        if isinstance(left, types.Number) and isinstance(right, Vector):
            return lambda left, right: function(full(right, left), right)
        return None


_overload(operator.add, _two(lambda builder, left, right: builder.fadd(left, right)))
_overload(operator.sub, _two(lambda builder, left, right: builder.fsub(left, right)))
_overload(operator.mul, _two(lambda builder, left, right: builder.fmul(left, right)))

# Comparisons are written so that a number that is none passes through: a loss that diverged must be seen.
at_most = _two(lambda builder, value, limit: builder.select(builder.fcmp_ordered("<", limit, value), limit, value))
at_least = _two(lambda builder, value, limit: builder.select(builder.fcmp_ordered(">", limit, value), limit, value))
where_positive = _two(
    lambda builder, value, sign: builder.select(
        builder.fcmp_ordered(">", sign, ir.Constant(sign.type, None)), value, ir.Constant(value.type, None)
    )
)


@intrinsic
def fma(typing: Any, left: Vector, right: Vector, sum_: Vector) -> Any:
    """left · right + sum, rounded once."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> ir.Value:
        return multiply_add(builder, *values)

    return left(left, left, left), generate


def _lanes_as_one(name: str, *begin: float) -> Any:
    """A function of a vector that gives a number: LLVM's reduction of all lanes, pair by pair."""

    @intrinsic
    def function(typing: Any, vector: Vector) -> Any:
        def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> ir.Value:
            number = values[0].type.element
            kind = f"llvm.vector.reduce.{name}.v{LANES[vector.dtype]}f{BITS[vector.dtype]}"
            given = [*(ir.Constant(number, own) for own in begin), values[0]]
            form = ir.FunctionType(number, [own.type for own in given])
            symbol = cgutils.get_or_insert_function(builder.module, form, kind)
            return builder.call(symbol, given, fastmath=("reassoc",))

        return vector.dtype(vector), generate

    return function


sum_of_lanes = _lanes_as_one("fadd", -0.0)
highest_lane = _lanes_as_one("fmax")


@intrinsic
def any_above(typing: Any, vector: Vector, number: types.Type) -> Any:
    """Whether a number of the vector is above another one."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> ir.Value:
        above = builder.fcmp_ordered(">", values[0], repeat(builder, values[1], vector.dtype))
        bits = builder.bitcast(above, ir.IntType(LANES[vector.dtype]))
        return builder.icmp_unsigned("!=", bits, ir.Constant(bits.type, 0))

    return types.boolean(vector, vector.dtype), generate


@intrinsic
def times_power(typing: Any, vector: Vector, shifted: Vector) -> Any:
    """A vector times two to a whole power, which stands in the lowest bits of the second vector's mantissa."""
    dtype = vector.dtype
    whole = ir.VectorType(ir.IntType(BITS[dtype]), LANES[dtype])

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> ir.Value:
        number, power = (builder.bitcast(value, whole) for value in values)
        exponent = builder.shl(power, ir.Constant(whole, [_MANTISSA[dtype]] * LANES[dtype]))
        return builder.bitcast(builder.add(number, exponent), values[0].type)

    return vector(vector, vector), generate


@intrinsic
def reciprocal(typing: Any, vector: Vector) -> Any:
    """One over each number."""
    dtype = vector.dtype

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> ir.Value:
        (value,) = values
        one = ir.Constant(value.type, [1.0] * LANES[dtype])
        if dtype != types.float32 or WIDTH != 64:
            return builder.fdiv(one, value)
        # Sixteen divisions take as long as sixteen multiplications in a row: an estimate of 14 bits and one step of
        # Newton's method give as many digits sooner.
        nothing, all_lanes = ir.Constant(value.type, None), ir.Constant(ir.IntType(16), 0xFFFF)
        guess = call(builder, "llvm.x86.avx512.rcp14.ps.512", value.type, value, nothing, all_lanes)
        error = multiply_add(builder, builder.fneg(value), guess, one)
        return multiply_add(builder, guess, error, guess)

    return vector(vector), generate


def _control(name: str) -> Callable[[ir.IRBuilder, ir.Value], None]:
    def generate(builder: ir.IRBuilder, place: ir.Value) -> None:
        call(builder, name, ir.VoidType(), builder.bitcast(place, ir.IntType(8).as_pointer()))

    return generate


_ON_X86 = binding.get_default_triple().startswith(("x86_64", "i686"))
_FLUSH = 0x8040  # denormal results and operands count as zero


@intrinsic
def flush_denormals(typing: Any) -> Any:
    """From here on, numbers too small for full precision are zero; gives back how it was before.

    A gradient that fades over hundreds of steps passes through such numbers, and each costs a hundred cycles.
    """

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> ir.Value:
        place = cgutils.alloca_once(builder, ir.IntType(32), zfill=True)
        if _ON_X86:
            _control("llvm.x86.sse.stmxcsr")(builder, place)
            before = builder.load(place)
            builder.store(builder.or_(before, ir.Constant(ir.IntType(32), _FLUSH)), place)
            _control("llvm.x86.sse.ldmxcsr")(builder, place)
            return before
        return builder.load(place)

    return types.uint32(), generate


@intrinsic
def restore_denormals(typing: Any, before: types.Type) -> Any:
    """As it was before."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> ir.Value:
        if _ON_X86:
            place = cgutils.alloca_once(builder, ir.IntType(32))
            builder.store(values[0], place)
            _control("llvm.x86.sse.ldmxcsr")(builder, place)
        return context.get_dummy_value()

    return types.void(types.uint32), generate
