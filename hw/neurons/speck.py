"""Speck's neuron: integrates without leak; every event of a step counts, so several spikes may leave at one step.

The chip has no steps: it answers each event as it comes. Here all events of a step are added first, as in sinabs.
"""

from spikelab.hw.neuron import IntegerNeuron, IntegerParameter, IntegerState

HIGH = 2**15 - 1

SPECK_IF = IntegerNeuron(
    name="speck_if",
    title="Speck's integrate-and-fire neuron",
    states=(IntegerState("v", 16, "membrane potential"),),
    parameters=(
        IntegerParameter("v_threshold", 1, HIGH, "a spike for each time that the membrane holds it"),
        IntegerParameter("v_low", -HIGH, 0, "the membrane does not fall below", -HIGH),
        IntegerParameter("bias", -128, 127, "added to the membrane at each step", 0, per_neuron=True),
        IntegerParameter("return_to_zero", 0, 1, "1: spikes empty the membrane instead of taking thresholds off", 0),
    ),
    lines=(
        ("v", f"saturate(v + a + bias, v_low, {HIGH})"),
        ("message", "quotient(choose(v, v, 0), v_threshold)"),
        ("v", "choose(return_to_zero * message, 0, v - message * v_threshold)"),
    ),
    message_bits=16,
    source="sinabs 3.1.3, IAF and its discretisation for Speck; samna's documentation of the chip",
)
