"""Prints the step of a population: its equations, for those neurons that do not rest.

A neuron rests when it heard nothing, sent nothing and no state changed. As long as it hears nothing more, its next step
would do the same again, so leaving it out is exact. Where a line depends on the number of the step (Loihi's reset
interval), that line is worked out once for all, and everyone is woken when it changes.
"""

from __future__ import annotations

import sympy as sp

from spikelab.hw.backends.c99.integer_types import index_type
from spikelab.hw.backends.c99.layout import Plan, PopulationPlan, Sums
from spikelab.hw.backends.c99.print_equations import EquationPrinter, PrintedNeuron, indented, quiet
from spikelab.hw.neuron import STEP


def print_population(plan: Plan, name: str) -> PrintedNeuron:
    """The functions ``update_NAME`` and, where neurons may rest, ``wake_NAME``; nothing where nothing ever happens."""
    population, out = plan.populations[name], PrintedNeuron()
    if population.ranges.idle:
        return out
    equations = EquationPrinter(plan, population, population.ranges.intervals, out)
    lines = [*_wake(population), *_function(plan, population, equations)]
    out.text = "\n".join(lines) + "\n"
    return out


def _wake(p: PopulationPlan) -> list[str]:
    if not p.sleeps:
        return []
    full, rest = divmod(p.places, 32)
    lines = [f"static void wake_{p.source.name}(uint32_t *awake)", "{"]
    if full:
        lines += [
            f"    for (uint32_t word = 0; word < {full}u; ++word) {{",
            "        awake[word] = 0xFFFFFFFFu;",
            "    }",
        ]
    return [*lines, *([f"    awake[{full}] = {hex((1 << rest) - 1)}u;"] if rest else []), "}", ""]


def _function(plan: Plan, p: PopulationPlan, equations: EquationPrinter) -> list[str]:
    name = p.source.name
    returns = "int" if p.checked else "void"
    step = f", int64_t {equations.names[sp.Symbol(STEP, integer=True)]}" if p.uses_step else ""
    body = _begin(p, equations)
    heard, silent = equations.heard(), quiet(equations)
    telling = [s for s in p.sums if silent and _tells(s, p)]
    # what comes to nothing by rounding, wrapping or another sum has to be cleared although nothing is heard
    first = [f"{s.name}[i] = 0;" for s in p.sums if s not in telling]
    clear = [f"{s.name}[i] = 0;" for s in telling]
    body += _loop(p, [*heard, *first, *silent, *clear, *equations.step(stays=bool(silent))], equations)
    if equations.sends:
        body.append(f"p->count{'[p->at]' if p.source.history else ''} = count;")
    if p.slots > 1:
        body.append(f"p->now = ({index_type(p.slots)})(p->now + 1u == {p.slots}u ? 0u : p->now + 1u);")
    body += ["return 0;"] if p.checked else []
    return [f"static {returns} update_{name}(struct {plan.name}_population_{name} *p{step})", "{", *indented(body), "}"]


def _tells(s: Sums, p: PopulationPlan) -> bool:
    """Whether a port that hears nothing means that this sum is zero."""
    return s.connection is None and sum(other.port == s.port for other in p.sums) == 1


def _begin(p: PopulationPlan, equations: EquationPrinter) -> list[str]:
    found = []
    if equations.sends:
        at = "[p->at]" if p.source.history else ""
        found.append(f"{p.source.index_type} *const index = p->index{at};")
        found += [f"{p.source.value_type} *const value = p->value{at};"] if p.source.value_type else []
        found.append("uint32_t count = 0;")
    found += [f"{s.ctype} *const {s.name} = p->{s.name}{'[p->now]' if s.ring else ''};" for s in p.sums]
    found += equations.shared()
    for line in p.ranges.shared_lines() if p.sleeps else []:
        last, now = f"p->last_{line.symbol.name}", equations.names[line.symbol]
        found += [f"if ({now} != {last}) {{", f"    {last} = {now};", f"    wake_{p.source.name}(p->awake);", "}"]
    if p.sleeps and p.slots > 1:
        found += [f"for (uint32_t word = 0; word < {p.words}u; ++word) {{"]
        found += ["    p->awake[word] |= p->coming[p->now][word];", "    p->coming[p->now][word] = 0;", "}"]
    return found


def _loop(p: PopulationPlan, body: list[str], equations: EquationPrinter) -> list[str]:
    """Over those who are awake, in rising order."""
    size = p.population.size
    if not p.sleeps:
        return [f"for (uint32_t i = 0; i < {size}u; ++i) {{", *indented(body), "}"]
    equations.out.operations.add("lowest_bit")
    by_place = p.places != size
    first = "channel + 32u * word" if by_place else "32u * word"
    words = [
        f"for (uint32_t word = 0; word < {p.words}u; ++word) {{",
        "    uint32_t bits = p->awake[word];",
        "    uint32_t bit = 1;",
        f"    uint32_t still = {'p->still[word]' if by_place else '0'};",
        f"    for (uint32_t i = {first}; bits != 0u; ++i, bit <<= 1, bits >>= 1) {{",
        "        if ((bits & 1u) == 0u) {",
        "            const uint32_t asleep = lowest_bit(bits);",
        "            i += asleep;",
        "            bit <<= asleep;",
        "            bits >>= asleep;",
        "        }",
        *indented(body, 2),
        "    }",
        f"    p->{'still' if by_place else 'awake'}[word] = still;",
        "}",
    ]
    if not by_place:
        return words
    return [
        f"for (uint32_t channel = 0; channel < {size}u; channel += {p.places}u) {{",
        *indented(words),
        "}",
        f"for (uint32_t word = 0; word < {p.words}u; ++word) {{",
        "    p->awake[word] = p->still[word];",
        "    p->still[word] = 0;",
        "}",
    ]
