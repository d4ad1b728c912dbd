"""Structural plasticity: weak synapses are replaced, in-degrees stay, and the others do not notice."""

import numpy as np
import pytest

from spikelab import sim
from spikelab.sim import Plasticity
from spikelab.sim.plasticity.rewiring import new_senders


def network(rewiring=None, rule="pair_stdp", delay=1e-3, dtype="float64", seed=3, **values):
    """Sources that drive cells through plastic synapses; depression prevails."""
    net = sim.Network(dt=1e-4, seed=seed, dtype=dtype)
    source = net.source("senders", 40, sim.PoissonSource(60.0))
    cells = net.population("cells", 100, "lif", receptors={"current_of_spikes": sim.Receptor("exponential_current")})
    values = {"a_plus": 0.05, "a_minus": 0.2, "w_max": 1.0} | values
    choice = Plasticity(rule, rewiring=rewiring, **values)
    synapses = net.projection(
        source,
        cells,
        sim.FixedInDegree(12, allow_multapses=False),
        receptor="current_of_spikes",
        weight=0.9,
        delay=delay,
        plasticity=choice,
    )
    return net, synapses


DELAYS = [1e-3, sim.Uniform(0.5e-3, 1.2e-3)]
EVERY = sim.Rewiring(interval=10e-3, below=0.3, weight=0.5)


@pytest.mark.parametrize("delay", DELAYS)
@pytest.mark.parametrize("execution", ["snapshot", "history"])
def test_in_degrees_stay_and_pairs_stay_unique(delay, execution):
    net, synapses = network(EVERY, delay=delay, execution=execution)
    before = net.connectivity(synapses)
    net.run(0.1)
    after, state = net.connectivity(synapses), net.engine().projections[synapses.number]
    assert state.replaced > 50
    assert (after.in_degrees() == before.in_degrees()).all()
    assert (after.starts != before.starts).any()
    pairs = after.senders() * 100 + after.targets
    assert (np.diff(pairs) > 0).all(), "by sender, then by target, each pair once"
    assert len(net.weights(synapses)) == len(after)
    # the wiring that the network was built with is still told
    assert net.synapses(synapses).connectivity is before


@pytest.mark.parametrize("execution", ["snapshot", "history"])
def test_synapses_that_are_not_weak_do_not_notice(execution):
    """Nothing is below the threshold, so that rewiring only brings all that waits up to date, again and again."""
    never = sim.Rewiring(interval=0.7e-3, below=0.0, weight=0.5)
    for delay in DELAYS:
        for rule, values in (("pair_stdp", {}), ("reward_modulated_stdp", {"modulator": 1.0, "learning_rate": 50.0})):
            if rule != "pair_stdp" and execution == "snapshot":
                continue
            found = []
            for rewiring in (None, never):
                net, synapses = network(rewiring, rule, delay, execution=execution, **values)
                spikes = net.record_spikes(net.populations["cells"])
                net.run(0.08)
                found.append((spikes.times, spikes.neurons, net.weights(synapses)))
            assert found[0][0].size > 50
            assert (found[0][0] == found[1][0]).all()
            assert (found[0][1] == found[1][1]).all()
            np.testing.assert_allclose(found[0][2], found[1][2], rtol=0, atol=1e-12)
            assert found[0][2].std() > 0


@pytest.mark.parametrize("execution", ["snapshot", "history"])
def test_new_synapses_begin_with_their_weight_and_without_a_past(execution):
    net, synapses = network(sim.Rewiring(interval=50e-3, below=0.3, weight=0.45), execution=execution)
    net.run(49.9e-3)
    before, weights = net.connectivity(synapses), net.weights(synapses)
    net.run(0.1e-3)
    after, now = net.connectivity(synapses), net.weights(synapses)
    old = set((before.senders() * 100 + before.targets).tolist())
    new = ~np.isin(after.senders() * 100 + after.targets, list(old))
    assert new.sum() == net.engine().projections[0].replaced
    assert 0 < new.sum() <= (weights < 0.32).sum()
    assert (now[new] == 0.45).all()
    assert (now[~new] >= 0.3).all()


@pytest.mark.parametrize("execution", ["snapshot", "history"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_threads_parts_and_checkpoints_change_nothing(execution, dtype, tmp_path):
    def finish(net, synapses):
        found = net.connectivity(synapses)
        return found.starts, found.targets, net.weights(synapses), net.state(net.populations["cells"], "v")

    def build():
        return network(EVERY, delay=DELAYS[1], execution=execution, dtype=dtype)

    whole, synapses = build()
    whole.run(0.06)
    wanted = finish(whole, synapses)
    for threads in (2, 4):
        net, synapses = build()
        net.run(0.06, threads=threads)
        assert all((a == b).all() for a, b in zip(wanted, finish(net, synapses), strict=True))
    saved, _ = build()
    saved.run(0.0237, threads=2)
    saved.run(0.0063)
    saved.save(tmp_path / "state.h5")
    restored, synapses = build()
    restored.restore(tmp_path / "state.h5")
    restored.run(0.03)
    assert all((a == b).all() for a, b in zip(wanted, finish(restored, synapses), strict=True))


def test_the_seed_decides():
    found = []
    for seed in (3, 3, 4):
        net, synapses = network(EVERY, seed=seed)
        net.run(0.05)
        found.append(net.connectivity(synapses).targets)
    assert (found[0] == found[1]).all()
    assert (found[0] != found[2]).any()


def test_draws_of_senders():
    senders, targets = np.array([0, 0, 1, 2, 2]), np.array([0, 1, 1, 0, 2])
    weak = np.array([True, True, False, False, True])
    count = np.zeros((5, 3))
    for key in range(600):
        found = new_senders(senders, targets, weak, (5, 3), None, key)
        assert (found[~weak] == senders[~weak]).all()
        pairs = found * 3 + targets
        assert np.unique(pairs).size == 5
        for sender, target in zip(found[weak], targets[weak], strict=True):
            count[sender, target] += 1
    # a target never gets a sender that it has or has just lost
    assert (count[[0, 2], 0] == 0).all()
    assert (count[[0, 1], 1] == 0).all()
    assert count[2, 2] == 0
    # the others are equally likely: chi-squared of 600 draws over 3, 3 and 4 senders
    for target, others in ((0, [1, 3, 4]), (1, [2, 3, 4]), (2, [0, 1, 3, 4])):
        expected = 600 / len(others)
        assert ((count[others, target] - expected) ** 2 / expected).sum() < 20


def test_where_no_sender_is_left_the_synapse_stays():
    senders, targets = np.repeat(np.arange(3), 2), np.tile(np.arange(2), 3)
    every = np.ones(6, bool)
    assert (new_senders(senders, targets, every, (3, 2), None, 1) == senders).all()
    # neuron 0 cannot reach itself, so that only one of two synapses has somewhere to go
    found = new_senders(np.array([1, 2]), np.array([0, 0]), np.array([True, True]), (4, 4), 0, 1)
    assert sorted(found) in ([1, 3], [2, 3])
    assert new_senders(np.zeros(0, int), np.zeros(0, int), np.zeros(0, bool), (0, 3), None, 1).size == 0


def test_what_is_refused():
    for rewiring, match in (
        (sim.Rewiring(interval=0.15e-3, below=0.3, weight=0.5), "rewiring: interval .* whole number of steps"),
        (sim.Rewiring(interval=0.0, below=0.3, weight=0.5), "whole number of steps"),
        (sim.Rewiring(interval=1e-3, below=-0.1, weight=0.5), "below = -0.1 must not be negative"),
        (sim.Rewiring(interval=1e-3, below=0.3, weight=1.5), "weight = 1.5 lies outside 0 to 1"),
        (sim.Rewiring(interval=1e-3, below=0.3, weight=0.2), "replaced at once"),
        (sim.Rewiring(interval=1e-3, below=float("nan"), weight=0.2), "below"),
        (sim.Rewiring(interval=1e-3, below="1 mV", weight=0.2), "below"),
    ):
        with pytest.raises(ValueError, match=match):
            network(rewiring)
    with pytest.raises(TypeError, match=r"takes a sim\.Rewiring"):
        Plasticity("pair_stdp", rewiring=0.1)
    net = sim.Network()
    cells = net.population("cells", 3, "lif")
    rule = Plasticity("tsodyks_markram", rewiring=EVERY)
    with pytest.raises(ValueError, match="weights of tsodyks_markram stay"):
        net.projection(cells, cells, sim.AllToAll(), receptor="current", weight=0.5, plasticity=rule)
    net, synapses = network(EVERY)
    with pytest.raises(ValueError, match="no fixed places"):
        net.record_weights(synapses, every=1e-3, synapses=[1])
    all_of_them = net.record_weights(synapses, every=5e-3)
    net.run(0.02)
    assert all_of_them.weights.shape == (5, 1200)
