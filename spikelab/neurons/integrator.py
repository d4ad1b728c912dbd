"""Integrator without leak: a readout that adds up its input."""

from spikelab.neurons.integrate_and_fire import IF
from spikelab.neurons.spec import NeuronSpec, State

Integrator = NeuronSpec(
    name="integrator",
    title="Integrator",
    states=(State("v", "1", "r * x", "membrane potential"),),
    parameters=(IF.parameter("r"),),
    input_unit="1",
    nir="I",
    source="NIR primitive I (Pedersen et al. 2024, Nature Communications 15, table 1)",
)
