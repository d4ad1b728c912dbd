"""The `spikelab export` command for hardware: artefacts, the proof that they compute the same, and a report."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from spikelab import __version__, registry
from spikelab.hw.agreement import LayerAgreement, both_runs, compare_layers, first_disagreement, silent_layers
from spikelab.hw.backends.backend import Backend
from spikelab.hw.backends.c99.size import firmware_size
from spikelab.hw.backends.npz import write_npz
from spikelab.hw.backends.vectors import write_vectors
from spikelab.hw.chip_map import draw_chip_map
from spikelab.hw.energy import TABLES, modelled_energy, operation_counts
from spikelab.hw.limits import check_limits
from spikelab.hw.lower import Lowered
from spikelab.hw.place import Placement
from spikelab.io.atomic import write_json_atomically
from spikelab.nn.network import INPUT
from spikelab.report.deployment import Deployed, default_folder, deploy
from spikelab.report.hardware_map import placed
from spikelab.report.hardware_page import write_page
from spikelab.settings_hardware import Export

MANIFEST, FORMAT = "manifest.json", "spikelab hardware export"


def export_for_hardware(settings: Export) -> dict[str, Any]:
    """Lowers, writes, runs what was written, and reports.

    Args:
        settings: with a format other than "nir".

    Returns:
        what `report.json` holds, and `files`.

    Raises:
        LoweringError: lists everything that has no integer form; nothing is written then.
        ValueError: with everything that the format cannot hold.
    """
    wanted = registry.names("backends") if settings.format == "bundle" else [settings.format]
    backends: list[Backend] = [registry.load("backends", name) for name in wanted]
    needed = {backend.profile for backend in backends if backend.profile and settings.format != "bundle"}
    deployed = deploy(settings, needed.pop() if needed else "")
    folder = Path(settings.folder) if settings.folder else default_folder(settings, "export")
    _clear(folder)
    folder.mkdir(parents=True, exist_ok=True)
    inputs = {INPUT: _with_rest(deployed, settings.vectors or 2)}
    files = [*write_npz(folder, deployed.lowered.graph).values()]
    files += [*write_vectors(folder, deployed.lowered.graph, inputs).values()]
    placement = placed(deployed) if deployed.target else None
    report = describe(deployed, placement)
    report["artefacts"] = {}
    for backend in backends:
        report["artefacts"][backend.name] = _write(backend, folder, deployed, inputs, settings)
        files += [folder / name for name in report["artefacts"][backend.name].get("files", [])]
    if settings.format == "bundle":
        from spikelab.report.hardware_bundle import write_ordinary_half

        files += write_ordinary_half(deployed, settings, folder, report)
    if placement is not None:
        files.append(draw_chip_map(placement, folder / "chip_map.png"))
        report["firmware"] = _firmware(deployed, report["artefacts"].get("c99"), folder)
    write_json_atomically(folder / "report.json", report)
    write_page(folder, report)
    files = list(dict.fromkeys([*files, folder / "report.json", folder / "report.html"]))
    _write_manifest(folder, deployed, report, files)
    return {**report, "files": [str(path) for path in [*files, folder / MANIFEST]]}


def _clear(folder: Path) -> None:
    """Takes an earlier export out of a folder, so that two do not mix.

    Raises:
        ValueError: if a file of it was changed since; nothing is removed then.
    """
    manifest = folder / MANIFEST
    if not manifest.is_file():
        return
    try:
        earlier = json.loads(manifest.read_text())
        sums = dict(earlier["sha256"]) if earlier["format"] == FORMAT else {}
    except (ValueError, KeyError, TypeError):
        raise ValueError(f"{manifest}: is of something else; choose another folder") from None
    files = {folder / name: expected for name, expected in sums.items() if (folder / name).is_file()}
    for path, expected in files.items():
        if hashlib.sha256(path.read_bytes()).hexdigest() != expected:
            raise ValueError(f"{path}: was changed since it was exported; move it away, or choose another folder")
    for path in (*files, manifest):
        path.unlink()


def _with_rest(deployed: Deployed, samples: int) -> np.ndarray:
    """Messages [T + longest lag, samples, ...]: the last outputs come that much later."""
    messages = deployed.lowered.quantisation.messages(deployed.x[:, :samples])
    late = max(deployed.lowered.lag.values(), default=0)
    return np.concatenate([messages, np.zeros((late, *messages.shape[1:]), np.int64)])


def _write(
    backend: Backend, folder: Path, deployed: Deployed, inputs: dict[str, np.ndarray], settings: Export
) -> dict[str, Any]:
    graph = deployed.lowered.graph
    if backend.profile and backend.profile != deployed.profile:
        return {"files": [], "not_written": f"needs the arithmetic {backend.profile}, this is {deployed.profile}"}
    try:
        said = backend.write(folder, graph, inputs)
    except ValueError as error:
        if settings.format != "bundle":
            raise
        return {"files": [], "not_written": str(error)}
    checked = backend.verify(folder, graph, inputs)
    return {
        **said,
        "verified": checked.equal, "steps": checked.steps, "numbers_compared": checked.compared,
        "first_difference": checked.first_difference,
    }  # fmt: skip


def _firmware(deployed: Deployed, artefact: dict[str, Any] | None, folder: Path) -> dict[str, Any] | None:
    """Flash and RAM of what was written beside what a microcontroller has; None for another target."""
    target = deployed.target
    if artefact is None or "flash" not in artefact or target is None or "flash" not in target.resources:
        return None
    flash, source = int(artefact["flash"]["bytes"]), "tables only; no arm-none-eabi-gcc here to compile the code"
    if shutil.which("arm-none-eabi-gcc"):
        # the smallest core's code is the largest
        flash, source = (
            firmware_size(folder, core="cortex-m0", level="-Os")["flash_bytes"],
            "compiled for Cortex-M0, -Os",
        )
    ram, has = int(artefact["ram"]["bytes"]), {name: target.largest(name).most for name in ("flash", "ram")}
    return {
        "flash_bytes": flash, "flash_from": source, "flash_of_target": has["flash"], "state_bytes": ram,
        "ram_of_target": has["ram"], "fits": flash <= has["flash"] and ram <= has["ram"],
        "left_out": "stack, and the program around the network",
    }  # fmt: skip


def describe(deployed: Deployed, placement: Placement | None) -> dict[str, Any]:
    """Everything that is known of a network in integers before it is written."""
    lowered = deployed.lowered
    graph, inputs = lowered.graph, {INPUT: lowered.quantisation.messages(deployed.x)}
    counts = operation_counts(graph, inputs)
    real, integer = both_runs(lowered, deployed.network, deployed.x)
    layers = compare_layers(lowered, real, integer)
    found: dict[str, Any] = {
        "spikelab": __version__,
        "source": deployed.name,
        "profile": deployed.profile,
        "target": deployed.target.name if deployed.target else None,
        "bits": lowered.quantisation.bits,
        "scale": lowered.quantisation.scale,
        "time_step_seconds": graph.dt,
        "encoding": deployed.encoding,
        "decoding": deployed.decoding,
        "notes": lowered.notes,
        "populations": _populations(lowered),
        "agreement": [layer.to_dict() for layer in layers],
        "first_difference": first_disagreement(real, integer),
        "limits": [asdict(violation) for violation in check_limits(graph, inputs)],
        "operations": {"samples": counts.samples, "steps": counts.steps, "per_sample": counts.per_sample()},
        "energy": {name: modelled_energy(counts, name) for name in TABLES},
    }
    found["warnings"] = _warnings(deployed, layers)
    if placement is not None:
        found["placement"] = placement.report()
    return found


def _warnings(deployed: Deployed, layers: Sequence[LayerAgreement]) -> list[str]:
    """What a reader of the figures must know first."""
    found = []
    spiking = [layer for layer in layers if layer.spikes]
    if spiking and not any(layer.rate or layer.integer_rate for layer in spiking):
        remedy = "use more steps or a higher input_rate" if deployed.run is None else "look at the data"
        remedy += (
            "; a file of a simulator without time steps needs --input_form impulse" if deployed.run is None else ""
        )
        found.append(f"no neuron spiked, so that equal spikes prove nothing: {remedy}")
    else:
        found += silent_layers(layers)
    trained = deployed.run.settings.quantise if deployed.run else None
    if trained is None or not trained.bits:
        return found
    found.append(
        "the run was trained in integers: its weights before rounding, which layers are compared with here, were never "
        "meant to run; spikelab eval judges the integers"
    )
    if (trained.bits, trained.profile) != (deployed.lowered.quantisation.bits, deployed.profile):
        found.append(
            f"it was trained with {trained.bits} bits in the arithmetic {trained.profile}, this is "
            f"{deployed.lowered.quantisation.bits} bits in {deployed.profile}: judge it with spikelab quantise"
        )
    return found


def _populations(lowered: Lowered) -> list[dict[str, Any]]:
    rows = []
    for p in lowered.graph.populations:
        into = lowered.graph.into(p.name)
        rows.append(
            {
                "name": p.name,
                "neuron": p.neuron.name,
                "shape": list(p.shape),
                "neurons": p.size,
                "weights": sum(int(c.weights.weight.size) for c in into),
                "steps_late": lowered.lag[p.name],
                "mean_real_value_of_one_unit": float(np.mean(lowered.units[p.name])),
            }
        )
    return rows


def _rest_potential(deployed: Deployed, population: str) -> float | list[float]:
    """From where a membrane is counted, in the network's units."""
    real = next(p for p in deployed.lowered.real.populations if p.name == population)
    values = real.form.rest.reshape(-1).tolist()
    return float(values[0]) if len(values) == 1 else [float(value) for value in values]


def _write_manifest(folder: Path, deployed: Deployed, report: dict[str, Any], files: list[Path]) -> None:
    quantisation = deployed.lowered.quantisation
    outputs = []
    for output in deployed.lowered.graph.outputs:
        units = deployed.lowered.units[output.population]
        outputs.append(
            {
                "name": output.name,
                "population": output.population,
                "value": output.value,
                "steps_late": output.lag,
                "unit": [float(unit) for unit in units],
                "rest": _rest_potential(deployed, output.population),
            }
        )
    write_json_atomically(
        folder / MANIFEST,
        {
            "format": FORMAT,
            "format_version": 1,
            "spikelab": __version__,
            "source": deployed.name,
            "profile": deployed.profile,
            "target": deployed.target.name if deployed.target else None,
            "input": {
                "shape": list(deployed.input_shape),
                "range": list(quantisation.input_range),
                "real_value_of_one": quantisation.input_scale,
                "steps": len(deployed.x),
                "encoding": deployed.encoding,
            },
            "outputs": outputs,
            "decoding": deployed.decoding,
            "artefacts": {name: artefact.get("files", []) for name, artefact in report["artefacts"].items()},
            "sha256": {
                path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files
            },
        },
    )
