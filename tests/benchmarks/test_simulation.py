"""The comparison of simulators: its measures and its test say what they should, its networks are the published ones."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.environments import is_ready
from benchmarks.simulation import microcircuit, simulators, speed, statistics
from benchmarks.simulation.measures import irregularity, measure, pending_potentiation, synchrony
from benchmarks.simulation.networks import NETWORKS
from benchmarks.simulation.significance import Comparison, compare, detectable, holm
from benchmarks.simulation.simulators import OURS, PEERS, SIMULATORS, SimulatorSession
from spikelab.sim.examples.microcircuit import microcircuit as example_microcircuit


def _poisson(rate: float, neurons: int, seconds: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    count = generator.poisson(rate * neurons * seconds)
    return generator.uniform(0.0, seconds * 1e3, count), generator.integers(0, neurons, count)


def test_independent_poisson_neurons_have_a_cv_and_a_synchrony_of_one():
    times, neurons = _poisson(20.0, 500, 20.0, 1)
    assert irregularity(times, neurons) == pytest.approx(1.0, abs=0.02)
    assert synchrony(times, 0.0, 20_000.0) == pytest.approx(1.0, abs=0.06)


def test_regular_neurons_have_no_irregularity_and_common_spikes_are_synchrony():
    train = np.arange(5.0, 1000.0, 50.0)
    times, neurons = np.tile(train, 30), np.repeat(np.arange(30), train.size)
    assert irregularity(times, neurons) == pytest.approx(0.0, abs=1e-12)
    # 20 of 333 bins hold all 30 spikes
    mean = 30 * 20 / 333
    assert synchrony(times, 0.0, 1000.0) == pytest.approx((30**2 * 20 / 333 - mean**2) / mean)


def test_measures_leave_the_warm_up_out_and_tell_populations_apart():
    times = np.array([50.0, 150.0, 250.0, 260.0, 1200.0])
    found = measure(times, np.array([0, 0, 0, 1, 4]), {"a": (0, 2), "b": (2, 5)}, 200.0, 1200.0)
    assert found["rate a"] == pytest.approx(1.0)
    assert found["rate b"] == pytest.approx(1 / 3)
    assert np.isnan(found["cv"])


def test_pending_potentiation_is_the_sum_over_pairs_that_the_weight_has_not_seen():
    generator = np.random.default_rng(3)
    spike_times, spike_neurons = generator.uniform(0.0, 300.0, 80), generator.integers(0, 6, 80)
    senders, targets = np.repeat(np.arange(6), 6), np.tile(np.arange(6), 6)
    found = pending_potentiation(senders, targets, spike_times, spike_neurons, 20.0, (4.0, 1.5), 295.0, 6)
    for place, (sender, target) in enumerate(zip(senders, targets, strict=True)):
        sent = [t + 4.0 for t in spike_times[spike_neurons == sender] if t + 4.0 < 295.0]
        answered = [t + 1.5 for t in spike_times[spike_neurons == target] if max(sent) < t + 1.5 < 295.0]
        expected = sum(np.exp((before - after) / 20.0) for before in sent for after in answered)
        assert found[place] == pytest.approx(expected)
    assert (found > 0).any()


def test_holm_is_the_textbook_correction():
    # Holm 1979: sorted p times 4, 3, 2, 1, never falling
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []


def _runs(simulator: str, values: list[float], measure: str = "cv") -> list[dict]:
    return [
        {
            "simulator": simulator,
            "network": "cuba",
            "seed": seed,
            "duration_ms": 2200.0,
            "spikes": 10,
            "versions": {},
            "measures": {measure: value},
        }
        for seed, value in enumerate(values)
    ]


def test_what_lies_apart_differs_and_what_lies_together_does_not():
    same, apart = [0.60, 0.61, 0.62, 0.63, 0.64], [0.70, 0.71, 0.72, 0.73, 0.74]
    runs = _runs(OURS, same) + _runs("nest", list(reversed(same))) + _runs("brian2", apart)
    near, far = compare(runs, [(OURS, "nest"), (OURS, "brian2")])
    assert not near.differs
    assert near.effect == pytest.approx(0.0, abs=1e-9)
    assert far.differs
    # 0.1 over a standard deviation of 0.0158
    assert far.effect == pytest.approx(-6.32, abs=0.01)
    found = statistics.report(runs)
    text = statistics.table(found)
    assert "2 comparisons, 1 differ: cuba: cv (spikelab / brian2)" in text
    assert "**0.72 ± 0.016 (-6.3, p " in text
    assert [Comparison(**c).differs for c in found["peers"]] == [True]


def test_the_test_can_reject_and_says_what_it_sees():
    assert 3.0 < detectable(5, 100) < 5.0
    assert detectable(20, 100) < detectable(5, 100)
    exact = [1.0] * 5
    assert compare(_runs(OURS, exact) + _runs("nest", [2.0] * 5), [(OURS, "nest")])[0].differs
    assert not compare(_runs(OURS, exact) + _runs("nest", exact), [(OURS, "nest")])[0].differs


def test_the_microcircuit_is_the_published_one_and_keeps_mean_and_variance_when_scaled():
    full, tenth = microcircuit.circuit(1.0), microcircuit.circuit(0.1)
    assert full.sizes.sum() == 77_169
    assert full.synapses.sum() == pytest.approx(0.299e9, rel=0.01)
    # 87.8 pA, the published weight
    assert full.weights[0, 0] == pytest.approx(87.8, abs=0.05)
    assert full.constant == pytest.approx(np.zeros(8))
    assert tenth.weights == pytest.approx(full.weights * np.sqrt(10))
    rates = np.array([0.971, 2.868, 4.746, 5.396, 8.142, 9.078, 0.991, 7.523])

    def mean_input(of: microcircuit.Circuit) -> np.ndarray:
        recurrent = of.weights * (of.synapses / of.sizes[:, None]) * rates
        return (
            recurrent.sum(axis=1) + of.external_weight * of.external_rate + of.constant / (1e-3 * microcircuit.TAU_SYN)
        )

    assert mean_input(tenth) == pytest.approx(mean_input(full), rel=0.01)


def test_wired_synapses_have_the_moments_and_bounds_that_were_asked_for():
    found = microcircuit.circuit(0.02)
    wired = microcircuit.wire(found, 0.1, np.random.default_rng(1))
    starts = found.starts
    assert wired.senders.size == found.synapses.sum()
    assert wired.steps.min() >= 1
    chosen = (wired.senders < starts[1]) & (wired.targets < starts[1])
    assert chosen.sum() == found.synapses[0, 0]
    assert wired.weights[chosen].mean() == pytest.approx(found.weights[0, 0], rel=0.01)
    assert wired.weights[chosen].std() == pytest.approx(0.1 * found.weights[0, 0], rel=0.05)
    inhibitory = (wired.senders >= starts[1]) & (wired.senders < starts[2])
    assert (wired.weights[inhibitory] < 0).all()


def _gained(*ratios):
    return {"turns": {"ratio_wall": list(ratios)}}


def test_verdicts_and_players():
    row = {"network": "cuba", "simulator": "nest", "threads": 1, "against_threads": 1, "ratio_cpu": 13.9}
    assert speed.verdict(row) == "14: missed"
    assert speed.verdict(row | {"ratio_cpu": 14.1}) == "14: kept"
    assert speed.verdict(row | {"network": "microcircuit"}) == ""
    cores = {"gain": [1.1, 1.9, 1.9, 1.9, 1.9], "distance_ns": [30.0, 30.0, 32.0, 31.0, 170.0]}
    ours = {"network": "brunel", "simulator": OURS, "threads": 1, "against_threads": 2, "cores": cores}
    assert speed.verdict(ours | _gained(1.0, 1.4, 1.6, 1.7, 0.9)) == "1.5: kept, 1.60 in 3 rounds; else 0.95 in 2"
    assert speed.verdict(ours | _gained(2.0, 1.4, 1.4, 1.7, 2.0)).startswith("1.5: missed, 1.40 in 3 rounds")
    far = {"cores": cores | {"distance_ns": [170.0] * 5}}
    assert speed.verdict(ours | _gained(2.0, 2.0, 2.0, 2.0, 2.0) | far).startswith(
        "1.5: two cores near each other in 0"
    )
    assert speed.players([OURS, "nest", "genn"], 1) == [(OURS, 1), ("nest", 1), ("genn", 1)]
    assert speed.players([OURS, "nest", "genn"], 2) == [(OURS, 2), (OURS, 1), ("nest", 2)]
    assert set(speed.FLOORS) <= set(NETWORKS)


def test_a_missing_simulator_says_what_to_do(monkeypatch, capsys):
    monkeypatch.setattr(simulators, "is_ready", lambda simulator: simulator.name == OURS)
    assert simulators.installed(list(SIMULATORS)) == [OURS]
    assert "run 'python -m benchmarks.simulation.simulators nest'" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        speed.main(["--networks", "cobahh"])
    assert "unknown network cobahh; known are cuba" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("name", [OURS, *PEERS])
def test_a_simulator_runs_a_network_and_tells_its_spikes(name):
    if not is_ready(SIMULATORS[name]):
        pytest.skip(f"no {name} (python -m benchmarks.simulation.simulators {name})")
    with SimulatorSession(name, 1) as session:
        first = session.prepare("izhikevich_1000_stdp", 1, 500.0, settle=False)
        found = session.ask("collect")
    assert first["cpu_s"] > 0
    assert 5.0 < found["measures"]["rate excitatory"] < 9.0
    assert 5.0 < found["measures"]["rate inhibitory"] < 9.0
    assert 0.02 < found["measures"]["weight change spread"] < 0.08


def test_the_example_and_the_benchmark_are_the_same_microcircuit():
    # the peers' environments lack spikelab, so the benchmark holds the numbers of the example again
    found, network = microcircuit.circuit(0.05), example_microcircuit(scale=0.05)
    names, populations = microcircuit.POPULATIONS, list(network.populations.values())
    assert tuple(network.populations) == names
    np.testing.assert_array_equal([each.size for each in populations], found.sizes)
    np.testing.assert_allclose([each.bias for each in populations], 1e-12 * found.constant)
    expected = {
        "tau_mem": 1e-3 * microcircuit.TAU_MEM,
        "capacitance": 1e-12 * microcircuit.CAPACITANCE,
        "v_leak": 1e-3 * microcircuit.REST,
        "v_threshold": 1e-3 * microcircuit.THRESHOLD,
        "v_reset": 1e-3 * microcircuit.RESET,
        "tau_syn_synapses": 1e-3 * microcircuit.TAU_SYN,
    }
    for each, mean, spread in zip(populations, microcircuit.START_MEAN, microcircuit.START_SPREAD, strict=True):
        assert {name: each.parameters[name] for name in expected} == pytest.approx(expected)
        assert each.refractory == pytest.approx(1e-3 * microcircuit.REFRACTORY)
        start = each.given["initial v"]
        assert (start.mean, start.standard_deviation) == pytest.approx((1e-3 * mean, 1e-3 * spread))
    counts, weights, delays = np.zeros((8, 8), int), np.zeros((8, 8)), np.zeros((8, 8))
    for each in network.projections:
        place = names.index(str(each.target)), names.index(str(each.source))
        counts[place], weights[place], delays[place] = each.wiring.count, each.weight.mean, each.delay.mean
        assert each.weight.standard_deviation == pytest.approx(microcircuit.WEIGHT_SPREAD * abs(each.weight.mean))
        assert each.delay.standard_deviation == pytest.approx(microcircuit.DELAY_SPREAD * each.delay.mean)
    wired = found.synapses > 0
    np.testing.assert_array_equal(counts, found.synapses)
    np.testing.assert_allclose(weights, np.where(wired, 1e-12 * found.weights, 0))
    np.testing.assert_allclose(delays, np.where(wired, 1e-3 * found.delays, 0))
    np.testing.assert_allclose([each.input.rate for each in network.inputs], found.external_rate)
    np.testing.assert_allclose([each.input.weight for each in network.inputs], 1e-12 * found.external_weight)
