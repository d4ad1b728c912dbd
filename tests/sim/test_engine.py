"""What the compiled engine promises: the same raster on any number of threads, in parts, and after a checkpoint."""

import numpy as np
import pytest

from spikelab import sim
from spikelab.sim import Network, Receptor
from spikelab.sim.numba_engine import simulation
from spikelab.sim.numba_engine.team import Team

RECEPTORS = {
    "excitatory": Receptor("exponential_current", tau_syn=5e-3),
    "inhibitory": Receptor("alpha_current", tau_syn=10e-3),
}


def network_of(size=400, dtype="float32", seed=5, delay=(0.3e-3, 2.0e-3), record=True):
    """A small network with all that could depend on threads: noise, Poisson input, delays of all kinds, sources."""
    network = Network(dt=1e-4, seed=seed, dtype=dtype)
    cells = network.population(
        "cells",
        size,
        "lif",
        v_threshold=1.0,
        tau_mem=sim.Uniform(15e-3, 25e-3),
        refractory=2e-3,
        receptors=RECEPTORS,
        initial={"v": sim.Uniform(0.0, 1.0)},
    )
    noisy = network.population("noisy", size // 3, "izhikevich")
    source = network.source("source", 50, sim.PoissonSource(rate=40.0))
    count = size * 4 // 5
    excitatory, inhibitory = cells[:count], cells[count:]
    network.projection(
        excitatory, cells, sim.FixedProbability(0.1), receptor="excitatory", weight=0.2, delay=sim.Uniform(*delay)
    )
    network.projection(
        inhibitory, cells, sim.FixedInDegree(10), receptor="inhibitory", weight=sim.Normal(-0.4, 0.1), delay=0.5e-3
    )
    network.projection(source, cells, sim.FixedOutDegree(size // 4), receptor="excitatory", weight=1.5, delay=0.7e-3)
    network.projection(cells, noisy, sim.FixedProbability(0.2), receptor="current", weight=2.0, delay=1e-3)
    network.input(cells, sim.NoiseCurrent(standard_deviation=2.0, mean=0.8))
    network.input(cells[:100], sim.PoissonInput(rate=800.0, weight=0.3), receptor="excitatory")
    network.input(noisy, sim.StepCurrent([0.0, 20e-3], [4.0, 9.0]))
    if record:
        for population in (cells, noisy, source):
            network.record_spikes(population)
        network.record_states(cells, ["v", "i_excitatory"], every=1e-3)
        network.record_rate(cells, every=2e-3)
    return network


def recorded(network):
    """Everything that monitors hold, as one list of arrays."""
    return [value for monitor in network.monitors for _, value in sorted(monitor.saved().items())]


def assert_same(one, other):
    for a, b in zip(recorded(one), recorded(other), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", [400, 131])
def test_any_number_of_threads_gives_the_same_bits(dtype, size):
    runs = []
    for threads in (1, 2, 3, 4):
        network = network_of(size, dtype)
        network.run(80e-3, threads=threads)
        runs.append(network)
    assert len(runs[0].monitors[0]) > 300, "enough spikes to tell runs apart"
    assert len(runs[0].monitors[1]) > 20
    for other in runs[1:]:
        assert_same(runs[0], other)


def test_threads_that_change_within_a_run_change_nothing():
    one, other = network_of(), network_of()
    one.run(60e-3, threads=1)
    for threads in (2, 1, 4, 3):
        other.run(15e-3, threads=threads)
    assert_same(one, other)


def test_what_is_known_about_threads_outlives_a_run(monkeypatch):
    network = network_of(record=False)
    made = []
    monkeypatch.setattr(simulation, "Team", lambda threads: made.append(threads) or Team(threads))
    for threads in (None, None, 1, 1, None):
        network.run(1e-3, threads=threads)
    assert made == [None, 1, None]


@pytest.mark.parametrize("parts", [[1], [0, 137, 463], [7] * 20 + [460]])
def test_a_run_in_parts_equals_one_run(parts):
    whole, split = network_of(), network_of()
    whole.run(600e-4 if sum(parts) == 600 else sum(parts) * 1e-4, threads=1)
    for part in parts:
        split.run(part * 1e-4, threads=1)
    assert_same(whole, split)


def test_another_seed_gives_another_raster():
    one, other = network_of(seed=1), network_of(seed=2)
    one.run(50e-3, threads=1)
    other.run(50e-3, threads=1)
    assert not np.array_equal(one.monitors[0].times, other.monitors[0].times)


def test_a_checkpoint_continues_as_if_nothing_had_been(tmp_path):
    whole, first, second = network_of(), network_of(), network_of()
    whole.run(70e-3, threads=1)
    first.run(33.3e-3, threads=2)
    first.save(tmp_path / "state.h5")
    second.restore(tmp_path / "state.h5")
    assert second.time == pytest.approx(33.3e-3)
    second.run(36.7e-3, threads=1)
    assert_same(whole, second)


def test_a_checkpoint_of_another_network_is_refused(tmp_path):
    network_of().save(tmp_path / "state.h5")
    with pytest.raises(ValueError, match=r"state\.h5: saved from another network: seed was 5, is 6"):
        network_of(seed=6).restore(tmp_path / "state.h5")
    with pytest.raises(ValueError, match="saved from another network: size of cells was 400, is 401"):
        network_of(size=401).restore(tmp_path / "state.h5")
    (tmp_path / "text.h5").write_text("nothing of the kind")
    with pytest.raises(ValueError, match=r"text\.h5: not a checkpoint"):
        network_of().restore(tmp_path / "text.h5")


def test_an_interruption_keeps_what_was_simulated(monkeypatch):
    network, whole = network_of(), network_of()
    turns = []

    def interrupt(self, team, goal):
        turns.append(goal)
        if len(turns) == 3:
            import signal

            signal.raise_signal(signal.SIGINT)
        return original(self, team, goal)

    original = type(network.engine())._turn
    monkeypatch.setattr(type(network.engine()), "_turn", interrupt)
    with pytest.raises(KeyboardInterrupt, match="run\\(\\) goes on from there"):
        network.run(0.1, threads=1)
    assert 0 < network.time < 0.1
    monkeypatch.undo()
    network.run(0.1 - network.time, threads=1)
    whole.run(0.1, threads=1)
    assert_same(whole, network)


def test_the_weight_and_delay_of_every_synapse_are_used():
    """One spike of each sender, told apart by weight and arrival."""
    network = Network(dt=1e-4)
    source = network.source("source", 3, sim.SpikeArray([1e-4, 1e-4, 5e-4], [0, 1, 2]))
    target = network.population("target", 4, "integrator", receptors={"jump": Receptor("delta")})
    pairs = sim.Explicit([2, 0, 1, 0], [3, 0, 3, 1])
    weight, delay = np.array([4.0, 1.0, 2.0, 8.0]), np.array([1e-4, 1e-4, 3e-4, 2e-4])
    network.projection(source, target[:4], pairs, receptor="jump", weight=weight, delay=delay)
    trace = network.record_states(target, "v")
    network.run(10e-4, threads=1)
    v = trace["v"]
    # a spike at time t with delay d is in the state at t + d
    assert np.flatnonzero(np.diff(v[:, 0]))[0] + 1 == 2
    assert v[-1].tolist() == [1.0, 8.0, 0.0, 6.0]
    assert v[3].tolist() == [1.0, 8.0, 0.0, 0.0]
    assert v[4].tolist() == [1.0, 8.0, 0.0, 2.0]
    assert v[5].tolist() == [1.0, 8.0, 0.0, 2.0]
    assert v[6].tolist() == [1.0, 8.0, 0.0, 6.0]


def test_nothing_at_all_can_be_simulated():
    network = Network(dt=1e-3)
    assert network.run(0.1)["spikes"] == 0
    network = Network(dt=1e-3)
    empty = network.population("empty", 0, "lif")
    one = network.population("one", 1, "lif", bias=100.0)
    network.projection(empty, one, sim.AllToAll(), receptor="current", weight=1.0)
    network.projection(one, empty, sim.AllToAll(), receptor="current", weight=1.0)
    spikes, none = network.record_spikes(one), network.record_spikes(empty)
    network.run(0.0)
    assert len(spikes) == 0
    network.run(0.1, threads=2)
    assert len(spikes) > 10
    assert len(none) == 0


def test_rates_are_counted_in_bins_across_runs():
    network = Network(dt=1e-3)
    times = np.arange(1, 100) * 1e-3
    source = network.source("source", 4, sim.SpikeArray(times, np.arange(99) % 4))
    rate = network.record_rate(source[:2], every=10e-3)
    for _ in range(7):
        network.run(7e-3)
    assert rate.times == pytest.approx(np.arange(4) * 10e-3)
    # of ten spikes in a bin, every second or so belongs to the first two neurons
    assert (rate.rates * 2 * 10e-3).round().tolist() == [6, 4, 6, 4]


def test_a_network_that_ran_on_goes_back_to_its_checkpoint(tmp_path):
    network, whole = network_of(), network_of()
    network.run(20e-3, threads=1)
    network.save(tmp_path / "state.h5")
    network.run(30e-3, threads=2)
    network.restore(tmp_path / "state.h5")
    assert network.time == pytest.approx(20e-3)
    network.run(30e-3, threads=1)
    whole.run(50e-3, threads=1)
    assert_same(whole, network)


def test_a_streamed_recording_goes_on_after_its_checkpoint(tmp_path):
    def streamed(file):
        network = network_of(record=False)
        return network, network.record_spikes(network.populations["cells"], file=str(tmp_path / file))

    whole, all_spikes = streamed("whole.h5")
    whole.run(60e-3, threads=1)
    network, spikes = streamed("first.h5")
    network.run(40e-3, threads=1)
    network.save(tmp_path / "state.h5")
    before = len(spikes)
    again, later = streamed("second.h5")
    again.restore(tmp_path / "state.h5")
    again.run(20e-3, threads=1)
    # an empty file begins with what comes after the checkpoint
    np.testing.assert_array_equal(later.times, all_spikes.times[before:])
    np.testing.assert_array_equal(later.neurons, all_spikes.neurons[before:])
    network.restore(tmp_path / "state.h5")
    network.run(20e-3, threads=1)
    np.testing.assert_array_equal(spikes.times, all_spikes.times)


def test_numbers_that_run_away_are_an_error():
    network = Network(dt=5e-3)
    network.population("cells", 3, "li", method="euler", tau_mem=1e-3, initial={"v": [0.0, 0.5, -1.0]})
    with pytest.raises(FloatingPointError, match=r"cells: v of neuron \d is -?(nan|inf) at .* s .*shorter dt"):
        network.run(20.0, threads=1)
