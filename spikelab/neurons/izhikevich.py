"""Izhikevich's simple model: quadratic membrane with a recovery variable."""

from spikelab.neurons.spec import NeuronSpec, Parameter, State

Izhikevich = NeuronSpec(
    name="izhikevich",
    title="Izhikevich neuron",
    states=(
        State(
            "v",
            "1",
            "(0.04 * v**2 + 5 * v + 140 - u + x) / time_unit",
            "membrane potential, in millivolts by convention",
            "c",
            held_while_refractory=True,
        ),
        State("u", "1", "a * (b * v - u) / time_unit", "recovery variable", "b * c", after_spike="u + d"),
    ),
    parameters=(
        Parameter("a", 0.02, "1", "rate of the recovery variable"),
        Parameter("b", 0.2, "1", "sensitivity of the recovery variable to the membrane"),
        Parameter("c", -65.0, "1", "membrane potential after a spike"),
        Parameter("d", 8.0, "1", "jump of the recovery variable by one spike"),
        Parameter("v_peak", 30.0, "1", "potential at which the upstroke counts as a spike"),
        Parameter("time_unit", 1e-3, "s", "the model's own unit of time", positive=True, learnable=False),
    ),
    gate="v - v_peak",
    # the quadratic upstroke passes its last tens of millivolts within one step
    gate_scale="10",
    resets={"value": "c"},
    # v before u, u seeing the new v: the order of Izhikevich's published script
    default_method="semi_implicit_euler",
    input_unit="1",
    source="Izhikevich 2003, Simple model of spiking neurons, IEEE Transactions on Neural Networks 14, eqs. 1 to 3",
)
