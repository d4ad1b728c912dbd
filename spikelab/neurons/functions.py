"""The few functions that a spiking step needs beyond arithmetic, each with the derivative that training uses.

Code printers translate them; differentiating a step with SymPy then gives its backward pass with no special case.
"""

from __future__ import annotations

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
