"""Mapping an integer graph to a chip or a microcontroller: what lies where, and everything that does not fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from spikelab.hw.ir import IntegerGraph
from spikelab.hw.placement import pack, remedies, report
from spikelab.hw.placement.cut import Cut, Needs, cut
from spikelab.hw.placement.limits import ARITHMETIC, LIMITS, broken_limits
from spikelab.hw.placement.pieces import Piece
from spikelab.hw.placement.violation import Violation
from spikelab.hw.target import DOCUMENTED, ESTIMATE, Target
from spikelab.hw.targets import load_target

__all__ = ["PlacedCore", "PlacedPiece", "Placement", "place"]


@dataclass(frozen=True)
class PlacedPiece:
    """A block of neurons on a core.

    Attributes:
        piece: which neurons of which population.
        used: resource -> units that it needs.
    """

    piece: Piece
    used: Mapping[str, int]


@dataclass(frozen=True)
class PlacedCore:
    """A core and what lies on it.

    Attributes:
        number: as the chip numbers its cores, from 0.
        pieces: on it, in the order of the graph.
        used: resource -> units.
        capacity: resource -> units.
    """

    number: int
    pieces: tuple[PlacedPiece, ...]
    used: Mapping[str, int]
    capacity: Mapping[str, int]

    @property
    def share(self) -> float:
        """How full the core is: of the resource of which most is used, 0 to 1."""
        return max((self.used[name] / max(1, self.capacity[name]) for name in self.used), default=0.0)


@dataclass(frozen=True)
class Placement:
    """A network on a target.

    Attributes:
        graph: the network.
        target: where.
        cores: all that hold something, by number.
        unplaced: pieces that found no place.
        violations: everything that does not fit; empty if the network does.
        cores_wanted: cores that would be needed, were there enough of them.
    """

    graph: IntegerGraph
    target: Target
    cores: tuple[PlacedCore, ...]
    unplaced: tuple[Piece, ...]
    violations: tuple[Violation, ...]
    cores_wanted: int

    @property
    def fits(self) -> bool:
        """Whether the network can run there, as far as is known."""
        return not self.violations

    @property
    def estimate(self) -> bool:
        """Whether any number that was used is an estimate."""
        return ESTIMATE in [self.target.status, *(self.target.status_of(name) for name in self.target.resources)]

    @property
    def mean_distance(self) -> float | None:
        """Steps through the mesh between cores that talk with each other, on average; None without a mesh."""
        return report.mean_distance(self)

    def for_other_arithmetic(self, reasons: Sequence[str]) -> Placement:
        """Of a network that the target's arithmetic has no form for, laid on it in another one.

        Args:
            reasons: why it has none, "layer: what": they are violations too; what only the other arithmetic breaks is
                left out.
        """
        sizes = {*self.target.resources, *(LIMITS.keys() - ARITHMETIC)}
        kept = [violation for violation in self.violations if violation.limit in sizes]
        lacking = []
        for reason in reasons:
            where, _, what = reason.strip().partition(": ")
            message, _, remedy = what.partition(": ")
            remedy = remedy or "use a layer that it has"
            lacking.append(Violation(where, "arithmetic", message, "", "", remedy, DOCUMENTED, ""))
        return replace(self, violations=(*lacking, *kept))

    def report(self) -> dict[str, Any]:
        """Everything, as JSON holds it."""
        return report.as_data(self)

    def text(self) -> str:
        """Everything, as plain text."""
        return report.as_text(self)


def place(graph: IntegerGraph, target: Target | str | Path) -> Placement:
    """Maps a network to a target; the same call always gives the same result.

    A network that does not fit is no error: see ``Placement.violations``.

    Args:
        graph: the network in integers.
        target: a target, its registered name, or a TOML file.

    Raises:
        TargetError: for a target file that cannot be used.
        UnknownNameError: for an unknown target.
    """
    target = target if isinstance(target, Target) else load_target(target)
    orders = [target.split]
    if len(target.split) > 1:
        # whole maps on a core save axons, single channels save synapses: which wins depends on the network
        orders.append((*target.split[1:], target.split[0]))
    limits = broken_limits(graph, target)
    tried = [_placed(graph, target, order, limits) for order in orders]
    return min(tried, key=lambda placement: (len(placement.violations), placement.cores_wanted))


def _placed(graph: IntegerGraph, target: Target, order: tuple[str, ...], limits: list[Violation]) -> Placement:
    found = cut(graph, target, order)
    every = [piece for p in graph.populations for piece in found.pieces.of(p.name)]
    counted = Needs(found.pieces, target)
    needs = {piece: counted.of(piece) for piece in every}
    fitting = [piece for piece in every if piece.population not in found.hopeless]
    violations = [*limits, *found.violations]
    if target.packing == "whole":
        packed = pack.Packed({0: every}, [], 1)
        violations += _sums(target, needs, found)
    elif target.packing == "matching":
        packed = pack.match(fitting, needs, target)
        violations += _too_few(packed, needs, target)
    else:
        packed = pack.share(fitting, needs, target, graph)
        violations += _too_many(packed, needs, target)
    if target.packing != "whole":
        violations += _chip(target, needs)
    hopeless = [piece for piece in every if piece.population in found.hopeless]
    capacities = target.capacities
    cores = []
    for number, pieces in packed.cores.items():
        used = {name: sum(needs[piece][name] for piece in pieces) for name in target.resources}
        capacity = {name: capacities[number][name].most for name in target.resources}
        cores.append(PlacedCore(number, tuple(PlacedPiece(piece, needs[piece]) for piece in pieces), used, capacity))
    return Placement(graph, target, tuple(cores), (*hopeless, *packed.left), tuple(violations), packed.wanted)


def _sums(target: Target, needs: Mapping[Piece, Mapping[str, int]], found: Cut) -> list[Violation]:
    """What the only core has too little of."""
    violations = []
    for name, number in target.cores[0].capacity.items():
        each = [(piece.population, need[name]) for piece, need in needs.items()]
        if sum(units for _, units in each) > number.most:
            status = target.status_of(name)
            violations.append(
                remedies.over_the_sum(target, name, each, number.most, status, number.source, target.title)
            )
    return violations


def _chip(target: Target, needs: Mapping[Piece, Mapping[str, int]]) -> list[Violation]:
    """What all cores together have too little of."""
    violations = []
    for name, number in target.chip.items():
        each: dict[str, int] = {}
        for piece, need in needs.items():
            each[piece.population] = each.get(piece.population, 0) + need[name]
        if sum(each.values()) > number.most:
            status = target.status_of(name)
            violations.append(
                remedies.over_the_sum(target, name, [*each.items()], number.most, status, number.source, "the chip")
            )
    return violations


def _too_few(packed: pack.Packed, needs: Mapping[Piece, Mapping[str, int]], target: Target) -> list[Violation]:
    """Pieces that each want a core of their own, and are more than the cores that suit them."""
    violations = []
    for rivals, cores in packed.rivals:
        names = ", ".join(dict.fromkeys(piece.population for piece in rivals))
        least = {name: min(needs[piece][name] for piece in rivals) for name in target.resources}
        scarce = max(least, key=lambda name: least[name] / max(1, target.largest(name).most))
        resource = target.resources[scarce]
        message = (
            f"need {len(rivals)} cores with {least[scarce]} or more {resource.unit}; "
            f"{len(cores)} of the chip's suit them ({', '.join(map(str, cores))})"
        )
        over = len(rivals) - len(cores)
        remedy = f"make {over} {'layer' if over == 1 else 'layers'} less of them"
        halves = sorted({piece.population for piece in rivals if not piece.whole})
        if halves:
            remedy += f"; half the channels would spare a core each for {', '.join(halves)}"
        status = _worst_status(target)
        source = target.cores[0].count.source
        violations.append(Violation(names, "cores", message, len(rivals), len(cores), remedy, status, source))
    return violations


def _worst_status(target: Target) -> str:
    return ESTIMATE if ESTIMATE in [target.status_of(name) for name in target.resources] else DOCUMENTED


def _too_many(packed: pack.Packed, needs: Mapping[Piece, Mapping[str, int]], target: Target) -> list[Violation]:
    """More cores than there are."""
    count = len(target.capacities)
    if packed.wanted <= count:
        return []
    names = ", ".join(dict.fromkeys(piece.population for piece in packed.left))
    asked = {name: sum(need[name] for need in needs.values()) for name in target.resources}
    short = max(asked, key=lambda name: asked[name] / max(1, target.largest(name).most))
    message = (
        f"no room: the network needs {packed.wanted} cores, {target.title} has {count}; "
        f"most is asked of {target.resources[short].title}, {asked[short]} in all"
    )
    remedy = (
        f"about {100 * count // packed.wanted} % of the neurons and synapses, or {-(-packed.wanted // count)} chips"
    )
    source = target.cores[0].count.source
    return [Violation(names, "cores", message, packed.wanted, count, remedy, target.status_of(short), source)]
