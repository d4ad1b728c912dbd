"""The event-driven engine against engines with a time grid: theirs approaches it as steps become short."""

import numpy as np
import pytest

from spikelab import sim
from spikelab.sim import Network, Receptor
from spikelab.sim.examples.vogels_abbott import vogels_abbott


def network_of(dt):
    """A few dozen cells that excite and inhibit each other; all delays and refractory times are whole steps."""
    random = np.random.default_rng(2)
    size = 60
    network = Network(dt=dt)
    cells = network.population(
        "cells",
        size,
        "lif_membrane",
        tau_mem=20e-3,
        capacitance=200e-12,
        v_leak=-49e-3,
        v_threshold=-50e-3,
        v_reset=-60e-3,
        refractory=4e-3,
        receptors={
            "excitatory": Receptor("exponential_current", tau_syn=5e-3),
            "inhibitory": Receptor("alpha_current", tau_syn=6e-3),
        },
        initial={"v": random.uniform(-60e-3, -50e-3, size)},
    )
    for group, receptor, weight in ((cells[:45], "excitatory", 30e-12), (cells[45:], "inhibitory", -60e-12)):
        sender, receiver = np.nonzero(random.random((group.size, size)) < 0.2)
        delay = 0.4e-3 * random.integers(1, 8, sender.size)
        wiring = sim.Explicit(sender, receiver)
        network.projection(group, cells, wiring, receptor=receptor, weight=weight, delay=delay)
    return network, network.record_spikes(cells)


def spikes_by(engine, dt, duration=0.09):
    network, spikes = network_of(dt)
    network.run(duration, engine=engine)
    return spikes.trains()


def test_spike_times_on_a_grid_converge_with_order_one():
    exact = spikes_by("event_driven", 0.4e-3)
    assert sum(map(len, exact)) > 60
    errors = []
    for dt in (0.025e-3, 0.0125e-3, 0.00625e-3, 0.003125e-3):
        grid = spikes_by("numba", dt)
        # a spike at the very end may fall out of the grid's run
        counts = [np.count_nonzero(train < 0.087) for train in exact]
        pairs = [(a[:n], b[:n]) for a, b, n in zip(grid, exact, counts, strict=True)]
        late = np.concatenate([a - b for a, b in pairs])
        errors.append(np.abs(late).mean())
        print(dt, errors[-1], np.abs(late).max(), late.size)
        assert errors[-1] < 3 * dt
    orders = np.log2(np.divide(errors[:-1], errors[1:]))
    assert orders == pytest.approx(np.ones(3), abs=0.35)


def test_dt_does_not_matter():
    for one, other in zip(spikes_by("event_driven", 0.4e-3), spikes_by("event_driven", 0.05e-3), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-13)


def found(shared, pattern):
    files = sorted((shared / "data" / "reference_sims").glob(pattern))
    if not files:
        pytest.skip(f"no {pattern} in {shared}/data/reference_sims")
    return files


@pytest.mark.shared
def test_a_neuron_driven_on_brian2s_grid(shared):
    """What happens between events is exact there too; only its spikes wait for the end of their step."""
    for file in found(shared, "lif_expcurrent*.npz"):
        with np.load(file) as stored:
            network = Network(dt=1e-4)
            receptors = {"input": Receptor("exponential_current", tau_syn=5e-3)}
            cell = network.population("cell", 1, "lif", tau_mem=20e-3, refractory=2e-3, receptors=receptors)
            count = stored["input_times_ms"].size
            # a spike at step s is delivered at the end of that step
            times = stored["input_times_ms"] * 1e-3
            source = network.source("input", count, sim.SpikeArray(times, np.arange(count)))
            network.projection(source, cell, sim.AllToAll(), receptor="input", weight=stored["weights"], delay=1e-4)
            trace, spikes = network.record_states(cell, ["v", "i_input"]), network.record_spikes(cell)
            network.run(stored["t_ms"].size * 1e-4, engine="event_driven")
            # an arrival at a sample's own time is part of it but for rounding
            clean = np.abs(stored["t_ms"][:, None] - stored["input_times_ms"] - 0.1).min(axis=1) > 0.01
            np.testing.assert_allclose(trace["i_input"][clean, 0], stored["I"][clean], atol=1e-12)
            first = stored["spike_times_ms"][0]
            before = clean & (stored["t_ms"] < first)
            np.testing.assert_allclose(trace["v"][before, 0], stored["v"][before], atol=1e-12)
            assert first - 1e-9 < spikes.times[0] * 1e3 <= first + 0.1 + 1e-9
            assert abs(len(spikes) - stored["spike_times_ms"].size) <= 2


@pytest.mark.shared
def test_the_delayed_network_of_brian2(shared):
    """Its first spikes within a step, before the grid's roundings add up; its rate over all."""
    for file in found(shared, "cuba_net*.npz"):
        with np.load(file) as stored:
            size = stored["v0"].size
            network = Network(dt=1e-4)
            cells = network.population(
                "cells",
                size,
                "lif",
                tau_mem=20e-3,
                v_leak=-49.0,
                v_threshold=-50.0,
                v_reset=-60.0,
                refractory=5e-3,
                receptors={
                    "e": Receptor("exponential_current", tau_syn=5e-3),
                    "i": Receptor("exponential_current", tau_syn=10e-3),
                },
                initial={"v": stored["v0"]},
            )
            excites = stored["src"] < 240
            for chosen, receptor, weight in ((excites, "e", 1.62), (~excites, "i", -9.0)):
                wiring = sim.Explicit(stored["src"][chosen], stored["dst"][chosen])
                delay = stored["delay_ms"][chosen] * 1e-3
                network.projection(cells, cells, wiring, receptor=receptor, weight=weight, delay=delay)
            spikes = network.record_spikes(cells)
            order = np.argsort(stored["spike_times_ms"], kind="stable")
            theirs, who = stored["spike_times_ms"][order] * 1e-3, stored["spike_ids"][order]
            network.run(float(theirs[-1]) + 1e-4, engine="event_driven")
            # Brian2 labels the step from t to t + dt with t
            early = np.flatnonzero(theirs < 6e-3)
            assert early.size > 10
            for time, neuron in zip(theirs[early], who[early], strict=True):
                ours = spikes.trains()[neuron][0]
                assert time - 1.001e-4 < ours < time + 2.001e-4, (file, neuron)
            assert len(spikes) == pytest.approx(theirs.size, rel=0.1)


@pytest.mark.slow
def test_the_vogels_abbott_network_fires_as_on_a_grid():
    """Rates and irregularity over seeds, within what seeds differ by; the speed is only shown."""
    rates: dict[str, list] = {"numba": [], "event_driven": []}
    for engine, found in rates.items():
        for seed in range(4):
            network = vogels_abbott(delay=1.5e-3, seed=seed)
            spikes = network.record_spikes(network.populations["cells"])
            figures = network.run(0.6, engine=engine)
            trains = [np.diff(train[train > 0.1]) for train in spikes.trains()]
            irregular = [train.std() / train.mean() for train in trains if train.size > 2]
            found.append((np.count_nonzero(spikes.times > 0.1) / (4000 * 0.5), np.mean(irregular)))
            if engine == "event_driven":
                print(f"{figures['events'] / figures['run_cpu_seconds']:.3g} events per CPU second")
    grid, exact = np.array(rates["numba"]), np.array(rates["event_driven"])
    spread = np.sqrt(grid.var(axis=0, ddof=1) / 4 + exact.var(axis=0, ddof=1) / 4)
    assert (np.abs(grid.mean(axis=0) - exact.mean(axis=0)) < 4 * spread).all(), (grid, exact)
    assert 4 < exact[:, 0].mean() < 7
