"""The ordinary half of a hybrid model, beside the spiking half on event hardware."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file

from spikelab.hw.backends.vectors import Vectors
from spikelab.hw.backends.verification import Verification
from spikelab.hw.training import simulated_outputs
from spikelab.io.nir_save import write_nir
from spikelab.io.nir_write import CannotExport, to_nir
from spikelab.models.int8 import run_onnx
from spikelab.report.deployment import Deployed, samples
from spikelab.settings_hardware import Export

JOINT = "joint.safetensors"


def write_ordinary_half(deployed: Deployed, settings: Export, folder: Path, report: dict[str, Any]) -> list[Path]:
    """Writes the NIR file, and of a hybrid model its ordinary half with vectors through both halves.

    Args:
        deployed: the network in integers.
        settings: of the export.
        folder: of the bundle.
        report: gets "ordinary_half".

    Returns:
        the files.
    """
    files = []
    try:
        graph = to_nir(
            deployed.network, deployed.input_shape, settings.nir_form, settings.subtractive_reset, deployed.outputs
        )
        write_nir(folder / "network.nir", graph, settings.legacy)
        files.append(folder / "network.nir")
    except CannotExport as error:
        report["nir_left_out"] = str(error)
    if deployed.run is None or not hasattr(deployed.run.model, "export_joint"):
        return files
    batch = samples(deployed.run, settings, settings.samples)
    outputs = simulated_outputs(deployed.lowered, deployed.x)
    features = {output.name: outputs[output.name][-1] for output in deployed.lowered.graph.outputs}
    model: Any = deployed.run.model
    names = model.export_joint(folder, features, batch)
    joint = load_file(folder / JOINT)
    same = (joint["logits"].argmax(1) == joint["logits_int8"].argmax(1)).double().mean()
    report["ordinary_half"] = {
        "files": names,
        "samples": len(joint["logits"]),
        "same_class_in_8_bits": float(same),
        "takes": {
            output.name: "membrane at the last step, times its unit" for output in deployed.lowered.graph.outputs
        },
    }
    return [*files, *(folder / name for name in names)]


def verify_ordinary_half(folder: Path, outputs: list[dict[str, Any]], steps: int, vectors: Vectors) -> Verification:
    """Follows the joint vectors: what the integer half gave is what the ordinary half took, and it answers as stored.

    Args:
        folder: of the bundle.
        outputs: of the manifest.
        steps: of the input.
        vectors: of the integer half, of the first samples.
    """
    joint, compared = load_file(folder / JOINT), 0
    with safe_open(folder / JOINT, "pt") as file:
        follows = file.metadata() or {}
    of = {output["population"]: output for output in outputs}
    for name, population in follows.items():
        output = of[population]
        state = torch.as_tensor(vectors.states[population][output["value"]][steps - 1 + output["steps_late"]])
        units = torch.tensor(output["unit"], dtype=torch.float64).reshape(-1, *[1] * (state.dim() - 2))
        wanted = (state * units + torch.tensor(output["rest"], dtype=torch.float64)).to(joint[name].dtype)
        compared += wanted.numel()
        if not torch.equal(wanted, joint[name][: len(wanted)]):
            return Verification(False, steps, compared, f"{name}: is not what {population!r} gives at the end")
    inputs = {name: value for name, value in joint.items() if not name.startswith("logits")}
    answered = run_onnx(folder / "head_int8.onnx", inputs, len(joint["logits"]))
    compared += answered.numel()
    largest = float((answered - joint["logits_int8"]).abs().max())
    # processors sum in different orders
    equal = largest <= 1e-3 * float(joint["logits_int8"].abs().max())
    return Verification(
        equal, len(answered), compared, "" if equal else f"head_int8.onnx: logits differ by {largest:g}"
    )
