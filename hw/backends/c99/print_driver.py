"""Prints a small program that feeds a network events from a file and writes down everything that it does."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from spikelab.hw.backends.c99.layout import Plan, PopulationPlan, Source
from spikelab.hw.neuron import MESSAGE

_HEAD = """/* Written by spikelab to compare NAME.c with its simulator. */
#include "NAME.h"

#include <stdio.h>
#include <string.h>

static int read_all(FILE *file, void *to, size_t bytes)
{
    return bytes == 0u || fread(to, 1, bytes, file) == bytes;
}

static int write_all(FILE *file, const void *from, size_t bytes)
{
    return bytes == 0u || fwrite(from, 1, bytes, file) == bytes;
}

static NAME_state network;
"""


def print_driver(plan: Plan) -> str:
    """``driver EVENTS RESULTS``; see :func:`pack_events` and :func:`unpack_results` for the files."""
    net = plan.name
    lines = [_HEAD.replace("NAME", net)]
    for source in plan.inputs.values():
        lines.append(f"static {source.index_type} {source.name}_index[{max(source.size, 1)}];")
        lines += (
            [f"static {source.value_type} {source.name}_value[{max(source.size, 1)}];"] if source.value_type else []
        )
    largest = max((p.population.size for p in plan.populations.values()), default=1)
    lines += [f"static int64_t dense[{max(largest, 1)}];", "", *_main(plan)]
    return "\n".join(lines) + "\n"


def _main(plan: Plan) -> list[str]:
    net = plan.name
    body = [
        "uint32_t sizes[2];",
        'FILE *events = argc == 3 ? fopen(argv[1], "rb") : NULL;',
        'FILE *results = argc == 3 ? fopen(argv[2], "wb") : NULL;',
        f"{net}_inputs in;",
        f"{net}_outputs out;",
        "memset(&in, 0, sizeof in);",
        "if (events == NULL || results == NULL || !read_all(events, sizes, sizeof sizes)) {",
        "    return 10;",
        "}",
        f"{net}_init(&network);",
        "for (uint32_t sample = 0; sample < sizes[0]; ++sample) {",
        f"    {net}_reset(&network);",
        "    for (uint32_t step = 0; step < sizes[1]; ++step) {",
        *(f"        {text}" for source in plan.inputs.values() for text in _read(source)),
        f"        const int error = {net}_step(&network, &in, &out);",
        "        if (error != 0) {",
        '            printf("%lu %lu", (unsigned long)sample, (unsigned long)step);',
        "            return error;",
        "        }",
        *(f"        {text}" for p in plan.populations.values() for text in _write(p)),
        "    }",
        "}",
        "return fclose(results) == 0 ? 0 : 11;",
    ]
    return ["int main(int argc, char **argv)", "{", *(f"    {text}" for text in body), "}"]


def _read(source: Source) -> list[str]:
    name = source.name
    found = [
        f"if (!read_all(events, &in.{name}_count, 4u) || in.{name}_count > {source.size}u ||",
        f"    !read_all(events, {name}_index, in.{name}_count * sizeof {name}_index[0])) {{",
        "    return 10;",
        "}",
        f"in.{name}_index = {name}_index;",
    ]
    if source.value_type:
        found += [f"if (!read_all(events, {name}_value, in.{name}_count * sizeof {name}_value[0])) {{"]
        found += ["    return 10;", "}", f"in.{name}_value = {name}_value;"]
    return found


def _write(p: PopulationPlan) -> list[str]:
    source, size = p.source, p.population.size
    net = f"network.{source.name}"
    found = ["memset(dense, 0, sizeof dense);"]
    at = f"[{net}.at]" if source.history else ""
    if not source.silent:
        value = f"{net}.value{at}[k]" if source.value_type else "1"
        found += [f"for (uint32_t k = 0; k < {net}.count{at}; ++k) {{"]
        found += [f"    dense[{net}.index{at}[k]] = {value};", "}"]
    save = [f"if (!write_all(results, dense, {size}u * sizeof dense[0])) {{", "    return 11;", "}"]
    found += save
    for name in p.states:
        found += [
            f"for (uint32_t k = 0; k < {size}u; ++k) {{",
            f"    dense[k] = {net}.{p.fields[name]}[k];",
            "}",
            *save,
        ]
    return found


def pack_events(plan: Plan, inputs: Mapping[str, np.ndarray]) -> bytes:
    """Samples and steps, then for each step of each sample and each input: how many events, their indices, values."""
    first = next(iter(inputs.values()))
    steps, batch = first.shape[:2]
    parts = [np.array([batch, steps], np.uint32).tobytes()]
    flat = {name: np.asarray(values).reshape(steps, batch, -1) for name, values in inputs.items()}
    for sample in range(batch):
        for step in range(steps):
            for name, source in plan.inputs.items():
                messages = flat[name][step, sample]
                index = np.flatnonzero(messages)
                parts += [np.uint32(len(index)).tobytes(), index.astype(source.index_type[:-2]).tobytes()]
                if source.value_type:
                    parts.append(messages[index].astype(source.value_type[:-2]).tobytes())
    return b"".join(parts)


def unpack_results(plan: Plan, content: bytes, steps: int, batch: int) -> dict[str, dict[str, np.ndarray]]:
    """Population -> "message" or state -> [T, B, N].

    Raises:
        ValueError: if the content has another size.
    """
    columns = [(n, what, p.population.size) for n, p in plan.populations.items() for what in (MESSAGE, *p.states)]
    width = sum(size for _, _, size in columns)
    table = np.frombuffer(content, np.int64)
    if table.size != width * steps * batch:
        raise ValueError(f"{table.size} numbers, but {width * steps * batch} were expected")
    table = table.reshape(batch, steps, width).transpose(1, 0, 2)
    found: dict[str, dict[str, np.ndarray]] = {}
    at = 0
    for name, what, size in columns:
        found.setdefault(name, {})[what] = table[:, :, at : at + size]
        at += size
    return found
