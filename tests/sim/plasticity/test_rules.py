"""Every registered rule, in every way it can be run, against an interpreter of its text."""

import pytest
from hand_driven import HandDriven, random_case
from slow_rule import compare

from spikelab import registry
from spikelab.sim.plasticity.choice import Plasticity
from spikelab.sim.plasticity.strategy import NotPossible, choose

#: Faster than the defaults, so that a short run sees traces decay, and weights reach their bounds.
_FAST = {
    **{name: 3e-3 for name in ("tau_plus", "tau", "tau_facil", "tau_rate")},
    **{name: 5e-3 for name in ("tau_minus", "tau_eligibility", "tau_rec")},
    **{"tau_x": 9e-3, "tau_y": 7e-3, "tau_scaling": 20e-3, "w_max": 1.0, "w_scale": 0.8},
    **{
        "a_plus": 0.05,
        "a_minus": 0.055,
        "rate": 0.03,
        "learning_rate": 150.0,
        "interval": 0.7e-3,
        "target_rate": 150.0,
    },
    **{"a2_plus": 0.03, "a3_plus": 0.04, "a2_minus": 0.05, "a3_minus": 0.03, "utilisation": 0.4},
}
RULES = registry.names("plasticity")


def chosen(name, execution="", **values):
    """A rule with parameters that make it fast."""
    known = registry.load("plasticity", name).parameter_names
    return Plasticity(name, execution=execution, **{k: v for k, v in _FAST.items() if k in known} | values)


def ways():
    """(rule, execution) for all that can be."""
    found = []
    for name in RULES:
        choice = chosen(name)
        for execution in ("history", "snapshot", "per_sender"):
            try:
                choose(choice.rule, choice.constants("1", "test"), 1e-4, execution)
            except NotPossible:
                continue
            found.append((name, execution))
    return found


WAYS = ways()


@pytest.mark.parametrize(("name", "execution"), WAYS)
def test_equals_its_interpreted_text(name, execution):
    case = random_case(1, 700, delays=(3,))
    choice = chosen(name, execution)
    after = compare(case, choice)
    if any(each.name == "w" for each in (*choice.rule.pre_statements, *choice.rule.rates)):
        assert abs(after - case.weights).max() > 0.1, "the test must see weights change"


@pytest.mark.parametrize(("name", "execution"), WAYS)
def test_delays_of_their_own(name, execution):
    compare(random_case(2, 300, delays=(1, 4, 11)), chosen(name, execution))


@pytest.mark.parametrize(("name", "execution"), WAYS)
def test_single_precision(name, execution):
    compare(random_case(3, 300, delays=(2,)), chosen(name, execution), "float32", tolerance=1e-5)


@pytest.mark.parametrize(("name", "execution"), WAYS)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_threads_change_nothing(name, execution, dtype):
    case = random_case(4, 400, sizes=(20, 300), delays=(2, 5))
    choice, found = chosen(name, execution), []
    for threads in (1, 2, 4):
        bench = HandDriven(case, choice, dtype, threads)
        if choice.rule.modulated:
            bench.state.set_modulator(0.7)
        bench.run(len(case.pre))
        found.append((bench.ring.copy(), *(bench.variable(n) for n in ("w", *(v.name for v in choice.rule.synapse)))))
    for other in found[1:]:
        for a, b in zip(found[0], other, strict=True):
            assert a.tobytes() == b.tobytes()


@pytest.mark.parametrize(("name", "execution"), WAYS)
@pytest.mark.parametrize("sizes", [(0, 3), (3, 0), (1, 1), (2, 70)])
def test_few_neurons_and_no_synapses(name, execution, sizes):
    for density in (0.0, 1.0):
        compare(random_case(5, 60, sizes=sizes, rate=0.2, delays=(2,), density=density), chosen(name, execution))


@pytest.mark.parametrize(("name", "execution"), WAYS)
def test_reading_changes_nothing(name, execution):
    case, choice = random_case(6, 400, delays=(2,)), chosen(name, execution)
    quiet, asked = HandDriven(case, choice), HandDriven(case, choice)
    quiet.run(400)
    for _ in range(80):
        asked.run(5)
        asked.variable("w")
    assert quiet.variable("w").tobytes() == asked.variable("w").tobytes()
    assert quiet.ring.tobytes() == asked.ring.tobytes()


@pytest.mark.parametrize(("name", "execution"), WAYS)
@pytest.mark.parametrize("threads", [1, 2])
def test_goes_on_from_a_saved_state(name, execution, threads):
    case, choice = random_case(7, 400, delays=(2, 3)), chosen(name, execution)
    whole, first, second = (HandDriven(case, choice, threads=each) for each in (1, threads, 3 - threads))
    whole.run(400)
    first.run(173)
    second.state.load_state({key: value.copy() for key, value in first.state.state().items()})
    second.ring[...] = first.ring
    second.now = 173
    second.run(227)
    assert whole.variable("w").tobytes() == second.variable("w").tobytes()
    assert whole.ring.tobytes() == second.ring.tobytes()
