"""Quantisation-aware training: its forward pass is the integer simulator's, number by number, and it learns."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spikelab import registry
from spikelab.hw.connections import Connection, OneToOne
from spikelab.hw.integer import simulate
from spikelab.hw.ir import Input, IntegerGraph, Population
from spikelab.hw.lower import Quantisation
from spikelab.hw.simulation import numba_arithmetic
from spikelab.hw.torch_arithmetic import _OPERATIONS, TorchNeuron
from spikelab.hw.training import IntegerSteps, simulated_outputs
from spikelab.neurons.surrogate import SURROGATES
from spikelab.nn import IF, LI, LIF, Conv2d, CubaLIF, Delay, Dense, Flatten, Network, SumPool2d

FAST = {"tau_mem": 5e-3, "backend": "reference"}
SEMI = {"method": "semi_implicit_euler", "backend": "reference"}
WHOLE = st.integers(-(2**30), 2**30)


@given(x=WHOLE, n=st.integers(0, 20), y=WHOLE, c=WHOLE)
@settings(max_examples=100)
def test_operations_mean_in_torch_what_they_mean_elsewhere(x, n, y, c):
    tensor = torch.tensor(float(x), dtype=torch.float64)
    cases = {
        "toward_zero": (n,), "wrap": (28,), "saturate": (-1000, 1000), "positive": (), "magnitude": (),
    }  # fmt: skip
    names = {"magnitude": "abs"}
    for name, rest in cases.items():
        wanted = getattr(numba_arithmetic, name).py_func(x, *rest)
        assert float(_OPERATIONS[names.get(name, name)](tensor, *rest)) == wanted, name
    for shift in (n, -n):
        assert float(_OPERATIONS["shift"](tensor, shift)) == numba_arithmetic.shift.py_func(x, shift)
        moved = _OPERATIONS["shift"](tensor, torch.tensor(shift))
        assert float(moved) == numba_arithmetic.shift.py_func(x, shift)
    assert float(_OPERATIONS["quotient"](tensor.abs(), n + 1)) == abs(x) // (n + 1)
    assert float(_OPERATIONS["remainder"](tensor.abs(), n + 1)) == abs(x) % (n + 1)
    assert float(_OPERATIONS["choose"](torch.tensor(c), tensor, y)) == (x if c > 0 else y)


@pytest.mark.parametrize("name", registry.names("integer_neurons"))
def test_every_neuron_steps_in_torch_as_in_the_simulator(name):
    neuron = registry.load("integer_neurons", name)
    random = np.random.default_rng(4)
    x = random.integers(-3000, 6000, (80, 2, 10))
    parameters = {}
    for p in neuron.parameters:
        low, high = max(p.low, -1000), min(p.high, 1000)
        parameters[p.name] = int(random.integers(max(low, 1) if high > 0 else low, high + 1))
    if "reset_interval" in parameters:
        parameters |= {"reset_interval": 17, "reset_offset": 5}
    graph = IntegerGraph(
        {"in": Input((10,), -(2**30), 2**30)},
        [Population("n", neuron, (10,), parameters)],
        [Connection("in", "n", OneToOne(np.array(1)), 0, port=port) for port in neuron.inputs],
    )
    run = simulate(graph, {"in": x}, record=True)
    assert any(values.any() for values in run.states["n"].values())
    torch_neuron = TorchNeuron(neuron, SURROGATES["arctan"])
    states = {s.name: torch.zeros((2, 10), dtype=torch.float64) for s in neuron.states}
    values = {p.name: float(parameters.get(p.name, p.default)) for p in neuron.parameters}
    for t in range(80):
        arriving = torch.as_tensor(x[t], dtype=torch.float64)
        now = {**values, **states, "t": float(t + 1), **dict.fromkeys(neuron.inputs, arriving)}
        sent, states = torch_neuron.step(now, torch.tensor(1e-3))
        assert np.array_equal(sent.expand(2, 10).numpy(), run.messages["n"][t]), t
        for state, value in states.items():
            assert np.array_equal(value.numpy(), run.states["n"][state][t]), (t, state)


def _networks():
    torch.manual_seed(3)
    loop = [("input", "w"), ("w", "h"), ("h", "d"), ("d", "r"), ("r", "h"), ("h", "o"), ("o", "end"), ("end", "output")]
    cuba = {"reset": "subtract", "tau_syn": 0.004, "tau_mem": 0.016, **SEMI}
    return {
        "dense": ("loihi", (24,), Network.sequential(
            Dense(24, 32), LIF(v_threshold=0.1, **FAST), Dense(32, 4), LI(tau_mem=0.01))),
        "convolution": ("generic", (2, 8, 8), Network.sequential(
            Conv2d(2, 6, 3, padding=1), LIF(v_threshold=0.2, **FAST), SumPool2d(2), Flatten(), Dense(96, 4), LI())),
        "recurrent": ("loihi", (7,), Network(
            {"w": Dense(7, 12), "h": CubaLIF(v_threshold=0.1, **SEMI), "r": Dense(12, 12, bias=False), "d": Delay(2),
             "o": Dense(12, 3), "end": LI()}, loop)),
        "delays": ("generic16", (9,), Network.sequential(
            Delay(torch.arange(9) % 4), Dense(9, 20), LIF(v_threshold=0.1, **FAST), Dense(20, 3), LI())),
        "xylo": ("xylo", (16,), Network.sequential(
            Dense(16, 24, bias=False), CubaLIF(v_threshold=0.1, **cuba), Dense(24, 5),
            CubaLIF(v_threshold=0.1, **cuba))),
        "speck": ("speck", (2, 8, 8), Network.sequential(
            Conv2d(2, 6, 3, padding=1), IF(reset="subtract", backend="reference"), SumPool2d(2), Flatten(),
            Dense(96, 4), IF(reset="subtract", backend="reference"))),
    }  # fmt: skip


NETWORKS = _networks()


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("bits", [2, 8])
def test_forward_pass_is_the_integer_simulator(name, bits):
    profile, shape, network = NETWORKS[name]
    steps = IntegerSteps(registry.load("profiles", profile), Quantisation(bits), shape)
    x = (torch.rand((20, 4, *shape), generator=torch.Generator().manual_seed(2)) < 0.4).float()
    network.runner = steps
    try:
        trained, _ = network.run(x)
        with torch.no_grad():
            evaluated, _ = network.run(x)
    finally:
        network.runner = None
    simulated = simulated_outputs(steps.lower(network), x)
    for node, value in simulated.items():
        assert torch.equal(trained[node], value), node
        assert torch.equal(evaluated[node], value), node
    assert any(value.requires_grad for value in trained.values())


@pytest.mark.parametrize("name", NETWORKS)
def test_gradients_reach_every_weight_and_bias(name):
    profile, shape, network = NETWORKS[name]
    network.runner = IntegerSteps(registry.load("profiles", profile), Quantisation(4), shape)
    x = (torch.rand((20, 4, *shape), generator=torch.Generator().manual_seed(2)) < 0.4).float()
    network.zero_grad()
    try:
        network(x)[0].sum().backward()
    finally:
        network.runner = None
    for parameter, value in network.named_parameters():
        assert value.grad is not None, parameter
        assert bool(value.grad.isfinite().all()), parameter
        assert bool(value.grad.any()), parameter


def test_gradient_at_many_bits_is_that_of_the_network():
    _, shape, network = NETWORKS["dense"]
    x = (torch.rand((20, 4, *shape), generator=torch.Generator().manual_seed(2)) < 0.4).float()
    found = []
    for runner in (None, IntegerSteps(registry.load("profiles", "generic"), Quantisation(8), shape)):
        network.runner = runner
        network.zero_grad()
        network(x)[0].square().mean().backward()
        found.append(torch.cat([p.grad.flatten() for p in network.parameters()]))
    network.runner = None
    assert torch.corrcoef(torch.stack(found))[0, 1] > 0.97
    assert 0.9 < float(found[1].norm() / found[0].norm()) < 1.1


def test_it_learns_what_rounding_alone_cannot_keep():
    torch.manual_seed(0)
    network = Network.sequential(Dense(20, 40), LIF(v_threshold=0.2, **FAST), Dense(40, 2), LI(tau_mem=0.01))
    x = (torch.rand((15, 64, 20)) < 0.3).float()
    labels = (x[:, :, :10].sum((0, 2)) > x[:, :, 10:].sum((0, 2))).long()

    def train(epochs):
        optimiser = torch.optim.Adam(network.parameters(), 1e-2)
        for _ in range(epochs):
            optimiser.zero_grad()
            torch.nn.functional.cross_entropy(network(x)[0][-1] * 20, labels).backward()
            optimiser.step()

    def accuracy():
        with torch.no_grad():
            return float((network(x)[0][-1].argmax(1) == labels).double().mean())

    train(100)
    real = accuracy()
    network.runner = IntegerSteps(registry.load("profiles", "loihi"), Quantisation(2), (20,))
    rounded = accuracy()
    train(60)
    assert real > 0.9
    assert accuracy() > max(rounded + 0.05, 0.85), (real, rounded)


@pytest.mark.parametrize("size", [(0, 2), (3, 0), (1, 1)])
@pytest.mark.parametrize("profile", ["generic", "loihi"])
def test_empty_and_single_sequences(size, profile):
    _, shape, network = NETWORKS["dense"]
    network.runner = IntegerSteps(registry.load("profiles", profile), Quantisation(4), shape)
    try:
        trained = network(torch.zeros((*size, *shape)))[0]
        with torch.no_grad():
            evaluated = network(torch.zeros((*size, *shape)))[0]
    finally:
        network.runner = None
    assert trained.shape == evaluated.shape == (*size, 4)
    assert torch.equal(trained, evaluated)


def test_a_network_in_integers_is_copied_and_pickled():
    _, shape, network = NETWORKS["dense"]
    x = (torch.rand((9, 2, *shape), generator=torch.Generator().manual_seed(2)) < 0.4).float()
    network.runner = IntegerSteps(registry.load("profiles", "loihi"), Quantisation(4), shape)
    try:
        with torch.no_grad():
            wanted = network(x)[0]
            for again in (copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
                assert torch.equal(again(x)[0], wanted)
                again.nodes["0_dense"].weight.mul_(-1)
                assert not torch.equal(again(x)[0], wanted)
            assert torch.equal(network(x)[0], wanted)
    finally:
        network.runner = None


def test_a_sequence_is_run_whole():
    _, shape, network = NETWORKS["dense"]
    network.runner = IntegerSteps(registry.load("profiles", "loihi"), Quantisation(4), shape)
    try:
        with pytest.raises(ValueError, match="pass no state"):
            network(torch.zeros((3, 1, *shape)), {"nodes": {}, "previous": {}})
    finally:
        network.runner = None
