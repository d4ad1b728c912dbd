"""A network of the simulator from a NIR graph (Pedersen et al. 2024, Nature Communications 15)."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import nir
import numpy as np

from spikelab.io.nir_checked import Checked, NirWarning, checked_graph, node_order
from spikelab.io.nir_file import MAX_BYTES, CannotImport, read_tree
from spikelab.io.nir_graph import tree_of
from spikelab.io.nir_reading import Notes, Reading, notes_of
from spikelab.sim.inputs import StepCurrent
from spikelab.sim.network import Network
from spikelab.sim.nir_lags import find_lags
from spikelab.sim.nir_links import Links
from spikelab.sim.nir_neurons import Neurons, memoryless, neurons_of, rests_above_threshold
from spikelab.sim.nir_routes import Constants, Pair, Routes, trace_routes
from spikelab.sim.nir_spikes import spike_sources
from spikelab.sim.population import Population
from spikelab.sim.projection import Projection
from spikelab.sim.sources import PoissonSource
from spikelab.sim.units import si
from spikelab.sim.wiring import Explicit


@dataclass(frozen=True)
class NirParts:
    """What the nodes of a NIR graph became. Names are those of the graph; nested graphs' nodes are ``<graph>.<node>``.

    Attributes:
        inputs: Input node -> the source of its spikes.
        populations: node -> its neurons: every neuron node, every Threshold, and every Output that needs some.
        outputs: Output node -> the populations that it gives out, to be summed. A readout's signal is its state "v".
        projections: (sending node, receiving node) -> synapses between them, if there are any.
        lags: node -> steps by which it runs behind the same node of ``from_nir``'s network.
        differences: where the simulation differs from that network by more than lags; each names its nodes.
    """

    inputs: Mapping[str, Population]
    populations: Mapping[str, Population]
    outputs: Mapping[str, tuple[Population, ...]]
    projections: Mapping[Pair, Projection]
    lags: Mapping[str, int]
    differences: tuple[str, ...]


def network_from_nir(
    source: str | Path | nir.NIRGraph,
    spikes: Mapping[str, Any],
    *,
    dt: Any = None,
    seed: int = 0,
    dtype: Literal["float64", "float32"] = "float64",
    method: str | None = None,
    reset: Literal["value", "subtract"] = "value",
    input_form: Literal["current", "impulse"] | None = None,
    max_bytes: int = MAX_BYTES,
    trusted: bool = False,
) -> tuple[Network, NirParts]:
    """A network from a NIR graph or file, with the equations and in the steps of ``from_nir``'s.

    Neurons become populations (in the order of their arrays), an Input a source of spikes. What lies between them
    becomes synapses: Linear, Affine, Conv1d, Conv2d, Scale, Delay, SumPool2d, AvgPool2d, Flatten and any chain of
    them, without synapses for zero weights. Biases become constant inputs. A Threshold becomes neurons without memory,
    and an Output behind weights becomes neurons that sum what arrives in a step.

    A connection takes a step at least, where it takes none in a trained network unless it closes a loop. So each layer
    runs some steps behind (``NirParts.lags``): what it does in step ``k`` of the trained network it does here in step
    ``k + lag``. Delays of connections that skip layers, and the begin of constant inputs, are chosen so that nothing
    else changes. A loop that takes fewer steps than it has connections gets as slow as they need, which
    ``NirParts.differences`` and a warning tell.

    Args:
        source: a graph, or the path of a ``.nir`` file.
        spikes: Input node -> its spikes: ``(times, neurons)``, an array [T, N] or [T, *shape] of how many spikes there
            are in each step, or a source such as ``PoissonSource``.
        dt: length of a step; None takes the graph's own.
        seed: of the network.
        dtype: of the network.
        method: discretisation; None takes the graph's own, else each neuron's default.
        reset: of neurons of which the graph says nothing: to v_reset, or by subtracting the threshold.
        input_form: "current": a spike is an input that is constant over a step. "impulse": it is delivered at once, at
            the end of a step. None takes the graph's own, else "current".
        max_bytes: most bytes of numbers to read from a file.
        trusted: read the file within this process; see ``nir_file.read_tree``.

    Raises:
        CannotImport: names the file, and every node that is wrong or has no form in the simulator, with what to do.
        ValueError: for spikes that do not fit an Input.
    """
    where = "graph" if isinstance(source, nir.NIRGraph) else str(source)
    checked = _checked(source, max_bytes, trusted)
    graph, problems = checked.graph, checked.problems
    if reset not in ("value", "subtract"):
        raise ValueError(f"network_from_nir: reset = {reset!r} must be 'value' or 'subtract'")
    if input_form not in (None, "current", "impulse"):
        raise ValueError(f"network_from_nir: input_form = {input_form!r} must be 'current' or 'impulse'")
    noted = notes_of(graph.metadata, problems)
    step = _time_step(dt, noted, problems)
    reading = Reading(step, method, reset, input_form, noted.neurons, noted.dt)
    neurons = neurons_of(graph, reading, problems)
    routes = Routes()
    if not problems:
        order = node_order(graph, noted.order, problems)
        routes = trace_routes(graph, checked.shapes, order, step, problems)
    if problems:
        raise CannotImport(f"{where} cannot be run by the simulator:\n  " + "\n  ".join(problems))
    shapes = {name: checked.shapes.leaving[name] for name in graph.named("Input")}
    sources = spike_sources(spikes, shapes, step)
    building = _Building(Network(step, seed, dtype), routes, neurons)
    parts = building.build(sources)
    for told in (*checked.shapes.tolerated, *parts.differences):
        warnings.warn(f"{where}: {told}", NirWarning, stacklevel=2)
    return building.network, parts


def _checked(source: Any, max_bytes: int, trusted: bool) -> Checked:
    if isinstance(source, nir.NIRGraph):
        return checked_graph(tree_of(source))
    if isinstance(source, str | Path):
        return checked_graph(read_tree(source, max_bytes, trusted).get("node"))
    raise TypeError(f"network_from_nir: got a {type(source).__name__}; give a path or a nir.NIRGraph")


def _time_step(dt: Any, noted: Notes, problems: list[str]) -> float:
    """The step in seconds, which all neurons of a network share."""
    if dt is not None:
        step = float(si(dt, "s", "dt"))
        if not 0 < step < np.inf:
            raise ValueError(f"network_from_nir: dt = {step:g} s must be the positive length of a step")
        return step
    own = {float(each["dt"]) for each in noted.neurons.values() if "dt" in each}
    own |= set() if noted.dt is None else {noted.dt}
    if len(own) == 1 and 0 < min(own) < np.inf:
        return own.pop()
    told = f"notes steps of {', '.join(f'{each:g} s' for each in sorted(own))}" if own else "has no time step"
    problems.append(f"dt: the graph {told}; pass dt (seconds)")
    return 1e-3


class _Building:
    """Puts populations, synapses and constant inputs into a network."""

    def __init__(self, network: Network, routes: Routes, neurons: Mapping[str, Neurons]):
        self.network, self._routes, self._neurons = network, routes, dict(neurons)
        for name in routes.outputs:
            if name in routes.sizes:
                self._neurons[name] = memoryless("li", network.dt)
        steps = {pair: int(links.steps.min()) for pair, links in routes.links.items()}
        # a constant impulse is the spike of a neuron, and that takes a step too
        driven = {name for name in routes.constants if self._neurons[name].receptor != "current"}
        floors = {name: 1 - min(routes.constants[name]) for name in driven if min(routes.constants[name]) < 1}
        self._lags, self._late = find_lags(list(routes.sizes), steps, floors)
        self._populations: dict[str, Population] = {}
        self._clock: Population | None = None

    def build(self, sources: Mapping[str, Any]) -> NirParts:
        routes, network = self._routes, self.network
        for name, size in routes.sizes.items():
            label = self._label(name)
            if name in sources:
                self._populations[name] = network.source(label, size, sources[name])
                continue
            own, constants = self._neurons[name], self._begin(name)
            always = constants.pop(0, 0.0) if own.receptor == "current" else 0.0
            self._populations[name] = network.population(
                label, size, own.spec, method=own.method, reset=own.reset, bias=always, **own.parameters
            )
            if constants:
                self._drive(name, constants, always)
        # what has become synapses is let go at once
        projections = {pair: self._connect(*pair, routes.links.pop(pair)) for pair in list(routes.links)}
        return NirParts(
            inputs={name: self._populations[name] for name in sources},
            populations={name: each for name, each in self._populations.items() if name not in sources},
            outputs={name: tuple(self._populations[each] for each in given) for name, given in routes.outputs.items()},
            projections=projections,
            lags=self._lags,
            differences=tuple(self._differences()),
        )

    def _label(self, name: str) -> str:
        """A name that a population can have."""
        label = "".join(letter if letter.isalnum() or letter == "_" else "_" for letter in name)
        label = label if label[:1].isascii() and label[:1].isalpha() else f"node_{label}"
        while label in self.network.populations:
            label += "_"
        return label

    def _begin(self, name: str) -> Constants:
        """The constant inputs by the step of this network with which they begin."""
        return {first + self._lags[name]: each for first, each in self._routes.constants.get(name, {}).items()}

    def _drive(self, name: str, constants: Constants, always: Any) -> None:
        target, own, dt = self._populations[name], self._neurons[name], self.network.dt
        begins = sorted(constants)
        if own.receptor == "current":
            levels = np.cumsum([constants[first] for first in begins], axis=0)
            self.network.input(target, StepCurrent(np.array(begins) * dt, levels))
            return
        if self._clock is None:
            # spikes in every step: a constant impulse
            self._clock = self.network.source(self._label("constant_impulses"), 1, PoissonSource(1 / dt))
        for first in begins:
            reached = np.flatnonzero(constants[first])
            wiring, weights = Explicit(np.zeros_like(reached), reached), constants[first][reached]
            self.network.projection(
                self._clock, target, wiring, receptor=own.receptor, weight=weights, delay=first * dt
            )

    def _connect(self, source: str, target: str, links: Links) -> Projection:
        steps = np.maximum(links.steps + self._lags[target] - self._lags[source], 1)
        weights = links.weights
        return self.network.projection(
            self._populations[source],
            self._populations[target],
            Explicit(links.sources, links.targets),
            receptor=self._neurons[target].receptor,
            weight=float(weights[0]) if (weights == weights[0]).all() else weights,
            delay=float(steps * self.network.dt) if steps.ndim == 0 else steps * self.network.dt,
        )

    def _differences(self) -> list[str]:
        told = [
            f"{a} to {b}: in a loop that takes fewer steps than it has connections; arrives {steps} "
            f"step{'s' * (steps > 1)} too late"
            for (a, b), steps in sorted(self._late.items())
        ]
        for name, own in self._neurons.items():
            if self._lags.get(name, 0) and rests_above_threshold(own):
                told.append(
                    f"{name}: spikes without input, and so from step 0 on; its lag of {self._lags[name]} steps is that "
                    f"of its input only"
                )
        return told
