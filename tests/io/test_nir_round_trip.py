"""Random networks of ours -> NIR file -> network: the same spikes at every node and step, exactly."""

import itertools

import nir
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spikelab import nn
from spikelab.io.nir_graph import tree_of
from spikelab.io.nir_read import from_nir, read_nir
from spikelab.io.nir_save import write_nir
from spikelab.io.nir_write import to_nir

DT = 1e-3
METHODS = {
    nn.IF: ["exact", "euler"],
    nn.LIF: ["exact", "exponential_euler", "euler"],
    nn.LI: ["exact", "euler"],
    nn.CubaLIF: ["exact", "exponential_euler", "euler", "semi_implicit_euler"],
    nn.CubaLI: ["exact", "semi_implicit_euler"],
    nn.Integrator: ["exact", "euler"],
}


class Builder:
    """Draws a network: a chain that gets from the input's shape to the output's, with loops and side paths."""

    def __init__(self, draw):
        self.draw = draw
        self.generator = torch.Generator().manual_seed(draw(st.integers(0, 10_000)))
        self.nodes, self.edges = {}, []
        self.shape = draw(st.sampled_from([(5,), (3, 9), (2, 6, 7)]))
        self.input_shape, self.last = self.shape, "input"
        letters = draw(st.permutations("abcdefghijklmnopqrstuvwxyz"))
        # names that sort in another order than they are declared, as they would in a file
        self.names = (f"{letter}{digit}" for digit in range(9) for letter in letters)

    def pick(self, *choices):
        return self.draw(st.sampled_from(choices))

    def values(self, low, high, shape=()):
        return (torch.rand(shape, generator=self.generator) * (high - low) + low).double()

    def add(self, module, *sources):
        name = next(self.names)
        self.nodes[name] = module
        self.edges += [(source, name) for source in sources]
        return name

    def chain(self, module, shape):
        self.last, self.shape = self.add(module, self.last), shape

    def neuron(self):
        make = self.pick(*METHODS)
        shape = self.pick((), self.shape)
        parameters = {"r": self.values(0.5, 3, shape) * (1e3 if make in (nn.IF, nn.Integrator) else 1)}
        for name in make().spec.parameter_names:
            if name.startswith("tau"):
                parameters[name] = self.values(2e-3, 9e-3, self.pick((), self.shape))
            elif name in ("v_leak", "v_reset"):
                parameters[name] = self.values(-0.2, 0.1, shape)
            elif name == "v_threshold":
                parameters[name] = self.values(0.2, 0.6, shape)
        options = {"reset": self.pick("zero", "value", "subtract")} if make().spec.spikes else {}
        if options.get("reset") == "subtract":
            del parameters["v_reset"]
        form = self.pick("current", "impulse")
        if form == "impulse":
            parameters["r"] = parameters["r"] * (5e-3 if make not in (nn.IF, nn.Integrator) else 1e-3)
        return make(
            dt=DT, method=self.pick(*METHODS[make]), input_form=form, backend="reference", **options, **parameters
        )

    def weights(self, module):
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.copy_(torch.randn(parameter.shape, generator=self.generator) * 0.7 + 0.2)
        return module

    def step(self):
        choices = [self.elementwise, self.elementwise]
        if len(self.shape) == 1:
            choices += [self.dense, self.loop, self.two_layers, self.side_path]
        elif min(self.shape[1:]) < 2:
            # no window fits any more
            choices += [self.flatten]
        else:
            choices += [self.line, self.flatten] if len(self.shape) == 2 else [self.convolve, self.pool, self.flatten]
        self.pick(*choices)()

    def elementwise(self):
        kind = self.pick("neuron", "neuron", "scale", "threshold", "delay")
        shape = self.pick((), self.shape)
        if kind == "neuron":
            module = self.neuron()
        elif kind == "scale":
            module = nn.Scale(self.values(0.5, 2, shape))
        elif kind == "threshold":
            module = nn.Threshold(self.values(0, 1, shape))
        else:
            delays = torch.randint(0, 5, self.pick((), self.shape[:1], self.shape), generator=self.generator)
            module = nn.Delay(delays)
        self.chain(module, self.shape)

    def dense(self):
        width = self.pick(3, 5)
        self.chain(self.weights(nn.Dense(self.shape[0], width, bias=self.pick(True, False))), (width,))

    def line(self):
        channels, stride = self.pick(2, 4), self.pick(1, 2)
        module = nn.Conv1d(
            self.shape[0], channels, self.pick(1, 2), stride, self.pick("valid", 1), bias=self.pick(True, False)
        )
        self.chain(self.weights(module), tuple(module(torch.zeros(1, 1, *self.shape)).shape[2:]))  # fmt: skip

    def convolve(self):
        groups = self.pick(1, self.shape[0])
        padding = self.pick("same", "valid", 1, (1, 0))
        stride = 1 if padding == "same" else self.pick(1, (2, 1))
        kernel = self.pick(1, (2, 1), (1, 2), (2, 2))
        module = nn.Conv2d(self.shape[0], 2 * groups, kernel, stride, padding, 1, groups, bias=self.pick(True, False))
        self.chain(self.weights(module), tuple(module(torch.zeros(1, 1, *self.shape)).shape[2:]))

    def pool(self):
        module = self.pick(nn.SumPool2d, nn.AvgPool2d)(self.pick(1, (2, 1)), self.pick(None, 1), self.pick(0, 0))
        self.chain(module, tuple(module(torch.zeros(1, 1, *self.shape)).shape[2:]))

    def flatten(self):
        module = nn.Flatten() if len(self.shape) == 2 else self.pick(nn.Flatten(), nn.Flatten(1), nn.Flatten(0, 1))
        self.chain(module, tuple(module(torch.zeros(1, 1, *self.shape)).shape[2:]))

    def loop(self):
        """A recurrent layer, its weights declared before or after it."""
        (width,) = self.shape
        weights, first = self.weights(nn.Dense(width, width, bias=self.pick(True, False))), self.pick(True, False)
        names = [self.add(weights)] if first else []
        layer = self.add(self.neuron(), self.last)
        names = names or [self.add(weights)]
        self.edges += [(layer, names[0]), (names[0], layer)]
        self.last = layer

    def two_layers(self):
        """Two layers that excite each other, declared in either order, and one of them itself."""
        modules = [self.neuron(), self.neuron()]
        names = [self.add(module) for module in modules]
        a, b = names if self.pick(True, False) else names[::-1]
        self.edges += [(self.last, a), (a, b), (b, a)] + ([(b, b)] if self.pick(True, False) else [])
        self.last = b

    def side_path(self):
        side = self.add(self.neuron(), self.last)
        direct = self.add(self.weights(nn.Dense(self.shape[0], self.shape[0])), self.last)
        self.last = self.add(self.neuron(), side, direct)

    def network(self):
        for _ in range(self.draw(st.integers(1, 6))):
            self.step()
        self.edges.append((self.last, "output"))
        return nn.Network(self.nodes, self.edges)


@st.composite
def networks(draw):
    builder = Builder(draw)
    return builder.network(), builder.input_shape


def check(network, shape, path):
    graph = to_nir(network, shape, subtractive_reset="metadata", dt=DT)
    write_nir(path, graph)
    again = from_nir(path, trusted=True)
    assert set(again.nodes) == set(network.nodes)
    assert set(again.edges) == set(network.edges)
    for module in again.nodes.values():
        if isinstance(module, nn.Neuron):
            module.backend = "reference"
    x = (torch.rand(25, 2, *shape, generator=torch.Generator().manual_seed(0)) < 0.4).float()
    with torch.no_grad():
        ours, _ = network.run(x)
        theirs, _ = again.run(x)
    for name in network.nodes:
        # a readout in a loop may grow beyond all bounds; then it does so twice
        np.testing.assert_array_equal(ours[name].numpy(), theirs[name].numpy(), err_msg=name)
    # what nir itself reads, and what we read for others, is the graph that was written
    written = leaves(tree_of(graph))
    assert_same(leaves(tree_of(nir.read(str(path), type_check=False))), written)
    assert_same(leaves(tree_of(read_nir(path, trusted=True))), written)


def leaves(tree, place=()):
    if isinstance(tree, dict):
        return {k: v for name, member in tree.items() for k, v in leaves(member, (*place, name)).items()}
    return {place: tree}


def assert_same(found, written):
    # nir fills some fields in; what was written must be there
    for place, value in written.items():
        if place == ("edges",):
            assert sorted(found[place]) == sorted(value)
        elif value is not None and place[-1] not in ("start_dim", "end_dim"):
            other = found[place].decode() if isinstance(found[place], bytes) else found[place]
            np.testing.assert_array_equal(np.asarray(other), np.asarray(value), err_msg=str(place))


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(networks())
def test_every_spike_survives_the_file(tmp_path_factory, made):
    check(*made, tmp_path_factory.getbasetemp() / "round_trip.nir")


@pytest.mark.slow
@settings(max_examples=200, suppress_health_check=list(HealthCheck))
@given(networks())
def test_every_spike_survives_the_file_at_length(tmp_path_factory, made):
    check(*made, tmp_path_factory.getbasetemp() / "round_trip.nir")


def test_the_order_of_a_cycle_is_kept_where_the_graph_alone_would_not_tell():
    """Two layers in either order: other spikes each, and each comes back as it was."""
    found = []
    for order in itertools.permutations("ab"):
        modules = {name: nn.LIF(dt=DT, tau_mem=5e-3, r=3.0, backend="reference") for name in order}
        network = nn.Network(modules, [("input", "a"), ("a", "b"), ("b", "a"), ("b", "output")])
        x = torch.rand(40, 3, 4, generator=torch.Generator().manual_seed(0))
        with torch.no_grad():
            spikes = network(x)[0]
            assert torch.equal(from_nir(to_nir(network, (4,)))(x)[0], spikes)
        found.append(spikes)
    assert not torch.equal(*found)
