"""Prints integer equations as C, in 32 bits wherever the ranges prove that they suffice, else in 64.

Whatever the ranges decide is not printed at all: constants, branches that cannot be chosen, limits that cannot be met.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sympy as sp

from spikelab.hw.arithmetic import choose, positive, quotient, remainder, saturate, shift, toward_zero, wrap
from spikelab.hw.backends.c99.integer_types import constant, fits
from spikelab.hw.intervals import Intervals, Range, RangeError

Facts = Mapping[sp.Expr, Range]


@dataclass(frozen=True)
class Text:
    """A printed value and the width of its type."""

    text: str
    bits: int


class ExpressionPrinter:
    """Prints over one set of ranges.

    Args:
        intervals: ranges of everything.
        names: symbol -> what it is called in C.
        where: whose equations, for messages.

    Attributes:
        operations: C functions that were called.
        used: symbols that were printed.
    """

    def __init__(self, intervals: Intervals, names: Mapping[sp.Symbol, str], where: str):
        self.intervals, self.names, self.where = intervals, names, where
        self.operations: set[str] = set()
        self.used: set[sp.Symbol] = set()

    def width(self, r: Range) -> int:
        """Bits of the local variable that holds such values.

        Raises:
            RangeError: if 64 are too few.
        """
        if not fits(r, 64):
            raise RangeError(f"{self.where}: a value from {r[0]} to {r[1]} leaves 64 bits")
        return 32 if fits(r, 32) else 64

    def of_width(self, e: sp.Expr, bits: int, facts: Facts | None = None) -> str:
        """A value printed in a type of at least 32 or exactly 64 bits."""
        found = self.print(e, facts or {})
        return f"(int{bits}_t){found.text}" if found.bits != bits else found.text

    def print(self, e: sp.Expr, facts: Facts) -> Text:
        """A value in the width that it needs on the way."""
        r = self.intervals.of(e, facts)
        if r[0] == r[1]:
            return Text(constant(r[0]), self.width(r))
        if isinstance(e, sp.Symbol):
            self.used.add(e)
            return Text(self.names[e], self.width(self.intervals.known[e]))
        if isinstance(e, sp.Add):
            return self._sum(e, r, facts)
        if isinstance(e, sp.Mul):
            return self._product(e.as_ordered_factors(), r, facts)
        if isinstance(e, choose):
            return self._choose(e, r, facts)
        if isinstance(e, positive):
            return Text(f"(int32_t)({self.print(e.args[0], facts).text} > 0)", 32)
        if isinstance(e, sp.Abs):
            inner = self.intervals.of(e.args[0], facts)
            return self._call("magnitude", (e.args[0],), [inner, r], facts)
        ranges = [self.intervals.of(a, facts) for a in e.args]
        if isinstance(e, toward_zero):
            return self._toward_zero(e, ranges, r, facts)
        if isinstance(e, shift):
            return self._shift(e, ranges, r, facts)
        if isinstance(e, saturate):
            if ranges[1][1] <= ranges[0][0] and ranges[0][1] <= ranges[2][0]:
                return self.print(e.args[0], facts)
            return self._call("saturate", e.args, [*ranges], facts)
        if isinstance(e, wrap):
            half = 1 << (ranges[1][0] - 1)
            if -half < ranges[0][0] and ranges[0][1] <= half:
                return self.print(e.args[0], facts)
            return self._call("wrap", e.args[:1], [ranges[0], (-half, half), r], facts, counts=e.args[1:])
        if isinstance(e, quotient | remainder):
            return self._call(type(e).__name__, e.args, ranges, facts)
        raise NotImplementedError(f"no C for {type(e).__name__} in {e}")

    def _sum(self, e: sp.Add, r: Range, facts: Facts) -> Text:
        # what is added comes before what is taken away
        terms = [term for term in e.as_ordered_terms() if self.intervals.of(term, facts) != (0, 0)]
        terms.sort(key=lambda term: term.could_extract_minus_sign())
        if len(terms) == 1:
            return self.print(terms[0], facts)
        ranges, partial, total = [], [], (0, 0)
        for term in terms:
            found = self.intervals.of(term, facts)
            total = total[0] + found[0], total[1] + found[1]
            ranges += [found, (-found[1], -found[0])]
            partial.append(total)
        # the whole sum may be known better than its parts say
        bits = max(self.width(x) for x in [*ranges, *partial[:-1], r])
        first = self.of_width(terms[0], bits, facts)
        text = first
        for term in terms[1:]:
            negative = term.could_extract_minus_sign()
            printed = self.print(-term if negative else term, facts)
            part = f"(int32_t){printed.text}" if bits == 32 and printed.bits == 64 else printed.text
            text += f" {'-' if negative else '+'} {part}"
        return Text(f"({text})", bits)

    def _product(self, factors: Sequence[sp.Expr], r: Range, facts: Facts) -> Text:
        ranges, partial, total = [], [], (1, 1)
        for factor in factors:
            found = self.intervals.of(factor, facts)
            corners = [a * b for a in total for b in found]
            total = min(corners), max(corners)
            ranges.append(found)
            partial.append(total)
        bits = max(self.width(x) for x in [*ranges, *partial[:-1], r])
        if factors[0] == -1 and len(factors) == 2:
            return Text(f"(-{self.of_width(factors[1], bits, facts)})", bits)
        texts = [self.of_width(factors[0], bits, facts)]
        for factor in factors[1:]:
            printed = self.print(factor, facts)
            texts.append(f"(int32_t){printed.text}" if bits == 32 and printed.bits == 64 else printed.text)
        return Text(f"({' * '.join(texts)})", bits)

    def _choose(self, e: choose, r: Range, facts: Facts) -> Text:
        branches = self.intervals.branches(e, facts)
        if len(branches) == 1:
            return self.print(*branches[0])
        printed = [self.print(branch, inside) for branch, inside in branches]
        # a branch is worked out only where it is chosen, so what its condition says may be used in it
        bits = self.width(r)
        first, second = (f"(int{bits}_t){p.text}" if p.bits != bits else p.text for p in printed)
        return Text(f"({self.print(e.args[0], facts).text} > 0 ? {first} : {second})", bits)

    def _toward_zero(self, e: toward_zero, ranges: list[Range], r: Range, facts: Facts) -> Text:
        (value, places), (x, n) = e.args, ranges
        scaled = self._scaled(value, x, n, r, facts)
        if scaled:
            return scaled
        if x[0] >= 0 and n[1] < (32 if fits(x, 32) else 64):
            printed = self.print(value, facts)
            return Text(f"({printed.text} >> {self._count(places, facts)})", printed.bits)
        if n[0] == n[1] and n[0] < 63:
            # C99 divides toward zero; compilers make an addition and a shift of it
            bits = max(self.width(x), 64 if n[0] > 30 else 32)
            return Text(f"({self.of_width(value, bits, facts)} / {constant(1 << n[0])})", bits)
        extra = [] if n[1] < 32 else [(0, 2**63 - 1)]
        # the magnitude of the smallest number has no place
        return self._call("toward_zero", (value,), [(x[0] - 1, x[1]), r, *extra], facts, counts=(places,))

    def _scaled(self, value: sp.Expr, x: Range, n: Range, r: Range, facts: Facts) -> Text | None:
        """A product that leaves 32 bits and is shifted back into them."""
        if not isinstance(value, sp.Mul) or fits(x, 32) or n[0] != n[1] or not 1 <= n[0] < 32 or not fits(r, 32):
            return None
        for factor in value.args:
            k, rest = self.intervals.of(factor, facts), value / factor
            other = self.intervals.of(rest, facts)
            largest = max(-k[0], k[1])
            whole = ((max(-other[0], other[1]) >> n[0]) * largest) + ((((1 << n[0]) - 1) * largest) >> n[0])
            if fits(k, 32) and fits(other, 32) and ((1 << n[0]) - 1) * largest < 2**32 and whole < 2**31:
                self.operations.add("scaled_32")
                a, b = self.of_width(rest, 32, facts), self.of_width(factor, 32, facts)
                return Text(f"scaled_32({a}, {b}, {n[0]}u)", 32)
        return None

    def _shift(self, e: shift, ranges: list[Range], r: Range, facts: Facts) -> Text:
        (value, places), (x, n) = e.args, ranges
        if max(-n[0], n[1]) > 62:
            raise RangeError(f"{self.where}: {e}: a shift by {n[0]} to {n[1]} bits")
        if n == (0, 0):
            return self.print(value, facts)
        if n[1] <= 0 and x[0] >= 0:
            printed = self.print(value, facts)
            if -n[0] < printed.bits:
                return Text(f"({printed.text} >> {self._count(-places, facts)})", printed.bits)
        one = [(0, 1 << max(n[1], 0)), (0, 1 << max(-n[0] - 1, 0))]
        if n[1] <= 0:
            return self._call("shift_right", (value,), [x, r, one[1]], facts, counts=(-places,))
        if n[0] == n[1]:
            return self._product([value, sp.Integer(1 << n[0])], r, facts)
        if n[0] >= 0:
            return self._call("shift_left", (value,), [x, r, one[0]], facts, counts=(places,))
        bits = max(self.width(a) for a in [x, r, *one])
        name = f"shift_{bits}"
        self.operations.add(name)
        return Text(f"{name}({self.of_width(value, bits, facts)}, {self.of_width(places, 32, facts)})", bits)

    def _count(self, places: sp.Expr, facts: Facts) -> str:
        low, high = self.intervals.of(places, facts)
        return f"{low}u" if low == high else f"(uint32_t){self.of_width(places, 32, facts)}"

    def _call(
        self, name: str, args: Sequence[sp.Expr], ranges: list[Range], facts: Facts, counts: Sequence[sp.Expr] = ()
    ) -> Text:
        """A function in the width that its arguments and its result need; ``counts`` are numbers of bits."""
        bits = max(self.width(x) for x in ranges)
        if name == "magnitude":
            bits = max(bits, self.width((-ranges[0][1], -ranges[0][0])))
        self.operations.add(f"{name}_{bits}")
        texts = [self.of_width(a, bits, facts) for a in args] + [self._count(c, facts) for c in counts]
        return Text(f"{name}_{bits}({', '.join(texts)})", bits)
