"""Brings one cell from event to event: arrivals, crossings of the threshold, ends of refractory times.

At one time: first every arrival and every change of an input current, all of them, then the end of a refractory time,
then the threshold. A jump of the membrane that arrives during the refractory time or at its very end is dropped. That
is the order within a step of the engines with a time grid.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from spikelab.kernels.native import array_at
from spikelab.sim.event_driven.arrivals import RECEPTOR, TIME, WEIGHT
from spikelab.sim.event_driven.cells import (
    ARRIVALS,
    CHANGED,
    FREE,
    FREE_FROM,
    HELD,
    HERE,
    HORIZON,
    INPUT,
    JUMPS,
    LAST,
    NEXT,
    REFRACTORY,
    REFRACTORY_TIME,
    RESETS,
    SPIKES_NEXT,
    STATES,
    VALUES,
    numbers_of,
    places_of,
    programs_of,
    scratch_of,
    state_of,
)
from spikelab.sim.event_driven.crossing import first_crossing, safe_time
from spikelab.sim.event_driven.currents import change_current
from spikelab.sim.event_driven.solution import is_over, state_after

#: Spikes of one cell in one window that are taken for an endless burst.
MOST_SPIKES = 4096
ENDLESS = -1
_LONG = 1 << 40
_FIRES: Any = np.bool_(True)
_MAY_FIRE: Any = np.bool_(False)
#: A bound that is further off than this part of the horizon spares looking for the crossing itself.
_WORTH_WAITING = 0.1


@njit(error_model="numpy")
def mode_of(cells: int, cell: int) -> int:
    """FREE or REFRACTORY."""
    return FREE if state_of(cells)[cell, FREE_FROM] == -np.inf else REFRACTORY


@njit(error_model="numpy")
def _move_to(cells: int, cell: int, time: float) -> None:
    """Makes the state hold at a later time; there must be no event before."""
    state = state_of(cells)
    if time > state[cell, LAST]:
        state_after(cells, cell, mode_of(cells, cell), time - state[cell, LAST])
        for k in range(programs_of(cells)[places_of(cells)[cell, 0] + STATES]):
            state[cell, VALUES + k] = scratch_of(cells)[HERE, k]
    state[cell, LAST] = time


@njit(error_model="numpy")
def _show(cells: int, cell: int) -> None:
    """Copies the states to HERE."""
    for k in range(programs_of(cells)[places_of(cells)[cell, 0] + STATES]):
        scratch_of(cells)[HERE, k] = state_of(cells)[cell, VALUES + k]


@njit(error_model="numpy")
def _reset(cells: int, cell: int) -> None:
    """Changes the states by a spike; those before it are in HERE."""
    programs, numbers = programs_of(cells), numbers_of(cells)
    program, row = places_of(cells)[cell, 0], places_of(cells)[cell, 1]
    states = programs[program + STATES]
    listed = programs[program + CHANGED]
    while programs[listed] >= 0:
        at = row + programs[program + RESETS] + programs[listed] * (states + 1)
        value = numbers[at + states]
        for k in range(states):
            value += numbers[at + k] * scratch_of(cells)[HERE, k]
        state_of(cells)[cell, VALUES + programs[listed]] = value
        listed += 1


@njit(error_model="numpy")
def _settle(cells: int, cell: int, fires: bool, burst: int, spikes: int) -> int:
    """Fires at the time of the state as long as it is over threshold, and says when to look again.

    Args:
        cells: address of their table.
        cell: which.
        fires: whether it surely fires once.
        burst: address of float64 [MOST_SPIKES], where spike times go.
        spikes: how many are there already.

    Returns:
        Number of spikes by now, or ENDLESS.
    """
    state, program = state_of(cells), places_of(cells)[cell, 0]
    time = state[cell, LAST]
    state[cell, SPIKES_NEXT] = 0.0
    _show(cells, cell)
    while fires or is_over(cells, cell):
        if spikes >= MOST_SPIKES:
            return ENDLESS
        fires = False
        array_at(burst, (MOST_SPIKES,), np.float64)[spikes] = time
        spikes += 1
        _reset(cells, cell)
        refractory = numbers_of(cells)[places_of(cells)[cell, 1] + programs_of(cells)[program + REFRACTORY_TIME]]
        if refractory > 0.0:
            state[cell, FREE_FROM] = state[cell, NEXT] = time + refractory
            return spikes
        _show(cells, cell)
    state[cell, NEXT] = time + safe_time(cells, cell)
    return spikes


@njit(error_model="numpy")
def _look(cells: int, cell: int) -> None:
    """Finds the next spike, or a later time at which to look again; depends on the cell's state alone."""
    state = state_of(cells)
    last = state[cell, LAST]
    start = max(0.0, state[cell, NEXT] - last)
    horizon = numbers_of(cells)[places_of(cells)[cell, 1] + programs_of(cells)[places_of(cells)[cell, 0] + HORIZON]]
    state_after(cells, cell, FREE, start)
    safe = safe_time(cells, cell)
    if safe > _WORTH_WAITING * horizon:
        state[cell, NEXT] = last + start + safe
        return
    crossing, safe = first_crossing(cells, cell, start, start + horizon)
    if crossing < np.inf:
        state[cell, NEXT] = max(state[cell, NEXT], last + crossing)
        state[cell, SPIKES_NEXT] = 1.0
    else:
        # later in any case, even where a horizon is lost against a long time
        state[cell, NEXT] = max(last + safe, np.nextafter(state[cell, NEXT], np.inf))


@njit(error_model="numpy")
def _arrive(cells: int, currents: int, cell: int, receptor: int, weight: float) -> None:
    if receptor < 0:
        state_of(cells)[cell, INPUT] = change_current(currents, cell, -1 - receptor, weight)
        return
    programs, program = programs_of(cells), places_of(cells)[cell, 0]
    k = programs[programs[program + ARRIVALS] + receptor]
    if programs[programs[program + HELD] + k] and mode_of(cells, cell) == REFRACTORY:
        return
    jump = numbers_of(cells)[places_of(cells)[cell, 1] + programs[program + JUMPS] + receptor]
    state_of(cells)[cell, VALUES + k] += jump * weight


@njit(error_model="numpy")
def advance(cells: int, currents: int, cell: int, end: float, own: int, count: int) -> int:
    """Everything that happens to a cell before ``end``.

    Args:
        cells: address of their table.
        currents: address of the table of step currents.
        cell: which.
        end: excluded.
        own: address of the table of its arrivals: addresses of ``picked``, which has their places in order, ``amounts``
            and ``marks`` (see ``arrivals``), and of float64 [MOST_SPIKES] for the spike times.
        count: how many arrivals.

    Returns:
        Number of spikes, or ENDLESS.
    """
    table = array_at(own, (4,), np.int64)
    picked = array_at(table[0], (_LONG,), np.int64)
    amounts, marks = array_at(table[1], (_LONG, 2), np.float64), array_at(table[2], (_LONG, 3), np.int64)
    burst = table[3]
    state = state_of(cells)
    spikes: Any = np.int64(0)
    place: Any = np.int64(0)
    while spikes != ENDLESS:
        arrival = amounts[picked[place], TIME] if place < count else np.inf
        before = min(arrival, end)
        free_from = state[cell, FREE_FROM]
        if free_from == -np.inf:
            while state[cell, SPIKES_NEXT] == 0.0 and state[cell, NEXT] < before:
                _look(cells, cell)
            if state[cell, NEXT] < before:
                _move_to(cells, cell, state[cell, NEXT])
                spikes = _settle(cells, cell, _FIRES, burst, spikes)
                continue
        elif free_from < before:
            _move_to(cells, cell, free_from)
            state[cell, FREE_FROM] = -np.inf
            spikes = _settle(cells, cell, _MAY_FIRE, burst, spikes)
            continue
        if place == count:
            break
        _move_to(cells, cell, arrival)
        while place < count and amounts[picked[place], TIME] == arrival:
            _arrive(cells, currents, cell, marks[picked[place], RECEPTOR], amounts[picked[place], WEIGHT])
            place += 1
        if free_from == -np.inf:
            spikes = _settle(cells, cell, _MAY_FIRE, burst, spikes)
    return spikes
