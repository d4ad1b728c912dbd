"""Sorts events by time, and those at the same time by a number that says which comes first."""

from __future__ import annotations

from typing import Any

from numba import njit

_SHORT = 16


@njit
def _after(a: int, b: int, times: Any, orders: Any) -> bool:
    return times[a, 0] > times[b, 0] or (times[a, 0] == times[b, 0] and orders[a, 0] > orders[b, 0])


@njit
def sort_events(index: Any, spare: Any, count: int, times: Any, orders: Any) -> None:
    """Sorts places of events: runs by insertion, then merged.

    Args:
        index: int64 [at least count], the places to sort.
        spare: as long, overwritten.
        count: how many.
        times: [events, any]; the first column counts.
        orders: int64 [events, any]; likewise.
    """
    for first in range(0, count, _SHORT):
        for i in range(first + 1, min(first + _SHORT, count)):
            moving, j = index[i], i
            while j > first and _after(index[j - 1], moving, times, orders):
                index[j] = index[j - 1]
                j -= 1
            index[j] = moving
    width = _SHORT
    while width < count:
        for first in range(0, count, 2 * width):
            middle, end = min(first + width, count), min(first + 2 * width, count)
            if middle == end or not _after(index[middle - 1], index[middle], times, orders):
                continue
            left, right = first, middle
            for place in range(first, end):
                if left < middle and (right >= end or not _after(index[left], index[right], times, orders)):
                    spare[place] = index[left]
                    left += 1
                else:
                    spare[place] = index[right]
                    right += 1
            for place in range(first, end):
                index[place] = spare[place]
        width *= 2
