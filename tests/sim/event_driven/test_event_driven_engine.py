"""What the event-driven engine promises: parts equal the whole, recording changes nothing, errors are clear."""

import numpy as np
import pytest

from spikelab import registry, sim
from spikelab.sim import Network, Receptor

RECEPTORS = {
    "excitatory": Receptor("exponential_current", tau_syn=5e-3),
    "inhibitory": Receptor("alpha_current", tau_syn=10e-3),
    "jump": Receptor("delta"),
}


def network_of(size=200, seed=5, record=True):
    """A network with everything that the engine takes."""
    network = Network(dt=1e-4, seed=seed)
    cells = network.population(
        "cells",
        size,
        "lif",
        v_threshold=1.0,
        tau_mem=sim.Uniform(15e-3, 25e-3),
        refractory=2.03e-3,
        receptors=RECEPTORS,
        initial={"v": sim.Uniform(0.0, 1.1)},
        bias=0.7,
    )
    source = network.source("source", 20, sim.PoissonSource([[100.0], [20.0], [0.0], [300.0]], bin_width=10e-3))
    given = network.source("given", 4, sim.SpikeArray([0.00512345, 0.0234567, 0.0234567], [3, 1, 0]))
    second = network.population("second", 50, "cuba_lif", bias=1.2, v_threshold=1.0)
    network.population("nobody", 0, "lif")
    excitatory, inhibitory = cells[: size * 4 // 5], cells[size * 4 // 5 :]
    network.projection(
        excitatory,
        cells,
        sim.FixedProbability(0.1),
        receptor="excitatory",
        weight=0.2,
        delay=sim.Uniform(0.3e-3, 4e-3),
    )
    network.projection(
        inhibitory, cells, sim.FixedInDegree(10), receptor="inhibitory", weight=sim.Normal(-0.4, 0.1), delay=0.5e-3
    )
    network.projection(source, cells, sim.FixedOutDegree(30), receptor="jump", weight=0.2, delay=0.7e-3)
    network.projection(given, cells[50:], sim.AllToAll(), receptor="jump", weight=0.1)
    network.input(cells[:100], sim.PoissonInput(rate=800.0, weight=0.1), receptor="excitatory")
    network.input(second, sim.StepCurrent([0.0, 20.5e-3], [2.4, -0.9]))
    if record:
        for population in (cells, source, given, second):
            network.record_spikes(population)
        network.record_states(cells, ["v", "i_excitatory"], every=1e-3)
        network.record_rate(cells, every=2e-3)
    return network


def recorded(network):
    return [value for monitor in network.monitors for _, value in sorted(monitor.saved().items())]


def assert_same(one, other):
    for a, b in zip(recorded(one), recorded(other), strict=True):
        np.testing.assert_array_equal(a, b)


def whole(duration=0.06, **kwargs):
    network = network_of(**kwargs)
    network.run(duration, engine="event_driven")
    return network


def test_is_registered():
    assert "event_driven" in registry.names("engines")


def test_the_same_in_parts_and_in_none_at_all():
    one, parts = whole(), network_of()
    for duration in (0.0, 0.0137, 0.0, 0.0001, 0.0462):
        parts.run(duration, engine="event_driven")
    assert len(one.monitors[0]) > 200
    assert one.time == parts.time == pytest.approx(0.06)
    assert_same(one, parts)


def test_a_run_of_no_steps_before_all_others():
    network = network_of()
    figures = network.run(0, engine="event_driven")
    assert figures["spikes"] == figures["steps"] == 0
    assert all(len(monitor) == 0 for monitor in network.monitors)


def test_what_is_recorded_changes_nothing():
    bare = network_of(record=False)
    spikes = bare.record_spikes(bare.populations["cells"])
    bare.run(0.06, engine="event_driven")
    np.testing.assert_array_equal(spikes.times, whole().monitors[0].times)


def test_continues_from_a_checkpoint(tmp_path):
    one, first, second = whole(), network_of(), network_of()
    first.run(0.0311, engine="event_driven")
    first.save(tmp_path / "state.h5")
    second.restore(tmp_path / "state.h5")
    second.run(0.06 - 0.0311, engine="event_driven")
    assert_same(one, second)


def test_figures_of_a_run():
    network = network_of()
    figures = network.run(0.06, engine="event_driven")
    assert figures["spikes"] == sum(len(monitor) for monitor in network.monitors[:4])
    assert figures["steps"] == 600
    assert figures["events"] > 1000


def test_spikes_are_ordered_and_belong_to_their_steps():
    network = whole()
    for monitor in network.monitors[:4]:
        times, neurons, steps = monitor.times, monitor.neurons, monitor.saved()["step"]
        assert len(times)
        assert (np.lexsort((neurons, times)) == np.arange(times.size)).all()
        assert (times <= (steps + 1) * network.dt).all()
        assert ((times > steps * network.dt) | (times == 0)).all()
        assert not np.isclose(times / network.dt, np.round(times / network.dt), rtol=0, atol=1e-6).all()
    rate = network.monitors[-1]
    counts = np.histogram(network.monitors[0].saved()["step"] // 20, np.arange(31))[0]
    np.testing.assert_allclose(rate.rates, counts / (200 * 2e-3))


def test_given_spikes_come_at_their_times():
    given = whole().monitors[2]
    assert given.times.tolist() == [0.00512345, 0.0234567, 0.0234567]
    assert given.neurons.tolist() == [3, 0, 1]


def test_a_group_is_recorded_by_its_own_numbers_and_into_a_file(tmp_path):
    network = network_of(record=False)
    cells = network.populations["cells"]
    everyone, some = network.record_spikes(cells), network.record_spikes(cells[30:60], file=str(tmp_path / "some.h5"))
    network.run(0.06, engine="event_driven")
    inside = (everyone.neurons >= 30) & (everyone.neurons < 60)
    np.testing.assert_array_equal(some.times, everyone.times[inside])
    np.testing.assert_array_equal(some.neurons, everyone.neurons[inside] - 30)


def test_the_numbers_of_neurons_are_only_names():
    """Permuted neurons give permuted spikes: nothing depends on the order in which cells are looked at."""
    size, random = 120, np.random.default_rng(3)
    order = random.permutation(size)
    sender, receiver = np.nonzero(random.random((size, size)) < 0.1)
    weight, delay = random.uniform(0.1, 0.5, sender.size), random.uniform(1e-3, 3e-3, sender.size)
    start, bias = random.uniform(0, 1, size), random.uniform(0.9, 1.4, size)
    trains = []
    for place in (np.arange(size), order):
        network = Network(dt=1e-4)
        # neuron i of the first network is neuron place[i] of the second
        moved_start, moved_bias = np.empty(size), np.empty(size)
        moved_start[place], moved_bias[place] = start, bias
        cells = network.population(
            "cells",
            size,
            "lif",
            receptors={"excitatory": RECEPTORS["excitatory"]},
            initial={"v": moved_start},
            bias=moved_bias,
            refractory=2e-3,
        )
        wiring = sim.Explicit(place[sender], place[receiver])
        network.projection(cells, cells, wiring, receptor="excitatory", weight=weight, delay=delay)
        spikes = network.record_spikes(cells)
        network.run(0.1, engine="event_driven")
        found = spikes.trains()
        trains.append([found[place[i]] for i in range(size)])
    assert sum(map(len, trains[0])) > 300
    for one, other in zip(*trains, strict=True):
        np.testing.assert_array_equal(one, other)


def test_poisson_trains_in_continuous_time():
    network = Network(dt=1e-3, seed=7)
    rates = [[200.0], [0.0], [50.0]]
    source = network.source("source", 400, sim.PoissonSource(rates, bin_width=0.1))
    steady = network.source("steady", 200, sim.PoissonSource(np.linspace(0, 199, 200)))
    spikes, constant = network.record_spikes(source), network.record_spikes(steady)
    network.run(1.0, engine="event_driven")
    counts = np.histogram(spikes.times, [0, 0.1, 0.2, 0.3, 1.0])[0]
    assert abs(counts[0] - 8000) < 5 * np.sqrt(8000)
    assert counts[1] == counts[3] == 0
    assert abs(counts[2] - 2000) < 5 * np.sqrt(2000)
    per_train = np.bincount(spikes.neurons, minlength=400)
    # a count of a Poisson train has a variance as large as its mean
    assert per_train.var() == pytest.approx(25, rel=0.35)
    phase = np.mod(spikes.times, network.dt) / network.dt
    assert np.histogram(phase, 10, (0, 1))[0] == pytest.approx(np.full(10, len(spikes) / 10), rel=0.15)
    by_rate = np.bincount(constant.neurons, minlength=200)
    assert by_rate[0] == 0
    np.testing.assert_allclose(by_rate, np.arange(200), atol=5 * np.sqrt(200))
    intervals = np.concatenate([np.diff(train) * k for k, train in enumerate(constant.trains())])
    assert intervals.mean() == pytest.approx(1, rel=0.05)
    assert intervals.std() == pytest.approx(1, rel=0.06)


def test_other_seeds_give_other_spikes():
    one, other = whole(seed=5).monitors[1], whole(seed=6).monitors[1]
    assert len(one) != len(other) or (one.times != other.times).any()


def test_an_interruption_keeps_what_was_simulated(monkeypatch):
    from spikelab.io import stop_request
    from spikelab.sim import turns

    class Soon(stop_request.StopRequest):
        def __init__(self):
            super().__init__()
            self.asked = 0

        @property
        def requested(self):
            self.asked += 1
            return self.asked > 4

        @requested.setter
        def requested(self, value):
            pass

    one, broken = whole(), network_of()
    broken.run(0.001, engine="event_driven")
    with monkeypatch.context() as patch:
        patch.setattr(turns, "StopRequest", Soon)
        with pytest.raises(KeyboardInterrupt, match="run\\(\\) goes on from there"):
            broken.run(0.059, engine="event_driven")
    assert 0.001 < broken.time < 0.06
    broken.run(0.06 - broken.time, engine="event_driven")
    assert_same(one, broken)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda n, c: n.input(c, sim.NoiseCurrent(1.0)), "NoiseCurrent.*no meaning without"),
        (lambda n, c: n.input(c, sim.PoissonInput(10.0, 1.0)), "receptor 'current' acts for one time step"),
        (
            lambda n, c: n.projection(c, c, sim.AllToAll(), receptor="current", weight=1.0),
            "projection 0 .*receptor 'current'",
        ),
        (lambda n, c: n.population("other", 1, "lif", method="euler"), "population other: method='euler'"),
        (lambda n, c: n.population("other", 1, "izhikevich"), "population other: izhikevich: dv/dt.*engine='numba'"),
    ],
)
def test_refuses_what_has_no_exact_meaning(change, words):
    network = Network(dt=1e-3)
    cells = network.population("cells", 2, "lif")
    change(network, cells)
    with pytest.raises(ValueError, match=words):
        network.run(0.1, engine="event_driven")


def test_refuses_plasticity():
    network = Network(dt=1e-3)
    cells = network.population("cells", 2, "lif", receptors={"input": Receptor("exponential_current")})
    rule = sim.Plasticity("pair_stdp", w_max=1.0)
    network.projection(cells, cells, sim.AllToAll(), receptor="input", weight=0.5, plasticity=rule)
    with pytest.raises(ValueError, match=r"projection 0 .*no plasticity"):
        network.run(0.1, engine="event_driven")


def test_refuses_single_precision_and_threads():
    network = Network(dt=1e-3, dtype="float32")
    with pytest.raises(ValueError, match="double precision"):
        network.run(0.1, engine="event_driven")
    network = Network(dt=1e-3)
    with pytest.raises(ValueError, match="threads = 2"):
        network.run(0.1, engine="event_driven", threads=2)


def test_an_empty_network():
    network = Network(dt=1e-3)
    network.population("nobody", 0, "lif")
    network.source("silent", 0, sim.PoissonSource(5.0))
    spikes = network.record_spikes(network.populations["nobody"])
    assert network.run(1.0, engine="event_driven")["spikes"] == 0
    assert network.time == 1.0
    assert len(spikes) == 0


def test_static_weights_are_shown():
    network = Network(dt=1e-3)
    cells = network.population("cells", 3, "lif", receptors={"input": Receptor("exponential_current")})
    projection = network.projection(cells, cells, sim.AllToAll(), receptor="input", weight=0.5)
    weights = network.record_weights(projection, every=10e-3)
    network.run(0.05, engine="event_driven")
    np.testing.assert_allclose(weights.times, [0, 0.01, 0.02, 0.03, 0.04, 0.05])
    assert (weights.weights == 0.5).all()
    assert (network.weights(projection) == 0.5).all()
