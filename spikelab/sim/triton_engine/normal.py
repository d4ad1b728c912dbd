"""Standard normal draws: bit for bit those of ``spikelab.sim.random_numbers.fill_normal``, where the method is told.

That needs a fused multiply-add where it is written and nowhere else: launches switch off the fusion of others.
"""

from __future__ import annotations

import math

import triton
import triton.language as tl

from spikelab.sim.random_numbers import normal as cpu
from spikelab.sim.triton_engine.random_bits import in_upper_half, shared_word

_LOG0, _LOG1, _LOG2, _LOG3, _LOG4, _LOG5, _LOG6 = (tl.constexpr(float(each)) for each in cpu._LOG)
_SIN0, _SIN1, _SIN2 = (tl.constexpr(float(each)) for each in cpu._SIN)
_COS0, _COS1, _COS2 = (tl.constexpr(float(each)) for each in cpu._COS)
_LN2, _EIGHTH = tl.constexpr(float(cpu._LN2)), tl.constexpr(float(cpu._EIGHTH))
_UNIT, _UNIT_HALF = tl.constexpr(math.ldexp(1, -32)), tl.constexpr(math.ldexp(1, -33))
_LOWEST_MANTISSA = tl.constexpr(int(cpu._LOWEST_MANTISSA))
_THREE_QUARTERS = tl.constexpr(int(cpu._THREE_QUARTERS))
_SIGN = tl.constexpr(int(cpu._SIGN))


@triton.jit
def _logarithm(k):
    """ln((k + 1/2) / 2**32) of a uint32."""
    pattern = (k.to(tl.float32) + 0.5).to(tl.int32, bitcast=True)
    exponent = (pattern - _LOWEST_MANTISSA) >> 23
    mantissa = (pattern - (exponent << 23)).to(tl.float32, bitcast=True)
    near_one = k >= _THREE_QUARTERS
    signed = k.to(tl.int32, bitcast=True).to(tl.float32)
    f = tl.where(near_one, tl.fma(signed, _UNIT, _UNIT_HALF), mantissa - 1.0)
    power = tl.where(near_one, 0.0, (exponent - 32).to(tl.float32))
    p = tl.fma(f, _LOG0, _LOG1)
    p = tl.fma(p, f, _LOG2)
    p = tl.fma(p, f, _LOG3)
    p = tl.fma(p, f, _LOG4)
    p = tl.fma(p, f, _LOG5)
    p = tl.fma(p, f, _LOG6)
    return tl.fma(power, _LN2, tl.fma(p, f * f, f))


@triton.jit
def normal(key, neuron):
    """A standard normal draw for each neuron, float32.

    Args:
        key: ``step_key`` of a stream and a step.
        neuron: numbers of neurons.
    """
    bits = shared_word(key, neuron)
    radius = tl.sqrt_rn(-2.0 * _logarithm((bits >> 32).to(tl.uint32)))
    # the angle: the low 30 bits turn by up to an eighth to either side, the high two by quarters
    a = bits.to(tl.uint32)
    x = (a << 2).to(tl.int32, bitcast=True).to(tl.float32) * _EIGHTH
    square = x * x
    s = tl.fma(tl.fma(tl.fma(square, _SIN0, _SIN1), square, _SIN2), square * x, x)
    c = tl.fma(tl.fma(tl.fma(square, _COS0, _COS1), square, _COS2), square, 1.0)
    odd = (a & 0x40000000) != 0
    upper = in_upper_half(neuron)
    value = tl.where(odd != upper, s, c)
    sign = tl.where(upper, a, a ^ (a << 1)) & _SIGN
    return radius * (value.to(tl.uint32, bitcast=True) ^ sign).to(tl.float32, bitcast=True)
