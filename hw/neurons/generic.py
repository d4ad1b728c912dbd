"""Neurons for processors without spiking hardware: decays as multiples of 2^-15, states of 16 or 32 bits that saturate.

A decay rounds toward zero, so that a neuron without input falls asleep and costs nothing.
"""

from spikelab.hw.neuron import IntegerNeuron, IntegerParameter, IntegerState

#: A decay of one keeps everything.
ONE = 2**15
_SOURCE = "spikelab's own arithmetic for microcontrollers"


def _parameters(bits: int, current: bool, spikes: bool) -> tuple[IntegerParameter, ...]:
    low, high = -(2 ** (bits - 1)) + 1, 2 ** (bits - 1) - 1
    found = [
        IntegerParameter("keep_mem", 0, ONE, "part of the membrane kept at each step, in 2^-15", per_neuron=True),
        IntegerParameter("bias", low, high, "added to the membrane at each step", 0, per_neuron=True),
    ]
    if current:
        found += [
            IntegerParameter("keep_syn", 0, ONE, "part of the current kept at each step, in 2^-15", per_neuron=True),
            IntegerParameter("bias_syn", low, high, "added to the current at each step", 0, per_neuron=True),
            IntegerParameter(
                "direct", -2 * ONE, 2 * ONE, "part of the input that skips the current, in 2^-15", 0, per_neuron=True
            ),
        ]
    if spikes:
        found += [
            IntegerParameter("v_threshold", low, high, "a spike where the membrane is above", per_neuron=True),
            IntegerParameter("v_reset", low, high, "the membrane after a spike", 0, per_neuron=True),
            IntegerParameter("subtract", 0, 1, "1: a spike takes v_subtract off the membrane instead", 0),
            IntegerParameter("v_subtract", low, high, "what a spike takes off", 0, per_neuron=True),
        ]
    return tuple(found)


def _lines(bits: int, current: bool, spikes: bool) -> tuple[tuple[str, str], ...]:
    limit = 2 ** (bits - 1) - 1
    lines = [("v", "toward_zero(v * keep_mem, 15) + a + bias")]
    if current:
        lines = [
            ("u", f"saturate(toward_zero(u * keep_syn, 15) + a + bias_syn, {-limit}, {limit})"),
            ("v", "toward_zero(v * keep_mem, 15) + u + toward_zero(a * direct, 15) + bias"),
        ]
    lines.append(("v", f"saturate(v, {-limit}, {limit})"))
    if not spikes:
        return (*lines, ("message", "0"))
    return (
        *lines,
        ("message", "positive(v - v_threshold)"),
        ("v", "choose(message, choose(subtract, v - v_subtract, v_reset), v)"),
    )


def _neuron(bits: int, current: bool, spikes: bool) -> IntegerNeuron:
    kind = ("cuba_" if current else "") + ("lif" if spikes else "li")
    what = "integrate-and-fire neuron" if spikes else "integrator"
    states = [IntegerState("u", bits, "synaptic current")] if current else []
    return IntegerNeuron(
        name=f"generic_{kind}_{bits}",
        title=f"Leaky {what}{' with a decaying current' if current else ''}, {bits}-bit states",
        states=(*states, IntegerState("v", bits, "membrane potential")),
        parameters=_parameters(bits, current, spikes),
        lines=_lines(bits, current, spikes),
        source=_SOURCE,
    )


GENERIC_LIF_16 = _neuron(16, current=False, spikes=True)
GENERIC_LIF_32 = _neuron(32, current=False, spikes=True)
GENERIC_CUBA_LIF_16 = _neuron(16, current=True, spikes=True)
GENERIC_CUBA_LIF_32 = _neuron(32, current=True, spikes=True)
GENERIC_LI_16 = _neuron(16, current=False, spikes=False)
GENERIC_LI_32 = _neuron(32, current=False, spikes=False)
GENERIC_CUBA_LI_16 = _neuron(16, current=True, spikes=False)
GENERIC_CUBA_LI_32 = _neuron(32, current=True, spikes=False)
