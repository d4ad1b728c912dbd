"""Leaky integrate-and-fire neuron in volts and amperes, as in simulations of networks."""

from spikelab.neurons.spec import NeuronSpec, Parameter, State

TAU_MEM = Parameter("tau_mem", 10e-3, "s", "membrane time constant", positive=True)
CAPACITANCE = Parameter("capacitance", 250e-12, "F", "membrane capacitance", positive=True)

LIFMembrane = NeuronSpec(
    name="lif_membrane",
    title="Leaky integrate-and-fire neuron in volts",
    states=(
        State(
            "v",
            "V",
            "(v_leak - v) / tau_mem + x / capacitance",
            "membrane potential",
            "v_leak",
            held_while_refractory=True,
        ),
    ),
    parameters=(
        TAU_MEM,
        CAPACITANCE,
        Parameter("v_leak", -70e-3, "V", "leak reversal potential"),
        Parameter("v_threshold", -55e-3, "V", "spike threshold"),
        Parameter("v_reset", -70e-3, "V", "membrane potential after a spike"),
    ),
    gate="v - v_threshold",
    gate_scale="v_threshold - v_reset",
    # zero volts is no reset of a membrane that rests far below
    resets={"value": "v_reset", "subtract": "v - (v_threshold - v_reset)"},
    input_unit="A",
    source="Rotter and Diesmann 1999, Biological Cybernetics 81; parameters and equations of NEST's iaf_psc neurons",
)
