"""NIR files that other simulators wrote, read and run."""

import hashlib
import warnings
from pathlib import Path

import networkx
import numpy as np
import pytest
import torch

from spikelab.io.nir_file import read_tree
from spikelab.io.nir_graph import flat_graph, without_joints
from spikelab.io.nir_read import NirWarning, from_nir, read_nir
from spikelab.io.nir_save import write_nir
from spikelab.io.nir_write import to_nir

pytestmark = pytest.mark.shared
DT = 1e-4


@pytest.fixture(scope="module")
def models(shared) -> Path:
    return shared / "data" / "nir_models"


def discovered(models: Path, pattern: str = "**/*.nir") -> list[Path]:
    files = sorted(models.glob(pattern))
    assert files, f"no files {pattern} under {models}"
    return files


def original(path: Path):
    """Nodes and edges as the file holds them, nested graphs dissolved, names as a network has them."""
    graph, problems = flat_graph(read_tree(path, trusted=True)["node"])
    graph, wrong = without_joints(graph)
    assert not problems + wrong
    nodes = {name.replace(".", "_"): node for name, node in graph.nodes.items()}
    kinds = {name: node.kind for name, node in nodes.items()}
    ends = {n: k.lower() for n, k in kinds.items() if k in ("Input", "Output")}
    edges = {tuple(ends.get(n, n) for n in (a.replace(".", "_"), b.replace(".", "_"))) for a, b in graph.edges}
    return {ends.get(name, name): node for name, node in nodes.items()}, edges


def test_every_file_is_read_and_run(models):
    for path in discovered(models):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NirWarning)
            network = from_nir(path, dt=DT)
            again = from_nir(path, dt=DT, trusted=True)
        graph = read_nir(path, trusted=True)
        (entry,) = graph.inputs.values()
        (exit_,) = graph.outputs.values()
        x = torch.rand(40, 2, *entry.input_type["input"], generator=torch.Generator().manual_seed(0)) * 5
        with torch.no_grad():
            y, _ = network(x)
            assert torch.equal(again(x)[0], y), path
        assert y.shape == (40, 2, *exit_.output_type["output"]), path
        assert torch.isfinite(y).all(), path
        acyclic = networkx.is_directed_acyclic_graph(networkx.DiGraph(network.edges))
        # one edge carries the step before where there is a cycle, and none where there is not, whatever the names
        assert sum(network.is_recurrent(a, b) for a, b in network.edges) == (0 if acyclic else 1), path


def test_one_lif_spikes_when_the_exact_solution_does(models):
    for path in discovered(models, "lif/*_norse.nir"):
        trace = np.loadtxt(models / "lif" / "lif_exact.csv", delimiter=",")
        assert trace[:, 2].nonzero()[0].tolist() == [460, 510, 710, 760]
        for kind in (torch.float32, torch.float64):
            x = torch.as_tensor(trace[:, 0], dtype=kind)[:, None, None]
            with torch.no_grad():
                y, _ = from_nir(path, dt=DT).to(kind)(x)
            assert y.flatten().nonzero().flatten().tolist() == [460, 510, 710, 760]


def test_forward_euler_spikes_with_the_simulators_that_step_so(models):
    for path in discovered(models, "lif/*_norse.nir"):
        trace = np.loadtxt(models / "lif" / "lif_exact.csv", delimiter=",")
        for recorded in (models / "lif" / f"lif_{name}.csv" for name in ("norse", "snntorch")):
            spikes = np.loadtxt(recorded, delimiter=",")
            bins = spikes[:, -1].nonzero()[0].tolist() if spikes.ndim == 2 else spikes.nonzero()[0].tolist()
            x = torch.as_tensor(trace[:, 0], dtype=torch.float32)[:, None, None]
            with torch.no_grad():
                y, _ = from_nir(path, dt=DT, method="euler")(x)
            assert y.flatten().nonzero().flatten().tolist() == bins == [460, 510, 710, 760]


def test_a_shape_that_differs_in_ones_is_taken_and_told(models):
    (path,) = discovered(models, "lif/lif_rockpool.nir")
    with pytest.warns(NirWarning, match=r"lif_rockpool\.nir: output: shape = \[1, 1, 1\] is taken for \[1\]"):
        from_nir(path, dt=DT)


def test_the_recording_of_a_four_is_a_four(models, shared):
    raw = np.fromfile(shared / "data" / "event_formats" / "sample_nmnist.bin", np.uint8).reshape(-1, 5).astype(np.int64)
    x, y, polarity = raw[:, 0], raw[:, 1], raw[:, 2] >> 7
    step = (((raw[:, 2] & 127) << 16) | (raw[:, 3] << 8) | raw[:, 4]) // 1000
    events = torch.zeros(300, 1, 2, 34, 34)
    seen = step < 300
    where = tuple(torch.as_tensor(values[seen]) for values in (step, step * 0, polarity, y, x))
    events.index_put_(where, torch.ones(int(seen.sum())), accumulate=True)
    for path in discovered(models, "cnn/*.nir"):
        network = from_nir(path, dt=1e-3, reset="subtract", input_form="impulse")
        with torch.no_grad():
            counts = network(events)[0].sum((0, 1))
        assert int(counts.argmax()) == 4
        assert counts[4] > 3 * counts.sort().values[-2]


def parameters(node):
    return {name: value for name, value in node.fields.items() if isinstance(value, np.ndarray)}


def test_every_graph_keeps_structure_and_parameters_over_a_round_trip(models, tmp_path):
    for path in discovered(models):
        nodes, edges = original(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NirWarning)
            network = from_nir(path, dt=DT, trusted=True)
        (shape,) = (node.fields["shape"] for node in nodes.values() if node.kind == "Input")
        written = tmp_path / f"{hashlib.sha256(str(path).encode()).hexdigest()[:8]}.nir"
        write_nir(written, to_nir(network, shape))
        again, edges_again = original(written)
        assert edges_again == edges, path
        assert {name: node.kind for name, node in again.items()} == {name: node.kind for name, node in nodes.items()}
        for name, node in nodes.items():
            for field, value in parameters(node).items():
                stored = again[name].fields[field]
                # weights are float32 in these files, and time constants are kept in double precision: nothing is lost
                np.testing.assert_array_equal(
                    np.broadcast_to(value, np.shape(stored)), stored, err_msg=f"{path} {name}"
                )
        with torch.no_grad():
            x = torch.rand(60, 2, *shape, generator=torch.Generator().manual_seed(1)) * 5
            assert torch.equal(from_nir(written, trusted=True)(x)[0], network(x)[0]), path


def test_the_braille_readers_hold_the_weights_of_the_state_dicts_they_came_from(models):
    pairs = {
        "braille_noDelay_bias_zero": "model_noDelay_bias_ref_zero",
        "braille_noDelay_noBias_subtract": "model_noDelay_noBias_ref_subtract",
    }
    for graph, state in pairs.items():
        stored = torch.load(models / "rnn" / f"{state}.pt", weights_only=True, map_location="cpu")
        network = from_nir(models / "rnn" / f"{graph}.nir", dt=DT, trusted=True)
        for name, key in (("fc1", "fc1"), ("fc2", "fc2"), ("lif1_w_rec", "lif1.recurrent")):
            for kind in ("weight", "bias"):
                if f"{key}.{kind}" in stored:
                    assert torch.equal(getattr(network.nodes[name], kind).detach(), stored[f"{key}.{kind}"].float())


def test_the_reset_of_files_that_do_not_say_is_the_callers(models):
    for path in discovered(models, "rnn/*subtract*.nir"):
        kinds = {reset: from_nir(path, dt=DT, reset=reset, trusted=True) for reset in ("value", "subtract")}
        for reset, network in kinds.items():
            resets = {layer.options.reset for layer in network.nodes.values() if hasattr(layer, "options")}
            assert resets == {reset}
