"""Spike-timing dependent plasticity in which all pairs of spikes count alike, with hard bounds."""

from spikelab.sim.plasticity.parameters import A_MINUS, A_PLUS, TAU_MINUS, TAU_PLUS, W_MAX
from spikelab.sim.plasticity.spec import PlasticitySpec, Trace

PairSTDP = PlasticitySpec(
    name="pair_stdp",
    title="Additive pair-based STDP",
    source="Song, Miller and Abbott 2000, Nature Neuroscience 3",
    parameters=(TAU_PLUS, TAU_MINUS, A_PLUS, A_MINUS, W_MAX),
    pre=(Trace("x_pre", "tau_plus", "recent spikes of the sender"),),
    post=(Trace("y_post", "tau_minus", "recent spikes of the target"),),
    on_pre=("w = w - a_minus * w_max * y_post", "x_pre = x_pre + 1"),
    on_post=("w = w + a_plus * w_max * x_pre", "y_post = y_post + 1"),
    w_min="0",
    w_max="w_max",
)
