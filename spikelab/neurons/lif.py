"""Leaky integrate-and-fire neuron."""

from spikelab.neurons.parameters import RESISTANCE, TAU_MEM, V_LEAK, V_RESET, V_THRESHOLD
from spikelab.neurons.spec import NeuronSpec, State, threshold_resets

LIF = NeuronSpec(
    name="lif",
    title="Leaky integrate-and-fire neuron",
    states=(
        State("v", "1", "(v_leak - v + r * x) / tau_mem", "membrane potential", "v_leak", held_while_refractory=True),
    ),
    parameters=(TAU_MEM, RESISTANCE, V_LEAK, V_THRESHOLD, V_RESET),
    gate="v - v_threshold",
    resets=threshold_resets("v_threshold", "v_reset"),
    input_unit="1",
    nir="LIF",
    source="Gerstner et al. 2014, Neuronal Dynamics, section 1.3; NIR primitive LIF (Pedersen et al. 2024, table 1)",
)
