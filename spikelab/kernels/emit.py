"""From a symbolic step to lines of code, forward and backward, for any target.

The backward pass is reverse-mode differentiation of the step's lines, done by SymPy, so it cannot drift away from the
forward pass. A target differs from another only in its ``Printer``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import sympy as sp

from spikelab.neurons.functions import blend, linoid, select, spike, stop_gradient, surrogate_derivative
from spikelab.neurons.spec import INPUT
from spikelab.neurons.step import Step

#: Prefix of the derivative of the loss with respect to a named value.
ADJOINT = "d_"


class Printer:
    """Prints an expression for C-like targets; subclasses replace the few things that differ.

    The order of operations is the same for every target, so that targets round alike. Whole powers become products.
    """

    functions: Mapping[str, str] = {
        **{name: name for name in ("exp", "log", "sqrt", "tanh", "sinh", "cosh", "sin", "cos")},
        "Abs": "abs",
    }

    def constant(self, value: float) -> str:
        """A literal of the working precision."""
        return repr(value)

    def choose(self, condition: str, chosen: str, otherwise: str) -> str:
        """``chosen`` where the condition is positive."""
        return f"({chosen} if {condition} > {self.constant(0.0)} else {otherwise})"

    def fires(self, gate: str, scale: str) -> str:
        """1 where the gate is positive, else 0."""
        return self.choose(gate, self.constant(1.0), self.constant(0.0))

    def blend(self, spike: str, after: str, before: str) -> str:
        """``after`` where there is a spike."""
        return self.choose(spike, after, before)

    def stop_gradient(self, value: str) -> str:
        """The value; only an automatic differentiator needs to know more."""
        return value

    def divide(self, numerator: str, denominator: str) -> str:
        """A quotient, rounded once."""
        return f"({numerator} / {denominator})"

    def call(self, name: str, *arguments: str) -> str:
        """A call of one of ``functions``."""
        return f"{self.functions[name]}({', '.join(arguments)})"

    def power(self, base: str, exponent: str) -> str:
        """A power that is no small whole one."""
        return f"({base} ** {exponent})"

    def __call__(self, expression: sp.Expr) -> str:
        """The expression as code."""
        e = expression
        if isinstance(e, sp.Symbol):
            return e.name
        if e.is_number and not e.free_symbols:
            return self.constant(float(e))
        if isinstance(e, sp.Add):
            return self._sum(e)
        if isinstance(e, sp.Mul):
            return self._product(e)
        if isinstance(e, sp.Pow):
            return self._power(e)
        if isinstance(e, select):
            return self.choose(*map(self, e.args))
        if isinstance(e, blend):
            return self.blend(*map(self, e.args))
        if isinstance(e, spike):
            return self.fires(*map(self, e.args))
        if isinstance(e, stop_gradient):
            return self.stop_gradient(self(e.args[0]))
        if isinstance(e, linoid):
            return self(e.lowered())
        if isinstance(e, sp.Function) and type(e).__name__ in self.functions:
            return self.call(type(e).__name__, *map(self, e.args))
        raise NotImplementedError(f"no code for {type(e).__name__} in {e}")

    def _sum(self, e: sp.Add) -> str:
        text = ""
        for term in e.as_ordered_terms():
            negative = term.could_extract_minus_sign()
            part = self(-term if negative else term)
            text = f"{text} {'-' if negative else '+'} {part}" if text else (f"-{part}" if negative else part)
        return f"({text})"

    def _product(self, e: sp.Mul) -> str:
        if e.could_extract_minus_sign():
            return f"(-{self(-e)})"
        above, below = [], []
        for factor in e.as_ordered_factors():
            if isinstance(factor, sp.Pow) and factor.exp.is_Integer and factor.exp < 0:
                below.append(factor.base**-factor.exp)
            else:
                above.append(factor)
        numerator = "*".join(map(self, above)) or self.constant(1.0)
        return self.divide(numerator, self(sp.Mul(*below))) if below else f"({numerator})"

    def _power(self, e: sp.Pow) -> str:
        if e.exp == sp.Rational(1, 2):
            return self.call("sqrt", self(e.base))
        if e.exp.is_Integer and 0 < abs(int(e.exp)) <= 4:
            product = f"({'*'.join([self(e.base)] * abs(int(e.exp)))})"
            return product if e.exp > 0 else self.divide(self.constant(1.0), product)
        return self.power(self(e.base), self(e.exp))


@dataclass(frozen=True)
class Lines:
    """Assignments in order: (name, expression)."""

    lines: tuple[tuple[str, sp.Expr], ...]

    def code(self, printer: Printer) -> list[str]:
        """One line of text an assignment."""
        return [f"{name} = {printer(value)}" for name, value in self.lines]


def _fill_surrogate(step: Step, expression: sp.Expr) -> sp.Expr:
    return expression.replace(surrogate_derivative, step.surrogate.expression)


def forward(step: Step) -> Lines:
    """The step's own lines."""
    return Lines(step.lines)


def backward(step: Step, coefficient_gradients: bool) -> Lines:
    """Reverse-mode derivative of one step, to run after the forward lines of the same step.

    Takes ``d_out0_``, ``d_out1_``, ... for the outputs and ``d_<state>_`` for the states after the step; assigns
    ``d_x_``, ``d_<state>_before_`` for the states before it and, if asked, ``d_<coefficient>_`` for this step's share
    of each coefficient's gradient. Every name that is made here ends in an underscore, which no equation's may.
    """
    adjoints: dict[str, list[sp.Expr]] = {}

    def add(name: str, value: sp.Expr) -> None:
        if value != 0:
            adjoints.setdefault(name, []).append(value)

    def symbol(name: str) -> sp.Symbol:
        return sp.Symbol(name, real=True)

    for position, name in enumerate(step.outputs):
        add(name, symbol(f"{ADJOINT}out{position}_"))
    for state, name in step.next_states.items():
        add(name, symbol(f"{ADJOINT}{state}_"))

    lines: list[tuple[str, sp.Expr]] = []
    for name, value in reversed(step.lines):
        incoming = adjoints.pop(name, [])
        if not incoming:
            continue
        adjoint = symbol(f"{ADJOINT}{name}_line_")
        lines.append((adjoint.name, sp.Add(*incoming)))
        for argument in sorted(value.free_symbols, key=str):
            if argument.name in step.coefficients and not coefficient_gradients:
                continue
            slope = _fill_surrogate(step, sp.diff(value, argument))
            add(argument.name, adjoint * slope)
    lines.append((f"{ADJOINT}x_", sp.Add(*adjoints.get(INPUT, []))))
    for state in step.states:
        lines.append((f"{ADJOINT}{state}_before_", sp.Add(*adjoints.get(state, []))))
    if coefficient_gradients:
        for name in step.coefficients:
            lines.append((f"{ADJOINT}{name}_", sp.Add(*adjoints.get(name, []))))
    return Lines(tuple(lines))
