"""Samples of states within a turn, for the state monitors."""

from __future__ import annotations

import numpy as np

from spikelab.sim.event_driven.sampling import COLUMNS, Samples
from spikelab.sim.monitors import StateMonitor

#: Bytes of recorded states that a turn may hold.
_RECORDED_BYTES = 1 << 25


def steps_of(times: np.ndarray, dt: float) -> np.ndarray:
    """The step to which each time belongs: a time in (k dt, (k + 1) dt] belongs to step k, and time 0 to step 0."""
    steps = np.ceil(times / dt).astype(np.int64) - 1
    steps -= times <= steps * dt
    steps += times > (steps + 1) * dt
    return np.maximum(steps, 0)


class StateSampler:
    """Feeds a state monitor.

    Attributes:
        monitor: the monitor.
        most_steps: steps after which its room has to be emptied.
    """

    def __init__(self, monitor: StateMonitor, first_cell: int):
        self.monitor = monitor
        neuron = monitor.group.population.neuron
        assert neuron is not None
        self._first = first_cell + monitor.group.first
        self._which = [neuron.state_names.index(name) for name in monitor.names]
        row = 8 * max(1, monitor.group.size) * len(monitor.names)
        self.most_steps = max(1, _RECORDED_BYTES // row) * monitor.every
        self._steps = np.zeros(0, np.int64)
        self._buffer = np.zeros(0)

    def begin(self, first: int, last: int) -> None:
        """Gets ready for the samples of the steps from ``first`` to ``last``."""
        every = self.monitor.every
        self._steps = np.arange(-(-first // every), -(-last // every)) * every

    @property
    def _room(self) -> int:
        return len(self._which) * self._steps.size * self.monitor.group.size

    @staticmethod
    def together(samplers: list[StateSampler], last: int, dt: float) -> Samples:
        """What all of them want sampled, in one buffer."""
        buffer = np.zeros(sum(each._room for each in samplers))
        place = 0
        rows: list[list[int]] = []
        for each in samplers:
            size, every = each.monitor.group.size, each.monitor.every
            each._buffer = buffer[place : place + each._room]
            for which in each._which:
                following = int(each._steps[0]) if each._steps.size else last
                rows.append([every, each._first, size, which, following, place])
                place += each._steps.size * size
        return Samples(np.array(rows, np.int64).reshape(-1, COLUMNS), np.array([last]), np.array([dt]), buffer)

    def collect(self) -> None:
        """Hands the samples to the monitor."""
        shape = (len(self._which), self._steps.size, self.monitor.group.size)
        values = self._buffer.reshape(shape)
        self.monitor.append(self._steps, {name: values[k].copy() for k, name in enumerate(self.monitor.names)})
