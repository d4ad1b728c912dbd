"""Which shape each node of a NIR graph gets and gives, without time and batch, and where shapes do not fit."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from spikelab.io.nir_fields import MAX_ELEMENTS, NEURONS
from spikelab.io.nir_graph import Graph, Node

Shape = tuple[int, ...]
#: The field whose shape is the shape of what passes through.
_ELEMENTWISE = {"Scale": "scale", "Delay": "delay", "Threshold": "threshold"}


@dataclass
class Shapes:
    """What flows through a graph.

    Attributes:
        arriving: node -> shape of its input.
        leaving: node -> shape of its output.
        flattened: Flatten node -> first and last dimension to join, of the shape that arrives.
        problems: each with the node's name.
        tolerated: what was taken in another way than it stands there, each with the node's name.
        unreached: nodes that nothing arrives at.
    """

    arriving: dict[str, Shape] = field(default_factory=dict)
    leaving: dict[str, Shape] = field(default_factory=dict)
    flattened: dict[str, tuple[int, int]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    tolerated: list[str] = field(default_factory=list)
    unreached: list[str] = field(default_factory=list)


class _Misfit(ValueError):
    """What arrives does not fit the node."""


def infer_shapes(graph: Graph) -> Shapes:
    """Follows every edge from the input on."""
    shapes, targets = Shapes(), graph.targets()
    waiting = deque(name for name in graph.named("Input") if not graph.nodes[name].broken)
    for name in waiting:
        shapes.arriving[name] = graph.nodes[name].fields["shape"]
    while waiting:
        name = waiting.popleft()
        leaving = _pass(name, graph, targets[name], shapes)
        if leaving is None or name in shapes.leaving:
            continue
        shapes.leaving[name] = leaving
        for target in targets[name]:
            if target not in shapes.arriving:
                shapes.arriving[target] = leaving
                waiting.append(target)
    _check_edges(graph, shapes)
    shapes.unreached = [name for name in graph.nodes if name not in shapes.arriving]
    return shapes


def _check_edges(graph: Graph, shapes: Shapes) -> None:
    for a, b in graph.edges:
        sent, expected = shapes.leaving.get(a), shapes.arriving.get(b)
        if sent is not None and expected is not None and sent != expected:
            shapes.problems.append(f"{b}: {list(sent)} arrives from {a!r}, but {list(expected)} from its other sources")


def wanted(node: Node) -> Shape | None:
    """The shape that a node needs to get, as far as its own fields tell."""
    if node.broken:
        return None
    if node.kind in ("Input", "Output"):
        return node.fields["shape"]
    if node.kind in ("Affine", "Linear"):
        return (node.fields["weight"].shape[1],)
    if node.kind in NEURONS:
        shapes = [value.shape for value in node.fields.values() if value is not None and value.ndim > 0]
        return shapes[0] if shapes else None
    if node.kind in _ELEMENTWISE:
        return node.fields[_ELEMENTWISE[node.kind]].shape or None
    return None


def _pass(name: str, graph: Graph, targets: list[str], shapes: Shapes) -> Shape | None:
    node, arriving = graph.nodes[name], shapes.arriving[name]
    if node.broken:
        return None
    try:
        match node.kind:
            case "Input" | "Output":
                return _marker(name, node, arriving, [wanted(graph.nodes[target]) for target in targets], shapes)
            case "Affine" | "Linear":
                _require(arriving, wanted(node), "weight")
                return (node.fields["weight"].shape[0],)
            case "Conv1d" | "Conv2d":
                return _convolved(node, arriving)
            case "SumPool2d" | "AvgPool2d":
                return _pooled(node, arriving)
            case "Flatten":
                return _flattened(name, node, arriving, [wanted(graph.nodes[target]) for target in targets], shapes)
        shape = wanted(node)
        if shape is not None:
            _require(arriving, shape, "its parameters")
        return arriving
    except _Misfit as misfit:
        shapes.problems.append(f"{name}: {misfit}")
        return None


def _require(arriving: Shape, expected: Shape | None, what: str) -> None:
    if expected is not None and arriving != expected:
        flat = math.prod(arriving) == math.prod(expected) and len(expected) == 1
        remedy = "; put a Flatten before it" if flat else ""
        raise _Misfit(f"{list(arriving)} arrives, but {list(expected)} is needed ({what}){remedy}")


def _same_but_ones(a: Shape, b: Shape) -> bool:
    return [size for size in a if size != 1] == [size for size in b if size != 1]


def _marker(name: str, node: Node, arriving: Shape, wishes: list[Shape | None], shapes: Shapes) -> Shape:
    """Input and Output compute nothing: their shape is a note, in which axes of length 1 do not matter."""
    declared = node.fields["shape"]
    if declared != arriving:
        if not _same_but_ones(declared, arriving):
            raise _Misfit(f"{list(arriving)} arrives, but shape says {list(declared)}")
        shapes.tolerated.append(f"{name}: shape = {list(declared)} is taken for {list(arriving)}, which arrives")
    others = {wish for wish in wishes if wish is not None and wish != arriving}
    wish = others.pop() if len(others) == 1 else arriving
    if wish != arriving and node.kind == "Input" and _same_but_ones(wish, arriving) and None not in wishes:
        shapes.tolerated.append(
            f"{name}: shape = {list(arriving)} is taken for {list(wish)}, which the next node needs"
        )
        return wish
    return arriving


def _window(sizes: Shape, kernel: Shape, stride: Shape, padding: Any, dilation: Shape) -> Shape:
    if padding == "same":
        return sizes
    pads = (0,) * len(sizes) if padding == "valid" else padding
    along = zip(sizes, kernel, stride, pads, dilation, strict=True)
    result = tuple((size + 2 * pad - step * (width - 1) - 1) // move + 1 for size, width, move, pad, step in along)
    if min(result) < 1:
        raise _Misfit(f"{list(sizes)} pixels arrive, which is less than its window; make the input or padding larger")
    return result


def _bounded(shape: Shape) -> Shape:
    if math.prod(shape) > MAX_ELEMENTS:
        raise _Misfit(f"it would give out {list(shape)}, more than {MAX_ELEMENTS} values")
    return shape


def _convolved(node: Node, arriving: Shape) -> Shape:
    fields, weight = node.fields, node.fields["weight"]
    channels = weight.shape[1] * fields["groups"]
    if len(arriving) != weight.ndim - 1 or arriving[0] != channels:
        layout = f"[{channels}, " + ("height, width]" if weight.ndim == 4 else "length]")
        raise _Misfit(f"{list(arriving)} arrives, but weight with groups = {fields['groups']} needs {layout}")
    if fields["input_shape"] is not None and fields["input_shape"] != arriving[1:]:
        raise _Misfit(f"{list(arriving)} arrives, but input_shape says {list(fields['input_shape'])}")
    places = _window(arriving[1:], weight.shape[2:], fields["stride"], fields["padding"], fields["dilation"])
    return _bounded((weight.shape[0], *places))


def _pooled(node: Node, arriving: Shape) -> Shape:
    if len(arriving) != 3:
        raise _Misfit(f"{list(arriving)} arrives, but pooling needs [channels, height, width]")
    fields = node.fields
    window = _window(arriving[1:], fields["kernel_size"], fields["stride"], fields["padding"], (1, 1))
    return _bounded((arriving[0], *window))


def _flattened(name: str, node: Node, arriving: Shape, wishes: list[Shape | None], shapes: Shapes) -> Shape:
    """Joins dimensions; start_dim and end_dim count none for the batch, unless only that makes sense.

    NIR has no batch axis, yet its default is start_dim = 1, which is right only if there were one; a writer that
    left it so may mean either. What the following nodes need decides.
    """
    declared = node.fields["input_type"]
    if declared is not None and declared != arriving:
        raise _Misfit(f"{list(arriving)} arrives, but input_type says {list(declared)}")
    first, last = node.fields["start_dim"], node.fields["end_dim"]
    literal = _joined(arriving, first, last)
    counted = _joined(arriving, first - 1 if first > 0 else first, last - 1 if last > 0 else last)
    choices = [choice for choice in (literal, counted) if choice is not None]
    if not choices:
        raise _Misfit(f"start_dim = {first}, end_dim = {last} are no dimensions of {list(arriving)}, which arrives")
    fitting = [choice for choice in choices if all(wish in (None, choice[2]) for wish in wishes)]
    start, end, shape = (fitting or choices)[0]
    if (start, end, shape) != literal:
        shapes.tolerated.append(
            f"{name}: start_dim = {first} is taken to count a batch axis, so {list(shape)} comes out"
        )
    shapes.flattened[name] = (start, end)
    return shape


def _joined(arriving: Shape, first: int, last: int) -> tuple[int, int, Shape] | None:
    count = len(arriving)
    start, end = (place + count if place < 0 else place for place in (first, last))
    if not 0 <= start <= end < count:
        return None
    return start, end, (*arriving[:start], math.prod(arriving[start : end + 1]), *arriving[end + 1 :])
