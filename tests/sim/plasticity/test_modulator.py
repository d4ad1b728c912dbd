"""Signals that reach all synapses alike: given in time, set between runs, or raised by spikes."""

import math

import numpy as np
import pytest
from hand_driven import HandDriven, random_case
from slow_rule import SlowRule

from spikelab import sim
from spikelab.sim.plasticity.choice import Plasticity

VALUES = {"tau_plus": 3e-3, "tau_minus": 5e-3, "tau_eligibility": 8e-3, "a_plus": 0.05, "a_minus": 0.03}
VALUES |= {"w_max": 1.0, "learning_rate": 60.0, "interval": 0.4e-3}


def beside(case, choice, signal, steps, dtype="float64", threads=1, tolerance=1e-12):
    """Runs the kernels beside the interpreter, which is given the modulator of each step."""
    fast = HandDriven(case, choice, dtype, threads)
    numbers = choice.constants("1", "test")
    slow = SlowRule(choice.rule, numbers, case.senders, case.targets, case.delays, case.weights, case.sizes, case.dt)
    for step in range(steps):
        slow.modulator = signal(step)
        slow.step(step, case.pre[step], case.post[step])
    fast.run(steps)
    np.testing.assert_allclose(fast.variable("w"), slow.synapse["w"], atol=tolerance, rtol=0)
    assert abs(fast.variable("w") - case.weights).max() > 1e-3
    return fast.variable("w")


def test_a_signal_in_steps():
    case = random_case(21, 500)
    choice = Plasticity("reward_modulated_stdp", modulator=sim.StepSignal([5e-3, 20e-3, 30e-3], [0.5, -1, 2]), **VALUES)
    # before the first time it has the first value
    beside(case, choice, lambda step: 0.5 if step < 200 else -1 if step < 300 else 2, 500)


@pytest.mark.parametrize("source", ["senders", "targets"])
def test_a_signal_raised_by_spikes(source):
    case, delay, tau = random_case(22, 500), 5, 6e-3
    spikes = case.pre if source == "senders" else case.post
    level, levels, rest = 0.3, [], 0.3
    for step in range(500):
        levels.append(level)
        level = rest + (level - rest) * math.exp(-case.dt / tau)
        if step >= delay:
            level += 0.05 * sum(each < 3 for each in spikes[step - delay])

    found = []
    for threads in (1, 2):
        population = sim.Population(source, case.sizes[source == "targets"])
        signal = sim.SpikeSignal(population[:3], tau=tau, jump=0.05, rest=rest, delay=delay * case.dt)
        choice = Plasticity("reward_modulated_stdp", modulator=signal, **VALUES)
        found.append(beside(case, choice, lambda step: levels[step], 500, threads=threads))
    assert found[0].tobytes() == found[1].tobytes()


def network(modulator=None, **values):
    net = sim.Network(dt=1e-4)
    senders = net.source("senders", 2, sim.SpikeArray([1e-3, 2e-3], [0, 1]))
    cells = net.population("cells", 2, "lif")
    rule = Plasticity("reward_modulated_stdp", modulator=modulator, w_max=1.0, **values)
    synapses = net.projection(senders, cells, sim.AllToAll(), receptor="current", weight=0.5, plasticity=rule)
    return net, synapses, senders


def test_what_is_refused():
    with pytest.raises(ValueError, match="pair_stdp has no modulator"):
        Plasticity("pair_stdp", modulator=1.0)
    for signal, match in (
        (sim.StepSignal([0.0, 1.0], [1.0]), "as many times as values"),
        (sim.StepSignal([], []), "at least one"),
        (sim.StepSignal([1.0, 1.0], [1.0, 2.0]), "must ascend"),
        (sim.StepSignal([0.0], [float("nan")]), "finite"),
        (float("nan"), "finite"),
        ("1 mV", "a number without a unit"),
    ):
        with pytest.raises(ValueError, match=match):
            network(signal)
    elsewhere = sim.Network().population("cells", 2, "lif")
    for signal, match in (
        (sim.SpikeSignal(elsewhere, tau=0.1), "the modulator: cells belongs to another network"),
        (sim.SpikeSignal(elsewhere, tau=-0.1), "must be > 0"),
        (sim.SpikeSignal(elsewhere, tau=0.1, delay=0.0), "whole number of steps"),
        (sim.SpikeSignal(elsewhere, tau=0.1, delay=1.5e-4), "whole number of steps"),
    ):
        with pytest.raises(ValueError, match=match):
            network(signal)
    with pytest.raises(TypeError, match="population"):
        network(sim.SpikeSignal("cells", tau=0.1))


def test_set_between_runs():
    net, synapses, _ = network(interval=1e-3)
    for value in (float("nan"), float("inf"), "1 ms"):
        with pytest.raises(ValueError, match="modulator"):
            net.set_modulator(synapses, value)
    net.run(2e-3)
    before = net.weights(synapses)
    net.set_modulator(synapses, 3.0)
    net.run(5e-3)
    assert (net.weights(synapses) == before).all(), "there is no eligibility, so a reward changes nothing"


def test_rewarded_pairs_grow_and_unrewarded_ones_do_not():
    """A spike of each sender reaches each target before it spikes; the reward follows only the first sender's pairs."""
    net = sim.Network(dt=1e-4)
    times = np.array([10e-3, 12e-3, 500e-3, 502e-3])
    senders = net.source("senders", 2, sim.SpikeArray(times[[0, 2]], [0, 1]))
    drive = net.source("drive", 1, sim.SpikeArray(times[[1, 3]], [0, 0]))
    cell = net.population("cell", 1, "lif", receptors={"relay": sim.Receptor("delta")})
    reward = sim.StepSignal([0.0, 0.05, 0.06], [0.0, 1.0, 0.0])
    rule = Plasticity("reward_modulated_stdp", modulator=reward, tau_eligibility=0.1, learning_rate=100.0, w_max=1.0)
    synapses = net.projection(senders, cell, sim.AllToAll(), receptor="current", weight=0.0, plasticity=rule)
    net.projection(drive, cell, sim.AllToAll(), receptor="relay", weight=10.0)
    spikes = net.record_spikes(cell)
    net.run(0.7)
    assert len(spikes.times) == 2
    rewarded, other = net.weights(synapses)
    # the pair makes an eligibility of a_plus exp(-2 ms / 20 ms), of which the reward sees 40 ms to 50 ms after it
    made = 0.01 * math.exp(-2 / 20)
    wanted = 100 * made * 0.1 * (math.exp(-0.0379 / 0.1) - math.exp(-0.0479 / 0.1))
    assert rewarded == pytest.approx(wanted, rel=0.02)
    assert other == 0


def test_a_signal_that_follows_spikes_cannot_be_set():
    net = sim.Network(dt=1e-4)
    senders = net.source("senders", 2, sim.SpikeArray([1e-3, 2e-3], [0, 1]))
    cells = net.population("cells", 2, "lif")
    rule = Plasticity("reward_modulated_stdp", modulator=sim.SpikeSignal(senders, tau=0.1), w_max=1.0)
    synapses = net.projection(senders, cells, sim.AllToAll(), receptor="current", weight=0.5, plasticity=rule)
    plain = net.projection(senders, cells, sim.AllToAll(), receptor="current", weight=0.5)
    with pytest.raises(ValueError, match="follows the spikes of senders"):
        net.set_modulator(synapses, 1.0)
    with pytest.raises(ValueError, match="no plasticity"):
        net.set_modulator(plain, 1.0)
