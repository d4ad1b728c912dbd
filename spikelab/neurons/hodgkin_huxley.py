"""Hodgkin-Huxley neuron with the kinetics of Traub and Miles."""

from spikelab.neurons.expression import rename
from spikelab.neurons.spec import NeuronSpec, Parameter, State

#: Rates of opening and closing per millisecond, in ``u``, millivolts above v_shift. As in the publication, but that
#: x / (exp(x) - 1) is linoid(-x), which has a value at 0, and 4 / (1 + exp(x)) is 2 - 2 tanh(x / 2), which overflows
#: nowhere.
_RATES = {
    "m": ("1.28 * linoid((u - 13) / 4)", "1.4 * linoid((40 - u) / 5)"),
    "h": ("0.128 * exp((17 - u) / 18)", "(2 - 2 * tanh((40 - u) / 10))"),
    "n": ("0.16 * linoid((u - 15) / 5)", "0.5 * exp((10 - u) / 40)"),
}
_MEANINGS = {"m": "activation of sodium", "h": "inactivation of sodium", "n": "activation of potassium"}


def _gate(name: str) -> State:
    opening, closing = _RATES[name]
    at = {"u": "(v - v_shift) / voltage_unit"}
    rest = {"u": "(v_leak - v_shift) / voltage_unit"}
    return State(
        name,
        "1",
        rename(f"({opening} * (1 - {name}) - {closing} * {name}) / time_unit", at),
        _MEANINGS[name],
        # where it stands still at the leak's reversal potential
        rename(f"{opening} / ({opening} + {closing})", rest),
    )


HodgkinHuxley = NeuronSpec(
    name="hodgkin_huxley",
    title="Hodgkin-Huxley neuron",
    states=(
        State(
            "v",
            "V",
            "(g_leak * (v_leak - v) + g_sodium * m**3 * h * (v_sodium - v)"
            " + g_potassium * n**4 * (v_potassium - v) + x) / capacitance",
            "membrane potential",
            "v_leak",
        ),
        *map(_gate, _RATES),
    ),
    parameters=(
        # an area of 20 000 square micrometres
        Parameter("capacitance", 200e-12, "F", "membrane capacitance", positive=True),
        Parameter("g_leak", 10e-9, "S", "leak conductance", positive=True),
        Parameter("v_leak", -60e-3, "V", "leak reversal potential"),
        Parameter("g_sodium", 20e-6, "S", "largest conductance of the sodium channels", positive=True),
        Parameter("v_sodium", 50e-3, "V", "reversal potential of sodium"),
        Parameter("g_potassium", 6e-6, "S", "largest conductance of the potassium channels", positive=True),
        Parameter("v_potassium", -90e-3, "V", "reversal potential of potassium"),
        Parameter("v_shift", -63e-3, "V", "shift of the channels' kinetics"),
        Parameter("v_threshold", -20e-3, "V", "potential whose upward crossing counts as a spike"),
        Parameter("time_unit", 1e-3, "s", "the kinetics' own unit of time", positive=True, learnable=False),
        Parameter("voltage_unit", 1e-3, "V", "the kinetics' own unit of potential", positive=True, learnable=False),
    ),
    gate="v - v_threshold",
    gate_scale="10 * voltage_unit",
    # the action potential ends by itself
    resets={"none": "v"},
    default_reset="none",
    upward_crossing=True,
    # the gates are stiff: Runge-Kutta needs steps below some 0.05 ms at the peak of an action potential
    default_method="exponential_euler",
    input_unit="A",
    source="Traub and Miles 1991, Neuronal Networks of the Hippocampus; parameters of Brette et al. 2007, Journal of "
    "Computational Neuroscience 23, benchmark 3",
)
