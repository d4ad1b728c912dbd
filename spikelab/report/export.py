"""The `spikelab export` command: NIR for other simulators; everything else is for hardware."""

from pathlib import Path
from typing import Any

import nir
import torch

from spikelab.hw.lower import nir_input_shape
from spikelab.hw.quantised_model import real_model, spiking_part
from spikelab.io.nir_read import from_nir, read_nir
from spikelab.io.nir_readers import known_readers
from spikelab.io.nir_save import write_nir
from spikelab.io.nir_write import to_nir
from spikelab.learn.restore import load_run
from spikelab.nn import Network, Neuron, rate_code
from spikelab.report.deployment import default_folder
from spikelab.settings_hardware import Export


def export(settings: Export) -> dict[str, Any]:
    """Write a network for other tools, or for hardware.

    Returns:
        `files`: what was written, and figures about it.

    Raises:
        RunError: If the run is not there.
        CheckpointError: If its checkpoint is damaged or does not fit.
        CannotExport: If something has no NIR form; lists everything.
        LoweringError: If something has no integer form; lists everything.
    """
    if settings.format == "nir":
        return export_nir(settings)
    from spikelab.report.hardware_export import export_for_hardware

    return export_for_hardware(settings)


def export_nir(settings: Export) -> dict[str, Any]:
    """Write a NIR file; a hybrid model writes its ordinary half beside it.

    Returns:
        `files`; `manifest` of a hybrid model; `readers`: simulator -> "ok", or why it is not known to read the file;
        `read_back`: how the file, read and run again, agrees with the network on random spikes.
    """
    folder = Path(settings.folder) if settings.folder else default_folder(settings, "export")
    if Path(settings.run).suffix == ".nir":
        graph, network = read_nir(settings.run), None
    else:
        run = load_run(settings.run, settings.checkpoint)
        # NIR holds the real numbers, also of a run that was trained in integers
        model: Any = real_model(run.model, run.sample_shapes) if run.settings.quantise.bits else run.model
        if hasattr(model, "export"):
            height, width = run.sample_shapes["frame" if "frame" in run.sample_shapes else "image"][-2:]
            manifest = model.export(folder, settings.height or height, settings.width or width)
            return {"files": [str(folder / n) for n in [*manifest["sha256"], "manifest.json"]], "manifest": manifest}
        part = spiking_part(model, run.sample_shapes)
        with part.with_remedy():
            graph = to_nir(part.network, part.input_shape, settings.nir_form, settings.subtractive_reset, part.outputs)
        network = part.network
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "network.nir"
    write_nir(path, graph, settings.legacy)
    found: dict[str, Any] = {"files": [str(path)], "readers": known_readers(graph, settings.dt)}
    return found | ({} if network is None else {"read_back": _read_back(path, network, graph, settings)})


def _read_back(path: Path, network: Network, graph: nir.NIRGraph, settings: Export) -> dict[str, Any]:
    """What the file gives beside the network on random spikes: a check of what was written, not of the task."""
    again = from_nir(path, settings.dt)
    generator = torch.Generator().manual_seed(0)
    rate = torch.full((4, *nir_input_shape(graph)), max(settings.input_rate, 0.3))
    x = rate_code(rate, settings.steps, generator)
    wanted, found = network.evaluate(x), again.evaluate(x)
    layers = {name: node for name, node in network.nodes.items() if isinstance(node, Neuron)}
    spiking = [name for name, node in layers.items() if node.spec.spikes]
    equal = {name: float((wanted[name] == found[name]).double().mean()) for name in spiking}
    largest = {name: float((wanted[name] - found[name]).abs().max()) for name in layers if name not in equal}
    return {"steps": settings.steps, "equal_spikes": equal, "largest_difference_of_readouts": largest}
