"""The integer operations that event hardware is made of, as functions of equations.

An integer neuron is written with ``+ - *`` and these. Each has one exact meaning on whole numbers, given here by
``evaluate``; printers turn it into Numba, C99 and torch. Shifts of negative numbers differ between chips, so each way
of rounding has its own name.
"""

from __future__ import annotations

import sympy as sp


class toward_zero(sp.Function):
    """``toward_zero(x, n)``: x / 2^n, its magnitude rounded down; n >= 0."""

    nargs = 2


class shift(sp.Function):
    """``shift(x, n)``: x · 2^n; for n < 0 x / 2^-n rounded to the smaller number (an arithmetic shift to the right)."""

    nargs = 2


class wrap(sp.Function):
    """``wrap(x, n)``: x less 2^n above 2^(n-1), plus 2^n at or below -2^(n-1); once, and +2^(n-1) itself stays."""

    nargs = 2


class saturate(sp.Function):
    """``saturate(x, low, high)``: the nearest number within the limits."""

    nargs = 3


class quotient(sp.Function):
    """``quotient(a, b)``: a / b rounded down, for a >= 0 and b > 0."""

    nargs = 2


class remainder(sp.Function):
    """``remainder(a, b)``: what a leaves over b, for a >= 0 and b > 0."""

    nargs = 2


class positive(sp.Function):
    """``positive(x)``: 1 where x > 0, else 0."""

    nargs = 1


class choose(sp.Function):
    """``choose(c, a, b)``: a where c > 0, else b."""

    nargs = 3


FUNCTIONS = {f.__name__: f for f in (toward_zero, shift, wrap, saturate, quotient, remainder, positive, choose)}
