"""Every equation of every neuron is dimensionally consistent, as its units are declared."""

from __future__ import annotations

from fractions import Fraction

import pytest
import sympy as sp

from spikelab import registry
from spikelab.neurons.receptor import with_receptors
from spikelab.neurons.spec import INPUT, NeuronSpec, Parameter, State

#: metre, kilogram, second, ampere
UNITS = {
    "1": (0, 0, 0, 0),
    "s": (0, 0, 1, 0),
    "1/s": (0, 0, -1, 0),
    "V": (2, 1, -3, -1),
    "A": (0, 0, 0, 1),
    "S": (-2, -1, 3, 2),
    "F": (-2, -1, 4, 2),
    "ohm": (2, 1, -3, -2),
}
NONE = UNITS["1"]


class Inconsistent(Exception):
    pass


def dimension(expression: sp.Expr, known: dict[sp.Symbol, tuple]) -> tuple:
    """The dimension of an expression; numbers have none."""
    if expression.is_number:
        return NONE
    if expression.is_Symbol:
        return known[expression]
    parts = [dimension(part, known) for part in expression.args]
    if expression.is_Add:
        # zero has every dimension, and no other number has any but none
        if len(set(parts)) > 1:
            raise Inconsistent(f"{expression}: adds {dict(zip(expression.args, parts, strict=True))}")
        return parts[0]
    if expression.is_Mul:
        return tuple(map(sum, zip(*parts, strict=True)))
    if expression.is_Pow:
        if parts[1] != NONE:
            raise Inconsistent(f"{expression}: an exponent with a dimension")
        if not expression.exp.is_Rational:
            if parts[0] != NONE:
                raise Inconsistent(f"{expression}: a power that depends on a variable")
            return NONE
        exponent = Fraction(expression.exp.p, expression.exp.q)
        return tuple(exponent * power for power in parts[0])
    if isinstance(expression, sp.Abs):
        return parts[0]
    if any(part != NONE for part in parts):
        raise Inconsistent(f"{expression}: a function of something with a dimension")
    return NONE


def check(spec: NeuronSpec) -> None:
    units = {s.name: s.unit for s in spec.states} | {p.name: p.unit for p in spec.parameters} | {INPUT: spec.input_unit}
    known = {spec.symbols[name]: UNITS[unit] for name, unit in units.items()}

    def require(text: str, expected: tuple, what: str) -> None:
        expression = spec.expression(text, what)
        if expression == 0:
            return
        found = dimension(expression, known)
        if found != expected:
            raise Inconsistent(f"{spec.name}: {what} = {text} has dimension {found}, not {expected}")

    for state in spec.states:
        unit = UNITS[state.unit]
        require(state.derivative, tuple(a - b for a, b in zip(unit, UNITS["s"], strict=True)), f"d{state.name}/dt")
        require(state.initial, unit, f"initial {state.name}")
        if state.after_spike is not None:
            require(state.after_spike, unit, f"{state.name} after a spike")
    if spec.gate is not None:
        gate = dimension(spec.expression(spec.gate, "gate"), known)
        require(spec.gate_scale, gate, "gate_scale")
        membrane = next(UNITS[s.unit] for s in spec.states if s.name == spec.membrane)
        for name, value in spec.resets.items():
            require(value, membrane, f"reset {name}")


@pytest.mark.parametrize("name", registry.names("neurons"))
def test_equations_are_dimensionally_consistent(name):
    check(registry.load("neurons", name))


@pytest.mark.parametrize("name", registry.names("neurons"))
def test_every_time_constant_is_a_time(name):
    for parameter in registry.load("neurons", name).parameters:
        assert parameter.name.startswith("tau_") == (parameter.unit == "s" and parameter.name != "time_unit")


def neuron(**changes) -> NeuronSpec:
    declared = {
        "name": "own",
        "title": "Own",
        "states": (State("v", "V", "(e - v) / tau + x / c", "membrane", "e"),),
        "parameters": (
            Parameter("tau", 1e-2, "s", "time constant"),
            Parameter("c", 1e-9, "F", "capacitance"),
            Parameter("e", 1e-3, "V", "rest"),
        ),
        "source": "test",
        "input_unit": "A",
        "gate": "v - e",
        "gate_scale": "e",
        "resets": {"value": "e"},
    }
    return NeuronSpec(**{**declared, **changes})


def test_the_check_sees_a_wrong_equation():
    check(neuron())
    for wrong in (
        {"states": (State("v", "V", "(e - v) + x / c", "membrane", "e"),)},
        {"states": (State("v", "V", "(e - v) / tau + x", "membrane", "e"),)},
        {"states": (State("v", "V", "exp(v) / tau", "membrane", "e"),)},
        {"states": (State("v", "V", "e / tau", "membrane", "tau"),)},
        {"states": (State("v", "V", "e / tau", "membrane"), State("w", "A", "x / tau", "w", after_spike="w + e"))},
        {"gate_scale": "1"},
        {"resets": {"value": "tau"}},
        {"input_unit": "V"},
    ):
        with pytest.raises(Inconsistent):
            check(neuron(**wrong))


@pytest.mark.parametrize("name", registry.names("receptors"))
@pytest.mark.parametrize("neuron", ["lif", "adex"])
def test_composed_equations_are_dimensionally_consistent(neuron, name):
    spec = with_receptors(registry.load("neurons", neuron), {"first": registry.load("receptors", name)})
    check(spec)
    # a jump of a weight of 1 has the unit of the state that it raises
    (receptor,) = spec.receptors
    known = {spec.symbols[p.name]: UNITS[p.unit] for p in spec.parameters}
    jump = dimension(spec.expression(receptor.jump, "jump"), known)
    raised = next(UNITS[s.unit] for s in spec.states if s.name == receptor.state)
    assert tuple(map(sum, zip(jump, UNITS[receptor.unit], strict=True))) == raised
