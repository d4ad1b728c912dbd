"""One neuron against closed forms: exact to rounding, whatever dt is."""

import mpmath
import numpy as np
import pytest

from spikelab import sim
from spikelab.sim import Network, Receptor

DT = 1e-3


def one_cell(network, neuron="lif", size=1, **changes):
    settings = {"tau_mem": 20e-3, "v_threshold": 1.0} if neuron == "lif" else {}
    return network.population("cell", size, neuron, **{**settings, **changes})


def spikes_into(network, cell, times, weight, receptor="input", delay=DT):
    source = network.source("source", 1, sim.SpikeArray(np.asarray(times, float), np.zeros(len(times), int)))
    network.projection(source, cell, sim.AllToAll(), receptor=receptor, weight=weight, delay=delay)


@pytest.mark.parametrize("refractory", [0.0, 2.3456789e-3])
def test_intervals_under_constant_drive(refractory):
    """tau · log(drive / (drive - threshold)), plus the refractory time, which is not rounded to steps."""
    network = Network(dt=DT)
    drive = np.array([1.0001, 1.2, 1.5, 3.0, 50.0])
    spikes = network.record_spikes(one_cell(network, size=5, bias=drive, refractory=refractory))
    network.run(0.5, engine="event_driven")
    for train, x in zip(spikes.trains(), drive, strict=True):
        rise = 20e-3 * np.log(x / (x - 1))
        expected = rise + np.arange(int(0.5 / (rise + refractory)) + 2) * (rise + refractory)
        expected = expected[expected <= 0.5]
        np.testing.assert_allclose(train, expected, rtol=1e-12)


def test_without_leak():
    network = Network(dt=DT)
    spikes = network.record_spikes(one_cell(network, "if", size=2, bias=np.array([0.25, 1.0]), r=1e3))
    network.run(0.1, engine="event_driven")
    for train, interval in zip(spikes.trains(), [4e-3, 1e-3], strict=True):
        np.testing.assert_allclose(train, interval * np.arange(1, len(train) + 1), rtol=1e-12)
        assert len(train) in (round(0.1 / interval), round(0.1 / interval) - 1)


def test_a_loop_of_two_exponentials_in_cuba_lif(rising_zero):
    """The input reaches the membrane through a state of its own."""
    network = Network(dt=DT)
    spikes = network.record_spikes(one_cell(network, "cuba_lif", tau_mem=20e-3, tau_syn=5e-3, bias=1.7, refractory=0.5))
    network.run(0.3, engine="event_driven")

    def membrane(t):
        slow, fast = mpmath.exp(-t / mpmath.mpf(20e-3)), mpmath.exp(-t / mpmath.mpf(5e-3))
        return mpmath.mpf(1.7) * (1 - (20 * slow - 5 * fast) / 15)

    with mpmath.workdps(30):
        expected = rising_zero(lambda t: membrane(t) - 1, 0.2)
    assert spikes.times == pytest.approx([float(expected)], rel=1e-13)


@pytest.mark.parametrize("tau_syn", [5e-3, 20e-3, 20.0000001e-3])
def test_an_alpha_current(rising_zero, tau_syn):
    """Also where its time constant is that of the membrane, which gives t^2 exp(-t / tau)."""
    network = Network(dt=DT)
    cell = one_cell(network, receptors={"input": Receptor("alpha_current", tau_syn=tau_syn)}, refractory=0.5)
    spikes_into(network, cell, [1e-3], 8.0, delay=2e-3)
    spikes = network.record_spikes(cell)
    network.run(0.2, engine="event_driven")
    with mpmath.workdps(40):
        tau, mem = mpmath.mpf(tau_syn), mpmath.mpf(20e-3)

        apart = 1 / tau - 1 / mem

        def membrane(t):
            integral = (1 - mpmath.exp(-apart * t) * (1 + apart * t)) / apart**2 if apart else t * t / 2
            return mpmath.e * mpmath.mpf(8) / (tau * mem) * mpmath.exp(-t / mem) * integral

        expected = rising_zero(lambda t: membrane(t) - 1, 2 * tau)
    # what the sum of 1 ms and 2 ms rounds to is when the spike arrives
    assert spikes.times == pytest.approx([float(expected) + 3e-3], rel=1e-12)


def test_a_jump_of_the_membrane_fires_at_once_and_is_lost_in_the_refractory_time():
    network = Network(dt=DT)
    cell = one_cell(network, receptors={"input": Receptor("delta")}, refractory=5e-3)
    # the third and fourth arrive in the refractory time, the fourth at its very end; the fifth just after
    arrivals = np.array([10e-3, 20.0003e-3, 22e-3, 25.0003e-3, 25.0004e-3])
    spikes_into(network, cell, arrivals - DT, 0.8)
    spikes, trace = network.record_spikes(cell), network.record_states(cell, "v", every=1e-3)
    network.run(0.04, engine="event_driven")
    assert 0.8 * np.exp(-10.0003 / 20) + 0.8 > 1
    # arrivals are sums of two rounded times
    np.testing.assert_allclose(spikes.times, [20.0003e-3], rtol=1e-14)
    after = trace["v"][:, 0][26:]
    np.testing.assert_allclose(after, 0.8 * np.exp(-(trace.times[26:] - 25.0004e-3) / 20e-3), rtol=1e-12)


def test_a_membrane_above_threshold_fires_at_time_zero_and_when_the_refractory_time_ends():
    network = Network(dt=DT)
    cell = one_cell(network, initial={"v": 1.5}, reset="subtract", v_threshold=0.2, refractory=3e-3)
    spikes = network.record_spikes(cell)
    network.run(0.1, engine="event_driven")
    assert spikes.times[0] == 0
    np.testing.assert_allclose(spikes.times[1:7], 3e-3 * np.arange(1, 7), rtol=1e-14)
    assert len(spikes) == 7


def test_a_membrane_at_threshold_that_rises_fires_at_once():
    network = Network(dt=DT)
    cell = one_cell(network, size=2, initial={"v": 1.0}, bias=np.array([1.5, 0.5]), refractory=0.4)
    spikes = network.record_spikes(cell)
    network.run(0.1, engine="event_driven")
    assert spikes.times.tolist() == [0.0]
    assert spikes.neurons.tolist() == [0]


def test_steps_of_a_current_at_their_exact_times():
    network = Network(dt=DT)
    cell = one_cell(network, refractory=0.4)
    network.input(cell, sim.StepCurrent([1.23456e-3, 5.5e-3, 9.87654e-3], [0.3, 0.0, 2.0]))
    network.input(cell, sim.StepCurrent([1.1e-3, 5.5e-3], [0.1, 0.0]))
    spikes, trace = network.record_spikes(cell), network.record_states(cell, "v")
    network.run(0.05, engine="event_driven")
    edges, values = [1.1e-3, 1.23456e-3, 5.5e-3, 9.87654e-3], [0.1, 0.4, 0.0, 2.0]
    v = last = 0.0
    drive = 0.0
    for edge, value in zip(edges, values, strict=True):
        v = drive + (v - drive) * np.exp(-(edge - last) / 20e-3)
        last, drive = edge, value
    expected = last + 20e-3 * np.log((2 - v) / (2 - 1))
    assert spikes.times == pytest.approx([expected], rel=1e-12)
    assert (trace["v"][:2, 0] == 0).all()


def test_resets_and_what_a_spike_does_to_other_states():
    """The adaptive neuron: its threshold rises with each spike and decays exactly."""
    network = Network(dt=DT)
    cell = one_cell(network, "adaptive_lif", tau_mem=20e-3, bias=3.0, tau_adaptation=0.1, adaptation_jump=0.4)
    spikes = network.record_spikes(cell)
    network.run(0.1, engine="event_driven")
    with mpmath.workdps(30):
        v, a, t = mpmath.mpf(0), mpmath.mpf(0), mpmath.mpf(0)
        for found in spikes.times:

            def distance(h, v=v, a=a):
                return 3 + (v - 3) * mpmath.exp(-h / 20e-3) - 1 - a * mpmath.exp(-h / 0.1)

            interval = mpmath.findroot(distance, mpmath.mpf(found) - t)
            v = 3 + (v - 3) * mpmath.exp(-interval / 20e-3) - 1
            a = a * mpmath.exp(-interval / 0.1) + mpmath.mpf(0.4)
            t += interval
            assert found == pytest.approx(float(t), rel=1e-12)
    assert len(spikes) > 3


def test_a_readout_only_integrates():
    network = Network(dt=DT)
    cell = one_cell(network, "li", tau_mem=20e-3, bias=5.0)
    trace, spikes = network.record_states(cell, "v"), network.record_spikes(cell)
    network.run(0.1, engine="event_driven")
    np.testing.assert_allclose(trace["v"][:, 0], 5 * -np.expm1(-trace.times / 20e-3), rtol=1e-13)
    assert len(spikes) == 0


def test_a_reset_that_leaves_the_membrane_above_threshold_is_an_error():
    network = Network(dt=DT)
    one_cell(network, size=3, reset="subtract", initial={"v": np.array([0.0, 1e5, 0.0])})
    with pytest.raises(RuntimeError, match=r"population cell: neuron 1 spiked 4096 times .* refractory"):
        network.run(0.1, engine="event_driven")
    with pytest.raises(RuntimeError, match="build the network again"):
        network.run(0.1, engine="event_driven")
