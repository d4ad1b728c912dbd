"""Writes a trained model of compressed video for deployment: the modulators as NIR, the rest as ONNX, and their join.

The folder holds ``modulators.nir``, ``head.onnx``, ``vectors.safetensors`` (one video with every intermediate result,
to check a deployment against) and ``manifest.json``. The modulators see each group of pictures as a sequence of its
own; the ordinary half takes what they give for all groups of a video.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from spikelab.io.nir_save import write_nir
from spikelab.io.nir_write import to_nir
from spikelab.models.hybrid_energy import judging
from spikelab.models.hybrid_export import HEAD, VECTORS, bundle_manifest, finish_bundle, write_joint, write_onnx
from spikelab.models.video import CompressedVideo
from spikelab.models.video_stm import READOUT

FEATURES = "motion_features"


def export(model: CompressedVideo, folder: Path, height: int, width: int) -> dict[str, Any]:
    """Exports a model for videos of one size.

    Args:
        model: a trained model; it is exported as it stands.
        folder: created where it does not exist; files of the same names are replaced.
        height: of pictures in pixels.
        width: likewise.

    Returns:
        the manifest: files with checksums, inputs, outputs, and how the two halves fit together.

    Raises:
        CannotExport: if a layer of the modulators has no NIR form, such as neurons with adaptive thresholds.
        ValueError: if the modulators do not spike.
    """
    if model.motion is not None and not model.motion.spiking:
        raise ValueError("compressed_video: the modulators are ordinary ones; only spiking ones have a NIR form")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with judging(model):
        return _export(model, folder, height, width)


def _export(model: CompressedVideo, folder: Path, height: int, width: int) -> dict[str, Any]:
    batch = _example(model, height, width)
    features = model.modulate(batch)
    logits = model.head(batch["image"], features)
    manifest = bundle_manifest("compressed_video (reconstruction)", batch, logits)
    files, vectors = [HEAD, VECTORS], {**batch, "logits": logits}
    if model.motion is not None and features is not None:
        files.insert(0, "modulators.nir")
        x = model.encode(batch)
        # a reset by subtraction is written where readers of NIR look for it; see ``to_nir``
        part = model.spiking_part({name: list(value.shape[1:]) for name, value in batch.items()})
        with part.with_remedy():
            graph = to_nir(part.network, part.input_shape, form="euler", subtractive_reset="metadata")
        write_nir(folder / "modulators.nir", graph)
        vectors |= {"modulator_input": x, FEATURES: features}
        manifest["spiking_branch"] = {
            "file": "modulators.nir",
            "time_step_seconds": model.motion.neurons.dt,
            "steps": model.steps,
            "sequences_of_a_video": model.groups,
            "input": "scaled motion vectors and residual of a P-frame, a step each, as in modulator_input",
            # the value of the readout after the last step is what the ordinary half takes
            "joins": [{"nir_node": "output", "at_step": model.steps - 1, "onnx_input": FEATURES}],
        }
    inputs = _head_inputs(model, batch["image"], features)
    manifest["ordinary_half"] = {"file": HEAD, "inputs": list(inputs), "output": "logits"}
    write_onnx(_Head(model), folder / HEAD, inputs)
    return finish_bundle(folder, manifest, files, vectors)


def _example(model: CompressedVideo, height: int, width: int) -> dict[str, Tensor]:
    """A made-up video: noise as pictures, vectors in whole half pixels, and small residuals."""
    device = next(model.parameters()).device
    generator = torch.Generator().manual_seed(0)
    shape = (1, model.groups, model.frames)

    def noise(*size: int) -> Tensor:
        return torch.randn((*shape, *size, height, width), generator=generator)

    batch = {
        "image": torch.rand((1, model.groups, 3, height, width), generator=generator),
        "motion": (4 * noise(2)).round() / 2,
        "residual": (0.05 * noise(model.residual_channels)).clamp(-1, 1),
        "valid": torch.ones(shape, dtype=torch.bool),
    }
    return {name: value.to(device) for name, value in batch.items()}


def _head_inputs(model: CompressedVideo, image: Tensor, features: Tensor | None) -> dict[str, Tensor]:
    inputs = {} if features is None else {FEATURES: features}
    return inputs | ({"image": image} if model.image is not None else {})


class _Head(nn.Module):
    """The ordinary half with one argument an input, as an ONNX graph has them."""

    def __init__(self, model: CompressedVideo):
        super().__init__()
        self.model = model

    def forward(self, *inputs: Tensor) -> Tensor:
        modulated = inputs[0] if self.model.motion is not None else None
        # without an encoder of I-frames nobody looks at them
        return self.model.head(inputs[-1], modulated)


def export_joint(
    model: CompressedVideo, folder: Path, features: Mapping[str, Tensor], batch: Mapping[str, Any]
) -> list[str]:
    """Writes the ordinary half as it follows the integer modulators: real-valued and in 8 bits, with joint vectors.

    Args:
        model: the trained model.
        folder: where ``head.onnx``, ``head_int8.onnx`` and ``joint.safetensors`` go.
        features: of the readout, what the integers gave at the last step [B * G, C, h, w], in the network's units.
        batch: the same videos; all of them calibrate the 8-bit half.

    Returns:
        names of the files.

    Raises:
        ImportError: if onnxruntime, which quantises, is not installed.
    """
    given = features[READOUT]
    with judging(model):
        logits = model.head(batch["image"], given)
        inputs = _head_inputs(model, batch["image"], given)
        return write_joint(folder, _Head(model), inputs, {FEATURES: model.groups}, logits, {FEATURES: READOUT})
