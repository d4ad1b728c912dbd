"""The hardware commands, as one types them: quantise, train in integers, export, verify, map."""

from __future__ import annotations

import json
import shutil

import nir
import numpy as np
import pytest
from tiny_digits import bars, words

from spikelab.cli import main
from spikelab.hw.agreement import LayerAgreement, silent_layers
from spikelab.io.checkpoint import load_checkpoint
from spikelab.io.nir_save import write_nir

needs_gcc = pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    from spikelab.learn.seeds import random_states, restore_random_states

    states = random_states()
    folder = tmp_path_factory.mktemp("runs")
    assert main(words(bars(tmp_path_factory.mktemp("bars")), folder / "real")) == 0
    restore_random_states(states)
    return folder / "real"


@pytest.fixture
def report(tmp_path):
    def read(*command):
        assert main([*map(str, command), "--json", str(tmp_path / "figures.json")]) == 0
        return json.loads((tmp_path / "figures.json").read_text())["figures"]

    return read


def test_quantise(run, report, tmp_path, capsys):
    words = ["--widths", "8,2", "--samples", "9", "--profile", "generic16", "--calibrate", "true"]
    figures = report("quantise", run, *words, "--out", tmp_path / "q")
    text = capsys.readouterr().out
    # shares are percent, as everywhere
    row = next(line for line in text.splitlines() if line.startswith("real numbers")).split()
    assert row[-1] == f"{100 * figures['real']['accuracy']:.2f}"
    assert "accuracy, %" in text
    assert figures["warnings"] == []
    assert figures["real"]["accuracy"] > 0.9
    assert set(figures["bits"]) == {"8", "2"}
    assert figures["bits"]["8"]["figures"]["accuracy"] >= figures["real"]["accuracy"] - 0.1
    layers = {layer["layer"]: layer for layer in figures["bits"]["8"]["layers"]}
    assert layers["hidden1"]["equal"] > figures["bits"]["2"]["layers"][0]["equal"]
    assert layers["readout"]["equal"] is None
    page = (tmp_path / "q" / "report.html").read_text()
    assert "data:image/png;base64" in page
    assert "accuracy, %" in page


@needs_gcc
@pytest.mark.parametrize(
    ("form", "target", "files"),
    [
        ("c99", "cortex_m4_nrf52840", ["net.c", "net.h", "net_test.c", "chip_map.png"]),
        ("netx", "loihi1", ["network.net", "chip_map.png"]),
        ("npz", "", []),
        ("bundle", "loihi2", ["net.c", "network.nir", "chip_map.png"]),
    ],
)
def test_export_and_verify(run, report, tmp_path, form, target, files, capsys):
    folder = tmp_path / "out"
    words = ["--target", target] if target else []
    figures = report("export", run, "--format", form, *words, "--samples", "6", "--out", folder)
    for name in ["net.npz", "net.json", "vectors.npz", "manifest.json", "report.json", "report.html", *files]:
        assert (folder / name).is_file(), name
    written = {name: artefact for name, artefact in figures["artefacts"].items() if "not_written" not in artefact}
    assert form == "bundle" or set(written) == {form}
    assert all(artefact["verified"] and artefact["numbers_compared"] > 0 for artefact in written.values())
    assert figures["agreement"][0]["equal"] > 0.9
    assert figures["operations"]["per_sample"]["hidden1"]["synaptic_operations"] > 0
    assert all(energy["kind"] == "modelled" for energy in figures["energy"].values())
    if target:
        assert figures["placement"]["fits"]
    page = (folder / "report.html").read_text()
    assert "equal to the simulator" in page
    assert "the class with the largest mean over all steps" in page
    assert "modelled from published figures, not measured" in page
    checks = report("verify", folder)["checks"]
    assert set(checks) == {"vectors", *written}
    assert all(check["equal"] for check in checks.values())
    capsys.readouterr()
    # one wrong byte is noticed, and so is a file that is gone
    path = folder / (files[0] if files else "net.npz")
    path.write_bytes(path.read_bytes().replace(b"0", b"1", 1) + b" ")
    assert main(["verify", str(folder)]) == 1
    assert f"{path}: is not the file that was exported" in capsys.readouterr().err
    path.unlink()
    assert main(["verify", str(folder)]) == 1
    assert f"{path}: is missing" in capsys.readouterr().err


@needs_gcc
def test_verify_uses_the_compiler_it_is_given(run, report, tmp_path, capsys):
    folder = tmp_path / "out"
    report("export", run, "--format", "c99", "--samples", "3", "--out", folder)
    assert main(["verify", str(folder), "--compiler", "no-such-compiler"]) == 1
    assert "no-such-compiler" in capsys.readouterr().err


def test_exports_do_not_mix(run, report, tmp_path, capsys):
    folder = tmp_path / "out"
    report("export", run, "--format", "netx", "--target", "loihi1", "--samples", "3", "--out", folder)
    (folder / "notes.txt").write_text("mine")
    report("export", run, "--format", "npz", "--samples", "3", "--out", folder)
    assert not (folder / "network.net").exists()
    assert not (folder / "chip_map.png").exists()
    assert (folder / "notes.txt").exists()
    (folder / "report.html").write_text("changed")
    assert main(["export", str(run), "--format", "npz", "--samples", "3", "--out", str(folder)]) == 1
    assert "report.html: was changed since it was exported" in capsys.readouterr().err
    assert (folder / "net.npz").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m.update(format_version=7), "is damaged"),
        (lambda m: m["input"].update(shape=[7]), "input of shape [7]"),
        (lambda m: m["outputs"][0].update(unit=[1.0]), "other units than the network"),
        (lambda m: m["outputs"][0].update(steps_late=9), "outputs"),
    ],
)
def test_manifest_that_contradicts_the_network(run, report, tmp_path, capsys, change, message):
    folder = tmp_path / "out"
    report("export", run, "--format", "npz", "--samples", "3", "--out", folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    change(manifest)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    assert main(["verify", str(folder)]) == 1
    assert message in capsys.readouterr().err


@needs_gcc
def test_an_artefact_that_computes_something_else_is_named(run, report, tmp_path, capsys):
    import hashlib

    folder = tmp_path / "out"
    report("export", run, "--format", "c99", "--samples", "3", "--out", folder)
    source = (folder / "net.c").read_text()
    changed = source.replace("* 31170", "* 31000").replace("31170 *", "31000 *").replace("31170", "31000")
    assert changed != source
    (folder / "net.c").write_text(changed)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["sha256"]["net.c"] = hashlib.sha256(changed.encode()).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest))
    assert main(["verify", str(folder)]) == 1
    assert "differs from the simulator: c99: population" in capsys.readouterr().err.replace("'", "")


@pytest.mark.parametrize("damage", ["{", '{"format": "other"}', '{"format": "spikelab hardware export", "sha256": 3}'])
def test_damaged_manifest(tmp_path, damage, capsys):
    (tmp_path / "manifest.json").write_text(damage)
    assert main(["verify", str(tmp_path)]) == 1
    assert "manifest.json: is damaged" in capsys.readouterr().err


def test_manifest_that_points_elsewhere_is_refused(tmp_path, capsys):
    manifest = {"format": "spikelab hardware export", "sha256": {"../x": "0"}, "artefacts": {}}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    assert main(["verify", str(tmp_path)]) == 1
    assert "is damaged" in capsys.readouterr().err


def test_verify_what_is_no_export(tmp_path, capsys):
    assert main(["verify", str(tmp_path)]) == 1
    assert "not the folder of an export for hardware" in capsys.readouterr().err


def test_training_in_integers(run, tmp_path, report, capsys):
    folder = bars(tmp_path)
    options = {"initialise_from": run, "quantise.bits": 2, "quantise.profile": "loihi", "epochs": 4}
    integers = tmp_path / "integers"
    assert main(words(folder, integers, **options)) == 0
    rounded = report("quantise", run, "--profile", "loihi", "--widths", "2", "--samples", "3", "--out", tmp_path / "q")
    trained = report("eval", integers)
    # the task is easy even in two bits; the loss tells what training gains
    assert trained["loss"] < rounded["bits"]["2"]["figures"]["loss"]
    # the same parameters under the same names: a run in integers is an ordinary run
    real, whole = (load_checkpoint(path / "best.safetensors")["model"] for path in (run, integers))
    assert real.keys() == whole.keys()
    # what is exported is what was trained, without saying so again
    figures = report("export", integers, "--format", "npz", "--samples", "3", "--out", tmp_path / "out")
    assert (figures["bits"], figures["profile"]) == (2, "loihi")
    # NIR holds its real numbers, whatever runs in their place
    figures = report("export", integers, "--out", tmp_path / "nir")
    assert figures["read_back"]["equal_spikes"]["hidden1"] > 0.999
    figures = report("map", integers, "--target", "loihi1", "--samples", "3", "--out", tmp_path / "map")
    assert figures["fits"]
    capsys.readouterr()


def test_map_says_why_a_chip_does_not_take_it(run, report, tmp_path, capsys):
    figures = report("map", run, "--target", "speck", "--samples", "3", "--out", tmp_path / "map")
    text = capsys.readouterr().out
    assert not figures["fits"]
    assert any("hidden1: leaks; Speck's neurons do not" in reason for reason in figures["arithmetic"])
    assert "does not fit" in text.splitlines()[0]
    assert any(violation["limit"] == "arithmetic" for violation in figures["violations"])
    assert (tmp_path / "map" / "chip_map.png").is_file()
    assert main(["map", str(run)]) == 1
    assert "name a chip" in capsys.readouterr().err
    assert main(["map", str(run), "--target", "loihi3"]) == 1
    assert "loihi2" in capsys.readouterr().err


def test_nir_file(tmp_path, report, capsys):
    path = tmp_path / "small.nir"
    random = np.random.default_rng(0)
    graph = nir.NIRGraph.from_list(
        nir.Affine(random.normal(0, 0.4, (6, 5)), np.zeros(6)),
        nir.LIF(np.full(6, 5e-3), np.ones(6), np.zeros(6), np.full(6, 0.05), np.zeros(6)),
    )
    write_nir(path, graph)
    out = tmp_path / "out"
    assert main(["export", str(path), "--format", "npz", "--out", str(out)]) == 1
    assert "dt" in capsys.readouterr().err
    figures = report("export", path, "--format", "npz", "--dt", "1e-3", "--samples", "4", "--out", out)
    assert figures["agreement"][0]["equal"] > 0.98
    figures = report("quantise", path, "--dt", "1e-3", "--widths", "8,3", "--samples", "4", "--out", tmp_path / "q")
    assert figures["real"] is None
    figures = report("export", path, "--dt", "1e-3", "--out", tmp_path / "again", "--legacy", "true")
    assert (tmp_path / "again" / "network.nir").is_file()
    assert figures["readers"]["Norse"]
    assert "known to make the same spikes of it: " in capsys.readouterr().out


def test_silence_is_no_success(tmp_path, report, capsys):
    path = tmp_path / "silent.nir"
    write_nir(path, nir.NIRGraph.from_list(nir.Linear(np.eye(4)), nir.IF(np.ones(4), np.full(4, 9.0))))
    out = tmp_path / "out"
    figures = report("export", path, "--format", "npz", "--dt", "1e-3", "--samples", "2", "--steps", "9", "--out", out)
    assert "no neuron spiked" in figures["warnings"][0]
    assert "--input_form impulse" in capsys.readouterr().out


def test_a_silent_layer_is_no_agreement(tmp_path, report, capsys):
    path = tmp_path / "half.nir"
    weak = [nir.Linear(np.eye(4)), nir.IF(np.ones(4), np.full(4, 99.0))]
    write_nir(path, nir.NIRGraph.from_list(nir.Linear(np.eye(4)), nir.IF(np.full(4, 1e3), np.full(4, 0.9)), *weak))
    words = ["--dt", "1e-3", "--samples", "2", "--steps", "9", "--input_rate", "0.5"]
    figures = report("quantise", path, *words, "--widths", "8,2", "--out", tmp_path / "q")
    first, second = figures["bits"]["2"]["layers"]
    assert first["rate"] > 0
    assert second["equal"] == 1.0
    told = f"{second['layer']}: never spikes, neither in integers nor in real numbers: nothing is compared"
    assert figures["warnings"] == [f"8 bits: {told}", f"2 bits: {told}"]
    assert f"warning: 2 bits: {told}" in capsys.readouterr().out
    assert told in (tmp_path / "q" / "report.html").read_text()
    figures = report("export", path, *words, "--format", "npz", "--out", tmp_path / "out")
    assert figures["warnings"] == [told]


def test_a_layer_that_falls_silent_is_told_apart():
    layers = [
        LayerAgreement("lively", True, 0.9, 0.2, 0.1, 0.0),
        LayerAgreement("fallen", True, 0.998, 0.002, 0.0, 0.0),
        LayerAgreement("readout", False, None, 0.0, 0.0, 0.0),
    ]
    (told,) = silent_layers(layers)
    assert told.startswith("fallen: never spikes in integers, and 0.002 times a step and neuron in real numbers")


@pytest.mark.parametrize("form", ["continuous", "euler", "portable"])
def test_nir_of_a_run_is_read_back(run, report, tmp_path, form, capsys):
    figures = report("export", run, "--nir_form", form, "--out", tmp_path / form)
    assert figures["read_back"]["equal_spikes"]["hidden1"] > 0.999
    assert "read back and run over 100 steps" in capsys.readouterr().out


def test_real_numbers_have_no_bits(run, capsys):
    assert main(["export", str(run), "--bits", "4"]) == 1
    assert "NIR holds real numbers; leave out bits, or add --format" in capsys.readouterr().err


def test_what_cannot_be_lowered_writes_nothing(tmp_path, capsys):
    path = tmp_path / "subtracting.nir"
    graph = nir.NIRGraph.from_list(nir.Linear(np.eye(3)), nir.IF(np.ones(3), np.ones(3)))
    write_nir(path, graph)
    out = tmp_path / "out"
    words = ["--target", "loihi1", "--format", "netx", "--reset", "subtract", "--dt", "1e-3", "--out", str(out)]
    assert main(["export", str(path), *words]) == 1
    assert "subtracts its threshold; Loihi resets" in capsys.readouterr().err
    assert not out.exists()


def test_verify_says_what_kind_of_export_a_folder_holds(run, report, tmp_path, capsys):
    report("export", run, "--out", tmp_path / "plain")
    hybrid = tmp_path / "hybrid"
    hybrid.mkdir()
    manifest = {"format": "spikelab hybrid bundle", "format_version": 1, "sha256": {"head.onnx": "0", "part.nir": "0"}}
    (hybrid / "manifest.json").write_text(json.dumps(manifest))
    for folder, files in ((tmp_path / "plain", "network.nir"), (hybrid, "head.onnx, part.nir")):
        assert main(["verify", str(folder)]) == 1
        told = capsys.readouterr().err
        assert f"{folder}: holds an export for other simulators ({files})" in told
        assert "export with --format bundle, c99, netx or npz" in told


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda m: m.update(format="other"), "format is 'other', must be 'spikelab hardware export'"),
        (lambda m: m.pop("format_version"), "format_version is None, known is 1"),
        (lambda m: m.update(sha256=3), "sha256 is no object"),
        (lambda m: m.update(outputs={}), "outputs is no list"),
        (lambda m: m["sha256"].update(a=1), "sha256 of a is no text"),
        (lambda m: m["sha256"].update({"../x": "0"}), "sha256 names ../x, which lies outside of its folder"),
        (lambda m: m["artefacts"].update(fpga=[]), "artefact 'fpga' is unknown; known are"),
        (lambda m: m["artefacts"].update(npz=1), "artefact 'npz' has no list of files"),
        (lambda m: m["input"].update(range=0), "input.range is no list"),
        (lambda m: m["outputs"][0].pop("rest"), "outputs[0] must have name, population, rest"),
        (lambda m: m["outputs"][0].update(unit=1.0), "outputs[0].unit is no list"),
        (lambda m: (m["sha256"].update({"joint.safetensors": "0"}), m["input"].pop("steps")), "input.steps is None"),
    ],
)
def test_each_fault_of_a_manifest_has_its_reason(tmp_path, capsys, change, reason):
    output = {"name": "a", "population": "a", "value": "v", "steps_late": 0, "unit": [1.0], "rest": 0.0}
    manifest = {"format": "spikelab hardware export", "format_version": 1, "sha256": {}, "artefacts": {}}
    manifest |= {"input": {"shape": [1], "range": [0, 1], "steps": 1}, "outputs": [output]}
    change(manifest)
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    assert main(["verify", str(tmp_path)]) == 1
    assert f"{tmp_path / 'manifest.json'}: is damaged ({reason}" in capsys.readouterr().err
