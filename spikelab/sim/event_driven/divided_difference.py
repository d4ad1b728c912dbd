"""Divided differences of exp: the exact solution of a chain of linear equations, stable whatever the time constants.

Where points lie far apart the quotient is taken, where they are near or equal a series; so nothing is lost as two time
constants approach each other, and t · exp(-t / tau) is the limit, not a case (McCurdy, Ng and Parlett 1984, Mathematics
of Computation 43).
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from spikelab.sim.event_driven.cells import POINTS, SERIES, TABLE, scratch_of

#: Points closer than this are treated by a series.
_NEAR_TWO, _NEAR = 0.5, 2.0
#: Coefficients of the series for two points, and number of terms of the general one.
_PHI = np.array([1.0 / math.factorial(k + 1) for k in range(14)][::-1])
SERIES_TERMS = 20
_FACTORIALS = np.array([float(math.factorial(k)) for k in range(SERIES_TERMS + 16)])
#: Most points that are supported: the longest path from an input to the gate, both ends included.
MOST_POINTS = 12


@njit(error_model="numpy")
def exp_difference_of_two(exp_a: float, exp_b: float, gap: float) -> float:
    """The divided difference of exp at a and b, from exp(a), exp(b) and b - a."""
    if abs(gap) >= _NEAR_TWO:
        return (exp_b - exp_a) / gap
    phi = 0.0
    for coefficient in _PHI:
        phi = phi * gap + coefficient
    return exp_a * phi


@njit(error_model="numpy")
def _series(cells: int, first: int, last: int) -> float:
    """Of the ascending points ``first`` to ``last``: complete homogeneous polynomials over factorials."""
    scratch = scratch_of(cells)
    middle = 0.5 * (scratch[POINTS, first] + scratch[POINTS, last])
    scratch[SERIES, 0] = 1.0
    for k in range(1, SERIES_TERMS):
        scratch[SERIES, k] = 0.0
    for i in range(first, last + 1):
        distance = scratch[POINTS, i] - middle
        for k in range(1, SERIES_TERMS):
            scratch[SERIES, k] += distance * scratch[SERIES, k - 1]
    total = 0.0
    for k in range(SERIES_TERMS - 1, -1, -1):
        total += scratch[SERIES, k] / _FACTORIALS[k + last - first]
    return math.exp(middle) * total


@njit(error_model="numpy")
def exp_difference(cells: int, count: int) -> float:
    """The divided difference of exp at the first numbers of the scratch row POINTS, which are sorted in place."""
    scratch = scratch_of(cells)
    for i in range(1, count):
        value, j = scratch[POINTS, i], i
        while j > 0 and scratch[POINTS, j - 1] > value:
            scratch[POINTS, j] = scratch[POINTS, j - 1]
            j -= 1
        scratch[POINTS, j] = value
    if scratch[POINTS, count - 1] - scratch[POINTS, 0] <= _NEAR:
        return _series(cells, 0, count - 1)
    for i in range(count):
        scratch[TABLE, i] = math.exp(scratch[POINTS, i])
    for span in range(1, count):
        for i in range(count - span):
            gap = scratch[POINTS, i + span] - scratch[POINTS, i]
            if gap > _NEAR:
                scratch[TABLE, i] = (scratch[TABLE, i + 1] - scratch[TABLE, i]) / gap
            else:
                scratch[TABLE, i] = _series(cells, i, i + span)
    return scratch[TABLE, 0]
