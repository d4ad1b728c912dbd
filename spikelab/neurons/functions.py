"""The few functions that a spiking step needs beyond arithmetic, each with the derivative that training uses.

Code printers translate them; differentiating a step with SymPy then gives its backward pass with no special case.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import sympy as sp


class surrogate_derivative(sp.Function):
    """Stands for the chosen surrogate's derivative at a scaled distance from threshold."""

    nargs = 1


class spike(sp.Function):
    """``spike(gate, scale)``: 1 where gate > 0, else 0; its derivative is the surrogate's at ``gate / scale``."""

    nargs = 2

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        gate, scale = self.args
        if argindex == 1:
            return surrogate_derivative(gate / scale) / scale
        return sp.S.Zero


class select(sp.Function):
    """``select(c, a, b)``: a where c > 0, else b; no derivative with respect to c."""

    nargs = 3

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        condition = self.args[0]
        if argindex == 2:
            return select(condition, sp.S.One, sp.S.Zero)
        if argindex == 3:
            return select(condition, sp.S.Zero, sp.S.One)
        return sp.S.Zero


class blend(sp.Function):
    """``blend(s, a, b)``: exactly a where s is 1 and b where s is 0, differentiated as s·a + (1 - s)·b.

    The product form would leave ``b + (a - b)`` after a reset, which rounding makes differ from ``a``.
    """

    nargs = 3

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        s, a, b = self.args
        if argindex == 1:
            return a - b
        return select(s, sp.S.One, sp.S.Zero) if argindex == 2 else select(s, sp.S.Zero, sp.S.One)


class stop_gradient(sp.Function):
    """The value itself, with derivative zero."""

    nargs = 1

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        return sp.S.Zero


class linoid(sp.Function):
    """``linoid(x)``: x / (1 - exp(-x)), and 1 at 0, where the quotient alone would be 0 / 0.

    The usual rate of a channel's gate (Hodgkin and Huxley 1952, eqs. 12 and 20). ``lines`` writes it so that neither
    the value nor the slope of any branch overflows or divides by zero, taken or not.
    """

    nargs = 1
    #: Below this size a series of four terms is exact to rounding.
    SERIES_BELOW = sp.Rational(1, 20)

    @classmethod
    def eval(cls, x: sp.Expr) -> sp.Expr | None:
        if x.is_number:
            return sp.S.One if x == 0 else x / (1 - sp.exp(-x))
        return None

    @classmethod
    def lines(cls, x: sp.Expr, name: str) -> list[tuple[str, sp.Expr]]:
        """The same in terms of functions that every target has: lines, the last of which is called ``name``."""
        names = ("size", "large", "small", "decay", "quotient", "above", "series")
        size, large, small, decay, quotient, above, series = (sp.Symbol(f"{name}{n}_", real=True) for n in names)
        is_large = size - cls.SERIES_BELOW
        inner = sp.Rational(1, 12) + small**2 * (small**2 / 30240 - sp.Rational(1, 720))
        # one choice a line: their derivatives put into each other take compilers long
        return [
            (size.name, select(x, x, -x)),
            # a stand-in for the branch that is not taken, as both are computed
            (large.name, select(is_large, size, sp.S.One)),
            (small.name, select(is_large, sp.S.Zero, x)),
            (decay.name, sp.exp(-large)),
            (quotient.name, large * decay / (1 - decay)),
            (above.name, select(x, x, sp.S.Zero)),
            (series.name, 1 + small / 2 + small**2 * inner),
            (name, select(is_large, quotient + above, series)),
        ]

    def lowered(self) -> sp.Expr:
        """The lines put into each other."""
        return self._lowered(self.args[0])

    @classmethod
    def _lowered(cls, x: sp.Expr) -> sp.Expr:
        known: dict[sp.Expr, sp.Expr] = {}
        value = x
        for name, line in cls.lines(x, "linoid"):
            value = known[sp.Symbol(name, real=True)] = line.xreplace(known)
        return value

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        at = sp.Dummy(real=True)
        return sp.diff(self._lowered(at), at).xreplace({at: self.args[0]})

    def _latex(self, printer: Any, **options: Any) -> str:
        return rf"\operatorname{{linoid}}\left({printer._print(self.args[0])}\right)"

    @staticmethod
    def _imp_(x: Any) -> Any:
        """For SymPy's own numeric code."""
        x = np.asarray(x)
        small = np.abs(x) < 1e-9
        with np.errstate(over="ignore"):
            return np.where(small, 1 + x / 2, x / -np.expm1(-np.where(small, 1, x)))


class exp_divided_difference(sp.Function):
    """The divided difference of exp at the given points: the exact solution of a chain of linear equations.

    One point: exp(a). Two: (exp(a) - exp(b)) / (a - b), which tends to exp(a) as b tends to a; and so on.
    The closed quotient loses all digits when two time constants are nearly equal, so it stays a function
    of its own that each back end evaluates stably.
    """

    @classmethod
    def eval(cls, *points: sp.Expr) -> sp.Expr | None:
        if len(points) == 1:
            return sp.exp(points[0])
        if all(point == points[0] for point in points):
            return sp.exp(points[0]) / sp.factorial(len(points) - 1)
        return None
