"""What a turn brought, given to the monitors."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from spikelab.sim.monitors import Monitor, SpikeMonitor, StateMonitor, WeightMonitor

if TYPE_CHECKING:
    from spikelab.sim.network import Network

#: Steps, neurons and, from an engine without a time grid, exact times of a population's spikes.
Spikes = tuple[np.ndarray, np.ndarray] | tuple[np.ndarray, np.ndarray, np.ndarray]


def weight_samples(network: Network, first: int) -> list[int]:
    """The steps after ``first`` before which weights are next recorded, one for each weight monitor."""
    return [_after(first, each) for each in network.monitors if isinstance(each, WeightMonitor)]


def _after(first: int, monitor: WeightMonitor) -> int:
    return (first // monitor.every + 1) * monitor.every


def feed_initial_weights(network: Network, step: int, weights: Callable[[int], float | np.ndarray]) -> None:
    """Gives weight monitors that have nothing yet their first sample, before a run that begins at a step."""
    for monitor in network.monitors:
        if isinstance(monitor, WeightMonitor) and not len(monitor) and step % monitor.every == 0:
            _sample(monitor, step, weights)


def _sample(monitor: WeightMonitor, step: int, weights: Callable[[int], float | np.ndarray]) -> None:
    now = np.broadcast_to(weights(monitor.projection.number), monitor.count)
    monitor.append(step, now[monitor.synapses])


def each_monitor(network: Network, feed: Callable[[int, Monitor], None]) -> None:
    """Calls ``feed(place, monitor)`` for all monitors, also after one that failed.

    Raises:
        OSError: the first that a monitor met, once all are fed: a full disk must not cost the others their rows.
    """
    errors: list[OSError] = []
    for place, monitor in enumerate(network.monitors):
        try:
            feed(place, monitor)
        except OSError as error:
            errors.append(error)
    if errors:
        raise errors[0]


def feed_monitors(
    network: Network,
    first: int,
    reached: int,
    *,
    spikes: Callable[[str], Spikes],
    weights: Callable[[int], float | np.ndarray],
    collect: Callable[[int], None],
) -> None:
    """Gives each monitor what the steps from ``first`` to ``reached`` brought.

    Args:
        network: whose monitors.
        first: first step.
        reached: excluded.
        spikes: population -> its spikes in these steps, by step; asked for once a population.
        weights: number of a projection -> its weights now, [1] or [synapses].
        collect: empties the recorder of the state monitor at a place.
    """
    read: dict[str, Spikes] = {}

    def feed(place: int, monitor: Monitor) -> None:
        if isinstance(monitor, StateMonitor):
            collect(place)
            return
        if isinstance(monitor, WeightMonitor):
            feed_weights(monitor, first, reached, weights)
            return
        group, name = monitor.group, monitor.group.population.name
        if name not in read:
            read[name] = spikes(name)
        if isinstance(monitor, SpikeMonitor):
            monitor.append(*read[name])
        else:
            when, who = read[name][:2]
            mine = (who >= group.first) & (who < group.first + group.size)
            monitor.append(first, np.bincount(when[mine] - first, minlength=reached - first))

    each_monitor(network, feed)


def feed_weights(
    monitor: WeightMonitor, first: int, reached: int, weights: Callable[[int], float | np.ndarray]
) -> None:
    """Gives a weight monitor its samples after ``first``, up to ``reached``."""
    for step in range(_after(first, monitor), reached + 1, monitor.every):
        _sample(monitor, step, weights)
