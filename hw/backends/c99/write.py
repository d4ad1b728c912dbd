"""Writes a graph as C99."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from spikelab.hw.backends.c99.memory_map import memory_map
from spikelab.hw.backends.c99.plan import C99Error, make_plan
from spikelab.hw.backends.c99.print_source import print_network
from spikelab.hw.backends.c99.print_test import leaves_its_range, print_test
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
        C99Error: if the graph cannot be written; names everything that stands against it. Also if the vectors drive a
            value out of the range that is assumed for it. No file is made then.
        ValueError: if the vectors do not fit the graph.
    """
    plan = make_plan(graph, name)
    printed = print_network(plan)
    given = {n: np.asarray(v)[:, None] for n, v in (_random(graph) if vectors is None else vectors).items()}
    left = leaves_its_range(plan, given)
    if left and vectors is not None:
        raise C99Error(f"vectors: {left[1]}, where the C code stops; shorten or weaken them")
    if left:
        # random vectors end before that, or are as weak as the inputs allow
        weakest = {n: min(max(i.low, 0), i.high) for n, i in graph.inputs.items()}
        given = {n: v[: left[0]] if left[0] else np.full_like(v[:1], weakest[n]) for n, v in given.items()}
        if still := leaves_its_range(plan, given):
            raise C99Error(f"even the weakest input is too much: {still[1]}; scale the weights down")
    test = print_test(plan, given)
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
