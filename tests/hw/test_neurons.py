"""Every registered integer neuron: it can be run, its states keep within their bits, its name is its own."""

from __future__ import annotations

import numpy as np
import pytest

from spikelab import registry
from spikelab.hw.connections import Connection, Dense, OneToOne
from spikelab.hw.integer import simulate
from spikelab.hw.ir import Input, IntegerGraph, Population

NAMES = registry.names("integer_neurons")


def driven(neuron, parameters, x, record=True):
    """One neuron for each column of x [T, N], all ports fed alike."""
    graph = IntegerGraph(
        {"in": Input(x.shape[1:], -(2**40), 2**40)},
        [Population("n", neuron, x.shape[1:], parameters)],
        [Connection("in", "n", OneToOne(np.array(1)), 0, port=port) for port in neuron.inputs],
    )
    return simulate(graph, {"in": x[:, None]}, record=record)


@pytest.mark.parametrize("name", NAMES)
def test_states_keep_within_their_bits(name):
    neuron = registry.load("integer_neurons", name)
    assert neuron.name == name
    random = np.random.default_rng(0)
    for scale in (10, 3000, 10**5):
        x = random.integers(-scale, 2 * scale, (200, 20))
        parameters = {}
        for p in neuron.parameters:
            low, high = max(p.low, -1000), min(p.high, 1000)
            parameters[p.name] = int(random.integers(max(low, 1) if high > 0 else low, high + 1))
        run = driven(neuron, parameters, x)
        for state in neuron.states:
            if state.name in ("act", "residue", "sigma"):
                continue  # Lava leaves these unchecked; hw.limits reports them
            values = run.states["n"][state.name]
            assert np.abs(values).max() <= 2 ** (state.bits - 1), (name, state.name, scale)


def test_generic_neuron_is_the_leaky_integrator_it_says():
    neuron = registry.load("integer_neurons", "generic_cuba_lif_32")
    x = np.random.default_rng(1).integers(-3000, 9000, (100, 4))
    parameters = {"keep_mem": 30000, "keep_syn": 20000, "direct": -4000, "bias": 70, "v_threshold": 60000}
    for extra, after in (({}, 0), ({"v_reset": -500}, -500), ({"subtract": 1, "v_subtract": 50000}, None)):
        run = driven(neuron, {**parameters, **extra}, x)
        u, v = np.zeros(4), np.zeros(4)
        for t in range(100):
            u = np.trunc(u * 20000 / 2**15) + x[t]
            v = np.trunc(v * 30000 / 2**15) + u + np.trunc(x[t] * -4000 / 2**15) + 70
            fires = v > 60000
            v = np.where(fires, v - 50000 if after is None else after, v)
            assert np.array_equal(run.messages["n"][t, 0], fires)
            assert np.array_equal(run.states["n"]["v"][t, 0], v)
        assert 0 < run.messages["n"].mean() < 1


def test_speck_neuron_sends_a_spike_for_each_threshold():
    neuron = registry.load("integer_neurons", "speck_if")
    x = np.array([[5], [27], [-100], [60], [10]])
    run = driven(neuron, {"v_threshold": 10, "v_low": -20}, x)
    assert run.messages["n"][:, 0, 0].tolist() == [0, 3, 0, 4, 1]
    assert run.states["n"]["v"][:, 0, 0].tolist() == [5, 2, -20, 0, 0]
    emptied = driven(neuron, {"v_threshold": 10, "return_to_zero": 1}, x)
    assert emptied.states["n"]["v"][:2, 0, 0].tolist() == [5, 0]


@pytest.mark.parametrize("delayed", [False, True])
def test_pooling_sums_windows(delayed):
    neuron = registry.load("integer_neurons", "generic_li_32")
    random = np.random.default_rng(2)
    weight = random.integers(-9, 9, (4, 2 * 2 * 3))
    delay = random.integers(0, 3, weight.shape) if delayed else None
    x = random.integers(0, 2, (12, 2, 2, 5, 9))
    graph = IntegerGraph(
        {"in": Input((2, 5, 9))},
        [Population("n", neuron, (4,), {"keep_mem": 0})],
        [Connection("in", "n", Dense(weight, delay), 0, pool=(2, 3))],
    )
    found = simulate(graph, {"in": x}, record=True).states["n"]["v"]
    pooled = x[..., :4, :].reshape(12, 2, 2, 2, 2, 3, 3).sum((-3, -1)).reshape(12, 2, -1)
    expected = np.zeros((12, 2, 4), np.int64)
    for t in range(12):
        for d in range(3 if delayed else 1):
            if t >= d:
                chosen = weight if delay is None else np.where(delay == d, weight, 0)
                expected[t] += pooled[t - d] @ chosen.T
    assert np.array_equal(found, expected)
