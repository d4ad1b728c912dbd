"""Which neuron reaches which: wiring rules and the connectivity that they build."""

from spikelab.sim.wiring.arrays import Explicit, FromMatrix
from spikelab.sim.wiring.bernoulli import FixedProbability
from spikelab.sim.wiring.connectivity import Connectivity
from spikelab.sim.wiring.degree import FixedInDegree, FixedOutDegree
from spikelab.sim.wiring.distance import DistanceDependent
from spikelab.sim.wiring.regular import AllToAll, OneToOne
from spikelab.sim.wiring.rule import Wiring
from spikelab.sim.wiring.total import FixedTotalNumber

__all__ = [
    "AllToAll",
    "Connectivity",
    "DistanceDependent",
    "Explicit",
    "FixedInDegree",
    "FixedOutDegree",
    "FixedProbability",
    "FixedTotalNumber",
    "FromMatrix",
    "OneToOne",
    "Wiring",
]
