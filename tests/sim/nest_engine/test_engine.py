"""What the engine promises: runs in parts, interruption, progress, one kernel, threads, disks that are full."""

import signal
import threading
import time

import numpy as np
import pytest

from spikelab import sim
from spikelab.sim import Network, Receptor
from spikelab.sim.nest_engine import simulation
from spikelab.sim.turns import SimulationInterrupted


def noisy(seed=3, size=60, delay=1.5e-3, **more):
    network = Network(dt=1e-4, seed=seed, **more)
    receptors = {"excitatory": Receptor("exponential_current"), "inhibitory": Receptor("exponential_current")}
    cells = network.population("cells", size, "lif_membrane", refractory=2e-3, receptors=receptors)
    network.projection(
        cells[: size // 2], cells, sim.FixedInDegree(8), receptor="excitatory", weight=50e-12, delay=delay
    )
    network.projection(
        cells[size // 2 :], cells, sim.FixedInDegree(8), receptor="inhibitory", weight=-80e-12, delay=2 * delay
    )
    network.input(cells, sim.PoissonInput(rate=9000.0, weight=12e-12), receptor="excitatory")
    network.input(cells, sim.NoiseCurrent(standard_deviation=50e-12, mean=100e-12))
    return network, network.record_spikes(cells)


def test_parts_and_turns_change_nothing(monkeypatch):
    whole, one = noisy()
    whole.run(0.3, engine="nest")
    one_times, one_neurons = one.times.copy(), one.neurons.copy()
    monkeypatch.setattr(simulation, "_TURN", 1e-4)
    parts, other = noisy()
    for steps in (150, 15, 1335, 1500):
        parts.run(steps * 1e-4, engine="nest")
    assert len(one) > 200
    assert (np.diff(other.times) >= 0).all()
    np.testing.assert_array_equal(one_neurons, other.neurons)
    np.testing.assert_allclose(one_times, other.times, atol=1e-12)


def test_figures_of_a_run():
    network, spikes = noisy()
    figures = network.run(0.2, engine="nest")
    assert figures["spikes"] == len(spikes) > 0
    assert figures["steps"] == 2000
    assert figures["threads"] == 1
    assert network.time == pytest.approx(0.2)


def test_seeds_and_threads():
    rasters = []
    for seed, threads in ((3, 1), (4, 1), (3, 2)):
        network, spikes = noisy(seed)
        assert network.run(0.1, engine="nest", threads=threads)["threads"] == threads
        rasters.append(spikes.times)
    assert not np.array_equal(rasters[0], rasters[1])
    assert 0.5 < len(rasters[2]) / len(rasters[0]) < 2
    with pytest.raises(ValueError, match="threads = 1: in NEST the number stays what it was in the first run, 2"):
        network.run(0.1, engine="nest", threads=1)


def test_two_networks_at_once_are_refused():
    first, spikes = noisy()
    first.run(0.05, engine="nest")
    kept = len(spikes)
    second, _ = noisy()
    second.run(0.05, engine="nest")
    for use in (lambda: first.run(0.05, engine="nest"), lambda: first.state(first.populations["cells"], "v")):
        with pytest.raises(RuntimeError, match="one kernel in a process, and another network has been given it"):
            use()
    assert len(spikes) == kept > 0
    second.run(0.05, engine="nest")
    assert second.time == pytest.approx(0.1)


def test_a_kernel_that_somebody_uses_is_left_alone(nest):
    network, _ = noisy()
    network.run(0.01, engine="nest")
    nest.ResetKernel()
    nest.Create("iaf_psc_exp", 3)
    with pytest.raises(RuntimeError, match="another network has been given it"):
        network.run(0.01, engine="nest")
    fresh, _ = noisy()
    with pytest.raises(RuntimeError, match=r"holds 3 nodes that this engine did not make.*nest.ResetKernel\(\)"):
        fresh.run(0.01, engine="nest")
    nest.ResetKernel()
    fresh.run(0.01, engine="nest")


def test_a_refused_network_leaves_the_kernel_empty(nest):
    network = Network()
    network.population("cells", 2, "lif_membrane", v_threshold=-70e-3, v_reset=-70e-3)
    with pytest.raises(ValueError, match="NEST refuses"):
        network.run(0.01, engine="nest")
    assert nest.network_size == 0
    noisy()[0].run(0.01, engine="nest")


@pytest.mark.skipif(threading.current_thread() is not threading.main_thread(), reason="signals need the main thread")
def test_an_interruption_keeps_what_was_simulated(monkeypatch):
    monkeypatch.setattr(simulation, "_TURN", 1e-3)
    network, spikes = noisy()
    network.run(0.0, engine="nest")
    turn = simulation.NestSimulation._turn

    def interrupt(self, goal):
        found = turn(self, goal)
        if self.steps_done > 500:
            signal.raise_signal(signal.SIGINT)
        return found

    monkeypatch.setattr(simulation.NestSimulation, "_turn", interrupt)
    with pytest.raises(SimulationInterrupted, match="what was recorded is kept"):
        network.run(10.0, engine="nest")
    reached = network.time
    assert 0.05 < reached < 10.0
    assert 0 < spikes.times.max() <= reached + 1e-9
    monkeypatch.setattr(simulation.NestSimulation, "_turn", turn)
    network.run(0.05, engine="nest")
    assert spikes.times.max() > reached


def test_progress_is_shown(capsys):
    network, _ = noisy()
    network.run(0.02, engine="nest", progress=True)
    assert "100%" in capsys.readouterr().err


def test_monitors_added_later_and_empty_groups():
    network, spikes = noisy()
    cells = network.populations["cells"]
    network.run(0.05, engine="nest")
    later = network.record_spikes(cells[10:20])
    none = network.record_spikes(cells[5:5])
    rate = network.record_rate(cells, every=10e-3)
    network.run(0.05, engine="nest")
    late = (spikes.times > 0.05) & (spikes.neurons >= 10) & (spikes.neurons < 20)
    np.testing.assert_array_equal(later.neurons, spikes.neurons[late] - 10)
    np.testing.assert_allclose(later.times, spikes.times[late])
    assert len(none) == 0
    assert rate.rates.sum() * 10e-3 * 60 == pytest.approx((spikes.times > 0.05).sum())


def test_a_monitor_that_fails_does_not_take_the_others_along(monkeypatch):
    network, spikes = noisy()
    broken = network.record_spikes(network.populations["cells"])
    network.monitors.reverse()
    network.run(0.1, engine="nest")
    kept = len(spikes)
    monkeypatch.setattr(simulation, "_TURN", 10.0)
    network.engine("nest")._steps_a_turn = 1 << 13

    def full(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr(broken, "append", full)
    with pytest.raises(OSError, match="no space left"):
        network.run(0.2, engine="nest")
    assert len(spikes) > kept > 0, "what this turn brought has reached the other monitor"
    assert len(broken) == kept


def test_empty_networks_and_populations():
    network = Network()
    network.population("none", 0, "lif_membrane")
    network.source("nothing", 3, sim.SpikeArray([], []))
    monitor = network.record_states(network.populations["none"], ["v"])
    network.run(0.01, engine="nest")
    assert network.time == pytest.approx(0.01)
    assert len(monitor) == 0


def test_networks_that_are_never_drawn_here(monkeypatch):
    """Nothing may ask for the arrays of a network that would not fit."""
    network, spikes = noisy(wire_at_once=False)

    def too_large(*_):
        raise MemoryError("arrays of a network that is too large for them")

    monkeypatch.setattr(Network, "synapses", too_large)
    network.run(0.2, engine="nest", options={"wiring": "rules"})
    assert len(spikes) > 100


def test_what_nest_draws_is_what_was_asked_for(nest):
    network = Network(seed=5, wire_at_once=False)
    cells = network.population(
        "cells",
        50,
        "lif_membrane",
        receptors={name: Receptor("alpha_current") for name in "abc"},
    )
    one, other = cells[:20], cells[20:]
    rules = [
        (sim.FixedInDegree(5, allow_multapses=False), sim.Uniform("1 pA", "2 pA"), sim.Uniform(1e-3, 2e-3)),
        (sim.FixedOutDegree(7), sim.TruncatedNormal(-3e-12, 1e-12, high=0.0), "0.3 ms"),
        (sim.FixedTotalNumber(333), sim.LogNormal(1e-12, 0.5), sim.TruncatedNormal(1e-3, 1e-3, low=1e-4)),
        (sim.FixedProbability(0.2), sim.Normal(0.0, 1e-12), sim.Normal(2e-3, 0.1e-3)),
        (sim.AllToAll(), sim.Exponential(-2e-12), 5e-4),
        (sim.Explicit([0, 1, 1], [3, 4, 4]), 1e-12, [1e-3, 2e-3, 3e-3]),
    ]
    for k, (wiring, weight, delay) in enumerate(rules):
        network.projection(one, other, wiring, receptor="abc"[k % 3], weight=weight, delay=delay)
    network.run(1e-3, engine="nest", options={"wiring": "rules"})

    found = nest.GetConnections().get(["source", "target", "weight", "delay", "receptor"])
    found = {key: np.array(value) for key, value in found.items()}
    cells_only = (found["source"] <= 50) & (found["target"] <= 50)
    found = {key: value[cells_only] for key, value in found.items()}
    assert found["source"].max() <= 20
    assert found["target"].min() > 20
    counts = np.bincount(found["receptor"])
    assert counts[1:].sum() == len(found["source"])
    # in-degree 5 on 30 targets, and the Bernoulli pairs; out-degree 7 of 20, all pairs; total and the three given
    assert 150 + 60 < counts[1] < 150 + 185
    assert counts[2] == 20 * 7 + 600
    assert counts[3] == 333 + 3
    of_receptor = {k: found["weight"][found["receptor"] == k] for k in (1, 2, 3)}
    assert (of_receptor[2] <= 0).all()
    assert (of_receptor[3] > 0).all()
    assert np.median(of_receptor[3]) == pytest.approx(1.0, rel=0.2)
    assert found["delay"].min() >= 0.1 - 1e-9
    np.testing.assert_allclose(found["delay"] * 10, np.round(found["delay"] * 10), atol=1e-6)
    short = found["delay"][found["receptor"] == 2]
    assert set(np.round(short, 6)) == {0.3, 0.5}


def test_time_is_not_lost_waiting():
    """A long silent network makes long turns: few returns to Python."""
    network = Network()
    network.population("cells", 1, "lif_membrane")
    network.run(0.0, engine="nest")
    turns = []
    engine = network.engine("nest")
    turn = engine._turn
    engine._turn = lambda goal: turns.append(time.perf_counter()) or turn(goal)
    network.run(2.0, engine="nest")
    assert len(turns) < 200
