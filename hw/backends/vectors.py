"""Test vectors: inputs with every message and state that the simulator gave, to test other implementations against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from spikelab.hw.backends.fields import read_fields
from spikelab.hw.backends.integer_arrays import MOST_NUMBERS, read_arrays, write_arrays
from spikelab.hw.backends.verification import Verification
from spikelab.hw.integer import IntegerRun, simulate
from spikelab.hw.ir import IntegerGraph
from spikelab.io.atomic import write_json_atomically

FORMAT = "spikelab integer test vectors"
VERSION = 1


@dataclass(frozen=True)
class Vectors:
    """A recorded run from a fresh start.

    Attributes:
        inputs: input -> messages [T, B, *shape].
        messages: population -> what it sent [T, B, *shape].
        states: population -> state -> its value at the end of each step [T, B, *shape].
    """

    inputs: dict[str, np.ndarray]
    messages: dict[str, np.ndarray]
    states: dict[str, dict[str, np.ndarray]]


def write_vectors(
    path: str | Path, graph: IntegerGraph, inputs: Mapping[str, np.ndarray], name: str = "vectors"
) -> dict[str, Path]:
    """Runs a graph and writes what went in and what happened.

    Args:
        path: a folder (made if it is missing).
        graph: the network.
        inputs: input -> messages [T, B, *shape].
        name: of the files, without ending.

    Returns:
        "npz" and "json" -> the files.

    Raises:
        OSError: as the operating system reports it.
    """
    folder = Path(path)
    folder.mkdir(parents=True, exist_ok=True)
    run = simulate(graph, inputs, record=True)
    arrays: dict[str, np.ndarray] = {}

    def kept(key: str, values: np.ndarray) -> str:
        arrays[key] = values
        return key

    document: dict[str, Any] = {
        "format": FORMAT,
        "format_version": VERSION,
        "axes": "all arrays are [steps, samples, *shape of the population]; states are those at the end of a step",
        "inputs": {n: kept(f"input_{k}", v) for k, (n, v) in enumerate(inputs.items())},
        "messages": {n: kept(f"message_{k}", v) for k, (n, v) in enumerate(run.messages.items())},
        "states": {
            n: {s: kept(f"state_{k}_{s}", v) for s, v in states.items()}
            for k, (n, states) in enumerate(run.states.items())
        },
    }
    files = {"npz": folder / f"{name}.npz", "json": folder / f"{name}.json"}
    described = write_arrays(files["npz"], arrays)
    write_json_atomically(files["json"], {**document, "arrays": described})
    return files


def read_vectors(path: str | Path, most: int = MOST_NUMBERS) -> Vectors:
    """Reads test vectors.

    Args:
        path: the .json or the .npz beside it, or a folder with ``vectors.json``.
        most: numbers in all arrays together; a file with more is refused before memory is taken.

    Raises:
        FileProblem: names the file and the field that is not as it should be.
    """
    given = Path(path)
    document = read_fields(given / "vectors.json" if given.is_dir() else given.with_suffix(".json"))
    if document.get("format") != FORMAT:
        raise document.problem("format", document.get("format"), repr(FORMAT))
    if document.whole("format_version") != VERSION:
        raise document.problem("format_version", document.get("format_version"), str(VERSION))
    arrays = read_arrays(document.path.parent, document.object("arrays"), most)

    def named(fields: Any) -> dict[str, np.ndarray]:
        return {name: arrays[fields.one_of(name, list(arrays))] for name in fields.names()}

    states = document.object("states")
    return Vectors(
        named(document.object("inputs")),
        named(document.object("messages")),
        {name: named(states.object(name)) for name in states.names()},
    )


def verify_vectors(graph: IntegerGraph, vectors: Vectors) -> Verification:
    """Runs a graph on recorded inputs and compares every message and state at every step."""
    return compare_runs(vectors, simulate(graph, vectors.inputs, record=True))


def compare_runs(first: IntegerRun | Vectors, second: IntegerRun | Vectors) -> Verification:
    """Compares every message and state of two runs at every step.

    Returns:
        the earliest difference: its step, population, sample, neuron, and the values of the first and the second run.
    """
    values = {"first": _flat(first), "second": _flat(second)}
    compared, earliest, where = 0, -1, ""
    shapes = [array.shape for array in values["first"].values()]
    steps = shapes[0][0] * shapes[0][1] if shapes else 0
    if problem := _shape_problem(*values.values()):
        return Verification(False, steps, 0, problem)
    for (population, value), a in values["first"].items():
        b = values["second"][population, value]
        compared += a.size
        wrong = (a != b).reshape(len(a), -1).any(1)
        if wrong.any() and (earliest < 0 or int(wrong.argmax()) < earliest):
            earliest = int(wrong.argmax())
            sample, *neuron = map(int, np.argwhere(a[earliest] != b[earliest])[0])
            at = (earliest, sample, *neuron)
            where = (
                f"population {population!r}, step {earliest}, sample {sample}, neuron {neuron}, {value}: "
                f"{a[at]} and {b[at]}"
            )
    return Verification(earliest < 0, steps, compared, where)


def _flat(run: IntegerRun | Vectors) -> dict[tuple[str, str], np.ndarray]:
    found: dict[tuple[str, str], np.ndarray] = {}
    for name, messages in run.messages.items():
        # states of a step are worked out before its message
        found |= {(name, state): values for state, values in run.states.get(name, {}).items()}
        found[name, "message"] = messages
    return found


def _shape_problem(first: Mapping[Any, np.ndarray], second: Mapping[Any, np.ndarray]) -> str:
    for name, value in [*first, *second]:
        shapes = [list(run[name, value].shape) if (name, value) in run else None for run in (first, second)]
        if shapes[0] != shapes[1]:
            return f"population {name!r}, {value}: shapes {shapes[0]} and {shapes[1]}"
    return ""
