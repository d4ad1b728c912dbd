"""Quadratic integrate-and-fire neuron."""

from spikelab.neurons.lif_membrane import CAPACITANCE, TAU_MEM
from spikelab.neurons.spec import NeuronSpec, Parameter, State

QuadraticLIF = NeuronSpec(
    name="quadratic_lif",
    title="Quadratic integrate-and-fire neuron",
    states=(
        State(
            "v",
            "V",
            # divided by the distance, so that tau_mem is the time constant at rest
            "(v - v_leak) * (v - v_threshold) / ((v_threshold - v_leak) * tau_mem) + x / capacitance",
            "membrane potential",
            "v_leak",
            held_while_refractory=True,
        ),
    ),
    parameters=(
        TAU_MEM,
        CAPACITANCE,
        Parameter("v_leak", -65e-3, "V", "resting potential"),
        Parameter("v_threshold", -50e-3, "V", "potential above which the membrane runs away; above v_leak"),
        Parameter("v_peak", 20e-3, "V", "potential at which the upstroke counts as a spike"),
        Parameter("v_reset", -80e-3, "V", "membrane potential after a spike"),
    ),
    gate="v - v_peak",
    gate_scale="v_threshold - v_leak",
    # a subtraction would leave the membrane on the quadratic upstroke
    resets={"value": "v_reset"},
    default_method="runge_kutta_4",
    input_unit="A",
    source="Latham et al. 2000, Journal of Neurophysiology 83, 808 to 827; Gerstner et al. 2014, Neuronal Dynamics, "
    "section 5.3",
)
