"""The loop over windows: as long as the shortest delay, so that no spike of a window arrives within it.

Within a window the cells are independent of each other. Windows begin where the next thing happens; how they fall
changes no result, since a cell's state moves at its own events only.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from spikelab.sim.event_driven import wiring_table as columns
from spikelab.sim.event_driven.advance import ENDLESS, advance
from spikelab.sim.event_driven.arrivals import take_arrivals
from spikelab.sim.event_driven.cells import NEXT
from spikelab.sim.event_driven.delivery_queue import ARRIVES, EMITTED, END, ORDER, PROJECTION, SYNAPSE, enlarged, rise
from spikelab.sim.event_driven.due import BLOCK, earliest
from spikelab.sim.event_driven.incoming import collect_deliveries, collect_steps, collect_trains, twice
from spikelab.sim.event_driven.ordering import sort_events
from spikelab.sim.event_driven.sampling import next_sample, take_samples
from spikelab.sim.event_driven.source_number import source_number

_SENDER, _SENDERS, _STARTS_AT = columns.SENDER, columns.SENDERS, columns.STARTS_AT
_DELAYS_AT, _DELAY_STRIDE = columns.DELAYS_AT, columns.DELAY_STRIDE
#: Entries of ``counters``: arrivals so far, spikes set out so far, given spikes past, a cell that spiked without end
#: or -1; the number of the sources that it was compiled from.
ARRIVED, EMITTED_SO_FAR, GIVEN_PAST, ENDLESS_CELL, SOURCES, COUNTERS = range(6)


@njit
def _set_out(
    wiring: Any, populations: Any, times: Any, entries: Any, queued: int, serial: int, time: float, emitter: int
) -> Any:
    """Puts a spike into the queue for each projection; returns (times, entries, queued)."""
    population = populations[emitter]
    for place in range(wiring.outgoing_starts[population], wiring.outgoing_starts[population + 1]):
        projection = wiring.outgoing[place]
        row = wiring.table[projection]
        sender = emitter - row[_SENDER]
        if not 0 <= sender < row[_SENDERS]:
            continue
        synapse, end = wiring.starts[row[_STARTS_AT] + sender], wiring.starts[row[_STARTS_AT] + sender + 1]
        if synapse == end:
            continue
        if queued == len(times):
            times, entries = enlarged(times, entries)
        times[queued, ARRIVES] = time + wiring.delays[row[_DELAYS_AT] + synapse * row[_DELAY_STRIDE]]
        times[queued, EMITTED] = time
        entries[queued, ORDER] = serial * wiring.table.shape[0] + projection
        entries[queued, SYNAPSE], entries[queued, END], entries[queued, PROJECTION] = synapse, end, projection
        rise(times, entries, queued)
        queued += 1
    return times, entries, queued


def _entry(sources: int) -> Any:
    """The loop as Numba keeps it on disk: under the number of the sources."""

    @njit(cache=True, error_model="numpy", nogil=True)
    def simulate(
        cells: int,
        state: Any,
        soonest: Any,
        wiring: Any,
        populations: Any,
        times: Any,
        entries: Any,
        queued: int,
        trains: Any,
        train_soonest: Any,
        given_times: Any,
        given_emitters: Any,
        currents: Any,
        current_table: int,
        samples: Any,
        begin: float,
        end: float,
        longest: float,
        counters: Any,
        burst: Any,
        own: Any,
    ) -> Any:
        """Everything that happens before ``end``.

        Args:
            cells: address of their table.
            state: of all cells, see ``cells``.
            soonest: lower bounds, by blocks, of when a cell has to be looked at.
            wiring: synapses.
            populations: population of each cell and source neuron, int32.
            times: of the spikes on their way, see ``delivery_queue``.
            entries: likewise.
            queued: how many.
            trains: Poisson trains.
            train_soonest: lower bounds, by blocks, of their next spikes.
            given_times: of given spikes, ascending.
            given_emitters: which source neurons they are of.
            currents: step currents.
            current_table: address of their table.
            samples: of states to take.
            begin: of the time to simulate; everything before is done.
            end: excluded.
            longest: longest window: the shortest delay, or less; seconds.
            counters: int64 [COUNTERS], kept up to date.
            burst: room, float64 [MOST_SPIKES].
            own: room for the table of a cell's arrivals, int64 [4]; see ``advance``.

        Returns:
            (times, entries, queued, times of the new spikes, which neurons spiked, how many spikes).
        """
        counters[SOURCES] = sources
        amounts, marks = np.zeros((1024, 2)), np.zeros((1024, 3), np.int64)
        heads, touched = np.full(len(state), -1, np.int64), np.zeros(len(state), np.int64)
        picked, spare = np.zeros(1024, np.int64), np.zeros(1024, np.int64)
        spikes: Any = np.int64(0)
        spike_times, emitters = np.zeros(1024), np.zeros(1024, np.int64)
        while True:
            first = min(earliest(soonest), earliest(train_soonest))
            if queued > 0:
                first = min(first, times[0, ARRIVES])
            if counters[GIVEN_PAST] < given_times.size:
                first = min(first, given_times[counters[GIVEN_PAST]])
            if currents.position[0] < currents.times.size:
                first = min(first, currents.times[currents.position[0]])
            sampled = next_sample(samples)
            if min(first, sampled) >= end:
                break
            stop = min(end, max(first, begin) + longest)
            if sampled < stop:
                # a sample comes after all that happens at its time
                stop = np.nextafter(sampled, np.inf)

            before = spikes
            amounts, marks, count, reached = collect_steps(
                currents, stop, trains.table.shape[0], amounts, marks, heads, touched
            )
            amounts, marks, count, reached, spike_times, emitters, spikes = collect_trains(
                trains,
                train_soonest,
                stop,
                amounts,
                marks,
                count,
                heads,
                touched,
                reached,
                spike_times,
                emitters,
                spikes,
            )
            queued, amounts, marks, count, reached = collect_deliveries(
                wiring, times, entries, queued, stop, amounts, marks, count, heads, touched, reached
            )
            counters[ARRIVED] += count
            if picked.size < len(amounts):
                picked, spare = np.zeros(len(amounts), np.int64), np.zeros(len(amounts), np.int64)

            own[0], own[1], own[2], own[3] = (
                picked.ctypes.data,
                amounts.ctypes.data,
                marks.ctypes.data,
                burst.ctypes.data,
            )

            # first the cells that something reaches, then those that are due, block by block
            for place in range(reached + soonest.size):
                due = place >= reached
                low, high = 0, 1
                if due:
                    block = place - reached
                    if soonest[block] >= stop:
                        continue
                    low, high = block * BLOCK, min((block + 1) * BLOCK, len(state))
                following = np.inf
                for each in range(low, high):
                    cell, listed = each, 0
                    if not due:
                        cell = touched[place]
                        listed = take_arrivals(marks, heads, cell, picked)
                        sort_events(picked, spare, listed, amounts, marks)
                    if not due or state[cell, NEXT] < stop:
                        fired = advance(cells, current_table, cell, stop, own.ctypes.data, listed)
                        if fired == ENDLESS:
                            counters[ENDLESS_CELL] = cell
                            return times, entries, queued, spike_times, emitters, before
                        while spikes + fired > spike_times.size:
                            spike_times, emitters = twice(spike_times), twice(emitters)
                        for i in range(fired):
                            spike_times[spikes], emitters[spikes] = burst[i], cell
                            spikes += 1
                    following = min(following, state[cell, NEXT])
                if due:
                    soonest[place - reached] = following
                else:
                    block = touched[place] // BLOCK
                    soonest[block] = min(soonest[block], following)
            while counters[GIVEN_PAST] < given_times.size and given_times[counters[GIVEN_PAST]] < stop:
                if spikes == spike_times.size:
                    spike_times, emitters = twice(spike_times), twice(emitters)
                spike_times[spikes] = given_times[counters[GIVEN_PAST]]
                emitters[spikes] = given_emitters[counters[GIVEN_PAST]]
                spikes += 1
                counters[GIVEN_PAST] += 1

            # the window's spikes set out, by time and then by number
            fresh = spikes - before
            if fresh > picked.size:
                picked, spare = np.zeros(2 * fresh, np.int64), np.zeros(2 * fresh, np.int64)
            if fresh > 1:
                unsorted_times, unsorted_emitters = np.zeros((fresh, 1)), np.zeros((fresh, 1), np.int64)
                for i in range(fresh):
                    picked[i] = i
                    unsorted_times[i, 0], unsorted_emitters[i, 0] = spike_times[before + i], emitters[before + i]
                sort_events(picked, spare, fresh, unsorted_times, unsorted_emitters)
                for i in range(fresh):
                    spike_times[before + i] = unsorted_times[picked[i], 0]
                    emitters[before + i] = unsorted_emitters[picked[i], 0]
            for spike in range(before, spikes):
                times, entries, queued = _set_out(
                    wiring,
                    populations,
                    times,
                    entries,
                    queued,
                    counters[EMITTED_SO_FAR],
                    spike_times[spike],
                    emitters[spike],
                )
                counters[EMITTED_SO_FAR] += 1
            if sampled < stop:
                take_samples(cells, samples, sampled)
        return times, entries, queued, spike_times, emitters, spikes

    return simulate


simulate = _entry(source_number())
