"""The kernels of populations without equations: they write spikes into the population's log."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numba import cfunc

from spikelab.kernels.native import array_at
from spikelab.sim.numba_engine.native import KERNEL, address_of
from spikelab.sim.numba_engine.partition import LANES
from spikelab.sim.numba_engine.spike_log import append_spikes
from spikelab.sim.random_numbers import step_key, turned, word


@cache
def spike_array_kernel() -> int:
    """Writes given spikes.

    Table: log header, bounds, number of spikes, their steps int64 [K], their neurons int32 [K].
    """

    @cfunc(KERNEL, cache=True)
    def write_spikes(table: Any, thread: int, step: int) -> None:
        header = array_at(table[0], (6,), np.int64)
        bounds = array_at(table[1], (header[5] + 1,), np.int64)
        steps = array_at(table[3], (table[2],), np.int64)
        neurons = array_at(table[4], (table[2],), np.int32)
        offsets = array_at(header[2] + 8 * thread * header[3], (header[3],), np.int64)
        identities = array_at(header[0] + 4 * thread * header[1], (header[1],), np.int32)
        local = step - header[4]
        place = offsets[local]
        spike = np.searchsorted(steps, step)
        while spike < steps.size and steps[spike] == step:
            if bounds[thread] <= neurons[spike] < bounds[thread + 1]:
                identities[place] = neurons[spike]
                place += 1
            spike += 1
        offsets[local + 1] = place

    return address_of(write_spikes)


@cache
def poisson_source_kernel() -> int:
    """Draws spikes, at most one a neuron and step.

    Table: log header, bounds, size, key, flags uint8 [padded size], thresholds uint64 [bins, columns], bins, columns,
    steps of a bin (0: one bin for ever). A neuron spikes where 64 random bits are, as a number, below its threshold.
    """

    @cfunc(KERNEL, cache=True)
    def draw_spikes(table: Any, thread: int, step: int) -> None:
        header = array_at(table[0], (6,), np.int64)
        bounds = array_at(table[1], (header[5] + 1,), np.int64)
        lo, hi = bounds[thread], bounds[thread + 1]
        long = (table[2] + LANES - 1) // LANES * LANES
        flags = array_at(table[4], (long,), np.uint8)
        bins, columns, width = table[6], table[7], table[8]
        bin_ = step // width if width > 0 else np.int64(0)
        if bin_ >= bins:
            flags[lo:hi] = 0
        else:
            limits = array_at(table[5], (bins, columns), np.uint64)[bin_]
            key = step_key(np.uint64(table[3]), step)
            again = turned(key)
            for neuron in range(lo, hi):
                limit = limits[neuron if columns > 1 else 0]
                flags[neuron] = word(key, again, np.uint64(neuron)) < limit
        append_spikes(header, thread, step, flags, lo, hi)

    return address_of(draw_spikes)
