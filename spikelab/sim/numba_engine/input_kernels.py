"""The kernels that add what drives a group from outside to its buffers, at the start of each step."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numba import cfunc, njit

from spikelab.kernels.native import array_at
from spikelab.kernels.numba_pipeline import NoAliasCompiler
from spikelab.sim.numba_engine.native import KERNEL, address_of
from spikelab.sim.numba_engine.partition import LANES
from spikelab.sim.random_numbers import fill_normal, fill_poisson, poisson_of_mean, step_key, turned, word

#: Entries that the tables of all inputs begin with.
COMMON = (
    "bounds",  # of the population's threads
    "threads",
    "first",  # neuron of the group
    "last",
    "ring",
    "slots",
    "size",  # of the population
)


# in functions of their own, where arrays do not overlap, so that they run on vectors
@njit(nogil=True, error_model="numpy", pipeline_class=NoAliasCompiler)
def _add_scaled(row: Any, drawn: Any, mean: Any, factor: Any) -> None:
    for k in range(row.size):
        row[k] += mean + factor * drawn[k]


@njit(nogil=True, error_model="numpy", pipeline_class=NoAliasCompiler)
def _add_each_scaled(row: Any, drawn: Any, mean: Any, factor: Any) -> None:
    for k in range(row.size):
        row[k] += mean[k] + factor[k] * drawn[k]


@njit(nogil=True, error_model="numpy", pipeline_class=NoAliasCompiler)
def _add_each(row: Any, drawn: Any, factor: Any) -> None:
    for k in range(row.size):
        row[k] += factor[k] * drawn[k]


@cache
def step_current_kernel(dtype: str) -> int:
    """Adds a current that is constant between given steps.

    Table: the common entries; how many values; the step with which each begins, int64 [K]; values [K, columns];
    columns, 1 or the size of the group.
    """
    real: Any = np.dtype(dtype).type

    @cfunc(KERNEL, cache=True)
    def add_steps(table: Any, thread: int, step: int) -> None:
        bounds = array_at(table[0], (table[1] + 1,), np.int64)
        lo, hi = max(bounds[thread], table[2]), min(bounds[thread + 1], table[3])
        count, columns = table[7], table[10]
        begins = array_at(table[8], (count,), np.int64)
        now = np.searchsorted(begins, step, side="right") - 1
        if now < 0 or hi <= lo:
            return
        long = (table[6] + LANES - 1) // LANES * LANES
        row = array_at(table[4], (table[5], long), real)[step % table[5]]
        values = array_at(table[9], (count, columns), real)[now]
        if columns == 1:
            for neuron in range(lo, hi):
                row[neuron] += values[0]
        else:
            for neuron in range(lo, hi):
                row[neuron] += values[neuron - table[2]]

    return address_of(add_steps)


@cache
def noise_kernel(dtype: str) -> int:
    """Adds Gaussian noise.

    Table: the common entries; key; mean [1 or size]; standard deviation [1 or size]; columns, 1 or the size of the
    population; drawn numbers [padded size].
    """
    real: Any = np.dtype(dtype).type

    @cfunc(KERNEL, cache=True)
    def add_noise(table: Any, thread: int, step: int) -> None:
        bounds = array_at(table[0], (table[1] + 1,), np.int64)
        lo, hi = max(bounds[thread], table[2]), min(bounds[thread + 1], table[3])
        if hi <= lo:
            return
        long = (table[6] + LANES - 1) // LANES * LANES
        row = array_at(table[4], (table[5], long), real)[step % table[5]]
        columns = table[10]
        mean = array_at(table[8], (columns,), real)
        deviation = array_at(table[9], (columns,), real)
        # draws begin at a multiple of 64 neurons of the population, whichever group they are for
        first = lo // LANES * LANES
        drawn = array_at(table[11], (long,), real)[first:hi]
        fill_normal(drawn, step_key(np.uint64(table[7]), step), first, hi - first)
        if columns == 1:
            _add_scaled(row[lo:hi], drawn[lo - first :], mean[0], deviation[0])
        else:
            _add_each_scaled(row[lo:hi], drawn[lo - first :], mean[lo:hi], deviation[lo:hi])

    return address_of(add_noise)


@cache
def poisson_kernel(dtype: str) -> int:
    """Adds the spikes of Poisson trains, of the same rate for all neurons.

    Table: the common entries; key; table of the counts uint64 [K]; K; weights [columns]; columns, 1 or the size of the
    population; drawn counts [padded size].
    """
    real: Any = np.dtype(dtype).type

    @cfunc(KERNEL, cache=True)
    def add_counts(table: Any, thread: int, step: int) -> None:
        bounds = array_at(table[0], (table[1] + 1,), np.int64)
        lo, hi = max(bounds[thread], table[2]), min(bounds[thread + 1], table[3])
        if hi <= lo:
            return
        long = (table[6] + LANES - 1) // LANES * LANES
        row = array_at(table[4], (table[5], long), real)[step % table[5]]
        chances = array_at(table[8], (table[9],), np.uint64)
        columns = table[11]
        weights = array_at(table[10], (columns,), real)
        # draws begin at a multiple of 64 neurons of the population, whichever group they are for
        first = lo // LANES * LANES
        drawn = array_at(table[12], (long,), real)[first:hi]
        fill_poisson(drawn, step_key(np.uint64(table[7]), step), first, hi - first, chances)
        if columns == 1:
            _add_scaled(row[lo:hi], drawn[lo - first :], real(0), weights[0])
        else:
            _add_each(row[lo:hi], drawn[lo - first :], weights[lo:hi])

    return address_of(add_counts)


@cache
def poisson_rates_kernel(dtype: str) -> int:
    """Adds the spikes of Poisson trains, of a rate for each neuron.

    Table: the common entries; key; mean counts of a step float64 [size]; weights [columns]; columns.
    """
    real: Any = np.dtype(dtype).type

    @cfunc(KERNEL, cache=True)
    def add_own_counts(table: Any, thread: int, step: int) -> None:
        bounds = array_at(table[0], (table[1] + 1,), np.int64)
        lo, hi = max(bounds[thread], table[2]), min(bounds[thread + 1], table[3])
        long = (table[6] + LANES - 1) // LANES * LANES
        row = array_at(table[4], (table[5], long), real)[step % table[5]]
        means = array_at(table[8], (table[6],), np.float64)
        columns = table[10]
        weights = array_at(table[9], (columns,), real)
        key = step_key(np.uint64(table[7]), step)
        again = turned(key)
        for neuron in range(lo, hi):
            count = poisson_of_mean(word(key, again, np.uint64(neuron)), means[neuron])
            if count > 0:
                row[neuron] += weights[neuron if columns > 1 else 0] * real(count)

    return address_of(add_own_counts)
