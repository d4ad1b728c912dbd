"""Runs our networks and integer graphs in NeuroBench's harness (package ``neurobench`` 2.3, not a dependency).

    from neurobench.benchmarks import Benchmark
    model = neurobench_model(network)
    Benchmark(model, loader, [], [lambda spikes: spikes.sum(1).argmax(-1)], [[Footprint], [SynapticOperations]]).run()

What NeuroBench counts, and where that differs from ``operation_counts``: a call of a layer counts as accumulates if all
that went in was 0, 1 or -1, else everything in it as multiply-accumulates; an operation counts when a message is sent,
ours when it arrives (so those under way after the last step differ); windows that are summed before the weights go in
as sums, where ours follow each event. Its MembraneUpdates and NeuronOperations know snnTorch's neurons only and give 0.
Its Footprint takes 4 bytes a weight; ``stored_bytes`` here takes what a chip stores.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from spikelab.hw.backends.integer_arrays import narrowest
from spikelab.hw.connections import Connection, Convolution, Dense, pooled_shape
from spikelab.hw.integer import Simulator
from spikelab.hw.ir import IntegerGraph
from spikelab.hw.neuron import MESSAGE
from spikelab.nn import Network, Neuron

#: [B, T, ...] as NeuroBench has it, to predictions that its postprocessors take.
Run = Callable[[Tensor], Tensor]


class Activity(nn.Module):
    """Stands where NeuroBench looks for what neurons send; gives on what it gets."""

    def forward(self, x: Tensor) -> Tensor:
        """The same."""
        return x


def neurobench_model(model: nn.Module | IntegerGraph, run: Run | None = None) -> Any:
    """A ``NeuroBenchModel`` of ours, for ``neurobench.benchmarks.Benchmark``.

    Args:
        model: a network or any module that holds networks, in real numbers; or an integer graph with one input.
        run: from a batch [B, T, ...] to predictions [B, T, ...]; None for a network's own output over time, or the
            first declared output of a graph (messages of its last population where none is declared).

    Raises:
        ImportError: if NeuroBench is not installed; says how.
        ValueError: for a graph with several inputs.
    """
    try:
        from neurobench.models import NeuroBenchModel
    except ImportError as error:
        raise ImportError(
            f"NeuroBench cannot be imported ({error}); it needs an environment of its own: pip install "
            f"'neurobench==2.3.0' beside spikelab"
        ) from error

    class SpikelabModel(NeuroBenchModel):
        """One of our models."""

        def __init__(self, net: nn.Module, call: Run):
            super().__init__()
            self.net, self._call = net.eval(), call
            self.add_activation_module(Activity)

        def __call__(self, batch: Tensor) -> Tensor:
            """Predictions [B, T, ...] of a batch [B, T, ...]."""
            with torch.no_grad():
                return self._call(batch)

        def __net__(self) -> nn.Module:
            return self.net

    if isinstance(model, IntegerGraph):
        layers = GraphLayers(model)
        return SpikelabModel(layers, run or layers)
    watched = Watched(model)
    return SpikelabModel(watched, run or watched)


class Watched(nn.Module):
    """A module whose layers of neurons show what they send.

    Args:
        model: with layers of neurons anywhere inside.
    """

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model
        self.activity = nn.ModuleDict()
        for name, layer in model.named_modules():
            if isinstance(layer, Neuron):
                shown = self.activity[name.replace(".", "/") or "neurons"] = Activity()
                layer.register_forward_hook(_show(shown))

    def forward(self, batch: Tensor) -> Tensor:
        """[B, T, ...] to [B, T, ...]."""
        out = self.model(batch.transpose(0, 1) if isinstance(self.model, Network | Neuron) else batch)
        if isinstance(self.model, Network | Neuron):
            transposed: Tensor = out[0].transpose(0, 1)
            return transposed
        answer: Tensor = out
        return answer


def _show(shown: Activity) -> Callable[[nn.Module, Any, Any], None]:
    def hook(layer: nn.Module, given: Any, out: Any) -> None:
        shown(out[0])

    return hook


class GraphLayers(nn.Module):
    """An integer graph as layers that NeuroBench can count: the simulator runs, then each layer is shown its messages.

    Args:
        graph: with one input.

    Raises:
        ValueError: if it has several inputs.
    """

    def __init__(self, graph: IntegerGraph):
        super().__init__()
        if len(graph.inputs) != 1:
            raise ValueError(f"the graph has the inputs {', '.join(graph.inputs)}; NeuroBench feeds one")
        self.graph, self._simulator = graph, Simulator(graph)
        self.connections = nn.ModuleList(_layer(c, graph) for c in graph.connections)
        self.activity = nn.ModuleDict({p.name.replace(".", "/"): Activity() for p in graph.populations})
        output = graph.outputs[0] if graph.outputs else None
        self._output = (output.population, output.value) if output else (graph.populations[-1].name, MESSAGE)

    def forward(self, batch: Tensor) -> Tensor:
        """Messages [B, T, *shape] to those of the output [B, T, *shape], or to its state."""
        (name,) = self.graph.inputs
        given = batch.transpose(0, 1).contiguous().cpu()
        whole = given.round().to(torch.int64)
        if not torch.equal(whole.to(given.dtype), given):
            raise ValueError(
                f"input {name!r} holds {given.dtype} that are not whole numbers; encode it as messages first"
            )
        population, value = self._output
        run = self._simulator.run({name: whole.numpy()}, record=value != MESSAGE)
        sent = {name: whole.numpy(), **run.messages}
        for connection, layer in zip(self.graph.connections, self.connections, strict=True):
            values = sent[connection.source]
            layer(_arriving(values[: max(len(values) - connection.delay, 0)], connection, layer))
        for p, shown in zip(self.graph.populations, self.activity.values(), strict=True):
            shown(torch.from_numpy(run.messages[p.name]))
        found = run.messages[population] if value == MESSAGE else run.states[population][value]
        return torch.from_numpy(found).transpose(0, 1)


def _layer(c: Connection, graph: IntegerGraph) -> nn.Module:
    weights = c.weights
    if isinstance(weights, Dense):
        layer: nn.Linear | nn.Conv1d | nn.Conv2d = nn.Linear(
            weights.weight.shape[1], weights.weight.shape[0], bias=False
        )
    elif isinstance(weights, Convolution):
        channels = weights.weight.shape[1] * weights.groups
        form = (weights.stride, weights.padding, weights.dilation, weights.groups)
        layer = nn.Conv2d(channels, weights.weight.shape[0], weights.weight.shape[2:], *form, bias=False)
    else:
        size = graph.population(c.target).size
        layer = nn.Conv1d(size, size, 1, groups=size, bias=False)
    values = (
        np.broadcast_to(weights.weight.ravel(), layer.weight.numel()) if weights.weight.size == 1 else weights.weight
    )
    weight = torch.from_numpy(np.ascontiguousarray(values, np.float64)).float().reshape(layer.weight.shape)
    layer.weight = nn.Parameter(weight, requires_grad=False)
    return layer


def _arriving(values: np.ndarray, c: Connection, layer: nn.Module) -> Tensor:
    """Messages [T, B, *shape] as the layer takes them, time folded into the batch."""
    if c.pool != (1, 1):
        channels, height, width = pooled_shape(c.pool, values.shape[2:])
        cut = values[..., : height * c.pool[0], : width * c.pool[1]]
        values = cut.reshape(*values.shape[:2], channels, height, c.pool[0], width, c.pool[1]).sum((-3, -1))
    folded = torch.from_numpy(np.ascontiguousarray(values)).float().flatten(0, 1)
    if isinstance(layer, nn.Linear):
        return folded.flatten(1)
    return folded if isinstance(layer, nn.Conv2d) else folded.flatten(1).unsqueeze(-1)


def stored_bytes(graph: IntegerGraph) -> dict[str, int]:
    """Bytes that a chip or a microcontroller stores, unlike the 4 for each weight of NeuroBench's Footprint.

    Returns:
        "weights" and "delays" in the narrowest of 8, 16, 32 and 64 bits that holds those of a connection, "states" in
        whole bytes, and their "total".
    """
    found = dict.fromkeys(("weights", "delays", "states"), 0)
    for c in graph.connections:
        found["weights"] += narrowest(c.weights.weight).nbytes
        if isinstance(c.weights, Dense) and c.weights.delay is not None:
            found["delays"] += narrowest(c.weights.delay).nbytes
    for p in graph.populations:
        found["states"] += p.size * sum(-(-s.bits // 8) for s in p.neuron.states)
    return {**found, "total": sum(found.values())}
