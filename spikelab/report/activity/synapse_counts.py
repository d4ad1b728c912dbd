"""What a network's synapses look like from far: densities between groups, degrees of neurons, and the matrix itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from spikelab.report.activity.network_groups import divided_groups, group_names, receptor_sign

if TYPE_CHECKING:
    from spikelab.sim.network import Network


@dataclass(frozen=True, eq=False)
class SynapseCounts:
    """The synapses of a network between groups that its projections do not divide further.

    Attributes:
        names: of the groups, such as "excitatory cells".
        sizes: neurons of each, int64 [groups].
        counts: synapses from group (row) to group (column), int64 [groups, groups].
        excitatory: how many of them excite, int64 [groups, groups]; a weight of 0 counts as its receptor's others.
        in_degrees: of each group, synapses on each neuron, [size].
        out_degrees: of each group, synapses of each neuron, [size].
    """

    names: tuple[str, ...]
    sizes: np.ndarray
    counts: np.ndarray
    excitatory: np.ndarray
    in_degrees: tuple[np.ndarray, ...]
    out_degrees: tuple[np.ndarray, ...]

    @property
    def densities(self) -> np.ndarray:
        """Synapses over pairs of neurons, float64 [groups, groups]; above 1 where pairs have several."""
        pairs = np.outer(self.sizes, self.sizes)
        return np.divide(self.counts, pairs, out=np.zeros(pairs.shape), where=pairs > 0)


def count_synapses(network: Network, titles: Mapping[str, str] | None = None) -> SynapseCounts:
    """Counts the synapses of all projections; whether they excite is told from the weights at the beginning.

    Args:
        network: built; it need not have run.
        titles: other names for groups, such as ``{"cells[0:3200]": "pyramidal"}``. By default a part of a population
            that only excites, or only inhibits, is called so.
    """
    names = group_names(network) | dict(titles or {})
    groups = divided_groups(network)
    populations = network.populations.values()
    offsets = dict(zip(network.populations, np.cumsum([0, *(p.size for p in populations)]), strict=False))
    neurons = sum(population.size for population in populations)
    bounds = [int(offsets[group.population.name]) + group.first for group in groups] + [neurons]
    counts = np.zeros((len(groups), len(groups)), np.int64)
    excitatory = np.zeros_like(counts)
    into, out = np.zeros(neurons, np.int64), np.zeros(neurons, np.int64)
    for projection in network.projections:
        synapses = network.synapses(projection)
        starts = synapses.connectivity.starts
        excites = (np.asarray(synapses.weights) >= 0) == (receptor_sign(projection) > 0)
        first = int(offsets[projection.source.population.name]) + projection.source.first
        target_offset = int(offsets[projection.target.population.name])
        out[first : first + starts.size - 1] += np.diff(starts)
        for row, (begin, end) in enumerate(pairwise(bounds)):
            low, high = max(begin, first) - first, min(end, first + starts.size - 1) - first
            if low >= high:
                continue
            part = slice(int(starts[low]), int(starts[high]))
            reached = np.bincount(synapses.connectivity.targets[part], minlength=0)
            into[target_offset : target_offset + reached.size] += reached
            per_group = _summed(reached, target_offset, bounds)
            counts[row] += per_group
            if excites.ndim:
                exciting = np.bincount(synapses.connectivity.targets[part][excites[part]], minlength=0)
                excitatory[row] += _summed(exciting, target_offset, bounds)
            elif excites:
                excitatory[row] += per_group
    pieces = [slice(begin, end) for begin, end in pairwise(bounds)]
    return SynapseCounts(
        tuple(names.get(str(group), str(group)) for group in groups),
        np.array([group.size for group in groups], np.int64),
        counts,
        excitatory,
        tuple(into[piece] for piece in pieces),
        tuple(out[piece] for piece in pieces),
    )


def weight_matrix(network: Network) -> np.ndarray:
    """Sum of the weights of all synapses from neuron (row) to neuron (column), float64 [neurons, neurons].

    Conductances that inhibit count as negative, though their weights are not.
    Neurons are numbered through the populations in order of declaration; pairs without a synapse are NaN. For small
    networks: the matrix has neurons squared entries.
    """
    names = list(network.populations)
    sizes = [population.size for population in network.populations.values()]
    offsets = dict(zip(names, np.cumsum([0, *sizes]), strict=False))
    matrix = np.full((sum(sizes), sum(sizes)), np.nan)
    for projection in network.projections:
        synapses = network.synapses(projection)
        senders = offsets[projection.source.population.name] + projection.source.first + synapses.senders()
        targets = offsets[projection.target.population.name] + synapses.connectivity.targets.astype(np.int64)
        matrix[senders, targets] = np.nan_to_num(matrix[senders, targets])
        np.add.at(matrix, (senders, targets), receptor_sign(projection) * np.asarray(synapses.weights))
    return matrix


def _summed(per_target: np.ndarray, offset: int, bounds: list[int]) -> np.ndarray:
    """Sums over the groups of counts of the targets of one population, int64 [groups]."""
    running = np.concatenate([[0], np.cumsum(per_target, dtype=np.int64)])
    places = np.clip(np.asarray(bounds) - offset, 0, per_target.size)
    return np.diff(running[places])
