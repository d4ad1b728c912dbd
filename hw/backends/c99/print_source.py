"""Prints the source: weights, integer operations, populations, connections, and the step that calls them in order."""

from __future__ import annotations

from dataclasses import dataclass

from spikelab.hw.backends.c99.fields import uses_step
from spikelab.hw.backends.c99.integer_types import constant, size_of
from spikelab.hw.backends.c99.layout import Link, Plan, Source
from spikelab.hw.backends.c99.operations import definitions
from spikelab.hw.backends.c99.print_connection import PrintedLink, print_link
from spikelab.hw.backends.c99.print_equations import PrintedNeuron
from spikelab.hw.backends.c99.print_header import print_header
from spikelab.hw.backends.c99.print_neuron import print_population
from spikelab.hw.neuron import MESSAGE


@dataclass(frozen=True)
class PrintedNetwork:
    """The C of a graph.

    Attributes:
        header: NAME.h.
        source: NAME.c.
        neurons: population -> what was printed of it.
        links: connections, as printed.
    """

    header: str
    source: str
    neurons: dict[str, PrintedNeuron]
    links: list[tuple[Link, PrintedLink]]


def print_network(plan: Plan) -> PrintedNetwork:
    """Prints a plan."""
    neurons = {name: print_population(plan, name) for name in plan.populations}
    links = [(link, print_link(plan, link)) for link in plan.links]
    return PrintedNetwork(print_header(plan), _source(plan, neurons, links), neurons, links)


def _source(plan: Plan, neurons: dict[str, PrintedNeuron], links: list[tuple[Link, PrintedLink]]) -> str:
    used = {operation for n in neurons.values() for operation in n.operations}
    tables = [t for n in neurons.values() for t in n.tables.values()] + [t for _, p in links for t in p.tables]
    parts = [
        f'/* Written by spikelab; changes are lost when it is written again. */\n#include "{plan.name}.h"\n\n'
        "#include <string.h>\n",
        *[t + "\n" for t in tables],
        definitions(used),
        *(n.text for n in neurons.values()),
        *(p.text for _, p in links),
        *(_check_input(plan, source) for source in plan.inputs.values()),
        _life(plan),
        _step(plan),
    ]
    return "\n".join(part for part in parts if part)


def _check_input(plan: Plan, source: Source) -> str:
    """Rising indices: none is given twice, so that no sum can grow beyond what was proven."""
    value = f", const {source.value_type} *value" if source.value_type else ""
    low, high = source.message
    body = [
        f"static int bad_{source.name}(const {source.index_type} *index{value}, uint32_t count)",
        "{",
        "    uint32_t next = 0;",
        "    for (uint32_t k = 0; k < count; ++k) {",
        f"        if (index[k] < next || index[k] >= {source.size}u) {{"
        if source.size not in (1 << 8, 1 << 16)
        else ("        if (index[k] < next) {"),
        "            return 1;",
        "        }",
        "        next = (uint32_t)index[k] + 1u;",
    ]
    if source.value_type:
        bits = 8 * size_of(source.value_type)
        outside = [f"value[k] < {constant(low)}"] if low > -(1 << (bits - 1)) else []
        outside += [f"value[k] > {constant(high)}"] if high < (1 << (bits - 1)) - 1 else []
        if outside:
            body += [f"        if ({' || '.join(outside)}) {{", "            return 1;", "        }"]
    return "\n".join([*body, "    }", "    return 0;", "}"]) + "\n"


def _life(plan: Plan) -> str:
    net = plan.name
    wake = [f"    wake_{p.source.name}(net->{p.source.name}.awake);" for p in plan.populations.values() if p.sleeps]
    return "\n".join(
        [
            f"void {net}_init({net}_state *net)",
            "{",
            "    memset(net, 0, sizeof *net);",
            *wake,
            "}",
            "",
            f"void {net}_reset({net}_state *net)",
            "{",
            f"    {net}_init(net);",
            "}",
            "",
        ]
    )


def _events(plan: Plan, name: str, ago: int) -> str:
    """Arguments that say what a source sent, so many steps ago."""
    source = plan.source(name)
    if name in plan.inputs and not source.history:
        members = ["index", *(["value"] if source.value_type else []), "count"]
        return ", ".join(f"in->{source.name}_{member}" for member in members)
    members = ["index", *(["value"] if source.value_type else []), "count"]
    at = ""
    if source.history:
        lists, present = source.history + 1, f"net->{source.name}.at"
        at = f"[{present}]" if not ago else f"[({present} + {lists - ago}u) % {lists}u]"
    return ", ".join(f"net->{source.name}.{member}{at}" for member in members)


def _deliver(plan: Plan, link: Link) -> str:
    target = plan.populations[link.connection.target].source.name
    return f"{link.name}(&net->{target}, {_events(plan, link.connection.source, link.history)});"


def _step(plan: Plan) -> str:
    net = plan.name
    lines = [f"int {net}_step({net}_state *net, const {net}_inputs *in, {net}_outputs *out)", "{"]
    body: list[str] = []
    for source in plan.inputs.values():
        members = ["index", *(["value"] if source.value_type else []), "count"]
        given = ", ".join(f"in->{source.name}_{member}" for member in members)
        body += [f"if (bad_{source.name}({given}) != 0) {{", f"    return {net.upper()}_BAD_INPUT;", "}"]
    body += [] if plan.inputs else ["(void)in;"]
    body += ["net->step += 1;"] if uses_step(plan) else []
    for name in [*plan.inputs, *plan.populations]:
        body += _remember(plan, name)
    for name, population in plan.populations.items():
        body += [_deliver(plan, k) for k in plan.links if k.connection.target == name and k.early]
        if population.ranges.idle:
            continue
        step = ", net->step" if population.uses_step else ""
        call = f"update_{population.source.name}(&net->{population.source.name}{step})"
        failed = f"    return {net.upper()}_OUT_OF_RANGE;"
        body += [f"if ({call} != {net.upper()}_OK) {{", failed, "}"] if population.checked else [f"{call};"]
    body += [_deliver(plan, k) for k in plan.links if not k.early]
    body += _give(plan)
    body += [] if any("net->" in text for text in body) else ["(void)net;"]
    body += [f"return {net.upper()}_OK;"]
    return "\n".join([*lines, *(f"    {text}" for text in body), "}"]) + "\n"


def _remember(plan: Plan, name: str) -> list[str]:
    """Makes the next list of a source that remembers the present one."""
    source = plan.source(name)
    if not source.history:
        return []
    p, kind = f"net->{source.name}", f"uint{8 if source.history < 256 else 16 if source.history < 65536 else 32}_t"
    lists = source.history + 1
    found = [f"{p}.at = ({kind})({p}.at + 1u == {lists}u ? 0u : {p}.at + 1u);"]
    if name not in plan.inputs:
        return found
    found.append(f"if (in->{source.name}_count != 0u) {{")
    for member in ["index", *(["value"] if source.value_type else [])]:
        given = f"in->{source.name}_{member}"
        found.append(f"    memcpy({p}.{member}[{p}.at], {given}, in->{source.name}_count * sizeof *{given});")
    found.append("}")
    return [*found, f"{p}.count[{p}.at] = in->{source.name}_count;"]


def _give(plan: Plan) -> list[str]:
    found = []
    for name, output in plan.outputs.items():
        population = plan.populations[output.population]
        p, source = f"net->{population.source.name}", population.source
        if output.value != MESSAGE:
            found.append(f"out->{name} = {p}.{population.fields[output.value]};")
        elif source.silent:
            found += [f"out->{name}_index = 0;", f"out->{name}_count = 0;"]
        else:
            at = f"[{p}.at]" if source.history else ""
            found.append(f"out->{name}_index = {p}.index{at};")
            found += [f"out->{name}_value = {p}.value{at};"] if source.value_type else []
            found.append(f"out->{name}_count = {p}.count{at};")
    return found or ["(void)out;"]
