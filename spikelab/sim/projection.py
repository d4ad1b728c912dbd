"""Projections: synapses from one group to another, and the arrays that they become."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from spikelab.sim.population import Group

if TYPE_CHECKING:
    from spikelab.sim.plasticity.choice import Plasticity
    from spikelab.sim.wiring.connectivity import Connectivity
    from spikelab.sim.wiring.rule import Wiring


@dataclass(frozen=True, eq=False, repr=False)
class Projection:
    """Synapses of one kind from one group to another. Made by ``Network.projection``.

    Attributes:
        number: its place in the network, which decides the order of summation and its random numbers.
        source: where the spikes come from.
        target: where they arrive.
        wiring: which pairs are connected.
        receptor: the receptor of the target that the spikes act on.
        weight: one number, a value for each synapse in the wiring's order, or a distribution; SI.
        delay: the same, in seconds.
        plasticity: how weights change, or None.
    """

    number: int
    source: Group
    target: Group
    wiring: Wiring
    receptor: str
    weight: Any
    delay: Any
    plasticity: Plasticity | None = None

    def __str__(self) -> str:
        return f"projection {self.number} ({self.source} to {self.target})"

    def __repr__(self) -> str:
        return f"<{self}, receptor {self.receptor}, {self.wiring!r}>"


@dataclass(eq=False)
class Synapses:
    """The synapses of a projection as arrays, by sender and then by target.

    Attributes:
        connectivity: which neuron of the source group reaches which neuron of the target's *population*.
        weights: one number, or float [synapses].
        delays: steps, one number, or uint8, uint16 or int32 [synapses].
    """

    connectivity: Connectivity
    weights: float | np.ndarray
    delays: int | np.ndarray

    @property
    def count(self) -> int:
        """How many there are."""
        return int(self.connectivity.targets.size)

    def senders(self) -> np.ndarray:
        """The sender of each synapse, counted within the source group, int64 [synapses]."""
        starts = self.connectivity.starts
        return np.repeat(np.arange(starts.size - 1), np.diff(starts))
