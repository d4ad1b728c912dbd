"""Stored traces of other simulators, reproduced through the public interface. SOURCE.md beside them gives recipes."""

import gzip
import json

import numpy as np
import pytest

from spikelab import sim
from spikelab.sim import Network, Receptor

pytestmark = pytest.mark.shared


def found(shared, pattern):
    """The reference files of one kind; the folder may hold others of the same layout."""
    files = sorted((shared / "data" / "reference_sims").glob(pattern))
    if not files:
        pytest.skip(f"no {pattern} in {shared}/data/reference_sims")
    return files


def test_published_spikes_of_izhikevichs_script(shared):
    for file in found(shared, "izhikevich*matlab*.json"):
        for name, cell in json.loads(file.read_text()).items():
            network = Network(dt=0.25e-3)
            start = cell["v0"]
            neuron = network.population(
                "cell",
                1,
                "izhikevich",
                **{key: float(cell[key]) for key in "abcd"},
                initial={"v": start, "u": cell["b"] * start},
            )
            # the script switches after t > T1: the step that ends at T1 + h still has the first value
            switch = (cell["T1_ms"] + 0.25) * 1e-3
            current = sim.StepCurrent([0.0, switch], [float(cell["I_before"]), float(cell["I_after_T1"])])
            network.input(neuron, current)
            trace = network.record_states(neuron, ["v"])
            spikes = network.record_spikes(neuron)
            network.run(cell["T_ms"] * 1e-3 + 0.25e-3)
            # the published time is the first sample at or above 0 mV, and the script records the peak as 30
            v = trace["v"][:, 0].copy()
            v[np.round(spikes.times / network.dt).astype(int)[spikes.times <= trace.times[-1]]] = 30
            above = v >= 0
            # the script labels the state after a step with the time at which the step began
            crossings = (trace.times[1:][above[1:] & ~above[:-1]] - network.dt) * 1e3
            published = np.array(cell["published_spike_times_ms"])
            assert crossings.shape == published.shape, (file, name)
            np.testing.assert_allclose(crossings, published, atol=1e-9, err_msg=f"{file}: {name}")


def test_adaptive_exponential_neuron_against_a_precise_solver(shared):
    for file in found(shared, "aeif*.dat.gz"):
        with gzip.open(file, "rt") as text:
            times, voltages, adaptation = np.loadtxt(text, unpack=True)
        dt = 2e-7
        network = Network(dt=dt)
        cell = network.population(
            "cell",
            1,
            "adex",
            method="runge_kutta_4",
            capacitance=200e-12,
            g_leak=11e-9,
            v_leak=-70e-3,
            v_threshold=-50e-3,
            slope_factor=2e-3,
            tau_adaptation=300e-3,
            a=3e-9,
            adaptation_jump=0.0,
            v_peak=0.0,
            v_reset=-58e-3,
            bias=420e-12,
            initial={"v": -70e-3, "w": 5e-12},
        )
        trace = network.record_states(cell, ["v", "w"])
        spikes = network.record_spikes(cell)
        network.run(times[-1] * 1e-3 + 2 * dt)
        ours_v = np.interp(times * 1e-3, trace.times, trace["v"][:, 0]) * 1e3
        ours_w = np.interp(times * 1e-3, trace.times, trace["w"][:, 0]) * 1e12
        # near a spike the membrane is steeper than any sampling, and most samples of the adaptive solver lie there
        away = np.abs(times[:, None] - spikes.times[None] * 1e3).min(axis=1) > 0.3
        assert away.sum() > 100
        error_v = np.abs((ours_v - voltages) / voltages)[away].mean()
        error_w = np.abs((ours_w - adaptation) / adaptation).mean()
        assert error_v < 5e-4, f"{file}: mean relative error of v is {error_v:.1e}"
        assert error_w < 1e-4, f"{file}: mean relative error of w is {error_w:.1e}"
        jumps = times[1:][np.diff(voltages) < -30]
        # 0.0048 ms at the last spike is the reference's own drift (the limit of shorter steps); the grid adds the rest
        np.testing.assert_allclose(spikes.times * 1e3, jumps, atol=0.0065)


def test_exact_integration_of_an_exponential_current(shared):
    for file in found(shared, "lif_expcurrent*.npz"):
        with np.load(file) as stored:
            network = Network(dt=1e-4)
            cell = network.population(
                "cell",
                1,
                "lif",
                tau_mem=20e-3,
                refractory=2e-3,
                receptors={"input": Receptor("exponential_current", tau_syn=5e-3)},
            )
            count = stored["input_times_ms"].size
            # one sender a spike, because each spike has its own weight
            source = network.source("input", count, sim.SpikeArray(stored["input_times_ms"] * 1e-3, np.arange(count)))
            wiring = sim.Explicit(np.arange(count), np.zeros(count, int))
            network.projection(source, cell, wiring, receptor="input", weight=stored["weights"], delay=1e-4)
            trace = network.record_states(cell, ["v", "i_input"])
            spikes = network.record_spikes(cell)
            network.run(stored["t_ms"].size * 1e-4)
            # Brian2 labels what happens in the step from t to t + dt with t
            np.testing.assert_allclose(spikes.times * 1e3 - 0.1, stored["spike_times_ms"], atol=1e-9)
            np.testing.assert_allclose(trace["v"][:, 0], stored["v"], atol=3e-14)
            np.testing.assert_allclose(trace["i_input"][:, 0], stored["I"], atol=3e-14)


@pytest.mark.parametrize("threads", [1, 2])
def test_delayed_network_spike_for_spike(shared, threads):
    for file in found(shared, "cuba_net*.npz"):
        with np.load(file) as stored:
            network = Network(dt=1e-4)
            cells = network.population(
                "cells",
                stored["v0"].size,
                "lif",
                tau_mem=20e-3,
                v_leak=-49.0,
                v_threshold=-50.0,
                v_reset=-60.0,
                refractory=5e-3,
                receptors={
                    "excitatory": Receptor("exponential_current", tau_syn=5e-3),
                    "inhibitory": Receptor("exponential_current", tau_syn=10e-3),
                },
                initial={"v": stored["v0"]},
            )
            count = int(stored["n_exc"])
            for group, receptor, weight in [(cells[:count], "excitatory", 1.62), (cells[count:], "inhibitory", -9.0)]:
                mine = (stored["src"] >= group.first) & (stored["src"] < group.first + group.size)
                wiring = sim.Explicit(stored["src"][mine].astype(int) - group.first, stored["dst"][mine].astype(int))
                delay = stored["delay_ms"][mine] * 1e-3
                network.projection(group, cells, wiring, receptor=receptor, weight=weight, delay=delay)
            spikes = network.record_spikes(cells)
            trace = network.record_states(cells, ["v"])
            network.run(stored["t_ms"].size * 1e-4, threads=threads)
            ours = sorted(zip(np.round(spikes.times * 1e4).astype(int) - 1, spikes.neurons.tolist(), strict=True))
            steps = np.round(stored["spike_times_ms"] * 10).astype(int)
            theirs = sorted(zip(steps, stored["spike_ids"].tolist(), strict=True))
            assert ours == theirs, file
            np.testing.assert_allclose(trace["v"][:, stored["v_rec_ids"]].T, stored["v_rec"], atol=3e-12)


def test_forward_euler_of_izhikevich_neurons(shared):
    for file in found(shared, "izhikevich_euler*.npz"):
        with np.load(file) as stored:
            a, b, c, d = stored["abcd"].T
            network = Network(dt=1e-4)
            cells = network.population(
                "cells",
                a.size,
                "izhikevich",
                a=a,
                b=b,
                c=c,
                d=d,
                v_peak=np.nextafter(30.0, 0),  # they test v >= 30
                method="euler",
                bias=float(stored["I"]),
                initial={"v": -65.0, "u": b * -65.0},
            )
            spikes = network.record_spikes(cells)
            trace = network.record_states(cells, ["v", "u"])
            network.run(stored["t_ms"].size * 1e-4)
            ours = sorted(zip(np.round(spikes.times * 1e4).astype(int) - 1, spikes.neurons.tolist(), strict=True))
            steps = np.round(stored["spike_times_ms"] * 10).astype(int)
            assert ours == sorted(zip(steps, stored["spike_ids"].tolist(), strict=True)), file
            # stored as float32; the fast spiking cell magnifies rounding ten thousandfold in 100 ms, so that a plain
            # numpy loop of the same equations also leaves the stored trace (by 10 mV in single samples) after 190 ms
            half = stored["t_ms"].size // 2
            for name in ("v", "u"):
                error = np.abs(trace[name].T - stored[name])
                assert error[:, :half].max() < 1e-5
                assert np.quantile(error, 0.95) < 2e-4
