"""What lies between the populations of a NIR graph: every way from one to another, as links, and constant inputs."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import networkx
import numpy as np

from spikelab.io.nir_fields import NEURONS
from spikelab.io.nir_graph import Graph
from spikelab.io.nir_reading import delay_steps
from spikelab.io.nir_shapes import Shapes
from spikelab.sim.nir_links import Links, identity, joined, links_of
from spikelab.sim.synapses import LONGEST_DELAY

#: Neurons that give out their membrane.
READOUTS = ("I", "LI", "CubaLI")
#: Nodes that become populations; what reaches them has been summed over all links.
POPULATIONS = ("Input", *NEURONS, "Threshold")
Pair = tuple[str, str]
#: First step -> the constant that is added to an input from then on.
Constants = dict[int, np.ndarray]


@dataclass
class Routes:
    """What a NIR graph becomes.

    Attributes:
        sizes: node -> neurons, of every node that becomes a population, in the order of a step. An Output node is one
            if it gives out weighted or delayed signals; it then sums them.
        links: (sending node, receiving node) -> links between their neurons.
        constants: node -> constant inputs, by the step with which they begin in the trained network.
        outputs: Output node -> the nodes that it gives out.
    """

    sizes: dict[str, int] = field(default_factory=dict)
    links: dict[Pair, Links] = field(default_factory=dict)
    constants: dict[str, Constants] = field(default_factory=dict)
    outputs: dict[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass
class _Signal:
    """What a node gets or gives: ways from populations, and constants."""

    ways: dict[str, Links] = field(default_factory=dict)
    constants: Constants = field(default_factory=dict)

    def add(self, other: _Signal, steps: int) -> None:
        """Sums with another, which comes some steps later."""
        for name, links in other.ways.items():
            late = links.later(steps)
            self.ways[name] = joined(self.ways[name], late) if name in self.ways else late
        for first, values in other.constants.items():
            self.constants[first + steps] = self.constants.get(first + steps, 0.0) + values

    def mapped(self, links: Callable[[Links], Links], constant: Callable[[np.ndarray], np.ndarray]) -> _Signal:
        """The same with something done to every way and every constant."""
        ways = {name: links(way) for name, way in self.ways.items()}
        return _Signal(ways, {first: constant(values) for first, values in self.constants.items()})


def trace_routes(graph: Graph, shapes: Shapes, order: list[str], dt: float, problems: list[str]) -> Routes:
    """Follows the signal from population to population.

    Args:
        graph: checked, nested graphs dissolved.
        shapes: what flows through it.
        order: in which a step of the trained network goes through the nodes.
        dt: length of a step in seconds.
        problems: gets what cannot be run, by the node's name.
    """
    return _Tracing(graph, shapes, order, dt, problems).run()


class _Tracing:
    def __init__(self, graph: Graph, shapes: Shapes, order: list[str], dt: float, problems: list[str]):
        self._graph, self._shapes, self._order, self._dt, self._problems = graph, shapes, order, dt, problems
        self._is_population = {name: node.kind in POPULATIONS for name, node in graph.nodes.items()}
        self._comes_round = _coming_round(graph, order)
        self._starts = _starts(graph, self._comes_round)
        self._sources: dict[str, list[str]] = {name: [] for name in graph.nodes}
        for a, b in graph.edges:
            self._sources[b].append(a)
        self._given: dict[str, _Signal] = {}

    def run(self) -> Routes:
        routes = Routes()
        for name in [name for name in (*self._graph.named("Input"), *self._order) if self._is_population[name]]:
            routes.sizes[name] = math.prod(self._shapes.leaving[name])
            try:
                self._given[name] = _Signal({name: identity(routes.sizes[name])})
            except ValueError as error:
                self._problems.append(f"{name}: {error}")
                self._given[name] = _Signal()
        self._pass_connections()
        if self._problems:
            return routes
        for name, node in self._graph.nodes.items():
            if node.kind == "Output":
                self._give_out(name, routes)
            elif self._is_population[name] and node.kind != "Input":
                self._arrive(name, self._without_membranes(name, self._gathered(name)), routes)
        return routes

    def _pass_connections(self) -> None:
        between = networkx.DiGraph()
        between.add_nodes_from(n for n, i in self._is_population.items() if not i)
        between.add_edges_from(edge for edge in self._graph.edges if edge[0] in between and edge[1] in between)
        if not networkx.is_directed_acyclic_graph(between):
            loop = [a for a, _ in networkx.find_cycle(between)]
            self._problems.append(
                f"{loop[0]}: {', '.join(loop)} are a loop without a neuron, and synapses lead from neuron to neuron; "
                f"put a neuron into it"
            )
            return
        for name in networkx.lexicographical_topological_sort(between):
            if self._graph.nodes[name].kind == "Output":
                continue
            try:
                self._given[name] = self._passed(name)
            except ValueError as error:
                self._problems.append(f"{name}: {error}")
                self._given[name] = _Signal()

    def _gathered(self, name: str) -> _Signal:
        signal = _Signal()
        for source in self._sources[name]:
            signal.add(self._given[source], int((source, name) in self._comes_round))
        return signal

    def _passed(self, name: str) -> _Signal:
        node, arriving = self._graph.nodes[name], self._gathered(name)
        if node.kind == "Flatten":
            return arriving
        arriving = self._without_membranes(name, arriving)
        if node.kind == "Scale":
            factors = node.fields["scale"].astype(np.float64)
            factors = factors.reshape(-1) if factors.ndim else factors
            return arriving.mapped(lambda way: way.scaled(factors), lambda values: values * factors)
        if node.kind == "Delay":
            return self._delayed(node.fields["delay"], arriving)
        before, after = self._shapes.arriving[name], self._shapes.leaving[name]
        links, size = links_of(node, before, after), math.prod(after)
        given = arriving.mapped(lambda way: way.followed_by(links), lambda values: links.applied(values, size))
        bias = node.fields.get("bias")
        if bias is not None and np.any(bias):
            # of a convolution, one for each channel
            each = np.broadcast_to(bias.astype(np.float64).reshape(-1, *[1] * (len(after) - 1)), after).reshape(-1)
            given.add(_Signal({}, {self._starts[name]: each}), 0)
        return given

    def _delayed(self, delay: np.ndarray, arriving: _Signal) -> _Signal:
        steps = delay_steps(delay, self._dt).astype(np.int64)
        if steps.max() > LONGEST_DELAY:
            raise ValueError(
                f"delay = {float(delay.max()):g} s is {steps.max()} steps of dt = {self._dt:g} s, and the simulator "
                f"holds {LONGEST_DELAY}; take a longer step"
            )
        steps = np.unique(steps)[0] if steps.min() == steps.max() else steps.reshape(-1)
        given = _Signal({name: way.later(steps) for name, way in arriving.ways.items()})
        for first, values in arriving.constants.items():
            for late in np.unique(steps):
                given.add(_Signal({}, {first: np.where(steps == late, values, 0.0)}), int(late))
        return given

    def _without_membranes(self, name: str, signal: _Signal) -> _Signal:
        """Only spikes can be sent; tells of every readout that something else than an output follows."""
        for sender in [each for each in signal.ways if self._graph.nodes[each].kind in READOUTS]:
            kind = self._graph.nodes[sender].kind
            self._problems.append(
                f"{name}: gets the membrane of {sender!r} ({kind}), which is no spike, and the simulator sends only "
                f"spikes; let {sender!r} lead to an Output, or make it a neuron that spikes"
            )
            del signal.ways[sender]
        return signal

    def _arrive(self, name: str, signal: _Signal, routes: Routes) -> None:
        for sender, links in signal.ways.items():
            if len(links):
                routes.links[sender, name] = links
        constants = {first: values for first, values in signal.constants.items() if np.any(values)}
        if constants:
            routes.constants[name] = constants

    def _give_out(self, name: str, routes: Routes) -> None:
        signal = self._gathered(name)
        if all(way.plain for way in signal.ways.values()) and not signal.constants:
            routes.outputs[name] = tuple(signal.ways)
            return
        self._arrive(name, self._without_membranes(name, signal), routes)
        routes.sizes[name] = math.prod(self._shapes.arriving[name])
        routes.outputs[name] = (name,)


def _coming_round(graph: Graph, order: list[str]) -> set[Pair]:
    """The edges of cycles that carry the step before, as ``nn.Network`` has it."""
    place = {name: number for number, name in enumerate(order)}
    cycles = networkx.DiGraph(graph.edges)
    part = {name: k for k, each in enumerate(networkx.strongly_connected_components(cycles)) for name in each}
    return {(a, b) for a, b in graph.edges if part[a] == part[b] and place[a] >= place[b]}


def _starts(graph: Graph, comes_round: set[Pair]) -> dict[str, int]:
    """Node -> the first step in which the trained network runs it: the first in which anything arrives."""
    targets: Mapping[str, list[str]] = graph.targets()
    starts: dict[str, int] = {}
    waiting = [(0, name) for name in graph.named("Input")]
    while waiting:
        step, name = heapq.heappop(waiting)
        if name in starts:
            continue
        starts[name] = step
        for target in targets[name]:
            heapq.heappush(waiting, (step + int((name, target) in comes_round), target))
    return starts
