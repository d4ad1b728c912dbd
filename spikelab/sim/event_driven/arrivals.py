"""What reaches cells within a window: a linked list for each cell, in arrays that grow."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

#: Columns of ``amounts``, float64 [capacity, 2]; a step of a current has its new value as weight.
TIME, WEIGHT = range(2)
#: Columns of ``marks``, int64 [capacity, 3]: which of several at one time comes first; the receptor, or -1 - number of
#: a step current; the arrival at the same cell that was added before, or -1.
ORDER, RECEPTOR, LINK = range(3)


@njit
def with_room(amounts: Any, marks: Any, needed: int) -> Any:
    """(amounts, marks) with room for ``needed`` arrivals: the same arrays or longer ones."""
    if needed <= amounts.shape[0]:
        return amounts, marks
    room = max(needed, 2 * amounts.shape[0])
    more_amounts, more_marks = np.zeros((room, 2)), np.zeros((room, 3), np.int64)
    for i in range(amounts.shape[0]):
        for k in range(2):
            more_amounts[i, k] = amounts[i, k]
        for k in range(3):
            more_marks[i, k] = marks[i, k]
    return more_amounts, more_marks


@njit
def add_arrival(
    amounts: Any, marks: Any, place: int, heads: Any, cell: int, time: float, weight: float, order: int, receptor: int
) -> bool:
    """Notes an arrival; whether it is the cell's first."""
    amounts[place, TIME], amounts[place, WEIGHT] = time, weight
    marks[place, ORDER], marks[place, RECEPTOR], marks[place, LINK] = order, receptor, heads[cell]
    first = heads[cell] < 0
    heads[cell] = place
    return first


@njit
def take_arrivals(marks: Any, heads: Any, cell: int, picked: Any) -> int:
    """Writes a cell's arrivals into ``picked``, as they were added, and forgets them; returns how many."""
    count, place = 0, heads[cell]
    heads[cell] = -1
    while place >= 0:
        picked[count] = place
        count += 1
        place = marks[place, LINK]
    for i in range(count // 2):
        picked[i], picked[count - 1 - i] = picked[count - 1 - i], picked[i]
    return count
