"""A model as a chain of layers, which is how local rules see it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from spikelab.learn.rules.rule import UnsupportedError
from spikelab.nn import BatchNorm1d, BatchNorm2d, Conv1d, Conv2d, Dense, Network, Neuron
from spikelab.nn.network import INPUT, OUTPUT
from spikelab.nn.state import State, Stateful

_WEIGHTS = (Dense, Conv1d, Conv2d)
_NORMS = (BatchNorm1d, BatchNorm2d)
#: Works on each number alone, and is what a layer without neurons has in their place.
_ACTIVATIONS = (nn.ReLU, nn.LeakyReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Sigmoid, nn.Tanh, nn.Identity)


@dataclass(frozen=True, eq=False)
class Layer:
    """Weights and the neurons that they lead to: the unit of locality.

    Attributes:
        name: Of the node that holds the weights.
        output: Name of the node that gives the layer's output.
        before: What is between the layer below and the weights: pooling, flattening, dropout.
        weights: A `Dense`, `Conv1d` or `Conv2d`.
        norm: Batch normalisation between weights and neurons, or None.
        neurons: A `Neuron`, an activation such as `LeakyReLU`, or None for the weights' output itself.
        recurrent: Weights from the neurons back to themselves, one step later, or None.
    """

    name: str
    output: str
    before: tuple[nn.Module, ...]
    weights: nn.Module
    norm: nn.Module | None = None
    neurons: nn.Module | None = None
    recurrent: nn.Module | None = None

    @property
    def spikes(self) -> bool:
        """Whether its output are spikes."""
        return isinstance(self.neurons, Neuron) and self.neurons.spec.spikes

    def modules(self) -> list[nn.Module]:
        """The modules whose parameters belong to the layer."""
        return [each for each in (self.weights, self.norm, self.neurons, self.recurrent) if each is not None]

    def arrive(self, x: Tensor) -> Tensor:
        """What the weights get: the output [T, B, ...] of the layer below, pooled or flattened."""
        for module in self.before:
            x = module(x)
        return x

    def charge(self, arriving: Tensor) -> Tensor:
        """What the neurons get from below, [T, B, ...]."""
        charge: Tensor = self.weights(arriving)
        return charge if self.norm is None else self.norm(charge)

    def answer(self, charge: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """The neurons' output [T, B, ...] to what they get, and their state after the last step."""
        if self.neurons is None:
            return charge, {}
        if isinstance(self.neurons, Stateful):
            out, after = self.neurons(charge, state or None)
            return out, after
        return self.neurons(charge), {}

    def run(self, x: Tensor) -> Tensor:
        """The layer's output [T, B, ...], from rest, to that of the layer below; recurrent weights are stepped."""
        charge = self.charge(self.arrive(x))
        if self.recurrent is None:
            return self.answer(charge)[0]
        state: State = {}
        # before the first step nothing has come round yet
        steps: list[Tensor] = []
        for now in charge.split(1):
            out, state = self.answer(now + self.recurrent(steps[-1]) if steps else now, state)
            steps.append(out)
        return torch.cat(steps)


@dataclass(frozen=True, eq=False)
class Chain:
    """A model as layers, each fed by the one before.

    Attributes:
        model: The model: `encode` makes the network's input of a batch, `decode` logits of its output.
        layers: From the input up; the last one is the readout.
        after: Modules between the readout and the network's output, such as pooling over places.
    """

    model: Any
    layers: tuple[Layer, ...]
    after: tuple[nn.Module, ...] = field(default=())

    @property
    def hidden(self) -> tuple[Layer, ...]:
        """All layers but the readout."""
        return self.layers[:-1]

    @property
    def readout(self) -> Layer:
        """The last layer."""
        return self.layers[-1]

    def shapes(self, sample_shapes: Mapping[str, Sequence[int]]) -> tuple[int, dict[str, tuple[int, ...]]]:
        """Time steps of a sample, and the shape of each node's output in a step."""
        device = next(self.model.parameters()).device
        x = self.model.encode({name: torch.zeros(1, *shape, device=device) for name, shape in sample_shapes.items()})
        return len(x), self.model.network.shapes(tuple(x.shape[2:]))

    def conclude(self, output: Tensor) -> Tensor:
        """Logits [B, C] of the readout's output [T, B, ...]."""
        for module in self.after:
            output = module(output)
        logits: Tensor = self.model.decode(output)
        return logits


def chain_of(model: nn.Module) -> Chain:
    """The layers of a model that has `encode(batch)`, `network` and `decode(output)`, such as `SpikingClassifier`.

    Raises:
        UnsupportedError: For a model without them, or a network that is no chain; names the node.
    """
    lacking = [name for name in ("encode", "network", "decode") if not hasattr(model, name)]
    if lacking or not isinstance(model.network, Network):
        raise UnsupportedError(
            f"{type(model).__name__} has no {lacking[0] if lacking else 'network of nodes'}: this rule takes a model "
            "that is one network, such as spiking_classifier or convolutional_classifier; bptt takes any"
        )
    refuse_replaced(model)
    return _Reader(model.network).chain(model)


def refuse_replaced(model: nn.Module) -> None:
    """Refuse a model in whose network's place something else runs, such as the same layers in integers.

    Raises:
        UnsupportedError: For such a model: a rule that calls the layers itself would train what does not run.
    """
    if any(isinstance(module, Network) and module.runner is not None for module in model.modules()):
        raise UnsupportedError(
            "the network runs in integers (quantise.bits), and this rule looks at its layers in real numbers: train "
            "with this rule first and quantise after that, or use bptt"
        )


class _Reader:
    """Walks along the network, and cuts it into layers."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.before: list[nn.Module] = []
        self.open: dict[str, Any] = {}
        self.layers: list[Layer] = []

    def chain(self, model: nn.Module) -> Chain:
        last = INPUT
        for part in self.network.parts:
            last = self._take(part, last)
        if self.network.sources(OUTPUT) != [last]:
            raise UnsupportedError(f"the network's output comes from {self.network.sources(OUTPUT)}, not from {last!r}")
        self._close()
        if not self.layers:
            raise UnsupportedError("the network has no weights (Dense or convolution), so there is nothing to train")
        return Chain(model, tuple(self.layers), tuple(self.before))

    def _take(self, part: Sequence[str], last: str) -> str:
        """Adds the node, or the neurons with their recurrent weights, that follow on `last`; returns the new last."""
        if len(part) == 1:
            (name,) = part
            if self.network.sources(name) != [last]:
                raise UnsupportedError(
                    f"node {name!r} gets {' + '.join(self.network.sources(name))}, not {last!r} alone: this rule takes "
                    "a chain of layers; bptt takes any network"
                )
            self._node(name, self.network.nodes[name])
            return name
        neurons = [name for name in part if isinstance(self.network.nodes[name], Neuron)]
        weights = [name for name in part if isinstance(self.network.nodes[name], Dense)]
        if len(part) != 2 or len(neurons) != 1 or len(weights) != 1:
            raise UnsupportedError(
                f"nodes {', '.join(part)} form a cycle: this rule takes recurrence from neurons through one Dense back "
                "to themselves; bptt takes any network"
            )
        if sorted(self.network.sources(neurons[0])) != sorted([last, weights[0]]):
            raise UnsupportedError(f"node {neurons[0]!r} gets more than {last!r} and its own spikes; bptt takes that")
        self._node(neurons[0], self.network.nodes[neurons[0]])
        self.open["recurrent"] = self.network.nodes[weights[0]]
        return neurons[0]

    def _node(self, name: str, module: nn.Module) -> None:
        if isinstance(module, _WEIGHTS):
            self._close()
            self.open = {"name": name, "output": name, "before": tuple(self.before), "weights": module}
            self.before = []
        elif isinstance(module, _NORMS):
            self._put("norm", name, module)
        elif isinstance(module, (Neuron, *_ACTIVATIONS)):
            self._put("neurons", name, module)
        elif isinstance(module, Stateful):
            raise UnsupportedError(
                f"node {name!r} is a {type(module).__name__}, which keeps a state of its own: this rule takes weights, "
                "normalisation, neurons and what has no state between layers; bptt takes any"
            )
        else:
            self._close()
            self.before.append(module)

    def _put(self, place: str, name: str, module: nn.Module) -> None:
        if not self.open or place in self.open or (place == "norm" and "neurons" in self.open):
            raise UnsupportedError(
                f"node {name!r}, a {type(module).__name__}, does not follow on weights: this rule takes layers of "
                "weights, normalisation and neurons in this order; bptt takes any"
            )
        self.open[place], self.open["output"] = module, name

    def _close(self) -> None:
        if self.open:
            self.layers.append(Layer(**self.open))
        self.open = {}


def fan(weights: nn.Module) -> tuple[int, int]:
    """(numbers that one output of the weights sums, outputs that one input reaches), borders of pictures aside."""
    if isinstance(weights, Dense):
        return weights.in_features, weights.out_features
    assert isinstance(weights, Conv1d | Conv2d)
    places = math.prod(weights.kernel_size)
    strides = math.prod(weights.stride)
    return weights.in_channels // weights.groups * places, weights.out_channels // weights.groups * places // strides


def backpropagated_operations(chain: Chain, shapes: Mapping[str, tuple[int, ...]]) -> float:
    """Multiply-accumulates by which errors come down to all hidden layers in a step: through the weights above each."""
    total = 0.0
    for layer in chain.layers[1:]:
        total += math.prod(shapes[layer.name]) * fan(layer.weights)[0]
    return total
