"""Inputs, sources and monitors in NEST: the same times, units and statistics as here."""

import h5py
import numpy as np
import pytest

from spikelab import sim
from spikelab.sim import Network, Receptor

DT = 0.1e-3


def silent(network, size=1, **more):
    """Cells that do not spike by themselves."""
    return network.population(
        "cells", size, "lif_membrane", receptors={"synapse": Receptor("exponential_current", tau_syn=2e-3)}, **more
    )


def both(build):
    """Whatever ``build`` records, in NEST and here."""
    results = []
    for engine in ("nest", "numba"):
        network = Network(dt=DT, seed=4)
        monitors = build(network)
        network.run(20e-3, engine=engine)
        results.append(monitors)
    return results


@pytest.mark.parametrize("delay", [1, 7])
@pytest.mark.parametrize("start", [0, 1, 2, 33])
def test_a_current_begins_in_the_very_step(start, delay):
    def build(network):
        cells = silent(network, 3)
        relay = silent_pair(network, delay)
        network.input(cells, sim.StepCurrent([start * DT, 5e-3], [[1e-10, 2e-10, 0.0], [0.0, 1e-10, 3e-10]]))
        network.input(cells, sim.StepCurrent([0.0], [2e-11]))
        assert relay is not None
        return network.record_states(cells, ["v"])

    theirs, ours = both(build)
    np.testing.assert_array_equal(theirs.times, ours.times)
    np.testing.assert_allclose(theirs["v"], ours["v"], rtol=1e-10)


def silent_pair(network, delay):
    """Two neurons with a synapse of a given delay, which decides how long NEST's slices are."""
    pair = network.population("pair", 2, "lif_membrane", receptors={"synapse": Receptor("delta")})
    return network.projection(pair[:1], pair[1:], sim.OneToOne(), receptor="synapse", weight=1e-4, delay=delay * DT)


@pytest.mark.parametrize("delay", [1, 7])
def test_given_spikes_are_the_same(delay):
    def build(network):
        times = np.array([0.5, 1.0, 1.0, 33.0, 34.5, 120.0]) * DT
        source = network.source("source", 4, sim.SpikeArray(times, np.array([0, 1, 3, 1, 0, 3])))
        silent_pair(network, delay)
        cells = silent(network, 4, v_threshold=-69.9e-3, refractory=1e-3)
        network.projection(source, cells, sim.OneToOne(), receptor="synapse", weight=2e-9, delay=delay * DT)
        return network.record_spikes(source), network.record_spikes(cells[1:]), network.record_rate(source, every=1e-3)

    theirs, ours = both(build)
    for one, other in zip(theirs[:2], ours[:2], strict=True):
        assert len(other) >= 3
        np.testing.assert_array_equal(one.neurons, other.neurons)
        np.testing.assert_allclose(one.times, other.times, atol=1e-12)
    np.testing.assert_allclose(theirs[2].rates, ours[2].rates)
    np.testing.assert_array_equal(theirs[2].times, ours[2].times)


def test_poisson_input_has_the_rate_weight_and_sign_that_were_given():
    network = Network(dt=DT, seed=7)
    cells = silent(network, 200, v_threshold=1.0)
    rates = np.where(np.arange(200) < 100, 2000.0, 0.0)
    network.input(cells, sim.PoissonInput(rate=rates, weight=1e-12), receptor="synapse")
    network.input(cells[100:], sim.PoissonInput(rate=5000.0, weight=-2e-12), receptor="synapse")
    trace = network.record_states(cells, ["i_synapse"], every=1e-3)
    network.run(0.3, engine="nest")
    late = trace["i_synapse"][50:]
    # Campbell: mean rate * weight * tau, variance rate * weight^2 * tau / 2
    for part, rate, weight in ((late[:, :100], 2000.0, 1e-12), (late[:, 100:], 5000.0, -2e-12)):
        assert part.mean() == pytest.approx(rate * weight * 2e-3, rel=0.03)
        assert part.var() == pytest.approx(rate * weight**2 * 2e-3 / 2, rel=0.1)


def test_noise_current_has_the_moments_that_were_given_and_begins_in_the_first_step():
    network = Network(dt=DT, seed=7)
    cells = silent(network, 400, tau_mem=1e-2, v_threshold=1.0)
    deviation = np.where(np.arange(400) < 200, 50e-12, 200e-12)
    network.input(cells, sim.NoiseCurrent(standard_deviation=deviation, mean=100e-12))
    trace = network.record_states(cells, ["v"])
    network.run(5e-3, engine="nest")
    # the first step: v = v_leak + x * tau / C * (1 - exp(-dt / tau))
    gain = 1e-2 / 250e-12 * (1 - np.exp(-DT / 1e-2))
    first = (trace["v"][1] + 70e-3) / gain
    for part, spread in ((first[:200], 50e-12), (first[200:], 200e-12)):
        assert part.std() == pytest.approx(spread, rel=0.2)
        assert abs(part.mean() - 100e-12) < 4 * spread / np.sqrt(200)
    steps = np.diff(trace["v"], axis=0)
    correlation = np.corrcoef(steps[10, 200:], steps[11, 200:])[0, 1]
    assert abs(correlation) < 0.3, "a value for each step, and one for each neuron"


def test_poisson_sources_have_their_rates_from_the_first_step():
    network = Network(dt=DT, seed=9)
    constant = network.source("constant", 3, sim.PoissonSource(rate=[2000.0, 0.0, 500.0]))
    same = network.source("same", 50, sim.PoissonSource(rate=100.0))
    course = np.array([[0.0, 3000.0], [4000.0, 0.0]])
    changing = network.source("changing", 2, sim.PoissonSource(rate=course, bin_width=0.25))
    monitors = [network.record_spikes(each) for each in (constant, same, changing)]
    network.run(0.75, engine="nest")
    counts = np.bincount(monitors[0].neurons, minlength=3)
    assert np.abs(counts - [1500, 0, 375]).max() < 5 * np.sqrt(1500)
    assert counts[1] == 0
    assert len(np.unique(monitors[1].neurons)) == 50
    assert len(monitors[1]) == pytest.approx(3750, abs=5 * np.sqrt(3750))
    spikes = monitors[2]
    first, second = (spikes.times[spikes.neurons == n] for n in range(2))
    assert first.min() > 0.25
    assert first.max() <= 0.5 + 1e-9
    assert first.min() < 0.252
    assert second.max() <= 0.25 + 1e-9
    assert second.min() < 2e-3
    assert len(first) == pytest.approx(1000, abs=5 * np.sqrt(1000))


def test_states_are_sampled_at_their_times_in_parts_and_into_files(tmp_path):
    def build(network, file=None):
        cells = silent(network, 3, initial={"v": [-60e-3, -65e-3, -70e-3]})
        network.input(cells, sim.StepCurrent([0.0, 3e-3], [1e-10, 2e-10]))
        return network.record_states(cells[1:], ["v", "i_synapse"], every=0.5e-3, file=file)

    parts, whole = Network(dt=DT), Network(dt=DT)
    split, ours = build(parts, str(tmp_path / "states.h5")), build(whole)
    for steps in (1, 4, 6, 89):
        parts.run(steps * DT, engine="nest")
    whole.run(100 * DT)
    np.testing.assert_allclose(split.times, ours.times, atol=1e-12)
    np.testing.assert_allclose(split["v"], ours["v"], rtol=1e-10)
    with h5py.File(tmp_path / "states.h5") as file:
        assert len(list(file)) > 0


def test_states_can_be_read_and_changed_between_runs():
    network = Network(dt=DT)
    cells = silent(network, 4, initial={"v": -60e-3})
    network.engine("nest")
    network.set_state(cells[:1], "v", -58e-3)
    network.run(0.0, engine="nest")
    np.testing.assert_allclose(network.state(cells, "v"), [-58e-3, -60e-3, -60e-3, -60e-3], rtol=1e-12)
    network.set_state(cells[2:], "v", [-61e-3, -62e-3])
    np.testing.assert_allclose(network.state(cells[1:], "v"), [-60e-3, -61e-3, -62e-3], rtol=1e-12)
    network.run(1e-3, engine="nest")
    expected = -70e-3 + np.array([12, 10, 9, 8]) * 1e-3 * np.exp(-0.1)
    np.testing.assert_allclose(network.state(cells, "v"), expected, rtol=1e-12)
