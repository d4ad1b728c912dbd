"""Draws the partners of one neuron, with or without repetition. Compiled."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from spikelab.sim.random_numbers import step_key, turned, word

_U = np.uint64
_PART = 2.0**-52


@njit(inline="always")
def whole_number_below(random_bits: Any, size: Any) -> Any:
    """A whole number from 0 to size - 1, from 64 random bits; ``size`` a float64 below 2**31."""
    return np.int64(np.float64(np.int64(random_bits >> _U(12))) * (size * _PART))


@njit(nogil=True)
def choose(chosen: Any, count: Any, size: Any, without: Any, distinct: Any, stamps: Any, key: Any, item: Any) -> None:
    """Draws ``count`` of ``size`` partners for a neuron.

    Args:
        chosen: int64 [at least count], for the result.
        count: how many.
        size: number of possible partners.
        without: a partner that is left out, or one below 0 or from ``size`` up for none.
        distinct: whether no partner may be chosen twice.
        stamps: int64 [size], where distinct; holds no number of this item (zeros at first).
        key: of the random numbers, uint64.
        item: number of the neuron.
    """
    own = step_key(key, item)
    again = turned(own)
    left_out = 0 <= without < size
    possible = np.float64(size - 1 if left_out else size)
    if not distinct:
        for i in range(count):
            partner = whole_number_below(word(own, again, _U(i)), possible)
            chosen[i] = partner + 1 if left_out and partner >= without else partner
        return
    # of more than half it is quicker to draw those that are not chosen
    inverse = 2 * count > size
    needed = np.int64(possible) - count if inverse else count
    stamp = item + 1
    found, attempt = 0, 0
    while found < needed:
        partner = whole_number_below(word(own, again, _U(attempt)), possible)
        attempt += 1
        if left_out and partner >= without:
            partner += 1
        if stamps[partner] != stamp:
            stamps[partner] = stamp
            if not inverse:
                chosen[found] = partner
            found += 1
    if inverse:
        found = 0
        for partner in range(size):
            if stamps[partner] != stamp and not (left_out and partner == without):
                chosen[found] = partner
                found += 1
