"""NIR export: round trip through a file, and the same spikes in Norse and snnTorch where they support the graph."""

import logging
import warnings

import nir
import numpy as np
import pytest
import torch

from spikelab import nn
from spikelab.io.nir_read import CannotImport, from_nir
from spikelab.io.nir_write import CannotExport, to_nir

DT = 1e-4


def dense_network(neuron):
    torch.manual_seed(0)
    weights = nn.Dense(10, 8)
    with torch.no_grad():
        weights.weight.mul_(3).add_(0.1)
    return nn.Network(
        {"weights": weights, "hidden": neuron}, [("input", "weights"), ("weights", "hidden"), ("hidden", "output")]
    )


def spike_input():
    return (torch.rand(200, 2, 10, generator=torch.Generator().manual_seed(1)) < 0.3).float()


def run_norse(graph, x):
    norse = pytest.importorskip("norse.torch")
    module, state, steps = norse.from_nir(graph, dt=DT, ignore_warnings=True), None, []
    for step in x:
        out, state = module(step, state)
        steps.append(out)
    return torch.stack(steps)


def run_snntorch(graph, x):
    pytest.importorskip("snntorch")
    from snntorch.import_nir import import_from_nir

    module, state, steps = import_from_nir(graph), None, []
    for step in x:
        out, state = module(step, state)
        steps.append(out[0] if isinstance(out, tuple) else out)
    return torch.stack(steps)


NEURONS = {
    "lif_exact": lambda: nn.LIF(dt=DT, tau_mem=2.5e-3, v_threshold=0.1, reset="zero"),
    "lif_euler": lambda: nn.LIF(dt=DT, tau_mem=2.5e-3, v_threshold=0.1, reset="zero", method="euler"),
    "lif_impulse": lambda: nn.LIF(dt=DT, tau_mem=2.5e-3, r=2.5e-3, input_form="impulse", reset="zero"),
    "if": lambda: nn.IF(dt=DT, r=1e4, reset="zero"),
    "cuba_lif": lambda: nn.CubaLIF(
        dt=DT, tau_mem=2.5e-3, tau_syn=1e-3, r=25.0, w_in=10.0, method="semi_implicit_euler", reset="zero"
    ),
}
# lif_impulse: Norse reads a LIF's r as 1, and logs that it does. if: snnTorch refuses an IF with r other than 1.
SUPPORTED = [
    ("lif_exact", run_norse),
    ("lif_exact", run_snntorch),
    ("lif_euler", run_norse),
    ("lif_euler", run_snntorch),
    ("lif_impulse", run_snntorch),
    ("if", run_norse),
    ("cuba_lif", run_norse),
    ("cuba_lif", run_snntorch),
]


@pytest.mark.parametrize(("name", "run"), SUPPORTED)
def test_peers_give_the_same_spikes(name, run, tmp_path):
    network, x = dense_network(NEURONS[name]()), spike_input()
    nir.write(str(tmp_path / "net.nir"), to_nir(network, (10,), form="euler"))
    graph = nir.read(str(tmp_path / "net.nir"))
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        try:
            theirs = run(graph, x)
        finally:
            logging.disable(logging.NOTSET)
        ours, _ = network(x)
    assert 100 < ours.sum() < 3100
    assert torch.equal(theirs, ours)


@pytest.mark.parametrize("form", ["continuous", "euler"])
@pytest.mark.parametrize("name", list(NEURONS))
def test_round_trip_through_a_file_keeps_every_spike(name, form, tmp_path):
    network, x = dense_network(NEURONS[name]()), spike_input()
    nir.write(str(tmp_path / "net.nir"), to_nir(network, (10,), form=form))
    with torch.no_grad():
        ours, _ = network(x)
        again, _ = from_nir(tmp_path / "net.nir")(x)
    assert torch.equal(again, ours)


def test_convolutions_fold_their_normalisation(tmp_path):
    torch.manual_seed(0)
    network = nn.Network.sequential(
        nn.Conv2d(2, 4, 3, 2, 1, bias=False),
        nn.BatchNorm2d(4),
        nn.LIF(dt=1e-3, tau_mem=5e-3, v_threshold=0.3),
        nn.SumPool2d(2),
        nn.Flatten(),
        nn.Dense(4 * 4 * 3, 5),
        nn.BatchNorm1d(5),
        nn.LI(dt=1e-3),
    )
    x = torch.rand(12, 3, 2, 16, 12)
    network(x)
    network.eval()
    graph = to_nir(network, (2, 16, 12))
    assert {type(node).__name__ for node in graph.nodes.values()} == {
        "Input", "Conv2d", "LIF", "SumPool2d", "Flatten", "Affine", "LI", "Output"
    }  # fmt: skip
    nir.write(str(tmp_path / "net.nir"), graph)
    assert nir.read(str(tmp_path / "net.nir"), type_check=True) is not None
    with torch.no_grad():
        torch.testing.assert_close(from_nir(tmp_path / "net.nir")(x)[0], network(x)[0], rtol=1e-4, atol=1e-5)


def test_recurrent_edges_survive(tmp_path):
    torch.manual_seed(0)
    nodes = {"weights": nn.Dense(5, 7), "hidden": nn.CubaLIF(r=30.0), "loop": nn.Dense(7, 7, bias=False)}
    edges = [("input", "weights"), ("weights", "hidden"), ("hidden", "loop"), ("loop", "hidden"), ("hidden", "output")]
    network, x = nn.Network(nodes, edges), torch.rand(60, 2, 5) * 3
    nir.write(str(tmp_path / "net.nir"), to_nir(network, (5,)))
    with torch.no_grad():
        again = from_nir(tmp_path / "net.nir")(x)[0]
        assert 0 < again.mean() < 0.9
        # a file lists its nodes by name, so the loop may be stepped in another order; the spikes stay
        assert torch.equal(again, network(x)[0])


def test_everything_that_cannot_be_written_is_named_at_once():
    network = nn.Network.sequential(
        nn.Dense(3, 3),
        nn.LIF(reset="subtract"),
        nn.Dense(3, 3),
        nn.LIF(refractory=2e-3),
        nn.Dense(3, 3),
        nn.AdaptiveLIF(),
    )
    with pytest.raises(CannotExport) as error:
        to_nir(network, (3,))
    text = str(error.value)
    assert "1_lif: NIR resets to a value" in text
    assert "3_lif: NIR has no refractory time" in text
    assert "5_adaptivelif: NIR has no primitive" in text
    with pytest.raises(CannotExport, match="forward-Euler equivalent"):
        to_nir(nn.Network.sequential(nn.Dense(3, 3), nn.CubaLIF()), (3,), form="euler")


def test_subtractive_reset_is_kept_in_metadata_when_asked(tmp_path):
    network, x = dense_network(nn.LIF(dt=DT, tau_mem=2.5e-3, v_threshold=0.1, reset="subtract")), spike_input()
    nir.write(str(tmp_path / "net.nir"), to_nir(network, (10,), subtractive_reset="metadata"))
    with torch.no_grad():
        assert torch.equal(from_nir(tmp_path / "net.nir")(x)[0], network(x)[0])


def test_per_neuron_parameters_and_uniform_ones(tmp_path):
    tau = torch.linspace(1e-3, 9e-3, 8)
    network, x = dense_network(nn.LIF(dt=DT, tau_mem=tau, v_threshold=0.1)), spike_input()
    graph = to_nir(network, (10,))
    np.testing.assert_allclose(graph.nodes["hidden"].tau, tau.numpy())
    nir.write(str(tmp_path / "net.nir"), graph)
    again = from_nir(tmp_path / "net.nir")
    assert again.nodes["hidden"].tau_mem.shape == (8,)
    assert again.nodes["hidden"].v_threshold.shape == ()
    with torch.no_grad():
        assert torch.equal(again(x)[0], network(x)[0])


def test_unreadable_files_are_named(tmp_path):
    with pytest.raises(CannotImport, match="no such file"):
        from_nir(tmp_path / "missing.nir", dt=DT)
    broken = tmp_path / "broken.nir"
    broken.write_bytes(b"\x89HDF\r\n\x1a\nnothing else")
    with pytest.raises(CannotImport, match=r"broken\.nir: not a readable NIR file"):
        from_nir(broken, dt=DT)
    graph = to_nir(dense_network(nn.LIF(dt=DT)), (10,))
    graph.metadata = {}
    with pytest.raises(CannotImport, match="hidden: a NIR graph has no time step; pass dt"):
        from_nir(graph)
