"""A NIR graph whose structure and shapes have been checked, and the order in which its nodes are stepped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from spikelab.io.nir_fields import NEURONS
from spikelab.io.nir_graph import Graph, flat_graph, without_joints
from spikelab.io.nir_order import step_order
from spikelab.io.nir_shapes import Shapes, infer_shapes


class NirWarning(UserWarning):
    """Something in a file was taken in another way than it stands there; the message says what and how."""


@dataclass
class Checked:
    """A graph with nested graphs dissolved.

    Attributes:
        graph: its nodes and edges.
        shapes: what flows through it.
        problems: everything that is wrong with it, each with the node's name.
    """

    graph: Graph
    shapes: Shapes
    problems: list[str]


def checked_graph(tree: Any) -> Checked:
    """The graph that a tree holds (``read_tree``, ``tree_of``), and everything that is wrong with it."""
    graph, problems = flat_graph(tree)
    inputs = graph.named("Input")
    if not graph.nodes and not problems:
        problems.append("the graph has no nodes; give it an Input, an Output and what lies between")
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
    return Checked(joined, shapes, problems or wrong)


def node_order(graph: Graph, noted: list[str] | None, problems: list[str]) -> list[str]:
    """The nodes between the ends in the order of a step: the one that was noted, or that of ``step_order``."""
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
