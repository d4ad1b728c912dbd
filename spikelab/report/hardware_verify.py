"""The `spikelab verify` command: runs what was exported and compares every step with the simulator."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from spikelab import registry
from spikelab.hw.backends.npz import read_npz
from spikelab.hw.backends.vectors import read_vectors, verify_vectors
from spikelab.hw.ir import IntegerGraph
from spikelab.models.hybrid_export import BUNDLE
from spikelab.report.hardware_bundle import JOINT, verify_ordinary_half
from spikelab.report.hardware_export import FORMAT, MANIFEST
from spikelab.settings_hardware import Verify


class VerificationError(ValueError):
    """An exported folder that is damaged, or whose artefact computes something else."""


def verify(settings: Verify) -> dict[str, Any]:
    """Checks sums of files, the test vectors, and each artefact.

    Returns:
        `checks`: what was run -> equal, steps, numbers compared; all are equal.

    Raises:
        VerificationError: if the folder is damaged or something differs; names file, population, step and neuron.
    """
    folder = Path(settings.run)
    manifest = _manifest(folder)
    wrong = []
    for name, expected in manifest["sha256"].items():
        path = folder / name
        if not path.is_file():
            wrong.append(f"{path}: is missing")
        elif hashlib.sha256(path.read_bytes()).hexdigest() != expected:
            wrong.append(f"{path}: is not the file that was exported (its sum differs)")
    if wrong:
        raise VerificationError("; ".join(wrong))
    graph, vectors = read_npz(folder / "net.json"), read_vectors(folder)
    if contradictions := _contradictions(manifest, graph):
        raise VerificationError(f"{folder / MANIFEST}: {'; '.join(contradictions)}")
    checks = {"vectors": verify_vectors(graph, vectors)}
    for name, files in manifest["artefacts"].items():
        if files:
            backend = registry.load("backends", name)
            options = {"compiler": settings.compiler} if backend.compiles else {}
            checks[name] = backend.verify(folder, graph, vectors.inputs, **options)
    if JOINT in manifest["sha256"]:
        steps = int(manifest["input"]["steps"])
        checks["ordinary_half"] = verify_ordinary_half(folder, manifest["outputs"], steps, vectors)
    different = [f"{name}: {check.first_difference}" for name, check in checks.items() if not check.equal]
    if different:
        raise VerificationError(f"{folder}: differs from the simulator: {'; '.join(different)}")
    return {
        "folder": str(folder),
        "files": len(manifest["sha256"]),
        "checks": {
            name: {"equal": check.equal, "steps": check.steps, "numbers_compared": check.compared}
            for name, check in checks.items()
        },
    }


def _contradictions(manifest: dict[str, Any], graph: IntegerGraph) -> list[str]:
    """What the manifest says otherwise than the graph."""
    (given,) = graph.inputs.values()
    said, found = manifest["input"], []
    if said["shape"] != list(given.shape) or said["range"] != [given.low, given.high]:
        found.append(f"input of shape {said['shape']} and range {said['range']}, the network has {list(given.shape)}")
    wanted = {o.name: (o.population, o.value, o.lag) for o in graph.outputs}
    listed = {o["name"]: (o["population"], o["value"], o["steps_late"]) for o in manifest["outputs"]}
    if wanted != listed:
        found.append(f"outputs {listed}, the network has {wanted}")
    for output in manifest["outputs"]:
        units = [float(unit) for unit in graph.population(output["population"]).scale]
        if output["population"] in {p.name for p in graph.populations} and output["unit"] != units:
            found.append(f"output {output['name']!r} has other units than the network")
    return found


def _manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    if not path.is_file():
        nir = sorted(each.name for each in folder.glob("*.nir"))
        if nir:
            raise VerificationError(_is_nir(folder, nir))
        raise VerificationError(f"{folder}: not the folder of an export for hardware (it has no {MANIFEST})")
    try:
        manifest = json.loads(path.read_text())
    except ValueError as error:
        raise VerificationError(f"{path}: is damaged (no JSON: {error})") from error
    if isinstance(manifest, dict) and manifest.get("format") == BUNDLE:
        files = manifest.get("sha256")
        raise VerificationError(_is_nir(folder, list(files) if isinstance(files, dict) else [MANIFEST]))
    reason = _fault(manifest)
    if reason:
        raise VerificationError(f"{path}: is damaged ({reason})")
    return dict(manifest)


def _is_nir(folder: Path, files: Sequence[str]) -> str:
    return (
        f"{folder}: holds an export for other simulators ({', '.join(files)}), of which there is no form in integers; "
        "verify compares exports for hardware with the simulator: export with --format bundle, c99, netx or npz, and "
        "verify that folder"
    )


def _fault(manifest: Any) -> str:
    """Why this is not the manifest of an export for hardware; "" if it is one."""
    if not isinstance(manifest, dict):
        return "it is no JSON object"
    if manifest.get("format") != FORMAT:
        return f"format is {manifest.get('format')!r}, must be {FORMAT!r}"
    if manifest.get("format_version") != 1:
        return f"format_version is {manifest.get('format_version')!r}, known is 1"
    kinds = {"sha256": dict, "artefacts": dict, "input": dict, "outputs": list}
    for key, kind in kinds.items():
        if not isinstance(manifest.get(key), kind):
            return f"{key} is {'no list' if kind is list else 'no object'}"
    for name, total in manifest["sha256"].items():
        if not isinstance(total, str):
            return f"sha256 of {name} is no text"
        # a manifest may not point out of its folder
        if Path(name).is_absolute() or ".." in Path(name).parts:
            return f"sha256 names {name}, which lies outside of its folder"
    for name, files in manifest["artefacts"].items():
        if name not in registry.names("backends"):
            return f"artefact {name!r} is unknown; known are {', '.join(registry.names('backends'))}"
        if not isinstance(files, list):
            return f"artefact {name!r} has no list of files"
    for key in ("shape", "range"):
        if not isinstance(manifest["input"].get(key), list):
            return f"input.{key} is no list"
    wanted = {"name", "population", "value", "steps_late", "unit", "rest"}
    for place, output in enumerate(manifest["outputs"]):
        if not isinstance(output, dict) or not wanted <= set(output):
            return f"outputs[{place}] must have {', '.join(sorted(wanted))}"
        if not isinstance(output["unit"], list):
            return f"outputs[{place}].unit is no list"
    return _fault_of_joint(manifest)


def _fault_of_joint(manifest: dict[str, Any]) -> str:
    steps = manifest["input"].get("steps")
    if JOINT in manifest["sha256"] and (type(steps) is not int or steps < 1):
        return f"input.steps is {steps!r}, must be a whole number of at least 1"
    return ""
