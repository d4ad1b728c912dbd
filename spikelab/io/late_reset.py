"""Neurons whose reset by subtraction comes one step late, as snnTorch's does.

They compute what snnTorch computes term by term, but no hardware and no NIR graph knows them.
"""

from spikelab.neurons.parameters import INPUT_WEIGHT, RESISTANCE, TAU_MEM, TAU_SYN, V_THRESHOLD
from spikelab.neurons.spec import NeuronSpec, Parameter, State

_SOURCE = "Eshraghian et al. 2023, Training spiking neural networks using lessons from deep learning, section 3"
#: With tau_reset equal to the time step, forward Euler takes the whole of ``due`` off the membrane and forgets it.
_TAU_RESET = Parameter("tau_reset", 1e-3, "s", "one time step: how late the reset comes", positive=True)
_DUE = State("due", "1", "-due / tau_reset", "what the reset will take off in the next step", after_spike="v_threshold")

LATE_LIF = NeuronSpec(
    name="late_reset_lif",
    title="Leaky integrate-and-fire neuron, reset one step late",
    states=(State("v", "1", "(r * x - v) / tau_mem - due / tau_reset", "membrane potential"), _DUE),
    parameters=(TAU_MEM, RESISTANCE, V_THRESHOLD, _TAU_RESET),
    gate="v - v_threshold",
    resets={"late": "v"},
    default_reset="late",
    default_method="euler",
    input_unit="1",
    source=_SOURCE,
)

LATE_CUBA_LIF = NeuronSpec(
    name="late_reset_cuba_lif",
    title="Current-based leaky integrate-and-fire neuron, reset one step late",
    states=(
        State("i", "1", "(w_in * x - i) / tau_syn", "synaptic current"),
        State("v", "1", "(r * i - v) / tau_mem - due / tau_reset", "membrane potential"),
        _DUE,
    ),
    parameters=(TAU_SYN, TAU_MEM, RESISTANCE, INPUT_WEIGHT, V_THRESHOLD, _TAU_RESET),
    gate="v - v_threshold",
    resets={"late": "v"},
    default_reset="late",
    default_method="semi_implicit_euler",
    input_unit="1",
    source=_SOURCE,
)
