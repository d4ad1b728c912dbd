"""The kernel that copies states of some neurons into a buffer at regular steps."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numba import cfunc

from spikelab.kernels.native import array_at
from spikelab.sim.monitors import StateMonitor
from spikelab.sim.numba_engine.driver import Operation
from spikelab.sim.numba_engine.native import KERNEL, address_of
from spikelab.sim.numba_engine.population_state import PopulationState
from spikelab.sim.numba_engine.table import operation


@cache
def _record_kernel(dtype: str) -> int:
    """Table: bounds, threads, first neuron, last, steps a sample, first sample, samples, buffer, state, its length."""
    real: Any = np.dtype(dtype).type

    @cfunc(KERNEL, cache=True)
    def record(table: Any, thread: int, step: int) -> None:
        every = table[4]
        if step % every != 0:
            return
        bounds = array_at(table[0], (table[1] + 1,), np.int64)
        lo, hi = max(bounds[thread], table[2]), min(bounds[thread + 1], table[3])
        rows = array_at(table[7], (table[6], table[3] - table[2]), np.float64)
        state = array_at(table[8], (table[9],), real)
        row = rows[step // every - table[5]]
        for neuron in range(lo, hi):
            row[neuron - table[2]] = state[neuron]

    return address_of(record)


class StateRecorder:
    """Feeds a state monitor.

    Attributes:
        monitor: the monitor.
        most_steps: steps after which the buffer has to be emptied.
    """

    def __init__(self, monitor: StateMonitor, population: PopulationState, budget: int):
        self.monitor, self._population = monitor, population
        row = 8 * max(1, monitor.group.size) * len(monitor.names)
        self._samples = max(2, budget // row)
        self.most_steps = (self._samples - 1) * monitor.every
        self._buffers = {name: np.zeros((self._samples, monitor.group.size)) for name in monitor.names}
        self._tables: list[np.ndarray] = []

    def operations(self, bounds: np.ndarray) -> list[Operation]:
        """One operation a state."""
        group, dtype = self.monitor.group, next(iter(self._population.states.values())).dtype.name
        found = []
        for name in self.monitor.names:
            state = self._population.states[name]
            entries: dict[str, int | np.ndarray] = {
                "bounds": bounds,
                "threads": bounds.size - 1,
                "first": group.first,
                "last": group.first + group.size,
                "every": self.monitor.every,
                "first sample": 0,
                "samples": self._samples,
                "buffer": self._buffers[name],
                "state": state,
                "length": state.size,
            }
            found.append(operation(_record_kernel(dtype), entries))
        self._tables = [each.table for each in found]
        return found

    def begin(self, step: int) -> None:
        """Tells the kernel which sample comes first in the buffer."""
        for table in self._tables:
            table[5] = -(-step // self.monitor.every)

    def collect(self, first: int, reached: int) -> None:
        """Hands the samples of the steps from ``first`` to ``reached`` to the monitor."""
        every = self.monitor.every
        samples = np.arange(-(-first // every), -(-reached // every))
        self.monitor.append(samples * every, {name: b[: samples.size].copy() for name, b in self._buffers.items()})
