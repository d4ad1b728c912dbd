"""The synapses of all projections in common arrays, those of a sender sorted by delay; delays are not rounded."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from spikelab.sim.projection import Projection
from spikelab.sim.random_numbers import stream_key
from spikelab.sim.streams import STREAM_OF_WIRING
from spikelab.sim.synapses import delays_in_seconds

if TYPE_CHECKING:
    from spikelab.sim.network import Network

#: Columns of ``table``: number of the first sender, number of senders, where the rows' beginnings and the synapses
#: begin, what is added to targets, the receptor, and where weights and delays begin, with stride 0 where all share one.
(
    SENDER,
    SENDERS,
    STARTS_AT,
    SYNAPSES_AT,
    TARGET,
    RECEPTOR,
    WEIGHTS_AT,
    WEIGHT_STRIDE,
    DELAYS_AT,
    DELAY_STRIDE,
    COLUMNS,
) = range(11)


class Wiring(NamedTuple):
    """All synapses.

    Attributes:
        table: int64 [projections, COLUMNS].
        outgoing: projections that leave each population, by number, int64; those of population p are
            ``outgoing_starts[p]`` to ``outgoing_starts[p + 1]``.
        outgoing_starts: int64 [populations + 1].
        starts: where each sender's synapses begin among the projection's, int64.
        targets: cells, int32 [synapses].
        weights: float64.
        delays: seconds, float64.
    """

    table: np.ndarray
    outgoing: np.ndarray
    outgoing_starts: np.ndarray
    starts: np.ndarray
    targets: np.ndarray
    weights: np.ndarray
    delays: np.ndarray


def build_wiring(network: Network, first_neurons: dict[str, int]) -> Wiring:
    """The tables of all projections; ``first_neurons``: population -> number of its first neuron, in that order."""
    kinds = {"starts": np.int64, "targets": np.int32, "weights": np.float64, "delays": np.float64}
    parts: dict[str, list[np.ndarray]] = {name: [np.zeros(0, kind)] for name, kind in kinds.items()}
    table = np.zeros((len(network.projections), COLUMNS), np.int64)
    for row, projection in zip(table, network.projections, strict=True):
        found = _by_delay(network, projection)
        source, target = projection.source, projection.target
        row[SENDER], row[SENDERS] = first_neurons[source.population.name] + source.first, source.size
        row[TARGET] = first_neurons[target.population.name]
        row[RECEPTOR] = receptor_number(target.population.receptors, projection.receptor)
        places = [sum(part.size for part in each) for each in parts.values()]
        row[STARTS_AT], row[SYNAPSES_AT], row[WEIGHTS_AT], row[DELAYS_AT] = places
        row[WEIGHT_STRIDE], row[DELAY_STRIDE] = found[2].size > 1, found[3].size > 1
        for each, part in zip(parts.values(), found, strict=True):
            each.append(part)
    outgoing = [
        [each.number for each in network.projections if each.source.population.name == name] for name in first_neurons
    ]
    return Wiring(
        table,
        np.array([number for each in outgoing for number in each], np.int64),
        np.cumsum([0, *(len(each) for each in outgoing)]).astype(np.int64),
        *(np.concatenate(parts[name]).astype(kind, copy=False) for name, kind in kinds.items()),
    )


def receptor_number(receptors: Iterable[str], name: str) -> int:
    """The place of a receptor among those that have equations; "current", the input itself, is the first of all."""
    return list(receptors).index(name) - 1


def _by_delay(network: Network, projection: Projection) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(starts, targets, weights, delays); the last two have one entry where all synapses share it."""
    synapses = network.synapses(projection)
    connectivity = synapses.connectivity
    key = int(stream_key(network.seed, STREAM_OF_WIRING + projection.number))
    weights = np.atleast_1d(np.asarray(synapses.weights, np.float64))
    delays = np.atleast_1d(np.asarray(delays_in_seconds(projection, connectivity, key), np.float64))
    targets = connectivity.targets.astype(np.int32)
    if delays.size > 1:
        order = np.lexsort((delays, synapses.senders()))
        targets, delays = targets[order], delays[order]
        weights = weights[order] if weights.size > 1 else weights
    return connectivity.starts, targets, weights, delays
