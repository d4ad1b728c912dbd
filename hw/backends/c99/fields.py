"""What each population and input keeps in memory: one list, for the struct in C and for the memory map."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from spikelab.hw.backends.c99.integer_types import fits, index_type, size_of
from spikelab.hw.backends.c99.layout import Plan, PopulationPlan, Source


@dataclass(frozen=True)
class Field:
    """A member of a struct.

    Attributes:
        ctype: its elements.
        name: in C.
        shape: () for a single number.
        purpose: "state", "sums", "events" or "awake".
    """

    ctype: str
    name: str
    shape: tuple[int, ...]
    purpose: str

    @property
    def bytes(self) -> int:
        """What it takes."""
        return size_of(self.ctype) * math.prod(self.shape)

    @property
    def declaration(self) -> str:
        """As in a struct."""
        return f"{self.ctype} {self.name}{''.join(f'[{n}]' for n in self.shape)};"


def event_fields(source: Source) -> list[Field]:
    """Lists of who sent, this step's and those that are remembered."""
    if source.silent:
        return []
    lists = (source.history + 1,) if source.history else ()
    found = [Field(source.index_type, "index", (*lists, source.size), "events")]
    if source.value_type:
        found.append(Field(source.value_type, "value", (*lists, source.size), "events"))
    found.append(Field("uint32_t", "count", lists, "events"))
    if source.history:
        found.append(Field(index_type(source.history + 1), "at", (), "events"))
    return found


def population_fields(plan: PopulationPlan) -> list[Field]:
    """All that a population keeps, widest first so that nothing has to be filled up."""
    size, slots = plan.population.size, (plan.slots,) if plan.slots > 1 else ()
    found = [Field(ctype, plan.fields[name], (size,), "state") for name, ctype in plan.states.items()]
    found += [Field(s.ctype, s.name, (*slots, size) if s.ring else (size,), "sums") for s in plan.sums]
    found += event_fields(plan.source)
    if slots:
        found.append(Field(index_type(plan.slots), "now", (), "sums"))
    if plan.sleeps:
        found.append(Field("uint32_t", "awake", (plan.words,), "awake"))
        if plan.places != size:
            found.append(Field("uint32_t", "still", (plan.words,), "awake"))
        if slots:
            found.append(Field("uint32_t", "coming", (*slots, plan.words), "awake"))
        for line in plan.ranges.shared_lines():
            bits = 32 if fits(plan.ranges.intervals.known[line.symbol], 32) else 64
            found.append(Field(f"int{bits}_t", f"last_{line.symbol.name}", (), "awake"))
    return sorted(found, key=lambda f: -size_of(f.ctype))


def input_fields(source: Source) -> list[Field]:
    """All that an input keeps: nothing, unless someone hears it late."""
    return sorted(event_fields(source), key=lambda f: -size_of(f.ctype)) if source.history else []


def padded(fields: Sequence[Field]) -> int:
    """Size of a struct with these members, each aligned to its own size."""
    at = 0
    for f in fields:
        at = -(-at // size_of(f.ctype)) * size_of(f.ctype) + f.bytes
    widest = max((size_of(f.ctype) for f in fields), default=1)
    return -(-at // widest) * widest


def structs(plan: Plan) -> dict[str, list[Field]]:
    """Input or population -> its members, for those that keep anything."""
    found = {name: input_fields(source) for name, source in plan.inputs.items() if source.history}
    return {**found, **{name: population_fields(p) for name, p in plan.populations.items()}}


def uses_step(plan: Plan) -> bool:
    """Whether any equation asks for the number of the step."""
    return any(p.uses_step for p in plan.populations.values())


def state_bytes(plan: Plan) -> int:
    """Size of the whole state, as a compiler with natural alignment lays it out."""
    parts = [(padded(fields), max(size_of(f.ctype) for f in fields)) for fields in structs(plan).values() if fields]
    parts += [(8, 8)] if uses_step(plan) else []
    at = 0
    for size, alignment in sorted(parts, key=lambda part: -part[1]):
        at = -(-at // alignment) * alignment + size
    widest = max((a for _, a in parts), default=1)
    return -(-at // widest) * widest
