"""The CUBA and Brunel networks from one description each, in NEST and in our engine."""

import numpy as np
import pytest

from spikelab import sim
from spikelab.sim.examples.brunel import brunel
from spikelab.sim.examples.izhikevich_2003 import izhikevich_2003
from spikelab.sim.examples.microcircuit import microcircuit
from spikelab.sim.examples.vogels_abbott import vogels_abbott


def raster(network, duration, engine, options=None):
    spikes = network.record_spikes(next(iter(network.populations.values())))
    network.run(duration, engine=engine, options=options)
    return spikes


def statistics(spikes, begin, end, bin_width=1e-3):
    """(mean rate, mean CV of interspike intervals, Fano factor of the number of spikes in a bin)."""
    kept = spikes.times > begin
    times, neurons = spikes.times[kept], spikes.neurons[kept]
    size = spikes.group.size
    trains = [train[train > begin] for train in spikes.trains()]
    intervals = [np.diff(train) for train in trains if len(train) > 3]
    cv = np.mean([each.std() / each.mean() for each in intervals])
    counts = np.bincount(((times - begin) / bin_width).astype(int))[: round((end - begin) / bin_width) - 1]
    assert neurons.max() < size
    return np.array([len(times) / size / (end - begin), cv, counts.var() / counts.mean()])


def assert_statistics_agree(ours, theirs, spreads=5.0):
    """Over networks of several seeds: the means differ by no more than the spread between seeds allows.

    Named test: Welch's t, |difference of means| below ``spreads`` standard errors, for each statistic; the error has a
    floor of 0.5 % of the mean, so that three seeds that happen to agree closely are no ground to fail.
    """
    ours, theirs = np.array(ours), np.array(theirs)
    error = np.sqrt(ours.var(0, ddof=1) / len(ours) + theirs.var(0, ddof=1) / len(theirs))
    error = np.maximum(error, 0.005 * np.abs(ours.mean(0)))
    t = (ours.mean(0) - theirs.mean(0)) / error
    assert (np.abs(t) < spreads).all(), f"t = {t}, ours {ours.mean(0)}, NEST's {theirs.mean(0)}"


@pytest.mark.slow
def test_cuba_spike_for_spike_and_brunel_in_its_statistics():
    one, other = (raster(vogels_abbott(seed=1), 0.2, engine) for engine in ("numba", "nest"))
    assert len(one) > 4000
    np.testing.assert_array_equal(one.neurons, other.neurons)
    np.testing.assert_array_equal(np.round(one.times / 1e-4), np.round(other.times / 1e-4))

    found = {
        engine: [
            statistics(
                raster(brunel(neurons=2500, in_degree=250, eta=2.0, weight=0.4e-3, seed=seed), 0.6, engine), 0.1, 0.6
            )
            for seed in range(3)
        ]
        for engine in ("numba", "nest")
    }
    assert_statistics_agree(found["numba"], found["nest"])


@pytest.mark.slow
def test_a_network_that_nest_draws_itself_has_the_same_statistics():
    rules = {"wiring": "rules"}
    options = {"numba": None, "nest": rules}
    found = {
        engine: [
            statistics(
                raster(brunel(neurons=2500, in_degree=250, weight=0.4e-3, seed=seed), 0.6, engine, options[engine]),
                0.1,
                0.6,
            )
            for seed in range(3)
        ]
        for engine in ("numba", "nest")
    }
    assert_statistics_agree(found["numba"], found["nest"])


@pytest.mark.slow
def test_izhikevich_network_without_noise_is_spike_for_spike():
    def quiet():
        network = izhikevich_2003(neurons=400, seed=3)
        network.inputs.clear()
        network.input(network.populations["cells"], sim.StepCurrent([0.0, 0.1], [6.0, 3.0]))
        return network

    one, other = (raster(quiet(), 0.2, engine) for engine in ("numba", "nest"))
    assert len(one) > 1000
    # the network is chaotic and single digits decide: the first 200 spikes before rounding grows
    np.testing.assert_array_equal(one.neurons[:200], other.neurons[:200])
    np.testing.assert_array_equal(np.round(one.times[:200] / 1e-3), np.round(other.times[:200] / 1e-3))


@pytest.mark.slow
def test_microcircuit_has_the_same_rates():
    def rates(engine, seed):
        network = microcircuit(scale=0.02, seed=seed)
        monitors = [network.record_spikes(population) for population in network.populations.values()]
        network.run(0.5, engine=engine)
        return [np.sum(each.times > 0.1) / each.group.size / 0.4 for each in monitors]

    found = {engine: np.array([rates(engine, seed) for seed in range(4)]) for engine in ("numba", "nest")}
    ours, theirs = found["numba"], found["nest"]
    error = np.sqrt(ours.var(0, ddof=1) / 4 + theirs.var(0, ddof=1) / 4)
    assert (np.abs(ours.mean(0) - theirs.mean(0)) < 5 * error + 0.2).all(), (ours.mean(0), theirs.mean(0), error)
