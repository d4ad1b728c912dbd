"""First crossings of threshold against dense evaluation and against many digits; none is missed, none is invented."""

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq

from spikelab.sim import Network, Receptor

TAU = 20e-3


def first_spikes(taus, currents, start, bias, threshold, tau_mem=TAU, duration=0.6):
    """First spike of each of many cells (inf: none); synaptic currents [cells, receptors] at time 0."""
    network = Network(dt=1e-3)
    count = len(start)
    receptors = {f"r{k}": Receptor("exponential_current", tau_syn=tau) for k, tau in enumerate(np.transpose(taus))}
    cells = network.population(
        "cells",
        count,
        "lif",
        tau_mem=tau_mem,
        v_threshold=threshold,
        v_reset=-1e6,
        bias=bias,
        receptors=receptors,
        initial={"v": start, **{f"i_r{k}": column for k, column in enumerate(np.transpose(currents))}},
    )
    spikes = network.record_spikes(cells)
    network.run(duration, engine="event_driven")
    found = np.full(count, np.inf)
    np.minimum.at(found, spikes.neurons, spikes.times)
    return found


def membrane(time, taus, currents, start, bias, tau_mem=TAU):
    """The same by partial fractions."""
    value = bias + (start - bias) * np.exp(-time / tau_mem)
    for tau, current in zip(taus, currents, strict=True):
        value = value + current * tau / (tau - tau_mem) * (np.exp(-time / tau) - np.exp(-time / tau_mem))
    return value


@pytest.mark.parametrize("receptors", [1, 2, 3, 5])
def test_sums_of_exponentials_against_dense_evaluation(receptors):
    """Random currents of both signs: up to as many turns as there are exponentials."""
    random = np.random.default_rng(receptors)
    count = 300
    taus = 1e-3 * 2.0 ** random.uniform(0, 6, (count, receptors))
    # of alternating sign and growing with speed, so that many cells rise and fall several times
    currents = random.normal(size=(count, receptors)) * 3 * (TAU / taus) ** 0.7
    start, bias = random.uniform(-1, 0.9, count), random.choice([0.0, 0.5, 0.999, 1.2], count)
    found = first_spikes(taus, currents, start, bias, 1.0)
    grid = np.concatenate([[0], np.geomspace(1e-7, 0.6, 40001)])
    crossed = several = 0
    for k in range(count):

        def distance(t, k=k):
            return membrane(t, taus[k], currents[k], start[k], bias[k]) - 1

        values = distance(grid)
        above = np.flatnonzero(values > 0)
        # a peak between two points of the grid cannot be higher than this over the points
        if not above.size:
            if abs(values.max()) > 1e-6:
                assert found[k] == np.inf, k
            continue
        expected = brentq(distance, grid[above[0] - 1], grid[above[0]], xtol=1e-17, rtol=1e-15)
        slope = (distance(expected * (1 + 1e-7)) - distance(expected * (1 - 1e-7))) / (2e-7 * expected)
        # the partial fractions round to about 1e-14
        assert found[k] == pytest.approx(expected, abs=1e-13 / slope + 1e-15), k
        crossed += 1
        several += np.count_nonzero(np.diff(np.sign(np.diff(values)))) > 1
    assert crossed > 50
    assert several > 20 * (receptors > 1)


@given(
    ratio=st.floats(0.05, 20.0),
    current=st.floats(2.0, 50.0),
    start=st.floats(-2.0, 0.5),
    below=st.sampled_from([1e-3, 1e-6, 1e-9, 1e-12]),
)
@settings(max_examples=40)
def test_grazing_the_threshold(rising_zero, ratio, current, start, below):
    """One current, whose peak of the membrane is known to many digits: thresholds just below and just above it."""
    if abs(ratio - 1) < 1e-3:
        return
    with mpmath.workdps(40):
        tau_mem, tau = mpmath.mpf(TAU), mpmath.mpf(ratio * TAU)
        slow = mpmath.mpf(current) * tau / (tau - tau_mem)
        fast = mpmath.mpf(start) - slow

        def value(t):
            return slow * mpmath.exp(-t / tau) + fast * mpmath.exp(-t / tau_mem)

        quotient = -(slow / tau) / (fast / tau_mem)
        if quotient <= 0:
            return
        peak_time = mpmath.log(quotient) / (1 / tau - 1 / tau_mem)
        if peak_time <= 0:
            return
        peak = value(peak_time)
        thresholds = [float(peak - below * abs(peak)), float(peak + below * abs(peak))]
        if thresholds[0] <= start or peak < 0.05:
            return
        expected = rising_zero(lambda t: value(t) - mpmath.mpf(thresholds[0]), peak_time)
        slope = float(mpmath.diff(value, expected))
    found = first_spikes(
        np.full((2, 1), ratio * TAU), np.full((2, 1), current), np.full(2, start), 0.0, np.array(thresholds)
    )
    assert found[1] == np.inf
    scale = current * max(1, ratio)
    assert found[0] == pytest.approx(float(expected), abs=1e-14 * scale / slope + 1e-16)


@pytest.mark.parametrize("start", [-1.0, 0.0, 0.7])
def test_twice_the_synaptic_time_constant_is_a_quadratic(start):
    """With u = exp(-t / tau_mem) and tau_syn = tau_mem / 2: v = bias + b u + c u^2."""
    random = np.random.default_rng(1)
    count = 200
    current, bias = random.uniform(-8, 30, count), random.uniform(-1, 1.5, count)
    found = first_spikes(np.full((count, 1), TAU / 2), current[:, None], np.full(count, start), bias, 1.0)
    crossed = 0
    for k in range(count):
        c = -current[k]
        b = start - bias[k] - c
        constant = bias[k] - 1
        discriminant = b * b - 4 * c * constant
        roots = []
        if discriminant >= 0:
            # the stable form of both solutions
            q = -(b + np.copysign(np.sqrt(discriminant), b)) / 2
            roots = [u for u in (q / c, constant / q) if 1e-12 < u < 1]
        rising = [u for u in roots if b + 2 * c * u < 0]
        if not rising:
            assert found[k] == np.inf
            continue
        crossed += 1
        assert found[k] == pytest.approx(-TAU * np.log(max(rising)), rel=1e-12)
    assert crossed > 40


@pytest.mark.parametrize("gap", [0.0, 1e-15, 1e-12, 1e-9, 1e-6, 1e-3])
def test_nearly_equal_time_constants(rising_zero, gap):
    """Against t · exp(-t / tau) and its neighbourhood, to many digits."""
    tau_syn = TAU * (1 + gap)
    current = 6.0
    with mpmath.workdps(40):
        tau, mem = mpmath.mpf(tau_syn), mpmath.mpf(TAU)

        def value(t):
            if tau == mem:
                return current * t / mem * mpmath.exp(-t / mem)
            return current * tau / (tau - mem) * (mpmath.exp(-t / tau) - mpmath.exp(-t / mem))

        expected = float(rising_zero(lambda t: value(t) - 1, mem))
    found = first_spikes(np.full((1, 1), tau_syn), np.full((1, 1), current), np.zeros(1), 0.0, 1.0)
    assert found[0] == pytest.approx(expected, rel=1e-14)


def test_a_crossing_before_the_membrane_is_pulled_down_and_one_only_after():
    """Fast excitation, slow inhibition and a drive above threshold: up, down, up again."""
    taus = np.array([[1e-3, 30e-3]] * 2)
    currents = np.array([[80.0, -6.0], [10.0, -6.0]])
    found = first_spikes(taus, currents, np.zeros(2), 1.5, 1.0)
    assert 0 < found[0] < 2e-3
    assert 40e-3 < found[1] < 0.2


def test_a_membrane_that_only_approaches_threshold_never_crosses():
    found = first_spikes(np.full((3, 1), 5e-3), np.zeros((3, 1)), np.array([0.0, 0.5, -3.0]), 1.0, 1.0, duration=5.0)
    assert np.isinf(found).all()


def test_time_constants_far_apart():
    """The chain underflows long before the slow current is gone."""
    tau = np.array([[0.1e-3, 2.0]])
    found = first_spikes(tau, np.array([[-50.0, 1.3]]), np.zeros(1), 0.0, 1.0, duration=1.0)

    def distance(t):
        return membrane(t, tau[0], [-50.0, 1.3], 0.0, 0.0) - 1

    assert found[0] == pytest.approx(brentq(distance, 0.01, 0.1, xtol=1e-17, rtol=1e-15), rel=1e-12)


def test_a_leak_to_the_threshold_itself_never_crosses_it_by_rounding():
    random = np.random.default_rng(4)
    threshold = -random.uniform(40e-3, 60e-3, 500)
    network = Network(dt=1e-3)
    cells = network.population(
        "cells",
        500,
        "lif_membrane",
        tau_mem=random.uniform(5e-3, 30e-3, 500),
        v_leak=threshold,
        v_threshold=threshold,
        initial={"v": -65e-3},
    )
    spikes, trace = network.record_spikes(cells), network.record_states(cells, "v", every=0.1)
    network.run(3.0, engine="event_driven")
    assert len(spikes) == 0
    np.testing.assert_allclose(trace["v"][-1], threshold, rtol=1e-15)
