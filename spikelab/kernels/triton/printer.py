"""Prints expressions as Triton code, and has the functions that Triton lacks."""

from __future__ import annotations

from collections.abc import Mapping

import sympy as sp

from spikelab.kernels.emit import Printer
from spikelab.kernels.triton.device import tl, triton


class UnknownFunction(NotImplementedError):
    """An expression that has no Triton code."""


@triton.jit
def tanh(x):
    """Hyperbolic tangent, by way of float64: Triton's own float32 exponential is not accurate near 0."""
    size = tl.abs(x).to(tl.float64)
    grown = _exp_minus_one(tl.minimum(2.0 * size, 40.0))
    value = grown / (grown + 2.0)
    return tl.where(x < 0.0, -value, value).to(x.dtype)


@triton.jit
def sinh(x):
    """Hyperbolic sine, by way of float64."""
    size = tl.abs(x).to(tl.float64)
    grown = _exp_minus_one(size)
    # in this order nothing overflows before the value itself
    value = tl.where(size < 1.0, (grown + grown / (grown + 1.0)) * 0.5, 0.5 * grown + 0.5 * tl.exp(-size))
    return tl.where(x < 0.0, -value, value).to(x.dtype)


@triton.jit
def cosh(x):
    """Hyperbolic cosine, by way of float64."""
    size = x.to(tl.float64)
    return (0.5 * tl.exp(size) + 0.5 * tl.exp(-size)).to(x.dtype)


@triton.jit
def power(base, exponent):
    """A power with all of its cases, by way of float64: Triton has no such function of its own.

    Of a negative base it is a number only where the exponent is whole, and 1 where the exponent is 0.
    """
    size = tl.abs(base).to(tl.float64)
    raised = tl.cast(exponent, tl.float64)
    value = tl.where(raised == 0.0, 1.0, tl.exp(raised * tl.log(size)))
    half = raised * 0.5
    sign = tl.where(tl.floor(half) == half, 1.0, tl.where(tl.floor(raised) == raised, -1.0, float("nan")))
    return tl.where(base < 0.0, sign * value, value).to(base.dtype)


@triton.jit
def _exp_minus_one(x):
    """exp(x) - 1 for x >= 0 with its digits where x is small (Kahan's quotient: Higham 2002, section 1.14.1)."""
    u = tl.exp(x)
    near = (u > 1.0) & (x < 1.0)
    quotient = (u - 1.0) * x / tl.where(near, tl.log(u), 1.0)
    return tl.where(near, quotient, tl.where(u > 1.0, u - 1.0, x))


class TritonPrinter(Printer):
    """Prints for a generated module in which ``tl_`` is Triton's language and ``FLOAT`` the working precision."""

    functions: Mapping[str, str] = {
        **{name: f"tl_.{name}" for name in ("exp", "log", "sin", "cos")},
        **{name: f"{name}_" for name in ("sqrt", "tanh", "sinh", "cosh")},
        "Abs": "tl_.abs",
    }

    def __init__(self, dtype: str):
        self._rounded = "_rn" if dtype == "float32" else ""

    def __call__(self, expression: sp.Expr) -> str:
        """The expression as code.

        Raises:
            UnknownFunction: for what has no code; names it.
        """
        try:
            return super().__call__(expression)
        except UnknownFunction:
            raise
        except NotImplementedError as error:
            raise UnknownFunction(str(error)) from error

    def constant(self, value: float) -> str:
        """A literal of the working precision."""
        # a bare literal is a float32, which loses digits where it meets no float64
        return f"tl_.full([], {value!r}, FLOAT)"

    def choose(self, condition: str, chosen: str, otherwise: str) -> str:
        """``chosen`` where the condition is positive; both are computed."""
        return f"tl_.where({condition} > 0, {chosen}, {otherwise})"

    def divide(self, numerator: str, denominator: str) -> str:
        """A quotient, rounded once."""
        # the plain operator of float32 is an approximation
        return f"tl_.div_rn({numerator}, {denominator})" if self._rounded else f"({numerator} / {denominator})"

    def call(self, name: str, *arguments: str) -> str:
        """A call of one of ``functions``."""
        if name == "sqrt":
            return f"tl_.sqrt{self._rounded}({', '.join(arguments)})"
        return super().call(name, *arguments)

    def _power(self, e: sp.Pow) -> str:
        exponent = e.exp
        if exponent.is_Integer and abs(int(exponent)) > 4:
            whole = self._whole_power(e.base, abs(int(exponent)))
            return whole if exponent > 0 else self.divide(self.constant(1.0), whole)
        return super()._power(e)

    def _whole_power(self, base: sp.Expr, exponent: int) -> str:
        half = self(base) if exponent < 4 else self._whole_power(base, exponent // 2)
        if exponent < 4:
            return f"({'*'.join([half] * exponent)})"
        return f"({half}*{half}{'*' + self(base) if exponent % 2 else ''})"

    def power(self, base: str, exponent: str) -> str:
        """There is none for a power that is not whole."""
        # of a negative base, this would silently be no number where the power of a whole one has a value
        raise UnknownFunction(
            f"no Triton code for the power {base} ** {exponent}; write it with exp and log, or as sqrt"
        )


class TrainedTritonPrinter(TritonPrinter):
    """Also prints powers that are not whole, as any surrogate or equation of one's own may have them."""

    def power(self, base: str, exponent: str) -> str:
        """A power that is no small whole one."""
        return f"power_({base}, {exponent})"


#: Names under which generated modules import the functions above.
IMPORTED = {name: f"{name}_" for name in ("tanh", "sinh", "cosh")}
IMPORTED_FOR_TRAINING = {**IMPORTED, "power": "power_"}
