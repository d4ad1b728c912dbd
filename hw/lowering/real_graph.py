"""A network as populations and connections, still in real numbers: what lowering starts from.

The network is walked as data: each layer of neurons becomes a population, and each chain of weights, windows and delays
between two layers one connection, in units of the membrane it reaches.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from spikelab.hw.lowering.linear_path import LinearPath, call_in_double, path_from
from spikelab.hw.lowering.step_form import CannotLower, StepForm, step_form
from spikelab.nn import Delay, Network, Neuron, Threshold
from spikelab.nn.network import INPUT, OUTPUT


@dataclass(frozen=True)
class RealPopulation:
    """A layer of neurons.

    Attributes:
        name: of its node.
        form: the numbers of its step.
        shape: of one step.
        bias: what reaches the membrane's input at each step without any spike, in units of the membrane.
        last: whether no other population listens to it.
    """

    name: str
    form: StepForm
    shape: tuple[int, ...]
    bias: Tensor
    last: bool = False


@dataclass(frozen=True)
class RealConnection:
    """What a population or the input sends to a population, in units of the target's membrane."""

    source: str
    target: str
    path: LinearPath


@dataclass(frozen=True)
class RealGraph:
    """All of it.

    Attributes:
        input_shape: of one step.
        populations: in the order in which they are updated within a step.
        connections: between them.
        outputs: nodes that are given out.
        dt: length of a step in seconds.
    """

    input_shape: tuple[int, ...]
    populations: list[RealPopulation]
    connections: list[RealConnection]
    outputs: list[str]
    dt: float


class LoweringError(ValueError):
    """A network that cannot be lowered; the message lists every reason by node, with its remedy."""


def real_graph(network: Network, input_shape: tuple[int, ...], outputs: tuple[str, ...] = ()) -> RealGraph:
    """A network's populations and connections.

    Args:
        network: as it is to be deployed; normalisation uses its running statistics.
        input_shape: shape of one input step without time and batch.
        outputs: nodes to be given out beside the network's own output.

    Raises:
        LoweringError: lists every node that has no integer form.
    """
    walk = _Walk(network, input_shape)
    populations, connections = [], []
    for name, layer in walk.layers.items():
        form, paths = None, []
        with walk.collecting(name):
            form = step_form(layer)
        with walk.collecting(name):
            paths = list(walk.paths_into(name))
            shape = walk.shape_of(name, paths)
        if form is None or name not in walk.shapes:
            continue
        populations.append(RealPopulation(name, form, shape, form.gain * walk.constant_into(name, shape)))
        for source, path in paths:
            with walk.collecting(name):
                delayed = replace(path, delay=path.delay + form.late)
                connections.append(RealConnection(source, name, delayed.gained(form.gain)))
    ends = [*network.sources(OUTPUT), *outputs]
    for name in ends:
        if name not in walk.layers:
            walk.problems.append(
                f"{name}: is given out but is no layer of neurons; end the network with a LIF, or with a LI whose "
                f"membrane is read"
            )
    heard = {c.source for c in connections}
    populations = [replace(p, last=p.name not in heard) for p in populations]
    steps = {layer.dt for layer in walk.layers.values() if isinstance(layer, Neuron)}
    if len(steps) > 1:
        walk.problems.append(f"the layers have time steps of {sorted(steps)} s; an integer graph has one: set one dt")
    if walk.problems:
        raise LoweringError("cannot be lowered to integers:\n  " + "\n  ".join(dict.fromkeys(walk.problems)))
    dt = steps.pop() if steps else 0.0
    return RealGraph(tuple(input_shape), populations, connections, list(dict.fromkeys(ends)), dt)


class _Walk:
    """Follows edges backwards from each layer of neurons to those that feed it."""

    def __init__(self, network: Network, input_shape: tuple[int, ...]):
        self.network, self.input_shape = network, tuple(input_shape)
        self.part = {name: place for place, names in enumerate(network.parts) for name in names}
        nodes = {name: network.nodes[name] for name in self.part}
        self.layers = {name: node for name, node in nodes.items() if isinstance(node, Neuron | Threshold)}
        self.shapes: dict[str, tuple[int, ...]] = {INPUT: self.input_shape}
        self.problems: list[str] = []
        if not self.layers:
            self.problems.append("the network has no neurons")

    @contextmanager
    def collecting(self, name: str) -> Iterator[None]:
        """Collects problems under a node's name instead of stopping at the first."""
        try:
            yield
        except CannotLower as error:
            self.problems.append(f"{getattr(error, 'node', name)}: {error}")

    def paths_into(self, target: str) -> Iterator[tuple[str, LinearPath]]:
        """(source, map) of every chain that ends in a node."""
        for chain in self._chains(target, ()):
            source, late, nodes = chain
            path = path_from(self._shape_of_source(source))
            for name in nodes:
                try:
                    path = path.then(self.network.nodes[name])
                except CannotLower as error:
                    raise _AtNode(name, error) from error
                except RuntimeError as error:
                    wrong = CannotLower(f"does not take an input of shape {list(path.shape)} ({error})")
                    raise _AtNode(name, wrong) from error
            yield source, replace(path, delay=path.delay + late)

    def _chains(self, target: str, seen: tuple[str, ...]) -> Iterator[tuple[str, int, list[str]]]:
        for source in self.network.sources(target):
            together = self.part.get(source) == self.part[target]
            late = int(together and self.network.is_recurrent(source, target))
            if source == INPUT or source in self.layers:
                yield source, late, []
            elif source in seen:
                raise CannotLower(
                    f"is reached by a loop through {', '.join(seen)} that holds no neurons; put a LIF or LI into it"
                )
            else:
                for first, steps, nodes in self._chains(source, (*seen, source)):
                    yield first, steps + late, [*nodes, source]

    def _shape_of_source(self, source: str) -> tuple[int, ...]:
        if source not in self.shapes:
            # a loop may come back to a layer that was not reached yet; any chain from the input tells its shape
            self.shapes[source] = self.network.shapes(self.input_shape)[source]
        return self.shapes[source]

    def shape_of(self, name: str, paths: list[tuple[str, LinearPath]]) -> tuple[int, ...]:
        shapes = {path.shape for _, path in paths}
        if len(shapes) != 1:
            raise CannotLower(f"gets inputs of shapes {sorted(shapes)}; they must be alike")
        self.shapes[name] = shapes.pop()
        return self.shapes[name]

    def constant_into(self, target: str, shape: tuple[int, ...]) -> Tensor:
        """What reaches a layer when nothing spikes: all biases on the way."""

        def given(name: str) -> Tensor:
            if name == INPUT or name in self.layers:
                return torch.zeros((1, *self._shape_of_source(name)), dtype=torch.float64)
            module = self.network.nodes[name]
            arriving = torch.stack([given(source) for source in self.network.sources(name)]).sum(0)
            return arriving if isinstance(module, Delay) else call_in_double(module, arriving)

        total = torch.stack([given(source) for source in self.network.sources(target)]).sum(0)[0]
        return _least(total, shape)


class _AtNode(CannotLower):
    """A problem of a node on the way, not of the layer it leads to."""

    def __init__(self, name: str, error: CannotLower):
        super().__init__(str(error))
        self.node = name


def _least(value: Tensor, shape: tuple[int, ...]) -> Tensor:
    """One number where all are alike, one for a channel where its places are alike."""
    value = value.reshape(shape)
    if bool((value == value.reshape(-1)[:1]).all()):
        return value.reshape(-1)[0] if value.numel() else value.new_zeros(())
    if len(shape) == 3:
        first = value[:, :1, :1]
        return first if bool((value == first).all()) else value
    return value
