"""What the synapses of a network divide its populations into, and whether these parts excite or inhibit."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from spikelab.sim.network import Network
    from spikelab.sim.population import Group
    from spikelab.sim.projection import Projection


def divided_groups(network: Network) -> list[Group]:
    """The populations, each divided wherever a projection begins or ends at a part of it."""
    cuts = {name: {0, population.size} for name, population in network.populations.items()}
    for projection in network.projections:
        for group in (projection.source, projection.target):
            cuts[group.population.name] |= {group.first, group.first + group.size}
    groups = []
    for name, population in network.populations.items():
        edges = sorted(cuts[name])
        groups += [population[first:last] for first, last in pairwise(edges)]
    return groups


def covers(group: Group, part: Group) -> bool:
    """Whether all neurons of a part belong to a group."""
    return (
        part.population is group.population
        and group.first <= part.first
        and part.first + part.size <= group.first + group.size
    )


def receptor_sign(projection: Projection) -> int:
    """1 where a positive weight excites, -1 where it inhibits.

    A conductance is never negative: it inhibits where its reversal potential, the mean over the target's neurons, does
    not lie above their threshold. For neurons without a parameter "v_threshold" their starting potential takes its
    place; where that was not given either, a conductance counts as exciting.
    """
    target = projection.target
    if projection.receptor not in target.population.conductances:
        return 1
    reversal = _mean_of(target, target.population.parameters[f"reversal_{projection.receptor}"])
    border = target.population.parameters.get("v_threshold", target.population.initial.get("v", -np.inf))
    return 1 if reversal > _mean_of(target, border) else -1


def group_names(network: Network) -> dict[str, str]:
    """Names for the parts of ``divided_groups``: such as "excitatory cells" for "cells[0:3200]".

    Only parts whose synapses all excite, or all inhibit, get one, and only where the population has no second such
    part; all others keep the range.
    """
    parts = [group for group in divided_groups(network) if group.size]
    names = {str(group): str(group) for group in parts}
    divided = {group: _kind(network, group) for group in parts if group.size < group.population.size}
    for group, kind in divided.items():
        alike = [other for other in divided if other.population is group.population and divided[other] == kind]
        name = f"{kind} {group.population.name}"
        if kind and len(alike) == 1 and name not in network.populations:
            names[str(group)] = name
    return names


def _kind(network: Network, group: Group) -> str:
    """What its synapses do: "excitatory", "inhibitory", or "" for both or neither."""
    signs = set()
    for projection in network.projections:
        if covers(projection.source, group):
            weights = np.asarray(network.synapses(projection).weights)
            ends = (weights.min(), weights.max()) if weights.size else ()
            signs |= {receptor_sign(projection) * int(np.sign(end)) for end in ends}
    return {frozenset({1}): "excitatory", frozenset({-1}): "inhibitory"}.get(frozenset(signs - {0}), "")


def _mean_of(group: Group, values: float | np.ndarray) -> float:
    """Mean over the neurons of a group of one value, or of a value for each neuron of the population."""
    return float(
        np.mean(values if np.ndim(values) == 0 else np.asarray(values)[group.first : group.first + group.size])
    )
