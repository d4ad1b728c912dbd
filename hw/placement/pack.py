"""Lays pieces on cores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import networkx
import numpy as np

from spikelab.hw.ir import IntegerGraph
from spikelab.hw.placement.pieces import Piece
from spikelab.hw.target import Target

Need = Mapping[str, int]


@dataclass
class Packed:
    """Pieces on cores.

    Attributes:
        cores: number of a core -> its pieces.
        left: pieces that found no core.
        wanted: cores that would have been needed, had there been enough of the largest.
        rivals: for pieces that are each alone on a core: groups that want too few cores, and these cores.
    """

    cores: dict[int, list[Piece]] = field(default_factory=dict)
    left: list[Piece] = field(default_factory=list)
    wanted: int = 0
    rivals: list[tuple[list[Piece], list[int]]] = field(default_factory=list)


def match(pieces: Sequence[Piece], needs: Mapping[Piece, Need], target: Target) -> Packed:
    """One piece a core: as many as can be, and small ones on small cores.

    Flow from pieces to cores on which they fit; the cost of an edge is what would lie idle.
    """
    capacities = target.capacities
    flow = networkx.DiGraph()
    flow.add_nodes_from(["source", "sink"])
    for place, piece in enumerate(pieces):
        flow.add_edge("source", ("piece", place), capacity=1, weight=0)
        for core, capacity in enumerate(capacities):
            if all(needs[piece][name] <= number.most for name, number in capacity.items()):
                idle = sum(_permille(number.most - needs[piece][name], target.largest(name).most)
                           for name, number in capacity.items())  # fmt: skip
                # the number of the core decides between equals, so that the result is always the same
                flow.add_edge(("piece", place), ("core", core), capacity=1, weight=idle * 64 + core)
    for core in range(len(capacities)):
        flow.add_edge(("core", core), "sink", capacity=1, weight=0)
    found = networkx.max_flow_min_cost(flow, "source", "sink")
    packed = Packed()
    for place, piece in enumerate(pieces):
        taken = [end[1] for end, units in found.get(("piece", place), {}).items() if units]
        if taken:
            packed.cores[taken[0]] = [piece]
        else:
            packed.left.append(piece)
    packed.wanted = len(pieces)
    packed.cores = dict(sorted(packed.cores.items()))
    packed.rivals = _rivals(pieces, packed, flow)
    return packed


def _permille(part: int, whole: int) -> int:
    return 1000 * part // max(1, whole)


def _rivals(pieces: Sequence[Piece], packed: Packed, flow: networkx.DiGraph) -> list[tuple[list[Piece], list[int]]]:
    """Hall's condition: pieces that together reach fewer cores than they are, for each piece that was left.

    Groups that share a core are one group.
    """
    holder = {core: pieces.index(found[0]) for core, found in packed.cores.items()}
    groups: list[tuple[set[int], set[int]]] = []
    for piece in packed.left:
        seen, cores = {pieces.index(piece)}, set()
        todo = [*seen]
        while todo:
            for _, core in flow.successors(("piece", todo.pop())):
                if core not in cores:
                    cores.add(core)
                    if core in holder and holder[core] not in seen:
                        seen.add(holder[core])
                        todo.append(holder[core])
        for other in [group for group in groups if group[1] & cores]:
            groups.remove(other)
            seen, cores = seen | other[0], cores | other[1]
        groups.append((seen, cores))
    return [([pieces[place] for place in sorted(seen)], sorted(cores)) for seen, cores in groups]


def share(pieces: Sequence[Piece], needs: Mapping[Piece, Need], target: Target, graph: IntegerGraph) -> Packed:
    """Several pieces a core: the largest first, each to the first core with room that holds most of its neighbours."""
    names = list(target.resources)
    capacities = np.array([[core[name].most for name in names] for core in target.capacities])
    largest = capacities[capacities.sum(1).argmax()]
    wanted = {piece: np.array([needs[piece][name] for name in names]) for piece in pieces}
    rank = {piece: place for place, piece in enumerate(pieces)}
    order = sorted(pieces, key=lambda piece: (-float((wanted[piece] / np.maximum(largest, 1)).max()), rank[piece]))
    near = _neighbours(graph)
    free = np.zeros((0, len(names)), np.int64)
    bins: list[list[Piece]] = []
    core_of: list[int] = []
    unused = list(range(len(capacities)))
    held = {p.name: np.zeros(0, np.int64) for p in graph.populations}
    for piece in order:
        need = wanted[piece]
        room = (free >= need).all(1)
        if not room.any():
            place = next((core for core in unused if (capacities[core] >= need).all()), -1)
            if place >= 0:
                unused.remove(place)
            bins.append([])
            core_of.append(place)
            free = np.vstack([free, capacities[place] if place >= 0 else largest])
            held = {name: np.append(count, 0) for name, count in held.items()}
            room = (free >= need).all(1)
            if not room.any():
                bins.pop(), core_of.pop()
                free = free[:-1]
                held = {name: count[:-1] for name, count in held.items()}
                continue
        close = sum((weight * held[name] for name, weight in near[piece.population].items()), np.zeros(len(bins)))
        chosen = int(np.where(room, close, -1).argmax())
        bins[chosen].append(piece)
        free[chosen] -= need
        held[piece.population][chosen] += 1
    placed = {piece for found in bins for piece in found}
    packed = Packed(wanted=len(bins), left=[piece for piece in pieces if piece not in placed])
    packed.left += [piece for core, found in zip(core_of, bins, strict=True) if core < 0 for piece in found]
    real = [(core, sorted(found, key=rank.__getitem__)) for core, found in zip(core_of, bins, strict=True) if core >= 0]
    packed.cores = _in_order(real, rank, target)
    return packed


def _neighbours(graph: IntegerGraph) -> dict[str, dict[str, int]]:
    """Population -> what it should lie close to: itself most, then what it talks with."""
    near = {p.name: {p.name: 2} for p in graph.populations}
    for c in graph.connections:
        if c.source in near and c.source != c.target:
            near[c.source][c.target] = near[c.target][c.source] = 1
    return near


def _in_order(real: list[tuple[int, list[Piece]]], rank: Mapping[Piece, int], target: Target) -> dict[int, list[Piece]]:
    """Numbers cores so that those whose pieces follow each other in the graph lie side by side."""
    class_of = [place for place, kind in enumerate(target.cores) for _ in range(kind.count.most)]
    path = snake(target)
    cores: dict[int, list[Piece]] = {}
    for kind in range(len(target.cores)):
        found = [(core, held) for core, held in real if class_of[core] == kind]
        found.sort(key=lambda item: float(np.mean([rank[piece] for piece in item[1]])))
        numbers = [core for core in path if class_of[core] == kind]
        cores |= {number: held for number, (_, held) in zip(numbers, found, strict=False)}
    return dict(sorted(cores.items()))


def snake(target: Target) -> list[int]:
    """Cores in the order in which one walks through the mesh without a jump."""
    count = len(target.capacities)
    if target.mesh is None:
        return list(range(count))
    columns, rows = target.mesh.allowed
    path = []
    for row in range(rows):
        line = [row * columns + column for column in range(columns)]
        path += line if row % 2 == 0 else line[::-1]
    return [core for core in path if core < count]


def distance(target: Target, first: int, second: int) -> int:
    """Steps between two cores through the mesh; 0 where there is none."""
    if target.mesh is None:
        return 0
    columns = target.mesh.allowed[0]
    return abs(first % columns - second % columns) + abs(first // columns - second // columns)
