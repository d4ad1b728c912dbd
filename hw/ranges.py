"""Between which numbers everything in an integer graph lies: proof that no integer type overflows, or that one may.

A state is followed from zero until its range stops growing. Where ``saturate`` or ``wrap`` bound it, that is soon;
where nothing does (the sum that a sigma-delta neuron keeps), the state is reported as unbounded and given a range to
assume.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import sympy as sp

from spikelab.hw.connections import Connection, Convolution, Dense
from spikelab.hw.intervals import Intervals, Range, RangeError, common, hull
from spikelab.hw.ir import IntegerGraph, Population
from spikelab.hw.neuron import MESSAGE, STEP, IntegerNeuron

INT64: Range = (-(2**63), 2**63 - 1)
#: Rounds in which ranges grow as the equations say, before they are doubled to see where growth ends.
_PATIENCE = 4
_ROUNDS = 400


@dataclass(frozen=True)
class Line:
    """One assignment, under a name that is assigned once.

    Attributes:
        symbol: what this value is called; ``v`` becomes ``v_1``, ``v_2``, ...
        name: what the neuron's equations call it.
        value: over names that are assigned once.
    """

    symbol: sp.Symbol
    name: str
    value: sp.Expr


class NeuronRanges:
    """The ranges of one population's values.

    Args:
        neuron: its equations.
        parameters: parameter -> value or array; those left out have their default.
        port_bounds: port -> range of what arrives.
        assumed: range given to a state that nothing bounds.

    Attributes:
        lines: the equations, each name assigned once.
        last: state, or "message" -> name of its value at the end of a step.
        states: state -> range over all steps.
        unbounded: the states that nothing bounds; their range is an assumption.
        intervals: ranges of all names, and of any expression over them.

    Raises:
        RangeError: if an operation is used outside of what it is defined for.
    """

    def __init__(
        self,
        neuron: IntegerNeuron,
        parameters: Mapping[str, np.ndarray | int],
        port_bounds: Mapping[str, Range],
        assumed: Range = INT64,
    ):
        self.neuron = neuron
        self.lines, self.last = _assigned_once(neuron)
        self.constants = {p.name: _extent(parameters.get(p.name, p.default)) for p in neuron.parameters}
        self.ports = {port: port_bounds[port] for port in neuron.inputs}
        self.states: dict[str, Range] = {s.name: (0, 0) for s in neuron.states}
        self.unbounded: set[str] = set()
        self._assumed = assumed
        self._settle()
        self.intervals = self._pass()

    def of(self, name: str) -> Range:
        """Hull of all values that a state, line, port or parameter ever has."""
        found = [self.intervals.known[line.symbol] for line in self.lines if line.name == name]
        given = {**self.constants, **self.ports, **self.states}
        return hull([*found, *([given[name]] if name in given else [])])

    @cached_property
    def message(self) -> Range:
        """Range of what is sent."""
        return self.intervals.known[self.last[MESSAGE]]

    def shared_lines(self) -> list[Line]:
        """Lines that change from step to step, but are the same for all neurons."""
        found: list[Line] = []
        same = {_symbol(STEP)}
        for line in self.lines:
            free = {s for s in line.value.free_symbols if not self._constant(s)}
            if free and free <= same and not self._constant(line.symbol):
                found.append(line)
                same.add(line.symbol)
        return found

    def steps_alike(self) -> bool:
        """Whether nothing but the shared lines makes one step differ from the next."""
        shared = {line.symbol for line in self.shared_lines()}
        others = [line for line in self.lines if line.symbol not in shared and not self._constant(line.symbol)]
        return all(_symbol(STEP) not in line.value.free_symbols for line in others)

    @property
    def idle(self) -> bool:
        """Whether nothing ever happens: nothing is heard or sent, and no state leaves zero."""
        return {*self.ports.values(), *self.states.values(), self.message} == {(0, 0)}

    def without_input(self) -> Intervals:
        """Ranges in a step at which nothing arrives, from any state."""
        return self._pass(dict.fromkeys(self.ports, (0, 0)))

    def _constant(self, symbol: sp.Symbol) -> bool:
        low, high = self.intervals.known[symbol]
        return low == high

    def _pass(self, ports: Mapping[str, Range] | None = None) -> Intervals:
        """One step from the present ranges of the states."""
        given = {**self.constants, **(ports or self.ports), **self.states, STEP: (1, INT64[1])}
        intervals = Intervals({_symbol(name): r for name, r in given.items()})
        for line in self.lines:
            try:
                intervals.known[line.symbol] = intervals.of(line.value)
            except RangeError as error:
                raise RangeError(f"{self.neuron.name}: {line.name}: {error}") from error
            intervals.definitions[line.symbol] = line.value
        return intervals

    def _after(self) -> dict[str, Range]:
        intervals = self._pass()
        return {name: intervals.known[self.last[name]] for name in self.states}

    def _settle(self) -> None:
        for round_ in range(_ROUNDS):
            after = self._after()
            grown = {n: hull([r, after[n]]) for n, r in self.states.items() if n not in self.unbounded}
            grown = {n: r for n, r in grown.items() if r != self.states[n]}
            if not grown:
                break
            for name, r in grown.items():
                wide = _doubled(self.states[name], r) if round_ >= _PATIENCE else r
                if wide[0] < INT64[0] or wide[1] > INT64[1]:
                    self.unbounded.add(name)
                    self.states[name] = self._assumed
                    # what followed from the growth that is now cut off may be too wide
                    self.states = {n: r if n in self.unbounded else (0, 0) for n, r in self.states.items()}
                    break
                self.states[name] = wide
        else:
            raise RangeError(f"{self.neuron.name}: the ranges of {', '.join(self.states)} do not settle")
        # any range that a step maps into itself holds for ever; the image of such a range is one too, and smaller
        for _ in range(_ROUNDS):
            after = {n: hull([(0, 0), common(r, self.states[n])]) for n, r in self._bounded(self._after()).items()}
            if all(self.states[n] == r for n, r in after.items()):
                break
            self.states.update(after)

    def _bounded(self, ranges: Mapping[str, Range]) -> dict[str, Range]:
        return {n: r for n, r in ranges.items() if n not in self.unbounded}


def value_ranges(
    neuron: IntegerNeuron, parameters: Mapping[str, np.ndarray | int], port_bounds: Mapping[str, Range]
) -> dict[str, Range]:
    """Line, state, port and parameter -> the smallest and largest value it can have at any step.

    Args:
        neuron: the equations.
        parameters: parameter -> value or array; those left out have their default.
        port_bounds: port -> range of what arrives; see :func:`port_bounds`.

    Returns:
        ranges that hold for every input within the bounds, from a start at zero. A state that nothing bounds has the
        range of int64, and what is worked out from it may lie beyond.

    Raises:
        RangeError: if an operation is used outside of what it is defined for.
    """
    found = NeuronRanges(neuron, parameters, port_bounds)
    names = {*found.states, *found.ports, *found.constants, *(line.name for line in found.lines)}
    return {name: found.of(name) for name in sorted(names)}


def unbounded_states(
    neuron: IntegerNeuron, parameters: Mapping[str, np.ndarray | int], port_bounds: Mapping[str, Range]
) -> list[str]:
    """The states that no equation keeps within 64 bits."""
    return sorted(NeuronRanges(neuron, parameters, port_bounds).unbounded)


def declared_messages(neuron: IntegerNeuron) -> Range:
    """What ``message_bits`` allow."""
    bits = neuron.message_bits
    return (0, 1) if bits == 1 else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def message_range(population: Population) -> Range:
    """What a population can send, whatever it hears: as its equations say, within its declared bits."""
    ports = {port: INT64 for port in population.neuron.inputs}
    found = NeuronRanges(population.neuron, population.parameters, ports).message
    low, high = declared_messages(population.neuron)
    return min(max(found[0], low), high), max(min(found[1], high), low)


def message_ranges(graph: IntegerGraph) -> dict[str, Range]:
    """Input or population -> what it can send."""
    found = {name: (given.low, given.high) for name, given in graph.inputs.items()}
    return {**found, **{p.name: message_range(p) for p in graph.populations}}


def sum_range(connection: Connection, source: Range) -> Range:
    """What a connection's sum can be before its exponent and its wrap, with every message left out or sent.

    Args:
        connection: the connection.
        source: range of one message.
    """
    many = connection.pool[0] * connection.pool[1]
    # each message is a term of its own: any part of a sum lies in the same range
    low, high = many * min(source[0], 0), many * max(source[1], 0)
    weights = connection.weights
    rows = weights.weight.reshape(-1, 1) if not isinstance(weights, Dense | Convolution) else weights.weight
    rows = rows.reshape(len(rows), -1)
    if not rows.size:
        return 0, 0
    largest = max(-int(rows.min()), int(rows.max()))
    rows = rows.astype(np.int64 if largest * rows.shape[1] < 2**63 else object)
    above = np.maximum(rows, 0).sum(1).tolist()
    below = np.minimum(rows, 0).sum(1).tolist()
    return (
        min(p * low + n * high for p, n in zip(above, below, strict=True)),
        max(p * high + n * low for p, n in zip(above, below, strict=True)),
    )


def delivered_range(connection: Connection, sums: Range) -> Range:
    """What arrives of sums in a range, after the connection's exponent and wrap."""
    e = connection.exponent
    low, high = (s << e if e >= 0 else s >> -e for s in sums)
    if connection.wrap_bits:
        half = 1 << (connection.wrap_bits - 1)
        if low < -half or high >= half:
            return -half, half - 1
    return low, high


def port_bounds(graph: IntegerGraph, population: str, messages: Mapping[str, Range] | None = None) -> dict[str, Range]:
    """Port -> the least and most that can arrive there in one step.

    Args:
        graph: the network.
        population: who hears it.
        messages: from :func:`message_ranges`, where they are known already.
    """
    messages = messages or message_ranges(graph)
    bounds: dict[str, Range] = {port: (0, 0) for port in graph.population(population).neuron.inputs}
    for connection in graph.into(population):
        low, high = delivered_range(connection, sum_range(connection, messages[connection.source]))
        before = bounds[connection.port]
        bounds[connection.port] = before[0] + min(low, 0), before[1] + max(high, 0)
    return bounds


def _symbol(name: str) -> sp.Symbol:
    return sp.Symbol(name, integer=True)


def _extent(value: np.ndarray | int | None) -> Range:
    values = np.asarray(value)
    return (int(values.min()), int(values.max())) if values.size else (0, 0)


def _doubled(before: Range, now: Range) -> Range:
    """Sides that still grow, moved out to the next power of two."""
    low = -(1 << (-now[0]).bit_length()) if now[0] < before[0] else now[0]
    high = (1 << now[1].bit_length()) - 1 if now[1] > before[1] else now[1]
    return low, high


def _assigned_once(neuron: IntegerNeuron) -> tuple[list[Line], dict[str, sp.Symbol]]:
    """Gives each assignment a name of its own, and says which is the last of each state and of the message."""
    fixed = {*neuron.inputs, *(s.name for s in neuron.states), *(p.name for p in neuron.parameters), STEP}
    names = fixed | {name for name, _ in neuron.assignments}
    present = {name: _symbol(name) for name in fixed}
    lines: list[Line] = []
    for name, value in neuron.assignments:
        value = value.xreplace({_symbol(n): symbol for n, symbol in present.items()})
        fresh, count = name, 0
        while fresh in fixed:
            count += 1
            fresh = f"{name}_{count}"
            if fresh in names - fixed:
                fresh = name
        fixed.add(fresh)
        present[name] = _symbol(fresh)
        lines.append(Line(present[name], name, value))
    return lines, {name: present[name] for name in (*(s.name for s in neuron.states), MESSAGE)}
