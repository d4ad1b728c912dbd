"""Standard normal draws for whole arrays: the Box-Muller transform without branches, so that it runs on vectors.

Two items share 64 random bits: the high half gives the radius sqrt(-2 ln u), the low half the angle. Logarithm, sine
and cosine are polynomials of our own in float32 (least-maximum fits, relative errors 2.0e-7, 3.6e-9 and 3.2e-8),
because no compiler may turn calls of the C library into vectors. The radius is a true one down to u = 2**-33: draws
reach 6.7.

Box & Muller 1958, "A note on the generation of random normal deviates".
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

from spikelab.kernels.numba_pipeline import NoAliasCompiler
from spikelab.sim.random_numbers.float_bits import bits_of_float, float_of_bits, fused
from spikelab.sim.random_numbers.hashed_bits import turned, word

#: Items that are drawn together: item i and item i + 32 of a block share their random bits.
BLOCK = 64
_HALF = BLOCK // 2
_PIECE = 8 * BLOCK

_U, _U32, _I32, _F = np.uint64, np.uint32, np.int32, np.float32
# ln(1 + f) = f + f**2 P(f) on [-0.25, 0.5], highest power first
_LOG = tuple(
    _F(c) for c in (-0.0672030747, 0.141535759, -0.173371345, 0.200953484, -0.249792695, 0.333307058, -0.500001669)
)
# sin x = x + x**3 P(x**2) and cos x = 1 + x**2 P(x**2) on [-pi/4, pi/4]
_SIN = tuple(_F(c) for c in (-0.000195172965, 0.008332178, -0.166666552))
_COS = tuple(_F(c) for c in (-0.00135978218, 0.0416562930, -0.499998957))
_LN2, _EIGHTH = _F(math.log(2)), _F(math.pi / 4 * 2.0**-31)
_ZERO, _ONE, _HALF_F, _MINUS_2 = _F(0), _F(1), _F(0.5), _F(-2)
_UNIT, _UNIT_HALF = _F(2.0**-32), _F(2.0**-33)
_LOWEST_MANTISSA, _THREE_QUARTERS, _SIGN = _U32(0x3F400000), _U32(0xC0000000), _U32(0x80000000)


@njit(inline="always")
def _logarithm(k: Any) -> Any:
    """ln((k + 1/2) / 2**32) of a uint32, with the relative accuracy of a float32 everywhere, also next to ln 1 = 0."""
    pattern = bits_of_float(_F(k) + _HALF_F)
    # (k + 1/2) = mantissa * 2**exponent with the mantissa in [0.75, 1.5)
    exponent = _I32(_I32(_U32(pattern - _LOWEST_MANTISSA)) >> _I32(23))
    mantissa = float_of_bits(_U32(pattern - _U32(_U32(exponent) << _U32(23))))
    # above 3/4 the float32 of k has lost the distance from 1; k - 2**32 as a signed number has it
    f = fused(_F(_I32(k)), _UNIT, _UNIT_HALF) if k >= _THREE_QUARTERS else mantissa - _ONE
    power = _ZERO if k >= _THREE_QUARTERS else _F(_I32(exponent - _I32(32)))
    p = _LOG[0]
    p = fused(p, f, _LOG[1])
    p = fused(p, f, _LOG[2])
    p = fused(p, f, _LOG[3])
    p = fused(p, f, _LOG[4])
    p = fused(p, f, _LOG[5])
    p = fused(p, f, _LOG[6])
    return fused(power, _LN2, fused(p, f * f, f))


@njit(inline="always")
def _cosine_and_sine(a: Any) -> Any:
    """Of an angle: the low 30 bits turn by up to an eighth to either side, the high two by quarters."""
    x = _F(_I32(_U32(a << _U32(2)))) * _EIGHTH
    square = x * x
    s = fused(fused(fused(_SIN[0], square, _SIN[1]), square, _SIN[2]), square * x, x)
    c = fused(fused(fused(_COS[0], square, _COS[1]), square, _COS[2]), square, _ONE)
    odd = (a & _U32(0x40000000)) != _U32(0)
    cosine, sine = (s if odd else c), (c if odd else s)
    cosine_sign = _U32(_U32(a ^ _U32(a << _U32(1))) & _SIGN)
    return float_of_bits(_U32(bits_of_float(cosine) ^ cosine_sign)), float_of_bits(
        _U32(bits_of_float(sine) ^ _U32(a & _SIGN))
    )


@njit(inline="always")
def normal_pair(random_bits: Any) -> Any:
    """Two independent standard normal draws, float32, from 64 random bits."""
    radius = math.sqrt(_MINUS_2 * _logarithm(_U32(random_bits >> _U(32))))
    cosine, sine = _cosine_and_sine(_U32(random_bits))
    return radius * cosine, radius * sine


@njit(nogil=True, pipeline_class=NoAliasCompiler)
def _draw_blocks(drawn: Any, blocks: Any, key: Any, again: Any, pair: Any) -> None:
    for block in range(blocks):
        # unsigned places: a signed one could count from the end, which no vector store can
        place, base = _U(block) * _U(BLOCK), pair + _U(block) * _U(_HALF)
        for j in range(_HALF):
            i = place + _U(j)
            drawn[i], drawn[i + _U(_HALF)] = normal_pair(word(key, again, base + _U(j)))


@njit(nogil=True, pipeline_class=NoAliasCompiler)
def _copy(drawn: Any, out: Any, start: Any, count: Any) -> None:
    for j in range(count):
        out[_U(start) + _U(j)] = drawn[j]


@njit(nogil=True, cache=True)
def fill_normal(out: Any, key: Any, first: Any, count: Any) -> None:
    """Standard normal draws for the items ``first`` to ``first + count``, however the items are split over calls.

    Args:
        out: float32 or float64 [at least count]; ``out[i]`` is that of item ``first + i``. Both hold the same numbers,
            accurate to 1e-6.
        key: of a stream, or ``step_key`` of a stream and a step.
        first: number of the first item, a multiple of 64.
        count: how many, any number.
    """
    key = _U(key)
    again, pair = turned(key), _U(first) >> _U(1)
    drawn = np.empty(_PIECE, np.float32)
    for start in range(0, count, _PIECE):
        size = min(_PIECE, count - start)
        _draw_blocks(drawn, (size + BLOCK - 1) // BLOCK, key, again, pair + (_U(start) >> _U(1)))
        _copy(drawn, out, start, size)
