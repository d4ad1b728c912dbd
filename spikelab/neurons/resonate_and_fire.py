"""Resonate-and-fire neuron: the membrane oscillates below threshold."""

from spikelab.neurons.parameters import TAU_MEM
from spikelab.neurons.spec import NeuronSpec, Parameter, State

ResonateAndFire = NeuronSpec(
    name="resonate_and_fire",
    title="Resonate-and-fire neuron",
    states=(
        # the real and the imaginary part of the publication's z' = (b + i omega) z + I, with b = -1 / tau_mem
        State("u", "1", "-u / tau_mem - omega * v + r * x", "current-like variable", after_spike="0"),
        State("v", "1", "omega * u - v / tau_mem", "membrane potential", held_while_refractory=True),
    ),
    parameters=(
        TAU_MEM,
        Parameter("omega", 250.0, "1/s", "angular frequency of the oscillation (2 pi times some 40 Hz)"),
        Parameter("r", 1e3, "1/s", "gain from input to the slope of the current-like variable"),
        Parameter("v_threshold", 1.0, "1", "spike threshold"),
        Parameter("v_reset", 1.0, "1", "membrane potential after a spike; the publication's is the threshold"),
    ),
    gate="v - v_threshold",
    resets={"value": "v_reset"},
    # first-order methods damp or drive the oscillation by themselves
    default_method="runge_kutta_4",
    input_unit="1",
    source="Izhikevich 2001, Resonate-and-fire neurons, Neural Networks 14, 883 to 894",
)
