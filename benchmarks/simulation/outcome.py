"""What a run of one network in one simulator gives. Needs NumPy only."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from benchmarks.simulation.measures import measure
from benchmarks.simulation.microcircuit import POPULATIONS, circuit
from benchmarks.simulation.networks import WARM_UP, Microcircuit, Network


@dataclass
class Outcome:
    """One run.

    Attributes:
        times: of spikes, ms.
        neurons: who spiked, excitatory neurons first.
        weight_change: by how much plastic weights, or a sample of them, have changed; None where there are none.
        build_s: wall seconds to make neurons and synapses.
        compile_s: wall seconds to generate and compile code.
        wall_s: wall seconds of the simulation itself.
        cpu_s: CPU seconds of the simulation itself, of all threads together.
        peak_extra_bytes: by which resident memory rose at most, building and simulating.
    """

    times: np.ndarray = field(default_factory=lambda: np.empty(0))
    neurons: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))
    weight_change: np.ndarray | None = None
    build_s: float = 0.0
    compile_s: float = 0.0
    wall_s: float = 0.0
    cpu_s: float = 0.0
    peak_extra_bytes: int | None = None

    @contextmanager
    def simulating(self) -> Iterator[None]:
        """Times what is inside as the simulation."""
        used, start = time.process_time(), time.perf_counter()
        yield
        self.wall_s, self.cpu_s = time.perf_counter() - start, time.process_time() - used


class Running(Protocol):
    """A network that has been built."""

    def advance(self) -> None:
        """Simulates the duration that it was prepared for, and notes the times in its outcome."""

    def collect(self) -> None:
        """Puts spikes and changes of weights into its outcome. Comes last."""


def times(outcome: Outcome) -> dict[str, Any]:
    """What was timed."""
    names = ("build_s", "compile_s", "wall_s", "cpu_s", "peak_extra_bytes")
    return {name: getattr(outcome, name) for name in names}


def populations(network: Network) -> dict[str, tuple[int, int]]:
    """Name -> number of the first neuron and one past the last."""
    if isinstance(network, Microcircuit):
        starts = circuit(network.scale).starts
        return {name: (int(starts[n]), int(starts[n + 1])) for n, name in enumerate(POPULATIONS)}
    total = network.excitatory + network.inhibitory
    return {"excitatory": (0, network.excitatory), "inhibitory": (network.excitatory, total)}


def describe(network: Network, outcome: Outcome, duration: float) -> dict[str, Any]:
    """What the spikes and weights say, as plain numbers; ``duration`` in ms."""
    found: dict[str, Any] = {
        "spikes": int(outcome.times.size),
        "measures": {},
    }
    if duration > WARM_UP:
        found["measures"] = measure(outcome.times, outcome.neurons, populations(network), WARM_UP, duration)
    if outcome.weight_change is not None:
        found["measures"]["weight change"] = float(outcome.weight_change.mean())
        found["measures"]["weight change spread"] = float(outcome.weight_change.std())
    return found
