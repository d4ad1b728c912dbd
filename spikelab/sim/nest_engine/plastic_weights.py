"""Weights of plastic synapses in NEST, in our order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from spikelab.sim.nest_engine.nest_units import NEST_UNITS
from spikelab.sim.nest_engine.neurons import NestPopulation
from spikelab.sim.projection import Projection

if TYPE_CHECKING:
    from spikelab.sim.network import Network


class PlasticWeights:
    """Reads the weights of one projection.

    NEST has no order of synapses. Both sides are sorted by sender, target, delay and weight: of several synapses of
    one pair with one delay the rules keep the order of weights, for each changes them by the same amount, or towards
    one bound.
    """

    def __init__(
        self,
        nest: Any,
        network: Network,
        projection: Projection,
        model: str,
        source: Any,
        target: Any,
        neurons: NestPopulation,
    ):
        self._nest, self._network, self._projection, self._model = nest, network, projection, model
        self._ends = source, target
        factor = neurons.ports[projection.receptor].factor
        self._unit = NEST_UNITS[neurons.population.receptors[projection.receptor]] * factor

    def read(self) -> np.ndarray:
        """The weights now, SI, float64 [synapses]."""
        synapses = self._network.synapses(self._projection)
        group = self._projection.source
        senders, targets = self._ends
        connections = self._nest.GetConnections(
            senders[group.first : group.first + group.size], targets, synapse_model=self._model
        )
        found = connections.get(["source", "target", "delay", "weight"])
        theirs = [np.atleast_1d(np.asarray(found[key], float)) for key in ("source", "target", "delay", "weight")]
        theirs[2] = np.round(theirs[2] / (self._network.dt * 1e3))
        theirs[3] = theirs[3] / self._unit
        count = synapses.count
        ours = [
            synapses.senders(),
            synapses.connectivity.targets,
            np.full(count, synapses.delays),
            np.full(count, synapses.weights),
        ]
        weights = np.empty(count)
        weights[np.lexsort(ours[::-1])] = theirs[3][np.lexsort(theirs[::-1])]
        return weights
