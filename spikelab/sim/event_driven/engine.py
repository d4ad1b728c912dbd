"""The event-driven engine: builds a network into tables, runs it, and feeds its monitors."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from spikelab.sim.event_driven.advance import MOST_SPIKES
from spikelab.sim.event_driven.cells import INPUT, LAST, NEXT
from spikelab.sim.event_driven.currents import address_table
from spikelab.sim.event_driven.delivery_queue import empty_queue
from spikelab.sim.event_driven.drive_tables import build_currents, build_given, build_trains
from spikelab.sim.event_driven.due import soonest_of
from spikelab.sim.event_driven.kind import kind_of
from spikelab.sim.event_driven.loop import ARRIVED, COUNTERS, ENDLESS_CELL, simulate
from spikelab.sim.event_driven.program import build_cells
from spikelab.sim.event_driven.state_sampler import StateSampler, steps_of
from spikelab.sim.event_driven.support import check
from spikelab.sim.event_driven.wiring_table import build_wiring
from spikelab.sim.feeding import feed_monitors
from spikelab.sim.monitors import SpikeMonitor, StateMonitor
from spikelab.sim.turns import run_in_turns, steps_a_turn

if TYPE_CHECKING:
    from spikelab.sim.network import Network

#: Longest window in seconds, where delays would allow more: bounds what has to be kept at once.
_LONGEST_WINDOW = 0.01


class EventDrivenSimulation:
    """A network in tables, with its state.

    There is no time grid: ``dt`` only says how finely runs and samples can be cut, and is the shortest delay.

    Every cell spikes at the time at which its distance from threshold becomes positive, to rounding. Delays, refractory
    times, given spikes and steps of currents are not rounded to steps; Poisson trains run in continuous time. Spikes at
    one time come by population in order of declaration (those with equations before sources), then by neuron; what
    arrives at a cell at one time is summed in order of inputs, then of emission, projection and place in the row.

    Attributes:
        network: what it was built from.
        steps_done: steps of ``dt`` simulated so far.
        build_seconds: wall time that building took.
    """

    def __init__(self, network: Network):
        begun = time.perf_counter()
        check(network)
        self.network, self.steps_done = network, 0
        # those with equations first: a cell's number is then its row in the state
        populations = sorted(network.populations.values(), key=lambda each: each.neuron is None)
        sizes = [each.size for each in populations]
        firsts = np.cumsum([0, *sizes]).tolist()
        self._firsts = {each.name: first for each, first in zip(populations, firsts, strict=False)}
        self._populations = np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)
        self._cells = build_cells([kind_of(each) for each in populations if each.neuron is not None])
        self._wiring = build_wiring(network, self._firsts)
        self._trains = build_trains(network, self._firsts)
        self._given = build_given(network, self._firsts)
        self._currents = build_currents(network, self._firsts, self._cells.state[:, INPUT].copy())
        self._current_table = address_table(self._currents)
        self._queue, self._queued = empty_queue(), 0
        self._counters = np.zeros(COUNTERS, np.int64)
        self._counters[ENDLESS_CELL] = -1
        self._longest = float(self._wiring.delays.min(initial=_LONGEST_WINDOW))
        self._burst, self._own = np.zeros(MOST_SPIKES), np.zeros(4, np.int64)
        self._samplers: dict[int, StateSampler] = {}
        self._steps_a_turn = 1
        self._broken = ""
        self._ask_for_exact_times()
        self._find_soonest()
        self.build_seconds = time.perf_counter() - begun

    def _ask_for_exact_times(self) -> None:
        for monitor in self.network.monitors:
            if isinstance(monitor, SpikeMonitor):
                monitor.keep_exact_times()

    def _find_soonest(self) -> None:
        self._soonest, self._train_soonest = soonest_of(self._cells.state[:, NEXT]), soonest_of(self._trains.next)

    # ------------------------------------------------------------------------------------------------------ running

    def run(self, steps: int, threads: int | None = None, progress: bool = False) -> dict[str, Any]:
        """Simulates ``steps`` more steps of ``dt``: see ``Network.run``.

        Returns:
            The figures that every engine gives, and "events": arrivals at cells.

        Raises:
            ValueError: for more than one thread.
            RuntimeError: if a neuron spikes without end.
            SimulationInterrupted: on request; what was simulated is kept.
        """
        if threads not in (None, 1):
            raise ValueError(f"threads = {threads}: the event-driven engine runs on one; leave it out")
        if self._broken:
            raise RuntimeError(self._broken)
        self._ask_for_exact_times()
        begun = time.perf_counter()
        self._simulate(-np.inf, [])
        compiled = time.perf_counter()
        arrived = int(self._counters[ARRIVED])
        figures = run_in_turns(self, steps, self._turn, progress, compile_seconds=compiled - begun)
        return {**figures, "events": int(self._counters[ARRIVED]) - arrived, "threads": 1}

    def _turn(self, goal: int) -> int:
        """Runs until Python is needed again, and gives the monitors what there is; returns the number of spikes."""
        samplers = self._samplers_now()
        first = self.steps_done
        last = min([goal, first + self._steps_a_turn, *(first + each.most_steps for each in samplers)])
        for sampler in samplers:
            sampler.begin(first, last)
        begun = time.perf_counter()
        # what happens at the very end belongs to the last step
        times, neurons = self._simulate(float(np.nextafter(last * self.network.dt, np.inf)), samplers, last)
        seconds = time.perf_counter() - begun
        self.steps_done = last
        self._steps_a_turn = steps_a_turn(self._steps_a_turn, last - first, seconds)
        # a spike within rounding of a turn's border counts on this side of it
        steps = np.clip(steps_of(times, self.network.dt), first, last - 1)

        def spikes(name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            low = self._firsts[name]
            mine = (neurons >= low) & (neurons < low + self.network.populations[name].size)
            return steps[mine], (neurons[mine] - low).astype(np.int32), times[mine]

        feed_monitors(
            self.network,
            first,
            last,
            spikes=spikes,
            weights=self.weights,
            collect=lambda place: self._samplers[place].collect(),
        )
        return len(times)

    def _samplers_now(self) -> list[StateSampler]:
        for place, monitor in enumerate(self.network.monitors):
            if place not in self._samplers and isinstance(monitor, StateMonitor):
                self._samplers[place] = StateSampler(monitor, self._firsts[monitor.group.population.name])
        return list(self._samplers.values())

    def _simulate(self, end: float, samplers: list[StateSampler], last: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """Everything before ``end``: (times of all spikes, numbers of the neurons), by time and then by number."""
        times, entries, self._queued, spike_times, emitters, spikes = simulate(
            self._cells.address,
            self._cells.state,
            self._soonest,
            self._wiring,
            self._populations,
            *self._queue,
            self._queued,
            self._trains,
            self._train_soonest,
            *self._given,
            self._currents,
            self._current_table.ctypes.data,
            StateSampler.together(samplers, last, self.network.dt),
            self.steps_done * self.network.dt,
            end,
            self._longest,
            self._counters,
            self._burst,
            self._own,
        )
        self._queue = times, entries
        if self._counters[ENDLESS_CELL] >= 0:
            raise RuntimeError(self._endless(int(self._counters[ENDLESS_CELL])))
        return spike_times[:spikes], emitters[:spikes]

    def _endless(self, cell: int) -> str:
        name = next(name for name, first in reversed(self._firsts.items()) if first <= cell)
        self._broken = (
            f"population {name}: neuron {cell - self._firsts[name]} spiked {MOST_SPIKES} times within "
            f"{self._longest:g} s at {self._cells.state[cell, LAST]:g} s: give it a refractory time, or a reset that "
            f"takes it below threshold, and build the network again"
        )
        return self._broken

    def weights(self, number: int) -> float | np.ndarray:
        """The weights of a projection, which stay as they were drawn."""
        return self.network.synapses(self.network.projections[number]).weights

    # ---------------------------------------------------------------------------------------------------- the state

    def _arrays(self) -> dict[str, np.ndarray]:
        """Everything that the coming events depend on and that is changed in place."""
        return {
            "cells": self._cells.state,
            "trains/next": self._trains.next,
            "trains/drawn": self._trains.drawn,
            "currents/level": self._currents.level,
            "currents/position": self._currents.position,
            "counters": self._counters,
        }

    def state(self) -> dict[str, np.ndarray]:
        """Everything that the coming events depend on, by name."""
        return {
            "steps_done": np.array(self.steps_done),
            **{name: array.copy() for name, array in self._arrays().items()},
            "queue/times": self._queue[0][: self._queued].copy(),
            "queue/entries": self._queue[1][: self._queued].copy(),
        }

    def load_state(self, state: dict[str, np.ndarray]) -> None:
        """The inverse of ``state``."""
        self.steps_done = int(state["steps_done"])
        for name, array in self._arrays().items():
            array[...] = state[name]
        self._queued = len(state["queue/times"])
        self._queue = empty_queue(max(1024, self._queued))
        self._queue[0][: self._queued] = state["queue/times"]
        self._queue[1][: self._queued] = state["queue/entries"]
        self._broken = ""
        self._find_soonest()
