"""What fires together wires together: each spike strengthens by what the other neuron has recently done."""

from spikelab.neurons.spec import Parameter
from spikelab.sim.plasticity.parameters import W_MAX
from spikelab.sim.plasticity.spec import PlasticitySpec, Trace

TAU = Parameter("tau", 20e-3, "s", "time within which spikes count as together", positive=True)
RATE = Parameter("rate", 0.001, "1", "growth by a pair of spikes at no distance, as a part of w_max")

Hebbian = PlasticitySpec(
    name="hebbian",
    title="Hebbian growth by coincidence",
    source="Gerstner and Kistler 2002, Biological Cybernetics 87",
    parameters=(TAU, RATE, W_MAX),
    pre=(Trace("x_pre", "tau", "recent spikes of the sender"),),
    post=(Trace("y_post", "tau", "recent spikes of the target"),),
    on_pre=("w = w + rate * w_max * y_post", "x_pre = x_pre + 1"),
    on_post=("w = w + rate * w_max * x_pre", "y_post = y_post + 1"),
    w_min="0",
    w_max="w_max",
)
