"""Spikes on their way: a heap with one entry for each spike and projection, by the time of its next arrival.

The synapses of a sender are sorted by delay; an entry moves along its row. So the heap holds spikes, not synapses.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

#: Columns of ``times``, float64 [capacity, 2]: of the next arrival, and of the spike.
ARRIVES, EMITTED = range(2)
#: Columns of ``entries``, int64 [capacity, 4]: which of several at one time comes first (by emission, then by
#: projection); the next synapse; behind the last one of the row; the projection.
ORDER, SYNAPSE, END, PROJECTION = range(4)


def empty_queue(capacity: int = 1024) -> tuple[np.ndarray, np.ndarray]:
    """(times, entries) with room for so many."""
    return np.zeros((capacity, 2)), np.zeros((capacity, 4), np.int64)


@njit
def _copy(times: Any, entries: Any, source: int, to_times: Any, to_entries: Any, place: int) -> None:
    for k in range(2):
        to_times[place, k] = times[source, k]
    for k in range(4):
        to_entries[place, k] = entries[source, k]


@njit
def enlarged(times: Any, entries: Any) -> Any:
    """(times, entries) with twice the room."""
    more_times, more_entries = np.zeros((2 * len(times), 2)), np.zeros((2 * len(times), 4), np.int64)
    for place in range(len(times)):
        _copy(times, entries, place, more_times, more_entries, place)
    return more_times, more_entries


@njit
def _earlier(times: Any, entries: Any, a: int, time: float, order: int) -> bool:
    return times[a, ARRIVES] < time or (times[a, ARRIVES] == time and entries[a, ORDER] < order)


@njit
def rise(times: Any, entries: Any, place: int) -> None:
    """Moves the entry at a place, the last one, up to where it belongs."""
    time, emitted = times[place, ARRIVES], times[place, EMITTED]
    order, synapse, end, projection = entries[place, 0], entries[place, 1], entries[place, 2], entries[place, 3]
    while place > 0:
        parent = (place - 1) >> 1
        if _earlier(times, entries, parent, time, order):
            break
        _copy(times, entries, parent, times, entries, place)
        place = parent
    times[place, ARRIVES], times[place, EMITTED] = time, emitted
    entries[place, ORDER], entries[place, SYNAPSE], entries[place, END] = order, synapse, end
    entries[place, PROJECTION] = projection


@njit
def sink(times: Any, entries: Any, count: int) -> None:
    """Moves the first of ``count`` entries down to where it belongs."""
    time, emitted = times[0, ARRIVES], times[0, EMITTED]
    order, synapse, end, projection = entries[0, 0], entries[0, 1], entries[0, 2], entries[0, 3]
    place = 0
    while True:
        child = 2 * place + 1
        if child >= count:
            break
        if child + 1 < count and _earlier(times, entries, child + 1, times[child, ARRIVES], entries[child, ORDER]):
            child += 1
        if not _earlier(times, entries, child, time, order):
            break
        _copy(times, entries, child, times, entries, place)
        place = child
    times[place, ARRIVES], times[place, EMITTED] = time, emitted
    entries[place, ORDER], entries[place, SYNAPSE], entries[place, END] = order, synapse, end
    entries[place, PROJECTION] = projection


@njit
def remove_first(times: Any, entries: Any, count: int) -> None:
    """Takes the first of ``count`` entries out."""
    _copy(times, entries, count - 1, times, entries, 0)
    sink(times, entries, count - 1)
