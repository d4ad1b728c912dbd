"""Simulation of networks: populations, projections, delays, plasticity, monitors.

from spikelab import sim
from spikelab.sim import ms, mV, pA

network = sim.Network(dt=0.1 * ms, seed=1)
cells = network.population("cells", 100, "lif_membrane", bias=400 * pA, refractory=2 * ms)
spikes = network.record_spikes(cells)
network.run(0.5)
"""

from spikelab.sim.choices import Receptor
from spikelab.sim.inputs import NoiseCurrent, PoissonInput, StepCurrent
from spikelab.sim.network import Network
from spikelab.sim.population import Group, Population
from spikelab.sim.projection import Projection
from spikelab.sim.sources import PoissonSource, SpikeArray, spikes_of_events
