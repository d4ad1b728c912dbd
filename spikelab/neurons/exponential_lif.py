"""Exponential integrate-and-fire neuron."""

from spikelab.neurons.lif_membrane import CAPACITANCE, TAU_MEM
from spikelab.neurons.spec import NeuronSpec, Parameter, State

ExponentialLIF = NeuronSpec(
    name="exponential_lif",
    title="Exponential integrate-and-fire neuron",
    states=(
        State(
            "v",
            "V",
            "(v_leak - v + slope_factor * exp((v - v_threshold) / slope_factor)) / tau_mem + x / capacitance",
            "membrane potential",
            "v_leak",
            held_while_refractory=True,
        ),
    ),
    parameters=(
        TAU_MEM,
        # the publication gives densities: with this area's capacitance its currents are those of a cell
        CAPACITANCE,
        Parameter("v_leak", -65e-3, "V", "leak reversal potential"),
        Parameter("v_threshold", -59.9e-3, "V", "threshold of the exponential upstroke"),
        Parameter("slope_factor", 3.48e-3, "V", "sharpness of the upstroke", positive=True),
        Parameter("v_peak", -30e-3, "V", "potential at which the upstroke counts as a spike"),
        Parameter("v_reset", -68e-3, "V", "membrane potential after a spike"),
    ),
    gate="v - v_peak",
    gate_scale="slope_factor",
    # a subtraction would leave the membrane on the exponential upstroke
    resets={"value": "v_reset"},
    default_method="runge_kutta_4",
    input_unit="A",
    source="Fourcaud-Trocme, Hansel, van Vreeswijk and Brunel 2003, Journal of Neuroscience 23, 11628 to 11640",
)
