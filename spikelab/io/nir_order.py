"""In which order the nodes of a NIR graph are stepped, and so which edges of a cycle carry the step before.

A NIR graph has no order: a file lists its nodes by name. Only a cycle needs one, and the convention is that going round
takes one step (NIR documentation, "Graph"). Where in the cycle that step lies decides which neuron hears of which spike
when, so it has to be chosen, and always in the same way:

    A cycle is cut before the neuron that is nearest to the input, counted in edges; of two equally near ones before the
    one whose name sorts first. All edges of the cycle that lead to it carry the step before.

So in ``weights -> hidden -> recurrent weights -> hidden`` the hidden layer gets its own spikes one step later, and in a
cycle of two layers the second hears the first within the step and answers it in the next, as recurrent layers of
snnTorch, Norse and the NIR paper do. A cycle without neurons is cut at a delay, else at any node, by the same rule.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import networkx

#: Most edges that may be looked at while cycles within cycles are cut.
MAX_WORK = 1_000_000


def step_order(
    nodes: Sequence[str], edges: Iterable[tuple[str, str]], start: str, cuts: Sequence[Collection[str]]
) -> list[str]:
    """The nodes in an order in which an edge leads back to an earlier node only where a cycle is cut.

    Args:
        nodes: names.
        edges: (source, target) between them and ``start``; others are left out of account.
        start: the input.
        cuts: kinds of nodes before which a cycle may be cut, the best kind first; any node comes last.

    Raises:
        ValueError: for cycles within cycles beyond all measure.
    """
    graph = networkx.DiGraph()
    graph.add_nodes_from([start, *nodes])
    graph.add_edges_from((a, b) for a, b in edges if a in graph and b in graph)
    far = networkx.single_source_shortest_path_length(graph, start)
    rank = {name: (far.get(name, len(graph)), name) for name in graph}
    kinds = {name: next((place for place, kind in enumerate(cuts) if name in kind), len(cuts)) for name in graph}
    left, work = [graph.copy()], 0
    while left:
        inner = left.pop()
        work += inner.number_of_nodes() + inner.number_of_edges()
        if work > MAX_WORK:
            raise ValueError("its cycles lie within each other too deeply to be put in an order")
        for part in networkx.strongly_connected_components(inner):
            first = min(part, key=lambda name: (kinds[name], *rank[name]))
            within = [a for a in inner.predecessors(first) if a in part]
            if not within:
                continue
            graph.remove_edges_from([(a, first) for a in within])
            # and it is stepped before the rest of its cycle, so that those edges do lead back
            graph.add_edges_from((first, name) for name in part if name != first)
            rest = inner.subgraph(part - {first}).copy()
            left.append(rest)
    return [name for name in networkx.lexicographical_topological_sort(graph, key=rank.__getitem__) if name != start]
