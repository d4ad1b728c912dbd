"""Leaky integrate-and-fire neuron whose threshold rises with each spike."""

from spikelab.neurons.parameters import RESISTANCE, TAU_MEM, V_LEAK, V_RESET, V_THRESHOLD
from spikelab.neurons.spec import NeuronSpec, Parameter, State, threshold_resets

AdaptiveLIF = NeuronSpec(
    name="adaptive_lif",
    title="Adaptive leaky integrate-and-fire neuron",
    states=(
        State("v", "1", "(v_leak - v + r * x) / tau_mem", "membrane potential", "v_leak", held_while_refractory=True),
        State("a", "1", "-a / tau_adaptation", "rise of the threshold", after_spike="a + adaptation_jump"),
    ),
    parameters=(
        TAU_MEM,
        Parameter("tau_adaptation", 200e-3, "s", "time constant of the threshold's adaptation", positive=True),
        Parameter("adaptation_jump", 0.1, "1", "rise of the threshold by one spike"),
        RESISTANCE,
        V_LEAK,
        V_THRESHOLD,
        V_RESET,
    ),
    gate="v - v_threshold - a",
    resets=threshold_resets("v_threshold", "v_reset"),
    default_reset="subtract",
    input_unit="1",
    source="Bellec et al. 2018, Long short-term memory and learning-to-learn in networks of spiking neurons, section 2",
)
