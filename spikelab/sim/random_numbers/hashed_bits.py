"""Random bits as a pure function of (seed, stream, item, step).

A draw does not depend on which draws were made before it, so any thread may make it and the result of a simulation does
not depend on the number of threads. The function is SplitMix64's: a Weyl sequence through an avalanche of two
multiplications (Steele, Lea & Flood 2014, "Fast splittable pseudorandom number generators"; constants of Stafford's
variant 13). The key enters a second time, turned by 32 bits, between the multiplications: sequences of two keys that
happen to lie on the same Weyl sequence would otherwise share a stretch of their draws.

In compiled code all of it is 64-bit and unsigned. Numba adds int64 and uint64 to a signed number or a float, hence
every number passes ``np.uint64`` at the door.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numba.extending import overload

#: Changes whenever the same key would give other draws; generated code that compiles draws in carries it in its source.
GENERATOR = "splitmix64-2026-11"

_WEYL, _FIRST, _SECOND = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
_STREAM = 0xD6E8FEB86659FD93
_MASK = (1 << 64) - 1

_U = np.uint64
_WEYL_U, _FIRST_U, _SECOND_U, _STREAM_U = _U(_WEYL), _U(_FIRST), _U(_SECOND), _U(_STREAM)


def _mixed_number(x: int) -> int:
    x = ((x ^ (x >> 30)) * _FIRST) & _MASK
    x = ((x ^ (x >> 27)) * _SECOND) & _MASK
    return x ^ (x >> 31)


@njit(inline="always")
def _mixed(x: Any) -> Any:
    x = (x ^ (x >> _U(30))) * _FIRST_U
    x = (x ^ (x >> _U(27))) * _SECOND_U
    return x ^ (x >> _U(31))


def _number(what: str, value: Any) -> int:
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)) or not 0 <= value <= _MASK:
        raise ValueError(f"{what} = {value!r} must be a whole number from 0 to 2**64 - 1")
    return int(value)


def stream_key(seed: int, stream: int) -> np.uint64:
    """The key of one stream of draws; also callable in compiled code, with the same result.

    Args:
        seed: of the whole simulation, 0 to 2**64 - 1.
        stream: which use of random numbers, 0 to 2**64 - 1. One stream serves one use: two kinds of draws from the same
            key are not independent.

    Raises:
        ValueError: a number out of range (compiled code takes the number modulo 2**64).
    """
    start = _mixed_number((_number("seed", seed) + _WEYL) & _MASK)
    return np.uint64(_mixed_number((start + _number("stream", stream) * _STREAM) & _MASK))


@overload(stream_key, inline="always", strict=False)
def _stream_key(seed: Any, stream: Any) -> Any:
    return lambda seed, stream: _mixed(_mixed(_U(seed) + _WEYL_U) + _U(stream) * _STREAM_U)


def step_key(key: np.uint64, step: int) -> np.uint64:
    """The key of one step of a stream, for the functions that fill arrays; also callable in compiled code."""
    return np.uint64(_mixed_number(((int(key) ^ _STREAM) + _number("step", step) * _WEYL) & _MASK))


@overload(step_key, inline="always", strict=False)
def _step_key(key: Any, step: Any) -> Any:
    return lambda key, step: _mixed((_U(key) ^ _STREAM_U) + _U(step) * _WEYL_U)


@njit(inline="always")
def turned(key: Any) -> Any:
    """The key as it enters a second time."""
    return (key << _U(32)) | (key >> _U(32))


@njit(inline="always")
def word(key: Any, key_turned: Any, item: Any) -> Any:
    """64 random bits of an item. All arguments are uint64; ``key_turned`` is ``turned(key)``, made once for all."""
    x = key + item * _WEYL_U
    x = (x ^ (x >> _U(30))) * _FIRST_U ^ key_turned
    x = (x ^ (x >> _U(27))) * _SECOND_U
    return x ^ (x >> _U(31))


@njit(inline="always")
def bits(key: Any, item: Any, step: Any) -> Any:
    """64 random bits as a function of a stream's key, an item and a step."""
    k = step_key(key, step)
    return word(k, turned(k), _U(item))


@njit(inline="always")
def unit_interval(random_bits: Any) -> Any:
    """A number of the open interval (0, 1) from 64 random bits: the middle of one of 2**52 equal parts."""
    return (np.float64(np.int64(random_bits >> _U(12))) + 0.5) * 2.0**-52


@njit(inline="always")
def uniform(key: Any, item: Any, step: Any) -> Any:
    """A uniform draw of the open interval (0, 1), as a function of a stream's key, an item and a step."""
    return unit_interval(bits(key, item, step))


def limits(probability: np.ndarray) -> np.ndarray:
    """The uint64 below which 64 random bits lie with a probability of 0 to 1; any shape.

    That of 1 would be 2**64: the largest float64 below it stands for it, which misses one draw in 2**53.
    """
    return np.minimum(np.floor(probability * 2.0**64), np.nextafter(2.0**64, 0)).astype(np.uint64)


@njit(nogil=True, cache=True)
def fill_uniform(out: Any, key: Any, first: Any, count: Any) -> None:
    """Uniform draws of the open interval (0, 1) for the items ``first`` to ``first + count``.

    Args:
        out: float32 or float64 [at least count]; ``out[i]`` is that of item ``first + i``. A float32 is the middle of
            one of 2**23 parts of the interval and the float64 of the same item lies within that part.
        key: of a stream, or ``step_key`` of a stream and a step.
        first: number of the first item.
        count: how many.
    """
    key = _U(key)
    again, start = turned(key), _U(first)
    if out.itemsize == 4:
        for i in range(count):
            high = np.int32(word(key, again, start + _U(i)) >> _U(41))
            out[i] = (np.float32(high) + np.float32(0.5)) * np.float32(2.0**-23)
    else:
        for i in range(count):
            out[i] = unit_interval(word(key, again, start + _U(i)))
