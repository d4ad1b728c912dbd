"""NeuroBench's counts of our models beside our own.

    python -m venv .venv-peers/neurobench
    .venv-peers/neurobench/bin/pip install -c constraints.txt neurobench==2.3.0 torchaudio==2.11.0 snntorch==1.0.0 nir
    .venv-peers/neurobench/bin/python -m benchmarks.neurobench_counts --json benchmarks/results/neurobench.json

NeuroBench brings packages that disagree with others, so it has an environment of its own.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.machine import describe
from spikelab import registry
from spikelab.hw.connections import Connection, Convolution, Dense, OneToOne
from spikelab.hw.energy import operation_counts
from spikelab.hw.integer import simulate
from spikelab.hw.ir import Input, IntegerGraph, Population
from spikelab.hw.neurobench import neurobench_model, stored_bytes
from spikelab.nn import LIF, AvgPool2d, Conv2d, Flatten, Network
from spikelab.nn import Dense as DenseLayer
from spikelab.nn.neuron import Neuron
from spikelab.nn.operations import dense_operations, synaptic_operations

SAMPLES, STEPS, BATCH = 12, 20, 4


def graph() -> IntegerGraph:
    """Convolution, dense layer, recurrent layer and one-to-one, with zero weights among them."""
    random = np.random.default_rng(0)

    def weights(*shape: int) -> np.ndarray:
        return random.integers(-80, 110, shape) * (random.random(shape) < 0.7)

    lif = registry.load("integer_neurons", "loihi_lif")
    parameters = {"du": 1000, "dv": 300, "vth": 150}
    return IntegerGraph(
        {"events": Input((2, 10, 10))},
        [
            Population("conv", lif, (4, 5, 5), parameters),
            Population("hidden", lif, (20,), parameters),
            Population("last", lif, (20,), parameters),
        ],
        [
            Connection("events", "conv", Convolution(weights(4, 2, 3, 3), (2, 2), (1, 1))),
            Connection("conv", "hidden", Dense(weights(20, 100))),
            Connection("hidden", "hidden", Dense(weights(20, 20))),
            Connection("hidden", "last", OneToOne(weights(20) + 150)),
        ],
    )


def network() -> Network:
    """A convolution, a mean over windows (whose output is no spike any more) and a dense readout."""
    torch.manual_seed(0)
    lif = {"tau_mem": 5e-3, "dt": 1e-3}
    return Network.sequential(
        Conv2d(2, 4, 3, padding=1),
        LIF(**lif, v_threshold=0.05),
        AvgPool2d(2),
        Flatten(),
        DenseLayer(100, 10),
        LIF(**lif),
    )


def events() -> torch.Tensor:
    """[samples, T, 2, 10, 10]."""
    return (torch.rand((SAMPLES, STEPS, 2, 10, 10), generator=torch.Generator().manual_seed(1)) < 0.15).float()


def by_neurobench(model: Any) -> dict[str, Any]:
    """What its harness says of a model on the events."""
    from neurobench.benchmarks import Benchmark
    from neurobench.metrics.static import ConnectionSparsity, Footprint, ParameterCount
    from neurobench.metrics.workload import ActivationSparsity, ClassificationAccuracy, SynapticOperations

    loader = DataLoader(TensorDataset(events(), torch.zeros(SAMPLES, dtype=torch.long)), BATCH)
    metrics = [[Footprint, ConnectionSparsity, ParameterCount],
               [ActivationSparsity, ClassificationAccuracy, SynapticOperations]]  # fmt: skip
    classes = [lambda out: out.float().sum(1).argmax(-1)]
    found: dict[str, Any] = Benchmark(neurobench_model(model), loader, [], classes, metrics).run(quiet=True)
    return found


def ours_of_graph() -> dict[str, Any]:
    """Our counts of the graph; operations that are under way after the last step have not arrived, and do not count."""
    g, x = graph(), {"events": events().transpose(0, 1).to(torch.int64).numpy()}
    counts, run = operation_counts(g, x), simulate(g, x)
    sent = np.concatenate([run.messages[p.name].ravel() for p in g.populations])
    weights = np.concatenate([c.weights.weight.ravel() for c in g.connections])
    return {
        "Effective_ACs": counts.total("synaptic_operations") / SAMPLES,
        "Effective_MACs": counts.total("graded_operations") / SAMPLES,
        "ActivationSparsity": float((sent == 0).mean()),
        "ConnectionSparsity": round(float((weights == 0).mean()), 4),
        "stored_bytes": stored_bytes(g),
    }


def ours_of_network() -> dict[str, Any]:
    """Our counts of the network."""
    net, x = network().eval(), events().transpose(0, 1)
    with torch.no_grad():
        outputs, _ = net.run(x)
    found = {"Effective_ACs": 0.0, "Effective_MACs": 0.0, "Dense": 0.0}
    sent = []
    for name, node in net.nodes.items():
        if isinstance(node, Neuron):
            sent.append(outputs[name].ravel())
        if not isinstance(node, Conv2d | DenseLayer):
            continue
        arriving = outputs[net.sources(name)[0]].flatten(0, 1)
        spikes = bool(((arriving == 0) | (arriving.abs() == 1)).all())
        found["Effective_ACs" if spikes else "Effective_MACs"] += synaptic_operations(node, arriving) / SAMPLES
        found["Dense"] += dense_operations(node, arriving, outputs[name].flatten(0, 1)) * STEPS
    return {**found, "ActivationSparsity": float((torch.cat(sent) == 0).double().mean())}


def compare() -> dict[str, Any]:
    """Both counts of both models."""
    return {
        "integer graph": {"neurobench": by_neurobench(graph()), "spikelab": ours_of_graph()},
        "network": {"neurobench": by_neurobench(network()), "spikelab": ours_of_network()},
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="NeuroBench's counts of our models beside our own.")
    parser.add_argument("--json", type=Path, help="where to write; standard output by default")
    path = parser.parse_args(arguments).json
    names = ("neurobench", "snntorch", "torch", "numpy")
    report = {"machine": describe(), "versions": {name: version(name) for name in names}, **compare()}
    text = json.dumps(report, indent=2) + "\n"
    if path is None:
        print(text)
    else:
        path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
