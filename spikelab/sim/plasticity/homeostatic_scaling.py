"""All synapses of a neuron grow while it fires less than it should, and shrink while it fires more."""

from dataclasses import replace

from spikelab.neurons.spec import Parameter
from spikelab.sim.plasticity.parameters import INTERVAL, W_MAX
from spikelab.sim.plasticity.spec import PlasticitySpec, Trace

HomeostaticScaling = PlasticitySpec(
    name="homeostatic_scaling",
    title="Homeostatic synaptic scaling",
    source="van Rossum, Bi and Turrigiano 2000, Journal of Neuroscience 20",
    parameters=(
        Parameter("target_rate", 10.0, "Hz", "rate that the target is brought to", positive=True),
        Parameter("tau_rate", 1.0, "s", "time over which the target's rate is measured", positive=True),
        Parameter("tau_scaling", 100.0, "s", "time constant of the scaling of a silent neuron", positive=True),
        replace(INTERVAL, default=10e-3),
        W_MAX,
    ),
    post=(Trace("rate", "tau_rate", "rate of the target", unit="Hz"),),
    on_post=("rate = rate + 1 / tau_rate",),
    continuous=("dw/dt = w * (1 - rate / target_rate) / tau_scaling",),
    interval="interval",
    w_min="0",
    w_max="w_max",
)
