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
from tqdm import tqdm

from spikelab.io.stop_request import StopRequest
from spikelab.sim.monitors import RateMonitor, SpikeMonitor, StateMonitor, WeightMonitor
from spikelab.sim.numba_engine.simulation import SimulationInterrupted
from spikelab.sim.triton_engine.device import choose_device
from spikelab.sim.triton_engine.device_network import DeviceNetwork
from spikelab.sim.triton_engine.device_values import DeviceValues
from spikelab.sim.triton_engine.state_recorder import StateRecorder
from spikelab.sim.triton_engine.support import check_monitors, check_threads

if TYPE_CHECKING:
    from spikelab.sim.network import Network

#: Seconds of wall time between two visits of the host: for progress, interruption and monitors.
_TURN = 0.1
#: Most steps of a turn.
_MOST_STEPS = 1 << 14


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
        first, goal = self.steps_done, self.steps_done + steps
        spikes = 0
        cpu = time.process_time()
        bar = tqdm(total=steps * self.network.dt, unit="s", disable=not progress, unit_scale=True)
        with StopRequest() as stop, bar:
            while self.steps_done < goal and not stop.requested:
                before = self.steps_done
                spikes += self._turn(goal)
                bar.update((self.steps_done - before) * self.network.dt)
        finished = time.perf_counter()
        if self.steps_done < goal:
            now = self.steps_done * self.network.dt
            raise SimulationInterrupted(
                f"stopped at {now:g} s; what was recorded is kept, and run() goes on from there"
            )
        return {
            "biological_seconds": (self.steps_done - first) * self.network.dt,
            "steps": self.steps_done - first,
            "spikes": spikes,
            "build_seconds": self.build_seconds,
            "compile_seconds": compiled - begun,
            "run_seconds": finished - compiled,
            "run_cpu_seconds": time.process_time() - cpu,
            "threads": 1,
        }

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
        rate = (reached - first) / max(seconds, 1e-9)
        self._steps_a_turn = int(min(_MOST_STEPS, max(built.block, min(2 * self._steps_a_turn, _TURN * rate))))
        counts = dict(zip(built.lists, built.clock.cursors[:, 0].tolist(), strict=False))
        self._feed_monitors(first, reached, counts)
        return sum(counts.values())

    def _next_stops(self, first: int) -> list[int]:
        """Steps at which something has to be looked at from Python."""
        stops = [first + each.most_steps for each in self._recorders.values()]
        for monitor in self.network.monitors:
            if isinstance(monitor, WeightMonitor):
                stops.append((first // monitor.every + 1) * monitor.every)
        return stops

    def _feed_monitors(self, first: int, reached: int, counts: dict[str, int]) -> None:
        """Gives each monitor what the steps from ``first`` to ``reached`` brought; all of them, even if one fails."""
        errors: list[OSError] = []
        read: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        for place, monitor in enumerate(self.network.monitors):
            try:
                if isinstance(monitor, StateMonitor):
                    self._recorders[place].collect(first, reached)
                elif isinstance(monitor, WeightMonitor):
                    if reached % monitor.every == 0:
                        weights = self.weights(monitor.projection.number)
                        monitor.append(reached, np.broadcast_to(weights, monitor.count)[monitor.synapses])
                else:
                    name = monitor.group.population.name
                    if name not in read:
                        read[name] = self.on_device.lists[name].read(counts[name], first)
                    when, who = read[name]
                    if isinstance(monitor, SpikeMonitor):
                        monitor.append(when, who)
                    elif isinstance(monitor, RateMonitor):
                        low = monitor.group.first
                        mine = (who >= low) & (who < low + monitor.group.size)
                        monitor.append(first, np.bincount(when[mine] - first, minlength=reached - first))
            except OSError as error:
                errors.append(error)
        if errors:
            raise errors[0]

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
