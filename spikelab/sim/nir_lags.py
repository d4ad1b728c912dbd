"""How far each population runs behind the same layer of a trained network, so that all that meets there still meets.

In a trained network (``spikelab.nn``) a spike reaches the next layer within the step; here it takes a step at least. A
layer whose input comes a step later does everything a step later, and nothing else changes, as long as whatever else
arrives there comes later too: a connection that skips layers gets a longer delay. So a population has a *lag*, and a
connection that takes ``d`` steps in the trained network takes ``d + lag(target) - lag(source)`` here, at least 1. Only
a loop that takes fewer steps than it has connections cannot be had: what comes round in it comes later.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import networkx

Pair = tuple[str, str]


def find_lags(
    names: Sequence[str], steps: Mapping[Pair, int], floors: Mapping[str, int]
) -> tuple[dict[str, int], dict[Pair, int]]:
    """The smallest lags with which every connection takes a step at least.

    Args:
        names: of the populations, in the order in which a step of the trained network goes through them.
        steps: (source, target) -> the fewest steps that a connection between them takes in the trained network.
        floors: lags that may not be less than this; 0 for others.

    Returns:
        name -> lag; and for each connection of a loop that is too fast, by how many steps it comes too late. Those
        are connections back to an earlier population.
    """
    place = {name: number for number, name in enumerate(names)}
    graph = networkx.DiGraph()
    graph.add_nodes_from(names)
    graph.add_edges_from(steps)
    lags = {name: floors.get(name, 0) for name in names}
    late: dict[Pair, int] = {}
    parts = networkx.condensation(graph)
    for part in networkx.topological_sort(parts):
        members = parts.nodes[part]["members"]
        within = [(a, b) for a, b in graph.edges(members) if b in members]
        before = {name: lags[name] for name in members}
        if not _settle(lags, within, steps, len(members)):
            # a loop in which everything would have to lag behind itself: only the way forth is kept
            lags.update(before)
            _settle(lags, [(a, b) for a, b in within if place[a] < place[b]], steps, len(members))
            missing = {(a, b): lags[a] + 1 - steps[a, b] - lags[b] for a, b in within}
            late.update({pair: count for pair, count in missing.items() if count > 0})
        for a, b in graph.edges(members):
            if b not in members:
                lags[b] = max(lags[b], lags[a] + 1 - steps[a, b])
    return lags, late


def _settle(lags: dict[str, int], pairs: Sequence[Pair], steps: Mapping[Pair, int], members: int) -> bool:
    """Raises lags until every pair has its step; False if they would rise for ever."""
    for _ in range(members + 1):
        raised = False
        for a, b in pairs:
            least = lags[a] + 1 - steps[a, b]
            if lags[b] < least:
                lags[b], raised = least, True
        if not raised:
            return True
    return False
