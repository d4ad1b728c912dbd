"""Sparsely connected excitatory and inhibitory neurons driven by Poisson input (Brunel 2000)."""

from __future__ import annotations

from typing import Any, Literal

from spikelab.sim.choices import Receptor
from spikelab.sim.distributions import Uniform
from spikelab.sim.inputs import PoissonInput
from spikelab.sim.network import Network
from spikelab.sim.plasticity.choice import Plasticity
from spikelab.sim.units import ms, mV, si
from spikelab.sim.wiring import FixedInDegree


def brunel(
    *,
    neurons: int = 10_000,
    in_degree: int = 1000,
    g: float = 5.0,
    eta: float = 2.0,
    weight: Any = 0.1 * mV,
    delay: Any = 1.5 * ms,
    v_reset: Any = 10 * mV,
    plastic: bool = False,
    dt: Any = 0.1 * ms,
    seed: int = 0,
    dtype: Literal["float64", "float32"] = "float64",
) -> Network:
    """Brunel's network with delta synapses.

    Four fifths of the neurons excite. Every neuron has ``in_degree`` synapses, four fifths of them excitatory, and
    Poisson input of ``eta`` times the rate that would bring it to threshold.

    Args:
        neurons: how many.
        in_degree: synapses of each neuron.
        g: strength of inhibition relative to excitation.
        eta: outside input relative to the threshold's.
        weight: jump of the membrane by an excitatory spike.
        delay: of all synapses.
        v_reset: potential after a spike; NEST's example of the same name takes 0.
        plastic: whether synapses among excitatory neurons follow additive pair STDP.
        dt: time step.
        seed: of wiring and input.
        dtype: "float64" or "float32".

    Source: Brunel 2000, Journal of Computational Neuroscience 8, model A.
    """
    network = Network(dt=dt, seed=seed, dtype=dtype)
    jump, tau_mem, threshold = float(si(weight, "V", "weight")), 20e-3, 20e-3
    cells = network.population(
        "cells",
        neurons,
        "lif_membrane",
        tau_mem=tau_mem,
        v_leak=0 * mV,
        v_threshold=threshold,
        v_reset=v_reset,
        refractory=2 * ms,
        receptors={"spikes": Receptor("delta")},
        initial={"v": Uniform(0 * mV, threshold)},
    )
    count, excitatory_degree = neurons * 4 // 5, in_degree * 4 // 5
    excitatory, inhibitory = cells[:count], cells[count:]
    if plastic:
        rule = Plasticity("pair_stdp", a_plus=0.005, a_minus=0.00525, w_max=2 * jump)
        network.projection(
            excitatory,
            excitatory,
            FixedInDegree(excitatory_degree),
            receptor="spikes",
            weight=jump,
            delay=delay,
            plasticity=rule,
        )
        network.projection(
            excitatory, inhibitory, FixedInDegree(excitatory_degree), receptor="spikes", weight=jump, delay=delay
        )
    else:
        network.projection(
            excitatory, cells, FixedInDegree(excitatory_degree), receptor="spikes", weight=jump, delay=delay
        )
    network.projection(
        inhibitory,
        cells,
        FixedInDegree(in_degree - excitatory_degree),
        receptor="spikes",
        weight=-g * jump,
        delay=delay,
    )
    # the rate of all outside synapses together that would just bring the mean membrane to threshold
    to_threshold = threshold / (jump * tau_mem)
    network.input(cells, PoissonInput(rate=eta * to_threshold, weight=jump), receptor="spikes")
    return network
