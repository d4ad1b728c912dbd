"""Spike-timing dependent plasticity in which only the nearest spike of the other neuron counts."""

from dataclasses import replace

from spikelab.sim.plasticity.pair_stdp import PairSTDP

NearestPairSTDP = replace(
    PairSTDP,
    name="nearest_pair_stdp",
    title="Additive pair-based STDP of nearest spikes",
    source="Morrison, Diesmann and Gerstner 2008, Biological Cybernetics 98: symmetric nearest-neighbour pairing",
    on_pre=("w = w - a_minus * w_max * y_post", "x_pre = 1"),
    on_post=("w = w + a_plus * w_max * x_pre", "y_post = 1"),
)
