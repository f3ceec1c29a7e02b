"""Sigmoid and tanh of a whole vector, to the last digit or two, from additions, multiplications and one reciprocal.

exp(x) = 2ⁿ · exp(r) with n the whole number nearest to x / ln 2, so that r is small and a short polynomial is exact
enough (Muller, "Elementary Functions", chapter 11). tanh goes through exp(2x) − 1, which keeps all digits near zero.
"""

import math
from typing import Any

import numpy as np
from numba import njit, types
from numba.extending import overload

from .vectors import Vector, at_least, at_most, fma, full, reciprocal, times_power, where_positive

# By type: terms of the polynomial; a number that pushes whole parts into the mantissa's lowest bits; ln 2 in two parts,
# the first short enough for exact products; beyond which argument exp stays finite; beyond which 2x tanh(x) is 1.
_SETTINGS = {
    types.float32: (5, 1.5 * 2.0**23, 0.693359375, -2.12194440e-4, 87.0, 20.0),
    types.float64: (10, 1.5 * 2.0**52, 0.693147180369123816490, 1.90821492927058770002e-10, 708.0, 44.0),
}


def _polynomial(terms: int) -> tuple[float, ...]:
    """Factors of (exp(r) − 1 − r) / r² for |r| up to ln(2) / 2, highest power first, by Chebyshev's nodes."""

    def rest(r: np.ndarray) -> np.ndarray:
        return np.sum([r**power / math.factorial(power + 2) for power in range(20)], axis=0)

    limit = math.log(2) / 2
    fit = np.polynomial.Chebyshev.interpolate(rest, terms - 1, domain=[-limit, limit])
    return tuple(float(factor) for factor in reversed(fit.convert(kind=np.polynomial.Polynomial).coef))


def _series(x):
    """exp(r) − 1 and the shifted n of exp(x) = 2ⁿ exp(r); numba replaces this by the code below."""
    raise NotImplementedError


@overload(_series)
def _series_of_vector(x):
    if not isinstance(x, Vector):
        return None
    terms, shift, high, low, _, _ = _SETTINGS[x.dtype]
    first, *others = _polynomial(terms)
    factors, inverse = tuple(others), 1 / math.log(2)

    def code(x):
        shifted = fma(x, full(x, inverse), full(x, shift))
        whole = shifted - shift
        rest = fma(whole, full(x, -low), fma(whole, full(x, -high), x))
        sum_ = full(x, first)
        for factor in factors:
            sum_ = fma(sum_, rest, full(x, factor))
        return fma(sum_ * rest, rest, rest), shifted

    return code


def _limit(x, which):
    """x no further from zero than its type allows."""
    raise NotImplementedError


@overload(_limit)
def _limit_of_vector(x, which):
    if not isinstance(x, Vector):
        return None
    limits = _SETTINGS[x.dtype][4:]

    def code(x, which):
        return at_least(at_most(x, full(x, limits[which])), full(x, -limits[which]))

    return code


@njit(forceinline=True)
def exp(x: Any) -> Any:
    """exp(x); of x that are far from zero, that of the farthest whose result is a normal number."""
    series, power = _series(_limit(x, 0))
    return times_power(series + 1.0, power)


@njit(forceinline=True)
def sigmoid(x: Any) -> Any:
    """1 / (1 + exp(−x))."""
    return reciprocal(exp(0.0 - x) + 1.0)


@njit(forceinline=True)
def tanh(x: Any) -> Any:
    """(exp(2x) − 1) / (exp(2x) + 1)."""
    series, power = _series(_limit(x + x, 1))
    scale = times_power(full(x, 1.0), power)
    less_one = fma(scale, series, scale - 1.0)
    return less_one * reciprocal(less_one + 2.0)


@njit(forceinline=True)
def activate(x: Any, relu: bool) -> Any:
    """The larger of x and zero, or tanh."""
    if relu:
        return at_least(x, full(x, 0.0))
    return tanh(x)


@njit(forceinline=True)
def slope(y: Any, relu: bool) -> Any:
    """The derivative of the activation, from what it gave."""
    if relu:
        return where_positive(full(y, 1.0), y)
    return fma(0.0 - y, y, full(y, 1.0))
