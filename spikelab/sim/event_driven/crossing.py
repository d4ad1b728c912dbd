"""The first time at which a cell crosses its threshold, found so that none is missed.

The distance from threshold, f_0, is a sum of exponentials. (d/dt + rate) applied to it takes one exponential out and
gives f_1, and so on, down to a single exponential, which has no zero. Between two zeros of f_1 the function f_0 times
exp(rate · t) is monotone: it has at most one zero there, and the signs at both ends tell. So the zeros of each function
of the chain bracket those of the one before it, from the last up to f_0. Most of the time the signs of the chain at
both ends of an interval show already that there is no crossing or exactly one.

Brette 2007, Neural Computation 19, isolates crossings with Descartes' rule of signs and Sturm's theorem; D'Haene,
Schrauwen, Van Campenhout and Stroobandt 2009, Neural Computation 21, look for them only when they are near.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

from spikelab.sim.event_driven.cells import (
    BOUNDED,
    CHAIN,
    COUPLINGS,
    FOUND,
    FREE,
    GATE,
    HERE,
    HIGH,
    INPUT,
    LEVELS,
    LOW,
    MARKS,
    RATES,
    STATES,
    numbers_of,
    places_of,
    programs_of,
    scratch_of,
    state_of,
)
from spikelab.sim.event_driven.solution import chain_rate, chain_value, is_over, state_after, variations

#: Newton's method needs about six; bisection alone, which takes over where it fails, could need this many.
_MOST_TURNS = 200
_RISING: Any = np.bool_(True)


@njit(error_model="numpy")
def safe_time(cells: int, cell: int) -> float:
    """How long a free cell with the states in HERE cannot reach its threshold, seconds; cheap, often far too short.

    f_0' + rate · f_0 = f_1 <= U, with U from bounds on the other states: each state lies between where it is and where
    the largest and smallest drive would take it. Then f_0 stays below zero up to log(1 - rate · f_0 / U) / rate.
    """
    programs, numbers, scratch = programs_of(cells), numbers_of(cells), scratch_of(cells)
    program, row = places_of(cells)[cell, 0], places_of(cells)[cell, 1]
    if programs[program + LEVELS] == 0:
        return np.inf
    distance = chain_value(cells, cell, GATE)
    if distance >= 0.0:
        return 0.0
    if programs[program + LEVELS] == 1:
        # the distance only decays
        return np.inf
    states, x = programs[program + STATES], state_of(cells)[cell, INPUT]
    listed = programs[program + BOUNDED]
    while programs[listed] >= 0:
        k = programs[listed]
        at = row + programs[program + COUPLINGS] + k * (states + 2)
        above = below = numbers[at + states] + numbers[at + states + 1] * x
        for other in range(states):
            factor = numbers[at + other]
            if factor > 0.0:
                above += factor * scratch[HIGH, other]
                below += factor * scratch[LOW, other]
            elif factor < 0.0:
                above += factor * scratch[LOW, other]
                below += factor * scratch[HIGH, other]
        rate, value = numbers[row + programs[program + RATES + FREE] + k], scratch[HERE, k]
        if rate > 0.0:
            scratch[HIGH, k], scratch[LOW, k] = max(value, above / rate), min(value, below / rate)
        else:
            scratch[HIGH, k] = value if above <= 0.0 else np.inf
            scratch[LOW, k] = value if below >= 0.0 else -np.inf
        listed += 1
    at = row + programs[program + CHAIN] + states + 2
    bound = numbers[at + states] + numbers[at + states + 1] * x
    for k in range(states):
        factor = numbers[at + k]
        if factor > 0.0:
            bound += factor * scratch[HIGH, k]
        elif factor < 0.0:
            bound += factor * scratch[LOW, k]
    if bound <= 0.0:
        return np.inf
    rate = chain_rate(cells, cell, GATE)
    fraction = -rate * distance / (bound - rate * distance)
    # a little less, because the logarithm rounds
    return -0.999999 * math.log1p(-fraction) / rate if fraction > 1e-9 else -distance / (bound - rate * distance)


@njit(error_model="numpy")
def zero_between(cells: int, cell: int, level: int, start: float, end: float, rising: bool) -> float:
    """The only zero of a function of the chain between two times, at which it has different signs; to the last bits.

    Newton's method, kept inside a bracket that shrinks. ``rising`` says whether the function is positive at the end.
    """
    levels = programs_of(cells)[places_of(cells)[cell, 0] + LEVELS]
    rate = chain_rate(cells, cell, level)
    time = 0.5 * (start + end)
    before = end - start
    for _ in range(_MOST_TURNS):
        state_after(cells, cell, FREE, time)
        value = chain_value(cells, cell, level)
        if value == 0.0:
            return time
        if (value > 0.0) == rising:
            end = time
        else:
            start = time
        slope = -rate * value
        if level + 1 < levels:
            slope += chain_value(cells, cell, level + 1)
        moved = -value / slope if slope != 0.0 else np.inf
        following = time + moved
        if abs(moved) <= 2e-16 * time:
            return min(max(following, start), end)
        # a step that leaves the bracket, or is not at least half as long as the one before, is a bisection
        if not start < following < end or abs(moved) > 0.5 * before:
            following = 0.5 * (start + end)
            if following <= start or following >= end:
                return following
        before = abs(following - time)
        time = following
    return time


@njit(error_model="numpy")
def first_crossing(cells: int, cell: int, start: float, end: float) -> tuple[float, float]:
    """(when a free cell first crosses its threshold in [start, end], or inf; up to when it surely does not).

    All times are seconds since the cell's last event.
    """
    state_after(cells, cell, FREE, start)
    if is_over(cells, cell):
        return start, start
    at_start = variations(cells, cell)
    if at_start == 0:
        return np.inf, np.inf
    state_after(cells, cell, FREE, end)
    at_end = variations(cells, cell)
    over = chain_value(cells, cell, GATE) > 0.0
    if at_start == at_end:
        return np.inf, end
    if at_start == at_end + 1:
        return (zero_between(cells, cell, GATE, start, end, _RISING) if over else np.inf), end
    return _search(cells, cell, start, end), end


@njit(error_model="numpy")
def _search(cells: int, cell: int, start: float, end: float) -> float:
    """The first crossing by the zeros of the whole chain, from its last function up; inf if there is none."""
    scratch = scratch_of(cells)
    marks, found = MARKS, FOUND
    scratch[marks, 0], scratch[marks, 1] = start, end
    count = 2
    for level in range(programs_of(cells)[places_of(cells)[cell, 0] + LEVELS] - 2, 0, -1):
        scratch[found, 0], places = start, 1
        state_after(cells, cell, FREE, start)
        left = chain_value(cells, cell, level)
        for i in range(1, count):
            low, high = scratch[marks, i - 1], scratch[marks, i]
            state_after(cells, cell, FREE, high)
            right = chain_value(cells, cell, level)
            if (left < 0.0 and right > 0.0) or (left > 0.0 and right < 0.0):
                scratch[found, places] = zero_between(cells, cell, level, low, high, right > 0.0)
                places += 1
            left = right
        scratch[found, places] = end
        count = places + 1
        marks, found = found, marks
    for i in range(1, count):
        low, high = scratch[marks, i - 1], scratch[marks, i]
        state_after(cells, cell, FREE, high)
        if chain_value(cells, cell, GATE) > 0.0:
            return zero_between(cells, cell, GATE, low, high, _RISING)
    return np.inf
