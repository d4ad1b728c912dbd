"""The engine: builds a network in NEST's kernel, runs it in turns, and feeds its monitors."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from spikelab.sim.feeding import each_monitor, feed_weights, weight_samples
from spikelab.sim.monitors import Monitor, SpikeMonitor, StateMonitor, WeightMonitor
from spikelab.sim.nest_engine.build import connect_all, make_nodes, start
from spikelab.sim.nest_engine.clock import Clock
from spikelab.sim.nest_engine.kernel import check_kernel, count_nodes, load_nest, nest_threads, take_kernel
from spikelab.sim.nest_engine.neurons import translate
from spikelab.sim.nest_engine.node_values import NodeValues
from spikelab.sim.nest_engine.plastic import row_of
from spikelab.sim.nest_engine.plastic_weights import PlasticWeights
from spikelab.sim.nest_engine.recorders import SpikeRecorder, StateRecorder
from spikelab.sim.nest_engine.support import ELSEWHERE, NotSupported
from spikelab.sim.nest_engine.synapses import arriving, by_rule, shortest_delay
from spikelab.sim.nest_engine.wiring_rules import connection
from spikelab.sim.turns import run_in_turns, steps_a_turn

if TYPE_CHECKING:
    from spikelab.sim.network import Network

#: Seconds of wall time that a turn is to take: NEST begins each slowly.
_TURN = 0.3
#: Numbers that a turn may record.
_MOST_RECORDED = 1 << 22


class NestSimulation:
    """A network in NEST's kernel.

    Attributes:
        network: what it was built from.
        steps_done: steps simulated so far.
        build_seconds: wall time that building took.

    Args:
        network: the network.
        wiring: "arrays" gives NEST every synapse that the network has, so that both simulate the very same network;
            "rules" lets NEST draw them by the same rules, for networks too large for arrays and for MPI.

    Raises:
        ImportError: if NEST is not installed.
        NotSupported: for whatever NEST cannot express.
    """

    def __init__(self, network: Network, wiring: str = "arrays"):
        if wiring not in ("arrays", "rules"):
            raise ValueError(f"engine 'nest': option wiring={wiring!r}: takes 'arrays' or 'rules'")
        self._nest = load_nest()
        self.network, self.steps_done, self.build_seconds = network, 0, 0.0
        self._rules = wiring == "rules"
        self._threads: int | None = None
        signs = arriving(network, self._rules)
        self._neurons = {
            name: translate(population, signs[name], network.dt)
            for name, population in network.populations.items()
            if population.neuron is not None
        }
        self._check()
        states = any(isinstance(each, StateMonitor) for each in network.monitors)
        self._clock = Clock(network.dt, 1 if states else shortest_delay(network, self._rules))
        self._nodes: dict[str, Any] = {}
        self._plastic: dict[int, PlasticWeights] = {}
        self._recorders: dict[int, SpikeRecorder | StateRecorder] = {}
        self._steps_a_turn = 1

    # ----------------------------------------------------------------------------------------------------- building

    def _check(self) -> None:
        """Refuses what NEST cannot express before anything is built."""
        for projection in self.network.projections:
            row_of(projection)
            if by_rule(projection, self._rules):
                connection(projection.wiring, str(projection))
        for monitor in self.network.monitors:
            if isinstance(monitor, WeightMonitor) and by_rule(monitor.projection, self._rules):
                raise NotSupported(
                    f"record_weights of {monitor.projection}: NEST drew its synapses, which have no order here: "
                    f"leave the option wiring out"
                )
            if self._nest.num_processes > 1 and not isinstance(monitor, SpikeMonitor):
                raise NotSupported(
                    f"{type(monitor).__name__}: each of the {self._nest.num_processes} MPI processes knows its own "
                    f"neurons alone: record spikes, which every process keeps of its neurons"
                )

    def _build(self, threads: int) -> None:
        nest, network = self._nest, self.network
        begun = time.perf_counter()
        take_kernel(nest, self, network.dt, network.seed, threads)
        try:
            self._make()
        except BaseException as error:
            # half a network is of no use to anybody
            nest.ResetKernel()
            count_nodes(nest)
            if type(error).__module__ == "NESTErrors":
                raise NotSupported(f"NEST refuses this network: {error}") from error
            raise
        self._threads = threads
        count_nodes(nest)
        self.build_seconds = time.perf_counter() - begun

    def _make(self) -> None:
        nest, network, clock = self._nest, self.network, self._clock
        self._recorders = {}
        self._nodes = make_nodes(nest, network, self._neurons, clock)
        self._plastic = connect_all(nest, network, self._neurons, self._nodes, clock, self._rules)
        self._add_recorders()
        nest.Simulate(clock.milliseconds(clock.lead))
        for name, neurons in self._neurons.items():
            if name in self._nodes:
                start(nest, network, neurons, self._nodes[name])
        for recorder in self._recorders.values():
            recorder.begin()

    def _add_recorders(self) -> None:
        """Makes recorders for the monitors that have none yet."""
        for place, monitor in enumerate(self.network.monitors):
            if place in self._recorders or isinstance(monitor, WeightMonitor):
                continue
            name = monitor.group.population.name
            if not monitor.group.size:
                continue
            if not isinstance(monitor, StateMonitor):
                self._recorders[place] = SpikeRecorder(self._nest, monitor, self._nodes[name], self._clock)
                continue
            if self.steps_done:
                raise NotSupported(
                    f"record_states of {monitor.group}: NEST has to know before the first run that states are "
                    f"recorded; build the network again"
                )
            nodes = self._nodes[name]
            self._recorders[place] = StateRecorder(self._nest, monitor, nodes, self._neurons[name], self._clock)

    # ------------------------------------------------------------------------------------------------------ running

    def run(self, steps: int, threads: int | None = None, progress: bool = False) -> dict[str, Any]:
        """Simulates ``steps`` more steps: see ``Network.run``.

        NEST's random numbers depend on the number of threads; it is 1 unless given, and stays.

        Raises:
            RuntimeError: if another network has taken NEST's kernel since.
            SimulationInterrupted: on request; what was simulated is kept.
        """
        if self._threads is None:
            with nest_threads(self._nest):
                self._build(threads or 1)
        elif threads not in (None, self._threads):
            raise ValueError(
                f"threads = {threads}: in NEST the number stays what it was in the first run, {self._threads}"
            )
        else:
            check_kernel(self._nest, self)
            self._check()
        with nest_threads(self._nest):
            try:
                self._add_recorders()
            finally:
                count_nodes(self._nest)
            return {**run_in_turns(self, steps, self._turn, progress), "threads": self._threads}

    def _turn(self, goal: int) -> int:
        """Runs until Python is needed again, and gives the monitors what there is; returns the number of spikes."""
        first, slice_ = self.steps_done, max(1, round(self._nest.min_delay / (self.network.dt * 1e3)))
        # whole slices of NEST, so that its random numbers do not depend on how long turns are
        wanted = first + max(slice_, self._steps_a_turn // slice_ * slice_)
        last = min([goal, wanted, *weight_samples(self.network, first)])
        for monitor in self.network.monitors:
            if isinstance(monitor, StateMonitor):
                samples = max(1, _MOST_RECORDED // max(1, monitor.group.size * len(monitor.names)))
                last = min(last, first + samples * monitor.every)
        begun = time.perf_counter()
        self._nest.Simulate(self._clock.milliseconds(last - first))
        seconds = time.perf_counter() - begun
        self.steps_done = last
        self._steps_a_turn = steps_a_turn(last - first, last - first, seconds, slice_, _TURN)
        self._feed(first, last)
        return int(self._nest.local_spike_counter)

    def _feed(self, first: int, reached: int) -> None:
        """Gives each monitor what the steps from ``first`` to ``reached`` brought; all of them, even if one fails."""

        def feed(place: int, monitor: Monitor) -> None:
            if place in self._recorders:
                self._recorders[place].collect(first, reached)
            elif isinstance(monitor, WeightMonitor):
                feed_weights(monitor, first, reached, self.weights)

        each_monitor(self.network, feed)

    # ---------------------------------------------------------------------------------------------------- the state

    def values(self, population: str, state: str) -> Any:
        """A state of every neuron, for reading and for changing, by ranges."""
        neurons = self._neurons[population]
        if self._threads is None:
            return neurons.start[state]
        check_kernel(self._nest, self)
        return NodeValues(self._nest, neurons, self._nodes[population], state)

    def weights(self, number: int) -> np.ndarray:
        """The weights of a projection in NEST, [1] or [synapses]; plastic ones lag behind the target's spikes."""
        projection = self.network.projections[number]
        if by_rule(projection, self._rules):
            raise NotSupported(
                f"{projection}: NEST drew its synapses, which have no order here: leave the option wiring out"
            )
        if number not in self._plastic:
            # static, or not built yet
            return np.atleast_1d(np.asarray(self.network.synapses(projection).weights, float))
        check_kernel(self._nest, self)
        with nest_threads(self._nest):
            return self._plastic[number].read()

    def state(self) -> dict[str, np.ndarray]:
        """NEST cannot save its state."""
        raise NotSupported(f"NEST cannot save the state of a run; run it in one go, or {ELSEWHERE}")

    def load_state(self, state: dict[str, np.ndarray]) -> None:
        """NEST cannot load a state."""
        raise NotSupported(f"NEST cannot load the state of a run; run it in one go, or {ELSEWHERE}")
