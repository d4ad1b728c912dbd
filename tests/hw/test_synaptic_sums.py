"""What connections deliver, beside a plain loop over time, delays and weights, and beside torch's convolution."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from spikelab.hw.connections import Connection, Convolution, Dense, OneToOne, convolved_shape, pooled_shape
from spikelab.hw.integer import Simulator, simulate
from spikelab.hw.ir import Input, IntegerGraph, Population
from spikelab.hw.neurons.loihi_lif import LOIHI_LIF
from spikelab.hw.neurons.loihi_sigma_delta import LOIHI_SIGMA_DELTA
from spikelab.hw.simulation import synaptic_sums


def delivered(connection, source, target, line, steps):
    """Sums [T, B, N] after a start of as many steps as the longest delay."""
    size = int(np.prod(target))
    sums = np.zeros((steps, line.shape[1], size), np.int64)
    start = len(line) - steps - connection.delay
    deliver = synaptic_sums.prepare(connection, source, target)
    cut = steps // 3
    deliver(sums, line, start, 0, cut)
    for t in range(cut, steps):
        deliver(sums, line, start, t, t + 1)
    return sums


def after(connection, total):
    total = np.floor_divide(total * 2 ** max(connection.exponent, 0), 2 ** max(-connection.exponent, 0))
    if connection.wrap_bits:
        half = 2 ** (connection.wrap_bits - 1)
        total = (total + half) % (2 * half) - half
    return total


def messages(random, shape, largest):
    values = random.integers(1, largest + 1, shape) * random.choice([-1, 1], shape)
    return np.where(random.random(shape) < 0.3, values if largest > 1 else abs(values), 0)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("largest", [1, 9, 2**22])
@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("delayed", [False, True])
def test_dense(seed, largest, sparse, delayed):
    random = np.random.default_rng(seed)
    sources, targets, steps, delay = 9, 7, 12, seed % 3
    weight = random.integers(-120, 128, (targets, sources))
    if seed == 5:
        weight[0, 0] = 2**20  # too wide for 16 bits
    if sparse:
        weight[random.random(weight.shape) < 0.9] = 0
    further = random.integers(0, 5, weight.shape) if delayed else None
    connection = Connection("a", "b", Dense(weight, further), delay, [0, 3, -2][seed % 3], [0, 0, 24, 12][seed % 4])
    line = messages(random, (delay + 4 * delayed + steps, 2, sources), largest)
    start = len(line) - steps - delay
    expected = np.zeros((steps, 2, targets), np.int64)
    for t in range(steps):
        for n in range(targets):
            for s in range(sources):
                expected[t, :, n] += weight[n, s] * line[start + t - (further[n, s] if delayed else 0), :, s]
    assert np.array_equal(delivered(connection, (sources,), (targets,), line, steps), after(connection, expected))


@pytest.mark.parametrize("pool", [(1, 1), (2, 3)])
@pytest.mark.parametrize("largest", [1, 2**25])
@pytest.mark.parametrize(
    ("kernel", "form"),
    [
        ((4, 6, 3, 3), {}),
        ((4, 6, 3, 2), {"stride": (2, 1), "padding": (1, 2)}),
        ((6, 1, 3, 3), {"groups": 6, "padding": (1, 1)}),
        ((4, 3, 2, 2), {"groups": 2, "dilation": (2, 1), "stride": (1, 2)}),
        ((2, 6, 1, 1), {"stride": (3, 3)}),
    ],
)
def test_convolution(kernel, form, largest, pool):
    random = np.random.default_rng(0)
    source, steps = (6, 12, 15), 5
    weights = Convolution(random.integers(-120, 128, kernel), **form)
    connection = Connection("a", "b", weights, 1, 2, 24, pool=pool)
    into = pooled_shape(pool, source)
    target = convolved_shape(weights, into)
    line = messages(random, (steps + 1, 2, int(np.prod(source))), largest)
    pictures = torch.from_numpy(line[:-1].astype(np.float64)).reshape(-1, *source)
    if pool != (1, 1):
        pictures = torch.nn.functional.avg_pool2d(pictures, pool, divisor_override=1)
    found = torch.nn.functional.conv2d(pictures, torch.from_numpy(weights.weight).double(), **form)
    expected = found.numpy().astype(np.int64).reshape(steps, 2, -1)
    assert np.array_equal(delivered(connection, source, target, line, steps), after(connection, expected))


def test_pool_before_delayed_weights():
    random = np.random.default_rng(0)
    weight, further = random.integers(-9, 9, (3, 4)), random.integers(0, 4, (3, 4))
    connection = Connection("a", "b", Dense(weight, further), 2, pool=(2, 2))
    line = messages(random, (2 + 3 + 10, 1, 16), 3)
    pooled = line.reshape(15, 1, 2, 2, 2, 2).sum((3, 5)).reshape(15, 1, 4)
    expected = np.zeros((10, 1, 3), np.int64)
    for t in range(10):
        for n in range(3):
            for s in range(4):
                expected[t, :, n] += weight[n, s] * pooled[3 + t - further[n, s], :, s]
    assert np.array_equal(delivered(connection, (1, 4, 4), (3,), line, 10), expected)


@pytest.mark.parametrize("weight", [np.array(3), np.array([2, -5, 7, 0])])
def test_one_to_one(weight):
    line = messages(np.random.default_rng(0), (6, 2, 4), 5)
    connection = Connection("a", "b", OneToOne(weight), 1, -1, 4)
    assert np.array_equal(delivered(connection, (4,), (4,), line, 5), after(connection, line[:-1] * weight))


@pytest.mark.parametrize(
    "weights",
    [
        Dense(np.full((1, 4), 2**20)),
        Dense(np.full((1, 4), 2**20), np.ones((1, 4), np.int64)),
        Convolution(np.full((1, 1, 2, 2), 2**20)),
    ],
)
def test_sums_that_would_lose_exactness_are_refused(weights):
    convolved = isinstance(weights, Convolution)
    shape = (1, 2, 2) if convolved else (4,)
    graph = IntegerGraph(
        {"in": Input(shape, 0, 2**40)},
        [Population("n", LOIHI_LIF, (1, 1, 1) if convolved else (1,), {"vth": 1})],
        [Connection("in", "n", weights)],
    )
    with pytest.raises(ValueError, match=r"'in' -> 'n': sums of weights and messages reach 2\^53"):
        simulate(graph, {"in": np.full((3, 1, *shape), 2**33)})


def test_one_simulator_runs_many_sequences_in_pieces_of_any_length():
    """Longer than the piece whose sums are made at once, with sums recorded and not."""
    random = np.random.default_rng(0)
    graph = IntegerGraph(
        {"in": Input((40,))},
        [
            Population("a", LOIHI_LIF, (900,), {"du": 400, "dv": 100, "vth": 150}),
            Population("b", LOIHI_SIGMA_DELTA, (5,), {"vth": 3, "rectified": 0, "spike_exp": 0, "state_exp": 0}),
        ],
        [
            Connection("in", "a", Dense(random.integers(-90, 120, (900, 40)))),
            Connection("a", "a", Dense(random.integers(-20, 20, (900, 900))), 3),
            Connection("a", "b", Dense(random.integers(-9, 9, (5, 900)), random.integers(0, 5, (5, 900)))),
        ],
    )
    x = (random.random((150, 1, 40)) < 0.2).astype(np.int64)
    simulator = Simulator(graph)
    plain, recorded = simulator.run({"in": x}), simulator.run({"in": x}, record=True)
    state, found = None, []
    for t in range(len(x)):
        run = simulator.run({"in": x[t : t + 1]}, state)
        state = run.state
        found.append(run.messages["b"])
    assert np.array_equal(plain.messages["b"], recorded.messages["b"])
    assert np.array_equal(plain.messages["b"], np.concatenate(found))
    assert np.count_nonzero(plain.messages["b"]) > 50
    # what is recorded as arriving is what the neurons integrated
    sigma = recorded.states["b"]["sigma"]
    assert np.array_equal(np.diff(sigma, axis=0), recorded.inputs["b"]["a"][1:])
    assert not plain.inputs
