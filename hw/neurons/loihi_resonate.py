"""Neurons that resonate: a complex state that turns and decays."""

from spikelab.hw.neuron import IntegerNeuron, IntegerParameter, IntegerState

LARGEST = 2**23 - 1
_STATES = (
    IntegerState("real", 24, "real part"),
    IntegerState("imag", 24, "imaginary part"),
)
_PARAMETERS = (
    IntegerParameter("sin_decay", -4096, 4096, "sine of a step's angle times its decay, in 4096ths"),
    IntegerParameter("cos_decay", -4096, 4096, "cosine of a step's angle times its decay, in 4096ths"),
    IntegerParameter("vth", 0, 2**17 - 1, "threshold"),
    IntegerParameter("state_exp", 0, 12, "fractional bits of the state", 6),
)
_TURN = (
    ("before", "imag"),
    ("turned", "toward_zero(cos_decay * real, 12) - toward_zero(sin_decay * imag, 12) + shift(a_real, state_exp)"),
    ("imag", "toward_zero(sin_decay * real, 12) + toward_zero(cos_decay * imag, 12) + shift(a_imag, state_exp)"),
    ("real", f"saturate(turned, {-LARGEST}, {LARGEST})"),
    ("imag", f"saturate(imag, {-LARGEST}, {LARGEST})"),
)

LOIHI_RF = IntegerNeuron(
    name="loihi_rf",
    title="Resonate-and-fire neuron: fires when the imaginary part rises through zero and the real part is large",
    states=_STATES,
    parameters=_PARAMETERS,
    inputs=("a_real", "a_imag"),
    lines=(
        *_TURN,
        ("rises", "positive(-before) * positive(imag + 1)"),
        ("message", "rises * positive(real - shift(vth, state_exp) + 1)"),
    ),
    input_bits=24,
    source="Lava 0.10.0, fixed_pt model of RF, as recorded in its traces",
)

LOIHI_RF_IZ = IntegerNeuron(
    name="loihi_rf_iz",
    title="Resonate-and-fire neuron with Izhikevich's reset",
    states=_STATES,
    parameters=_PARAMETERS,
    inputs=("a_real", "a_imag"),
    lines=(
        *_TURN,
        ("message", "positive(imag - shift(vth, state_exp) + 1)"),
        ("real", "choose(message, 0, real)"),
        ("imag", "choose(message, shift(vth, state_exp) - 1, imag)"),
    ),
    input_bits=24,
    source="Lava 0.10.0, fixed_pt model of RF_IZ, as recorded in its traces",
)
