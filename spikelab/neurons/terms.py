"""Sums of coefficient × dynamic term: what the equations become once everything constant is taken out of the loop."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import sympy as sp

from spikelab.neurons.spec import INPUT, NeuronSpec

DT = sp.Symbol("dt", positive=True)

#: (dynamic factor, factor of parameters and ``dt`` alone) pairs, which are multiplied and added up.
Terms = list[tuple[sp.Expr, sp.Expr]]


def dynamic_symbols(spec: NeuronSpec) -> list[sp.Symbol]:
    """What changes from step to step: the states and the input."""
    return [spec.symbols[name] for name in (*spec.state_names, INPUT)]


def split(expression: sp.Expr, dynamic: Sequence[sp.Symbol]) -> Terms:
    """A sum as terms, one a distinct dynamic factor."""
    # functions stay whole: exp((v - threshold) / slope) split into two exponentials would overflow
    whole = {call: sp.Dummy() for call in expression.atoms(sp.Function)}
    names = {dummy: call for call, dummy in whole.items()}
    moving_symbols = [*dynamic, *(dummy for dummy, call in names.items() if call.free_symbols & set(dynamic))]
    factors: dict[sp.Expr, sp.Expr] = {}
    for term in sp.Add.make_args(sp.expand(expression.subs(whole))):
        constant, moving = term.as_independent(*moving_symbols, as_Add=False)
        constant, moving = constant.subs(names), moving.subs(names)
        factors[moving] = factors.get(moving, sp.S.Zero) + constant
    return [(moving, constant) for moving, constant in factors.items() if constant != 0]


class Coefficients:
    """Collects the coefficients of a step under their names.

    Attributes:
        values: name -> expression over parameters and ``dt``.
    """

    def __init__(self, spec: NeuronSpec):
        self.values: dict[str, sp.Expr] = {}
        self._parameters = spec.parameter_symbols
        self._names = {symbol: str(symbol) for symbol in dynamic_symbols(spec)}

    def sum(self, target: str, terms: Iterable[tuple[sp.Expr, sp.Expr]]) -> sp.Expr:
        """The terms added up, with a coefficient in place of each constant factor; ``target`` names them."""
        value = sp.S.Zero
        for moving, factor in terms:
            if factor == 1:
                value += moving
                continue
            origin = "constant" if moving == 1 else self._names.get(moving, f"term{len(self.values)}")
            coefficient = sp.Symbol(f"{target}_from_{origin}_", real=True)
            self.values[coefficient.name] = factor
            value += coefficient * moving
        return value

    def add_parameters(self, expressions: Iterable[sp.Expr]) -> None:
        """Passes on unchanged the parameters inside dynamic terms, such as the slope of an exponential."""
        used = set().union(*(expression.free_symbols for expression in expressions))
        for name, symbol in self._parameters.items():
            if symbol in used:
                self.values[name] = symbol
