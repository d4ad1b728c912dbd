"""What a stretch of simulation brought, given to the monitors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from spikelab.sim.event_driven.sampling import COLUMNS, Samples
from spikelab.sim.monitors import RateMonitor, SpikeMonitor, StateMonitor, WeightMonitor

if TYPE_CHECKING:
    from spikelab.sim.network import Network

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


def feed_monitors(
    network: Network,
    firsts: dict[str, int],
    samplers: list[StateSampler],
    first: int,
    last: int,
    steps: np.ndarray,
    times: np.ndarray,
    neurons: np.ndarray,
) -> None:
    """Gives each monitor what the steps from ``first`` to ``last`` brought; all of them, even if one fails.

    Args:
        network: whose monitors.
        firsts: population -> number of its first neuron.
        samplers: of the state monitors.
        first: first step.
        last: excluded.
        steps: of all spikes.
        times: of all spikes, seconds.
        neurons: numbers of the neurons that spiked.
    """
    errors: list[OSError] = []
    by_monitor = {id(each.monitor): each for each in samplers}
    for monitor in network.monitors:
        try:
            if isinstance(monitor, StateMonitor):
                by_monitor[id(monitor)].collect()
            elif isinstance(monitor, WeightMonitor):
                synapses = network.synapses(monitor.projection)
                weights = np.broadcast_to(synapses.weights, synapses.count)[monitor.synapses]
                for step in range((first // monitor.every + 1) * monitor.every, last + 1, monitor.every):
                    monitor.append(step, weights)
            else:
                group = monitor.group
                low = firsts[group.population.name]
                mine = (neurons >= low) & (neurons < low + group.population.size)
                who = (neurons[mine] - low).astype(np.int32)
                if isinstance(monitor, SpikeMonitor):
                    monitor.append(steps[mine], who, times[mine])
                elif isinstance(monitor, RateMonitor):
                    inside = (who >= group.first) & (who < group.first + group.size)
                    # a spike within rounding of the border counts on this side of it
                    counted = np.clip(steps[mine][inside], first, last - 1)
                    monitor.append(first, np.bincount(counted - first, minlength=last - first))
        except OSError as error:
            errors.append(error)
    if errors:
        raise errors[0]
