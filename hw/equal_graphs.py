"""Whether two integer graphs are the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any

import numpy as np

from spikelab.hw.connections import Connection
from spikelab.hw.ir import IntegerGraph, Population
from spikelab.hw.neuron import IntegerNeuron


def equal_graphs(first: IntegerGraph, second: IntegerGraph) -> list[str]:
    """Everything in which two graphs differ; empty if they compute the same and mean the same.

    Values count, not how they are stored: a bias of 0 for each neuron equals one that was left out.
    """
    found = [*_values("dt", first.dt, second.dt)]
    found += _named("input", dict(first.inputs), dict(second.inputs))
    found += _named("output", {o.name: o for o in first.outputs}, {o.name: o for o in second.outputs})
    mine, other = ({p.name: p for p in graph.populations} for graph in (first, second))
    found += _values("order of populations", [*mine], [*other])
    for name in mine.keys() & other.keys():
        found += _populations(f"population {name!r}", mine[name], other[name])
    found += _values("number of connections", len(first.connections), len(second.connections))
    for place, (a, b) in enumerate(zip(first.connections, second.connections, strict=False)):
        found += _connections(f"connection {place} ({a.source!r} -> {a.target!r})", a, b)
    return found


def neuron_differences(first: IntegerNeuron, second: IntegerNeuron) -> list[str]:
    """In which line, state or parameter two neurons compute differently; words do not count."""
    found = []
    for place in range(max(len(first.lines), len(second.lines))):
        lines = [" = ".join(n.lines[place]) if place < len(n.lines) else "no line" for n in (first, second)]
        found += _values(f"line {place + 1}", *lines)
    for kind in ("states", "parameters"):
        a, b = (
            {part.name: [getattr(part, f.name) for f in fields(part) if f.name != "meaning"] for part in parts}
            for parts in (getattr(first, kind), getattr(second, kind))
        )
        found += _values(f"{kind} in order", [*a], [*b])
        for name in a.keys() & b.keys():
            found += _values(f"{kind[:-1]} {name!r}", a[name], b[name])
    for field in ("inputs", "message_bits", "input_bits"):
        found += _values(field, getattr(first, field), getattr(second, field))
    return found


def _values(what: str, a: Any, b: Any) -> list[str]:
    return [] if a == b else [f"{what}: {a} and {b}"]


def _arrays(what: str, a: Any, b: Any) -> Iterator[str]:
    if (a is None) != (b is None):
        yield f"{what}: {'none' if a is None else 'some'} and {'none' if b is None else 'some'}"
    elif a is not None and np.shape(a) != np.shape(b):
        yield f"{what}: shapes {list(np.shape(a))} and {list(np.shape(b))}"
    elif a is not None and not np.array_equal(a, b):
        one, two = np.asarray(a), np.asarray(b)
        places = np.argwhere(one != two)
        at = tuple(places[0].tolist())
        yield f"{what}: {len(places)} values differ, first at {list(at)}: {one[at]} and {two[at]}"


def _named(what: str, a: Mapping[str, Any], b: Mapping[str, Any]) -> Iterator[str]:
    for name in sorted(a.keys() | b.keys()):
        yield from _values(f"{what} {name!r}", a.get(name, "none"), b.get(name, "none"))


def _populations(where: str, a: Population, b: Population) -> Iterator[str]:
    yield from _values(f"{where}: neuron", a.neuron.name, b.neuron.name)
    yield from (f"{where}: neuron {a.neuron.name!r}: {text}" for text in neuron_differences(a.neuron, b.neuron))
    yield from _values(f"{where}: shape", tuple(a.shape), tuple(b.shape))
    yield from _values(f"{where}: scale", tuple(a.scale), tuple(b.scale))
    if a.shape != b.shape or a.neuron.parameters != b.neuron.parameters:
        return
    for p in a.neuron.parameters:
        one, two = (np.broadcast_to(np.asarray(x.parameters.get(p.name, p.default), np.int64), x.shape) for x in (a, b))
        yield from _arrays(f"{where}: {p.name}", one, two)


def _connections(where: str, a: Connection, b: Connection) -> Iterator[str]:
    for field in fields(Connection):
        if field.name != "weights":
            yield from _values(f"{where}: {field.name}", getattr(a, field.name), getattr(b, field.name))
    if type(a.weights) is not type(b.weights):
        yield f"{where}: {type(a.weights).__name__} and {type(b.weights).__name__}"
        return
    for field in fields(a.weights):
        one, two = getattr(a.weights, field.name), getattr(b.weights, field.name)
        if field.name in ("weight", "delay"):
            yield from _arrays(f"{where}: {field.name}", one, two)
        else:
            yield from _values(f"{where}: {field.name}", one, two)
