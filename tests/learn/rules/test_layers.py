"""Models as chains of layers: what the layers compute is what the network computes, and what is no chain is named."""

from itertools import pairwise

import pytest
import torch
from torch import nn

from spikelab.hw.quantised_model import quantise_model
from spikelab.learn.rules.layers import chain_of
from spikelab.learn.rules.rule import UnsupportedError
from spikelab.nn import LI, LIF, AvgPool2d, BatchNorm1d, Conv2d, Delay, Dense, Flatten, Network
from spikelab.settings import Quantise

SHAPES = {"image": [1, 8, 8], "label": []}


class Model(nn.Module):
    """One network, on sequences of random numbers."""

    def __init__(self, nodes, edges):
        super().__init__()
        self.network = Network(nodes, edges)

    def encode(self, batch):
        shape = (5, len(batch["image"]), 1, 8, 8)
        x = torch.rand(shape, generator=torch.Generator().manual_seed(0))
        return x.flatten(2) if isinstance(next(iter(self.network.nodes.values())), Dense) else x

    def decode(self, output):
        return output.mean(0)

    def forward(self, image):
        return self.decode(self.network(self.encode({"image": image}))[0])


def chained(*nodes, extra=()):
    names = ["input", *(name for name, _ in nodes), "output"]
    torch.manual_seed(0)
    return Model(dict(nodes), [*pairwise(names), *extra])


def neurons(**options):
    return LIF(v_threshold=0.3, r=20.0, **options)


def recurrent():
    nodes = {
        "first": Dense(64, 12),
        "hidden": neurons(),
        "back": Dense(12, 12),
        "norm_of_readout": Dense(12, 3),
        "readout": LI(),
    }
    edges = [("input", "first"), ("first", "hidden"), ("hidden", "back"), ("back", "hidden")]
    edges += [("hidden", "norm_of_readout"), ("norm_of_readout", "readout"), ("readout", "output")]
    torch.manual_seed(0)
    return Model(nodes, edges)


def convolutional():
    return chained(
        ("weights", Conv2d(1, 3, 3)), ("hidden", neurons()), ("pool", AvgPool2d(2)), ("flatten", Flatten()),
        ("dense", Dense(27, 10)), ("norm", BatchNorm1d(10)), ("relu", nn.ReLU()), ("readout", Dense(10, 3)),
    )  # fmt: skip


@pytest.mark.parametrize("make", [recurrent, convolutional])
def test_layer_after_layer_is_the_network(make, batch):
    model = make().eval()
    chain = chain_of(model)
    x = model.encode(batch)
    outputs, _ = model.network.run(x)
    for layer in chain.layers:
        x = layer.run(x)
        torch.testing.assert_close(x, outputs[layer.output], rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(chain.conclude(x), model.decode(outputs[chain.readout.output]))
    assert x.abs().sum() > 0


def test_layers_have_names_and_parts():
    first, second, readout = chain_of(convolutional()).layers
    assert (first.name, first.output, first.spikes) == ("weights", "hidden", True)
    assert [type(module).__name__ for module in second.before] == ["AvgPool2d", "Flatten"]
    assert (second.output, second.spikes, readout.neurons) == ("relu", False, None)
    assert chain_of(recurrent()).hidden[0].recurrent is not None


@pytest.mark.parametrize(
    "name", ["lls", "frozen", "direct_feedback", "target_projection", "feedback_alignment", "bptt"]
)
def test_recurrent_layers_learn(name, make_rule, batch):
    model = recurrent()
    rule = make_rule(name, model)
    total, weight = rule.measure(model, batch)
    rule.write(1 / float(weight))
    torch.testing.assert_close(total, rule.task.loss(model.decode(model.network(model.encode(batch))[0]), batch)[0])
    learned = model.network.nodes["back"].weight.grad
    assert learned is None if name == "frozen" else learned.abs().sum() > 0


def test_what_is_no_chain_is_named():
    dense = Dense(64, 4)
    cases = {
        r"node 'c' gets a \+ b, not 'b' alone: .*; bptt takes any network": Model(
            {"a": dense, "b": Dense(4, 4), "c": neurons()},
            [("input", "a"), ("a", "b"), ("a", "c"), ("b", "c"), ("c", "output")],
        ),
        "node 'later' is a Delay, which keeps a state of its own": chained(("a", dense), ("later", Delay(1))),
        "node 'b', a LIF, does not follow on weights": chained(("a", dense), ("n", neurons()), ("b", neurons())),
        "the network has no weights": chained(("flatten", Flatten())),
        "nodes a, m, n form a cycle": chained(("a", dense), ("m", neurons()), ("n", Dense(4, 64)), extra=[("n", "a")]),
        "node 'n' gets more than 'input' and its own spikes": chained(("a", dense), ("n", LIF()), extra=[("n", "a")]),
    }
    for message, model in cases.items():
        with pytest.raises(UnsupportedError, match=message):
            chain_of(model)


def test_a_network_that_runs_in_integers_is_trained_through_them_or_refused(rule_name, make_model, make_rule, batch):
    model = make_model("dense")
    plain = make_rule("bptt", model).measure(model, batch)[0]
    quantise_model(model, Quantise(bits=2), SHAPES)
    if rule_name not in ("bptt", "truncated_bptt"):
        with pytest.raises(UnsupportedError, match=r"runs in integers .*train with this rule first and quantise after"):
            make_rule(rule_name, model)
        return
    rule = make_rule(rule_name, model)
    total, _ = rule.measure(model, batch)
    assert total != plain
    rule.write(1.0)
    assert model.network.nodes["hidden1_weights"].weight.grad.abs().sum() > 0
