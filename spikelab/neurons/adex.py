"""Adaptive exponential integrate-and-fire neuron."""

from spikelab.neurons.spec import NeuronSpec, Parameter, State

AdEx = NeuronSpec(
    name="adex",
    title="Adaptive exponential integrate-and-fire neuron",
    states=(
        State(
            "v",
            "V",
            "(-g_leak * (v - v_leak) + g_leak * slope_factor * exp((v - v_threshold) / slope_factor) - w + x)"
            " / capacitance",
            "membrane potential",
            "v_leak",
            held_while_refractory=True,
        ),
        State(
            "w", "A", "(a * (v - v_leak) - w) / tau_adaptation", "adaptation current", after_spike="w + adaptation_jump"
        ),
    ),
    parameters=(
        Parameter("capacitance", 281e-12, "F", "membrane capacitance", positive=True),
        Parameter("g_leak", 30e-9, "S", "leak conductance", positive=True),
        Parameter("v_leak", -70.6e-3, "V", "leak reversal potential"),
        Parameter("v_threshold", -50.4e-3, "V", "threshold of the exponential upstroke"),
        Parameter("slope_factor", 2e-3, "V", "sharpness of the upstroke", positive=True),
        Parameter("tau_adaptation", 144e-3, "s", "time constant of the adaptation current", positive=True),
        Parameter("a", 4e-9, "S", "subthreshold adaptation"),
        Parameter("adaptation_jump", 80.5e-12, "A", "rise of the adaptation current by one spike"),
        Parameter("v_peak", 20e-3, "V", "potential at which the upstroke counts as a spike"),
        Parameter("v_reset", -70.6e-3, "V", "membrane potential after a spike"),
    ),
    gate="v - v_peak",
    gate_scale="slope_factor",
    # zero volts or a subtraction would leave the membrane on the exponential upstroke
    resets={"value": "v_reset"},
    default_method="exponential_euler",
    input_unit="A",
    source="Brette and Gerstner 2005, Journal of Neurophysiology 94, eqs. 1 to 3 and table 1",
)
