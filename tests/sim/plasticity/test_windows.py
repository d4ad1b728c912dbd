"""Learning windows: what one pair, one triplet, one rewarded pair changes, against the formulas of the papers."""

import numpy as np
import pytest
from hand_driven import Case, HandDriven

from spikelab.sim.plasticity.choice import Plasticity

DT, START, DELAY = 1e-4, 700, 1
#: In steps; the sign says who was first: positive ones have the sender first.
LAGS = np.array([-600, -250, -100, -31, -1, 1, 7, 64, 200, 555])


def changes(choice, pre, post, steps=2500, drive=None):
    """What each of some synapses, all their own neurons', gains by spikes at steps ``pre[k]`` and ``post[k]``.

    A sender's spike counts when it arrives, so it is emitted a delay earlier.
    """
    count = len(pre)
    spikes = {
        name: [np.array([k for k in range(count) if step in times[k]], np.int64) for step in range(steps)]
        for name, times in (("pre", [[t - DELAY for t in each] for each in pre]), ("post", post))
    }
    each = np.arange(count)
    weights = np.full(count, 0.5)
    case = Case((count, count), each, each, np.full(count, DELAY), weights, spikes["pre"], spikes["post"], DT)
    bench = HandDriven(case, choice)
    if drive is None:
        bench.run(steps)
    else:
        drive(bench)
    return bench.variable("w") - 0.5


@pytest.mark.parametrize("name", ["pair_stdp", "nearest_pair_stdp", "multiplicative_stdp", "power_law_stdp"])
def test_a_pair(name):
    values = {"tau_plus": 15e-3, "tau_minus": 30e-3, "a_plus": 0.02, "a_minus": 0.015, "w_max": 1.0}
    found = changes(Plasticity(name, **values), [[START]] * len(LAGS), [[START + lag] for lag in LAGS])
    # at the middle of the range: the weight's own factor, (w / w_max)**mu for depression and (1 - w / w_max)**mu else
    factor = {"multiplicative_stdp": 0.5, "power_law_stdp": 0.5**0.4}.get(name, 1.0)
    seconds = LAGS * DT
    expected = factor * np.where(LAGS > 0, 0.02 * np.exp(-seconds / 15e-3), -0.015 * np.exp(seconds / 30e-3))
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_pairs_add_up_over_all_or_over_the_nearest():
    """Three spikes of the sender before one of the target: all of them count, or the last one."""
    times = [START, START + 50, START + 120]
    values = {"tau_plus": 15e-3, "tau_minus": 30e-3, "a_plus": 0.02, "a_minus": 0.015, "w_max": 1.0}
    every, nearest = (
        changes(Plasticity(name, **values), [times], [[START + 200]])[0] for name in ("pair_stdp", "nearest_pair_stdp")
    )
    distances = (START + 200 - np.array(times)) * DT
    assert every == pytest.approx(0.02 * np.exp(-distances / 15e-3).sum(), rel=1e-12)
    assert nearest == pytest.approx(0.02 * np.exp(-distances[-1] / 15e-3), rel=1e-12)


@pytest.mark.parametrize("name", ["triplet_stdp", "nearest_triplet_stdp"])
def test_triplets(name):
    """Pfister and Gerstner 2006, equations 2 to 4, for one triplet of either kind."""
    values = {"tau_plus": 16.8e-3, "tau_minus": 33.7e-3, "tau_x": 101e-3, "tau_y": 125e-3, "w_max": 1.0}
    sizes = {"a2_plus": 0.005, "a3_plus": 0.0062, "a2_minus": 0.007, "a3_minus": 0.0023}
    choice = Plasticity(name, **values, **sizes)
    first, second = (each.ravel() for each in np.meshgrid([10, 80, 300], [20, 90, 410]))
    middle, early, late = [[START]] * 9, START - first, START + second
    outer = [[int(a), int(b)] for a, b in zip(early, late, strict=True)]
    one, two, both = first * DT, second * DT, (first + second) * DT
    fast = {"plus": lambda t: np.exp(-t / 16.8e-3), "minus": lambda t: np.exp(-t / 33.7e-3)}
    found = changes(choice, middle, outer)
    expected = -sizes["a2_minus"] * fast["minus"](one) + fast["plus"](two) * (
        sizes["a2_plus"] + sizes["a3_plus"] * np.exp(-both / 125e-3)
    )
    np.testing.assert_allclose(found, expected, rtol=1e-12, err_msg="target, sender, target")
    found = changes(choice, outer, middle)
    expected = sizes["a2_plus"] * fast["plus"](one) - fast["minus"](two) * (
        sizes["a2_minus"] + sizes["a3_minus"] * np.exp(-both / 101e-3)
    )
    np.testing.assert_allclose(found, expected, rtol=1e-12, err_msg="sender, target, sender")


@pytest.mark.parametrize("after", [200, 700, 1500])
def test_a_reward_that_comes_later(after):
    """Izhikevich 2007, equations 1 and 2: the pair leaves an eligibility, which decays until a reward turns it over."""
    length, tau = 50, 0.1
    values = {"tau_plus": 15e-3, "tau_minus": 30e-3, "a_plus": 0.02, "a_minus": 0.015, "w_max": 1.0}
    choice = Plasticity(
        "reward_modulated_stdp", **values, tau_eligibility=tau, learning_rate=8.0, interval=DT, modulator=0.0
    )

    def drive(bench):
        bench.run(START + after)
        bench.state.set_modulator(0.7)
        bench.run(length)
        bench.state.set_modulator(0.0)
        bench.run(200)

    lags = LAGS[abs(LAGS) < after]
    found = changes(choice, [[START]] * len(lags), [[START + lag] for lag in lags], drive=drive)
    seconds = lags * DT
    pair = np.where(lags > 0, 0.02 * np.exp(-seconds / 15e-3), -0.015 * np.exp(seconds / 30e-3))
    # the eligibility is there from the later of the two spikes on
    since = (after - np.maximum(lags, 0)) * DT
    expected = 8.0 * 0.7 * pair * tau * np.exp(-since / tau) * (1 - np.exp(-length * DT / tau))
    # a forward Euler step of 0.1 ms over an exponential of 100 ms
    np.testing.assert_allclose(found, expected, rtol=2e-3)
    assert abs(found).max() > 1e-4
