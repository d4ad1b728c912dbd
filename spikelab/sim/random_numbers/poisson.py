"""Poisson counts for whole arrays, all of one mean: inversion of a uniform number, by a table.

Two items share 64 random bits. The 32 bits of an item decide its count unless they lie in the last ten-thousandth, the
upper tail; there 32 further bits of its own join them. So the probability of every count is exact to 2**-32, and that
of the rare ones, which are all there is when the mean is small, to 2**-64.

Up to a mean of 5 each of the few thresholds is compared with many items at once, which runs on vectors; beyond, a guide
table gives the count from which a search upward begins (Chen & Asau 1974).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

from spikelab.kernels.numba_pipeline import NoAliasCompiler
from spikelab.sim.random_numbers.hashed_bits import turned, word

SMALLEST_MEAN, LARGEST_MEAN = 1e-9, 1000.0
#: Items whose draws lie in one block: item i and item i + 32 of a block share their random bits.
BLOCK = 64
_HALF, _PIECE = BLOCK // 2, 4 * BLOCK
_LARGEST_COMPARED = 5.0
_TAIL = 1e-4
_GUIDE_BITS = 10, 12
# a table begins with these four numbers; then the thresholds of 64 bits, those of 32, and the guide
_SHIFT, _EXACT, _FAST, _TAIL_BITS, _HEAD = range(5)

_U, _U32 = np.uint64, np.uint32
# the key of the 32 further bits differs from that of the first by this
_FURTHER_BITS = _U(0xA0761D6478BD642F)


def _thresholds(mean: float) -> list[int]:
    """P(count <= k) in units of 2**-64 for k = 0, 1, ... up to the last one below 1, accurate in both tails."""
    most = int(mean + 12 * math.sqrt(mean) + 50)
    probability = [math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(most + 1)]
    # each side summed from its small end
    above, below = np.cumsum(probability[::-1])[::-1], np.cumsum(probability)
    one = 1 << 64
    result = [
        round(float(below[k]) * one) if k < mean - 1 else one - round(float(above[k + 1]) * one) for k in range(most)
    ]
    return [threshold for threshold in result if threshold < one]


def poisson_table(mean: float) -> np.ndarray:
    """The table with which ``fill_poisson`` draws counts of this mean.

    Args:
        mean: 0, or 1e-9 to 1000.

    Returns:
        uint64 [entries], 1 to 50 kB.

    Raises:
        ValueError: a mean out of range.
    """
    if not (mean == 0 or SMALLEST_MEAN <= mean <= LARGEST_MEAN):
        raise ValueError(
            f"mean = {mean!r} of Poisson counts must be 0, or {SMALLEST_MEAN:g} to {LARGEST_MEAN:g}; instead of a "
            "larger one take a smaller step, or normal noise of the same mean and variance"
        )
    exact = _thresholds(mean) if mean else []
    # the first count that ends in the tail
    fast = next((k for k, threshold in enumerate(exact) if threshold >= round((1 - _TAIL) * 2**64)), len(exact))
    tail = exact[fast] >> 32 if fast < len(exact) else 0xFFFFFFFF
    steps = [min((threshold + (1 << 31)) >> 32, tail) for threshold in exact[:fast]] + [tail]
    if mean <= _LARGEST_COMPARED:
        return np.array([0, len(exact), fast, tail, *exact, *steps], np.uint64)
    width = _GUIDE_BITS[mean > 20]
    cells = np.arange(1 << width, dtype=np.uint64) << np.uint64(32 - width)
    guide = np.minimum(np.searchsorted(np.array(steps, np.uint64), cells, side="right"), fast)
    return np.concatenate(
        [np.array([32 - width, len(exact), fast, tail, *exact, *steps], np.uint64), guide.astype(np.uint64)]
    )


@njit(nogil=True, pipeline_class=NoAliasCompiler)
def _draw_bits(drawn: Any, key: Any, again: Any, pair: Any) -> None:
    for block in range(_PIECE // BLOCK):
        place, base = _U(block) * _U(BLOCK), pair + _U(block) * _U(_HALF)
        for j in range(_HALF):
            # unsigned places: a signed one could count from the end, which no vector store can
            i, x = place + _U(j), word(key, again, base + _U(j))
            drawn[i], drawn[i + _U(_HALF)] = _U32(x), _U32(x >> _U(32))


@njit(nogil=True, pipeline_class=NoAliasCompiler)
def _compare(drawn: Any, counts: Any, table: Any) -> Any:
    """The counts of a piece by comparison with each threshold; returns whether any item lies in the tail."""
    for j in range(_PIECE):
        counts[j] = _U32(0)
    start = _U(_HEAD) + table[_EXACT]
    for k in range(table[_FAST]):
        threshold = _U32(table[start + _U(k)])
        for j in range(_PIECE):
            counts[j] += _U32(drawn[j] >= threshold)
    tail, reached = _U32(table[_TAIL_BITS]), False
    for j in range(_PIECE):
        reached |= drawn[j] >= tail
    return reached


@njit(nogil=True, pipeline_class=NoAliasCompiler)
def _search(drawn: Any, counts: Any, table: Any) -> Any:
    """The counts of a piece by the guide; returns whether any item lies in the tail."""
    shift, fast = table[_SHIFT], table[_FAST]
    start = _U(_HEAD) + table[_EXACT]
    guide = start + fast + _U(1)
    for j in range(_PIECE):
        x = _U(drawn[j])
        k = table[guide + (x >> shift)]
        while k < fast and table[start + k] <= x:
            k += _U(1)
        counts[j] = _U32(k)
    tail, reached = _U32(table[_TAIL_BITS]), False
    for j in range(_PIECE):
        reached |= drawn[j] >= tail
    return reached


@njit(nogil=True)
def _draw_tail(drawn: Any, counts: Any, size: Any, table: Any, key: Any, first: Any) -> None:
    """The counts of the items in the tail, with all 64 bits."""
    other = key ^ _FURTHER_BITS
    again = turned(other)
    for j in range(size):
        if _U(drawn[j]) >= table[_TAIL_BITS]:
            x = (_U(drawn[j]) << _U(32)) | (word(other, again, first + _U(j)) >> _U(32))
            k = table[_FAST]
            while k < table[_EXACT] and table[_U(_HEAD) + k] <= x:
                k += _U(1)
            counts[j] = _U32(k)


@njit(nogil=True, pipeline_class=NoAliasCompiler)
def _copy(counts: Any, out: Any, start: Any, size: Any) -> None:
    for j in range(size):
        out[_U(start) + _U(j)] = counts[j]


@njit(nogil=True, cache=True)
def fill_poisson(out: Any, key: Any, first: Any, count: Any, table: Any) -> None:
    """Poisson counts for the items ``first`` to ``first + count``, however the items are split over calls.

    Args:
        out: of any type of number [at least count]; ``out[i]`` is that of item ``first + i``.
        key: of a stream, or ``step_key`` of a stream and a step.
        first: number of the first item, a multiple of 64.
        count: how many, any number.
        table: of the mean, from ``poisson_table``.
    """
    key = _U(key)
    again = turned(key)
    drawn, counts = np.empty(_PIECE, np.uint32), np.empty(_PIECE, np.uint32)
    for start in range(0, count, _PIECE):
        size = min(_PIECE, count - start)
        item = _U(first) + _U(start)
        # always a whole piece, of a size that the compiler knows
        _draw_bits(drawn, key, again, item >> _U(1))
        if _compare(drawn, counts, table) if table[_SHIFT] == _U(0) else _search(drawn, counts, table):
            _draw_tail(drawn, counts, size, table, key, item)
        _copy(counts, out, start, size)
