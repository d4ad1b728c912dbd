"""Shifts populations in time so that every connection takes the steps that a chip needs for it.

In a network, spikes pass through all layers within a step. A chip may need a step for each connection. Letting each
population run some steps later than in the network, its lag, gives its connections time without changing what is
computed (retiming; Leiserson and Saxe 1991, Algorithmica 6). The sum of delays around a loop stays, so a loop with
fewer steps than connections cannot be helped.
"""

from __future__ import annotations

from collections.abc import Iterable

import networkx

#: Where lags count from.
_NOW = object()


class CannotRetime(ValueError):
    """A loop is too fast for the chip; the message names it."""


def lags(
    populations: Iterable[str], inputs: Iterable[str], connections: Iterable[tuple[str, str, int, int]]
) -> dict[str, int]:
    """By how many steps each population runs later than in the network, as few as possible; inputs by none.

    Args:
        populations: their names.
        inputs: names of what comes from outside.
        connections: (source, target, steps in the network, steps that the chip needs at least).

    Raises:
        CannotRetime: if a loop has fewer steps than the chip needs for it.
    """
    # a longest path: the target lags by at least the source's lag and what the connection lacks
    graph = networkx.DiGraph()
    for name in populations:
        graph.add_edge(_NOW, name, weight=0)
    for name in inputs:
        graph.add_edge(_NOW, name, weight=0)
        graph.add_edge(name, _NOW, weight=0)
    for source, target, steps, needed in connections:
        weight = steps - needed
        if not graph.has_edge(source, target) or graph[source][target]["weight"] > weight:
            graph.add_edge(source, target, weight=weight)
    try:
        distance = networkx.single_source_bellman_ford_path_length(graph, _NOW)
    except networkx.NetworkXUnbounded:
        loop = [str(name) for name in networkx.find_negative_cycle(graph, _NOW)]
        raise CannotRetime(
            f"the loop {' -> '.join(loop)} has fewer steps of delay than the chip needs for its connections; put a "
            f"Delay into it and train with that"
        ) from None
    return {name: -distance[name] for name in graph if name is not _NOW}
