"""Runs in parts, checkpoints, interruption, monitors: a run repeats itself bit for bit, however it is cut."""

import signal

import h5py
import numpy as np
import pytest

pytest.importorskip("triton", reason="Triton is not installed: pip install 'spikelab[cuda]'")

from spikelab import sim
from spikelab.sim import Network, Receptor
from spikelab.sim.triton_engine import device_network, simulation, state_recorder
from spikelab.sim.triton_engine.device import INTERPRETED, Device

pytestmark = [pytest.mark.gpu, pytest.mark.usefixtures("device")]

MS = 1e-3


def network_of(**settings):
    """Noise, two kinds of delays, a source; 50 steps bring some hundred spikes."""
    network = Network(**{"dt": 1e-4, "seed": 5, "dtype": "float32", **settings})
    cells = network.population(
        "cells",
        90,
        "lif",
        refractory=0.5 * MS,
        receptors={"excitatory": Receptor("exponential_current", tau_syn=2 * MS)},
        initial={"v": sim.Uniform(0.0, 1.0)},
        bias=1.5,
    )
    source = network.source("source", 20, sim.PoissonSource(rate=300.0))
    network.projection(
        cells,
        cells,
        sim.FixedProbability(0.3),
        receptor="excitatory",
        weight=sim.Normal(0.4, 0.3),
        delay=sim.Uniform(0.3 * MS, 1.5 * MS),
    )
    network.projection(source, cells, sim.FixedOutDegree(30), receptor="excitatory", weight=0.8, delay=0.7 * MS)
    network.input(cells, sim.NoiseCurrent(5.0))
    network.record_spikes(cells)
    network.record_spikes(source[5:])
    network.record_states(cells[3:50], ["v", "i_excitatory"], every=0.4 * MS)
    network.record_states(cells, "v", every=0.7 * MS)
    network.record_rate(cells[10:], every=0.6 * MS)
    network.record_weights(network.projections[0], every=1 * MS, synapses=[0, 7, 300])
    return network


def assert_same(one, other):
    for a, b in zip(one.monitors, other.monitors, strict=True):
        for (name, x), (_, y) in zip(sorted(a.saved().items()), sorted(b.saved().items()), strict=True):
            np.testing.assert_array_equal(y, x, err_msg=f"{type(a).__name__}: {name}")
    for name in ("v", "i_excitatory"):
        cells = [each.state(each.populations["cells"], name) for each in (one, other)]
        np.testing.assert_array_equal(*cells)


@pytest.fixture(scope="module")
def whole(device):
    network = network_of()
    figures = network.run(50e-4, engine="triton")
    assert figures["spikes"] >= len(network.monitors[0]) + len(network.monitors[1])
    assert len(network.monitors[0]) > 60
    assert len(network.monitors[1]) > 3
    return network


def test_monitors_hold_what_those_of_the_other_engine_hold(whole):
    network = network_of()
    network.run(50e-4, threads=1)
    for one, other in zip(network.monitors, whole.monitors, strict=True):
        np.testing.assert_array_equal(other.times, one.times)
    np.testing.assert_array_equal(whole.monitors[4].rates, network.monitors[4].rates)
    np.testing.assert_array_equal(whole.monitors[5].weights, network.monitors[5].weights)
    np.testing.assert_array_equal(whole.weights(whole.projections[1]), network.weights(network.projections[1]))
    np.testing.assert_allclose(whole.monitors[3]["v"], network.monitors[3]["v"], atol=1e-5)


@pytest.mark.parametrize("parts", [[1, 0, 12, 37], [7] * 7 + [1]])
def test_a_run_in_parts_equals_one_run(whole, parts):
    split = network_of()
    for steps in parts:
        split.run(steps * 1e-4, engine="triton")
    assert_same(whole, split)


def test_nothing_depends_on_the_order_in_which_programs_work(whole, monkeypatch):
    place = whole.engine("triton").device.place
    monkeypatch.setattr(simulation, "choose_device", lambda: Device(place, 7))
    other = network_of()
    other.run(50e-4, engine="triton")
    assert other.engine("triton").on_device.launches[-1].grid[0] == 7
    assert_same(whole, other)


def test_lists_that_are_full_end_a_turn_and_lose_nothing(monkeypatch):
    def every_step():
        network = Network(dt=1e-4)
        cells = network.population("cells", 40, "if", bias=1e6)
        network.projection(cells, cells, sim.OneToOne(), receptor="current", weight=1.0, delay=0.4 * MS)
        network.record_spikes(cells)
        return network

    monkeypatch.setattr(device_network, "_FEWEST_SPIKES", 1)
    network = every_step()
    engine = network.engine("triton")
    engine._steps_a_turn = 30
    reached = []
    turn = engine._turn
    engine._turn = lambda goal: (turn(goal), reached.append(engine.steps_done))[0]
    network.run(30e-4, engine="triton")
    # the list has room for two blocks of four steps
    assert reached[0] == 8
    assert reached[-1] == 30
    assert len(network.monitors[0]) == 30 * 40
    np.testing.assert_array_equal(network.monitors[0].neurons, np.tile(np.arange(40), 30))


def test_samples_are_fetched_before_their_room_is_used_again(whole, monkeypatch):
    monkeypatch.setattr(state_recorder, "_BYTES", 1)
    network = network_of()
    network.run(50e-4, engine="triton")
    assert network.engine("triton")._recorders[2].samples == 2
    assert_same(whole, network)


def test_a_checkpoint_continues_as_if_nothing_had_been(whole, tmp_path):
    first, second = network_of(), network_of()
    first.run(23e-4, engine="triton")
    first.save(tmp_path / "state.h5")
    second.restore(tmp_path / "state.h5")
    assert second.time == pytest.approx(23e-4)
    second.run(27e-4, engine="triton")
    assert_same(whole, second)


def test_a_checkpoint_under_other_weights_is_refused():
    saved = network_of().engine("triton").state()
    network = network_of()
    engine = network.engine("triton")
    population = engine.on_device.populations["cells"]
    population.exponents["excitatory"] += 1
    with pytest.raises(ValueError, match="under weights of the receptor 'excitatory' of another size"):
        engine.load_state(saved)


def test_an_interruption_keeps_what_was_simulated(whole, monkeypatch):
    network = network_of()
    turns, turn = [], simulation.TritonSimulation._turn

    def interrupt(self, goal):
        turns.append(goal)
        if len(turns) == 2:
            signal.raise_signal(signal.SIGINT)
        return turn(self, goal)

    monkeypatch.setattr(simulation.TritonSimulation, "_turn", interrupt)
    with pytest.raises(KeyboardInterrupt, match=r"run\(\) goes on from there"):
        network.run(50e-4, engine="triton")
    assert 0 < network.time < 50e-4
    monkeypatch.undo()
    network.run(50e-4 - network.time, engine="triton")
    assert_same(whole, network)


def test_states_can_be_read_and_set():
    network = Network(dt=1e-4)
    cells = network.population("cells", 5, "integrator", initial={"v": [1.0, 2.0, 3.0, 4.0, 5.0]})
    values = network.engine("triton").values("cells", "v")
    assert len(values) == 5
    assert np.asarray(values).tolist() == [1.0, 2.0, 3.0, 4.0, 5.0]
    network.set_state(cells[1:3], "v", [7.0, 8.0])
    assert network.state(cells, "v").tolist() == [1.0, 7.0, 8.0, 4.0, 5.0]
    network.run(1e-4, engine="triton")
    assert network.state(cells[1:], "v").tolist() == [7.0, 8.0, 4.0, 5.0]


def test_a_monitor_may_come_later_and_write_to_a_file(tmp_path):
    network = network_of()
    network.run(12e-4, engine="triton")
    cells = network.populations["cells"]
    late = network.record_states(cells[:4], "v", file=str(tmp_path / "late.h5"))
    early = network.monitors[3]
    network.run(16e-4, engine="triton")
    np.testing.assert_array_equal(late.times, np.arange(12, 28) * 1e-4)
    shared = np.isin(np.round(late.times * 1e4), np.round(early.times * 1e4))
    assert shared.sum() == 2
    np.testing.assert_array_equal(late["v"][shared], early["v"][early.times > 11.5e-4][:, :4])
    with h5py.File(tmp_path / "late.h5") as file:
        assert "states" in file


def test_a_graph_of_launches_gives_the_same(whole):
    network = network_of()
    if INTERPRETED:
        with pytest.raises(ValueError, match="capture = True: there is no CUDA device"):
            network.run(50e-4, engine="triton", options={"capture": True})
        return
    for steps in (13, 37):
        network.run(steps * 1e-4, engine="triton", options={"capture": True})
    assert_same(whole, network)


def test_threads_are_refused():
    with pytest.raises(ValueError, match="threads = 4: the engine 'triton' runs on a device"):
        network_of().run(1e-4, engine="triton", threads=4)
