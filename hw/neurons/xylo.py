"""Xylo's neurons: decay by shifts, several spikes a step, reset by subtraction."""

from spikelab.hw.neuron import IntegerNeuron, IntegerParameter, IntegerState

LOW, HIGH = -(2**15), 2**15 - 1
_STATES = (
    IntegerState("isyn", 16, "synaptic current"),
    IntegerState("v", 16, "membrane potential"),
)
_PARAMETERS = (
    IntegerParameter("dash_syn", 0, 15, "shift of the current's decay; 0 empties it at once", per_neuron=True),
    IntegerParameter("dash_mem", 0, 15, "shift of the membrane's decay; 0 empties it at once", per_neuron=True),
    IntegerParameter("threshold", 1, HIGH, "threshold", per_neuron=True),
    IntegerParameter("bias", LOW, HIGH, "added to the membrane at each step", 0, per_neuron=True),
)


def _decay(state: str, dash: str) -> str:
    """What a state loses: an arithmetic shift, and at least one where it is positive."""
    shifted = f"shift({state}, -{dash})"
    return f"{state} - choose(positive({state}) * positive(1 - {shifted}), 1, {shifted})"


def _lines(most: int) -> tuple[tuple[str, str], ...]:
    return (
        ("isyn", f"saturate(isyn + a, {LOW}, {HIGH})"),
        ("isyn", _decay("isyn", "dash_syn")),
        ("v", _decay("v", "dash_mem")),
        ("v", f"saturate(v + isyn + bias, {LOW}, {HIGH})"),
        ("whole", "quotient(choose(v, v, 0), threshold)"),
        ("message", f"saturate(whole, 0, {most})"),
        ("v", "v - message * threshold"),
    )


XYLO_HIDDEN = IntegerNeuron(
    name="xylo_hidden",
    title="Xylo's hidden neuron: up to 31 spikes a step",
    states=_STATES,
    parameters=_PARAMETERS,
    lines=_lines(31),
    message_bits=6,
    input_bits=16,
    source="xylosim 0.1.3, v2.XyloLayer, as recorded in its traces",
)

XYLO_READOUT = IntegerNeuron(
    name="xylo_readout",
    title="Xylo's output neuron: one spike a step",
    states=_STATES,
    parameters=_PARAMETERS,
    lines=_lines(1),
    input_bits=16,
    source="xylosim 0.1.3, v2.XyloLayer, as recorded in its traces",
)
