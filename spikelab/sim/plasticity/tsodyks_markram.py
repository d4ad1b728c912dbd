"""Short-term plasticity: each spike of a sender uses up some of its resources, and makes the next one use more."""

from spikelab.neurons.spec import Parameter
from spikelab.sim.plasticity.spec import PlasticitySpec, Trace

TsodyksMarkram = PlasticitySpec(
    name="tsodyks_markram",
    title="Short-term depression and facilitation",
    source="Tsodyks, Pawelzik and Markram 1998, Neural Computation 10; NEST's tsodyks2_synapse",
    parameters=(
        Parameter("tau_rec", 0.8, "s", "time in which resources recover", positive=True),
        Parameter("tau_facil", 1e-3, "s", "time in which facilitation decays; short for none", positive=True),
        Parameter("utilisation", 0.5, "1", "part of the resources that a first spike uses", lower=0.0, upper=1.0),
    ),
    pre=(
        Trace("u", "tau_facil", "part of the resources that a spike uses"),
        Trace("x", "tau_rec", "resources that are there", rest="1"),
    ),
    on_pre=("u = u + utilisation * (1 - u)", "deliver w * u * x", "x = x - u * x"),
)
