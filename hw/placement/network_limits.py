"""Limits on the network as a whole: inputs, fan-in and fan-out, which layers there may be."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from spikelab.hw.connections import Convolution, Dense
from spikelab.hw.ir import IntegerGraph
from spikelab.hw.placement.bit_limits import arrow, broken
from spikelab.hw.placement.pieces import Piece, outputs_of, taps
from spikelab.hw.placement.violation import Violation
from spikelab.hw.target import Number, Target


def inputs(graph: IntegerGraph, target: Target, number: Number) -> Iterator[Violation]:
    """Channels that come from outside, over all inputs."""
    total = sum(int(np.prod(given.shape)) for given in graph.inputs.values())
    if total > number.most:
        message = f"has {total} channels, the chip takes {number.most}"
        remedy = f"at most {number.most} channels, as after summing groups of {-(-total // number.most)}"
        yield broken(target, "inputs", number, ", ".join(graph.inputs), message, total, remedy)


def _counts(graph: IntegerGraph, outputs: set[str]) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Weights that are not zero: into each neuron, and out of each neuron to those that are not given out."""
    shapes = {name: given.shape for name, given in graph.inputs.items()}
    shapes |= {p.name: p.shape for p in graph.populations}
    into = {name: np.zeros(int(np.prod(shape)), np.int64) for name, shape in shapes.items()}
    out = {name: np.zeros(int(np.prod(shape)), np.int64) for name, shape in shapes.items()}
    for c in graph.connections:
        if isinstance(c.weights, Dense):
            nonzero = c.weights.weight != 0
            ends, starts = nonzero.sum(1), nonzero.sum(0)
        elif isinstance(c.weights, Convolution):
            source, target = shapes[c.source], shapes[c.target]
            found = taps(c, source, Piece(c.target, tuple((0, length) for length in target), target))
            rows, columns = found.rows >= 0, found.columns >= 0
            kernel = c.weights.weight != 0
            ends = _at_ends(kernel.sum(1), found.rows, found.columns, target).reshape(-1)
            per_channel = kernel.reshape(c.weights.groups, -1, *kernel.shape[1:]).sum(1).reshape(-1, *kernel.shape[2:])
            starts = np.einsum("chw,rh,kw->crk", per_channel, rows, columns).reshape(-1)
        else:
            ends = starts = np.broadcast_to(c.weights.weight.reshape(-1) != 0, into[c.target].shape).astype(np.int64)
        into[c.target] += ends * (c.pool[0] * c.pool[1])
        if c.target not in outputs and len(starts) == len(out[c.source]):
            out[c.source] += starts
    return into, out


def _at_ends(kernel: np.ndarray, rows: np.ndarray, columns: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Synapses that end in each neuron [C, H, W] of a convolution, from counts of its kernel [C, height, width]."""
    reached = []
    for taps_of, length in ((rows, shape[1]), (columns, shape[2])):
        used = np.zeros((length, taps_of.shape[1]), np.int64)
        for tap in range(taps_of.shape[1]):
            used[taps_of[:, tap][taps_of[:, tap] >= 0], tap] = 1
        reached.append(used)
    found: np.ndarray = np.einsum("chw,rh,kw->crk", kernel, reached[0], reached[1])
    return found


def _most(
    graph: IntegerGraph, target: Target, limit: str, number: Number, counts: dict[str, np.ndarray], verb: str
) -> Iterator[Violation]:
    for name, count in counts.items():
        most = int(count.max(initial=0))
        if most > number.most:
            message = f"a neuron {verb} {most} others, the chip allows {number.most}"
            remedy = f"prune to at most {number.most} weights that are not zero for each neuron, or use fewer neurons"
            yield broken(target, limit, number, name, message, most, remedy)


def fan_in(graph: IntegerGraph, target: Target, number: Number) -> Iterator[Violation]:
    """Synapses into a neuron."""
    return _most(graph, target, "fan_in", number, _counts(graph, set())[0], "hears")


def fan_out(graph: IntegerGraph, target: Target, number: Number) -> Iterator[Violation]:
    """Synapses from a hidden neuron to hidden neurons."""
    counts = _counts(graph, outputs_of(graph))[1]
    hidden = {name: count for name, count in counts.items() if name not in graph.inputs}
    return _most(graph, target, "fan_out", number, hidden, "sends to")


def input_projection(graph: IntegerGraph, target: Target, number: Number) -> Iterator[Violation]:
    """Neurons that hear the input."""
    names = sorted({c.target for c in graph.connections if c.source in graph.inputs})
    total = sum(graph.population(name).size for name in names)
    if total > number.most:
        message = f"{total} neurons hear the input, on the chip {number.most} can"
        remedy = f"a first layer of at most {number.most} neurons"
        yield broken(target, "input_projection", number, ", ".join(names), message, total, remedy)


def output_projection(graph: IntegerGraph, target: Target, number: Number) -> Iterator[Violation]:
    """Neurons that output neurons hear."""
    outputs = outputs_of(graph)
    names = sorted({c.source for c in graph.connections if c.target in outputs and c.source not in graph.inputs})
    total = sum(int(np.prod(graph.shape_of(name))) for name in names)
    if total > number.most:
        message = f"outputs hear {total} neurons, on the chip they can hear {number.most}"
        remedy = f"a last hidden layer of at most {number.most} neurons"
        yield broken(target, "output_projection", number, ", ".join(names), message, total, remedy)


def three_layers(graph: IntegerGraph, target: Target, number: Number) -> Iterator[Violation]:
    """The input reaches hidden neurons, which reach output neurons, which reach nobody."""
    outputs = outputs_of(graph)
    for c in graph.connections if number.most else ():
        if c.source in graph.inputs and c.target in outputs:
            message = "the input reaches an output layer, on the chip only hidden neurons hear it"
            remedy = "put a hidden layer in between"
            yield broken(target, "three_layers", number, arrow(c), message, 1, remedy)
        if c.source in outputs:
            message = "an output layer sends on, on the chip outputs reach nobody"
            remedy = f"give out a layer after {c.source} instead"
            yield broken(target, "three_layers", number, arrow(c), message, 1, remedy)


def later(graph: IntegerGraph, target: Target, number: Number) -> Iterator[Violation]:
    """Checked once it is known into how many pieces populations are cut."""
    return iter(())
