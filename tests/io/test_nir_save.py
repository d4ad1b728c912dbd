"""What goes into a NIR file: the legacy form, the portable form, metadata, and who is known to read it."""

import h5py
import nir
import numpy as np
import pytest
import torch

from spikelab import nn
from spikelab.io import nir_save
from spikelab.io.nir_forms import FORMS
from spikelab.io.nir_read import from_nir, read_nir
from spikelab.io.nir_readers import FORMS as MEASURED_FORMS
from spikelab.io.nir_readers import MEASURED, PRIMITIVES, known_readers
from spikelab.io.nir_save import write_nir
from spikelab.io.nir_write import CannotExport, to_nir

DT = 1e-4


def network(neuron, inputs=10, outputs=8):
    torch.manual_seed(0)
    weights = nn.Dense(inputs, outputs)
    with torch.no_grad():
        weights.weight.mul_(3).add_(0.1)
    return nn.Network({"weights": weights, "hidden": neuron},
                      [("input", "weights"), ("weights", "hidden"), ("hidden", "output")])  # fmt: skip


def spikes_in(steps=200, inputs=10):
    return (torch.rand(steps, 2, inputs, generator=torch.Generator().manual_seed(1)) < 0.3).float()


def test_legacy_files_have_no_v_reset_and_say_why_they_cannot(tmp_path):
    graph = to_nir(network(nn.LIF(dt=DT, tau_mem=2.5e-3, v_threshold=0.1)), (10,))
    write_nir(tmp_path / "legacy.nir", graph, legacy=True)
    write_nir(tmp_path / "usual.nir", graph)
    with h5py.File(tmp_path / "legacy.nir") as legacy, h5py.File(tmp_path / "usual.nir") as usual:
        nodes = legacy["node/nodes"]
        # all that nir 1.0.4 knows of a LIF
        assert set(nodes["hidden"]) - {"metadata"} == {"type", "tau", "r", "v_leak", "v_threshold"}
        assert set(usual["node/nodes/hidden"]) - set(nodes["hidden"]) == {"v_reset"}
    x = spikes_in()
    with torch.no_grad():
        assert torch.equal(*(from_nir(tmp_path / f"{name}.nir", trusted=True)(x)[0] for name in ("legacy", "usual")))
    other = to_nir(network(nn.CubaLIF(dt=DT, v_reset=-0.1)), (10,))
    with pytest.raises(CannotExport, match=r"hidden: v_reset is not 0, which legacy files cannot say"):
        write_nir(tmp_path / "other.nir", other, legacy=True)
    with pytest.raises(CannotExport, match=r"hidden: nir 1\.0\.4 and older have no CubaLI"):
        write_nir(tmp_path / "other.nir", to_nir(network(nn.CubaLI(dt=DT)), (10,)), legacy=True)
    assert not (tmp_path / "other.nir").exists()


def test_metadata_and_whole_numbers_survive(tmp_path):
    graph = to_nir(network(nn.LIF(dt=DT)), (10,))
    weights = np.arange(80, dtype=np.int8).reshape(8, 10)
    graph.nodes["weights"] = nir.Affine(weights, np.arange(8, dtype=np.int32))
    graph.metadata["quantised"] = {
        "scale": 0.125,
        "levels": weights,
        "by": "spikelab",
        "deeper": {"flags": np.array([True])},
    }
    graph.nodes["weights"].metadata = {"exponent": np.int64(-6), "note": "ä"}
    write_nir(tmp_path / "net.nir", graph)
    for again in (read_nir(tmp_path / "net.nir"), nir.read(str(tmp_path / "net.nir"), type_check=False)):
        assert again.nodes["weights"].weight.dtype == np.int8
        assert again.nodes["weights"].bias.dtype == np.int32
        np.testing.assert_array_equal(again.nodes["weights"].weight, weights)
        stored = again.metadata["quantised"]
        np.testing.assert_array_equal(stored["levels"], weights)
        assert stored["levels"].dtype == np.int8
        assert float(stored["scale"]) == 0.125
        assert stored["by"] in ("spikelab", b"spikelab")
        assert stored["deeper"]["flags"].tolist() == [True]
        assert int(again.nodes["weights"].metadata["exponent"]) == -6
        assert float(again.metadata["dt"]) == DT


def test_the_same_graph_gives_the_same_bytes(tmp_path):
    graph = to_nir(network(nn.LIF(dt=DT)), (10,))
    for name in "ab":
        write_nir(tmp_path / name, graph)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_what_cannot_be_written_is_named_and_the_old_file_stays(tmp_path, monkeypatch):
    path = tmp_path / "net.nir"
    path.write_text("old")
    graph = to_nir(network(nn.LIF(dt=DT)), (10,))
    graph.nodes["a/b"] = nir.Scale(np.ones(8))
    graph.nodes["weights"].metadata = {"thing": object()}
    graph.edges.append(("hidden", "nobody"))
    graph.metadata["list"] = [object()]
    with pytest.raises(CannotExport) as error:
        write_nir(path, graph)
    for text in (
        str(path),
        "'a/b': HDF5 cannot hold this name",
        "weights: metadata thing is a object",
        "nobody",
        "list",
    ):
        assert text in str(error.value)
    with pytest.raises(TypeError, match=r"give a nir\.NIRGraph"):
        write_nir(path, graph.nodes["hidden"])
    monkeypatch.setattr(nir_save, "write_bytes_atomically", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        write_nir(path, to_nir(network(nn.LIF(dt=DT)), (10,)))
    assert path.read_text() == "old"


PORTABLE = {
    "lif": lambda: nn.LIF(dt=DT, tau_mem=2.5e-3, r=1.3, v_threshold=0.1, reset="zero"),
    "lif_impulse": lambda: nn.LIF(dt=DT, tau_mem=2.5e-3, r=2.5e-3, input_form="impulse"),
    "if": lambda: nn.IF(dt=DT, r=3e3, v_threshold=0.7),
    "cuba_lif": lambda: nn.CubaLIF(
        dt=DT, tau_mem=2.5e-3, tau_syn=1e-3, r=25.0, w_in=10.0, method="semi_implicit_euler", reset="zero"
    ),
}


@pytest.mark.parametrize("name", PORTABLE)
def test_the_portable_form_makes_the_same_spikes_with_a_gain_of_one(name, tmp_path):
    ours = network(PORTABLE[name]())
    graph = to_nir(ours, (10,), form="portable")
    node, x = graph.nodes["hidden"], spikes_in()
    tau = {"lif": "tau", "lif_impulse": "tau", "cuba_lif": "tau_mem"}.get(name)
    np.testing.assert_allclose(node.r, (getattr(node, tau) if tau else 1.0) / DT, rtol=1e-6)
    if name == "cuba_lif":
        np.testing.assert_allclose(node.w_in, node.tau_syn / DT, rtol=1e-6)
    for field in ("v_leak", "v_reset"):
        assert not np.any(getattr(node, field, 0))
    write_nir(tmp_path / "net.nir", graph, legacy=True)
    with torch.no_grad():
        spikes = ours(x)[0]
        # thresholds are divided by the gain, so a membrane within rounding of its threshold might flip; none does here
        assert torch.equal(from_nir(tmp_path / "net.nir", trusted=True)(x)[0], spikes)
        assert 50 < spikes.sum() < 3100
    accepted = known_readers(graph)
    assert accepted["SpikingJelly"] == "ok"
    assert sum(answer == "ok" for answer in accepted.values()) >= 2


def test_what_has_no_portable_form_is_named_at_once():
    modules = {
        "uneven": nn.LIF(dt=DT, tau_mem=torch.tensor([1e-3, 2e-3])),
        "leaky": nn.LIF(dt=DT, v_leak=0.2, v_reset=-0.5),
        "subtracting": nn.IF(dt=DT, reset="subtract"),
        "turned": nn.IF(dt=DT, r=-1.0),
        "exact": nn.CubaLIF(dt=DT),
    }
    chain = ["input", *modules, "output"]
    with pytest.raises(CannotExport) as error:
        to_nir(nn.Network(modules, zip(chain[:-1], chain[1:], strict=True)), (2,), "portable", "metadata")  # noqa: RUF007
    for text in (
        "uneven: no portable form: its neurons differ in tau_mem",
        "leaky: no portable form: v_leak = 0.2 is not 0; train with v_leak=0; v_reset = -0.5 is not 0",
        "subtracting: no portable form: it is reset by subtraction",
        "turned: no portable form: its gain r (times w_in) is not > 0",
        "exact: a current-based neuron stepped by 'exact'",
    ):
        assert text in str(error.value), text


def test_delays_are_written_in_seconds():
    modules = {"delay": nn.Delay(torch.tensor([0, 3])), "lif": nn.LIF(dt=DT), "late": nn.Delay(2)}
    edges = [("input", "delay"), ("delay", "lif"), ("lif", "late"), ("late", "output")]
    graph = to_nir(nn.Network(modules, edges), (2, 4))
    np.testing.assert_allclose(graph.nodes["delay"].delay, np.repeat([[0.0], [3e-4]], 4, axis=1))
    np.testing.assert_allclose(graph.nodes["late"].delay, np.full((2, 4), 2e-4))
    again = from_nir(graph)
    assert int(again.nodes["late"].steps) == 2
    only = nn.Network.sequential(nn.Delay(4))
    with pytest.raises(
        CannotExport, match="0_delay: a delay in steps needs the step's length to become seconds; pass dt"
    ):
        to_nir(only, (3,))
    assert from_nir(to_nir(only, (3,), dt=0.5)).nodes["0_delay"].steps == 4
    with pytest.raises(CannotExport, match=r"dt = 0\.5 s, but the neurons step by 0\.0001 s"):
        to_nir(nn.Network(modules, edges), (2, 4), dt=0.5)
    two = nn.Network.sequential(nn.LIF(dt=1e-3), nn.LIF(dt=2e-3))
    with pytest.raises(CannotExport, match=r"the neurons step by 0\.001 s, 0\.002 s; give all one dt"):
        to_nir(two, (3,))
    with pytest.raises(ValueError, match="dt = -1"):
        to_nir(only, (3,), dt=-1)


def test_outputs_that_do_not_exist_or_clash_are_named():
    ours = network(nn.LIF(dt=DT))
    with pytest.raises(ValueError, match="outputs names 'nobody'"):
        to_nir(ours, (10,), outputs=("nobody",))
    modules = {"a": nn.LIF(dt=DT), "output_a": nn.LIF(dt=DT)}
    clash = nn.Network(modules, [("input", "a"), ("a", "output_a"), ("output_a", "output")])
    with pytest.raises(ValueError, match="a node is called output_a"):
        to_nir(clash, (3,), outputs=("a",))


def test_a_cycle_that_starts_with_what_comes_back_has_shapes_too():
    modules = {"loop": nn.Dense(4, 4), "hidden": nn.LIF(dt=DT)}
    recurrent = nn.Network(modules, [("input", "hidden"), ("hidden", "loop"), ("loop", "hidden"), ("hidden", "output")])
    assert set(to_nir(recurrent, (4,)).nodes) == {"input", "loop", "hidden", "output"}


def test_known_readers_tell_the_first_node_that_they_do_not_take():
    def readers(neuron, **options):
        return known_readers(to_nir(network(neuron), (10,), **options))

    plain = readers(nn.LIF(dt=DT, method="euler", reset="zero"))
    assert plain["snnTorch"] == plain["Norse"] == plain["SpikingJelly"] == "ok"
    assert plain["hxtorch"] == "weights: Affine is not read (2026-01)"
    assert plain["Rockpool"].startswith("hidden: stops with an AttributeError")
    assert plain["Lava"] == "hidden: LIF, r = 1: was not compared"
    gain = readers(nn.LIF(dt=DT, method="euler"), form="portable")
    assert gain["Norse"].startswith("hidden: ignores r")
    assert readers(nn.LIF(dt=DT, v_leak=0.3))["snnTorch"] == "hidden: refuses it"
    assert "silently" in readers(nn.LIF(dt=DT, v_reset=-0.5))["snnTorch"]
    assert "compared" in readers(nn.LIF(dt=DT, r=17.0))["snnTorch"]
    assert "subtraction" in readers(nn.LIF(dt=DT, reset="subtract"), subtractive_reset="metadata")["Norse"]
    assert readers(nn.IF(dt=DT, r=1.0))["snnTorch"].startswith("hidden: turns it into a leaky neuron")
    assert "was not compared" in readers(nn.LI(dt=DT))["Norse"]
    assert readers(nn.Integrator(dt=DT))["Norse"] == "hidden: I is not read (2026-01)"
    slopes = torch.linspace(1e-3, 9e-3, 8)
    assert readers(nn.LIF(dt=DT, tau_mem=slopes, r=slopes * 1e3, method="euler"))["snnTorch"] == "ok"
    assert readers(nn.LIF(dt=DT, tau_mem=slopes, method="euler"))["snnTorch"].endswith("was not compared")


def test_the_tables_of_readers_are_whole():
    primitives = {kind for kind in nir.ir.__all__ if isinstance(getattr(nir, kind, None), type)}
    assert set(PRIMITIVES) == primitives - {"Input", "Output", "NIRGraph", "NIRNode"}
    for row in MEASURED_FORMS.values():
        assert set(row) == set(MEASURED)
    assert FORMS == ("continuous", "euler", "portable")
