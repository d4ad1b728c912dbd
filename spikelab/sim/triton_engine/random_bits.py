"""Random bits as a function of (key, item, step): the same bits as ``spikelab.sim.random_numbers`` draws on the CPU.

All arithmetic is that of uint64. A key lies in memory as an int64 of the same bits, as no argument of a kernel has to
be 64 bits wide.
"""

from __future__ import annotations

import triton
import triton.language as tl

_WEYL = tl.constexpr(0x9E3779B97F4A7C15)
_FIRST = tl.constexpr(0xBF58476D1CE4E5B9)
_SECOND = tl.constexpr(0x94D049BB133111EB)
_STREAM = tl.constexpr(0xD6E8FEB86659FD93)


@triton.jit
def load_unsigned(place):
    """The uint64 whose bits lie at a place of an int64 array."""
    return tl.load(place).to(tl.uint64, bitcast=True)


@triton.jit
def _mixed(x):
    x = (x ^ (x >> 30)) * _FIRST
    x = (x ^ (x >> 27)) * _SECOND
    return x ^ (x >> 31)


@triton.jit
def step_key(key, step):
    """The key of one step of a stream."""
    return _mixed((key ^ _STREAM) + step.to(tl.uint64) * _WEYL)


@triton.jit
def turned(key):
    """The key as it enters a second time."""
    return (key << 32) | (key >> 32)


@triton.jit
def word(key, key_turned, item):
    """64 random bits of an item; ``key_turned`` is ``turned(key)``."""
    x = key + item * _WEYL
    x = ((x ^ (x >> 30)) * _FIRST) ^ key_turned
    x = (x ^ (x >> 27)) * _SECOND
    return x ^ (x >> 31)


@triton.jit
def unit_interval(random_bits):
    """A float64 of the open interval (0, 1)."""
    return ((random_bits >> 12).to(tl.int64).to(tl.float64) + 0.5) * 2.220446049250313e-16


@triton.jit
def shared_word(key, neuron):
    """The 64 random bits that a neuron shares with the one 32 places further in its block of 64."""
    item = neuron.to(tl.uint64)
    return word(key, turned(key), (item >> 6) * 32 + (item & 31))


@triton.jit
def in_upper_half(neuron):
    """Whether a neuron is among the last 32 of its block of 64."""
    return (neuron & 32) != 0
