"""Long silences, bursts that overflow lists, many epochs, bounds, and rules of one's own that mix everything."""

from dataclasses import replace

import numpy as np
import pytest
from hand_driven import Case, HandDriven, random_case
from slow_rule import compare

from spikelab.neurons.spec import Parameter
from spikelab.sim.plasticity.choice import Plasticity
from spikelab.sim.plasticity.pair_stdp import PairSTDP
from spikelab.sim.plasticity.reward_modulated_stdp import RewardModulatedSTDP
from spikelab.sim.plasticity.spec import Trace
from spikelab.sim.plasticity.triplet_stdp import TripletSTDP

FAST = {"tau_plus": 1e-3, "tau_minus": 2e-3, "a_plus": 0.05, "a_minus": 0.03, "w_max": 1.0}
EXECUTIONS = ["history", "snapshot"]


@pytest.mark.parametrize("execution", EXECUTIONS)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_long_silence(execution, dtype):
    """Two spikes make a pair; a hundred seconds later the weight is what that pair made it, however it is asked for."""
    silence = 1_000_000
    steps = [np.zeros(0, int)] * (silence + 200)
    pre, post = list(steps), list(steps)
    pre[10], post[40], pre[silence + 100] = np.array([0]), np.array([1]), np.array([0])
    ones = np.ones(2, int)
    case = Case((1, 2), np.array([0, 0]), np.array([0, 1]), 5 * ones, 0.5 * ones, pre, post)
    bench = HandDriven(case, Plasticity("pair_stdp", execution=execution, **FAST), dtype)
    wanted = [0.5, 0.5 + 0.05 * np.exp(-25 * 1e-4 / 1e-3)]
    tolerance = 1e-15 if dtype == "float64" else 6e-8
    bench.run(60)
    at_once = bench.variable("w")
    np.testing.assert_allclose(at_once, wanted, rtol=0, atol=tolerance)
    bench.run(silence // 2)
    assert (abs(bench.variable("w") - at_once) <= tolerance).all()
    bench.run(silence // 2 - 60 + 105)
    assert (abs(bench.variable("w") - at_once) <= tolerance).all()
    bench.ring[:] = 0
    assert (abs(bench.step()[:2] - at_once) <= tolerance).all(), "the delivered weight"
    bench.run(90)
    np.testing.assert_allclose(bench.variable("w"), wanted, rtol=0, atol=tolerance)


@pytest.mark.parametrize("execution", EXECUTIONS)
def test_targets_that_spike_in_nearly_every_step(execution):
    """Lists have room for tens of spikes; all rows are then visited, and nothing is lost."""
    case = random_case(11, 900, sizes=(5, 70), rate=0.004, post_rate=0.9, delays=(2, 7))
    compare(case, Plasticity("pair_stdp", execution=execution, **FAST | {"a_plus": 1e-3, "a_minus": 2e-3}))


@pytest.mark.parametrize("execution", EXECUTIONS)
def test_senders_silent_for_many_epochs(execution):
    """An epoch lasts four time constants, 40 steps; rows sleep for hundreds of them, some for ever."""
    case = random_case(12, 6000, sizes=(6, 20), rate=4e-4, post_rate=0.02)
    after = compare(case, Plasticity("pair_stdp", execution=execution, **FAST))
    assert (after != case.weights).any()


@pytest.mark.parametrize("execution", EXECUTIONS)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_weights_stay_within_bounds_and_reach_them(execution, dtype):
    values = {"tau_plus": 5e-3, "tau_minus": 5e-3, "a_plus": 0.4, "a_minus": 0.4, "w_max": 0.7}
    case = random_case(13, 1500, rate=0.02)
    case.weights *= 0.7
    bench = HandDriven(case, Plasticity("pair_stdp", execution=execution, **values), dtype)
    bench.run(1500)
    found = bench.variable("w")
    assert found.min() == 0
    assert found.max() == np.array(0.7, dtype)
    assert 0 < (found == 0).mean() < 1


@pytest.mark.parametrize("execution", EXECUTIONS)
def test_anti_hebbian_weights_shrink_to_the_lower_bound(execution):
    case = random_case(14, 800)
    after = compare(case, Plasticity("pair_stdp", execution=execution, **FAST | {"a_plus": -0.2, "a_minus": -0.1}))
    assert after.min() == 0
    assert after.max() == 1


@pytest.mark.parametrize("execution", EXECUTIONS)
def test_a_rule_with_short_and_long_term_plasticity(execution):
    """What arrives depends on the sender's resources, and the weight on pairs: one record holds both."""
    rule = replace(
        PairSTDP,
        parameters=(*PairSTDP.parameters, Parameter("tau_rec", 4e-3, "s", "recovery", positive=True)),
        pre=(*PairSTDP.pre, Trace("x", "tau_rec", "resources", rest="1")),
        on_pre=(
            "w = w - a_minus * w_max * y_post",
            "deliver w * x / 2",
            "x = x / 2",
            "x_pre = x_pre + 1",
        ),
    )
    compare(random_case(15, 600, rate=0.05, delays=(1, 6)), Plasticity(rule, execution=execution, **FAST))


@pytest.mark.parametrize("execution", EXECUTIONS)
def test_statements_in_an_unusual_order(execution):
    """Traces change between the lines that read them, on both sides, and rest at a value of their own."""
    rule = replace(
        PairSTDP,
        post=(Trace("y_post", "tau_minus", "spikes", rest="a_plus"),),
        on_pre=(
            "x_pre = 2 * x_pre + 1",
            "w = w - a_minus * w_max * y_post * x_pre / 9",
            "x_pre = x_pre / 2",
            "deliver w / 3",
            "w = w - a_minus * w_max / 50",
        ),
        on_post=(
            "y_post = y_post / 2 + 1",
            "w = w + a_plus * w_max * x_pre * y_post",
            "y_post = 1 / (1 + y_post)",
            "w = w + a_plus * w_max * x_pre * y_post**2",
        ),
    )
    compare(random_case(16, 600, rate=0.04), Plasticity(rule, execution=execution, **FAST))


@pytest.mark.parametrize("execution", EXECUTIONS)
def test_two_traces_of_the_sender_in_what_a_target_does(execution):
    rule = replace(
        TripletSTDP,
        on_post=("w = w + w_max * (r1 * a2_plus + r2 * a3_plus * o2)", "o1 = o1 + 1", "o2 = o2 + 1"),
    )
    values = {"tau_plus": 1e-3, "tau_minus": 2e-3, "tau_x": 4e-3, "tau_y": 3e-3, "a2_plus": 0.02, "a3_plus": 0.03}
    compare(random_case(17, 2000, rate=0.01), Plasticity(rule, execution=execution, **values, w_max=1.0))


def test_continuous_terms_of_several_variables_and_functions():
    rule = replace(
        RewardModulatedSTDP,
        continuous=(
            "deligibility/dt = -eligibility * tanh(y_post) / tau_plus",
            "dw/dt = learning_rate * (w_max * modulator * eligibility * exp(-x_pre) - abs(w) / 20)",
        ),
    )
    values = FAST | {"tau_eligibility": 4e-3, "learning_rate": 50.0, "interval": 0.5e-3}
    compare(random_case(18, 500, rate=0.03, delays=(2, 3)), Plasticity(rule, **values))


def test_more_targets_than_sixteen_bits():
    case = random_case(19, 60, sizes=(3, 70_000), rate=0.05, post_rate=1e-4, density=0.001)
    assert case.targets.max() > 65_535
    compare(case, Plasticity("pair_stdp", **FAST))


@pytest.mark.parametrize("threads", [1, 2])
def test_a_reward_that_changes_sign_at_the_bounds(threads):
    """Between two changes of sign a weight is clipped once, which must be what clipping at every interval gives."""
    values = FAST | {"tau_eligibility": 6e-3, "learning_rate": 3000.0, "interval": 0.3e-3, "a_minus": 0.06}
    case = random_case(20, 700, rate=0.03, delays=(2, 5))
    after = compare(case, Plasticity("reward_modulated_stdp", **values), threads=threads)
    assert 0.1 < ((after == 0) | (after == 1)).mean() < 1


def test_an_interval_longer_than_the_eligibility_lives():
    values = FAST | {"tau_eligibility": 0.4e-3, "learning_rate": 3000.0, "interval": 4e-3}
    compare(random_case(23, 500, rate=0.05, delays=(2, 5)), Plasticity("reward_modulated_stdp", **values))
