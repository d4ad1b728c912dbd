"""Checks that the equations of a rule are consistent in their units."""

from __future__ import annotations

from collections.abc import Mapping

import sympy as sp

from spikelab.neurons.expression import parse

#: Units that a rule may be written in, besides "weight"; each stands for itself but the hertz.
_SECOND = sp.Symbol("s", positive=True)
_UNITS = {
    "s": _SECOND,
    "Hz": 1 / _SECOND,
    **{name: sp.Symbol(name, positive=True) for name in ("weight", "V", "A", "S", "F", "ohm", "m")},
}


class DimensionError(ValueError):
    """An equation that adds or assigns quantities of different units."""


class Dimensions:
    """Knows the unit of each name.

    Args:
        units: name -> unit as text, such as "s", "weight/s" or "1".
        where: whose they are, for error messages.
        anything: names that take whatever unit fits: left out of the check.
    """

    def __init__(self, units: Mapping[str, str], where: str, anything: set[str] = frozenset()):  # type: ignore[assignment]
        self._where, self._anything = where, anything
        self._of = {name: self.unit(text, f"{where}: {name}") for name, text in units.items()}

    @staticmethod
    def unit(text: str, where: str) -> sp.Expr:
        """A unit, as a product of powers.

        Raises:
            ValueError: for text that is not a unit.
        """
        found = parse(text, _UNITS, where)
        if sp.Mul(*(each for each in found.as_ordered_factors() if each.is_number)) != 1 or found.is_Add:
            raise ValueError(f"{where}: {text!r} is not a unit; takes products of {', '.join(_UNITS)}")
        return found

    def require(self, expression: sp.Expr, unit: str, where: str) -> None:
        """Raises DimensionError unless the expression has that unit; zero has every unit."""
        found, wanted = self._dimension(expression, where), self.unit(unit, where)
        if found is not None and sp.simplify(found / wanted) != 1:
            raise DimensionError(f"{where}: {expression} has the unit {found}, but {wanted} is needed")

    def _dimension(self, e: sp.Expr, where: str) -> sp.Expr | None:
        """The unit of an expression; None where any unit fits."""
        if e == 0:
            return None
        if e.is_number:
            return sp.S.One
        if e.is_Symbol:
            return None if e.name in self._anything else self._of[e.name]
        parts = [self._dimension(each, where) for each in e.args]
        if e.is_Mul:
            return None if None in parts else sp.Mul(*parts)
        if e.is_Add:
            known = [(part, each) for part, each in zip(parts, e.args, strict=True) if part is not None]
            for part, each in known[1:]:
                if sp.simplify(part / known[0][0]) != 1:
                    raise DimensionError(
                        f"{where}: adds {known[0][1]} in {known[0][0]} and {each} in {part}, which differ in unit"
                    )
            return known[0][0] if known else None
        if e.is_Pow:
            self._no_unit(parts[1], e.exp, where)
            if parts[0] is None or e.exp.is_Rational:
                return None if parts[0] is None else parts[0] ** e.exp
            self._no_unit(parts[0], e.base, where)
            return sp.S.One
        if isinstance(e, sp.Abs):
            return parts[0]
        for part, each in zip(parts, e.args, strict=True):
            self._no_unit(part, each, where)
        return sp.S.One

    def _no_unit(self, unit: sp.Expr | None, e: sp.Expr, where: str) -> None:
        if unit is not None and unit != 1:
            raise DimensionError(f"{where}: {e} in {unit} is a function's argument or an exponent, which have no unit")
