"""Hebbian growth with a decay that keeps the weights of a neuron normalised."""

import math

from spikelab.neurons.spec import Parameter
from spikelab.sim.plasticity.hebbian import TAU
from spikelab.sim.plasticity.spec import PlasticitySpec, Trace

# Oja's dw/dt = rate · (x y - y² w) with one factor y as the target's spikes and the others as traces
Oja = PlasticitySpec(
    name="oja",
    title="Oja's rule at spikes of the target",
    source="Oja 1982, Journal of Mathematical Biology 15",
    parameters=(
        TAU,
        Parameter("rate", 0.001, "1", "size of a change"),
        Parameter("w_scale", math.nan, "weight", "the weight that stands for 1 in Oja's equation", positive=True),
    ),
    pre=(Trace("x_pre", "tau", "recent spikes of the sender"),),
    post=(Trace("y_post", "tau", "recent spikes of the target"),),
    on_pre=("x_pre = x_pre + 1",),
    on_post=("w = w + rate * (w_scale * x_pre - w * y_post)", "y_post = y_post + 1"),
    w_min="0",
)
