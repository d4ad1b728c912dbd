"""The `spikelab export` command for hardware: artefacts, the proof that they compute the same, and a report."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from spikelab import __version__, registry
from spikelab.hw.agreement import both_runs, compare_layers, first_disagreement
from spikelab.hw.backends.backend import Backend
from spikelab.hw.backends.npz import write_npz
from spikelab.hw.backends.vectors import write_vectors
from spikelab.hw.energy import TABLES, modelled_energy, operation_counts
from spikelab.hw.limits import check_limits
from spikelab.hw.lower import Lowered
from spikelab.io.atomic import write_json_atomically
from spikelab.nn.network import INPUT
from spikelab.report.deployment import Deployed, default_folder, deploy
from spikelab.report.hardware_map import draw_map, placed
from spikelab.report.hardware_page import write_page
from spikelab.settings_hardware import Export

MANIFEST = "manifest.json"


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
    folder.mkdir(parents=True, exist_ok=True)
    inputs = {INPUT: _with_rest(deployed, settings.vectors)}
    files = [*write_npz(folder, deployed.lowered.graph).values()]
    files += [*write_vectors(folder, deployed.lowered.graph, inputs).values()]
    report = describe(deployed)
    report["artefacts"] = {}
    for backend in backends:
        report["artefacts"][backend.name] = _write(backend, folder, deployed, inputs, settings)
        files += [folder / name for name in report["artefacts"][backend.name].get("files", [])]
    if settings.format == "bundle":
        from spikelab.report.hardware_bundle import write_ordinary_half

        files += write_ordinary_half(deployed, settings, folder, report)
    if deployed.target is not None:
        files.append(draw_map(deployed, folder))
    write_json_atomically(folder / "report.json", report)
    write_page(folder, report)
    files = list(dict.fromkeys([*files, folder / "report.json", folder / "report.html"]))
    _write_manifest(folder, deployed, report, files)
    return {**report, "files": [str(path) for path in [*files, folder / MANIFEST]]}


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


def describe(deployed: Deployed) -> dict[str, Any]:
    """Everything that is known of a network in integers before it is written."""
    lowered = deployed.lowered
    graph, inputs = lowered.graph, {INPUT: lowered.quantisation.messages(deployed.x)}
    counts = operation_counts(graph, inputs)
    real, integer = both_runs(lowered, deployed.network, deployed.x)
    found: dict[str, Any] = {
        "spikelab": __version__,
        "source": deployed.name,
        "profile": deployed.profile,
        "target": deployed.target.name if deployed.target else None,
        "bits": lowered.quantisation.bits,
        "scale": lowered.quantisation.scale,
        "time_step_seconds": graph.dt,
        "notes": lowered.notes,
        "populations": _populations(lowered),
        "agreement": [layer.to_dict() for layer in compare_layers(lowered, real, integer)],
        "first_difference": first_disagreement(real, integer),
        "limits": [asdict(violation) for violation in check_limits(graph, inputs)],
        "operations": {"samples": counts.samples, "steps": counts.steps, "per_sample": counts.per_sample()},
        "energy": {name: modelled_energy(counts, name) for name in TABLES},
    }
    if deployed.target is not None:
        found["placement"] = placed(deployed).report()
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
                "unit": float(np.mean(lowered.units[p.name])),
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
            "format": "spikelab hardware export",
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
            },
            "outputs": outputs,
            "artefacts": {name: artefact.get("files", []) for name, artefact in report["artefacts"].items()},
            "sha256": {
                path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files
            },
        },
    )
