"""Simulation of networks: populations, projections, delays, plasticity, monitors.

    from spikelab import sim
    from spikelab.sim import ms, mV, pA

    network = sim.Network(dt=0.1 * ms, seed=1)
    cells = network.population("cells", 100, "lif_membrane", bias=400 * pA, refractory=2 * ms)
    spikes = network.record_spikes(cells)
    network.run(0.5)

Units (``spikelab.sim.units.UNITS``) can be imported from here.
"""

from importlib import import_module
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
    from spikelab.sim.parameter_sweep import SweepInterrupted, sweep

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
    "SweepInterrupted",
    "SynapseVariable",
    "Trace",
    "TruncatedNormal",
    "Uniform",
    "network_from_nir",
    "spikes_of_events",
    "sweep",
]


#: What is imported when it is first asked for, with the libraries that it brings.
_LATER = {
    "network_from_nir": "spikelab.sim.nir_network",
    "sweep": "spikelab.sim.parameter_sweep",
    "SweepInterrupted": "spikelab.sim.parameter_sweep",
}


def __getattr__(name: str) -> Any:
    if name in units.UNITS:
        return getattr(units, name)
    if name in _LATER:
        return getattr(import_module(_LATER[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
