"""Rules as records: what is refused, and how a rule's statements are sorted."""

import re
from dataclasses import replace

import pytest

from spikelab import registry
from spikelab.neurons.spec import Parameter
from spikelab.sim.plasticity.choice import Plasticity
from spikelab.sim.plasticity.dimensions import DimensionError
from spikelab.sim.plasticity.pair_stdp import PairSTDP
from spikelab.sim.plasticity.program import post_event, pre_event
from spikelab.sim.plasticity.reward_modulated_stdp import RewardModulatedSTDP
from spikelab.sim.plasticity.spec import PlasticitySpec, SynapseVariable, Trace
from spikelab.sim.plasticity.strategy import NotPossible, choose, growth

RATE = Parameter("a", 0.1, "1", "size")
TAU = Parameter("tau", 1e-2, "s", "time constant", positive=True)


def refused(error, match, **changes):
    with pytest.raises(error, match=match):
        replace(PairSTDP, **changes)


@pytest.mark.parametrize("name", registry.names("plasticity"))
def test_registered_rules_have_their_name_a_source_and_a_description(name):
    spec = registry.load("plasticity", name)
    assert spec.name == name
    assert re.search(r"\b(19|20)\d\d\b", spec.source), "a publication has a year"
    text = spec.describe()
    for each in (*spec.parameters, *spec.pre, *spec.post, *spec.synapse):
        assert each.meaning in text
    for line in (*spec.on_pre, *spec.on_post, *spec.continuous):
        assert line in text


def test_what_is_no_statement():
    refused(ValueError, "not a statement", on_pre=("w - 1",))
    refused(ValueError, "not a statement", on_pre=("w == 1",))
    refused(ValueError, "not a statement", on_post=("w[0] = 1",))
    refused(ValueError, "not a statement", on_post=("deliver w",))
    refused(ValueError, "cannot read", on_pre=("w = __import__('os').getpid()",))
    refused(ValueError, "cannot read", on_pre=("w = (lambda: 1)()",))
    refused(ValueError, "unknown name 'z'", on_pre=("w = w + z",))
    refused(ValueError, "takes a tuple of lines", on_pre="w = w + x_pre")


def test_a_spike_is_delivered_once():
    refused(ValueError, "second time", on_pre=("deliver w", "x_pre = x_pre + 1", "deliver w"))


def test_who_may_change_what():
    refused(ValueError, "cannot change 'y_post'", on_pre=("y_post = 1", "x_pre = 1"))
    refused(ValueError, "cannot change 'x_pre'", on_post=("x_pre = 1", "y_post = 1"))
    refused(ValueError, "cannot change 'a_plus'", on_post=("a_plus = 1", "y_post = 1"))
    refused(ValueError, "differs from synapse to synapse", on_pre=("x_pre = x_pre + y_post",))
    refused(ValueError, "differs from synapse to synapse", on_post=("y_post = y_post + w / w_max",))
    refused(ValueError, "no statement ever changes x_pre", on_pre=("w = w - a_minus * w_max * y_post",))
    # a modulator acts through continuous terms, as a spike of the target may be looked at later
    refused(ValueError, "unknown name 'modulator'", on_post=("w = w + modulator * w_max * x_pre", "y_post = 1"))


def test_names():
    for name in ("w", "deliver", "modulator", "x_", "_x", "lambda", "exp", "dt"):
        refused(ValueError, "cannot name", pre=(Trace(name, "tau_plus", ""),))
    refused(ValueError, "declared twice", pre=(Trace("y_post", "tau_plus", ""),))


def test_units():
    refused(DimensionError, "differ in unit", on_pre=("w = w - a_minus * y_post", "x_pre = x_pre + 1"))
    refused(DimensionError, "differ in unit", on_pre=("w = w + 0.01", "x_pre = x_pre + 1"))
    refused(DimensionError, "s is needed", pre=(Trace("x_pre", "a_plus", ""),))
    refused(DimensionError, "weight is needed", w_max="a_plus")
    refused(DimensionError, "weight is needed", on_pre=("deliver x_pre", "x_pre = 1"))
    refused(DimensionError, "no unit", on_pre=("w = w * exp(-w)", "x_pre = 1"))
    refused(ValueError, "is not a unit", parameters=(*PairSTDP.parameters[:-1], Parameter("w_max", 1, "3 * s", "")))
    with pytest.raises(DimensionError, match="weight/s is needed"):
        replace(RewardModulatedSTDP, continuous=("dw/dt = w_max * eligibility",))


def test_continuous_terms():
    def changed(**changes):
        return replace(RewardModulatedSTDP, **changes)

    with pytest.raises(ValueError, match="go together"):
        changed(interval=None)
    with pytest.raises(ValueError, match="go together"):
        replace(PairSTDP, interval="tau_plus")
    with pytest.raises(ValueError, match="is not one of its parameters"):
        changed(interval="often")
    with pytest.raises(ValueError, match="not a derivative"):
        changed(continuous=("w = w + w_max",))
    with pytest.raises(ValueError, match="two lines"):
        changed(continuous=("dw/dt = w / tau_plus", "dw/dt = w / tau_minus"))
    with pytest.raises(ValueError, match="cannot change 'x_pre'"):
        changed(continuous=("dx_pre/dt = 1 / tau_plus",))


def test_values():
    def refused(match, error=ValueError, **values):
        with pytest.raises(error, match=match):
            Plasticity("pair_stdp", **values).constants("A", "projection 3")

    refused("w_max .* has no default")
    refused("has no parameter 'tau'", tau=1.0)
    for bad in (float("nan"), float("inf"), 0.0, -1.0):
        refused("tau_plus", tau_plus=bad, w_max=1e-9)
        refused("w_max", w_max=bad)
    refused("projection 3: pair_stdp: tau_plus", tau_plus="3 mV", w_max=1e-9)
    refused("projection 3: pair_stdp: w_max.*quantity in A", w_max="3 mV")
    refused("one number for all synapses", tau_plus=[1e-3, 2e-3], w_max=1e-9, error=TypeError)
    with pytest.raises(registry.UnknownNameError, match="did you mean 'pair_stdp'"):
        Plasticity("pair_sdtp")
    with pytest.raises(ValueError, match="execution 'fast'"):
        Plasticity("pair_stdp", execution="fast")
    with pytest.raises(TypeError, match="PlasticitySpec"):
        Plasticity(3)
    assert Plasticity("pair_stdp", w_max="3 pA", tau_plus="5 ms").constants("A", "").w_max == 3e-12


def test_expressions_of_parameters_are_checked_with_their_values():
    rule = replace(PairSTDP, parameters=(*PairSTDP.parameters, TAU), pre=(Trace("x_pre", "tau_plus - tau", ""),))
    with pytest.raises(ValueError, match=r"time constant of x_pre is -0\.01 s"):
        Plasticity(rule, tau_plus=10e-3, tau=20e-3, w_max=1.0).constants("1", "p")
    rule = replace(PairSTDP, w_min="2 * w_max")
    with pytest.raises(ValueError, match="smallest weight 2 is larger"):
        Plasticity(rule, w_max=1.0).constants("1", "p")
    rule = replace(PairSTDP, parameters=(*PairSTDP.parameters, RATE), w_min="w_max * log(a)")
    with pytest.raises(ValueError, match="finite"):
        Plasticity(rule, w_max=1.0, a=0.0).constants("1", "p")


def test_versions_of_traces():
    spec = replace(
        PairSTDP,
        on_pre=("x_pre = x_pre + 1", "w = w * x_pre", "x_pre = 2 * x_pre", "w = w * x_pre"),
        on_post=("w = w + a_plus * w_max * x_pre", "y_post = 1"),
    )
    event = pre_event(spec)
    assert [(name, str(value)) for name, value in event.versions] == [
        ("x_pre_1_", "x_pre + 1"),
        ("x_pre_2_", "2*x_pre_1_"),
    ]
    assert [(name, str(value)) for name, value in event.synapse] == [
        ("deliver", "w"),
        ("w", "w*x_pre_1_"),
        ("w", "w*x_pre_2_"),
    ]
    assert event.after == {"x_pre": "x_pre_2_"}
    # no synapse reads the target's trace
    assert post_event(spec).needed() == ()


def numbers(spec, **values):
    return Plasticity(spec, w_max=1.0, **values).constants("1", "p")


def test_the_snapshot_strategy_is_taken_only_where_it_is_exact():
    def why_not(match, spec=PairSTDP, dt=1e-4, **values):
        with pytest.raises(NotPossible, match=match):
            growth(spec, numbers(spec, **values), dt)
        assert choose(spec, numbers(spec, **values), dt) == "history"

    def changed(*on_post, **changes):
        return replace(PairSTDP, on_post=(*on_post, "y_post = y_post + 1"), **changes)

    assert choose(PairSTDP, numbers(PairSTDP), 1e-4) == "snapshot"
    assert growth(PairSTDP, numbers(PairSTDP), 1e-4).sign == 1
    assert growth(PairSTDP, numbers(PairSTDP, a_plus=-0.1), 1e-4).sign == -1
    assert growth(PairSTDP, numbers(PairSTDP, a_plus=0.0), 1e-4).sign == 0
    why_not("depends on the weight", changed("w = w + a_plus * w * x_pre"))
    why_not("not linear", changed("w = w + a_plus * w_max * x_pre**2"))
    why_not("not linear", changed("w = w + a_plus * w_max"))
    why_not("raise and lower", changed("w = w + a_plus * w_max * x_pre * (1 - y_post)"))
    why_not("raise and lower", changed("w = w + w_max * x_pre", "w = w - a_plus * w_max * x_pre"))
    why_not("less than 4 steps", dt=10e-3)
    why_not("does not decay to zero", replace(PairSTDP, pre=(Trace("x_pre", "tau_plus", "", rest="1"),)))
    why_not(
        "variables of synapses",
        changed("c = c + 1", "w = w + a_plus * w_max * x_pre", synapse=(SynapseVariable("c", ""),)),
    )
    # without bounds the order of ups and downs does not matter
    free = changed("w = w + a_plus * w_max * x_pre * (1 - y_post)", w_min=None, w_max=None)
    assert choose(free, numbers(free), 1e-4) == "snapshot"
    with pytest.raises(NotPossible, match="differ from target to target"):
        choose(PairSTDP, numbers(PairSTDP), 1e-4, "per_sender")


def test_a_rule_of_ones_own():
    spec = PlasticitySpec(
        name="own",
        title="Own",
        source="here",
        parameters=(TAU,),
        pre=(Trace("x", "tau", "spikes"),),
        on_pre=("x = x + 1", "deliver w * x"),
    )
    assert Plasticity(spec).rule is spec
    assert choose(spec, Plasticity(spec).constants("A", "p"), 1e-4) == "per_sender"


def test_records_as_a_settings_file_has_them():
    rewiring = {"interval": "10 ms", "below": 0.1, "weight": 0.5}
    assert Plasticity("pair_stdp", w_max=1.0, rewiring=rewiring).rewiring.below == 0.1
    signal = Plasticity("reward_modulated_stdp", w_max=1.0, modulator={"times": [0.0], "values": [2.0]}).modulator
    assert signal.values == [2.0]
    with pytest.raises(ValueError, match="has no entry 'belo'"):
        Plasticity("pair_stdp", rewiring={"belo": 0.1})
    with pytest.raises(ValueError, match="interval, weight is missing"):
        Plasticity("pair_stdp", rewiring={"below": 0.1})
