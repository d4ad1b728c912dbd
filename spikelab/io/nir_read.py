"""Reads a NIR graph into a network."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import nir
import numpy as np
from torch import nn

from spikelab.io.nir_checked import Checked, checked_graph, node_order
from spikelab.io.nir_checked import NirWarning as NirWarning
from spikelab.io.nir_fields import NEURONS
from spikelab.io.nir_file import MAX_BYTES, read_tree
from spikelab.io.nir_file import CannotImport as CannotImport
from spikelab.io.nir_graph import Graph, tree_of
from spikelab.io.nir_modules import make_module
from spikelab.io.nir_reading import Reading, notes_of
from spikelab.io.nir_shapes import wanted
from spikelab.nn import Network
from spikelab.nn.network import INPUT, OUTPUT


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
    checked = _checked(source, max_bytes, trusted)
    graph, shapes, problems = checked.graph, checked.shapes, checked.problems
    noted = notes_of(graph.metadata, problems)
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
        order = node_order(graph, noted.order, problems)
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
    checked = _checked(source, max_bytes, trusted)
    if checked.problems:
        raise CannotImport(f"{source} is no sound NIR graph:\n  " + "\n  ".join(checked.problems))
    nodes = {name: _nir_node(name, checked) for name in checked.graph.nodes}
    return nir.NIRGraph(nodes, checked.graph.edges, metadata=checked.graph.metadata, type_check=False)


def _checked(source: str | Path | nir.NIRGraph, max_bytes: int, trusted: bool) -> Checked:
    if isinstance(source, nir.NIRGraph):
        return checked_graph(tree_of(source))
    if isinstance(source, str | Path):
        return checked_graph(read_tree(source, max_bytes, trusted).get("node"))
    raise TypeError(f"from_nir: got a {type(source).__name__}; give a path or a nir.NIRGraph")


def _output(graph: Graph, asked: str | None, problems: list[str]) -> str:
    outputs = graph.named("Output")
    if asked is not None and asked not in outputs:
        problems.append(f"no Output node is called {asked!r}; there are {', '.join(outputs) or 'none'}")
    if asked is None and len(outputs) > 1 and OUTPUT not in outputs:
        problems.append(f"several Output nodes, {', '.join(outputs)}: say which is meant, as in output={outputs[0]!r}")
    if asked is not None:
        return asked
    return OUTPUT if OUTPUT in outputs else next(iter(outputs), OUTPUT)


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


def _nir_node(name: str, checked: Checked) -> nir.NIRNode:
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
