"""Plasticity of inhibitory synapses that balances the excitation of each target."""

from spikelab.neurons.spec import Parameter
from spikelab.sim.plasticity.hebbian import TAU
from spikelab.sim.plasticity.parameters import W_MAX
from spikelab.sim.plasticity.spec import PlasticitySpec, Trace

InhibitorySTDP = PlasticitySpec(
    name="inhibitory_stdp",
    title="Inhibitory plasticity towards balance",
    source="Vogels, Sprekeler, Zenke, Clopath and Gerstner 2011, Science 334",
    parameters=(
        TAU,
        Parameter("rate", 0.005, "1", "size of a change, as a part of w_max"),
        Parameter("target_rate", 5.0, "Hz", "rate that the target is brought to", lower=0.0),
        W_MAX,
    ),
    pre=(Trace("x_pre", "tau", "recent spikes of the sender"),),
    post=(Trace("y_post", "tau", "recent spikes of the target"),),
    on_pre=("w = w + rate * w_max * (y_post - 2 * target_rate * tau)", "x_pre = x_pre + 1"),
    on_post=("w = w + rate * w_max * x_pre", "y_post = y_post + 1"),
    w_min="0",
    w_max="w_max",
)
