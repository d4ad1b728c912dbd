"""A NIR graph as plain data, from a file or from ``nir`` objects, nested graphs dissolved, its structure checked."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import nir
import numpy as np

from spikelab.io.nir_fields import check_fields
from spikelab.io.nir_hdf5 import Damaged
from spikelab.registry import suggestion

#: Most edges of a graph, also while nested graphs are dissolved.
MAX_EDGES = 1_000_000
_TYPES = ("input_type", "output_type")


@dataclass
class Node:
    """A primitive, its checked fields and what its file notes beside them; a broken one has no fields."""

    kind: str
    fields: dict[str, Any]
    metadata: dict[str, Any]
    broken: bool = False


@dataclass
class Graph:
    """Nodes and edges of one level.

    Attributes:
        nodes: name -> node. A node of a nested graph is called ``<graph>.<node>``.
        edges: (source, target).
        metadata: of the outermost graph.
        joints: the Input and Output nodes of nested graphs, which only pass on what they get.
    """

    nodes: dict[str, Node] = field(default_factory=dict)
    edges: list[tuple[str, str]] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)
    joints: set[str] = field(default_factory=set)

    def named(self, kind: str) -> list[str]:
        """Nodes of a kind that are no joints."""
        return [name for name, node in self.nodes.items() if node.kind == kind and name not in self.joints]

    def targets(self) -> dict[str, list[str]]:
        """Node -> nodes that its output goes to."""
        found: dict[str, list[str]] = {name: [] for name in self.nodes}
        for a, b in self.edges:
            found[a].append(b)
        return found


def tree_of(graph: nir.NIRGraph) -> dict[str, Any]:
    """A graph of ``nir`` objects in the form in which a file holds it."""
    return {
        "type": "NIRGraph",
        "nodes": {str(name): _tree_of_node(node) for name, node in graph.nodes.items()},
        "edges": [tuple(edge) for edge in graph.edges],
        "metadata": graph.metadata,
    }


def _tree_of_node(node: Any) -> dict[str, Any]:
    if isinstance(node, nir.NIRGraph):
        return tree_of(node)
    kind = type(node).__name__
    if not isinstance(node, nir.NIRNode):
        return {"type": kind}
    names = [entry.name for entry in dataclasses.fields(node) if entry.name not in (*_TYPES, "metadata")]
    values = {name: getattr(node, name, None) for name in names}
    if kind in ("Input", "Output", "Flatten"):
        own = "output_type" if kind == "Output" else "input_type"
        types = getattr(node, own, None) or {}
        values["input_type" if kind == "Flatten" else "shape"] = next(iter(types.values()), None)
    return {"type": kind, "metadata": node.metadata, **values}


def flat_graph(tree: Any) -> tuple[Graph, list[str]]:
    """The graph that a tree holds, and everything that is wrong with its nodes and edges, each with the node's name."""
    graph = Graph()
    problems: list[str] = []
    if not isinstance(tree, Mapping):
        return graph, [f"node: {tree.why}" if isinstance(tree, Damaged) else "holds no group 'node', so no NIR graph"]
    kind = tree.get("type")
    if not isinstance(kind, str) or kind != "NIRGraph":
        told = f"is a single {kind}" if isinstance(kind, str) else _no_type(tree, kind)
        return graph, [f"the outermost node {told}; write a NIRGraph (nir.NIRGraph.from_list)"]
    _gather(tree, "", graph, problems)
    graph.metadata = _metadata(tree.get("metadata"), "", problems)
    twice = [edge for edge, times in Counter(graph.edges).items() if times > 1]
    for a, b in twice:
        problems.append(
            f"{b}: the edge from {a!r} is given more than once; write it once, with as many times the weights"
        )
    return graph, problems


def _gather(tree: Mapping[str, Any], prefix: str, graph: Graph, problems: list[str]) -> None:
    """Adds a graph's nodes and edges, those of nested graphs too, under dotted names."""
    members = tree.get("nodes")
    if not isinstance(members, Mapping):
        why = members.why if isinstance(members, Damaged) else "missing, or not a group"
        problems.append(f"{prefix}nodes: {why}")
        return
    # a nested graph is entered through its Input node and left through its Output node
    entries, exits = {name: prefix + name for name in members}, {name: prefix + name for name in members}
    for name, member in members.items():
        place = prefix + name
        kind = member.get("type") if isinstance(member, Mapping) else None
        if not isinstance(kind, str):
            problems.append(f"{place}: {_no_type(member, kind)}")
        elif kind != "NIRGraph":
            _add_node(member, kind, place, graph, problems)
            if prefix and kind in ("Input", "Output"):
                graph.joints.add(place)
        else:
            _gather(member, f"{place}.", graph, problems)
            entries[name], exits[name] = (_end(member, end, place, problems) for end in ("Input", "Output"))
    known = list(members)
    for a, b in _edges(tree.get("edges"), prefix, problems):
        unknown = [name for name in (a, b) if name not in entries]
        if unknown:
            problems.append(f"{prefix}edges: ({a!r}, {b!r}) names {unknown[0]!r}; {suggestion(unknown[0], known[:20])}")
        elif exits[a] in graph.nodes and entries[b] in graph.nodes:
            graph.edges.append((exits[a], entries[b]))


def _no_type(member: Any, kind: Any) -> str:
    if not isinstance(member, Mapping):
        return member.why if isinstance(member, Damaged) else "is not a group, so no node"
    return f"type {kind.why}" if isinstance(kind, Damaged) else "type: missing, or not a text"


def _add_node(member: Mapping[str, Any], kind: str, place: str, graph: Graph, problems: list[str]) -> None:
    ignored = {"type", "metadata", *(_TYPES if kind != "Flatten" else ("output_type",))}
    fields, wrong = check_fields(kind, {name: value for name, value in member.items() if name not in ignored})
    problems += [f"{place}: {problem}" for problem in wrong]
    if place in graph.nodes:
        problems.append(f"{place}: two nodes get this name when nested graphs are dissolved; rename one")
    metadata = _metadata(member.get("metadata"), place, problems)
    graph.nodes[place] = Node(kind, {} if wrong else fields, metadata, bool(wrong))


def _end(member: Mapping[str, Any], kind: str, place: str, problems: list[str]) -> str:
    inner = member.get("nodes")
    inner = inner if isinstance(inner, Mapping) else {}
    kinds = {name: node.get("type") for name, node in inner.items() if isinstance(node, Mapping)}
    names = [name for name, found in kinds.items() if isinstance(found, str) and found == kind]
    if len(names) != 1:
        problems.append(
            f"{place}: a nested graph must have one {kind} node, this has {len(names)}; edges name no others"
        )
        return ""
    return f"{place}.{names[0]}"


def _edges(value: Any, prefix: str, problems: list[str]) -> Iterator[tuple[str, str]]:
    if isinstance(value, Damaged) or value is None:
        problems.append(f"{prefix}edges: {'missing' if value is None else value.why}")
        return
    if isinstance(value, np.ndarray) and value.size == 0:
        return
    if not isinstance(value, Iterable) or isinstance(value, str | bytes | Mapping | np.ndarray):
        problems.append(f"{prefix}edges: must be a table of names, one pair (source, target) a row")
        return
    for edge in value:
        pair = tuple(edge) if isinstance(edge, list | tuple) else ()
        if len(pair) != 2 or not all(isinstance(name, str) for name in pair):
            problems.append(f"{prefix}edges: {str(edge)[:60]} is not a pair of names (source, target)")
            return
        yield pair[0], pair[1]


def _metadata(value: Any, place: str, problems: list[str]) -> dict[str, Any]:
    if value is None or (not isinstance(value, Mapping | Damaged) and value is dict):
        return {}
    if not isinstance(value, Mapping):
        problems.append(
            f"{place}{': ' if place else ''}metadata {value.why if isinstance(value, Damaged) else 'is no group'}"
        )
        return {}
    return {str(name): entry for name, entry in value.items()}


def without_joints(graph: Graph) -> tuple[Graph, list[str]]:
    """The graph with the ends of nested graphs left out: who sent to one sends to all that it passes on to."""
    problems: list[str] = []
    after: dict[str, list[str]] = {name: [] for name in graph.nodes}
    before: dict[str, list[str]] = {name: [] for name in graph.nodes}
    for a, b in graph.edges:
        after[a].append(b)
        before[b].append(a)
    edges = len(graph.edges)
    for joint in sorted(graph.joints):
        if joint in after[joint]:
            return graph, [f"{joint}: a loop without any neuron, delay or weights; remove it"]
        edges += len(before[joint]) * len(after[joint])
        if edges > MAX_EDGES:
            return graph, [f"{joint}: dissolving nested graphs makes more than {MAX_EDGES} edges"]
        for a in before[joint]:
            after[a] = [b for b in after[a] if b != joint] + after[joint]
        for b in after[joint]:
            before[b] = [a for a in before[b] if a != joint] + before[joint]
        after[joint], before[joint] = [], []
    nodes = {name: node for name, node in graph.nodes.items() if name not in graph.joints}
    joined = [(a, b) for a, targets in after.items() for b in targets]
    for (a, b), times in Counter(joined).items():
        if times > 1:
            problems.append(f"{b}: what {a!r} sends arrives {times} times, through nested graphs; let it arrive once")
    return Graph(nodes, joined, graph.metadata), problems
