"""Spike-timing dependent plasticity whose changes shrink towards the bounds."""

from dataclasses import replace

from spikelab.neurons.spec import Parameter
from spikelab.sim.plasticity.pair_stdp import PairSTDP

MultiplicativeSTDP = replace(
    PairSTDP,
    name="multiplicative_stdp",
    title="Multiplicative pair-based STDP",
    source="Rubin, Lee and Sompolinsky 2001, Physical Review Letters 86",
    on_pre=("w = w - a_minus * w * y_post", "x_pre = x_pre + 1"),
    on_post=("w = w + a_plus * (w_max - w) * x_pre", "y_post = y_post + 1"),
)

_MU = Parameter("mu", 0.4, "1", "0: additive, 1: multiplicative", lower=0.0, upper=1.0)

PowerLawSTDP = replace(
    PairSTDP,
    name="power_law_stdp",
    title="Pair-based STDP between additive and multiplicative",
    source="Gütig, Aharonov, Rotter and Sompolinsky 2003, Journal of Neuroscience 23",
    parameters=(*PairSTDP.parameters, _MU),
    on_pre=("w = w - a_minus * w_max * (w / w_max)**mu * y_post", "x_pre = x_pre + 1"),
    on_post=("w = w + a_plus * w_max * (1 - w / w_max)**mu * x_pre", "y_post = y_post + 1"),
)
