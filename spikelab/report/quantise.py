"""The `spikelab quantise` command: what fewer bits cost, layer by layer and in accuracy."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from spikelab.hw.agreement import agreement, silent_layers
from spikelab.hw.lower import lower
from spikelab.hw.training import IntegerSteps
from spikelab.io.atomic import write_json_atomically
from spikelab.learn.evaluate import evaluate
from spikelab.learn.loading import EvaluationBatches
from spikelab.learn.restore import open_evaluation_data
from spikelab.report.deployment import Deployed, default_folder, deploy
from spikelab.report.hardware_page import write_quantisation_page
from spikelab.settings import EvaluationData
from spikelab.settings_hardware import QuantiseRun


def quantise(settings: QuantiseRun) -> dict[str, Any]:
    """Quantises after training, once for each number of bits.

    Returns:
        `real`: the task's figures in real numbers; `bits`: number of bits -> `figures` of the task and `layers`, how
        each layer agrees with its real one; `warnings`, of layers that never spike. Without the figures for a NIR file,
        which has no task.

    Raises:
        LoweringError: lists everything that has no integer form.
    """
    deployed = deploy(replace(settings, bits=max(settings.widths)))
    found: dict[str, Any] = {
        "run": settings.run, "profile": deployed.profile, "scale": settings.scale, "split": settings.split,
        "real": _figures(deployed, settings, None), "bits": {}, "warnings": [],
    }  # fmt: skip
    for bits in settings.widths:
        quantisation = replace(deployed.lowered.quantisation, bits=bits)
        profile = deployed.lowered.profile
        given = (deployed.input_shape, deployed.outputs)
        lowered = lower(deployed.network, profile, quantisation, *given, membranes=deployed.membranes)
        steps = IntegerSteps(profile, quantisation, *given, deployed.membranes)
        layers = agreement(lowered, deployed.network, deployed.x)
        found["bits"][str(bits)] = {
            "figures": _figures(deployed, settings, steps),
            "layers": [layer.to_dict() for layer in layers],
        }
        found["warnings"] += [f"{bits} bits: {warning}" for warning in silent_layers(layers)]
    found["notes"] = deployed.lowered.notes
    folder = Path(settings.folder) if settings.folder else default_folder(settings, f"quantise-{deployed.profile}")
    folder.mkdir(parents=True, exist_ok=True)
    write_json_atomically(folder / "report.json", found)
    write_quantisation_page(folder, found)
    return {**found, "files": [str(folder / "report.json"), str(folder / "report.html")]}


def _figures(deployed: Deployed, settings: QuantiseRun, steps: IntegerSteps | None) -> dict[str, Any] | None:
    """How well the whole model does with its spiking part in real numbers, or in integers."""
    if deployed.run is None:
        return None
    data = EvaluationData(split=settings.split, options=settings.data_options)
    _, dataset = open_evaluation_data(deployed.run, data)
    deployed.network.runner = steps
    try:
        figures = evaluate(
            deployed.run.model, deployed.run.task, EvaluationBatches(dataset, settings.split, settings.batch_size)
        )
    finally:
        deployed.network.runner = None
    return {name: value for name, value in figures.items() if isinstance(value, int | float)}
