"""The ordinary half of a hybrid model, beside the spiking half on event hardware."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from spikelab.hw.training import simulated_outputs
from spikelab.io.nir_save import write_nir
from spikelab.io.nir_write import CannotExport, to_nir
from spikelab.report.deployment import Deployed, samples
from spikelab.settings_hardware import Export


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
    report["ordinary_half"] = {
        "files": names,
        "takes": {
            output.name: "membrane at the last step, times its unit" for output in deployed.lowered.graph.outputs
        },
    }
    return [*files, *(folder / name for name in names)]
