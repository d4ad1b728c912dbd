"""A network in words: everything that a methods section needs, and names in a notebook that fit on a line."""

import numpy as np

from spikelab import registry, sim
from spikelab.sim import Hz, Network, Receptor, ms, mV, nS, pA


def network():
    network = Network(dt=0.1 * ms, seed=3)
    cells = network.population(
        "cells",
        20,
        "lif_membrane",
        tau_mem=sim.Normal(20 * ms, 1 * ms),
        bias=300 * pA,
        refractory=2 * ms,
        method="exponential_euler",
        receptors={"excitatory": Receptor("exponential_conductance", reversal=0 * mV)},
        initial={"v": sim.Uniform(-60 * mV, -55 * mV)},
        sign="excitatory",
        positions=np.zeros((20, 2)),
    )
    bursting = network.population("bursting", 5, "hodgkin_huxley")
    noise = network.source("noise", 10, sim.PoissonSource(rate=40 * Hz))
    network.projection(noise, cells, sim.AllToAll(), receptor="excitatory", weight=sim.Uniform(1 * nS, 2 * nS))
    network.projection(
        cells,
        cells,
        sim.FixedProbability(0.2),
        receptor="excitatory",
        weight=1 * nS,
        delay=1.5 * ms,
        plasticity=sim.Plasticity("pair_stdp", w_max=4 * nS),
    )
    network.input(cells, sim.PoissonInput(rate=1000 * Hz, weight=0.5 * nS), receptor="excitatory")
    network.input(bursting, sim.NoiseCurrent(standard_deviation=20 * pA))
    network.input(bursting, sim.StepCurrent([0.0, 0.1], [0 * pA, 400 * pA]))
    network.record_spikes(cells)
    network.record_states(cells[:5], "v", every=1 * ms)
    return network


def test_everything_that_was_declared_is_told():
    text = network().describe()
    for told in (
        "time step 100 us, seed 3, float64",
        "cells, 20 neurons: ",
        "dv/dt = ",
        "stepped by the method exponential_euler",
        "refractory for 2 ms (20 steps",
        "tau_mem = Normal(mean='20.0 ms', standard_deviation='1.0 ms') (",
        "bias = 300 pA",
        "all its weights are excitatory",
        "placed in 0 m to 0 m x 0 m to 0 m",
        "starts at v = Uniform(",
        "a spike of weight 1 S at excitatory raises g_excitatory by",
        "linoid(x) = x / (1 - exp(-x))",
        "spike where v - v_threshold > 0 and was not, one step before",
        "noise, 10 neurons: PoissonSource of 40 Hz",
        "200 synapses, weight Uniform(low='1.0 nS', high='2.0 nS') (",
        "delay 1.5 ms",
        "plasticity: Additive pair-based STDP",
        "on a presynaptic spike: w = w - a_minus * w_max * y_post",
        "w_max = 4e-09",
        "PoissonInput into cells, receptor excitatory: rate 1 kHz, weight 500 pS",
        "NoiseCurrent into bursting, receptor current: mean 0 A, standard deviation 20 pA a step",
        "StepCurrent into bursting, receptor current: 2 values of 0 A to 400 pA",
        "spikes of cells",
        "v of cells[0:5], every 1 ms",
    ):
        assert told in text, told


def test_receptors_describe_themselves():
    for name in registry.names("receptors"):
        text = registry.load("receptors", name).describe()
        assert "a spike of weight 1 raises" in text
        assert "Source: " in text
    assert "tau_syn" in registry.load("receptors", "alpha_current").describe()


def test_names_in_a_notebook_are_short():
    built = network()
    cells = built.populations["cells"]
    assert repr(cells) == "<population cells, 20 of lif_membrane_with_excitatory>"
    assert repr(cells[:5]) == "<group cells[0:5], 5 neurons>"
    assert repr(built.projections[0]).startswith("<projection 0 (noise to cells), receptor excitatory, AllToAll(")
    assert repr(built.monitors[0]) == "<SpikeMonitor of cells, 0 rows>"
    assert repr(built) == "<network of 3 populations (35 neurons) and 2 projections, at 0 s>"
