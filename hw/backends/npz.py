"""Integer graphs as plain numpy arrays and a JSON document that says in words and equations how to compute with them.

For FPGAs, other simulators, and anything that has no format of its own: ``net.npz`` holds every array in the narrowest
type, ``net.json`` everything else.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from spikelab.hw.backends.backend import Backend
from spikelab.hw.backends.fields import Fields, FileProblem, read_fields
from spikelab.hw.backends.graph_description import FORMAT, describe
from spikelab.hw.backends.graph_reading import check_format, graph_from
from spikelab.hw.backends.integer_arrays import MOST_NUMBERS, read_arrays, write_arrays
from spikelab.hw.backends.vectors import compare_runs
from spikelab.hw.backends.verification import Verification
from spikelab.hw.equal_graphs import equal_graphs
from spikelab.hw.integer import simulate
from spikelab.hw.ir import IntegerGraph
from spikelab.io.atomic import write_json_atomically

__all__ = ["FileProblem", "equal_graphs", "read_npz", "verify_npz", "write_npz"]


def write_npz(path: str | Path, graph: IntegerGraph, name: str = "net") -> dict[str, Path]:
    """Writes a graph; ``read_npz`` gives it back.

    Args:
        path: a folder (made if it is missing), or a file that ends in .npz or .json; the other lies beside it.
        graph: what to write.
        name: of the files in a folder, without ending.

    Returns:
        "npz" and "json" -> the files.

    Raises:
        ValueError: if a neuron is not registered, and so could not be read.
        OSError: as the operating system reports it.
    """
    document, arrays = describe(graph)
    files = _files(Path(path), name)
    files["npz"].parent.mkdir(parents=True, exist_ok=True)
    # the document last: until it is there, the old one names the sum of the old arrays, and a mixture is noticed
    described = write_arrays(files["npz"], arrays)
    write_json_atomically(files["json"], {**document, "arrays": described})
    return files


def read_npz(path: str | Path, most: int = MOST_NUMBERS) -> IntegerGraph:
    """Reads a graph.

    Args:
        path: the .json, the .npz beside it, or a folder that holds one such pair.
        most: numbers in all arrays together; a file with more is refused before memory is taken.

    Raises:
        FileProblem: names the file and the field that is not as it should be; a neuron whose equations differ from
            the registered ones, with the line.
    """
    document = _document(Path(path))
    check_format(document)
    return graph_from(document, read_arrays(document.path.parent, document.object("arrays"), most))


def verify_npz(path: str | Path, graph: IntegerGraph, inputs: Mapping[str, np.ndarray]) -> Verification:
    """Reads a graph back, runs it and compares every message and state at every step.

    Args:
        path: as for ``read_npz``.
        graph: what was written.
        inputs: input -> messages [T, B, *shape].
    """
    found = read_npz(path)
    different = equal_graphs(graph, found)
    steps = next(iter(inputs.values())).shape[0] * next(iter(inputs.values())).shape[1] if inputs else 0
    if different:
        return Verification(False, steps, 0, f"the graphs differ: {different[0]}")
    return compare_runs(simulate(graph, inputs, record=True), simulate(found, inputs, record=True))


def _files(path: Path, name: str) -> dict[str, Path]:
    if path.suffix in (".npz", ".json"):
        return {"npz": path.with_suffix(".npz"), "json": path.with_suffix(".json")}
    if Path(name).name != name:
        raise ValueError(f"name = {name!r}: must be the name of a file without a folder")
    return {"npz": path / f"{name}.npz", "json": path / f"{name}.json"}


def _document(path: Path) -> Fields:
    if not path.is_dir():
        return read_fields(path.with_suffix(".json"))
    pairs = [file for file in sorted(path.glob("*.json")) if file.with_suffix(".npz").is_file()]
    graphs = [fields for fields in map(read_fields, pairs) if fields.has("format") and fields.get("format") == FORMAT]
    if len(graphs) != 1:
        found = ", ".join(fields.path.name for fields in graphs) or "none"
        raise FileProblem(f"{path}: holds {found}; give the path of one .json of a {FORMAT} with its .npz")
    return graphs[0]


def _write(folder: Path, graph: IntegerGraph, inputs: Mapping[str, np.ndarray]) -> dict[str, list[str]]:
    return {"files": [path.name for path in write_npz(folder, graph).values()]}


def _verify(folder: Path, graph: IntegerGraph, inputs: Mapping[str, np.ndarray]) -> Verification:
    return verify_npz(folder / "net.npz", graph, inputs)


NPZ = Backend("npz", "plain arrays with a document", "", _write, _verify)
