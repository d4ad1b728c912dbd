"""A projection's synapses as arrays, and the operation that delivers spikes along them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from spikelab.sim.numba_engine.delivery import delivery_kernel, thread_starts
from spikelab.sim.numba_engine.driver import Operation
from spikelab.sim.numba_engine.population_state import PopulationState
from spikelab.sim.numba_engine.spike_log import SpikeLog
from spikelab.sim.numba_engine.table import operation
from spikelab.sim.projection import Projection, Synapses


class ProjectionState:
    """The synapses of a projection whose weights stay.

    Attributes:
        projection: what it was built from.
        synapses: their arrays.
    """

    def __init__(self, projection: Projection, synapses: Synapses, target: PopulationState, dtype: np.dtype):
        self.projection, self.synapses, self._target = projection, synapses, target
        self._weights = np.atleast_1d(np.asarray(synapses.weights, dtype))
        self._delays = np.atleast_1d(np.asarray(synapses.delays))
        if np.ndim(synapses.delays) == 0:
            self._delays = self._delays.astype(np.int64)
        self._starts: dict[int, np.ndarray] = {}

    def kernel(self) -> int:
        """Address of the compiled kernel."""
        index = self.synapses.connectivity.targets.dtype.name
        delay = None if np.ndim(self.synapses.delays) == 0 else self._delays.dtype.name
        return delivery_kernel(self._weights.dtype.name, index, np.ndim(self.synapses.weights) == 0, delay)

    def reach(self, population: str) -> int:
        """Steps that the log of a population has to reach back: none, as spikes are delivered at once."""
        return 0

    def deliver(self, bounds: np.ndarray, logs: Mapping[str, SpikeLog]) -> list[Operation]:
        """The operations that take a step's spikes to their targets.

        Args:
            bounds: of the target population's threads.
            logs: by population.
        """
        connectivity, log = self.synapses.connectivity, logs[self.projection.source.population.name]
        threads = bounds.size - 1
        if threads not in self._starts:
            # one thread count at a time: the table is as large as senders times threads
            self._starts = {threads: thread_starts(connectivity.starts, connectivity.targets, bounds)}
        entries: dict[str, int | np.ndarray] = {
            "log": log.header,
            "first": self.projection.source.first,
            "senders": self.projection.source.size,
            "starts": self._starts[threads],
            "synapses": self.synapses.count,
            "targets": connectivity.targets,
            "weights": self._weights,
            "delays": self._delays,
            "ring": self._target.rings[self.projection.receptor],
            "slots": self._target.slots,
            "size": self._target.population.size,
        }
        return [operation(self.kernel(), entries)]

    def weights(self, step: int = 0) -> np.ndarray:
        """The weights at any step: [1] where one serves all synapses, else [synapses]."""
        return self._weights

    def state(self) -> dict[str, np.ndarray]:
        """What changes during a run, by name: nothing, as these weights stay."""
        return {}

    def load_state(self, state: dict[str, np.ndarray]) -> None:
        """The inverse of ``state``."""
