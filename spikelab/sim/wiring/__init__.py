"""Which neuron reaches which: wiring rules and the connectivity that they build."""

from spikelab.sim.wiring.bernoulli import FixedProbability
from spikelab.sim.wiring.connectivity import Connectivity
from spikelab.sim.wiring.degree import FixedInDegree, FixedOutDegree
from spikelab.sim.wiring.regular import AllToAll, OneToOne
from spikelab.sim.wiring.rule import Wiring

__all__ = [
    "AllToAll",
    "Connectivity",
    "FixedInDegree",
    "FixedOutDegree",
    "FixedProbability",
    "OneToOne",
    "Wiring",
]
