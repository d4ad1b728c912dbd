"""Collects what reaches cells within a window: each function takes the arrays that grow, and returns them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from spikelab.sim.event_driven import currents as current_columns
from spikelab.sim.event_driven import delivery_queue as queue_columns
from spikelab.sim.event_driven import trains as train_columns
from spikelab.sim.event_driven import wiring_table as wiring_columns
from spikelab.sim.event_driven.arrivals import add_arrival, with_room
from spikelab.sim.event_driven.delivery_queue import remove_first, sink
from spikelab.sim.event_driven.due import BLOCK
from spikelab.sim.event_driven.trains import draw_next

_CURRENT, _VALUES_AT = current_columns.CURRENT, current_columns.VALUES_AT
_CURRENT_FIRST, _CURRENT_SIZE, _CURRENT_STRIDE = current_columns.FIRST, current_columns.SIZE, current_columns.STRIDE
_ARRIVES, _EMITTED = queue_columns.ARRIVES, queue_columns.EMITTED
_ORDER, _SYNAPSE, _END = queue_columns.ORDER, queue_columns.SYNAPSE, queue_columns.END
_PROJECTION = queue_columns.PROJECTION
_TRAIN_FIRST, _EMITTER, _TRAIN_TARGET = train_columns.FIRST, train_columns.EMITTER, train_columns.TARGET
_TRAIN_RECEPTOR = train_columns.RECEPTOR
_TRAIN_WEIGHTS, _TRAIN_STRIDE = train_columns.WEIGHTS_AT, train_columns.WEIGHT_STRIDE
_SYNAPSES_AT, _TARGET, _RECEPTOR = wiring_columns.SYNAPSES_AT, wiring_columns.TARGET, wiring_columns.RECEPTOR
_WEIGHTS_AT, _WEIGHT_STRIDE = wiring_columns.WEIGHTS_AT, wiring_columns.WEIGHT_STRIDE
_DELAYS_AT, _DELAY_STRIDE = wiring_columns.DELAYS_AT, wiring_columns.DELAY_STRIDE


@njit
def twice(array: Any) -> Any:
    """The same array with twice the room."""
    longer = np.zeros(2 * array.size, array.dtype)
    for i in range(array.size):
        longer[i] = array[i]
    return longer


@njit
def collect_steps(currents: Any, stop: float, streams: int, amounts: Any, marks: Any, heads: Any, touched: Any) -> Any:
    """Steps of currents before ``stop``, first of all in order; returns (amounts, marks, arrivals, cells reached)."""
    count = reached = 0
    while currents.position[0] < currents.times.size and currents.times[currents.position[0]] < stop:
        step = currents.position[0]
        time, number = currents.times[step], currents.steps[step, _CURRENT]
        row = currents.table[number]
        amounts, marks = with_room(amounts, marks, count + row[_CURRENT_SIZE])
        order = number - currents.table.shape[0] - streams
        for i in range(row[_CURRENT_SIZE]):
            value = currents.values[currents.steps[step, _VALUES_AT] + i * row[_CURRENT_STRIDE]]
            cell = row[_CURRENT_FIRST] + i
            if add_arrival(amounts, marks, count, heads, cell, time, value, order, -1 - number):
                touched[reached] = cell
                reached += 1
            count += 1
        currents.position[0] += 1
    return amounts, marks, count, reached


@njit(error_model="numpy")
def collect_trains(
    trains: Any,
    soonest: Any,
    stop: float,
    amounts: Any,
    marks: Any,
    count: int,
    heads: Any,
    touched: Any,
    reached: int,
    spike_times: Any,
    emitters: Any,
    spikes: int,
) -> Any:
    """Poisson spikes before ``stop``, into cells or from sources.

    Returns:
        (amounts, marks, arrivals, cells reached, spike times, emitters, spikes).
    """
    streams = trains.table.shape[0]
    for block in range(soonest.size):
        if soonest[block] >= stop:
            continue
        following = np.inf
        for train in range(block * BLOCK, min((block + 1) * BLOCK, trains.next.size)):
            stream = trains.stream[train]
            row = trains.table[stream]
            item = train - row[_TRAIN_FIRST]
            while trains.next[train] < stop:
                if row[_EMITTER] >= 0:
                    if spikes == spike_times.size:
                        spike_times, emitters = twice(spike_times), twice(emitters)
                    spike_times[spikes], emitters[spikes] = trains.next[train], row[_EMITTER] + item
                    spikes += 1
                else:
                    amounts, marks = with_room(amounts, marks, count + 1)
                    cell = row[_TRAIN_TARGET] + item
                    weight = trains.weights[row[_TRAIN_WEIGHTS] + item * row[_TRAIN_STRIDE]]
                    receptor, order = row[_TRAIN_RECEPTOR], stream - streams
                    if add_arrival(amounts, marks, count, heads, cell, trains.next[train], weight, order, receptor):
                        touched[reached] = cell
                        reached += 1
                    count += 1
                draw_next(trains, train)
            following = min(following, trains.next[train])
        soonest[block] = following
    return amounts, marks, count, reached, spike_times, emitters, spikes


@njit(error_model="numpy")
def collect_deliveries(
    wiring: Any,
    times: Any,
    entries: Any,
    queued: int,
    stop: float,
    amounts: Any,
    marks: Any,
    count: int,
    heads: Any,
    touched: Any,
    reached: int,
) -> Any:
    """Spikes that arrive before ``stop``; returns (queued, amounts, marks, arrivals, cells reached)."""
    while queued > 0 and times[0, _ARRIVES] < stop:
        row = wiring.table[entries[0, _PROJECTION]]
        synapse, end = entries[0, _SYNAPSE], entries[0, _END]
        amounts, marks = with_room(amounts, marks, count + end - synapse)
        time, emitted, order = times[0, _ARRIVES], times[0, _EMITTED], entries[0, _ORDER]
        while time < stop:
            cell = row[_TARGET] + wiring.targets[row[_SYNAPSES_AT] + synapse]
            weight = wiring.weights[row[_WEIGHTS_AT] + synapse * row[_WEIGHT_STRIDE]]
            if add_arrival(amounts, marks, count, heads, cell, time, weight, order, row[_RECEPTOR]):
                touched[reached] = cell
                reached += 1
            count += 1
            synapse += 1
            if synapse == end:
                break
            time = emitted + wiring.delays[row[_DELAYS_AT] + synapse * row[_DELAY_STRIDE]]
        if synapse == end:
            remove_first(times, entries, queued)
            queued -= 1
        else:
            times[0, _ARRIVES], entries[0, _SYNAPSE] = time, synapse
            sink(times, entries, queued)
    return queued, amounts, marks, count, reached
