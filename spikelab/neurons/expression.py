"""Reads an equation written as text into SymPy, without ever evaluating Python code.

``sympy.sympify`` calls ``eval``; an equation may come from a configuration file, so it is parsed here instead.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping

import sympy as sp

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
}
CONSTANTS = {"pi": sp.pi}
_BINARY = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b,
    ast.Pow: lambda a, b: a**b,
}


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
            case ast.Constant(value=int() | float()):
                # exact rationals keep the symbolic steps exact; they are rounded once, when code is printed
                return sp.Rational(str(node.value))
            case ast.Name(id=name) if name in symbols:
                return symbols[name]
            case ast.Name(id=name) if name in CONSTANTS:
                return CONSTANTS[name]
            case ast.Name(id=name):
                raise ValueError(f"{where}: unknown name {name!r} in {text!r}; known are {', '.join(sorted(symbols))}")
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
                return _BINARY[type(op)](build(left), build(right))
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -build(operand)
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return build(operand)
            case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in known:
                return known[name](*map(build, args))  # type: ignore[operator]
        allowed = f"numbers, + - * / **, and {', '.join(sorted(known))}"
        raise ValueError(f"{where}: cannot read {ast.unparse(node)!r} in {text!r}; allowed are {allowed}")

    try:
        tree = ast.parse(text.strip(), mode="eval")
    except SyntaxError as error:
        raise ValueError(f"{where}: {text!r} is not an expression ({error.msg})") from error
    return build(tree)
