"""Loihi's leaky integrate-and-fire neuron with a decaying synaptic current."""

from spikelab.hw.neuron import IntegerNeuron, IntegerParameter, IntegerState

LARGEST = 2**23 - 1
NEVER = 2**31 - 1

LOIHI_LIF = IntegerNeuron(
    name="loihi_lif",
    title="Loihi's current-based leaky integrate-and-fire neuron",
    states=(
        IntegerState("u", 24, "synaptic current"),
        IntegerState("v", 24, "membrane potential"),
    ),
    parameters=(
        IntegerParameter("du", -1, 4095, "decay of the current in 4096ths, less one (-1: none, 4095: all)", 4095),
        IntegerParameter("dv", 0, 4096, "decay of the membrane in 4096ths", 0),
        IntegerParameter("vth", 0, 2**17 - 1, "threshold in units of 64"),
        IntegerParameter("bias_mant", -(2**12), 2**12 - 1, "mantissa of the bias", 0, per_neuron=True),
        IntegerParameter("bias_exp", -7, 7, "exponent of the bias", 0),
        IntegerParameter("reset_interval", 1, NEVER, "steps from one clearing of the states to the next", NEVER),
        IntegerParameter("reset_offset", 0, NEVER, "step of an interval at which they are cleared", 0),
    ),
    lines=(
        ("kept", "positive(abs(remainder(t, reset_interval) - reset_offset))"),
        ("u", "wrap(toward_zero(kept * u * (4095 - du), 12) + a * 64, 24)"),
        ("v", "toward_zero(kept * v * (4096 - dv), 12) + u + shift(bias_mant, bias_exp)"),
        ("v", f"saturate(v, {-LARGEST}, {LARGEST})"),
        ("message", "positive(v - vth * 64)"),
        ("v", "choose(message, 0, v)"),
    ),
    input_bits=16,
    source="Lava 0.10.0, fixed_pt models of LIF and LIFReset, as recorded in its traces",
)
