"""What exports of hybrid models share: an ordinary half as ONNX, test vectors, a manifest, and how the halves meet."""

from __future__ import annotations

import hashlib
import logging
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from spikelab import __version__
from spikelab.io.atomic import write_json_atomically

HEAD, VECTORS, JOINT = "head.onnx", "vectors.safetensors", "joint.safetensors"
#: What the manifest of a bundle calls itself.
BUNDLE = "spikelab hybrid bundle"


def bundle_manifest(model: str, inputs: Mapping[str, Tensor], logits: Tensor) -> dict[str, Any]:
    """The start of a bundle's manifest: what it is of, and the shapes that go in and come out."""
    return {
        "format": BUNDLE,
        "format_version": 1,
        "spikelab": __version__,
        "model": model,
        "inputs": {name: list(value.shape) for name, value in inputs.items()},
        "outputs": {"logits": list(logits.shape)},
    }


def write_onnx(head: nn.Module, path: Path, inputs: Mapping[str, Tensor]) -> None:
    """Writes an ordinary half, which gives `logits`.

    Args:
        head: takes the inputs in their order.
        path: the file.
        inputs: an example of each, of one sample.
    """
    with _exporter_silent():
        torch.onnx.export(
            head.eval(), tuple(inputs.values()), str(path), input_names=list(inputs), output_names=["logits"],
            dynamo=True, external_data=False, verbose=False,
        )  # fmt: skip


@contextmanager
def _exporter_silent() -> Iterator[None]:
    """Without what torch.onnx says of itself, such as of packages that it would know and nobody here needs."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def finish_bundle(
    folder: Path, manifest: dict[str, Any], files: Iterable[str], vectors: Mapping[str, Tensor]
) -> dict[str, Any]:
    """Writes the vectors of one sample, then the manifest with a checksum of every file.

    Args:
        folder: of the bundle.
        manifest: gets "sha256".
        files: of the bundle, in the order of the manifest.
        vectors: every input and intermediate result of a sample, to check a deployment against.
    """
    save_file(_plain(vectors), folder / VECTORS)
    manifest["sha256"] = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in files}
    write_json_atomically(folder / "manifest.json", manifest)
    return manifest


def write_joint(
    folder: Path,
    head: nn.Module,
    inputs: Mapping[str, Tensor],
    rows: Mapping[str, int],
    logits: Tensor,
    follows: Mapping[str, str],
    shown: Mapping[str, Tensor] | None = None,
) -> list[str]:
    """Writes an ordinary half as it follows a spiking half in integers: real-valued and in 8 bits, with joint vectors.

    Args:
        folder: where ``head.onnx``, ``head_int8.onnx`` and ``joint.safetensors`` go.
        head: takes the inputs in their order.
        inputs: of all samples; all of them calibrate the 8-bit half.
        rows: input -> how many rows of it belong to one sample; 1 where left out.
        logits: what the real-valued half gives for them.
        follows: input -> readout of the spiking half that it is.
        shown: more tensors for the vectors.

    Returns:
        names of the files.

    Raises:
        ImportError: if onnxruntime, which quantises, is not installed.
    """
    from spikelab.models.int8 import quantise_onnx, run_onnx

    first = {name: value[: rows.get(name, 1)] for name, value in inputs.items()}
    write_onnx(head, folder / HEAD, first)
    quantise_onnx(folder / HEAD, folder / "head_int8.onnx", inputs, len(logits))
    answered = run_onnx(folder / "head_int8.onnx", inputs, len(logits))
    vectors = {**inputs, **(shown or {}), "logits": logits, "logits_int8": answered}
    save_file(_plain(vectors), folder / JOINT, metadata=dict(follows))
    return [HEAD, "head_int8.onnx", JOINT]


def _plain(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    # a file may not hold two names for one memory
    return {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
