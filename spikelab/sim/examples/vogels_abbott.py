"""A balanced network of current-based neurons that keeps itself active (Vogels and Abbott 2005)."""

from __future__ import annotations

from typing import Any, Literal

from spikelab.sim.choices import Receptor
from spikelab.sim.distributions import Uniform
from spikelab.sim.network import Network
from spikelab.sim.plasticity.choice import Plasticity
from spikelab.sim.units import ms, mV, pA, pF
from spikelab.sim.wiring import FixedProbability


def vogels_abbott(
    *,
    neurons: int = 4000,
    delay: Any = 0.1 * ms,
    plastic: bool = False,
    dt: Any = 0.1 * ms,
    seed: int = 0,
    dtype: Literal["float64", "float32"] = "float64",
) -> Network:
    """The CUBA network of the review of simulators.

    Four fifths of the neurons excite; every pair is connected with probability 2 %. In the paper currents are given as
    voltages over the leak; a leak of 10 nS turns 1.62 mV into 16.2 pA. The network has no outside input: its resting
    potential lies above threshold.

    Args:
        neurons: how many; the connection probability stays.
        delay: of all synapses.
        plastic: whether synapses among excitatory neurons follow pair STDP.
        dt: time step.
        seed: of wiring and starting values.
        dtype: "float64" or "float32".

    Source: Vogels and Abbott 2005, Journal of Neuroscience 25; benchmark 2 of Brette et al. 2007, Journal of
    Computational Neuroscience 23.
    """
    network = Network(dt=dt, seed=seed, dtype=dtype)
    cells = network.population(
        "cells",
        neurons,
        "lif_membrane",
        tau_mem=20 * ms,
        capacitance=200 * pF,
        v_leak=-49 * mV,
        v_threshold=-50 * mV,
        v_reset=-60 * mV,
        refractory=5 * ms,
        receptors={
            "excitatory": Receptor("exponential_current", tau_syn=5 * ms),
            "inhibitory": Receptor("exponential_current", tau_syn=10 * ms),
        },
        initial={"v": Uniform(-60 * mV, -50 * mV)},
    )
    count = neurons * 4 // 5
    excitatory, inhibitory = cells[:count], cells[count:]
    wiring = FixedProbability(0.02)
    if plastic:
        rule = Plasticity("pair_stdp", a_plus=0.02, a_minus=0.021, w_max=32.4 * pA)
        network.projection(
            excitatory, excitatory, wiring, receptor="excitatory", weight=16.2 * pA, delay=delay, plasticity=rule
        )
        network.projection(excitatory, inhibitory, wiring, receptor="excitatory", weight=16.2 * pA, delay=delay)
    else:
        network.projection(excitatory, cells, wiring, receptor="excitatory", weight=16.2 * pA, delay=delay)
    network.projection(inhibitory, cells, wiring, receptor="inhibitory", weight=-90 * pA, delay=delay)
    return network
