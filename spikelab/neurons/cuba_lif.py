"""Current-based leaky integrate-and-fire neuron: the form of Loihi and of NIR."""

from spikelab.neurons.parameters import INPUT_WEIGHT, RESISTANCE, TAU_MEM, TAU_SYN, V_LEAK, V_RESET, V_THRESHOLD
from spikelab.neurons.spec import NeuronSpec, State, threshold_resets

CubaLIF = NeuronSpec(
    name="cuba_lif",
    title="Current-based leaky integrate-and-fire neuron",
    states=(
        # the current comes first: the semi-implicit method then feeds the new current to the membrane, as Loihi does
        State("i", "1", "(w_in * x - i) / tau_syn", "synaptic current"),
        State("v", "1", "(v_leak - v + r * i) / tau_mem", "membrane potential", "v_leak", held_while_refractory=True),
    ),
    parameters=(TAU_SYN, TAU_MEM, RESISTANCE, INPUT_WEIGHT, V_LEAK, V_THRESHOLD, V_RESET),
    gate="v - v_threshold",
    resets=threshold_resets("v_threshold", "v_reset"),
    input_unit="1",
    nir="CubaLIF",
    source="Davies et al. 2018, Loihi, IEEE Micro 38; NIR primitive CubaLIF (Pedersen et al. 2024, table 1)",
)
