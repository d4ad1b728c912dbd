"""Prints the header: one state struct, events in, events out, three functions."""

from __future__ import annotations

from collections.abc import Sequence

from spikelab.hw.backends.c99.fields import Field, structs, uses_step
from spikelab.hw.backends.c99.integer_types import size_of
from spikelab.hw.backends.c99.layout import Plan
from spikelab.hw.neuron import MESSAGE


def print_header(plan: Plan) -> str:
    """``NAME.h``."""
    net, guard = plan.name, f"{plan.name.upper()}_H"
    parts = [
        f"/* A spiking network in whole numbers, written by spikelab. {_counts(plan)} */",
        f"#ifndef {guard}\n#define {guard}\n\n#include <stdint.h>\n",
        '#ifdef __cplusplus\nextern "C" {\n#endif\n',
        f"#define {net.upper()}_OK 0",
        "/* An index not in rising order or not below the size, or a value outside its range; nothing was changed. */",
        f"#define {net.upper()}_BAD_INPUT 1",
        "/* A value left the range that was assumed for it; start anew. */",
        f"#define {net.upper()}_OUT_OF_RANGE 2\n",
    ]
    keeping = structs(plan)
    for name, fields in keeping.items():
        if fields:
            parts.append(_struct(f"{net}_population_{plan.source(name).name}", fields, f"{name}: {_kind(plan, name)}"))
    members = [
        f"    struct {net}_population_{plan.source(n).name} {plan.source(n).name};" for n, f in keeping.items() if f
    ]
    members = sorted(members, key=lambda m: -_alignment(plan, keeping, m)) or ["    uint8_t nothing;"]
    step = ["    int64_t step; /* how many were made */"] if uses_step(plan) else []
    parts.append(
        "/* Everything that changes. As many as wanted may be used side by side. */\n"
        f"typedef struct {net}_state {{\n" + "\n".join([*step, *members]) + f"\n}} {net}_state;\n\n"
        f"#define {net.upper()}_STATE_BYTES (sizeof({net}_state))\n"
    )
    parts += [_inputs(plan), _outputs(plan), *_units(plan)]
    parts.append(
        "/* Before the first use: any memory becomes a network that has seen nothing. */\n"
        f"void {net}_init({net}_state *net);\n\n"
        f"/* Before each new sequence. */\nvoid {net}_reset({net}_state *net);\n\n"
        "/* One step: events in, events out. What `out` points to lies in `net` and holds until the next call. */\n"
        f"int {net}_step({net}_state *net, const {net}_inputs *in, {net}_outputs *out);\n\n"
        "#ifdef __cplusplus\n}\n#endif\n\n#endif\n"
    )
    return "\n".join(parts)


def _kind(plan: Plan, name: str) -> str:
    if name in plan.inputs:
        return "input"
    population = plan.populations[name].population
    return f"{' x '.join(map(str, population.shape))} neurons, {population.neuron.name}"


#: Longer tables of units are left to the manifest, so that the header can be read.
_MOST_UNITS = 256


def _units(plan: Plan) -> list[str]:
    """What steps and numbers stand for."""
    net, found = plan.name.upper(), []
    if plan.graph.dt:
        found.append(f"/* A step stands for so many seconds. */\n#define {net}_STEP_SECONDS {plan.graph.dt!r}\n")
    for name, output in plan.outputs.items():
        population = plan.populations[output.population].population
        units = [float(unit) for unit in population.scale]
        if output.value == MESSAGE or not units or len(units) > _MOST_UNITS:
            continue
        listed = ", ".join(f"{unit:.9g}f" for unit in units)
        if len(units) == 1:
            each, value = "one unit", listed
        else:
            rows = "neuron" if len(units) == population.size else "feature map, the first dimension"
            each, value = f"one unit, for each {rows},", f"{{{listed}}}"
        found.append(
            f"/* What {each} of {_comment(output.name)} is worth in the real-valued network; multiply by it before "
            f"neurons are compared. */\n#define {net}_{name.upper()}_UNIT {value}\n"
        )
    return found


def _alignment(plan: Plan, keeping: dict[str, list[Field]], member: str) -> int:
    called = {plan.source(n).name: n for n in keeping}
    return max(size_of(f.ctype) for f in keeping[called[member.rstrip(";").split()[-1]]])


def _counts(plan: Plan) -> str:
    neurons = sum(p.population.size for p in plan.populations.values())
    return f"{len(plan.populations)} populations, {neurons} neurons, {len(plan.links)} connections."


def _comment(text: str) -> str:
    """A name from outside cannot end a comment."""
    return "".join(c if c.isprintable() and c.isascii() and c not in "*\\" else "_" for c in text)


def _struct(name: str, fields: Sequence[Field], comment: str) -> str:
    lines = [f"    {f.declaration}" for f in fields]
    return f"/* {_comment(comment)} */\nstruct {name} {{\n" + "\n".join(lines) + "\n};\n"


def _inputs(plan: Plan) -> str:
    lines = []
    for name, source in plan.inputs.items():
        shape = " x ".join(map(str, source.shape))
        span = "1" if not source.value_type else f"{source.message[0]} to {source.message[1]}"
        worth = plan.graph.inputs[name].scale
        worth_text = f"; one is worth {float(worth):.9g}" if worth not in (None, 1) else ""
        lines.append(
            f"    /* {_comment(name)}: {shape}, the last dimension first to change; messages of {span}{worth_text}; "
            "those of 0 are left out, indices rise */"
        )
        lines.append(f"    const {source.index_type} *{source.name}_index;")
        lines += [f"    const {source.value_type} *{source.name}_value;"] if source.value_type else []
        lines.append(f"    uint32_t {source.name}_count;")
    lines = lines or ["    uint8_t nothing;"]
    return (
        f"/* What comes in at one step. */\ntypedef struct {plan.name}_inputs {{\n"
        + "\n".join(lines)
        + (f"\n}} {plan.name}_inputs;\n")
    )


def _outputs(plan: Plan) -> str:
    lines = []
    for name, output in plan.outputs.items():
        population = plan.populations[output.population]
        late = f"; {output.lag} steps later than in the real-valued network" if output.lag else ""
        if output.value != MESSAGE:
            size = population.population.size
            lines.append(f"    /* {_comment(output.name)}: {output.value} of all {size} neurons{late} */")
            lines.append(f"    const {population.states[output.value]} *{name};")
            continue
        source = population.source
        lines.append(f"    /* {_comment(output.name)}: indices of the neurons that sent at this step, rising{late} */")
        lines.append(f"    const {source.index_type} *{name}_index;")
        lines += [f"    const {source.value_type} *{name}_value;"] if source.value_type else []
        lines.append(f"    uint32_t {name}_count;")
    return (
        f"/* What goes out at one step. */\ntypedef struct {plan.name}_outputs {{\n"
        + "\n".join(lines or ["    uint8_t nothing;"])
        + f"\n}} {plan.name}_outputs;\n"
    )
