"""Current-based leaky integrator: a readout with a synaptic current before its membrane."""

from spikelab.neurons.parameters import INPUT_WEIGHT, RESISTANCE, TAU_MEM, TAU_SYN, V_LEAK
from spikelab.neurons.spec import NeuronSpec, State

CubaLI = NeuronSpec(
    name="cuba_li",
    title="Current-based leaky integrator",
    states=(
        State("i", "1", "(w_in * x - i) / tau_syn", "synaptic current"),
        State("v", "1", "(v_leak - v + r * i) / tau_mem", "membrane potential", "v_leak"),
    ),
    parameters=(TAU_SYN, TAU_MEM, RESISTANCE, INPUT_WEIGHT, V_LEAK),
    input_unit="1",
    nir="CubaLI",
    source="NIR primitive CubaLI (Pedersen et al. 2024, Nature Communications 15, table 1)",
)
