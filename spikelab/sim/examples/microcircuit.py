"""The cortical microcircuit: four layers under a square millimetre of cortex (Potjans and Diesmann 2014)."""

from __future__ import annotations

from typing import Literal

import numpy as np

from spikelab.sim.choices import Receptor
from spikelab.sim.distributions import Normal, TruncatedNormal
from spikelab.sim.inputs import PoissonInput
from spikelab.sim.network import Network
from spikelab.sim.wiring import FixedTotalNumber

#: Layer and kind, in the order of the tables below.
NAMES = ("L23E", "L23I", "L4E", "L4I", "L5E", "L5I", "L6E", "L6I")
#: Neurons of the full circuit (table 5 of the paper).
SIZES = np.array([20683, 5834, 21915, 5479, 4850, 1065, 14395, 2948])
#: Probability that two neurons are connected at all, [target, source] (table 5).
PROBABILITIES = np.array(
    [
        [0.1009, 0.1689, 0.0437, 0.0818, 0.0323, 0.0000, 0.0076, 0.0000],
        [0.1346, 0.1371, 0.0316, 0.0515, 0.0755, 0.0000, 0.0042, 0.0000],
        [0.0077, 0.0059, 0.0497, 0.1350, 0.0067, 0.0003, 0.0453, 0.0000],
        [0.0691, 0.0029, 0.0794, 0.1597, 0.0033, 0.0000, 0.1057, 0.0000],
        [0.1004, 0.0622, 0.0505, 0.0057, 0.0831, 0.3726, 0.0204, 0.0000],
        [0.0548, 0.0269, 0.0257, 0.0022, 0.0600, 0.3158, 0.0086, 0.0000],
        [0.0156, 0.0066, 0.0211, 0.0166, 0.0572, 0.0197, 0.0396, 0.2252],
        [0.0364, 0.0010, 0.0034, 0.0005, 0.0277, 0.0080, 0.0658, 0.1443],
    ]
)
#: Synapses of a neuron from outside, each with spikes at 8 Hz.
OUTSIDE = np.array([1600, 1500, 2100, 1900, 2000, 1900, 2900, 2100])
OUTSIDE_RATE = 8.0
#: Rates of the full circuit in Hz, for the current that stands in for the synapses that a smaller circuit lacks.
FULL_RATES = np.array([0.971, 2.868, 4.746, 5.396, 8.142, 9.078, 0.991, 7.523])
#: Start of the membranes in mV, mean and spread, close to where they settle, so that no burst comes first.
START = np.array([-68.28, -63.16, -63.33, -63.45, -63.11, -61.66, -66.72, -61.43])
START_SPREAD = np.array([5.36, 4.57, 4.74, 4.94, 4.94, 4.55, 5.46, 4.48])
TAU_MEM, TAU_SYN, CAPACITANCE = 10e-3, 0.5e-3, 250e-12
#: Height of an excitatory postsynaptic potential, in volts, and inhibition relative to it.
HEIGHT, INHIBITION = 0.15e-3, -4.0


def microcircuit(
    *, scale: float = 0.1, seed: int = 0, dt: float = 1e-4, dtype: Literal["float64", "float32"] = "float64"
) -> Network:
    """The circuit with ``scale`` times the neurons, and ``scale`` times the synapses of each.

    Lost synapses are made up for as van Albada, Helias and Diesmann (2015, PLoS Comput Biol 11) propose: weights grow
    by 1 / sqrt(scale) and a constant current adds the mean that is missing. Mean and variance of the input stay;
    correlations do not.

    Args:
        scale: 1 for the full 77,169 neurons and 0.3 billion synapses.
        seed: of wiring, starting values and input.
        dt: time step in seconds.
        dtype: "float64" or "float32".

    Source: Potjans and Diesmann 2014, Cerebral Cortex 24, tables 4 and 5; L4E to L23E weights doubled as there.
    """
    if not 0 < scale <= 1:
        raise ValueError(f"scale = {scale!r} must lie between 0 and 1")
    network = Network(dt=dt, seed=seed, dtype=dtype)
    pairs = np.outer(SIZES, SIZES)
    # multiple synapses are allowed, so that more of them are needed than pairs are connected
    synapses = np.log1p(-PROBABILITIES) / np.log((pairs - 1.0) / pairs)
    excitatory = np.arange(len(NAMES)) % 2 == 0
    weights = np.where(excitatory, HEIGHT, INHIBITION * HEIGHT) / _peak() * np.ones((8, 1))
    weights[0, 2] *= 2
    outside = HEIGHT / _peak()
    mean = (weights * synapses / SIZES[:, None] * FULL_RATES).sum(axis=1) + outside * OUTSIDE * OUTSIDE_RATE
    lost = TAU_SYN * (1 - np.sqrt(scale)) * mean
    grown = 1 / np.sqrt(scale)
    populations = [
        network.population(
            name,
            round(SIZES[k] * scale),
            "lif_membrane",
            tau_mem=TAU_MEM,
            capacitance=CAPACITANCE,
            v_leak=-65e-3,
            v_threshold=-50e-3,
            v_reset=-65e-3,
            refractory=2e-3,
            bias=lost[k],
            receptors={"synapses": Receptor("exponential_current", tau_syn=TAU_SYN)},
            initial={"v": Normal(START[k] * 1e-3, START_SPREAD[k] * 1e-3)},
        )
        for k, name in enumerate(NAMES)
    ]
    for t, target in enumerate(populations):
        for s, source in enumerate(populations):
            count = round(synapses[t, s] * scale * scale)
            if not count:
                continue
            weight, delay = weights[t, s] * grown, 1.5e-3 if excitatory[s] else 0.75e-3
            low, high = (0.0, None) if weight > 0 else (None, 0.0)
            network.projection(
                source,
                target,
                FixedTotalNumber(count),
                receptor="synapses",
                weight=TruncatedNormal(weight, 0.1 * abs(weight), low, high),
                delay=TruncatedNormal(delay, delay / 2, low=max(dt, 0.5e-4)),
            )
        rate = OUTSIDE_RATE * round(OUTSIDE[t] * scale)
        network.input(target, PoissonInput(rate=rate, weight=outside * grown), receptor="synapses")
    return network


def _peak() -> float:
    """Volts at the peak of the potential that an exponential current of one ampere evokes."""
    ratio = (TAU_MEM / TAU_SYN) ** (1.0 / (TAU_SYN - TAU_MEM))
    return TAU_MEM * TAU_SYN / CAPACITANCE / (TAU_SYN - TAU_MEM) * (ratio**TAU_MEM - ratio**TAU_SYN)
