"""A state of NEST's nodes, read and changed like an array."""

from __future__ import annotations

from typing import Any

import numpy as np

from spikelab.sim.nest_engine.kernel import nest_threads
from spikelab.sim.nest_engine.neurons import NestPopulation
from spikelab.sim.nest_engine.support import ELSEWHERE, NotSupported


class NodeValues:
    """A state of every neuron of a population, in SI units; takes ranges.

    Args:
        nest: PyNEST.
        neurons: the population's translation.
        nodes: its nodes.
        state: which one.
    """

    def __init__(self, nest: Any, neurons: NestPopulation, nodes: Any, state: str):
        self._nest, self._neurons, self._nodes, self._state = nest, neurons, nodes, state
        self._names = neurons.names.get(state, {})
        settable = nest.GetDefaults(neurons.row.model)
        #: Whether NEST lets it be read and changed.
        self.known = bool(self._names) and all(name in settable for name in self._names)
        self._unit = neurons.unit(state)

    def __getitem__(self, range_: slice) -> np.ndarray:
        self._check("read; record it with record_states")
        with nest_threads(self._nest):
            nodes = self._nodes[range_]
            parts = [sign * np.atleast_1d(np.asarray(nodes.get(name), float)) for name, sign in self._names.items()]
        return np.sum(parts, axis=0) / self._unit

    def __setitem__(self, range_: slice, value: Any) -> None:
        self._check(f"changed; {ELSEWHERE}")
        with nest_threads(self._nest):
            nodes = self._nodes[range_]
            numbers = np.broadcast_to(np.asarray(value, float) * self._unit, len(nodes))
            # of a sum over two places all goes to the first
            for place, (name, sign) in enumerate(self._names.items()):
                nodes.set({name: sign * numbers if place == 0 else np.zeros(len(nodes))})

    def _check(self, what: str) -> None:
        if not self.known:
            raise NotSupported(
                f"population {self._neurons.population.name}: the state {self._state!r} of NEST's "
                f"{self._neurons.row.model} cannot be {what}"
            )
