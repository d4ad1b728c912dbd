"""The adapter to NeuroBench; its own counts are compared where ``.venv-peers/neurobench`` exists."""

from __future__ import annotations

import json
import subprocess
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import neurobench_counts
from spikelab.hw.connections import Connection, Dense
from spikelab.hw.integer import simulate
from spikelab.hw.ir import Input, IntegerGraph, Output, Population
from spikelab.hw.neurobench import Activity, GraphLayers, Watched, neurobench_model, stored_bytes
from spikelab.hw.neurons.generic import GENERIC_LI_16
from spikelab.nn import LIF, Network
from spikelab.nn import Dense as DenseLayer

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".venv-peers/neurobench/bin/python"


@pytest.mark.skipif(find_spec("neurobench") is not None, reason="NeuroBench is installed here")
def test_a_missing_neurobench_says_how_to_get_it():
    with pytest.raises(ImportError, match=r"pip install 'neurobench==2\.3\.0'"):
        neurobench_model(neurobench_counts.graph())


def assert_agree(report):
    """NeuroBench's figures and ours, which were found in different ways."""
    for name in ("integer graph", "network"):
        theirs, ours = report[name]["neurobench"], report[name]["spikelab"]
        for kind in ("Effective_ACs", "Effective_MACs"):
            assert theirs["SynapticOperations"][kind] == pytest.approx(ours[kind], rel=1e-12), (name, kind)
        assert theirs["ActivationSparsity"] == pytest.approx(ours["ActivationSparsity"], rel=1e-12)
        assert ours["Effective_ACs"] > 1000
        assert 0.1 < ours["ActivationSparsity"] < 0.99
    graph, network = report["integer graph"], report["network"]
    assert graph["neurobench"]["ConnectionSparsity"] == graph["spikelab"]["ConnectionSparsity"] > 0.2
    assert graph["neurobench"]["Footprint"] == 4 * graph["neurobench"]["ParameterCount"]
    assert network["neurobench"]["SynapticOperations"]["Effective_MACs"] > 1000
    # zeros around a picture are weights that touch nothing: NeuroBench leaves them out, a dense layer's count has them
    assert network["neurobench"]["SynapticOperations"]["Dense"] < network["spikelab"]["Dense"]


@pytest.mark.skipif(not PYTHON.exists(), reason=f"no {PYTHON} (see benchmarks/neurobench_counts.py)")
@pytest.mark.slow
def test_neurobench_counts_what_we_count():
    start = "import sys; sys.path.append(sys.argv[1]); from benchmarks.neurobench_counts import main; main([])"
    done = subprocess.run([PYTHON, "-P", "-c", start, str(ROOT)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    assert_agree(json.loads(done.stdout))


def test_the_kept_figures_are_those_of_now():
    """The half that needs no NeuroBench, computed anew."""
    kept = json.loads((ROOT / "benchmarks/results/neurobench.json").read_text())
    assert_agree(kept)
    for name, ours in (
        ("integer graph", neurobench_counts.ours_of_graph()),
        ("network", neurobench_counts.ours_of_network()),
    ):
        assert kept[name]["spikelab"].keys() == ours.keys()
        for key, value in ours.items():
            # the network is real-valued: a spike at the edge of the threshold may differ on another machine
            assert kept[name]["spikelab"][key] == (value if isinstance(value, dict) else pytest.approx(value, rel=1e-3))


def shown(module):
    """What hooks on the layers of a module see: name -> list of arrays."""
    found = {}
    for name, layer in module.named_modules():
        if isinstance(layer, Activity | torch.nn.Linear | torch.nn.Conv2d | torch.nn.Conv1d):
            layer.register_forward_hook(
                lambda _, given, out, name=name: found.setdefault(name, []).append((given[0], out))
            )
    return found


def test_a_graph_shows_its_messages_to_its_layers():
    graph = neurobench_counts.graph()
    layers, x = GraphLayers(graph), neurobench_counts.events()[:3]
    seen = shown(layers)
    out = layers(x)
    run = simulate(graph, {"events": x.transpose(0, 1).to(torch.int64).numpy()}, record=True)
    assert np.array_equal(out.numpy(), run.messages["last"].swapaxes(0, 1))
    assert out.any()
    # what the layers make of the messages is what the neurons got, one step later
    sums = [
        output.unflatten(0, (19, 3)).flatten(2).numpy()
        for ((_, output),) in (seen[f"connections.{k}"] for k in range(4))
    ]
    arrived = {name: run.inputs[name]["a"][1:].reshape(19, 3, -1) for name in ("conv", "hidden", "last")}
    assert np.array_equal(sums[0], arrived["conv"])
    assert np.array_equal(sums[1] + sums[2], arrived["hidden"])
    assert np.array_equal(sums[3], arrived["last"])
    assert np.array_equal(seen["activity.hidden"][0][1], run.messages["hidden"])


def test_a_declared_output_and_graded_input():
    graph = IntegerGraph(
        {"in": Input((3,), -5, 5)},
        [Population("read.out", GENERIC_LI_16, (2,), {"keep_mem": 2**15})],
        [Connection("in", "read.out", Dense(np.array([[1, 2, 3], [0, -1, 0]])), 0)],
        outputs=[Output("membrane", "read.out", "v")],
    )
    out = GraphLayers(graph)(torch.tensor([[[1.0, 0, 0], [0, -5, 1]]]))
    assert out.tolist() == [[[1, 0], [-6, 5]]]
    with pytest.raises(ValueError, match=r"input 'in' holds .* not whole numbers"):
        GraphLayers(graph)(torch.full((1, 2, 3), 0.5))
    with pytest.raises(ValueError, match="has the inputs a, b; NeuroBench feeds one"):
        GraphLayers(IntegerGraph({"a": Input((1,)), "b": Input((1,))}, graph.populations, []))


def test_every_layer_of_neurons_is_watched_also_inside_other_modules():
    torch.manual_seed(0)
    inner = Network.sequential(DenseLayer(4, 5), LIF(dt=1e-3, v_threshold=0.01))

    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.part, self.head = inner, torch.nn.Linear(5, 2)

        def forward(self, x):
            return self.head(self.part(x.transpose(0, 1))[0].mean(0))

    watched = Watched(Model())
    assert list(watched.activity) == ["part/nodes/1_lif"]
    seen = shown(watched.activity)
    x = (torch.rand(3, 7, 4) < 0.5).float()
    assert watched(x).shape == (3, 2)
    assert torch.equal(seen["part/nodes/1_lif"][0][1], inner(x.transpose(0, 1))[0])
    assert torch.equal(Watched(inner)(x), inner(x.transpose(0, 1))[0].transpose(0, 1))
    recurrent = Watched(Network.recurrent(LIF(dt=1e-3, v_threshold=0.01), DenseLayer(4, 4)))
    seen = shown(recurrent.activity)
    out = recurrent(x)
    steps = torch.cat([output for _, output in seen["nodes/neuron"]])
    assert torch.equal(steps.transpose(0, 1), out)


def test_bytes_that_are_stored():
    graph = neurobench_counts.graph()
    found = stored_bytes(graph)
    # the one-to-one weights go beyond 127 and take two bytes each
    assert found["weights"] == 4 * 2 * 9 + 20 * 100 + 20 * 20 + 2 * 20
    assert found["states"] == (100 + 20 + 20) * 6
    assert found["total"] == found["weights"] + found["delays"] + found["states"]
