"""Which neurons the event-driven engine takes, recognised by their equations."""

import numpy as np
import pytest
import sympy as sp

from spikelab import registry, sim
from spikelab.neurons.receptor import with_receptors
from spikelab.neurons.spec import NeuronSpec, Parameter, State
from spikelab.sim.event_driven.expression_value import expression_value
from spikelab.sim.event_driven.linear_neuron import NotLinear, linear_neuron

CURRENTS = {"a": registry.load("receptors", "exponential_current"), "b": registry.load("receptors", "alpha_current")}


@pytest.mark.parametrize("name", ["if", "lif", "lif_membrane", "cuba_lif", "adaptive_lif", "li", "cuba_li"])
def test_takes_linear_neurons_with_current_receptors(name):
    neuron = linear_neuron(with_receptors(registry.load("neurons", name), CURRENTS))
    assert bool(neuron.gate) == (name not in ("li", "cuba_li"))
    # every exponential that reaches the gate, and the constant, drops out once
    assert len(neuron.chain) <= len(neuron.spec.states) + 1


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("izhikevich", "dv/dt.*v\\*\\*2.*not linear"),
        ("adex", "dv/dt.*exp"),
        ("quadratic_lif", "dv/dt.*not linear"),
        ("resonate_and_fire", "drive each other"),
    ],
)
def test_names_the_equation_that_it_refuses(name, words):
    with pytest.raises(NotLinear, match=words) as error:
        linear_neuron(registry.load("neurons", name))
    assert "engine='numba'" in str(error.value)


def test_refuses_conductances():
    spec = with_receptors(
        registry.load("neurons", "lif_membrane"), {"e": registry.load("receptors", "exponential_conductance")}
    )
    with pytest.raises(NotLinear, match=r"dv/dt.*g_e.*not linear"):
        linear_neuron(spec)


def own_neuron(derivative="-v / tau + x", gate="v - 1", reset="0"):
    return NeuronSpec(
        name="own",
        title="Own",
        states=(State("v", "1", derivative, "membrane"),),
        parameters=(Parameter("tau", 0.02, "s", "time constant"),),
        source="here",
        input_unit="1",
        gate=gate,
        resets={"value": reset},
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"gate": "v * v - 1"}, "gate = v \\* v - 1 contains v\\*\\*2"),
        ({"gate": "v - x"}, "gate depends on the input"),
        ({"gate": "tau - 1"}, "does not depend on any state"),
        ({"reset": "v * v"}, "reset value.*v\\*\\*2"),
    ],
)
def test_refuses_what_no_line_crosses(changes, words):
    with pytest.raises(NotLinear, match=words):
        linear_neuron(own_neuron(**changes))


def test_refuses_a_state_that_grows_by_itself():
    network = sim.Network()
    network.population("cells", 3, own_neuron("v / tau + x"))
    with pytest.raises(NotLinear, match="population cells: dv/dt of own makes v grow by itself"):
        network.run(0.01, engine="event_driven")


def test_each_function_of_the_chain_is_that_of_the_one_before():
    """(d/dt + rate) of one is the next; the last one leaves nothing."""
    neuron = linear_neuron(with_receptors(registry.load("neurons", "lif_membrane"), CURRENTS))
    names = neuron.spec.symbols | {"1": sp.S.One}
    derivative = {s.name: neuron.spec.expression(s.derivative, "") for s in neuron.spec.states}
    for k, (rate, row) in enumerate(neuron.chain):
        value = sum(factor * names[origin] for origin, factor in row.items())
        applied = rate * value + sum(sp.diff(value, names[state]) * rhs for state, rhs in derivative.items())
        following = neuron.chain[k + 1][1] if k + 1 < len(neuron.chain) else {}
        expected = sum(factor * names[origin] for origin, factor in following.items())
        assert sp.simplify(applied - expected) == 0


def test_expressions_have_values_without_becoming_code():
    a, b = sp.symbols("a b", real=True)
    values = {"a": np.array([0.5, 2.0]), "b": 3.0}
    for expression in (a / b, -a / b**2, sp.exp(-a) * b, (a - b) / (a * b), sp.sqrt(a) + sp.tanh(b), 2 * a - 1 / a):
        expected = [float(expression.subs({a: x, b: 3.0})) for x in values["a"]]
        np.testing.assert_allclose(expression_value(expression, values), expected, rtol=1e-15)
    with pytest.raises(ValueError, match="no numeric form"):
        expression_value(sp.gamma(a), values)
