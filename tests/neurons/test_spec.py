"""The records of neurons: complete, readable, and strict about what they are given."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import sympy as sp

from spikelab import registry
from spikelab.neurons import NeuronSpec, Parameter, State
from spikelab.neurons.spec import RESERVED
from spikelab.neurons.step import StepOptions, build_step, find_neuron, neuron_name

NAMES = registry.names("neurons")


def own(**changes) -> NeuronSpec:
    declared = {
        "name": "own",
        "title": "Own neuron",
        "states": (State("v", "1", "(x - v) / tau", "membrane"),),
        "parameters": (Parameter("tau", 1e-2, "s", "time constant", positive=True),),
        "source": "this test",
        "input_unit": "1",
        "gate": "v - 1",
        "resets": {"value": "0"},
    }
    return NeuronSpec(**{**declared, **changes})


@pytest.mark.parametrize("name", NAMES)
def test_records_are_complete(name):
    spec = registry.load("neurons", name)
    assert spec.name == name
    assert spec.source
    assert spec.title
    for parameter in spec.parameters:
        assert parameter.meaning
        parameter.check(parameter.default, name)
    for state in spec.states:
        assert state.meaning
    assert spec.spikes == bool(spec.resets)


@pytest.mark.parametrize("name", NAMES)
def test_described_and_rendered_from_the_record(name):
    spec = registry.load("neurons", name)
    text, latex = spec.describe(), spec.latex()
    for state in spec.states:
        assert f"d{state.name}/dt = {state.derivative}" in text
        assert f"\\frac{{d{sp.latex(sp.Symbol(state.name))}}}{{dt}}" in latex
    for parameter in spec.parameters:
        assert f"{parameter.name} = {parameter.default:g} [{parameter.unit}]: {parameter.meaning}" in text
    for reset, value in spec.resets.items():
        assert f"{reset}: {spec.membrane} <- {value}" in text
    assert text.endswith(f"Source: {spec.source}")
    assert latex.startswith("\\begin{aligned}")
    assert latex.count("&=") == len(spec.states)
    assert latex.count("{") == latex.count("}")


@pytest.mark.parametrize("name", NAMES)
def test_bounds_name_the_parameter_the_value_and_the_remedy(name):
    for parameter in registry.load("neurons", name).parameters:
        for bad in (math.nan, math.inf, -math.inf):
            with pytest.raises(ValueError, match=rf"{name}: {parameter.name} = {bad}.*must be finite"):
                parameter.check(bad, name)
        if parameter.positive:
            for bad in (0.0, -parameter.default):
                with pytest.raises(ValueError, match=rf"{name}: {parameter.name} = .*must be finite and > 0"):
                    parameter.check(bad, name)


def test_both_bounds_are_kept():
    parameter = Parameter("p", 0.5, "V", "a fraction", lower=0.25, upper=0.75)
    for good in (0.25, 0.5, 0.75):
        parameter.check(good, "own")
    for bad in (0.2, 0.8):
        with pytest.raises(
            ValueError, match=rf"own: p = {bad} V \(a fraction\) must be finite and >= 0.25 and <= 0.75"
        ):
            parameter.check(bad, "own")


@pytest.mark.parametrize("name", [*sorted(RESERVED), "v_", "_v", "1v", "", "dé", "v w", "v.w", "lambda x"])
def test_names_that_generated_code_needs_are_refused(name):
    with pytest.raises(ValueError, match="cannot name a state or parameter"):
        own(parameters=(Parameter("tau", 1e-2, "s", "t"), Parameter(name, 1.0, "1", "p")))


@pytest.mark.parametrize("name", ["exp", "pi", "lambda", "if", "math", "np", "min", "range", "torch", "where", "FLOAT"])
def test_names_that_mean_something_else_are_refused(name):
    with pytest.raises(ValueError, match=f"own: '{name}' means something else"):
        own(parameters=(Parameter("tau", 1e-2, "s", "t"), Parameter(name, 1.0, "1", "p")))


def test_a_wrong_record_says_what_is_wrong():
    with pytest.raises(ValueError, match="own: tau is declared twice"):
        own(parameters=(Parameter("tau", 1e-2, "s", "t"), Parameter("tau", 1e-2, "s", "t")))
    with pytest.raises(ValueError, match="own: the membrane 'u' is not one of its states"):
        own(membrane="u")
    with pytest.raises(ValueError, match="own: default reset 'value' is not among"):
        own(resets={"zero": "0"})
    with pytest.raises(ValueError, match=r"own: dv/dt: unknown name 'tua'"):
        own(states=(State("v", "1", "(x - v) / tua", "membrane"),))
    with pytest.raises(ValueError, match=r"own: initial v: unknown name 'x'"):
        own(states=(State("v", "1", "(x - v) / tau", "membrane", "x"),))
    for wrong in (
        {"gate": "v - threshold"},
        {"gate_scale": "sharpness"},
        {"resets": {"value": "v_reset"}},
        {
            "states": (
                State("v", "1", "(x - v) / tau", "membrane", after_spike=None),
                State("a", "1", "-a / tau", "a", after_spike="a + jump"),
            )
        },
    ):
        with pytest.raises(ValueError, match=r"own: .*unknown name"):
            own(**wrong)
    with pytest.raises(KeyError, match="own has no parameter 'tua'; it has tau"):
        own().parameter("tua")


def test_own_neurons_are_told_apart_by_what_they_say():
    first, second = own(), own(gate="v - 2")
    assert neuron_name(first) != neuron_name(second)
    assert neuron_name(own()) == neuron_name(first)
    assert find_neuron(neuron_name(second)) is second
    # a changed copy of a registered neuron under its old name is not that neuron
    changed = replace(registry.load("neurons", "lif"), gate="v - 2 * v_threshold")
    assert neuron_name(registry.load("neurons", "lif")) == "lif"
    assert neuron_name(changed) != "lif"
    with pytest.raises(registry.UnknownNameError, match="did you mean 'izhikevich'"):
        find_neuron("izhikevic")


def test_options_survive_as_text():
    options = StepOptions(
        "lif", "exact", "impulse", "zero", True, True, "custom", "a / (1 + x**2)", (("a", 0.5),), ("v",)
    )
    assert StepOptions.from_key(options.key()) == options
    assert StepOptions.from_key(options.key()).key() == options.key()


def test_unknown_choices_list_the_known_ones():
    with pytest.raises(ValueError, match="lif has no reset 'soft'; it has subtract, value, zero"):
        build_step(StepOptions("lif", reset="soft"))
    with pytest.raises(ValueError, match="adex has no reset 'zero'; it has value"):
        build_step(StepOptions("adex", reset="zero"))
    with pytest.raises(ValueError, match="lif: cannot record 'w'; its states are v"):
        build_step(StepOptions("lif", record=("w",)))


def test_import_needs_neither_torch_nor_numba():
    import subprocess
    import sys

    code = (
        "import sys; from spikelab.neurons.step import *; build_step(StepOptions('adex'));"
        "bad = {'torch', 'numba'} & set(sys.modules); sys.exit(str(bad) if bad else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
