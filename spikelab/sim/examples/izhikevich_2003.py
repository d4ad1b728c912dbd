"""A thousand randomly connected Izhikevich neurons with noisy thalamic input (Izhikevich 2003)."""

from __future__ import annotations

from typing import Literal

import numpy as np

from spikelab.sim.distributions import Uniform
from spikelab.sim.inputs import NoiseCurrent
from spikelab.sim.network import Network
from spikelab.sim.plasticity.choice import Plasticity
from spikelab.sim.units import ms
from spikelab.sim.wiring import AllToAll, FixedOutDegree


def izhikevich_2003(
    *,
    neurons: int = 1000,
    out_degree: int | None = None,
    plastic: bool = False,
    seed: int = 0,
    dtype: Literal["float64", "float32"] = "float64",
) -> Network:
    """The network of Izhikevich's paper: regular spiking to chattering excitatory cells, fast spiking inhibitory ones.

    As in his script the time step is 1 ms, the membrane takes two half steps in it, and a spike acts in the next step.

    Args:
        neurons: how many, four fifths of them excitatory.
        out_degree: random targets of each neuron, with weights up to 3 and -6; None connects all with all, with
            weights up to 0.5 and -1, as in the paper.
        plastic: whether excitatory synapses follow additive pair STDP.
        seed: of everything that is random.
        dtype: "float64" or "float32".

    Source: Izhikevich 2003, IEEE Transactions on Neural Networks 14, figure 3 and the published script.
    """
    network = Network(dt=1 * ms, seed=seed, dtype=dtype)
    count = neurons * 4 // 5
    random = np.random.default_rng(seed)
    excitatory_mix, inhibitory_mix = random.random(count), random.random(neurons - count)
    a = np.concatenate([np.full(count, 0.02), 0.02 + 0.08 * inhibitory_mix])
    b = np.concatenate([np.full(count, 0.2), 0.25 - 0.05 * inhibitory_mix])
    c = np.concatenate([-65 + 15 * excitatory_mix**2, np.full(neurons - count, -65.0)])
    d = np.concatenate([8 - 6 * excitatory_mix**2, np.full(neurons - count, 2.0)])
    cells = network.population(
        "cells",
        neurons,
        "izhikevich",
        a=a,
        b=b,
        c=c,
        d=d,
        initial={"v": -65.0, "u": b * -65.0},
        method="half_step_euler",
    )
    excitatory, inhibitory = cells[:count], cells[count:]
    wiring = AllToAll() if out_degree is None else FixedOutDegree(out_degree)
    strongest = (0.5, -1.0) if out_degree is None else (3.0, -6.0)
    rule = None
    if plastic:
        rule = Plasticity("pair_stdp", a_plus=0.02, a_minus=0.021, w_max=strongest[0])
    network.projection(excitatory, cells, wiring, receptor="current", weight=Uniform(0, strongest[0]), plasticity=rule)
    network.projection(inhibitory, cells, wiring, receptor="current", weight=Uniform(strongest[1], 0))
    network.input(excitatory, NoiseCurrent(standard_deviation=5.0))
    network.input(inhibitory, NoiseCurrent(standard_deviation=2.0))
    return network
