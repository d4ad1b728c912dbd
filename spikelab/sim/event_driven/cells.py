"""The cells of all populations in a few arrays, as compiled code reads them.

A program for each population, numbers for each set of parameter values, and the state of each cell.

Compiled functions take one address instead of these arrays: passing arrays, and counting references to them, costs more
than what most of the functions do.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from spikelab.kernels.native import array_at

#: The two linear systems of a neuron: free, and refractory, when some states stand still. Of a NumPy type, as other
#: constants that are arguments: Numba compiles a function anew for each Python number that it is called with.
FREE: Any = np.int64(0)
REFRACTORY: Any = np.int64(1)
#: The first function of the chain: the distance from threshold.
GATE: Any = np.int64(0)

#: Entries of a program. ``SOLUTION + mode``, BOUNDED, CHANGED, ARRIVALS and HELD say where in ``programs`` a list lies;
#: the entries from RATES on say where in a row of numbers something lies.
(
    STATES,  # number of states
    LEVELS,  # functions in the chain that decides about crossings; 0 for cells that never spike
    SOLUTION,  # free: divided differences (count; length and points of each), terms (count; target, origin, difference)
    SOLUTION_REFRACTORY,  # the same
    BOUNDED,  # states whose size bounds the drive, drivers first; ended by -1
    CHANGED,  # states that a spike changes; ended by -1
    ARRIVALS,  # the state that each receptor raises
    HELD,  # for each state, whether it stands still in the refractory time
    RATES,  # own decay of each state, 1/s, and 0 for the constant
    RATES_REFRACTORY,
    COEFFICIENTS,  # of each term
    COEFFICIENTS_REFRACTORY,
    CHAIN,  # each of its functions over states, constant and input
    CHAIN_RATES,  # rate at which each gives the next
    COUPLINGS,  # derivative of each state without its own decay, over states, constant and input
    RESETS,  # new value of each state after a spike, over states and constant
    JUMPS,  # rise by a spike of weight 1, for each receptor
    REFRACTORY_TIME,  # seconds
    HORIZON,  # how far ahead crossings are looked for at once, seconds
    HEADER,
) = range(20)

#: Columns of a cell's state. The states hold at the time of the cell's last event; nothing else ever moves them.
(
    INPUT,  # x
    LAST,  # time of the last event
    FREE_FROM,  # end of the refractory time; -inf for a cell that is free
    NEXT,  # when to look at the cell though nothing arrives
    SPIKES_NEXT,  # 1 if that is the exact time of its next spike, else 0
    VALUES,  # the first of its states
) = range(6)

#: Rows of the scratch array: intermediate results, so that compiled code allocates nothing.
HERE, EXPONENTIALS, FACTORS, POINTS, TABLE, SERIES, MARKS, FOUND, LOW, HIGH, SCRATCH_ROWS = range(11)


class Cells(NamedTuple):
    """All cells. Compiled code takes them as one number, the address of ``table``.

    Attributes:
        places: where each cell's program and numbers begin, int64 [cells, 2].
        programs: int64.
        numbers: float64.
        state: float64 [cells, VALUES + most states].
        scratch: float64 [SCRATCH_ROWS, enough].
        table: addresses of all of these, and the widths of ``state`` and ``scratch``, int64 [7].
    """

    places: np.ndarray
    programs: np.ndarray
    numbers: np.ndarray
    state: np.ndarray
    scratch: np.ndarray
    table: np.ndarray

    @property
    def address(self) -> int:
        """Of the table."""
        return self.table.ctypes.data


def make_cells(
    places: np.ndarray, programs: np.ndarray, numbers: np.ndarray, state: np.ndarray, scratch: np.ndarray
) -> Cells:
    """The arrays with the table that leads to them."""
    arrays = (places, programs, numbers, state, scratch)
    table = np.array([*(each.ctypes.data for each in arrays), state.shape[1], scratch.shape[1]], np.int64)
    return Cells(*arrays, table)


#: An array at an address does not know its length, and indices are never negative.
_LONG = 1 << 40


@njit
def places_of(cells: int) -> Any:
    """The array ``places``."""
    return array_at(array_at(cells, (7,), np.int64)[0], (_LONG, 2), np.int64)


@njit
def programs_of(cells: int) -> Any:
    """The array ``programs``."""
    return array_at(array_at(cells, (7,), np.int64)[1], (_LONG,), np.int64)


@njit
def numbers_of(cells: int) -> Any:
    """The array ``numbers``."""
    return array_at(array_at(cells, (7,), np.int64)[2], (_LONG,), np.float64)


@njit
def state_of(cells: int) -> Any:
    """The array ``state``."""
    table = array_at(cells, (7,), np.int64)
    return array_at(table[3], (_LONG, table[5]), np.float64)


@njit
def scratch_of(cells: int) -> Any:
    """The array ``scratch``."""
    table = array_at(cells, (7,), np.int64)
    return array_at(table[4], (SCRATCH_ROWS, table[6]), np.float64)
