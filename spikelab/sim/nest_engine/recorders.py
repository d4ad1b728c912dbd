"""Monitors as recorders of NEST."""

from __future__ import annotations

from typing import Any

import numpy as np

from spikelab.sim.monitors import RateMonitor, SpikeMonitor, StateMonitor
from spikelab.sim.nest_engine.clock import Clock
from spikelab.sim.nest_engine.neurons import NestPopulation
from spikelab.sim.nest_engine.support import NotSupported


class SpikeRecorder:
    """Feeds a monitor of spikes or of a rate.

    Attributes:
        monitor: what it feeds.
    """

    def __init__(self, nest: Any, monitor: SpikeMonitor | RateMonitor, nodes: Any, clock: Clock):
        self.monitor, self._clock = monitor, clock
        group = monitor.group
        self._first = nodes[0].global_id if group.size else 0
        self._recorder = nest.Create("spike_recorder")
        if group.size:
            chosen = nodes[group.first : group.first + group.size]
            nest.Connect(chosen, self._recorder, syn_spec={"delay": clock.milliseconds(clock.delay)})

    def begin(self) -> None:
        """Nothing has been recorded yet."""

    def collect(self, first: int, reached: int) -> None:
        """Gives the monitor the spikes of the steps from ``first`` to ``reached``."""
        events = self._recorder.get("events")
        self._recorder.n_events = 0
        # NEST labels a spike with the end of its step
        steps = self._clock.steps(events["times"]) - 1
        neurons = (np.asarray(events["senders"], np.int64) - self._first).astype(np.int32)
        if isinstance(self.monitor, RateMonitor):
            self.monitor.append(first, np.bincount(steps - first, minlength=reached - first))
            return
        order = np.lexsort((neurons, steps))
        self.monitor.append(steps[order], neurons[order])


class StateRecorder:
    """Feeds a monitor of states. Its samples are those before each step, as NEST's are those after the step before.

    Attributes:
        monitor: what it feeds.
    """

    def __init__(self, nest: Any, monitor: StateMonitor, nodes: Any, target: NestPopulation, clock: Clock):
        self.monitor, self._clock, self._target = monitor, clock, target
        group = monitor.group
        for name in monitor.names:
            if name not in target.names:
                known = ", ".join(target.names)
                raise NotSupported(
                    f"record_states of {group}: NEST's {target.row.model} does not tell {name!r}; it has {known}"
                )
        self._first = nodes[group.first].global_id
        wanted = sorted({each for name in monitor.names for each in target.names[name]})
        self._multimeter = nest.Create(
            "multimeter",
            params={
                "record_from": wanted,
                "interval": clock.milliseconds(monitor.every),
                "offset": clock.milliseconds(clock.lead + monitor.every),
            },
        )
        # what the last slice of a run brought is only told in the next: slices have to be single steps
        nest.Connect(
            self._multimeter, nodes[group.first : group.first + group.size], syn_spec={"delay": clock.milliseconds(1)}
        )

    def begin(self) -> None:
        """The sample at time 0: the starting values."""
        group = self.monitor.group
        mine = slice(group.first, group.first + group.size)
        self.monitor.append(
            np.zeros(1, np.int64), {name: self._target.start[name][None, mine] for name in self.monitor.names}
        )

    def collect(self, first: int, reached: int) -> None:
        """Gives the monitor the samples of the steps from ``first`` to ``reached``."""
        events = self._multimeter.get("events")
        self._multimeter.n_events = 0
        senders = np.asarray(events["senders"], np.int64) - self._first
        steps = self._clock.steps(events["times"])
        if not steps.size:
            return
        order = np.lexsort((senders, steps))
        shape = (-1, self.monitor.group.size)
        found = {}
        for name in self.monitor.names:
            values = sum(sign * np.asarray(events[each], float) for each, sign in self._target.names[name].items())
            found[name] = (np.asarray(values)[order] / self._target.unit(name)).reshape(shape)
        self.monitor.append(steps[order].reshape(shape)[:, 0], found)
