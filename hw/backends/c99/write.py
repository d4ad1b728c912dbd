"""Writes a graph as C99."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from spikelab.hw.backends.c99.memory_map import memory_map
from spikelab.hw.backends.c99.plan import make_plan
from spikelab.hw.backends.c99.print_source import print_network
from spikelab.hw.backends.c99.print_test import print_test
from spikelab.hw.ir import IntegerGraph
from spikelab.io.atomic import write_bytes_atomically

#: Steps of the golden vectors that are made where none are given.
_STEPS, _RATE = 20, 0.2


def write_c99(
    folder: str | Path, graph: IntegerGraph, name: str = "net", vectors: Mapping[str, np.ndarray] | None = None
) -> dict[str, Any]:
    """Writes ``NAME.h``, ``NAME.c`` and ``NAME_test.c``.

    Nothing is allocated; all state lies in one struct of the caller's. ``NAME_test.c`` is a program that runs the
    golden vectors and ends with 0 if every step gave what the simulator gave.

    Args:
        folder: made if it is not there.
        graph: the network.
        name: begins all names in C.
        vectors: input -> messages of one sequence [T, *shape], for the test; random ones if None.

    Returns:
        the report: files, flash and RAM in bytes, worst-case operations of a step, types and why.

    Raises:
        C99Error: if the graph cannot be written; names everything that stands against it. No file is made then.
        ValueError: if the vectors do not fit the graph.
    """
    plan = make_plan(graph, name)
    printed = print_network(plan)
    given = _random(graph) if vectors is None else vectors
    test = print_test(plan, {n: np.asarray(v)[:, None] for n, v in given.items()})
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    files = {f"{name}.h": printed.header, f"{name}.c": printed.source, f"{name}_test.c": test}
    for file, text in files.items():
        write_bytes_atomically(folder / file, text.encode())
    return {"files": list(files), **memory_map(plan, printed)}


def _random(graph: IntegerGraph) -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    found = {}
    for name, given in graph.inputs.items():
        messages = random.integers(given.low, given.high, (_STEPS, *given.shape), endpoint=True)
        silent = min(max(given.low, 0), given.high)
        found[name] = np.where(random.random(messages.shape) < _RATE, messages, silent)
    return found
