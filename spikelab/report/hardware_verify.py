"""The `spikelab verify` command: runs what was exported and compares every step with the simulator."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from spikelab import registry
from spikelab.hw.backends.npz import read_npz
from spikelab.hw.backends.vectors import read_vectors, verify_vectors
from spikelab.hw.ir import IntegerGraph
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
        raise VerificationError(f"{folder}: not the folder of an export for hardware (it has no {MANIFEST})")
    try:
        manifest = json.loads(path.read_text())
        assert manifest["format"] == FORMAT
        assert manifest["format_version"] == 1, f"format_version {manifest['format_version']}, known is 1"
        sums, artefacts = manifest["sha256"], manifest["artefacts"]
        assert all(isinstance(key, str) and isinstance(value, str) for key, value in sums.items())
        assert all(name in registry.names("backends") for name in artefacts)
        assert all(isinstance(manifest["input"][key], list) for key in ("shape", "range"))
        assert all({"name", "population", "value", "steps_late", "unit", "rest"} <= set(o) for o in manifest["outputs"])
        # a manifest may not point out of its folder
        assert all(not Path(name).is_absolute() and ".." not in Path(name).parts for name in sums)
    except (ValueError, KeyError, AssertionError, AttributeError, TypeError) as error:
        raise VerificationError(f"{path}: is damaged ({type(error).__name__}: {error})") from error
    return dict(manifest)
