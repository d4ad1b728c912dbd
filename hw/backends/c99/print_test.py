"""Prints a program that runs golden vectors on any machine: a microcontroller, its emulation, or this one."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from spikelab.hw.backends.c99.integer_types import index_type, table
from spikelab.hw.backends.c99.layout import Plan, PopulationPlan, Source
from spikelab.hw.integer import IntegerRun, simulate
from spikelab.hw.neuron import MESSAGE
from spikelab.hw.ranges import declared_messages

_MULTIPLIER = 16777619

_HEAD = """/* Golden vectors of NAME.c, worked out by spikelab's integer simulator. Ends with 0 if every step agrees. */
#include "NAME.h"

#include <stdio.h>
#include <string.h>

#define STEPS STEP_COUNTu
"""
_MIX = """
/* One number from many: two sequences that differ have the same only by chance, one in four thousand million. */
static uint32_t mix(uint32_t sum, int64_t value)
{
    const uint32_t low = (uint32_t)((uint64_t)value & 0xFFFFFFFFu);
    const uint32_t high = (uint32_t)((uint64_t)value >> 32);
    return (sum * MULTIPLIERu + low) * MULTIPLIERu + high;
}

static NAME_state network;

static int differs(const char *what, unsigned long step)
{
    printf("%s differs at step %lu\\n", what, step);
    return 1;
}
"""


def print_test(plan: Plan, vectors: Mapping[str, np.ndarray]) -> str:
    """The program for vectors [T, 1, *shape].

    Raises:
        ValueError: if they do not fit the graph.
    """
    run = simulate(plan.graph, vectors, record=True)
    steps = len(next(iter(vectors.values())))
    net = plan.name
    parts = [_HEAD.replace("NAME", net).replace("STEP_COUNT", str(steps))]
    for name, source in plan.inputs.items():
        parts += _events(source, "in", np.asarray(vectors[name]).reshape(steps, -1))
    golden = _golden_outputs(plan)
    for output, population in golden.items():
        messages = run.messages[population.population.name].reshape(steps, -1)
        parts += _events(population.source, output, messages, "golden")
    for p in plan.populations.values():
        parts.append(table("uint32_t", f"sums_{p.source.name}", _sums(p, run).ravel().tolist()))
    parts += [_MIX.replace("NAME", net).replace("MULTIPLIER", str(_MULTIPLIER)), *_main(plan, golden)]
    return "\n".join(parts) + "\n"


def leaves_its_range(plan: Plan, vectors: Mapping[str, np.ndarray]) -> tuple[int, str] | None:
    """The first step at which vectors drive a value out of the range that is assumed for it, and which; else None."""
    if not any(p.checked for p in plan.populations.values()):
        return None
    run = simulate(plan.graph, vectors, record=True)
    found = []
    for name, p in plan.populations.items():
        for what in p.checked:
            declared = declared_messages(p.population.neuron)
            low, high = declared if what == MESSAGE else p.ranges.states[what]
            values = run.messages[name] if what == MESSAGE else run.states[name][what]
            rows = values.reshape(len(values), -1)
            for step in np.flatnonzero(((rows < low) | (rows > high)).any(1))[:1].tolist():
                found.append((step, f"population {name!r}: {what} leaves {low} to {high} at step {step}"))
    return min(found, default=None)


def _golden_outputs(plan: Plan) -> dict[str, PopulationPlan]:
    """The outputs whose messages are compared one by one."""
    found = {n: plan.populations[o.population] for n, o in plan.outputs.items() if o.value == MESSAGE}
    return {n: p for n, p in found.items() if not p.source.silent}


def _events(source: Source, name: str, messages: np.ndarray, prefix: str = "") -> list[str]:
    """Messages [T, N] as one list of all steps and the number of each."""
    stem = f"{prefix}_{name}" if prefix else f"{name}_{source.name}"
    index = [np.flatnonzero(row) for row in messages]
    counts = [len(row) for row in index]
    every = np.concatenate(index) if sum(counts) else np.zeros(1, np.int64)
    found = [
        table(index_type(source.size + 1), f"{stem}_count", counts),
        table(source.index_type, f"{stem}_index", every.tolist()),
    ]
    if source.value_type:
        values = messages[messages != 0] if sum(counts) else np.zeros(1, np.int64)
        found.append(table(source.value_type, f"{stem}_value", values.tolist()))
    return found


def _mixed(values: np.ndarray) -> int:
    """What ``mix`` makes of a sequence, from 0."""
    halves = np.ascontiguousarray(values, np.int64).view(np.uint32).ravel()
    powers = np.ones(len(halves), np.uint32)
    powers[1:] = _MULTIPLIER
    powers = np.multiply.accumulate(powers, dtype=np.uint32)[::-1]
    return int(np.sum(halves * powers, dtype=np.uint32)) if len(halves) else 0


def _sums(p: PopulationPlan, run: IntegerRun) -> np.ndarray:
    """Checksums [T, 1 + states] of what a population sent and of its states."""
    name = p.population.name
    messages = run.messages[name].reshape(len(run.messages[name]), -1)
    found = []
    for step, row in enumerate(messages):
        index = np.flatnonzero(row)
        sent = np.stack([index, row[index]], 1).ravel()
        states = [run.states[name][s][step].ravel() for s in p.states]
        found.append([_mixed(sent), *map(_mixed, states)])
    return np.array(found, np.int64).reshape(len(messages), -1)


def _main(plan: Plan, golden: Mapping[str, PopulationPlan]) -> list[str]:
    net = plan.name
    body = [f"{net}_inputs in;", f"{net}_outputs out;"]
    body += [f"uint32_t at_{s.name} = 0;" for s in plan.inputs.values()]
    body += [f"uint32_t from_{name} = 0;" for name in golden]
    body += ["memset(&in, 0, sizeof in);", "for (uint32_t step = 0; step < STEPS; ++step) {"]
    step: list[str] = []
    for s in plan.inputs.values():
        given = f"in_{s.name}"
        step += [f"in.{s.name}_index = {given}_index + at_{s.name};", f"in.{s.name}_count = {given}_count[step];"]
        step += [f"in.{s.name}_value = {given}_value + at_{s.name};"] if s.value_type else []
        step += [f"at_{s.name} += {given}_count[step];"]
    step += [f"if ({net}_step(&network, &in, &out) != {net.upper()}_OK) {{"]
    step += ['    return differs("the answer of a step", (unsigned long)step);', "}"]
    for name, p in golden.items():
        step += _compare_output(name, p)
    for p in plan.populations.values():
        step += _compare_sums(p)
    body += [*(f"    {text}" for text in step), "}", "return 0;"]
    run = ["static int run(void)", "{", *(f"    {text}" for text in body), "}", ""]
    body = [
        f"{net}_init(&network);",
        "if (run() != 0) {",
        "    return 1;",
        "}",
        "/* and once more, from a fresh start */",
        f"{net}_reset(&network);",
        "if (run() != 0) {",
        "    return 1;",
        "}",
        'printf("%lu steps agree\\n", (unsigned long)STEPS);',
        "return 0;",
    ]
    return [*run, "int main(void)", "{", *(f"    {text}" for text in body), "}"]


def _compare_output(name: str, p: PopulationPlan) -> list[str]:
    stem = f"golden_{name}"
    failed = f'    return differs("output {name}", (unsigned long)step);'
    different = [f"out.{name}_index[k] != {stem}_index[from_{name} + k]"]
    different += [f"out.{name}_value[k] != {stem}_value[from_{name} + k]"] if p.source.value_type else []
    return [
        f"if (out.{name}_count != {stem}_count[step]) {{",
        failed,
        "}",
        f"for (uint32_t k = 0; k < out.{name}_count; ++k) {{",
        f"    if ({' || '.join(different)}) {{",
        f"    {failed}",
        "    }",
        "}",
        f"from_{name} += {stem}_count[step];",
    ]


def _compare_sums(p: PopulationPlan) -> list[str]:
    name, size, columns = p.source.name, p.population.size, 1 + len(p.states)
    net = f"network.{name}"

    def compare(column: int, what: str) -> list[str]:
        failed = f'    return differs("{what} of {name}", (unsigned long)step);'
        return [f"if (sum != sums_{name}[step * {columns}u + {column}u]) {{", failed, "}"]

    found = []
    if not p.source.silent:
        at = f"[{net}.at]" if p.source.history else ""
        value = f"{net}.value{at}[k]" if p.source.value_type else "1"
        found += ["{", "    uint32_t sum = 0;", f"    for (uint32_t k = 0; k < {net}.count{at}; ++k) {{"]
        found += [f"        sum = mix(mix(sum, (int64_t){net}.index{at}[k]), {value});", "    }"]
        found += [*(f"    {text}" for text in compare(0, "message")), "}"]
    for column, state in enumerate(p.states, 1):
        found += ["{", "    uint32_t sum = 0;", f"    for (uint32_t k = 0; k < {size}u; ++k) {{"]
        found += [f"        sum = mix(sum, {net}.{p.fields[state]}[k]);", "    }"]
        found += [*(f"    {text}" for text in compare(column, f"state {p.fields[state]}")), "}"]
    return found
