"""Plastic projections within networks: threads, runs in parts, checkpoints, monitors, what is refused."""

import numpy as np
import pytest

from spikelab import registry, sim
from spikelab.sim import Plasticity
from spikelab.sim.examples.brunel import brunel
from spikelab.sim.numba_engine import simulation

PAIR = {"a_plus": 0.05, "a_minus": 0.06}


def small(dtype="float64", **options):
    """A plastic Brunel network that fires."""
    return brunel(neurons=500, in_degree=50, plastic=True, dtype=dtype, weight=1e-3, **options)


def raster(net, *durations, threads=1):
    spikes = net.record_spikes(net.populations["cells"])
    for duration in durations:
        net.run(duration, threads=threads)
    return np.round(spikes.times / net.dt).astype(int), spikes.neurons, net.weights(net.projections[0])


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_any_number_of_threads_and_runs_in_parts(dtype):
    whole = raster(small(dtype), 0.2)
    assert whole[0].size > 500
    assert whole[2].std() > 0
    for other in (
        raster(small(dtype), 0.2, threads=2),
        raster(small(dtype), 0.2, threads=4),
        raster(small(dtype), 0.0013, 0.05, 0.0001, 0.1486, threads=2),
    ):
        for a, b in zip(whole, other, strict=True):
            assert a.tobytes() == b.tobytes()


def test_the_number_of_threads_may_change():
    net, wanted = small(), raster(small(), 0.1)
    spikes = net.record_spikes(net.populations["cells"])
    for threads in (1, 3, 2, 1, 4):
        net.run(0.02, threads=threads)
    assert (spikes.neurons == wanted[1]).all()
    assert net.weights(net.projections[0]).tobytes() == wanted[2].tobytes()


def test_both_ways_give_the_same_network():
    found = []
    for execution in ("snapshot", "history"):
        net = small()
        net.projections[0].plasticity.execution = execution
        found.append(raster(net, 0.1))
        assert net.engine().projections[0].execution == execution
    assert found[0][0].size > 200
    assert (found[0][0] == found[1][0]).all()
    assert (found[0][1] == found[1][1]).all()
    np.testing.assert_allclose(found[0][2], found[1][2], rtol=1e-12)


def relayed(rule, delay, steps=400, seed=0, dtype="float64", threads=1, wiring=None, weight=0.5):
    """Senders and targets that spike when they are told to; plasticity acts on a receptor that moves nothing."""
    rng = np.random.default_rng(seed)
    net = sim.Network(dt=1e-4, dtype=dtype)
    given = []
    for name, size in (("senders", 6), ("targets", 80)):
        when, who = np.nonzero(rng.random((steps, size)) < 0.02)
        given.append(net.source(f"spikes_of_{name}", size, sim.SpikeArray((when + 1) * 1e-4, who)))
    receptors = {"relay": sim.Receptor("delta"), "silent": sim.Receptor("exponential_current", tau_syn=1e-3)}
    cells = [
        net.population(name, each.size, "lif", receptors=receptors, v_threshold=1e3, tau_mem=1e-3)
        for name, each in zip(("senders", "targets"), given, strict=True)
    ]
    for each, source in zip(cells, given, strict=True):
        net.projection(source, each, sim.OneToOne(), receptor="relay", weight=1e6)
    synapses = net.projection(
        cells[0],
        cells[1][3:70],
        wiring or sim.FixedProbability(0.5),
        receptor="silent",
        weight=weight,
        delay=delay,
        plasticity=rule,
    )
    return net, synapses, cells


def quick(name, **values):
    """A rule with what it needs."""
    spec = registry.load("plasticity", name)
    needed = {each.name: 1.0 for each in spec.parameters if each.default != each.default}
    return Plasticity(name, **{**({"modulator": 0.5} if spec.modulated else {}), **needed, **values})


@pytest.mark.parametrize("name", registry.names("plasticity"))
@pytest.mark.parametrize("delay", [0.1e-3, 25e-3, sim.Uniform(0.2e-3, 2e-3)])
def test_saved_and_restored(tmp_path, name, delay):
    """With spikes on their way, a network that is saved and restored goes on as it would have done."""

    def states(net):
        return np.concatenate([net.state(net.populations["targets"], each) for each in ("v", "i_silent")])

    whole, synapses, _ = relayed(quick(name), delay)
    whole.run(0.04)
    saved, *_ = relayed(quick(name), delay)
    saved.run(0.0137, threads=2)
    saved.save(tmp_path / "state.h5")
    restored, again, _ = relayed(quick(name), delay)
    restored.restore(tmp_path / "state.h5")
    restored.run(0.04 - 0.0137, threads=3)
    assert (whole.weights(synapses) == restored.weights(again)).all()
    assert (states(whole) == states(restored)).all()
    if name != "tsodyks_markram":
        assert (whole.weights(synapses) != 0.5).any()


def test_weights_are_recorded_without_changing_anything():
    rule = quick("pair_stdp", **PAIR)
    quiet, synapses, _ = relayed(rule, 1e-3)
    quiet.run(0.04)
    watched, again, _ = relayed(rule, 1e-3)
    chosen = watched.record_weights(again, every=1e-3, synapses=[0, 5, 7])
    every = watched.record_weights(again, every=10e-3)
    watched.run(0.04)
    assert watched.weights(again).tobytes() == quiet.weights(synapses).tobytes()
    assert chosen.weights.shape == (41, 3)
    np.testing.assert_allclose(chosen.times, np.arange(41) * 1e-3)
    assert (every.weights[:, [0, 5, 7]] == chosen.weights[::10]).all()
    assert (every.weights[0] == watched.synapses(again).weights).all()
    assert (chosen.weights[-1] == watched.weights(again)[[0, 5, 7]]).all()


@pytest.mark.parametrize("threads", [1, 2])
def test_more_spikes_on_their_way_than_a_log_had_room_for(monkeypatch, threads):
    """Blocks are of one step, but a plastic projection needs the spikes of the last two hundred."""

    def run():
        steps, size = 300, 200
        net = sim.Network(dt=1e-4)
        when, who = np.repeat(np.arange(1, steps + 1), size), np.tile(np.arange(size), steps)
        senders = net.source("senders", size, sim.SpikeArray(when * 1e-4, who))
        receptors = {"silent": sim.Receptor("exponential_current", tau_syn=1e-3)}
        cells = net.population("cells", 100, "lif", receptors=receptors, v_threshold=1e3)
        wiring = sim.FixedProbability(0.3)
        net.projection(senders, cells, wiring, receptor="silent", weight=0.5, delay=20e-3, plasticity=quick("hebbian"))
        net.projection(senders, cells, wiring, receptor="silent", weight=0.1, delay=1e-4)
        recorded = net.record_spikes(senders)
        net.run(0.03, threads=threads)
        logs = net.engine()._logs.values()
        assert all(log.offsets.max() <= log.capacity for log in logs)
        return recorded.times, recorded.neurons, net.state(cells, "i_silent")

    ample = run()
    assert ample[0].size > 59_000
    monkeypatch.setattr(simulation, "_FEWEST_SPIKES", 1)
    for wanted, found in zip(ample, run(), strict=True):
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("delay", [0.3e-3, 12e-3])
def test_a_delay_shifts_the_senders_spikes(delay):
    """Plasticity sees a spike when it arrives: spikes that are emitted earlier by as much make the same weights."""

    def run(delay, earlier):
        net = sim.Network(dt=1e-4)
        receptors = {"relay": sim.Receptor("delta"), "silent": sim.Receptor("exponential_current")}
        times = np.array([20e-3, 33e-3, 47e-3])
        senders = net.source("senders", 1, sim.SpikeArray(times - earlier, [0, 0, 0]))
        drive = net.source("drive", 1, sim.SpikeArray([24e-3, 30e-3, 52e-3], [0, 0, 0]))
        cell = net.population("cell", 1, "lif", receptors=receptors, v_threshold=1e3)
        net.projection(drive, cell, sim.OneToOne(), receptor="relay", weight=1e6)
        rule = Plasticity("pair_stdp", **PAIR, w_max=1.0)
        synapse = net.projection(
            senders, cell, sim.OneToOne(), receptor="silent", weight=0.5, delay=delay, plasticity=rule
        )
        net.run(0.1)
        return net.weights(synapse)[0]

    assert run(delay, delay) == run(1e-4, 1e-4)
    assert run(delay, delay) != run(1e-4, delay)


def test_depression_and_facilitation_of_a_regular_train():
    """What arrives at each spike against the recurrence of Tsodyks, Pawelzik and Markram."""
    net = sim.Network(dt=1e-4)
    times = np.arange(1, 9) * 20e-3
    senders = net.source("senders", 1, sim.SpikeArray(times, np.zeros(8, int)))
    cell = net.population("cell", 1, "lif", receptors={"fast": sim.Receptor("exponential_current", tau_syn=1e-3)})
    rule = Plasticity("tsodyks_markram", tau_rec=0.2, tau_facil=0.5, utilisation=0.15)
    net.projection(senders, cell, sim.OneToOne(), receptor="fast", weight=2.0, delay=3e-3, plasticity=rule)
    trace = net.record_states(cell, "i_fast")
    net.run(0.2)
    u, x, arrived = 0.0, 1.0, []
    for _ in times:
        u = u * np.exp(-20e-3 / 0.5)
        u += 0.15 * (1 - u)
        x = 1 - (1 - x) * np.exp(-20e-3 / 0.2) if arrived else x
        arrived.append(2 * u * x)
        x -= u * x
    # a spike at t arrives at t + delay, and the sample of that time has it in
    current = trace["i_fast"][:, 0]
    at = np.round((times + 3e-3) / net.dt).astype(int)
    jumps = current[at] - current[at - 1] * np.exp(-net.dt / 1e-3)
    np.testing.assert_allclose(jumps, arrived, rtol=1e-12)
    assert np.argmax(arrived) > 0, "it facilitates first"


def test_what_is_refused_when_it_is_declared():
    def refused(match, rule, error=ValueError, **options):
        with pytest.raises(error, match=match):
            relayed(rule, **{"delay": 1e-3, **options})

    refused("projection 2 .*pair_stdp: w_max .* has no default", Plasticity("pair_stdp"))
    refused("projection 2 .*tau_plus", Plasticity("pair_stdp", w_max=1.0, tau_plus=float("nan")))
    refused("projection 2 .*must be a quantity in s", Plasticity("pair_stdp", w_max=1.0, tau_plus="3 mV"))
    refused("weight of 0.5 lies outside the rule's bounds, 0 to 0.4", Plasticity("pair_stdp", w_max=0.4))
    refused("weight of -0.1 lies outside", quick("pair_stdp"), weight=-0.1)
    refused("whole number of steps", quick("reward_modulated_stdp", interval=0.25e-3))
    refused("depends on the weight", quick("multiplicative_stdp", execution="snapshot"))
    refused("takes a rule such as", "pair_stdp", error=TypeError)
    refused(
        "300 different delays", quick("pair_stdp"), wiring=sim.AllToAll(), delay=np.arange(1, 403) % 300 * 1e-4 + 1e-4
    )


def test_a_variable_of_synapses_is_read():
    net, synapses, _ = relayed(quick("reward_modulated_stdp"), 1e-3)
    net.run(0.03)
    engine = net.engine()
    state = engine.projections[synapses.number]
    assert (state.variable("eligibility", engine.steps_done) != 0).any()
    with pytest.raises(ValueError, match="has no variable 'tag'"):
        state.variable("tag", engine.steps_done)


@pytest.mark.parametrize("name", registry.names("plasticity"))
@pytest.mark.parametrize("delay", [1.5e-3, sim.Uniform(0.5e-3, 3e-3)])
def test_memory_of_a_synapse(name, delay):
    """At most 16 bytes in single precision, all arrays with one entry a synapse counted once."""
    net = sim.Network(dt=1e-4, dtype="float32")
    cells = net.population("cells", 1000, "lif")
    synapses = net.projection(
        cells, cells, sim.FixedInDegree(300), receptor="current", weight=0.5, delay=delay, plasticity=quick(name)
    )
    net.run(1e-3)
    state, wired = net.engine().projections[synapses.number], net.synapses(synapses)
    arrays = [wired.connectivity.targets, wired.delays, wired.weights]
    if name == "tsodyks_markram":
        arrays.append(state.weights())
    for part in getattr(state, "parts", []):
        arrays += [part.targets, *part.arrays.values()]
    distinct = {id(each): each.nbytes for each in arrays if np.ndim(each) and each.size > 2000}
    assert sum(distinct.values()) / wired.count <= 16


def test_a_state_does_not_fit_another_rule(tmp_path):
    net, *_ = relayed(quick("pair_stdp"), 1e-3)
    net.run(1e-3)
    net.save(tmp_path / "state.h5")
    for rule in (quick("hebbian"), quick("pair_stdp", a_plus=0.02), None):
        other, *_ = relayed(rule, 1e-3)
        with pytest.raises(ValueError, match="projection 2"):
            other.restore(tmp_path / "state.h5")


@pytest.mark.parametrize("name", registry.names("plasticity"))
def test_groups_are_populations_cut_out(name):
    """Synapses between ranges of two populations change as those between two smaller populations do."""

    def run(cut):
        rng = np.random.default_rng(5)
        net, ends = sim.Network(dt=1e-4), []
        receptors = {"relay": sim.Receptor("delta"), "silent": sim.Receptor("exponential_current")}
        for which, before, size in (("senders", 4, 6), ("targets", 70, 9)):
            when, who = np.nonzero(rng.random((400, size)) < 0.03)
            given = net.source(f"spikes_of_{which}", size, sim.SpikeArray((when + 1) * 1e-4, who))
            shift = before if cut else 0
            cells = net.population(which, size + 2 * shift, "lif", receptors=receptors, v_threshold=1e3)
            ends.append(cells[shift : shift + size])
            net.projection(given, ends[-1], sim.OneToOne(), receptor="relay", weight=1e6)
            if cut:
                # the neurons around spike as well, and must not matter
                others = net.source(f"around_{which}", shift, sim.PoissonSource(300.0))
                net.projection(others, cells[:shift], sim.OneToOne(), receptor="relay", weight=1e6)
        synapses = net.projection(
            *ends, sim.AllToAll(), receptor="silent", weight=0.5, delay=0.7e-3, plasticity=quick(name)
        )
        net.run(0.04)
        return net.weights(synapses), net.state(ends[1], "i_silent")

    for whole, part in zip(run(cut=False), run(cut=True), strict=True):
        assert (whole == part).all()
