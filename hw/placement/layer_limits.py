"""Limits on layers: sizes of maps and kernels, strides, padding, pooling, what a core keeps of weights and biases."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from spikelab.hw.connections import Connection, Convolution, Dense, OneToOne
from spikelab.hw.ir import IntegerGraph
from spikelab.hw.placement.bit_limits import arrow, broken
from spikelab.hw.placement.costs_speck import kernel_of
from spikelab.hw.placement.pieces import stated
from spikelab.hw.placement.violation import Violation
from spikelab.hw.target import Number, Target


def _side(shape: tuple[int, ...]) -> int:
    return max(shape[1:], default=1)


def _by(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))


def input_side(graph: IntegerGraph, target: Target, number: Number) -> Iterator[Violation]:
    """Largest height or width of what a layer reads."""
    for c in graph.connections:
        shape = graph.shape_of(c.source)
        if _side(shape) > number.most:
            factor = next(2**k for k in range(1, 16) if _side(shape) <= number.most * 2**k)
            message = f"reads a map of {_by(shape)}, the chip takes at most {number.most}x{number.most}"
            remedy = f"sum the source over windows of {factor}x{factor} first, or crop it"
            yield broken(target, "input_side", number, arrow(c), message, _side(shape), remedy)


def output_side(graph: IntegerGraph, target: Target, number: Number) -> Iterator[Violation]:
    """Largest height or width of a layer's neurons."""
    for p in graph.populations:
        if _side(p.shape) > number.most:
            strides = [c.weights.stride for c in graph.into(p.name) if isinstance(c.weights, Convolution)]
            factor = next(2**k for k in range(1, 16) if _side(p.shape) <= number.most * 2**k)
            remedy = f"a stride of {max(max(s) for s in strides) * factor}" if strides else "fewer neurons"
            message = f"has a map of {_by(p.shape[1:])}, the chip makes at most {number.most}x{number.most}"
            yield broken(target, "output_side", number, p.name, message, _side(p.shape), remedy)


def features(graph: IntegerGraph, target: Target, number: Number) -> Iterator[Violation]:
    """Most channels of a layer, or of what it reads."""
    shapes = {name: given.shape for name, given in graph.inputs.items()}
    shapes |= {p.name: p.shape for p in graph.populations}
    for name, shape in shapes.items():
        if shape and shape[0] > number.most:
            message = f"has {shape[0]} channels, the chip counts at most {number.most}"
            remedy = f"at most {number.most} channels; a flat layer counts each neuron as one"
            yield broken(target, "features", number, name, message, shape[0], remedy)


def _kernels(graph: IntegerGraph) -> Iterator[tuple[Connection, int, int]]:
    for c in graph.connections:
        _, height, width = kernel_of(c, graph.shape_of(c.source))
        yield c, height, width


def kernel_side(graph: IntegerGraph, target: Target, number: Number) -> Iterator[Violation]:
    """Largest height or width of a kernel; a dense connection's is the map that it reads."""
    for c, height, width in _kernels(graph):
        if max(height, width) > number.most:
            dense = isinstance(c.weights, Dense)
            what = "reads a whole map, which makes a kernel" if dense else "has a kernel"
            remedy = "sum the map over windows first, or a stride before it" if dense else "a smaller kernel"
            message = f"{what} of {height}x{width}, the chip has at most {number.most}x{number.most}"
            yield broken(target, "kernel_side", number, arrow(c), message, max(height, width), remedy)


def square_kernels(graph: IntegerGraph, target: Target, number: Number) -> Iterator[Violation]:
    """Kernels must be as high as wide."""
    for c, height, width in _kernels(graph):
        if number.most and height != width:
            side = max(height, width)
            message = f"has a kernel of {height}x{width}, the chip has square ones only"
            remedy = f"fill the kernel up with zeros to {side}x{side}, and pad accordingly"
            yield broken(target, "square_kernels", number, arrow(c), message, f"{height}x{width}", remedy)


def _convolutions(graph: IntegerGraph) -> Iterator[tuple[Connection, Convolution]]:
    for c in graph.connections:
        if isinstance(c.weights, Convolution):
            yield c, c.weights


def strides(graph: IntegerGraph, target: Target, number: Number) -> Iterator[Violation]:
    """Strides that there are."""
    for c, weights in _convolutions(graph):
        for stride in sorted({*weights.stride} - {*number.allowed}):
            known = ", ".join(map(str, number.allowed))
            nearest = min(number.allowed, key=lambda known: (abs(known - stride), known))
            message = f"has a stride of {stride}, the chip has {known}"
            yield broken(target, "strides", number, arrow(c), message, stride, f"a stride of {nearest}")


def padding(graph: IntegerGraph, target: Target, number: Number) -> Iterator[Violation]:
    """Most rows or columns of zeros on each side."""
    for c, weights in _convolutions(graph):
        if max(weights.padding) > number.most:
            message = f"pads by {max(weights.padding)}, the chip by at most {number.most}"
            yield broken(target, "padding", number, arrow(c), message, max(weights.padding), "a smaller kernel")


def dilation(graph: IntegerGraph, target: Target, number: Number) -> Iterator[Violation]:
    """Dilations that there are."""
    for c, weights in _convolutions(graph):
        for value in sorted({*weights.dilation} - {*number.allowed}):
            height, width = (
                step * (n - 1) + 1 for step, n in zip(weights.dilation, weights.weight.shape[2:], strict=True)
            )
            message = f"has a dilation of {value}, the chip has {', '.join(map(str, number.allowed))}"
            remedy = f"write it as a kernel of {height}x{width} with zeros in between"
            yield broken(target, "dilation", number, arrow(c), message, value, remedy)


def groups(graph: IntegerGraph, target: Target, number: Number) -> Iterator[Violation]:
    """Groups that there are."""
    for c, weights in _convolutions(graph):
        if weights.groups not in number.allowed:
            message = f"has {weights.groups} groups, the chip has {', '.join(map(str, number.allowed))}"
            remedy = "write it as an ordinary convolution with zeros between the groups"
            yield broken(target, "groups", number, arrow(c), message, weights.groups, remedy)


def pools(graph: IntegerGraph, target: Target, number: Number) -> Iterator[Violation]:
    """Sums over windows that there are before the weights."""
    for c in graph.connections:
        for size in sorted({*c.pool} - {*number.allowed}):
            known = ", ".join(map(str, number.allowed))
            remedy = "write the pooling as a larger kernel with a stride, as the profile does"
            if number.most > 1:
                remedy = f"windows of {' or '.join(map(str, number.allowed))}, or a convolution with a stride"
            message = f"sums over windows of {c.pool[0]}x{c.pool[1]}, the chip over {known}"
            yield broken(target, "pools", number, arrow(c), message, size, remedy)


def channel_weights(graph: IntegerGraph, target: Target, number: Number) -> Iterator[Violation]:
    """A core that convolves cannot keep a weight for each neuron of a map."""
    for c in graph.connections:
        shape = graph.shape_of(c.target)
        if not (number.most and isinstance(c.weights, OneToOne) and len(shape) == 3):
            continue
        rows = np.broadcast_to(c.weights.weight.reshape(-1), (int(np.prod(shape)),)).reshape(shape[0], -1)
        if (rows != rows[:, :1]).any():
            message = "has a weight for each neuron of a map, the chip one for each channel"
            yield broken(target, "channel_weights", number, arrow(c), message, rows.size, "one weight for each channel")


def channel_biases(graph: IntegerGraph, target: Target, number: Number) -> Iterator[Violation]:
    """Nor a bias for each neuron of a map."""
    for p in graph.populations:
        if not (number.most and len(p.shape) == 3 and "bias" in [declared.name for declared in p.neuron.parameters]):
            continue
        rows = np.broadcast_to(stated(p, "bias"), p.shape).reshape(p.shape[0], -1)
        if (rows != rows[:, :1]).any():
            message = "has a bias for each neuron of a map, the chip one for each channel"
            yield broken(target, "channel_biases", number, p.name, message, rows.size, "one bias for each channel")


def one_kernel(graph: IntegerGraph, target: Target, number: Number) -> Iterator[Violation]:
    """A core has one kernel shape: whatever it reads is convolved alike."""
    for p in graph.populations:
        into, shapes = graph.into(p.name), set()
        for c in into:
            w = c.weights
            shape = kernel_of(c, graph.shape_of(c.source))[1:]
            shapes.add((shape, w.stride, w.padding) if isinstance(w, Convolution) else (shape, (1, 1), (0, 0)))
        if len(shapes) > number.most:
            kinds = "; ".join(
                f"{k[0]}x{k[1]}, stride {s[0]}x{s[1]}, padding {d[0]}x{d[1]}" for k, s, d in sorted(shapes)
            )
            message = f"hears {len(into)} connections of {len(shapes)} kinds ({kinds}), a core has {number.most}"
            remedy = "give them one kernel size, stride and padding, or join them before"
            yield broken(target, "one_kernel", number, p.name, message, len(shapes), remedy)
