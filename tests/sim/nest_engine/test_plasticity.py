"""Plastic synapses in NEST against our rules."""

import numpy as np
import pytest

from spikelab import sim
from spikelab.sim import Network, Receptor
from spikelab.sim.nest_engine.plastic_table import PLASTIC_ROWS
from spikelab.sim.plasticity.choice import Plasticity

DT = 0.1e-3
DELAY = 1e-3
PRE = np.array([10.0, 24.0, 41.3, 58.0, 90.5, 91.9, 120.0])
POST = np.array([12.4, 20.0, 47.1, 60.2, 86.0, 95.2, 101.0])
LAST = 190.0


def pair_network(rule, shift=0.0, **parameters):
    """A plastic synapse, too weak to matter, onto a cell driven by given spikes; ``shift`` moves the sender's."""
    network = Network(dt=DT)
    times = np.concatenate([np.append(PRE, LAST) + shift, POST]) * 1e-3
    drivers = network.source("drivers", 2, sim.SpikeArray(times, np.repeat([0, 1], [len(PRE) + 1, len(POST)])))
    cell = network.population("cell", 1, "lif_membrane", receptors={"spikes": Receptor("delta")}, refractory=0.5e-3)
    spikes = network.record_spikes(cell)
    network.projection(drivers[1:], cell, sim.OneToOne(), receptor="spikes", weight=1.0, delay=DELAY)
    learned = network.projection(
        drivers[:1],
        cell,
        sim.OneToOne(),
        receptor="spikes",
        weight=0.5e-6,
        delay=DELAY,
        plasticity=Plasticity(rule, w_max=1e-6, tau_plus=17e-3, tau_minus=31e-3, **parameters),
    )
    return network, learned, spikes


@pytest.mark.parametrize("rule", [row.rule for row in PLASTIC_ROWS if row.tau_minus])
def test_stdp_is_ours_with_the_sender_two_delays_earlier(rule):
    theirs, learned, spikes = pair_network(rule, a_plus=0.05, a_minus=0.04)
    theirs.run(0.2, engine="nest")
    ours, our_learned, our_spikes = pair_network(rule, shift=-2e3 * DELAY, a_plus=0.05, a_minus=0.04)
    ours.run(0.2)
    np.testing.assert_allclose(spikes.times, our_spikes.times, atol=1e-12)
    assert len(spikes) == len(POST)
    change = ours.weights(our_learned) - 0.5e-6
    assert abs(change) > 0.01e-6
    np.testing.assert_allclose(theirs.weights(learned) - 0.5e-6, change, rtol=1e-9)


def test_short_term_plasticity_is_the_same():
    def traces(engine):
        network = Network(dt=DT)
        source = network.source("source", 1, sim.SpikeArray(PRE * 1e-3, np.zeros(len(PRE), int)))
        receptors = {"synapse": Receptor("exponential_current", tau_syn=3e-3)}
        cell = network.population("cell", 1, "lif_membrane", receptors=receptors)
        rule = Plasticity("tsodyks_markram", tau_rec=0.1, tau_facil=0.05, utilisation=0.3)
        network.projection(source, cell, sim.OneToOne(), receptor="synapse", weight=1e-10, delay=DELAY, plasticity=rule)
        trace = network.record_states(cell, ["i_synapse"])
        network.run(0.15, engine=engine)
        return trace["i_synapse"]

    theirs, ours = traces("nest"), traces("numba")
    assert ours.max() > 0
    np.testing.assert_allclose(theirs, ours, atol=1e-12 * ours.max())


def test_weights_come_in_our_order_and_are_recorded():
    network = Network(dt=DT, seed=2)
    source = network.source("source", 30, sim.PoissonSource(rate=50.0))
    cells = network.population("cells", 20, "lif_membrane", receptors={"spikes": Receptor("delta")})
    rule = Plasticity("pair_stdp", w_max=2e-3)
    projection = network.projection(
        source,
        cells,
        sim.FixedInDegree(60),
        receptor="spikes",
        weight=sim.Uniform(0, 2e-3),
        delay=sim.Uniform(1e-3, 2e-3),
        plasticity=rule,
    )
    static = network.projection(source, cells, sim.AllToAll(), receptor="spikes", weight=0.0)
    given = network.synapses(projection).weights.copy()
    recorded = network.record_weights(projection, every=50e-3, synapses=[3, 5])
    network.run(0.0, engine="nest")
    np.testing.assert_allclose(network.weights(projection), given, rtol=1e-12)
    np.testing.assert_array_equal(network.weights(static), 0.0)
    network.run(0.2, engine="nest")
    assert np.abs(network.weights(projection) - given).max() > 1e-5
    np.testing.assert_allclose(recorded.times, [0, 0.05, 0.1, 0.15, 0.2])
    np.testing.assert_allclose(recorded.weights[0], given[[3, 5]], rtol=1e-12)
    np.testing.assert_allclose(recorded.weights[-1], network.weights(projection)[[3, 5]], rtol=1e-12)


def test_two_time_constants_for_one_neuron_are_refused():
    network, learned, _ = pair_network("pair_stdp")
    cell = learned.target
    network.projection(
        network.populations["drivers"][:1],
        cell,
        sim.OneToOne(),
        receptor="spikes",
        weight=0.5e-6,
        plasticity=Plasticity("pair_stdp", w_max=1e-6, tau_minus=10e-3),
    )
    with pytest.raises(ValueError, match="tau_minus = 10 ms, but another plastic projection onto cell has 31 ms"):
        network.run(0.01, engine="nest")
