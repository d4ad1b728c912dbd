"""Prints what one neuron does in one step: what it hears, its equations, what it keeps and sends."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import sympy as sp

from spikelab.hw.backends.c99.expression import ExpressionPrinter
from spikelab.hw.backends.c99.integer_types import constant, fits, identifiers, signed_type, size_of, table
from spikelab.hw.backends.c99.layout import Plan, PopulationPlan, Sums
from spikelab.hw.backends.c99.operations import DEFINITIONS
from spikelab.hw.intervals import Intervals
from spikelab.hw.ir import Population
from spikelab.hw.neuron import MESSAGE
from spikelab.hw.ranges import declared_messages, delivered_range, sum_range

_LOCALS = ("p", "i", "word", "bits", "bit", "channel", "count", "still", "index", "value", "awake", "asleep")


@dataclass
class PrintedNeuron:
    """C of one population.

    Attributes:
        tables: name -> a parameter that differs between neurons.
        text: its functions.
        operations: integer operations that they call.
        flash: bytes of the tables.
    """

    tables: dict[str, str] = field(default_factory=dict)
    text: str = ""
    operations: set[str] = field(default_factory=set)
    flash: int = 0


def called(population: PopulationPlan) -> dict[sp.Symbol, str]:
    """Symbol -> its name in the function that steps a population."""
    known = {symbol.name: symbol for symbol in population.ranges.intervals.known}
    taken = {*_LOCALS, *DEFINITIONS, *(s.name for s in population.sums)}
    taken |= {_table_name(population, n) for n in known}
    return {known[n]: text for n, text in identifiers(known, taken).items()}


def _table_name(population: PopulationPlan, parameter: str) -> str:
    return f"table_{population.source.name}_{parameter}"


#: Bytes of flash for which a division by a constant at each update is a good price.
_WORTH_DIVIDING = 512


def _entries(population: Population, parameter: str) -> tuple[list[int], int]:
    """Values of a parameter, and of how many neurons in a row each is: 1, or the places of a feature map."""
    values = np.broadcast_to(np.asarray(population.parameters[parameter]), population.shape)
    rows = values.reshape(len(values), -1)
    places = rows.shape[1]
    if (rows == rows[:, :1]).all() and (values.size - len(rows)) * 2 >= _WORTH_DIVIDING:
        return rows[:, 0].tolist(), places
    return values.ravel().tolist(), 1


class EquationPrinter:
    """Prints the equations of a population over one set of ranges.

    Args:
        plan: of the graph.
        population: whose equations.
        intervals: what is known of all values.
        out: told about tables and operations.
    """

    def __init__(self, plan: Plan, population: PopulationPlan, intervals: Intervals, out: PrintedNeuron):
        self.plan, self.p, self.intervals, self.out = plan, population, intervals, out
        self.ranges = population.ranges
        self.names = called(population)
        self.printer = ExpressionPrinter(intervals, self.names, population.population.neuron.name)
        #: it may be known to send nothing although its kind could
        self.sends = not population.source.silent and intervals.known[self.ranges.last[MESSAGE]] != (0, 0)

    def shared(self) -> list[str]:
        """Lines that are the same for all neurons."""
        shared = {line.symbol for line in self.ranges.shared_lines()}
        return [text for symbol, text in self._lines()[0] if symbol in shared]

    def heard(self) -> list[str]:
        """What arrives at each port."""
        _, used = self._lines()
        found = []
        for port, r in self.ranges.ports.items():
            if r != (0, 0) and (self.p.sleeps or _symbol(port) in used):
                bits = self.printer.width(r)
                parts = [self._sum(s, bits) for s in self.p.sums if s.port == port]
                found.append(self._declare(_symbol(port), " + ".join(parts)))
        return found

    def step(self, stays: bool = False) -> list[str]:
        """From the states before to those after, with what is sent, and whether to stay awake.

        Args:
            stays: it is known to stay awake, because it heard something.
        """
        shared = {line.symbol for line in self.ranges.shared_lines()}
        lines, used = self._lines()
        each = [text for symbol, text in lines if symbol not in shared]
        self.out.operations |= self.printer.operations
        before = used if stays else used | {_symbol(n) for n in self._changing()}
        return [
            *self._before(before),
            *self._parameters(used),
            *each,
            *self._checks(),
            *self._keep(),
            *self._send(stays),
        ]

    def _lines(self) -> tuple[list[tuple[sp.Symbol, str]], set[sp.Symbol]]:
        """The lines that anything depends on, and all symbols that they and the end of the step use."""
        ends = [*self.ranges.last.values(), *(line.symbol for line in self.ranges.shared_lines())]
        used, found = {s for s in ends if not self._constant(s)}, []
        for line in reversed(self.ranges.lines):
            if line.symbol in used and not self._constant(line.symbol):
                self.printer.used = set()
                value = self.printer.of_width(line.value, self.printer.width(self.intervals.known[line.symbol]))
                found.append((line.symbol, self._declare(line.symbol, value)))
                used |= self.printer.used
        return found[::-1], used

    def _constant(self, symbol: sp.Symbol) -> bool:
        low, high = self.intervals.known[symbol]
        return low == high

    def _declare(self, symbol: sp.Symbol, text: str) -> str:
        return f"const int{self.printer.width(self.intervals.known[symbol])}_t {self.names[symbol]} = {text};"

    def _sum(self, s: Sums, bits: int) -> str:
        """What a sum brings to its port."""
        if s.connection is None:
            text = f"(int{bits}_t){s.name}[i]" if bits == 64 or s.ctype != "int32_t" else f"{s.name}[i]"
            return f"{text} * {constant(1 << s.scale)}" if s.scale else text
        raw = sum_range(s.connection, self.plan.source(s.connection.source).message)
        unwrapped = delivered_range(replace(s.connection, wrap_bits=0), raw)
        width = 32 if all(fits(r, 32) for r in (s.extent, unwrapped, s.delivered)) else 64
        text, places = f"(int{width}_t){s.name}[i]", s.scale + s.connection.exponent
        if places < 0:
            # more places than there are bits leave nothing but the sign, as one less does
            self.out.operations.add(f"shift_right_{width}")
            text = f"shift_right_{width}({text}, {-max(places, 1 - width)}u)"
        elif places:
            text = f"({text} * {constant(1 << places)})"
        if unwrapped != s.delivered:
            self.out.operations.add("modulo_64")
            text, width = f"modulo_64({text}, {s.connection.wrap_bits}u)", 64
        return text if width == bits else f"(int{bits}_t){text}"

    def _before(self, wanted: set[sp.Symbol]) -> list[str]:
        names = [n for n in self.ranges.states if _symbol(n) in wanted and not self._constant(_symbol(n))]
        return [self._declare(_symbol(n), f"p->{self.p.fields[n]}[i]") for n in names]

    def _changing(self) -> list[str]:
        """States that have to be compared with what they were."""
        if not self.p.sleeps:
            return []
        return [n for n, r in self.ranges.states.items() if r[0] != r[1] and self.ranges.last[n] != _symbol(n)]

    def _parameters(self, used: set[sp.Symbol]) -> list[str]:
        found = []
        population = self.p.population
        for parameter in population.neuron.parameters:
            symbol = _symbol(parameter.name)
            if symbol in used and not self._constant(symbol):
                ctype = signed_type(self.intervals.known[symbol])
                values, places = _entries(population, parameter.name)
                name = self._table(ctype, _table_name(self.p, parameter.name), values)
                found.append(self._declare(symbol, f"{name}[i]" if places == 1 else f"{name}[i / {places}u]"))
        return found

    def _table(self, ctype: str, name: str, values: list[int]) -> str:
        """The name of a table with these values: one that is there already, or a new one."""
        for known, text in self.out.tables.items():
            if text == table(ctype, known, values):
                return known
        self.out.tables[name] = table(ctype, name, values)
        self.out.flash += len(values) * size_of(ctype)
        return name

    def value(self, name: str) -> str:
        """The last value of a state, or the message."""
        symbol = self.ranges.last[name]
        return constant(self.intervals.known[symbol][0]) if self._constant(symbol) else self.names[symbol]

    def _checks(self) -> list[str]:
        found = []
        for name in self.p.checked:
            declared = declared_messages(self.p.population.neuron)
            low, high = declared if name == MESSAGE else self.ranges.states[name]
            least, most = self.intervals.known[self.ranges.last[name]]
            outside = [f"{self.value(name)} < {constant(low)}"] if least < low else []
            outside += [f"{self.value(name)} > {constant(high)}"] if most > high else []
            if outside:
                found += [f"if ({' || '.join(outside)}) {{"]
                found += [f"    return {self.plan.name.upper()}_OUT_OF_RANGE;", "}"]
        return found

    def _keep(self) -> list[str]:
        return [
            f"p->{self.p.fields[n]}[i] = ({self.p.states[n]}){self.value(n)};"
            for n, r in self.ranges.states.items()
            if r != (0, 0)
        ]

    def _send(self, stays: bool) -> list[str]:
        source, message = self.p.source, self.value(MESSAGE)
        found = []
        if self.sends:
            found += [f"if ({message} != 0) {{", f"    index[count] = ({source.index_type})i;"]
            found += [f"    value[count] = ({source.value_type}){message};"] if source.value_type else []
            found += ["    ++count;", "}"]
        if stays:
            found.append("still |= bit;")
        elif self.p.sleeps:
            heard = [p for p in self.ranges.ports if self.intervals.known[_symbol(p)] != (0, 0)]
            awake = [f"{text} != 0" for text in [*(self.names[_symbol(p)] for p in heard)]]
            awake += [f"{message} != 0"] if self.sends else []
            awake += [f"{self.value(n)} != {self.names[_symbol(n)]}" for n in self._changing()]
            if awake == [f"{message} != 0"]:
                found.insert(-1, "    still |= bit;")
            elif awake:
                found += [f"if ({' || '.join(awake)}) {{", "    still |= bit;", "}"]
        return found


def quiet(printer: EquationPrinter) -> Sequence[str]:
    """A shorter step for a neuron that hears nothing, where it is proven that it then sends nothing; else ()."""
    ranges = printer.ranges
    ports = [p for p, r in ranges.ports.items() if r != (0, 0)]
    if not (printer.p.sleeps and printer.sends and ports):
        return ()
    alone = EquationPrinter(printer.plan, printer.p, ranges.without_input(), printer.out)
    if alone.sends:
        return ()
    silence = " && ".join(f"{printer.names[_symbol(p)]} == 0" for p in ports)
    return [f"if ({silence}) {{", *indented([*alone.step(), "continue;"]), "}"]


def indented(lines: Iterable[str], by: int = 1) -> list[str]:
    """Lines of a block."""
    return [f"{'    ' * by}{line}" for line in lines]


def _symbol(name: str) -> sp.Symbol:
    return sp.Symbol(name, integer=True)
