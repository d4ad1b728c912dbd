"""A Poisson count whose mean is the item's own."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

from spikelab.sim.random_numbers.hashed_bits import turned, unit_interval, word

_INVERTED_BELOW = 10.0
_U = np.uint64


@njit(nogil=True)
def _by_inversion(u: Any, mean: Any) -> Any:
    # from the upper tail: 1 - exp(-mean) keeps its digits where the mean is small
    probability, rest = math.exp(-mean), -math.expm1(-mean)
    count = 0
    # the second condition ends a search that rounding of the rest would keep going
    while u < rest and probability > 1e-20:
        count += 1
        probability *= mean / count
        rest -= probability
    return count


@njit(nogil=True)
def _by_rejection(random_bits: Any, mean: Any) -> Any:
    """Transformed rejection with squeeze, algorithm PTRS of Hörmann 1993."""
    root = math.sqrt(mean)
    b = 0.931 + 2.53 * root
    a = -0.059 + 0.02483 * b
    inverse_alpha = 1.1239 + 1.1328 / (b - 3.4)
    accepted = 0.9277 - 3.6224 / (b - 2.0)
    again, attempt = turned(random_bits), _U(0)
    while True:
        u = unit_interval(word(random_bits, again, attempt)) - 0.5
        v = unit_interval(word(random_bits, again, attempt + _U(1)))
        attempt += _U(2)
        side = 0.5 - abs(u)
        count = math.floor((2.0 * a / side + b) * u + mean + 0.43)
        if side >= 0.07 and v <= accepted:
            return int(count)
        if count < 0 or (side < 0.013 and v > side):
            continue
        height = math.log(v * inverse_alpha / (a / (side * side) + b))
        if height <= count * math.log(mean) - mean - math.lgamma(count + 1.0):
            return int(count)


@njit(nogil=True)
def poisson_of_mean(random_bits: Any, mean: Any) -> Any:
    """A Poisson count of any mean, as a function of 64 random bits; slower than ``fill_poisson``.

    Args:
        random_bits: uint64, from ``bits`` or ``word``.
        mean: up to about 1e9; a mean that is not above 0, or not a number, gives 0.

    Returns:
        int64.
    """
    if not mean > 0.0:
        return 0
    if mean < _INVERTED_BELOW:
        return _by_inversion(unit_interval(random_bits), mean)
    return _by_rejection(random_bits, mean)
