"""How neurons are shared out to threads: each thread owns a contiguous range of every population."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

#: Ranges begin at multiples of this. Arrays are as long as the next multiple, so that a loop over a range never ends
#: within a vector register: a tail done one by one could round a function differently, and two threads never share a
#: cache line.
LANES = 64
#: Bytes that no two threads should write in: a cache line, and the one that processors fetch along with it.
_LINE = 128


def padded(size: int) -> int:
    """Length of an array that holds a value for each of ``size`` neurons."""
    return -(-size // LANES) * LANES


def bounds(size: int, threads: int, cost: np.ndarray | None = None) -> np.ndarray:
    """First neuron of each thread, int64 [threads + 1]; thread t owns bounds[t] to bounds[t + 1].

    Args:
        size: number of neurons.
        threads: how many.
        cost: what each neuron costs in any unit, [size], so that threads get equal shares; alike by default.
    """
    blocks = padded(size) // LANES
    if cost is None or not size:
        edges = np.arange(threads + 1, dtype=np.int64) * blocks // threads
    else:
        paid = np.cumsum(padded_array(cost, size, np.dtype(float)).reshape(blocks, LANES).sum(axis=1))
        shares = np.arange(1, threads) * paid[-1] / threads
        # rounded down, so that every range begins at a multiple of LANES also where there are fewer blocks than threads
        edges = np.array([0, *np.searchsorted(paid, shares, "right"), blocks], np.int64)
    return np.minimum(edges * LANES, size)


def aligned(shape: int | tuple[int, ...], dtype: Any, value: float = 0) -> np.ndarray:
    """An array that begins with a cache line, so that the ranges of two threads lie in different ones; one value each.

    NumPy's own arrays begin anywhere. Where the end of one thread's range shares a line with the beginning of the
    next, the line wanders from core to core with every write: a network took twice as long as on one thread.
    """
    shape = shape if isinstance(shape, tuple) else (int(shape),)
    size = math.prod(shape) * np.dtype(dtype).itemsize
    memory = np.zeros(size + _LINE, np.uint8)
    start = -memory.ctypes.data % _LINE
    array = memory[start : start + size].view(dtype).reshape(shape)
    if value:
        array[...] = value
    return array


def padded_array(value: float | np.ndarray, size: int, dtype: np.dtype) -> np.ndarray:
    """A value for each neuron, one number or [size], in an array of padded length whose rest repeats the last value."""
    array = aligned(padded(size), dtype)
    array[:size] = value
    if size:
        array[size:] = array[size - 1]
    return array
