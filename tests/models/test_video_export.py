"""Compressed video taken apart for deployment: NIR and ONNX give the model's numbers, and integers run elsewhere."""

import hashlib
import importlib.util
import json
import logging
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from spikelab.hw.integer import Simulator
from spikelab.hw.lower import LoweringError, lower
from spikelab.hw.quantised_model import quantise_model
from spikelab.hw.training import simulated_outputs
from spikelab.io.nir_read import from_nir
from spikelab.io.nir_write import CannotExport
from spikelab.models.hybrid_export import write_onnx
from spikelab.models.int8 import run_onnx
from spikelab.nn.network import INPUT
from spikelab.settings import Quantise

_spec = importlib.util.spec_from_file_location("compressed_videos", Path(__file__).with_name("test_video.py"))
compressed_videos = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(compressed_videos)
settled, videos, call = compressed_videos.settled, compressed_videos.videos, compressed_videos.call


@pytest.mark.parametrize("options", [{"readout": "membrane"}, {"modality": "motion"}, {"modality": "image"}], ids=str)
def test_export_runs_elsewhere_and_gives_the_same(options, tmp_path):
    pytest.importorskip("onnxruntime")
    model = settled(**options)
    manifest = model.export(tmp_path, 32, 48)
    stored = json.loads((tmp_path / "manifest.json").read_text())
    assert stored == json.loads(json.dumps(manifest))
    for name, digest in stored["sha256"].items():
        assert hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() == digest
    vectors = load_file(tmp_path / "vectors.safetensors")
    torch.testing.assert_close(vectors["logits"], call(model, vectors))
    logits = run_onnx(tmp_path / "head.onnx", {n: vectors[n] for n in stored["ordinary_half"]["inputs"]}, samples=1)
    torch.testing.assert_close(logits, vectors["logits"], rtol=1e-3, atol=1e-4)
    if "spiking_branch" not in stored:
        assert options["modality"] == "image"
        assert not (tmp_path / "modulators.nir").exists()
        return
    network = from_nir(tmp_path / stored["spiking_branch"]["file"])
    outputs, ours = (n.evaluate(vectors["modulator_input"]) for n in (network, model.motion.network))
    neurons = [name for name in ours if name.startswith("layer") and "_" not in name]
    assert len(neurons) == (2 if options.get("readout") == "membrane" else 3)
    for name in neurons:
        assert 0 < ours[name].mean() < 0.9
        # folding the normalisation rounds differently: a membrane within rounding of its threshold may flip
        assert (outputs[name] != ours[name]).float().mean() < 1e-3
    (join,) = stored["spiking_branch"]["joins"]
    difference = (outputs["readout"][join["at_step"]] - vectors[join["onnx_input"]]).abs()
    assert float((difference > 1e-2).float().mean()) < 2e-2


def test_what_has_no_nir_form_is_said(tmp_path):
    with pytest.raises(CannotExport, match="layer1: NIR has no primitive for the adaptive") as error:
        settled(threshold="adaptive").export(tmp_path, 32, 48)
    assert str(error.value).splitlines()[-1].endswith("train with --model.options.threshold learned (or fixed)")
    with pytest.raises(ValueError, match="only spiking ones"):
        settled(stm="ordinary").export(tmp_path, 32, 48)


def shapes(batch):
    return {name: list(value.shape[1:]) for name, value in batch.items()}


@pytest.mark.parametrize("readout", ["rate", "membrane"])
@pytest.mark.parametrize("size", ["tiny", "base"])
def test_integers_follow_the_network(size, readout):
    batch = videos(height=64, width=64) if size == "base" else videos()
    model = settled(batch, size=size, readout=readout)
    part = model.spiking_part(shapes(batch))
    x = part.encode(batch)
    assert not x.requires_grad
    assert tuple(x.shape[2:]) == part.input_shape
    quantisation = quantisation_of(part)
    lowered = lower(part.network, "generic", quantisation, part.input_shape)
    real, integer = part.network.evaluate(x), simulated_outputs(lowered, x)
    for name in (p.name for p in lowered.real.populations if p.form.spikes):
        equal = float((real[name] == integer[name].reshape(real[name].shape)).float().mean())
        # random weights are near chaos: what rounding changes in one layer grows with each layer after it
        assert equal > (0.9 if name in ("layer1", "layer2") else 0.6), name
    # the same graph, twice, and two batches of it
    messages = quantisation.messages(x)
    whole = Simulator(lowered.graph).run({INPUT: messages}, record=True).states["readout"]["v"]
    parts = [Simulator(lowered.graph).run({INPUT: messages[:, k : k + 2]}, record=True) for k in (0, 2)]
    assert np.array_equal(whole, np.concatenate([p.states["readout"]["v"] for p in parts], axis=1))
    assert np.abs(whole[-1]).max() > 0


def quantisation_of(part):
    from spikelab.hw import quantised_model

    return quantised_model.quantisation_of(Quantise(bits=8), part)


def test_the_rate_is_the_number_of_spikes_in_integers_too():
    batch = videos()
    model = settled(batch)
    part = model.spiking_part(shapes(batch))
    lowered = lower(part.network, "generic", quantisation_of(part), part.input_shape)
    found = simulated_outputs(lowered, part.encode(batch))
    spikes = found["layer3"].reshape(found["readout"].shape).sum(0)
    assert spikes.max() >= 2
    torch.testing.assert_close(found["readout"][-1], spikes.to(found["readout"].dtype), rtol=0, atol=1e-3)


def test_it_trains_in_integers():
    batch = videos()
    model = settled(batch, modality="motion")
    quantise_model(model, Quantise(bits=8), shapes(batch))
    before = call(model, batch)
    torch.nn.functional.cross_entropy(before, batch["label"]).backward()
    assert model.motion.network.nodes["layer2_weights"].weight.grad.abs().sum() > 0
    with torch.no_grad():
        torch.testing.assert_close(call(model, batch), before, rtol=1e-3, atol=1e-3)


def test_adaptive_thresholds_and_ordinary_modulators_have_no_integer_form():
    batch = videos()
    part = settled(batch, threshold="adaptive").spiking_part(shapes(batch))
    with pytest.raises(LoweringError, match="layer1: an adaptive_lif has more"):
        lower(part.network, "generic", quantisation_of(part), part.input_shape)
    # in training in integers, the remedy is named
    with pytest.raises(LoweringError, match=r"train with --model\.options\.threshold learned"):
        quantise_model(settled(batch, threshold="adaptive"), Quantise(bits=8), shapes(batch))
    for options in ({"stm": "ordinary"}, {"modality": "image"}):
        with pytest.raises(ValueError, match="has no spiking part"):
            settled(batch, **options).spiking_part(shapes(batch))


@pytest.mark.parametrize("modality", ["both", "motion"])
def test_the_ordinary_half_follows_the_integers(modality, tmp_path):
    pytest.importorskip("onnxruntime")
    batch = videos(batch=3)
    model = settled(batch, modality=modality)
    part = model.spiking_part(shapes(batch))
    lowered = lower(part.network, "generic", quantisation_of(part), part.input_shape)
    features = {"readout": simulated_outputs(lowered, part.encode(batch))["readout"][-1]}
    names = model.export_joint(tmp_path, features, batch)
    assert names == ["head.onnx", "head_int8.onnx", "joint.safetensors"]
    joint = load_file(tmp_path / "joint.safetensors")
    assert torch.equal(joint["motion_features"], features["readout"])
    inputs = {name: value for name, value in joint.items() if not name.startswith("logits")}
    again = run_onnx(tmp_path / "head.onnx", inputs, samples=3)
    torch.testing.assert_close(again, joint["logits"], rtol=1e-3, atol=1e-3)
    assert joint["logits_int8"].shape == (3, 5)


def test_the_exporter_of_onnx_is_silent_and_is_let_speak_again(tmp_path, monkeypatch, caplog, recwarn):
    inner = logging.getLogger("torch.onnx._internal.exporter._registration")

    def export(*given, **options):
        inner.warning("of a package that nobody needs")
        warnings.warn("of how it is built", stacklevel=1)

    monkeypatch.setattr(torch.onnx, "export", export)
    write_onnx(torch.nn.Linear(2, 3), tmp_path / "head.onnx", {"x": torch.zeros(1, 2)})
    assert not caplog.records
    assert not recwarn
    inner.warning("afterwards")
    assert [record.message for record in caplog.records] == ["afterwards"]
