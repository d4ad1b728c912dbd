"""The spikes of one population over the steps that are still needed: what delivery, plasticity and monitors all read.

Each thread appends the spikes of its own neurons, step by step; ``offsets[thread, s]`` says where its spikes of the
log's s-th step begin. Between runs of the driver the log is rolled forward, and keeps the last steps whose spikes have
yet to arrive somewhere.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numba import cfunc, njit

from spikelab.kernels.native import array_at
from spikelab.sim.numba_engine import driver
from spikelab.sim.numba_engine.native import KERNEL, address_of, as_table, write_shared
from spikelab.sim.numba_engine.partition import aligned, bounds


class SpikeLog:
    """Spikes of one population.

    Attributes:
        size: neurons.
        threads: threads that write.
        start: the step with which the log begins.
        steps: steps that it has room for.
        capacity: spikes that each thread has room for.
        identities: int32 [threads, capacity], neurons that spiked.
        offsets: int64 [threads, steps + 1].
        header: what kernels read, int64 [6]: the addresses and numbers of the entries below.
    """

    #: Entries of the header.
    IDENTITIES, CAPACITY, OFFSETS, STRIDE, START, THREADS = range(6)

    def __init__(self, size: int, threads: int, steps: int, capacity: int, start: int = 0):
        self.size, self.threads, self.start, self.steps, self.capacity = size, threads, start, steps, capacity
        self.identities = aligned((threads, capacity), np.int32)
        self.offsets = aligned((threads, steps + 1), np.int64)
        self.header = np.array(
            [self.identities.ctypes.data, capacity, self.offsets.ctypes.data, steps + 1, start, threads], np.int64
        )

    def read(self, first: int, last: int) -> tuple[np.ndarray, np.ndarray]:
        """Spikes of steps ``first`` to ``last``, by step and then by neuron: (steps int64, neurons int32)."""
        from_, to = first - self.start, last - self.start
        steps, neurons = [], []
        for thread in range(self.threads):
            edges = self.offsets[thread, from_ : to + 1]
            neurons.append(self.identities[thread, edges[0] : edges[-1]])
            steps.append(np.repeat(np.arange(first, last), np.diff(edges)))
        if self.threads == 1:
            return steps[0], neurons[0].copy()
        when, who = np.concatenate(steps), np.concatenate(neurons)
        order = np.argsort(when, kind="stable")
        return when[order], who[order]

    def counts(self, first: int, last: int) -> np.ndarray:
        """Spikes of the population in each of the steps, int64 [last - first]."""
        edges = self.offsets[:, first - self.start : last - self.start + 1]
        return np.diff(edges, axis=1).sum(axis=0)

    def crowded(self, reached: int) -> bool:
        """Whether the spikes of the steps up to ``reached`` fill more than half of what a thread has room for."""
        return int(self.offsets[:, reached - self.start].max()) > self.capacity // 2

    def roll(self, start: int, reached: int) -> None:
        """Forgets the steps before ``start``; those up to ``reached`` are kept."""
        from_, to = start - self.start, reached - self.start
        for thread in range(self.threads):
            edges = self.offsets[thread, from_ : to + 1].copy()
            self.identities[thread, : edges[-1] - edges[0]] = self.identities[thread, edges[0] : edges[-1]].copy()
            self.offsets[thread, : edges.size] = edges - edges[0]
        self._begin_at(start)

    def write(self, start: int, steps: np.ndarray, neurons: np.ndarray, reached: int) -> None:
        """Fills the log with the given spikes, ordered by step, of the steps from ``start`` to ``reached``."""
        self._begin_at(start)
        edges = bounds(self.size, self.threads)
        for thread in range(self.threads):
            mine = (neurons >= edges[thread]) & (neurons < edges[thread + 1])
            count = np.bincount(steps[mine] - start, minlength=reached - start) if reached > start else np.zeros(0, int)
            self.offsets[thread, 0] = 0
            self.offsets[thread, 1 : reached - start + 1] = np.cumsum(count)
            self.identities[thread, : mine.sum()] = neurons[mine]

    def _begin_at(self, start: int) -> None:
        self.start = self.header[self.START] = start


# LLVM inlines it; when Numba did (inline="always"), the loop was lost in a kernel that draws flags before
@njit(nogil=True)
def append_spikes(header: Any, thread: int, step: int, flags: Any, first: int, last: int) -> None:
    """Appends the neurons ``first`` to ``last`` whose flag is set, in ascending order, as the spikes of a step.

    Args:
        header: of the population's log.
        thread: the thread that owns these neurons.
        step: the time step.
        flags: uint8, one a neuron of the population, padded.
        first: first neuron, a multiple of eight.
        last: neuron before which to end.
    """
    stride, capacity = header[3], header[1]
    offsets = array_at(header[2] + 8 * thread * stride, (stride,), np.int64)
    identities = array_at(header[0] + 4 * thread * capacity, (capacity,), np.int32)
    local = step - header[4]
    place = offsets[local]
    # eight flags at a time: nearly always none is set
    words = flags.view(np.uint64)
    for word in range(first // 8, (last + 7) // 8):
        if words[word] != np.uint64(0):
            for neuron in range(word * 8, min(word * 8 + 8, last)):
                if flags[neuron] != 0:
                    identities[place] = neuron
                    place += 1
    offsets[local + 1] = place


@cache
def room_kernel() -> int:
    """Address of the kernel that ends the run when a thread's log may not hold the next block.

    Table: header, spikes that a block may bring (int64 [threads]), the driver's control table.
    """

    @cfunc(KERNEL, cache=True)
    def check_room(table: Any, thread: int, step: int) -> None:
        header = array_at(table[0], (6,), np.int64)
        most = array_at(table[1], (header[5],), np.int64)
        stride = header[3]
        offsets = array_at(header[2] + 8 * thread * stride, (stride,), np.int64)
        if offsets[step + 1 - header[4]] + most[thread] > header[1]:
            write_shared(as_table(table[2]), driver.STOP, 1)

    return address_of(check_room)
