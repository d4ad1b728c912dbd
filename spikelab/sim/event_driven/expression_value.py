"""The number that an expression over parameters has, for all neurons at once."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from typing import Any

import numpy as np
import sympy as sp

_FUNCTIONS: dict[type[sp.Basic], Any] = {
    sp.exp: np.exp,
    sp.log: np.log,
    sp.tanh: np.tanh,
    sp.sinh: np.sinh,
    sp.cosh: np.cosh,
    sp.sin: np.sin,
    sp.cos: np.cos,
    sp.Abs: np.abs,
}


def expression_value(expression: sp.Expr, parameters: Mapping[str, Any]) -> Any:
    """Evaluates an expression without turning it into code.

    Args:
        expression: over parameters alone.
        parameters: name -> a number, or a float64 array with one value for each neuron.

    Raises:
        ValueError: for a function that has no numeric form.
    """
    if expression.is_number:
        return float(expression)
    if expression.is_Symbol:
        return parameters[str(expression)]
    values = [expression_value(each, parameters) for each in expression.args]
    if expression.is_Add:
        return reduce(np.add, values)
    if expression.is_Mul:
        # a quotient is rounded once, a product with a reciprocal twice
        below = [
            expression_value(1 / each, parameters) for each in expression.args if each.is_Pow and each.exp.is_negative
        ]
        above = [
            value
            for value, each in zip(values, expression.args, strict=True)
            if not (each.is_Pow and each.exp.is_negative)
        ]
        product = reduce(np.multiply, above, 1.0)
        return product / reduce(np.multiply, below) if below else product
    if expression.is_Pow:
        base, exponent = values
        return 1.0 / base if expression.exp == -1 else np.power(base, exponent)
    function = _FUNCTIONS.get(expression.func) or getattr(expression, "_imp_", None)
    if function is None:
        raise ValueError(f"{expression}: {expression.func.__name__} has no numeric form here")
    return function(*values)
