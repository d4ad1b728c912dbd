"""Cuts populations until each piece fits a core, and says what never will."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spikelab.hw.ir import IntegerGraph
from spikelab.hw.placement import remedies, resources
from spikelab.hw.placement.bit_limits import broken
from spikelab.hw.placement.pieces import Piece, Pieces
from spikelab.hw.placement.violation import Violation
from spikelab.hw.target import Target

#: Cutting one population changes what others need (axons), so it is gone over until nothing changes.
_ROUNDS = 20
#: A population that does not even fit so many chips is given up.
_CHIPS = 4


@dataclass
class Cut:
    """A graph in pieces.

    Attributes:
        pieces: the graph.
        violations: what does not fit a core however it is cut.
        hopeless: populations that are in violations.
    """

    pieces: Pieces
    violations: list[Violation]
    hopeless: set[str]


class Needs:
    """What pieces need of each resource of a target."""

    def __init__(self, pieces: Pieces, target: Target):
        self.pieces, self.target = pieces, target

    def of(self, piece: Piece) -> dict[str, int]:
        """Resource -> units."""
        return {name: resources.need(resource, piece, self.pieces) for name, resource in self.target.resources.items()}

    def factor(self, piece: Piece) -> float:
        """How many times too large a piece is for the core that suits it best; at most 1 if it fits."""
        need = self.of(piece)
        return min(
            max((need[name] / max(number.most, 1e-9) for name, number in kind.capacity.items()), default=0.0)
            for kind in self.target.cores
        )

    def worst(self, name: str, sample: bool = False) -> float:
        """The largest factor of a population's pieces, or of its first, middle and last."""
        every = self.pieces.of(name)
        if sample:
            middle = tuple(parts // 2 for parts in self.pieces.parts[name])
            place = int(np.ravel_multi_index(middle, self.pieces.parts[name])) if middle else 0
            every = [every[0], every[place], every[-1]]
        return max(self.factor(piece) for piece in every)


def cut(graph: IntegerGraph, target: Target, order: tuple[str, ...]) -> Cut:
    """Cuts the populations of a graph for a target.

    Args:
        graph: the network.
        target: where it shall run.
        order: along what to cut first, second and third.
    """
    destinations = target.limits.get("destinations")
    most = _CHIPS * len(target.capacities) if destinations is None else destinations.most
    pieces = Pieces(graph, order, most)
    needs = Needs(pieces, target)
    found = Cut(pieces, [], set())
    if target.packing != "whole":
        never = {p.name: _never(p.name, needs) for p in graph.populations}
        for name, limits in never.items():
            found.violations += [remedies.too_large(needs.pieces, target, name, limit) for limit in limits]
            found.hopeless |= {name} if limits else set()
        _cut_all(found, needs)
    if destinations is not None:
        for p in graph.populations:
            listeners = [(c.target, pieces.count(c.target)) for c in graph.connections if c.source == p.name]
            total = sum(count for _, count in listeners)
            if total > destinations.most:
                to = ", ".join(f"{name} on {count}" if count > 1 else name for name, count in listeners)
                message = f"sends to {total} cores ({to}), a core sends to at most {destinations.most}"
                remedy = "fewer channels in these layers, so that each fits one core, or fewer branches"
                found.violations.append(broken(target, "destinations", destinations, p.name, message, total, remedy))
    return found


def _never(name: str, needs: Needs) -> list[str]:
    """Resources of which even the smallest piece of a population needs more than any core has."""
    need = needs.of(needs.pieces.smallest(name))
    return [limit for limit, units in need.items() if units > needs.target.largest(limit).most]


def _cut_all(found: Cut, needs: Needs) -> None:
    names = [p.name for p in found.pieces.graph.populations]
    for _ in range(_ROUNDS):
        before = dict(found.pieces.parts)
        for name in names:
            if name not in found.hopeless:
                _cut_one(name, found, needs)
        if found.pieces.parts == before:
            return


def _cut_one(name: str, found: Cut, needs: Needs) -> None:
    """Doubles the number of pieces along the dimension that helps most, until every piece fits."""
    pieces = found.pieces
    while True:
        factor = needs.worst(name, sample=True)
        if factor <= 1:
            factor = needs.worst(name)
        if factor <= 1:
            return
        ways = []
        before = pieces.parts[name]
        for place, parts in enumerate(pieces.finer(name, factor)):
            pieces.parts[name] = parts
            ways.append((round(needs.worst(name, sample=True), 6), place, parts))
        if ways:
            pieces.parts[name] = min(ways)[2]
            continue
        pieces.parts[name] = before
        piece = max(pieces.of(name), key=lambda piece: needs.factor(piece))
        finest = needs.of(piece)
        limits = [limit for limit, units in finest.items() if units > needs.target.largest(limit).most]
        # each resource may be there on some core, but not all of them on one
        limits = limits or [max(finest, key=lambda limit: finest[limit] / max(1, needs.target.largest(limit).most))]
        count = pieces.count(name)
        pieces.parts[name] = (1,) * len(before)
        found.hopeless.add(name)
        found.violations += [
            remedies.too_large(pieces, needs.target, name, limit, (count, finest[limit])) for limit in limits
        ]
        return
