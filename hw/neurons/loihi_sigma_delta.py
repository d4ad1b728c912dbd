"""Neurons that send changes instead of spikes: delta (an encoder) and sigma-delta."""

from spikelab.hw.neuron import IntegerNeuron, IntegerParameter, IntegerState

_WIDTH = 2**23 - 1
_PARAMETERS = (
    IntegerParameter("vth", 0, 2**17 - 1, "smallest change that is sent"),
    IntegerParameter("spike_exp", 0, 12, "fractional bits of what is sent", 6),
    IntegerParameter("state_exp", 0, 12, "further fractional bits of what is kept", 6),
)
_STATES = (
    IntegerState("act", 24, "activation at the step before"),
    IntegerState("residue", 24, "change that is not sent yet"),
)
_SEND = (
    ("delta", "next - act + residue"),
    ("sent", "choose(abs(delta) - shift(vth, spike_exp + state_exp) + 1, delta, 0)"),
    ("residue", "delta - sent"),
    ("act", "next"),
    ("message", "shift(sent, -state_exp)"),
)

LOIHI_DELTA = IntegerNeuron(
    name="loihi_delta",
    title="Delta encoder: sends the change of its input",
    states=_STATES,
    parameters=_PARAMETERS,
    lines=(("next", "shift(a, spike_exp + state_exp)"), *_SEND),
    message_bits=24,
    input_bits=24,
    source="Lava 0.10.0, fixed_pt model of Delta, as recorded in its traces",
)

LOIHI_SIGMA_DELTA = IntegerNeuron(
    name="loihi_sigma_delta",
    title="Sigma-delta neuron: sums changes, rectifies, sends the change of that",
    states=(IntegerState("sigma", 24, "sum of all changes"), *_STATES),
    parameters=(
        *_PARAMETERS,
        IntegerParameter("bias", -_WIDTH, _WIDTH, "added before the rectifier, in whole units", 0, per_neuron=True),
        IntegerParameter("rectified", 0, 1, "whether negative activations are cut to zero", 1),
    ),
    lines=(
        ("sigma", "sigma + a"),
        ("sum", "sigma + shift(bias, spike_exp + state_exp)"),
        ("next", "choose(rectified, choose(sum, sum, 0), sum)"),
        *_SEND,
    ),
    message_bits=24,
    input_bits=24,
    source="Lava 0.10.0, fixed_pt model of SigmaDelta, as recorded in its traces",
)
