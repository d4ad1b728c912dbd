"""Integrate-and-fire neuron without leak."""

from spikelab.neurons.parameters import V_RESET, V_THRESHOLD
from spikelab.neurons.spec import NeuronSpec, Parameter, State, threshold_resets

IF = NeuronSpec(
    name="if",
    title="Integrate-and-fire neuron",
    states=(State("v", "1", "r * x", "membrane potential", held_while_refractory=True),),
    parameters=(
        # 1000 per second: one unit of input held for one millisecond raises the membrane by one
        Parameter("r", 1e3, "1/s", "gain from input to the slope of the membrane"),
        V_THRESHOLD,
        V_RESET,
    ),
    gate="v - v_threshold",
    resets=threshold_resets("v_threshold", "v_reset"),
    input_unit="1",
    nir="IF",
    source="Lapicque 1907; NIR primitive IF (Pedersen et al. 2024, Nature Communications 15, table 1)",
)
