"""Runs an integer graph on the CPU: the reference that every back end is compared with.

Sums over connections are made message by message in whole numbers; neurons run in kernels that are printed from their
equations.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import networkx
import numpy as np

from spikelab.hw.ir import IntegerGraph, Population
from spikelab.hw.simulation import synaptic_sums
from spikelab.hw.simulation.neuron_kernel import neuron_kernel

#: Sums are made for so many neurons and steps at once.
_PIECE = 2**16


@dataclass(frozen=True)
class IntegerRun:
    """What happened.

    Attributes:
        messages: population -> what it sent [T, B, *shape], int64; spikes are 0 and 1.
        states: population -> state -> its value at the end of each step [T, B, *shape]; empty unless recorded.
        state: to go on from: pass it to the next call.
        inputs: population -> port -> sum of what arrived at each step [T, B, *shape]; empty unless recorded.
    """

    messages: dict[str, np.ndarray]
    states: dict[str, dict[str, np.ndarray]]
    state: dict[str, Any]
    inputs: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)


def simulate(
    graph: IntegerGraph,
    inputs: Mapping[str, np.ndarray],
    state: Mapping[str, Any] | None = None,
    record: bool = False,
) -> IntegerRun:
    """Runs a graph over a sequence.

    Args:
        graph: the network.
        inputs: input -> messages from outside [T, B, *shape], whole numbers.
        state: from ``IntegerRun.state``, to go on with a sequence; None for a fresh start.
        record: keep all states and sums at all steps.

    Raises:
        TypeError: if an input is no numpy array.
        ValueError: if an input is missing, not whole, or of another shape.
    """
    return Simulator(graph).run(inputs, state, record)


class Simulator:
    """A graph made ready once, to be run many times: for short sequences, or step by step.

    Weights and parameters are copied; later changes to the arrays of the graph have no effect.
    """

    def __init__(self, graph: IntegerGraph):
        self.graph = graph
        names = [*graph.inputs, *(p.name for p in graph.populations)]
        #: name -> for how many steps what it sends is still needed
        self.history = dict.fromkeys(names, 0)
        for c in graph.connections:
            self.history[c.source] = max(self.history[c.source], synaptic_sums.longest_delay(c))
        #: population -> (source, delay, port, function that delivers) for each connection that ends in it
        self.into = {
            p.name: [
                (c.source, c.delay, c.port, synaptic_sums.prepare(c, graph.shape_of(c.source), p.shape))
                for c in graph.into(p.name)
            ]
            for p in graph.populations
        }
        self.kernels = {p.name: neuron_kernel(p) for p in graph.populations}
        self.order = update_order(graph)
        self.sizes = {name: math.prod(given.shape) for name, given in graph.inputs.items()}
        self.sizes |= {p.name: p.size for p in graph.populations}
        self.states = {p.name: tuple(s.name for s in p.neuron.states) for p in graph.populations}

    def run(
        self, inputs: Mapping[str, np.ndarray], state: Mapping[str, Any] | None = None, record: bool = False
    ) -> IntegerRun:
        """Runs a sequence; see ``simulate``."""
        steps, batch = _check_inputs(self.graph, inputs)
        running = _Running(self, steps, batch, state or {"step": 0, "populations": {}, "sent": {}}, record)
        for name, values in inputs.items():
            here = running.line[name][self.history[name] :]
            here[...] = values.reshape(here.shape)
        for part, cyclic in self.order:
            running.advance(part, cyclic)
        return running.result()


def update_order(graph: IntegerGraph) -> list[tuple[list[Population], bool]]:
    """Populations in groups, sources first; a group with a cycle must be stepped."""
    of = {p.name: p for p in graph.populations}
    flow = networkx.DiGraph()
    flow.add_nodes_from(of)
    flow.add_edges_from((c.source, c.target) for c in graph.connections if c.source in of)
    parts = networkx.condensation(flow)
    place = {name: k for k, name in enumerate(of)}
    groups = []
    for part in networkx.topological_sort(parts):
        members = sorted(parts.nodes[part]["members"], key=place.__getitem__)
        cyclic = len(members) > 1 or flow.has_edge(members[0], members[0])
        groups.append(([of[name] for name in members], cyclic))
    return groups


def _check_inputs(graph: IntegerGraph, inputs: Mapping[str, np.ndarray]) -> tuple[int, int]:
    if set(inputs) != set(graph.inputs):
        raise ValueError(f"the graph has the inputs {sorted(graph.inputs)}, but was given {sorted(inputs)}")
    sizes = set()
    for name, values in inputs.items():
        if not isinstance(values, np.ndarray):
            raise TypeError(f"input {name!r} is a {type(values).__name__}; give a numpy array of whole numbers")
        if values.dtype.kind not in "iub":
            raise ValueError(f"input {name!r} is {values.dtype}; give whole numbers")
        declared = graph.inputs[name]
        if values.ndim < 2 or tuple(values.shape[2:]) != tuple(declared.shape):
            expected = ", ".join(["T", "B", *map(str, declared.shape)])
            raise ValueError(f"input {name!r} has shape {list(values.shape)}, but must be [{expected}]")
        if values.size and not declared.low <= values.min() <= values.max() <= declared.high:
            raise ValueError(
                f"input {name!r} holds {values.min()} to {values.max()}, but is declared for {declared.low} to "
                f"{declared.high}; clip it, or declare the wider range"
            )
        sizes.add(values.shape[:2])
    if len(sizes) != 1:
        raise ValueError(f"the inputs differ in steps and batch: {sorted(sizes)}")
    return sizes.pop()


def _copied(before: Mapping[str, Any], population: str, state: str, shape: tuple[int, int]) -> np.ndarray:
    """A state to go on from; zeros at a fresh start."""
    if population not in before:
        return np.zeros(shape, np.int64)
    found: np.ndarray = before[population][state].copy()
    return found


class _Running:
    """Everything that changes during one call."""

    def __init__(self, prepared: Simulator, steps: int, batch: int, before: Mapping[str, Any], record: bool):
        self.prepared, self.steps, self.batch, self.record = prepared, steps, batch, record
        self.first_step = before["step"]
        #: name -> messages, those still under way first [history + T, B, N]
        self.line: dict[str, np.ndarray] = {}
        for name, size in prepared.sizes.items():
            history = prepared.history[name]
            line = self.line[name] = np.zeros((history + steps, batch, size), np.int64)
            if name in before["sent"]:
                line[:history] = before["sent"][name]
        self.state = {
            name: {s: _copied(before["populations"], name, s, (batch, prepared.sizes[name])) for s in states}
            for name, states in prepared.states.items()
        }
        kept = steps if record else 0
        self.recorded = {
            name: {s: np.empty((kept, batch, prepared.sizes[name]), np.int64) for s in states}
            for name, states in prepared.states.items()
        }
        #: population -> port -> what arrives; of all steps where recording, else of the piece that is being run
        self.sums: dict[str, dict[str, np.ndarray]] = {}

    def advance(self, part: Sequence[Population], cyclic: bool) -> None:
        """Runs populations over the whole sequence; those with a cycle among them step by step."""
        # sums of a piece stay in the cache, and long sequences need little memory
        sizes = self.prepared.sizes
        fitting = _PIECE // max(1, self.batch * sum(sizes[p.name] for p in part))
        length = self.steps if self.record else min(self.steps, max(1, fitting))
        for p in part:
            self.sums[p.name] = {a: np.zeros((length, self.batch, sizes[p.name]), np.int64) for a in p.neuron.inputs}
        for first in range(0, self.steps, max(1, length)):
            for p in part if first else ():
                for sums in self.sums[p.name].values():
                    sums.fill(0)
            self._advance_piece(part, cyclic, first, min(first + length, self.steps))

    def _advance_piece(self, part: Sequence[Population], cyclic: bool, first: int, last: int) -> None:
        members = {p.name for p in part}
        calls: list[Callable[[int, int], None]] = []
        for p in part:
            for source, delay, port, deliver in self.prepared.into[p.name]:
                start = self.prepared.history[source] - delay + first
                call: Callable[[int, int], None] = partial(deliver, self.sums[p.name][port], self.line[source], start)
                if source in members:
                    calls.append(call)
                else:
                    call(0, last - first)
            calls.append(self._kernel_call(p, first, last))
        for now, then in [(t, t + 1) for t in range(last - first)] if cyclic else [(0, last - first)]:
            for call in calls:
                call(now, then)

    def _kernel_call(self, population: Population, first: int, last: int) -> Callable[[int, int], None]:
        name = population.name
        records = [r[first:last] if self.record else r for r in self.recorded[name].values()]
        sent = self.line[name][self.prepared.history[name] + first :]
        states, sums = self.state[name].values(), self.sums[name].values()
        return partial(
            self.prepared.kernels[name], self.first_step + first, self.record, sent, *sums, *states, *records
        )

    def result(self) -> IntegerRun:
        """Everything, in the populations' shapes."""
        graph, history = self.prepared.graph, self.prepared.history
        leading = (self.steps, self.batch)

        def shaped(of: Mapping[str, Mapping[str, np.ndarray]]) -> dict[str, dict[str, np.ndarray]]:
            return {
                p.name: {name: values.reshape(*leading, *p.shape) for name, values in of[p.name].items()}
                for p in graph.populations
            }

        return IntegerRun(
            {p.name: self.line[p.name][history[p.name] :].reshape(*leading, *p.shape) for p in graph.populations},
            shaped(self.recorded) if self.record else {},
            {
                "step": self.first_step + self.steps,
                "populations": self.state,
                "sent": {name: line[len(line) - history[name] :].copy() for name, line in self.line.items()},
            },
            shaped(self.sums) if self.record else {},
        )
