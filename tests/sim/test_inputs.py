"""What drives neurons: rates, moments and times are what was asked for, whatever the group and its offset."""

import numpy as np
import pytest

from spikelab import sim
from spikelab.events import EventArray
from spikelab.sim import Network, Receptor


def counted(input, size=256, steps=2000, group=slice(None), dtype="float64", seed=3):
    """Input summed by neurons that only add up: [steps, neurons] increments of the membrane."""
    network = Network(dt=1e-3, seed=seed, dtype=dtype)
    cells = network.population("cells", size, "integrator", r=1e3, receptors={"jump": Receptor("delta")})
    receptor = "jump" if isinstance(input, sim.PoissonInput) else "current"
    network.input(cells[group], input, receptor=receptor)
    trace = network.record_states(cells, "v")
    network.run(steps * 1e-3, threads=1)
    # one more sample would be the end; the state then is asked for
    v = np.vstack([trace["v"], network.state(cells, "v")[None]])
    return np.diff(v, axis=0)


@pytest.mark.parametrize("rate", [0.5, 80.0, 3000.0])
def test_poisson_input_has_the_mean_and_variance_of_its_rate(rate):
    found = counted(sim.PoissonInput(rate=rate, weight=2.0)) / 2.0
    counts, mean = np.round(found), rate * 1e-3
    np.testing.assert_allclose(found, counts, atol=1e-6)
    error = 5 * np.sqrt(mean / counts.size)
    assert counts.mean() == pytest.approx(mean, abs=error)
    assert counts.var() == pytest.approx(mean, abs=5 * np.sqrt((2 * mean**2 + mean) / counts.size))
    if rate > 1:
        assert abs(np.corrcoef(counts[:, 0], counts[:, 1])[0, 1]) < 0.12


def test_poisson_input_of_each_neuron_has_its_own_rate_and_weight():
    rates, weights = np.linspace(0, 500, 100), np.linspace(1, 3, 100)
    found = counted(sim.PoissonInput(rate=rates, weight=weights), size=300, group=slice(77, 177), steps=4000)
    assert (found[:, :77] == 0).all()
    assert (found[:, 177:] == 0).all()
    counts = found[:, 77:177] / weights
    np.testing.assert_allclose(counts, np.round(counts), atol=1e-6)
    np.testing.assert_allclose(counts.mean(axis=0), rates * 1e-3, atol=5 * np.sqrt(0.5 / 4000))


def test_a_groups_noise_is_that_of_the_whole_populations_neurons():
    whole = counted(sim.NoiseCurrent(standard_deviation=2.0), size=200, steps=50)
    part = counted(sim.NoiseCurrent(standard_deviation=2.0), size=200, steps=50, group=slice(70, 150))
    np.testing.assert_array_equal(part[:, 70:150], whole[:, 70:150])
    assert (part[:, :70] == 0).all()
    assert (part[:, 150:] == 0).all()


def test_noise_has_its_mean_and_standard_deviation():
    mean, deviation = np.linspace(-1, 1, 256), np.linspace(0, 3, 256)
    found = counted(sim.NoiseCurrent(mean=mean, standard_deviation=deviation), steps=4000)
    np.testing.assert_allclose(found.mean(axis=0), mean, atol=5 * 3 / np.sqrt(4000))
    np.testing.assert_allclose(found.std(axis=0), deviation, atol=5 * 3 / np.sqrt(8000))


def test_a_current_in_steps():
    found = counted(
        sim.StepCurrent(times=["3 ms", 10e-3], values=[[1.0, 2.0], [5.0, -1.0]]), size=4, steps=15, group=slice(1, 3)
    )
    np.testing.assert_allclose(found[:3], 0)
    np.testing.assert_allclose(found[3:10], np.tile([0, 1, 2, 0], (7, 1)), atol=1e-12)
    np.testing.assert_allclose(found[10:], np.tile([0, 5, -1, 0], (5, 1)), atol=1e-12)


def test_several_inputs_add_up():
    network = Network(dt=1e-3)
    cell = network.population("cell", 1, "integrator", r=1e3, bias=0.5)
    network.input(cell, sim.StepCurrent(0.0, 1.0))
    network.input(cell, sim.StepCurrent(5e-3, 2.0))
    network.run(10e-3)
    assert network.state(cell, "v")[0] == pytest.approx(10 * 1.5 + 5 * 2.0)


def test_poisson_sources_spike_at_their_rate():
    network = Network(dt=1e-3, seed=8)
    rates = np.linspace(0, 200, 80)
    source = network.source("source", 80, sim.PoissonSource(rate=rates))
    spikes = network.record_spikes(source)
    network.run(20.0)
    counts = np.bincount(spikes.neurons, minlength=80)
    np.testing.assert_allclose(counts / 20, rates, atol=5 * np.sqrt(200 / 20))
    assert counts[0] == 0
    intervals = np.diff(spikes.trains()[-1])
    assert intervals.std() / intervals.mean() == pytest.approx(np.sqrt(1 - 0.2), abs=0.05), "geometric intervals"


def test_the_rate_of_a_source_follows_its_time_course():
    network = Network(dt=1e-3, seed=8)
    course = np.array([[0.0], [500.0], [100.0]])
    source = network.source("source", 400, sim.PoissonSource(rate=course, bin_width=50e-3))
    rate = network.record_rate(source, every=50e-3)
    network.run(0.2)
    np.testing.assert_allclose(rate.rates, [0, 500, 100, 0], atol=5 * np.sqrt(500 / (400 * 0.05)))
    assert rate.rates[0] == rate.rates[3] == 0


def test_certain_spikes_are_certain():
    network = Network(dt=1e-3)
    source = network.source("source", 70, sim.PoissonSource(rate=1000.0))
    spikes = network.record_spikes(source)
    network.run(20e-3)
    assert len(spikes) == 70 * 20


def test_given_spikes_keep_their_times_and_may_coincide():
    network = Network(dt=1e-3)
    times = np.array([5.0, 1.0, 5.0, 4.4, 5.0]) * 1e-3
    source = network.source("source", 3, sim.SpikeArray(times, [2, 0, 2, 1, 0]))
    target = network.population("target", 3, "integrator", receptors={"jump": Receptor("delta")})
    network.projection(source, target, sim.OneToOne(), receptor="jump", weight=1.0)
    spikes = network.record_spikes(source)
    network.run(8e-3)
    np.testing.assert_allclose(spikes.times, np.array([1.0, 5.0, 5.0, 5.0, 5.0]) * 1e-3)
    assert spikes.neurons.tolist() == [0, 0, 1, 2, 2]
    assert network.state(target, "v").tolist() == [2.0, 1.0, 2.0]


def test_an_event_camera_as_a_source():
    events = EventArray(
        x=np.array([0, 2, 1]),
        y=np.array([1, 0, 1]),
        t=np.array([100, 1100, 2100]),
        p=np.array([1, 0, 1]),
        width=3,
        height=2,
    )
    array = sim.spikes_of_events(events)
    network = Network(dt=1e-3)
    source = network.source("camera", 12, array)
    spikes = network.record_spikes(source)
    network.run(5e-3)
    # neuron (polarity * height + y) * width + x
    assert spikes.neurons.tolist() == [9, 2, 10]
    np.testing.assert_allclose(spikes.times, [1e-3, 2e-3, 3e-3])
    empty = EventArray(x=[], y=[], t=[], p=[], width=3, height=2)
    assert sim.spikes_of_events(empty).times.size == 0
