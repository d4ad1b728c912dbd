"""A population without equations: what its spikes are drawn or read from."""

from __future__ import annotations

import numpy as np

from spikelab.sim.numba_engine.driver import Operation
from spikelab.sim.numba_engine.partition import aligned, padded
from spikelab.sim.numba_engine.source_kernels import poisson_source_kernel, spike_array_kernel
from spikelab.sim.numba_engine.spike_log import SpikeLog
from spikelab.sim.numba_engine.table import operation
from spikelab.sim.population import Population
from spikelab.sim.random_numbers import limits
from spikelab.sim.sources import SpikeArray


class SourceState:
    """A source of spikes, ready to run.

    Attributes:
        population: what it was built from.
    """

    def __init__(self, population: Population, dt: float, key: int):
        self.population, self._key = population, key
        source, size = population.source, population.size
        assert source is not None
        self._steps, self._neurons = np.zeros(0, np.int64), np.zeros(0, np.int32)
        if isinstance(source, SpikeArray):
            self._steps, self._neurons = source.checked(population.name, size, dt)
            same = self._steps[1:] == self._steps[:-1]
            same &= self._neurons[1:] == self._neurons[:-1]
            runs = np.diff(np.flatnonzero(np.concatenate([[True], ~same, [True]])))
            self._most_at_once = int(runs.max()) if self._steps.size else 1
        else:
            probability, self._width = source.checked(population.name, size, dt)
            self._limits = np.ascontiguousarray(limits(probability))
            self._flags = aligned(padded(size), np.uint8)
            self._most_at_once = 1

    def most_in(self, steps: int) -> int:
        """Most spikes that a neuron can emit in so many steps."""
        return steps * self._most_at_once

    def advance(self, bounds: np.ndarray, log: SpikeLog) -> Operation:
        """The operation that writes a step's spikes into the log."""
        if isinstance(self.population.source, SpikeArray):
            return operation(
                spike_array_kernel(),
                {
                    "log": log.header,
                    "bounds": bounds,
                    "count": self._steps.size,
                    "steps": self._steps,
                    "neurons": self._neurons,
                },
            )
        return operation(
            poisson_source_kernel(),
            {
                "log": log.header,
                "bounds": bounds,
                "size": self.population.size,
                "key": int(np.uint64(self._key).astype(np.int64)),
                "flags": self._flags,
                "limits": self._limits,
                "bins": self._limits.shape[0],
                "columns": self._limits.shape[1],
                "width": self._width,
            },
        )
