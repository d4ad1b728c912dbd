"""Prints integer equations as code. C and Python write them alike: names, numbers, ``+ - *`` and calls."""

from __future__ import annotations

import sympy as sp

from spikelab.hw.arithmetic import FUNCTIONS


def print_integer(expression: sp.Expr) -> str:
    """An expression over whole numbers as text that is both C and Python.

    Raises:
        NotImplementedError: for an operation that whole numbers do not have.
    """
    e = expression
    if isinstance(e, sp.Symbol):
        return e.name
    if e.is_Integer:
        return str(e) if e >= 0 else f"({e})"
    if isinstance(e, sp.Add | sp.Mul):
        terms = e.as_ordered_terms() if isinstance(e, sp.Add) else e.as_ordered_factors()
        sign = " + " if isinstance(e, sp.Add) else " * "
        return f"({sign.join(map(print_integer, terms))})"
    if isinstance(e, sp.Abs):
        return f"magnitude({print_integer(e.args[0])})"
    if isinstance(e, sp.Function) and type(e).__name__ in FUNCTIONS:
        return f"{type(e).__name__}({', '.join(map(print_integer, e.args))})"
    raise NotImplementedError(f"no integer code for {type(e).__name__} in {e}")
