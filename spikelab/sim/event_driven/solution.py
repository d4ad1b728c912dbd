"""The state of a cell at any time after its last event, and the chain of functions that decides about crossings."""

from __future__ import annotations

import math

from numba import njit

from spikelab.sim.event_driven.cells import (
    CHAIN,
    CHAIN_RATES,
    COEFFICIENTS,
    EXPONENTIALS,
    FACTORS,
    HERE,
    INPUT,
    LEVELS,
    POINTS,
    RATES,
    SOLUTION,
    STATES,
    VALUES,
    numbers_of,
    places_of,
    programs_of,
    scratch_of,
    state_of,
)
from spikelab.sim.event_driven.divided_difference import exp_difference, exp_difference_of_two


@njit(error_model="numpy")
def state_after(cells: int, cell: int, mode: int, time: float) -> None:
    """Writes into the scratch row HERE what the cell's states become ``time`` seconds after its last event."""
    programs, numbers, scratch, state = programs_of(cells), numbers_of(cells), scratch_of(cells), state_of(cells)
    program, row = places_of(cells)[cell, 0], places_of(cells)[cell, 1]
    states = programs[program + STATES]
    rates = row + programs[program + RATES + mode]
    for k in range(states):
        rate = numbers[rates + k]
        scratch[EXPONENTIALS, k] = math.exp(-rate * time)
        scratch[HERE, k] = 0.0
    scratch[EXPONENTIALS, states] = 1.0
    at = programs[program + SOLUTION + mode]
    differences = programs[at]
    at += 1
    for d in range(differences):
        length = programs[at]
        a = programs[at + 1]
        if length == 1:
            scratch[FACTORS, d] = scratch[EXPONENTIALS, a]
        elif length == 2:
            b = programs[at + 2]
            gap = (numbers[rates + a] - numbers[rates + b]) * time
            exp_a, exp_b = scratch[EXPONENTIALS, a], scratch[EXPONENTIALS, b]
            scratch[FACTORS, d] = time * exp_difference_of_two(exp_a, exp_b, gap)
        else:
            power = 1.0
            for i in range(length):
                scratch[POINTS, i] = -numbers[rates + programs[at + 1 + i]] * time
                power = power * time if i else 1.0
            scratch[FACTORS, d] = exp_difference(cells, length) * power
        at += 1 + length
    terms = programs[at]
    at += 1
    coefficients = row + programs[program + COEFFICIENTS + mode]
    for t in range(terms):
        origin = programs[at + 1]
        value = numbers[coefficients + t] * scratch[FACTORS, programs[at + 2]]
        if origin < states:
            value *= state[cell, VALUES + origin]
        elif origin > states:
            value *= state[cell, INPUT]
        scratch[HERE, programs[at]] += value
        at += 3


@njit(error_model="numpy")
def chain_value(cells: int, cell: int, level: int) -> float:
    """A function of the chain for the states in HERE; level 0 is the distance from threshold."""
    program = places_of(cells)[cell, 0]
    states = programs_of(cells)[program + STATES]
    at = places_of(cells)[cell, 1] + programs_of(cells)[program + CHAIN] + level * (states + 2)
    value = numbers_of(cells)[at + states] + numbers_of(cells)[at + states + 1] * state_of(cells)[cell, INPUT]
    for k in range(states):
        value += numbers_of(cells)[at + k] * scratch_of(cells)[HERE, k]
    return value


@njit(error_model="numpy")
def chain_rate(cells: int, cell: int, level: int) -> float:
    """The rate with which a function of the chain gives the next one."""
    return numbers_of(cells)[
        places_of(cells)[cell, 1] + programs_of(cells)[places_of(cells)[cell, 0] + CHAIN_RATES] + level
    ]


@njit(error_model="numpy")
def variations(cells: int, cell: int) -> int:
    """Changes of sign along the chain for the states in HERE, zeros left out.

    Between two times their number drops by at least the number of zeros of the distance from threshold, and by an even
    number more: the theorem of Budan and Fourier, for sums of exponentials.
    """
    count, before = 0, 0.0
    for level in range(programs_of(cells)[places_of(cells)[cell, 0] + LEVELS]):
        value = chain_value(cells, cell, level)
        if value != 0.0:
            if before != 0.0 and (value > 0.0) != (before > 0.0):
                count += 1
            before = value
    return count


@njit(error_model="numpy")
def is_over(cells: int, cell: int) -> bool:
    """Whether the cell with the states in HERE is above threshold, or at it and about to rise above."""
    for level in range(programs_of(cells)[places_of(cells)[cell, 0] + LEVELS]):
        value = chain_value(cells, cell, level)
        if value != 0.0:
            return value > 0.0
    return False
