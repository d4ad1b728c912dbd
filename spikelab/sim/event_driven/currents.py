"""Currents in steps: the present value of each at each of its cells."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from spikelab.kernels.native import array_at

#: Columns of ``table``: first cell, number of cells, where its levels begin, 1 if each cell has its own values else 0.
FIRST, SIZE, LEVELS_AT, STRIDE = range(4)
#: Columns of ``steps``: which current, where its new values lie in ``values``.
CURRENT, VALUES_AT = range(2)


class Currents(NamedTuple):
    """All step currents.

    Attributes:
        table: int64 [currents, 4].
        level: present values, float64.
        bias: constant input of each cell, float64 [cells].
        times: of all steps, ascending, seconds, float64 [steps].
        steps: int64 [steps, 2].
        values: float64.
        position: how many steps are past, int64 [1].
    """

    table: np.ndarray
    level: np.ndarray
    bias: np.ndarray
    times: np.ndarray
    steps: np.ndarray
    values: np.ndarray
    position: np.ndarray


def address_table(currents: Currents) -> np.ndarray:
    """What ``change_current`` needs: addresses of ``table``, ``level`` and ``bias``, and the number of currents."""
    addresses = [each.ctypes.data for each in (currents.table, currents.level, currents.bias)]
    return np.array([*addresses, len(currents.table)], np.int64)


@njit
def change_current(currents: int, cell: int, changed: int, value: float) -> float:
    """Gives one current a new value at a cell, and returns the cell's whole input.

    It is added up anew, so that steps there and back leave no trace of rounding.

    Args:
        currents: address of their address table.
        cell: which.
        changed: number of the current.
        value: its new value.
    """
    addresses = array_at(currents, (4,), np.int64)
    count = addresses[3]
    table = array_at(addresses[0], (count, 4), np.int64)
    level = array_at(addresses[1], (1 << 40,), np.float64)
    total = array_at(addresses[2], (1 << 40,), np.float64)[cell]
    level[table[changed, LEVELS_AT] + cell - table[changed, FIRST]] = value
    for number in range(count):
        place = cell - table[number, FIRST]
        if 0 <= place < table[number, SIZE]:
            total += level[table[number, LEVELS_AT] + place]
    return total
