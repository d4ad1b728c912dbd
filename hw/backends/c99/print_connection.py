"""Prints how the events of a source reach the sums of a target: for each event a walk along its fan-out."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from spikelab.hw.backends.c99.integer_types import constant, fits, table
from spikelab.hw.backends.c99.layout import Link, Plan
from spikelab.hw.backends.c99.print_equations import indented
from spikelab.hw.backends.c99.stored import SPARSE_BELOW, Stored, counts, sparse, stored
from spikelab.hw.connections import Convolution, Dense, OneToOne, convolved_shape


@dataclass
class PrintedLink:
    """C of one connection.

    Attributes:
        tables: its weights.
        text: its function.
        flash: bytes of the tables.
        storage: how the weights lie there, in words.
        largest_fan_out: weights that one event may touch.
        operations: additions if every neuron of the source sends.
    """

    tables: list[str] = field(default_factory=list)
    text: str = ""
    flash: int = 0
    storage: str = ""
    largest_fan_out: int = 0
    operations: int = 0


def print_link(plan: Plan, link: Link) -> PrintedLink:
    """The function ``deliver_N``: events of a source into the sums of a target."""
    return _Printer(plan, link).print()


class _Printer:
    def __init__(self, plan: Plan, link: Link):
        self.plan, self.link = plan, link
        self.source = plan.source(link.connection.source)
        self.target = plan.populations[link.connection.target]
        self.shape = plan.shape_into(link)
        self.size = self.target.population.size
        self.out = PrintedLink()
        self.graded = bool(self.source.value_type)
        #: what an event brings is worked out in this width
        self.bits = 32 if fits(link.sums.extent, 32) else 64

    def print(self) -> PrintedLink:
        weights = self.link.connection.weights
        if isinstance(weights, Dense):
            body = self._dense()
        elif isinstance(weights, Convolution):
            body = self._convolution(weights)
        else:
            body = self._one_to_one(weights)
        self.out.text = "\n".join(self._function(body)) + "\n"
        return self.out

    def _table(self, what: str, given: Stored) -> str:
        name = f"{what}_{self.link.name.removeprefix('deliver_')}"
        self.out.tables.append(table(given.ctype, name, given.values.tolist()))
        self.out.flash += given.bytes
        return name

    # --- what one weight adds -------------------------------------------------------------------------------------

    def _message(self) -> list[str]:
        """What a weight of one brings, where that is not one."""
        factor = constant(self.link.factor)
        if self.graded:
            times = f" * {factor}" if self.link.factor != 1 else ""
            return [f"const int{self.bits}_t message = (int{self.bits}_t)value[k]{times};"]
        return [f"const int{self.bits}_t message = {factor};"] if self.link.factor != 1 else []

    def _brings(self, weight: str) -> str:
        wide = f"(int64_t){weight}" if self.bits == 64 else weight
        return f"{wide} * message" if self.graded or self.link.factor != 1 else wide

    def _add(self, where: str, weight: str) -> str:
        return f"{where} = ({self.link.sums.ctype})({where} + {self._brings(weight)});"

    def _field(self, given: Stored, text: str) -> str:
        """A number from what is stored of it."""
        if not given.offset:
            return text if given.per_byte == 1 else f"(int{self.bits}_t){text}"
        sign = "-" if given.offset < 0 else "+"
        return f"((int{self.bits}_t){text} {sign} {abs(given.offset)})"

    # --- where it goes --------------------------------------------------------------------------------------------

    def _slots(self) -> list[str]:
        """The slot of the shortest delay."""
        slots, offset = self.target.slots, self.link.offset
        if not offset:
            return ["const uint32_t slot = p->now;"]
        return [f"const uint32_t slot = (p->now + {offset}u) % {slots}u;"]

    def _sums(self) -> list[str]:
        sums = self.link.sums
        return [f"{sums.ctype} *const sum = p->{sums.name}{'[slot]' if sums.ring else ''};"]

    def _awake(self, slot: str = "slot") -> str:
        return f"p->coming[{slot}]" if self.target.slots > 1 else "p->awake"

    def _mark(self, place: str, slot: str = "slot") -> list[str]:
        """Wakes a neuron, or all channels of its place."""
        if not self.target.sleeps:
            return []
        return [f"{self._awake(slot)}[({place}) >> 5] |= (uint32_t)1 << (({place}) & 31u);"]

    def _place(self, neuron: str) -> str:
        if self.target.places == 1:
            return "0u"
        return neuron if self.target.places == self.size else f"{neuron} % {self.target.places}u"

    def _wake(self, slots: list[str]) -> list[str]:
        if not self.target.sleeps:
            return []
        return [f"wake_{self.target.source.name}({self._awake(slot)});" for slot in slots]

    # --- which source ---------------------------------------------------------------------------------------------

    def _events(self, body: list[str], places: bool) -> list[str]:
        """A loop over events; ``places`` gives channel, y and x of each in the pooled source, else its number, i."""
        pool = self.link.connection.pool
        if not places and pool == (1, 1):
            inner = ["const uint32_t i = index[k];", *body]
            return ["for (uint32_t k = 0; k < count; ++k) {", *(f"    {text}" for text in inner), "}"]
        _, height, width = self.plan.source(self.link.connection.source).shape
        down, right = pool
        names = ("row", "column") if pool != (1, 1) else ("y", "x")
        inner = [
            "const uint32_t number = index[k];",
            # events come in rising order, so no division is needed to find a row
            f"while (number - first >= {width}u) {{",
            f"    first += {width}u;",
            f"    if (++{names[0]} == {height}u) {{",
            f"        {names[0]} = 0;",
            "        ++channel;",
            "    }",
            "}",
            f"const uint32_t {names[1]} = number - first;",
        ]
        if pool != (1, 1):
            _, high, wide = self.shape
            cut = [f"row >= {high * down}u"] if high * down < height else []
            cut += [f"column >= {wide * right}u"] if wide * right < width else []
            inner += [f"if ({' || '.join(cut)}) {{", "    continue;", "}"] if cut else []
            inner += [f"const uint32_t y = row / {down}u;", f"const uint32_t x = column / {right}u;"]
            if not places:
                inner.append(f"const uint32_t i = (channel * {high}u + y) * {wide}u + x;")
        start = ["uint32_t channel = 0;", f"uint32_t {names[0]} = 0;", "uint32_t first = 0;"]
        return [
            *start,
            "for (uint32_t k = 0; k < count; ++k) {",
            *(f"    {text}" for text in [*inner, *body]),
            "}",
        ]

    # --- kinds of weights -----------------------------------------------------------------------------------------

    def _dense(self) -> list[str]:
        rows = np.ascontiguousarray(self.link.weight.T)
        delays = None if self.link.delay is None else np.ascontiguousarray(self.link.delay.T)
        share = np.count_nonzero(rows) / rows.size
        packed, few = stored(rows), sparse(rows, delays)
        full = packed.bytes + (0 if delays is None else counts(delays).bytes)
        many = self.link.connection.pool[0] * self.link.connection.pool[1]
        self.out.operations = many * int(np.count_nonzero(rows))
        self.out.largest_fan_out = int((rows != 0).sum(1).max())
        if share < SPARSE_BELOW and few.bytes <= full:
            return self._sparse(rows, delays, share)
        self.out.operations = many * rows.size
        self.out.largest_fan_out = self.size
        width = -(-self.size // packed.per_byte)
        name = self._table("weight", packed)
        kind = f"{packed.bits} bits each" + (f", {packed.per_byte} to a byte" if packed.per_byte > 1 else "")
        self.out.storage = f"dense, {kind}, by source"
        body = [*self._message(), f"const {packed.ctype} *weight = {name} + i * {width}u;"]
        if delays is not None:
            delay = self._table("delay", counts(delays))
            body.append(f"const {counts(delays).ctype} *delay = {delay} + i * {self.size}u;")
        body += self._along(packed, delays is not None)
        present = [] if delays is None else np.unique(delays[rows != 0]).tolist()
        start = self._sums() if delays is None else []
        wake = self._wake(["slot"])
        if delays is not None:
            wake = self._wake([f"(slot + {d}u) % {self.target.slots}u" for d in present])
        wake = ["if (count != 0u) {", *(f"    {text}" for text in wake), "}"] if wake else []
        return [*start, *self._events(body, places=False), *wake]

    def _along(self, packed: Stored, delayed: bool) -> list[str]:
        """One row of weights."""
        where = "sum[j]"
        each: list[str] = []
        if delayed:
            where = f"p->{self.link.sums.name}[at][j]"
            each = ["const uint32_t later = slot + delay[j];"]
            each += [f"const uint32_t at = later < {self.target.slots}u ? later : later - {self.target.slots}u;"]
        if packed.per_byte == 1:
            each.append(self._add(where, self._field(packed, "weight[j]")))
            return [f"for (uint32_t j = 0; j < {self.size}u; ++j) {{", *(f"    {text}" for text in each), "}"]
        if delayed:
            per, mask = packed.per_byte, (1 << packed.bits) - 1
            read = f"(((uint32_t)weight[j / {per}u] >> ({packed.bits}u * (j % {per}u))) & {mask}u)"
            each.append(self._add(where, self._field(packed, read)))
            return [f"for (uint32_t j = 0; j < {self.size}u; ++j) {{", *(f"    {text}" for text in each), "}"]
        return self._unpacked(packed)

    def _unpacked(self, packed: Stored) -> list[str]:
        """A row of packed weights, a byte at a time."""
        per, mask = packed.per_byte, (1 << packed.bits) - 1
        whole = self.size - self.size % per

        def one(n: int, base: str) -> str:
            shifted = f"(byte >> {packed.bits * n}u)" if n else "byte"
            last = n == per - 1
            text = shifted if last else f"({shifted} & {mask}u)"
            return self._add(f"sum[{base} + {n}u]" if n else f"sum[{base}]", self._field(packed, text))

        found = []
        if whole:
            found += [f"for (uint32_t j = 0; j < {whole}u; j += {per}u) {{", "    const uint32_t byte = *weight++;"]
            found += [*(f"    {one(n, 'j')}" for n in range(per)), "}"]
        if whole < self.size:
            found += ["{", "    const uint32_t byte = *weight;"]
            for n in range(self.size - whole):
                found.append(f"    {one(n, f'{whole}u')}")
            found.append("}")
        return found

    def _sparse(self, rows: np.ndarray, delays: np.ndarray | None, share: float) -> list[str]:
        few = sparse(rows, delays)
        start, target = self._table("start", few.start), self._table("target", few.target)
        weight = self._table("weight", few.weight)
        self.out.storage = f"the {100 * share:.0f} % that are not zero, {few.weight.bits} bits each, by source"
        each = [f"const uint32_t j = {target}[n];"]
        slot, where = "slot", "sum[j]"
        if few.delay is not None:
            slot, where = "at", f"p->{self.link.sums.name}[at][j]"
            each.append(f"const uint32_t later = slot + {self._table('delay', few.delay)}[n];")
            each.append(f"const uint32_t at = later < {self.target.slots}u ? later : later - {self.target.slots}u;")
        each.append(self._add(where, self._field(few.weight, f"{weight}[n]")))
        each += self._mark(self._place("j"), slot)
        loop = [f"for (uint32_t n = {start}[i]; n < {start}[i + 1u]; ++n) {{", *(f"    {text}" for text in each), "}"]
        begin = self._sums() if few.delay is None else []
        return [*begin, *self._events([*self._message(), *loop], places=False)]

    def _one_to_one(self, weights: OneToOne) -> list[str]:
        every = self.link.weight.ravel()
        many = self.link.connection.pool[0] * self.link.connection.pool[1]
        self.out.operations, self.out.largest_fan_out = many * self.size, 1
        if (every == every[0]).all():
            text = constant(int(every[0]))
            self.out.storage = "one weight for all, in the code"
        else:
            kept = stored(every.reshape(1, -1), pack=False)
            text = self._field(kept, f"{self._table('weight', kept)}[i]")
            self.out.storage = f"one weight for each, {kept.bits} bits"
        body = [*self._message(), self._add("sum[i]", text), *self._mark(self._place("i"))]
        return [*self._sums(), *self._events(body, places=False)]

    def _convolution(self, weights: Convolution) -> list[str]:
        channels, _, high, wide = self.link.weight.shape
        per, group = self.shape[0] // weights.groups, channels // weights.groups
        _, rows, columns = convolved_shape(weights, self.shape)
        # [group, out, in, y, x] -> [source channel, y, x, target channel of its group]
        kernel = self.link.weight.reshape(weights.groups, group, per, high, wide).transpose(0, 2, 3, 4, 1)
        kept = stored(np.ascontiguousarray(kernel).reshape(1, -1), pack=False)
        name = self._table("weight", kept)
        many = self.link.connection.pool[0] * self.link.connection.pool[1]
        self.out.storage = f"kernel, {kept.bits} bits each, by source channel"
        self.out.largest_fan_out = group * high * wide
        self.out.operations = many * self.shape[0] * group * _taps(weights, self.shape)
        first = f"channel / {per}u * {group * rows * columns}u + " if weights.groups > 1 else ""
        by_place = self.target.places != self.size
        step = [self._add("sum[at]", self._field(kept, "weight[n]"))]
        step += [] if by_place else self._mark("at")
        tap = [
            f"const uint32_t place = y_to * {columns}u + x_to;",
            f"const {kept.ctype} *weight = {name} + ((channel * {high}u + y_of) * {wide}u + x_of) * {group}u;",
            f"uint32_t at = {first}place;",
            *(self._mark("place") if by_place else []),
            f"for (uint32_t n = 0; n < {group}u; ++n, at += {rows * columns}u) {{",
            *(f"    {text}" for text in step),
            "}",
        ]
        across = _axis("x", self.shape[2], columns, weights, tap)
        body = _axis("y", self.shape[1], rows, weights, across)
        return [*self._sums(), *self._events([*self._message(), *body], places=True)]

    def _function(self, body: list[str]) -> list[str]:
        target, source = self.target.source.name, self.source
        value = f", const {source.value_type} *value" if self.graded else ""
        if any("slot" in line for line in body):
            body = [*self._slots(), *body]
        return [
            f"static void {self.link.name}(struct {self.plan.name}_population_{target} *p,",
            f"    const {source.index_type} *index{value}, uint32_t count)",
            "{",
            *(f"    {text}" for text in body),
            "}",
        ]


def _axis(axis: str, places: int, targets: int, weights: Convolution, body: list[str]) -> list[str]:
    """A loop over the taps of one axis that reach a target from where the event is; no check that cannot fail."""
    along = "yx".index(axis)
    taps, padding = weights.weight.shape[2 + along], weights.padding[along]
    stride, dilation = weights.stride[along], weights.dilation[along]
    reach = f"{axis} + {padding}u" if padding else axis
    back = f"{axis}_back" if dilation > 1 else f"{axis}_of"
    inner = [f"const uint32_t {back} = {dilation}u * {axis}_of;"] if dilation > 1 else []
    # how far each tap reaches from each place
    far = np.arange(places)[:, None] + padding - dilation * np.arange(taps)
    skip = [f"{reach} < {back}"] if (far < 0).any() else []
    skip += [f"({reach} - {back}) % {stride}u != 0u"] if (far % stride)[far >= 0].any() else []
    inner += [f"if ({' || '.join(skip)}) {{", "    continue;", "}"] if skip else []
    position = f"({reach} - {back}) / {stride}u" if stride > 1 else f"{reach} - {back}"
    inner.append(f"const uint32_t {axis}_to = {position};")
    if far.max() // stride >= targets:
        inner += [f"if ({axis}_to >= {targets}u) {{", "    continue;", "}"]
    return [f"for (uint32_t {axis}_of = 0; {axis}_of < {taps}u; ++{axis}_of) {{", *indented([*inner, *body]), "}"]


def _taps(weights: Convolution, shape: tuple[int, ...]) -> int:
    """Pairs of a place in the source and a tap that reach a target."""
    found = 1
    _, *targets = convolved_shape(weights, shape)
    for axis in (0, 1):
        at = np.arange(targets[axis])[:, None] * weights.stride[axis] - weights.padding[axis]
        reached = at + np.arange(weights.weight.shape[2 + axis]) * weights.dilation[axis]
        found *= int(((reached >= 0) & (reached < shape[1 + axis])).sum())
    return found
