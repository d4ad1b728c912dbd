"""Leaky integrator: a readout that gives out its membrane potential."""

from spikelab.neurons.parameters import RESISTANCE, TAU_MEM, V_LEAK
from spikelab.neurons.spec import NeuronSpec, State

LI = NeuronSpec(
    name="li",
    title="Leaky integrator",
    states=(State("v", "1", "(v_leak - v + r * x) / tau_mem", "membrane potential", "v_leak"),),
    parameters=(TAU_MEM, RESISTANCE, V_LEAK),
    input_unit="1",
    nir="LI",
    source="NIR primitive LI (Pedersen et al. 2024, Nature Communications 15, table 1)",
)
