"""Reads a NIR graph into a network."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import nir
import numpy as np
from torch import nn

from spikelab.io.nir_fields import NEURONS
from spikelab.io.nir_file import MAX_BYTES, read_tree
from spikelab.io.nir_file import CannotImport as CannotImport
from spikelab.io.nir_graph import Graph, flat_graph, tree_of, without_joints
from spikelab.io.nir_modules import Reading, make_module
from spikelab.io.nir_order import step_order
from spikelab.io.nir_shapes import Shapes, infer_shapes, wanted
from spikelab.nn import Network
from spikelab.nn.network import INPUT, OUTPUT


class NirWarning(UserWarning):
    """Something in a file was taken in another way than it stands there; the message says what and how."""


def from_nir(
    source: str | Path | nir.NIRGraph,
    dt: float | None = None,
    method: str | None = None,
    reset: Literal["value", "subtract"] = "value",
    input_form: Literal["current", "impulse"] | None = None,
    output: str | None = None,
    max_bytes: int = MAX_BYTES,
    trusted: bool = False,
) -> Network:
    """A network from a NIR graph or file.

    NIR says nothing about time steps. A graph that spikelab wrote carries ``dt``, the discretisation and the order of
    steps in its metadata; for any other, ``dt`` must be given, and cycles are cut as ``nir_order`` says.

    Nodes keep their names, with underscores for dots; those of nested graphs become ``<graph>_<node>``. Weights take
    torch's default type; neurons' parameters stay in double precision.

    Args:
        source: a graph, or the path of a ``.nir`` file.
        dt: length of a step in seconds; None takes the graph's own.
        method: discretisation; None takes the graph's own, else each neuron's default.
        reset: of neurons of which the graph says nothing: to v_reset, or by subtracting the threshold, as IF and LIF
            files of Sinabs and some of snnTorch mean it.
        input_form: "current": the input is constant over a step. "impulse": it is its integral over the step, delivered
            at once, so that an IF of r = 1 moves by 1 for a spike; frameworks without time steps mean that. None takes
            the graph's own, else "current".
        output: name of the Output node that becomes the network's output; needed if there are several and none is
            called "output". What the others would give out can still be had from ``Network.run``.
        max_bytes: most bytes of numbers to read from a file.
        trusted: read the file within this process; see ``nir_file.read_tree``.

    Raises:
        CannotImport: names the file, and every node and field that is wrong with what to do.
    """
    where = "graph" if isinstance(source, nir.NIRGraph) else str(source)
    if reset not in ("value", "subtract"):
        raise ValueError(f"from_nir: reset = {reset!r} must be 'value' or 'subtract'")
    if input_form not in (None, "current", "impulse"):
        raise ValueError(f"from_nir: input_form = {input_form!r} must be 'current' or 'impulse'")
    if dt is not None and not 0 < dt < math.inf:
        raise ValueError(f"from_nir: dt = {dt!r} s must be the positive length of a step")
    checked = _checked(source, where, max_bytes, trusted)
    graph, shapes, problems = checked.graph, checked.shapes, checked.problems
    noted = _notes(graph.metadata, problems)
    reading = Reading(dt, method, reset, input_form, noted.neurons, noted.dt)
    modules: dict[str, Any] = {}
    for name, node in graph.nodes.items():
        if node.broken or node.kind in ("Input", "Output"):
            continue
        try:
            modules[name] = make_module(name, node, shapes, reading)
        except ValueError as error:
            problems.append(f"{name}: {error}")
    last = _output(graph, output, problems)
    order = list(modules)
    if not problems:
        order = _order(graph, noted.order, problems)
    if problems:
        raise CannotImport(f"{where} cannot be run:\n  " + "\n  ".join(problems))
    for tolerated in shapes.tolerated:
        warnings.warn(f"{where}: {tolerated}", NirWarning, stacklevel=2)
    return _network(graph, modules, order, last)


def read_nir(source: str | Path, max_bytes: int = MAX_BYTES, trusted: bool = False) -> nir.NIRGraph:
    """A NIR file as ``nir`` objects, checked as ``from_nir`` checks it, with nested graphs dissolved.

    Unlike ``nir.read`` it never crashes, hangs or fills the memory, and its errors name the node and the field. Nodes
    of nested graphs are called ``<graph>.<node>``.

    Args:
        source: path of a ``.nir`` file.
        max_bytes: most bytes of numbers to read.
        trusted: read the file within this process; see ``nir_file.read_tree``.

    Raises:
        CannotImport: names the file, and every node and field that is wrong.
    """
    checked = _checked(source, str(source), max_bytes, trusted)
    if checked.problems:
        raise CannotImport(f"{source} is no sound NIR graph:\n  " + "\n  ".join(checked.problems))
    nodes = {name: _nir_node(name, checked) for name in checked.graph.nodes}
    return nir.NIRGraph(nodes, checked.graph.edges, metadata=checked.graph.metadata, type_check=False)


@dataclass
class _Checked:
    graph: Graph
    shapes: Shapes
    problems: list[str]


def _checked(source: str | Path | nir.NIRGraph, where: str, max_bytes: int, trusted: bool) -> _Checked:
    if isinstance(source, nir.NIRGraph):
        tree: Any = tree_of(source)
    elif isinstance(source, str | Path):
        tree = read_tree(source, max_bytes, trusted).get("node")
    else:
        raise TypeError(f"from_nir: got a {type(source).__name__}; give a path or a nir.NIRGraph")
    graph, problems = flat_graph(tree)
    inputs = graph.named("Input")
    if graph.nodes and not inputs:
        problems.append("the graph has no Input node; give it one, with an edge to where its signal goes")
    if len(inputs) > 1:
        problems.append(f"the graph has {len(inputs)} Input nodes, {', '.join(inputs)}; join them into one signal")
    if graph.nodes and not graph.named("Output"):
        problems.append("the graph has no Output node; give it one, with an edge from what it gives out")
    for a, b in graph.edges:
        if a in graph.named("Output"):
            problems.append(f"{a}: an edge leads from an Output node to {b!r}; let it start at the node before")
        if b in inputs:
            problems.append(f"{b}: an edge leads from {a!r} to an Input node; let it end at the node after")
    shapes = infer_shapes(graph)
    problems += shapes.problems
    if not problems:
        problems += [f"{name}: nothing that starts at the Input node ever arrives here" for name in shapes.unreached]
    joined, wrong = without_joints(graph)
    return _Checked(joined, shapes, problems or wrong)


@dataclass
class _Notes:
    """What spikelab noted when it wrote the graph."""

    neurons: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    order: list[str] | None = None
    dt: float | None = None


def _notes(metadata: Mapping[str, Any], problems: list[str]) -> _Notes:
    text = metadata.get("spikelab")
    if text is None:
        return _Notes()
    try:
        noted = json.loads(text)
        neurons, order, dt = noted["neurons"], noted.get("order"), noted.get("dt")
        sound = isinstance(neurons, dict) and all(map(_is_neuron, neurons.values()))
        if not sound or not (order is None or all(isinstance(name, str) for name in order)):
            raise TypeError("not what spikelab writes")
        return _Notes(neurons, order, None if dt is None else float(dt))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        problems.append(f"metadata 'spikelab' is damaged ({error}); delete it and pass dt")
        return _Notes()


def _is_neuron(entry: Any) -> bool:
    kinds = {"dt": int | float, "method": str, "input_form": str, "reset": str}
    return isinstance(entry, dict) and all(isinstance(entry[name], kinds[name]) for name in set(kinds) & set(entry))


def _output(graph: Graph, asked: str | None, problems: list[str]) -> str:
    outputs = graph.named("Output")
    if asked is not None and asked not in outputs:
        problems.append(f"no Output node is called {asked!r}; there are {', '.join(outputs) or 'none'}")
    if asked is None and len(outputs) > 1 and OUTPUT not in outputs:
        problems.append(f"several Output nodes, {', '.join(outputs)}: say which is meant, as in output={outputs[0]!r}")
    if asked is not None:
        return asked
    return OUTPUT if OUTPUT in outputs else next(iter(outputs), OUTPUT)


def _order(graph: Graph, noted: list[str] | None, problems: list[str]) -> list[str]:
    names = [name for name, node in graph.nodes.items() if node.kind not in ("Input", "Output")]
    if noted is not None and sorted(noted) == sorted(names):
        return noted
    kinds = {name: node.kind for name, node in graph.nodes.items()}
    neurons = {name for name in names if kinds[name] in NEURONS}
    delays = {name for name in names if kinds[name] == "Delay"}
    try:
        return step_order(names, graph.edges, graph.named("Input")[0], (neurons, delays))
    except ValueError as error:
        problems.append(f"the graph cannot be run: {error}")
        return names


def _network(graph: Graph, modules: Mapping[str, Any], order: list[str], last: str) -> Network:
    names = _names(order)
    names |= {graph.named("Input")[0]: INPUT, last: OUTPUT}
    edges = [(names[a], names[b]) for a, b in graph.edges if a in names and b in names]
    return Network({names[name]: modules[name] for name in order}, edges).eval()


def _names(order: list[str]) -> dict[str, str]:
    """Names that torch and a network allow: no dots, not empty, nothing that means something else."""
    taken, names = {INPUT, OUTPUT, *dir(nn.ModuleDict())}, {}
    # a name that can stay as it is goes before one that has to be changed into it
    for name in sorted(order, key=lambda name: ("." in name or not name, name)):
        free = name.replace(".", "_") or "node"
        while free in taken:
            free += "_"
        taken.add(free)
        names[name] = free
    return names


def _nir_node(name: str, checked: _Checked) -> nir.NIRNode:
    node, shapes = checked.graph.nodes[name], checked.shapes
    arriving, leaving = np.array(shapes.arriving[name]), np.array(shapes.leaving[name])
    fields = {key: np.array(value) if isinstance(value, tuple) else value for key, value in node.fields.items()}
    match node.kind:
        case "Input" | "Output":
            made = getattr(nir, node.kind)(arriving)
        case "Flatten":
            made = nir.Flatten({"input": arriving}, *shapes.flattened[name])
        case "Conv1d" | "Conv2d":
            # the types that nir works out are wrong for kernels that are not square and for groups
            options = {key: _plain(value) for key, value in node.fields.items() if key not in ("weight", "bias")}
            places = shapes.arriving[name][1:]
            options["input_shape"] = None
            made = getattr(nir, node.kind)(weight=fields["weight"], bias=fields["bias"], **options)
            made.input_shape = places if node.kind == "Conv2d" else places[0]
        case _:
            if node.kind in NEURONS:
                # nir wants what is one number for all neurons as many times as there are neurons
                fields = {key: value for key, value in fields.items() if value is not None}
                fields = {key: np.broadcast_to(value, wanted(node) or ()).copy() for key, value in fields.items()}
            made = getattr(nir, node.kind)(**fields)
    made.input_type, made.output_type = {"input": arriving}, {"output": leaving}
    made.metadata = node.metadata
    return made


def _plain(value: Any) -> Any:
    return value[0] if isinstance(value, tuple) and len(value) == 1 else value
