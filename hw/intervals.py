"""Interval arithmetic over integer equations: between which whole numbers a value lies, whatever comes in.

Plain interval arithmetic forgets that ``v`` in ``v - message * threshold`` is the ``v`` that the message was made from.
Four rules keep what the registered neurons need: what a condition says holds inside the branch it chose; a sum with a
choice in it is looked at branch by branch; a value less a part of itself (a shift, a product shifted back) lies between
zero and the value; a value less as many thresholds as it holds does not change its sign.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import sympy as sp

from spikelab.hw.arithmetic import choose, positive, quotient, remainder, saturate, shift, toward_zero, wrap

Range = tuple[int, int]
#: Farther than any number that is looked at: one side of what a condition says.
FAR = 1 << 400
#: Shifts by more than this are mistakes, or would make numbers that fill the memory.
_LONGEST_SHIFT = 256


class RangeError(ValueError):
    """A value has no range: an operation is used outside of what it is defined for."""


class Unreachable(Exception):
    """A branch that no value can choose."""


def hull(ranges: Iterable[Range]) -> Range:
    """The smallest range that holds all of them."""
    lows, highs = zip(*ranges, strict=True)
    return min(lows), max(highs)


def common(a: Range, b: Range) -> Range:
    """What lies in both.

    Raises:
        Unreachable: if nothing does.
    """
    low, high = max(a[0], b[0]), min(a[1], b[1])
    if low > high:
        raise Unreachable
    return low, high


class Intervals:
    """Ranges of expressions.

    Attributes:
        known: symbol -> its range.
        definitions: symbol -> the expression that it is a name for; each name is assigned once.
    """

    def __init__(self, known: Mapping[sp.Symbol, Range], definitions: Mapping[sp.Symbol, sp.Expr] | None = None):
        self.known = dict(known)
        self.definitions = dict(definitions or {})

    def of(self, e: sp.Expr, facts: Mapping[sp.Expr, Range] | None = None) -> Range:
        """The range of an expression, where ``facts`` (expression -> range) hold.

        Raises:
            RangeError: if an operation is used outside of its definition.
            Unreachable: if the facts contradict each other.
        """
        found = self._plain(e, facts or {})
        return common(found, facts[e]) if facts and e in facts else found

    def branches(
        self, e: sp.Expr, facts: Mapping[sp.Expr, Range] | None = None
    ) -> list[tuple[sp.Expr, dict[sp.Expr, Range]]]:
        """The branches of ``choose`` that can be chosen, each with what holds there."""
        condition, where_positive, otherwise = e.args
        low, high = self.of(condition, facts)
        found = []
        for branch, chosen, possible in ((where_positive, True, high > 0), (otherwise, False, low <= 0)):
            if possible:
                try:
                    inside = self._with(condition, chosen, facts or {})
                    self.of(branch, inside)
                except Unreachable:
                    continue
                found.append((branch, inside))
        if not found:
            raise Unreachable
        return found

    def _plain(self, e: sp.Expr, facts: Mapping[sp.Expr, Range]) -> Range:
        if isinstance(e, sp.Symbol):
            return self.known[e]
        if e.is_Integer:
            return int(e), int(e)
        if isinstance(e, sp.Add):
            return self._sum(e, facts)
        if isinstance(e, choose):
            return hull(self.of(branch, inside) for branch, inside in self.branches(e, facts))
        parts = [self.of(a, facts) for a in e.args]
        if isinstance(e, sp.Mul):
            return _product(parts)
        if isinstance(e, sp.Abs):
            low, high = parts[0]
            return (low, high) if low >= 0 else (-high, -low) if high <= 0 else (0, max(-low, high))
        if type(e) in _RULES:
            return _RULES[type(e)](e, *parts)
        raise NotImplementedError(f"no range for {type(e).__name__} in {e}")

    def _sum(self, e: sp.Add, facts: Mapping[sp.Expr, Range]) -> Range:
        found = _total(self.of(a, facts) for a in e.args)
        for term in e.args:
            negative = -term
            inner = self.definitions.get(negative, negative)
            if isinstance(inner, choose):
                by_branch = [self._of_sum(e - term - branch, inside) for branch, inside in self.branches(inner, facts)]
                found = common(found, hull(by_branch))
            for whole in e.args:
                if whole is not term and self._is_part(inner, whole):
                    low, high = self.of(whole, facts)
                    rest = [self.of(a, facts) for a in e.args if a is not term and a is not whole]
                    found = common(found, _total([(min(low, 0), max(high, 0)), *rest]))
        return found

    def _of_sum(self, e: sp.Expr, facts: Mapping[sp.Expr, Range]) -> Range:
        """One look at a branch, not at the branches of its branches."""
        if isinstance(e, sp.Add) and e not in facts:
            return _total(self.of(a, facts) for a in e.args)
        return self.of(e, facts)

    def _is_part(self, part: sp.Expr, whole: sp.Expr) -> bool:
        """Whether ``part`` lies between zero and ``whole``, because of how it is made."""
        part = self.definitions.get(part, part)
        if isinstance(part, shift):
            return part.args[0] == whole and self.of(part.args[1])[1] <= 0
        if isinstance(part, toward_zero):
            return bool(part.args[0] == whole)
        if isinstance(part, sp.Mul) and len(part.args) == 2:
            count, size = part.args
            return self._counts(count, size, whole) or self._counts(size, count, whole)
        return False

    def _counts(self, count: sp.Expr, size: sp.Expr, whole: sp.Expr) -> bool:
        """Whether ``count`` is at most how often ``size`` fits into ``whole``, and 0 where that is not positive."""
        count = self.definitions.get(count, count)
        if isinstance(count, saturate) and count.args[1] == 0:
            return self._counts(count.args[0], size, whole)
        return bool(count == quotient(choose(whole, whole, 0), size))

    def _with(self, condition: sp.Expr, holds: bool, facts: Mapping[sp.Expr, Range]) -> dict[sp.Expr, Range]:
        """Facts, and that a condition is positive (or that it is not)."""
        found = dict(facts)
        for e, limits in self._says(condition, holds):
            found[e] = common(found[e], limits) if e in found else limits
            for term in e.args if isinstance(e, sp.Add) else ():
                rest = self.of(e - term, facts)
                bound = (limits[0] - rest[1], limits[1] - rest[0])
                name, bound = (-term, (-bound[1], -bound[0])) if (-term).is_Symbol else (term, bound)
                if isinstance(name, sp.Abs):
                    name, bound = name.args[0], (-bound[1], bound[1])
                if name.is_Symbol:
                    found[name] = common(found[name], bound) if name in found else bound
        return found

    def _says(self, condition: sp.Expr, holds: bool) -> list[tuple[sp.Expr, Range]]:
        limits = (1, FAR) if holds else (-FAR, 0)
        if condition in self.definitions:
            return [(condition, limits), *self._says(self.definitions[condition], holds)]
        if isinstance(condition, positive):
            return self._says(condition.args[0], holds)
        if holds and isinstance(condition, sp.Mul) and all(self.of(a)[0] >= 0 for a in condition.args):
            return [fact for a in condition.args if not a.is_Integer for fact in self._says(a, True)]
        return [] if condition.is_Integer else [(condition, limits)]


def _total(ranges: Iterable[Range]) -> Range:
    lows, highs = zip(*ranges, strict=True)
    return sum(lows), sum(highs)


def _product(ranges: Iterable[Range]) -> Range:
    found = (1, 1)
    for r in ranges:
        corners = [a * b for a in found for b in r]
        found = min(corners), max(corners)
    return found


def _toward_zero(e: sp.Expr, x: Range, n: Range) -> Range:
    _check(0 <= n[0] and n[1] <= _LONGEST_SHIFT, e, f"a shift by {n[0]} to {n[1]} bits")
    corners = [(abs(a) >> b) * (1 if a >= 0 else -1) for a in x for b in n]
    return min(corners), max(corners)


def _shift(e: sp.Expr, x: Range, n: Range) -> Range:
    _check(-_LONGEST_SHIFT <= n[0] and n[1] <= _LONGEST_SHIFT, e, f"a shift by {n[0]} to {n[1]} bits")
    corners = [a << b if b >= 0 else a >> -b for a in x for b in n]
    return min(corners), max(corners)


def _wrap(e: sp.Expr, x: Range, n: Range) -> Range:
    _check(n[0] == n[1] and 1 <= n[0] <= _LONGEST_SHIFT, e, f"a width of {n[0]} to {n[1]} bits")
    half = 1 << (n[0] - 1)
    above, below = (max(x[0], half + 1), x[1]), (x[0], min(x[1], -half))
    parts = [(max(x[0], -half + 1), min(x[1], half)), (above[0] - 2 * half, above[1] - 2 * half)]
    parts.append((below[0] + 2 * half, below[1] + 2 * half))
    return hull(p for p in parts if p[0] <= p[1])


def _saturate(e: sp.Expr, x: Range, low: Range, high: Range) -> Range:
    if low[1] > high[0]:
        return hull([low, high])
    return min(max(x[0], low[0]), high[0]), min(max(x[1], low[1]), high[1])


def _quotient(e: sp.Expr, a: Range, b: Range) -> Range:
    _check(a[0] >= 0 and b[0] > 0, e, f"{a[0]} to {a[1]} over {b[0]} to {b[1]}")
    return a[0] // b[1], a[1] // b[0]


def _remainder(e: sp.Expr, a: Range, b: Range) -> Range:
    _check(a[0] >= 0 and b[0] > 0, e, f"{a[0]} to {a[1]} over {b[0]} to {b[1]}")
    return a if a[1] < b[0] else (0, min(a[1], b[1] - 1))


def _positive(e: sp.Expr, x: Range) -> Range:
    return int(x[0] > 0), int(x[1] > 0)


_RULES: dict[type, Callable[..., Range]] = {
    toward_zero: _toward_zero,
    shift: _shift,
    wrap: _wrap,
    saturate: _saturate,
    quotient: _quotient,
    remainder: _remainder,
    positive: _positive,
}


def _check(defined: bool, e: sp.Expr, what: str) -> None:
    if not defined:
        raise RangeError(f"{e}: {what} is not defined")
