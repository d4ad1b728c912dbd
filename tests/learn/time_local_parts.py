"""Chains of layers of any neuron, and plain sums of losses over steps, for the tests of time-local rules."""

from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional

from spikelab.learn.build import build_rule
from spikelab.learn.classification import ClassificationTask
from spikelab.nn import LI, Dense, Network
from spikelab.settings import Rule

CLASSES, INPUTS, STEPS, BATCH = 3, 7, 9, 5


class Data:
    """All that a task wants to know of a data set."""

    class_names = ("left", "right", "top")


class ExactTask(ClassificationTask):
    """Cross-entropy in the precision of the model, where the task itself takes single precision."""

    def loss(self, output, batch):
        label = batch["label"]
        return functional.cross_entropy(output, label, reduction="sum"), torch.tensor(float(len(label)))


class Chain(nn.Module):
    """Dense layers of the neurons given, and a readout; a sample is a spike train."""

    def __init__(self, *neurons, sizes=(11, 8), readout=None, recurrent=0.0, bias=True, gain=2.0):
        super().__init__()
        nodes, fan_in = {}, INPUTS
        for place, (neuron, size) in enumerate(zip(neurons, sizes, strict=False)):
            nodes[f"weights{place}"] = Dense(fan_in, size, bias=bias)
            nodes[f"neurons{place}"] = neuron
            fan_in = size
        nodes["readout_weights"] = Dense(fan_in, CLASSES, bias=bias)
        nodes["readout"] = readout if readout is not None else leaky(LI)
        edges = list(pairwise(["input", *nodes, "output"]))
        if recurrent:
            nodes["recurrent"] = Dense(sizes[0], sizes[0], bias=bias)
            edges += [("neurons0", "recurrent"), ("recurrent", "neurons0")]
        self.network = Network(nodes, edges)
        with torch.no_grad():
            for name, weights in nodes.items():
                if isinstance(weights, Dense):
                    weights.weight *= recurrent if name == "recurrent" else gain
        self.double()

    def encode(self, batch):
        return batch["image"].transpose(0, 1)

    def decode(self, output):
        return output.mean(0)

    def forward(self, train):
        return self.decode(self.network(train.transpose(0, 1))[0])


def leaky(kind, decay=0.7, **options):
    """A neuron whose membrane keeps `decay` a step and gains the weight of a spike."""
    tau = float(-1e-3 / torch.tensor(decay, dtype=torch.float64).log())
    return kind(dt=1e-3, tau_mem=tau, r=1 / (1 - decay), **options)


def spike_trains(steps=STEPS, seed=1):
    generator = torch.Generator().manual_seed(seed)
    train = (torch.rand(BATCH, steps, INPUTS, generator=generator) < 0.5).double()
    return {"image": train, "label": torch.arange(BATCH) % CLASSES}


def rule_for(model, name, steps=STEPS, **options):
    return build_rule(Rule(name, options), model, ExactTask(Data()), {"image": [steps, INPUTS], "label": []}).double()


def gradients(rule, batch):
    for parameter in rule.model.parameters():
        parameter.grad = None
    total, _ = rule.measure(rule.model, batch)
    rule.write(1.0)
    return total, {name: p.grad for name, p in rule.model.named_parameters() if p.grad is not None}


def mean_loss(outputs, label):
    """The mean over steps of the cross-entropy of outputs [T, B, C], summed over the batch."""
    return sum(functional.cross_entropy(now, label, reduction="sum") for now in outputs) / len(outputs)


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-9, atol=1e-11, msg=lambda m, n=name: f"{n}: {m}")
