"""Decides how a graph becomes C, or says why it cannot."""

from __future__ import annotations

import math
from collections.abc import Mapping

from spikelab.hw.backends.c99.integer_types import fits, identifiers, signed_type
from spikelab.hw.backends.c99.layout import Link, Plan, PopulationPlan, Source
from spikelab.hw.backends.c99.sums import make_links, make_sums
from spikelab.hw.connections import Convolution
from spikelab.hw.intervals import Range, RangeError
from spikelab.hw.ir import IntegerGraph, Output, Population
from spikelab.hw.neuron import MESSAGE
from spikelab.hw.ranges import NeuronRanges, declared_messages, delivered_range, message_ranges, port_bounds, sum_range

#: Given to a state that nothing bounds; kept to by a check in every step.
ASSUMED: Range = (-(2**31) + 1, 2**31 - 1)
#: Members of a population in C that are no states.
_RESERVED = frozenset({"index", "value", "count", "at", "now", "awake", "still", "coming"})


class C99Error(ValueError):
    """A graph that cannot be written as C; says everything that stands against it."""


def make_plan(graph: IntegerGraph, name: str = "net") -> Plan:
    """Decides how a graph becomes C.

    Raises:
        C99Error: if a value could leave 64 bits, or an equation is used outside of its definition; names all such.
    """
    if not name.isidentifier() or not name.isascii() or identifiers([name])[name] != name:
        raise C99Error(f"name = {name!r} cannot begin names in C; use letters, digits and _, such as 'net'")
    messages = _messages(graph)
    problems = _too_large(graph, messages)
    if problems:
        raise C99Error("\n".join(problems))
    called = identifiers([*graph.inputs, *(p.name for p in graph.populations)])
    plan = Plan(graph, name)
    plan.inputs = {n: Source(called[n], i.shape, messages[n]) for n, i in graph.inputs.items()}
    sources = {
        **plan.inputs,
        **{p.name: Source(called[p.name], p.shape, messages[p.name]) for p in graph.populations},
    }
    for population in graph.populations:
        try:
            plan.populations[population.name] = _population(graph, population, sources, messages, plan.links)
        except RangeError as error:
            problems.append(f"population {population.name!r}: {error}")
    if problems:
        raise C99Error("\n".join(problems))
    outputs = graph.outputs or _ends(graph)
    names = identifiers([output.name for output in outputs])
    plan.outputs = {names[output.name]: output for output in outputs}
    return plan


def _messages(graph: IntegerGraph) -> dict[str, Range]:
    try:
        return message_ranges(graph)
    except RangeError as error:
        raise C99Error(str(error)) from error


def _ends(graph: IntegerGraph) -> list[Output]:
    """Where nothing was said: what no one hears is given out."""
    heard = {c.source for c in graph.connections if c.source != c.target}
    names = [p.name for p in graph.populations if p.name not in heard] or [p.name for p in graph.populations[-1:]]
    return [Output(name, name) for name in names]


def _too_large(graph: IntegerGraph, messages: Mapping[str, Range]) -> list[str]:
    problems = []
    for c in graph.connections:
        where = f"connection {c.source!r} -> {c.target!r}"
        sums = sum_range(c, messages[c.source])
        for what, r in (("sums", sums), ("sums after the exponent", delivered_range(c, sums))):
            if not fits(r, 64):
                problems.append(f"{where}: {what} from {r[0]} to {r[1]} leave 64 bits; scale the weights down")
                break
    for p in graph.populations:
        for port, r in port_bounds(graph, p.name, messages).items():
            if not problems and not fits(r, 64):
                problems.append(f"population {p.name!r}: {port} from {r[0]} to {r[1]} leaves 64 bits")
    return problems


def _population(
    graph: IntegerGraph,
    population: Population,
    sources: Mapping[str, Source],
    messages: Mapping[str, Range],
    links: list[Link],
) -> PopulationPlan:
    bounds = port_bounds(graph, population.name, messages)
    ranges = NeuronRanges(population.neuron, population.parameters, bounds, ASSUMED)
    incoming = [
        c for c in graph.into(population.name) if delivered_range(c, sum_range(c, messages[c.source])) != (0, 0)
    ]
    sums = make_sums(incoming, messages)
    made, slots = make_links(incoming, population.size, sums, sources, len(links))
    links += made
    low, high = declared_messages(population.neuron)
    sends_more = not low <= ranges.message[0] <= ranges.message[1] <= high
    shared = {line.symbol.name for line in ranges.shared_lines()}
    convolved = [c.weights for c in incoming if isinstance(c.weights, Convolution)]
    by_place = any(w.groups == 1 for w in convolved)
    taken = _RESERVED | {s.name for s in sums} | {f"last_{name}" for name in shared}
    return PopulationPlan(
        population=population,
        source=sources[population.name],
        ranges=ranges,
        states={n: signed_type(r) for n, r in ranges.states.items()},
        fields=identifiers([s.name for s in population.neuron.states], taken),
        sums=sums,
        slots=slots,
        places=math.prod(population.shape[1:]) if by_place else population.size,
        sleeps=ranges.steps_alike() and not ranges.idle,
        checked=(*sorted(ranges.unbounded), *([MESSAGE] if sends_more else [])),
    )
