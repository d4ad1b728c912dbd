"""Builds a network into arrays, kernels and tables, and runs it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from spikelab.sim.feeding import feed_monitors, weight_samples
from spikelab.sim.monitors import StateMonitor
from spikelab.sim.numba_engine.driver import Driver, Operation, Operations
from spikelab.sim.numba_engine.input_state import InputState
from spikelab.sim.numba_engine.partition import bounds
from spikelab.sim.numba_engine.plastic_state import AnyPlasticState, plastic_state
from spikelab.sim.numba_engine.population_state import PopulationState
from spikelab.sim.numba_engine.projection_state import ProjectionState
from spikelab.sim.numba_engine.source_state import SourceState
from spikelab.sim.numba_engine.spike_log import SpikeLog, room_kernel
from spikelab.sim.numba_engine.state_recorder import StateRecorder
from spikelab.sim.numba_engine.table import operation
from spikelab.sim.numba_engine.team import Team
from spikelab.sim.random_numbers import step_key, stream_key
from spikelab.sim.streams import STREAM_OF_REWIRING, STREAM_OF_SOURCES
from spikelab.sim.turns import MOST_STEPS, check_finite, run_in_turns, steps_a_turn

if TYPE_CHECKING:
    from spikelab.sim.network import Network

#: Most steps of a block, where delays would allow more: bounds what a block can add to a spike log.
_LONGEST_BLOCK = 256
#: Spikes that a log has room for at least, so that small networks make long turns.
_FEWEST_SPIKES = 1 << 16
#: Of a neuron, in Hz, and cost of a spike's arrival at a plastic synapse, in arrivals at one that stays: to share out
#: work to threads. Results do not depend on either.
_USUAL_RATE, _PLASTIC_COST = 10.0, 4.0
#: Bytes of recorded states that a turn may hold.
_RECORDED_BYTES = 1 << 25


class NumbaSimulation:
    """A network in compiled form, with its state.

    Attributes:
        network: what it was built from.
        steps_done: steps simulated so far.
        populations: name -> state.
        projections: by number.
        block: steps in a block: the shortest delay.
    """

    def __init__(self, network: Network):
        begun = time.perf_counter()
        self.network, self.steps_done = network, 0
        dtype = np.dtype(network.dtype)
        synapses = {each.number: network.synapses(each) for each in network.projections}
        delays = {number: np.atleast_1d(each.delays) for number, each in synapses.items() if each.count}
        signals = [
            each.plasticity.signal_delay(str(each), network.dt) for each in network.projections if each.plasticity
        ]
        shortest = [*(int(each.min()) for each in delays.values()), *(each for each in signals if each is not None)]
        self.block = min([_LONGEST_BLOCK, *shortest])
        self.populations: dict[str, PopulationState] = {}
        self.sources: dict[str, SourceState] = {}
        for place, (name, population) in enumerate(network.populations.items()):
            if population.source is not None:
                key = int(stream_key(network.seed, STREAM_OF_SOURCES + place))
                self.sources[name] = SourceState(population, network.dt, key)
                continue
            arriving = [each for each in network.projections if each.target.population is population]
            driven = {each.receptor for each in arriving}
            driven |= {each.receptor for each in network.inputs if each.target.population is population}
            slots = max([1, *(int(delays[each.number].max()) for each in arriving if each.number in delays)])
            self.populations[name] = PopulationState(population, network.dt, dtype, driven, slots)
        self.projections: dict[int, ProjectionState | AnyPlasticState] = {}
        for each in network.projections:
            own, target = synapses[each.number], self.populations[each.target.population.name]
            self.projections[each.number] = (
                ProjectionState(each, own, target, dtype)
                if each.plasticity is None
                else plastic_state(each, own, target, network.dt, dtype, self.block)
            )
        self._inputs = [
            InputState(each, self.populations[each.target.population.name], dtype) for each in network.inputs
        ]
        self._recorders: dict[int, StateRecorder] = {}
        self._driver, self._team = Driver(), Team(None)
        self._threads = 0
        self._costs: dict[str, np.ndarray] = {}
        self._logs: dict[str, SpikeLog] = {}
        self._steps_a_turn = self.block
        self.build_seconds = time.perf_counter() - begun

    # ------------------------------------------------------------------------------------------------------ running

    def run(self, steps: int, threads: int | None = None, progress: bool = False) -> dict[str, Any]:
        """Simulates ``steps`` more steps: see ``Network.run``."""
        # what is known about threads holds for the next run too: many short ones would else never get beyond one
        team = self._team = self._team if threads == self._team.fixed else Team(threads)
        self._recorders = {
            place: self._recorders.get(place)
            or StateRecorder(each, self.populations[each.group.population.name], _RECORDED_BYTES)
            for place, each in enumerate(self.network.monitors)
            if isinstance(each, StateMonitor)
        }
        begun = time.perf_counter()
        self._plan(team.choose())
        compiled = time.perf_counter()
        figures = run_in_turns(
            self, steps, lambda goal: self._turn(team, goal), progress, compile_seconds=compiled - begun
        )
        check_finite(self, self.values)
        return {**figures, "threads": self._threads}

    def _turn(self, team: Team, goal: int) -> int:
        """Runs until Python is needed again, and gives the monitors what there is; returns the number of spikes."""
        threads = team.choose()
        # a block runs before anyone looks whether the next one fits: what a log keeps for long delays must leave room
        if threads != self._threads or any(log.crowded(self.steps_done) for log in self._logs.values()):
            self._plan(threads)
        first = self.steps_done
        room = min(log.start + log.steps for log in self._logs.values()) if self._logs else goal
        last = min([goal, room, first + self._steps_a_turn, *self._next_stops(first)])
        for recorder in self._recorders.values():
            recorder.begin(first)
        begun = time.perf_counter()
        reached = self._driver.run(self._advance, self._deliver, first, last, self.block, threads)
        seconds = time.perf_counter() - begun
        self.steps_done = reached
        team.took(threads, seconds, (reached - first) / self.block)
        self._steps_a_turn = steps_a_turn(self._steps_a_turn, reached - first, seconds, self.block)
        spikes = sum(int(log.counts(first, reached).sum()) for log in self._logs.values())
        try:
            feed_monitors(
                self.network,
                first,
                reached,
                spikes=lambda name: self._logs[name].read(first, reached),
                weights=self.weights,
                collect=lambda place: self._recorders[place].collect(first, reached),
            )
        finally:
            for name, log in self._logs.items():
                log.roll(max(log.start, reached - self._history(name)), reached)
            self._rewire(reached)
        return spikes

    def _rewire(self, step: int) -> None:
        """Replaces weak synapses of the projections for which it is time."""
        changed = [
            each.rewire(step, int(step_key(stream_key(self.network.seed, STREAM_OF_REWIRING + number), step)))
            for number, each in self.projections.items()
            if not isinstance(each, ProjectionState)
        ]
        if any(changed):
            self._list_operations()

    def _next_stops(self, first: int) -> list[int]:
        """Steps at which something has to be looked at from Python."""
        stops = [first + each.most_steps for each in self._recorders.values()]
        for projection in self.projections.values():
            if not isinstance(projection, ProjectionState) and (then := projection.next_rewiring(first)) is not None:
                stops.append(then)
        return stops + weight_samples(self.network, first)

    # ----------------------------------------------------------------------------------------------------- planning

    def _plan(self, threads: int) -> None:
        """Makes the lists of operations for a number of threads, and shares the logs out to them."""
        carried = {name: (log.start, *log.read(log.start, self.steps_done)) for name, log in self._logs.items()}
        self._threads = threads
        self._bounds = {
            name: bounds(each.size, threads, self._cost(name) if threads > 1 else None)
            for name, each in self.network.populations.items()
        }
        for name, population in self.network.populations.items():
            start, steps, neurons = carried.get(name, (self.steps_done, np.zeros(0, np.int64), np.zeros(0, np.int32)))
            # what is carried, and at least one block, each fill half of it at most
            room = max(_FEWEST_SPIKES, 2 * int(self._most(name).max())) + 2 * len(steps)
            log = SpikeLog(population.size, threads, MOST_STEPS + self._history(name), room, start)
            log.write(start, steps, neurons, self.steps_done)
            self._logs[name] = log
        self._list_operations()

    def _cost(self, name: str) -> np.ndarray:
        """What each neuron of a population costs a step, with its synapses, about; in updates of a neuron, [size]."""
        if name not in self._costs:
            size, each_spike = self.network.populations[name].size, _USUAL_RATE * self.network.dt
            self._costs[name] = np.ones(size)
            for state in self.projections.values():
                if state.projection.target.population.name == name:
                    arriving = np.bincount(state.synapses.connectivity.targets, minlength=size) * each_spike
                    self._costs[name] += arriving * (1 if isinstance(state, ProjectionState) else _PLASTIC_COST)
        return self._costs[name]

    def _history(self, name: str) -> int:
        """Steps whose spikes of a population are still to arrive somewhere at the synapse itself."""
        return max([0, *(each.reach(name) for each in self.projections.values())])

    def _most(self, name: str) -> np.ndarray:
        """Most spikes that each thread's neurons of a population can emit in a block, int64 [threads]."""
        state = self.populations.get(name) or self.sources[name]
        return np.diff(self._bounds[name]) * state.most_in(self.block)

    def _list_operations(self) -> None:
        advance: list[Operation] = []
        for recorder in self._recorders.values():
            advance += recorder.operations(self._bounds[recorder.monitor.group.population.name])
        plastic = [each for each in self.projections.values() if not isinstance(each, ProjectionState)]
        for state in plastic:
            advance += state.before(self._bounds[state.projection.target.population.name], self._logs)
        for each in self._inputs:
            advance.append(each.advance(self._bounds[each.record.target.population.name]))
        for name in self.network.populations:
            neurons = self.populations.get(name) or self.sources[name]
            advance.append(neurons.advance(self._bounds[name], self._logs[name]))
        for state in plastic:
            advance += state.after(self._bounds[state.projection.target.population.name], self._logs)
        deliver: list[Operation] = []
        for projection in self.projections.values():
            if projection.synapses.count:
                deliver += projection.deliver(self._bounds[projection.projection.target.population.name], self._logs)
        for name, log in self._logs.items():
            entries: dict[str, int | np.ndarray] = {
                "log": log.header,
                "most": self._most(name),
                "control": self._driver.control,
            }
            deliver.append(operation(room_kernel(), entries))
        self._advance, self._deliver = Operations(advance), Operations(deliver)

    # ---------------------------------------------------------------------------------------------------- the state

    def values(self, population: str, state: str) -> np.ndarray:
        """A state of every neuron, for reading and for changing, [size]."""
        found = self.populations[population]
        return found.states[state][: found.population.size]

    def weights(self, number: int) -> np.ndarray:
        """The weights of a projection as they are now, [1] or [synapses]."""
        return self.projections[number].weights(self.steps_done)

    def state(self) -> dict[str, np.ndarray]:
        """Everything that the coming steps depend on, by name."""
        found: dict[str, np.ndarray] = {"steps_done": np.array(self.steps_done)}
        for name, population in self.populations.items():
            found.update({f"population/{name}/{key}": value for key, value in population.state().items()})
        for number, projection in self.projections.items():
            found.update({f"projection/{number}/{key}": value for key, value in projection.state().items()})
        for name, log in self._logs.items():
            steps, neurons = log.read(log.start, self.steps_done)
            found[f"log/{name}/start"] = np.array(log.start)
            found[f"log/{name}/steps"], found[f"log/{name}/neurons"] = steps, neurons
        return found

    def load_state(self, state: dict[str, np.ndarray]) -> None:
        """The inverse of ``state``."""
        self.steps_done = int(state["steps_done"])
        for name, population in self.populations.items():
            population.load_state(_below(state, f"population/{name}/"))
        for number, projection in self.projections.items():
            projection.load_state(_below(state, f"projection/{number}/"))
        # what the logs held belongs to the state that is given up
        self._logs = {}
        for name, each in self.network.populations.items():
            saved = _below(state, f"log/{name}/")
            start = int(saved.get("start", self.steps_done))
            steps, neurons = saved.get("steps", np.zeros(0, np.int64)), saved.get("neurons", np.zeros(0, np.int32))
            self._logs[name] = SpikeLog(each.size, 1, self.steps_done - start + 1, len(steps) + 1, start)
            self._logs[name].write(start, steps, neurons, self.steps_done)
        self._plan(1)


def _below(state: dict[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
