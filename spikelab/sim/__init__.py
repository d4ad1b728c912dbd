"""Simulation of networks: populations, projections, delays, plasticity, monitors.

    from spikelab import sim
    from spikelab.sim import ms, mV, pA

    network = sim.Network(dt=0.1 * ms, seed=1)
    cells = network.population("cells", 100, "lif_membrane", bias=400 * pA, refractory=2 * ms)
    spikes = network.record_spikes(cells)
    network.run(0.5)

Units (``spikelab.sim.units.UNITS``) can be imported from here.
"""

from typing import TYPE_CHECKING, Any

from spikelab.sim import units
from spikelab.sim.choices import Receptor
from spikelab.sim.distributions import Choice, Exponential, LogNormal, Normal, TruncatedNormal, Uniform
from spikelab.sim.inputs import NoiseCurrent, PoissonInput, StepCurrent
from spikelab.sim.network import Network
from spikelab.sim.plasticity.choice import Plasticity
from spikelab.sim.plasticity.modulator import SpikeSignal, StepSignal
from spikelab.sim.plasticity.rewiring import Rewiring
from spikelab.sim.plasticity.spec import PlasticitySpec, SynapseVariable, Trace
from spikelab.sim.population import Group, Population
from spikelab.sim.projection import Projection
from spikelab.sim.sources import PoissonSource, SpikeArray, spikes_of_events
from spikelab.sim.wiring import (
    AllToAll,
    DistanceDependent,
    Explicit,
    FixedInDegree,
    FixedOutDegree,
    FixedProbability,
    FixedTotalNumber,
    FromMatrix,
    OneToOne,
)

if TYPE_CHECKING:
    from spikelab.sim.nir_network import network_from_nir

__all__ = [
    "AllToAll",
    "Choice",
    "DistanceDependent",
    "Explicit",
    "Exponential",
    "FixedInDegree",
    "FixedOutDegree",
    "FixedProbability",
    "FixedTotalNumber",
    "FromMatrix",
    "Group",
    "LogNormal",
    "Network",
    "NoiseCurrent",
    "Normal",
    "OneToOne",
    "Plasticity",
    "PlasticitySpec",
    "PoissonInput",
    "PoissonSource",
    "Population",
    "Projection",
    "Receptor",
    "Rewiring",
    "SpikeArray",
    "SpikeSignal",
    "StepCurrent",
    "StepSignal",
    "SynapseVariable",
    "Trace",
    "TruncatedNormal",
    "Uniform",
    "network_from_nir",
    "spikes_of_events",
]


def __getattr__(name: str) -> Any:
    # the library of units is imported with the first unit that is asked for
    if name in units.UNITS:
        return getattr(units, name)
    # and what reads NIR with the first graph
    if name == "network_from_nir":
        from spikelab.sim.nir_network import network_from_nir

        return network_from_nir
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
