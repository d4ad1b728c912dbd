"""Writes a trained HALSIE for deployment: the spiking branch as NIR, everything else as ONNX, and what joins them.

The folder holds ``events.nir``, ``head.onnx``, ``vectors.safetensors`` (one sample with every intermediate result, to
check a deployment against) and ``manifest.json``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from spikelab.io.nir_save import write_nir
from spikelab.io.nir_write import to_nir
from spikelab.models.halsie import Halsie, SpikingEncoder
from spikelab.models.hybrid_energy import judging
from spikelab.models.hybrid_export import HEAD, VECTORS, bundle_manifest, finish_bundle, write_joint, write_onnx


def export(model: Halsie, folder: Path, height: int, width: int) -> dict[str, Any]:
    """Exports a model for inputs of one size.

    Args:
        model: a trained model; it is exported as it stands.
        folder: created where it does not exist; files of the same names are replaced.
        height: of events and frames in pixels.
        width: likewise.

    Returns:
        the manifest: files with checksums, inputs, outputs, and how the two halves fit together.

    Raises:
        CannotExport: if a layer of the spiking branch has no NIR form.
        ValueError: if the event branch does not spike.
    """
    if model.events is not None and not isinstance(model.events, SpikingEncoder):
        raise ValueError("halsie: the event branch is an ordinary one; only a spiking branch has a NIR form")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with judging(model):
        return _export(model, folder, height, width)


def _export(model: Halsie, folder: Path, height: int, width: int) -> dict[str, Any]:
    device = next(model.parameters()).device
    generator = torch.Generator().manual_seed(0)
    counts = torch.poisson(torch.full((1, model.time_bins, 2, height, width), 0.2), generator=generator)
    events, frame = counts.log1p().to(device), torch.rand((1, 1, height, width), generator=generator).to(device)
    features, _ = model.encode(events)
    logits = model.head(features, frame)
    names = [f"event_features_{stage}" for stage in range(1, len(features) + 1)]
    files = [HEAD, VECTORS]
    manifest = bundle_manifest("halsie (reconstruction)", {"events": events, "frame": frame}, logits)
    if isinstance(model.events, SpikingEncoder):
        files.insert(0, "events.nir")
        graph = to_nir(
            model.events.network, tuple(events.shape[2:]), form="euler", outputs=tuple(model.events.readouts)
        )
        write_nir(folder / "events.nir", graph)
        layers = [m for m in model.events.network.nodes.values() if hasattr(m, "dt")]
        manifest["spiking_branch"] = {
            "file": "events.nir",
            "time_step_seconds": layers[0].dt,
            "steps": model.time_bins,
            "input": "voxel grid of events, log(1 + value), channel 0 OFF and channel 1 ON, one step a time bin",
            # the value of a readout after the last step is what the ordinary half takes
            "joins": [
                {"nir_node": f"output_{readout}", "at_step": model.time_bins - 1, "onnx_input": name}
                for readout, name in zip(model.events.readouts, names, strict=True)
            ],
        }
    inputs = _head_inputs(model, dict(zip(names, features, strict=True)), frame)
    manifest["ordinary_half"] = {"file": HEAD, "inputs": list(inputs), "output": "logits"}
    write_onnx(_Head(model, height, width), folder / HEAD, inputs)
    vectors = {"events": events, "frame": frame, "logits": logits, **dict(zip(names, features, strict=True))}
    return finish_bundle(folder, manifest, files, vectors)


def _head_inputs(model: Halsie, features: dict[str, Tensor], frame: Tensor) -> dict[str, Tensor]:
    return features | ({"frame": frame} if model.head.frames is not None else {})


class _Head(torch.nn.Module):
    """The head with one argument an input, as an ONNX graph has them."""

    def __init__(self, model: Halsie, height: int, width: int):
        super().__init__()
        self.head = model.head
        self.size = (height, width)

    def forward(self, *inputs: Tensor) -> Tensor:
        if self.head.frames is None:
            # without a frame branch the frame only tells the size of the picture
            blank = inputs[0].new_zeros((inputs[0].shape[0], 1, *self.size))
            return self.head(list(inputs), blank)
        return self.head(list(inputs[:-1]), inputs[-1])


def export_joint(model: Halsie, folder: Path, features: Mapping[str, Tensor], frames: Tensor) -> list[str]:
    """Writes the ordinary half as it follows the integer spiking half: real-valued and in 8 bits, with joint vectors.

    Args:
        model: the trained model.
        folder: where ``head.onnx``, ``head_int8.onnx`` and ``joint.safetensors`` go.
        features: readout -> what the integer half gave at the last step [B, C, H, W], in the network's units.
        frames: [B, 1, H, W] of the same samples; all of them calibrate the 8-bit half.

    Returns:
        names of the files.

    Raises:
        ImportError: if onnxruntime, which quantises, is not installed.
    """
    assert isinstance(model.events, SpikingEncoder)
    given = [features[name] for name in model.events.readouts]
    names = [f"event_features_{stage}" for stage in range(1, len(given) + 1)]
    model.eval()
    with torch.no_grad():
        logits = model.head(given, frames)
        inputs = _head_inputs(model, dict(zip(names, given, strict=True)), frames)
        # which readout each input of the ordinary half follows
        follows = dict(zip(names, model.events.readouts, strict=True))
        head = _Head(model, *frames.shape[-2:])
        return write_joint(folder, head, inputs, {}, logits, follows, {"frame": frames})
