"""Runs a network on a CUDA device.

What agrees with the engine "numba", from the same seed: wiring, parameters, starting values and every random draw are
the same, bit for bit. In float64 the only differences are roundings: of the sum of what arrives (``fixed_point``), and
of the device's exp and other functions. So a network spikes as it does there, spike for spike, until such a difference
has grown to a whole spike, as it does in any chaotic network. In float32 the exponential and other functions of the
device are coarser, and statistics agree. On one device a run repeats itself bit for bit, in one part or several.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from spikelab.sim.feeding import feed_monitors, weight_samples
from spikelab.sim.monitors import StateMonitor
from spikelab.sim.triton_engine.device import choose_device
from spikelab.sim.triton_engine.device_network import DeviceNetwork
from spikelab.sim.triton_engine.device_values import DeviceValues
from spikelab.sim.triton_engine.state_recorder import StateRecorder
from spikelab.sim.triton_engine.support import check_monitors, check_threads
from spikelab.sim.turns import check_finite, run_in_turns, steps_a_turn

if TYPE_CHECKING:
    from spikelab.sim.network import Network


class TritonSimulation:
    """A network on the device, with its state.

    Attributes:
        network: what it was built from.
        steps_done: steps simulated so far.
        device: where it runs.
        on_device: its arrays and launches.
        build_seconds: wall time that building took.

    Args:
        network: what is to run.
        capture: whether the launches of a block are put into a CUDA graph, once, which costs the host less than to
            launch them one by one: ``network.run(1.0, engine="triton", options={"capture": True})``.

    Raises:
        NoDeviceError: if there is no CUDA device.
        NotSupported: for a network with plasticity, or equations that have no Triton code.
        ValueError: if launches are to be captured without a CUDA device.
    """

    def __init__(self, network: Network, capture: bool = False):
        begun = time.perf_counter()
        self.network, self.steps_done, self._capture = network, 0, capture
        self.device = choose_device()
        if capture and self.device.place.type != "cuda":
            raise ValueError(
                "capture = True: there is no CUDA device whose graphs could hold the launches; leave it out"
            )
        self.on_device = DeviceNetwork(network, self.device)
        self._recorders: dict[int, StateRecorder] = {}
        self._planned: tuple[int, ...] = ()
        self._graph: Any = None
        self._steps_a_turn = self.on_device.block
        self.build_seconds = time.perf_counter() - begun

    # ------------------------------------------------------------------------------------------------------ running

    def run(self, steps: int, threads: int | None = None, progress: bool = False) -> dict[str, Any]:
        """Simulates ``steps`` more steps: see ``Network.run``.

        Raises:
            ValueError: for a number of threads.
            SimulationInterrupted: on request; what was simulated is kept.
        """
        check_threads(threads)
        begun = time.perf_counter()
        self._plan()
        compiled = time.perf_counter()
        figures = run_in_turns(self, steps, self._turn, progress, compile_seconds=compiled - begun)
        check_finite(self, self.values)
        return {**figures, "threads": 1}

    def _plan(self) -> None:
        """Makes room for the monitors that there are, and compiles what is new by running a block without steps."""
        check_monitors(self.network.monitors)
        for place, monitor in enumerate(self.network.monitors):
            if place not in self._recorders and isinstance(monitor, StateMonitor):
                self._recorders[place] = StateRecorder(self.device, monitor)
        if tuple(self._recorders) != self._planned:
            self.on_device.plan(self._recorders.values())
            self._planned, self._graph = tuple(self._recorders), None
        self.on_device.clock.set(self.steps_done, self.steps_done)
        self._launch()
        self.on_device.clock.reached()
        if self._capture and self._graph is None:
            self._graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self._graph):
                self._launch()

    def _launch(self) -> None:
        for launch in self.on_device.launches:
            launch()

    def _turn(self, goal: int) -> int:
        """Runs until the host is needed again, and gives the monitors what there is; returns the number of spikes."""
        built, first = self.on_device, self.steps_done
        last = min([goal, first + self._steps_a_turn, *self._next_stops(first)])
        begun = time.perf_counter()
        built.clock.set(first, last)
        for _ in range(first // built.block, -(-last // built.block)):
            if self._graph is None:
                self._launch()
            else:
                self._graph.replay()
        reached = built.clock.reached()
        seconds = time.perf_counter() - begun
        self.steps_done = reached
        self._steps_a_turn = steps_a_turn(self._steps_a_turn, reached - first, seconds, built.block)
        counts = dict(zip(built.lists, built.clock.cursors[:, 0].tolist(), strict=False))
        feed_monitors(
            self.network,
            first,
            reached,
            spikes=lambda name: built.lists[name].read(counts[name], first),
            weights=self.weights,
            collect=lambda place: self._recorders[place].collect(first, reached),
        )
        return sum(counts.values())

    def _next_stops(self, first: int) -> list[int]:
        """Steps at which something has to be looked at from Python."""
        return [first + each.most_steps for each in self._recorders.values()] + weight_samples(self.network, first)

    # ---------------------------------------------------------------------------------------------------- the state

    def values(self, population: str, state: str) -> DeviceValues:
        """A state of every neuron, for reading and for changing, [size]."""
        found = self.on_device.populations[population]
        return DeviceValues(found.states[state], found.population.size)

    def weights(self, number: int) -> np.ndarray:
        """The weights of a projection, [1] or [synapses]."""
        return self.on_device.projections[number].weights()

    def state(self) -> dict[str, np.ndarray]:
        """Everything that the coming steps depend on, by name."""
        found: dict[str, np.ndarray] = {"steps_done": np.array(self.steps_done)}
        for name, population in self.on_device.populations.items():
            found.update({f"population/{name}/{key}": value for key, value in population.state().items()})
        return found

    def load_state(self, state: dict[str, np.ndarray]) -> None:
        """The inverse of ``state``.

        Raises:
            ValueError: if the state was saved under weights of another size.
        """
        for name, population in self.on_device.populations.items():
            prefix = f"population/{name}/"
            below = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
            population.load_state(below)
        self.steps_done = int(state["steps_done"])
