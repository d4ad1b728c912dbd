"""Reads an equation written as text into SymPy, without ever evaluating Python code.

``sympy.sympify`` calls ``eval``; an equation may come from a configuration file, so it is parsed here instead.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Mapping

import sympy as sp

from spikelab.neurons.functions import linoid

FUNCTIONS: dict[str, type[sp.Function]] = {
    "exp": sp.exp,
    "log": sp.log,
    "sqrt": sp.sqrt,
    "tanh": sp.tanh,
    "sinh": sp.sinh,
    "cosh": sp.cosh,
    "sin": sp.sin,
    "cos": sp.cos,
    "abs": sp.Abs,
    "linoid": linoid,
}
CONSTANTS = {"pi": sp.pi}
#: Longer texts and larger numbers are mistakes, or meant to keep the parser busy for ever.
LONGEST_TEXT = 4000
LARGEST_POWER_BITS = 4096


def _power(base: sp.Expr, exponent: sp.Expr) -> sp.Expr:
    if base.is_Rational and exponent.is_Rational:
        bits = max(int(base.p).bit_length(), int(base.q).bit_length()) * abs(exponent)
        if bits > LARGEST_POWER_BITS:
            raise ValueError("a number that large is not worked out")
    return base**exponent


_BINARY = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b,
    ast.Pow: _power,
}


def rename(text: str, names: Mapping[str, str]) -> str:
    """The same expression with each name in ``names`` replaced by its text, all at once."""
    return re.sub(r"\b[A-Za-z_]\w*\b", lambda found: names.get(found.group(), found.group()), text)


def parse(
    text: str, symbols: Mapping[str, sp.Expr], where: str, functions: Mapping[str, object] | None = None
) -> sp.Expr:
    """Turns ``text`` into an expression over ``symbols``.

    Args:
        text: arithmetic with ``+ - * / **``, numbers, the given names, ``pi`` and the usual functions.
        symbols: the names that may appear.
        where: what the text belongs to, for the error message.
        functions: further functions that may be called, by name.

    Raises:
        ValueError: if the text is not such an expression or uses an unknown name.
    """
    known = {**FUNCTIONS, **(functions or {})}

    def build(node: ast.AST) -> sp.Expr:
        match node:
            case ast.Expression(body=body):
                return build(body)
            case ast.Constant(value=bool()):
                raise ValueError(f"{where}: {ast.unparse(node)!r} is not a number")
            case ast.Constant(value=int() | float() as number):
                # exact rationals keep the symbolic steps exact; they are rounded once, when code is printed
                if abs(number) > sys.float_info.max:
                    raise ValueError(f"{where}: {ast.unparse(node)!r} in {text!r} is too large a number")
                return sp.Rational(str(number))
            case ast.Name(id=name) if name in symbols:
                return symbols[name]
            case ast.Name(id=name) if name in CONSTANTS:
                return CONSTANTS[name]
            case ast.Name(id=name):
                raise ValueError(f"{where}: unknown name {name!r} in {text!r}; known are {', '.join(sorted(symbols))}")
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
                operands = build(left), build(right)
                try:
                    return _BINARY[type(op)](*operands)
                except ValueError as error:
                    raise ValueError(f"{where}: cannot read {ast.unparse(node)!r} in {text!r}: {error}") from error
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -build(operand)
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return build(operand)
            case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in known:
                operands = tuple(map(build, args))
                # SymPy's own functions have further arguments that change what they mean
                count = 1 if name in FUNCTIONS else max(getattr(known[name], "nargs", {1}))
                if len(operands) != count:
                    raise ValueError(f"{where}: {name} in {text!r} takes {count} arguments, not {len(operands)}")
                return known[name](*operands)  # type: ignore[operator]
        allowed = f"numbers, + - * / **, and {', '.join(sorted(known))}"
        raise ValueError(f"{where}: cannot read {ast.unparse(node)!r} in {text!r}; allowed are {allowed}")

    if len(text) > LONGEST_TEXT:
        raise ValueError(f"{where}: an expression of {len(text)} characters; at most {LONGEST_TEXT} are read")
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, RecursionError, MemoryError, ValueError) as error:
        raise ValueError(f"{where}: {text!r} is not an expression ({getattr(error, 'msg', error)})") from error
    try:
        found = build(tree)
    except RecursionError as error:
        raise ValueError(f"{where}: {text!r} is nested too deeply") from error
    if found.has(sp.oo, -sp.oo, sp.zoo, sp.nan):
        raise ValueError(f"{where}: {text!r} is not finite (a division by zero?)")
    return found
