"""Surrogate derivatives: what replaces the derivative of the spike in the backward pass.

Each is an expression in ``x``, the distance of the membrane from threshold in units of the neuron's gate scale.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import sympy as sp

from spikelab.neurons.expression import parse
from spikelab.neurons.functions import select


@dataclass(frozen=True)
class Surrogate:
    """A named surrogate derivative.

    Attributes:
        name: how it is chosen.
        derivative: expression in ``x`` and the parameters; ``where(c, a, b)`` means a where c > 0, else b.
        parameters: constants of the expression with their values.
        source: the publication it was taken from.
        finite_support: whether the derivative is zero far from threshold, exactly.
    """

    name: str
    derivative: str
    parameters: Mapping[str, float] = field(default_factory=dict, hash=False)
    source: str = ""
    finite_support: bool = False

    def expression(self, x: sp.Expr) -> sp.Expr:
        """The derivative at ``x``, with the parameters filled in."""
        for name, value in self.parameters.items():
            if not math.isfinite(value):
                raise ValueError(f"surrogate {self.name}: {name} = {value} must be finite")
        values: dict[str, sp.Expr] = {name: sp.Rational(str(value)) for name, value in self.parameters.items()}
        clash = set(values) & {"x"}
        if clash:
            raise ValueError(f"surrogate {self.name}: a parameter cannot be called 'x', which is the distance")
        return parse(self.derivative, {**values, "x": x}, f"surrogate {self.name}", {"where": select})

    def with_parameters(self, **values: float) -> Surrogate:
        """The same surrogate with other constants; unknown names are refused."""
        unknown = set(values) - set(self.parameters)
        if unknown:
            known = ", ".join(self.parameters) or "none"
            raise ValueError(f"surrogate {self.name} has no parameter {', '.join(sorted(unknown))}; it has {known}")
        return replace(self, parameters={**self.parameters, **{k: float(v) for k, v in values.items()}})


SURROGATES: dict[str, Surrogate] = {
    s.name: s
    for s in (
        Surrogate(
            "arctan",
            "alpha / 2 / (1 + (pi / 2 * alpha * x)**2)",
            {"alpha": 2.0},
            "Fang et al. 2021, Incorporating learnable membrane time constant (PLIF), ICCV, appendix",
        ),
        Surrogate(
            "fast_sigmoid",
            "1 / (1 + slope * abs(x))**2",
            {"slope": 10.0},
            "Zenke and Ganguli 2018, SuperSpike, Neural Computation 30, eq. 2.6",
        ),
        Surrogate(
            "sigmoid",
            "slope / (2 + exp(slope * x) + exp(-slope * x))",
            {"slope": 4.0},
            "derivative of 1 / (1 + exp(-slope x)); Zenke and Vogels 2021, Neural Computation 33, table 1",
        ),
        Surrogate(
            "triangular",
            "where(1 - abs(x) / width, (1 - abs(x) / width) * height, 0)",
            {"width": 1.0, "height": 1.0},
            "Esser et al. 2016, PNAS 113, eq. 7; height 0.3 in Bellec et al. 2018",
            finite_support=True,
        ),
        Surrogate(
            "gaussian",
            "exp(-x**2 / (2 * sigma**2)) / (sqrt(2 * pi) * sigma)",
            {"sigma": 0.5},
            "Yin et al. 2020, Effective and efficient computation with multiple-timescale SRNNs, ICONS",
        ),
        Surrogate(
            "multi_gaussian",
            "(1 + h) * exp(-x**2 / (2 * sigma**2)) / (sqrt(2 * pi) * sigma)"
            " - h * exp(-(x - sigma)**2 / (2 * (s * sigma)**2)) / (sqrt(2 * pi) * s * sigma)"
            " - h * exp(-(x + sigma)**2 / (2 * (s * sigma)**2)) / (sqrt(2 * pi) * s * sigma)",
            {"sigma": 0.5, "h": 0.15, "s": 6.0},
            "Yin, Corradi and Bohte 2021, Nature Machine Intelligence 3, methods",
        ),
        Surrogate(
            "straight_through",
            "gain",
            {"gain": 1.0},
            "Bengio et al. 2013, Estimating or propagating gradients through stochastic neurons, section 4",
        ),
    )
}


def surrogate(choice: str | Surrogate, **parameters: float) -> Surrogate:
    """Finds a surrogate by name, or takes one's own.

    Args:
        choice: a name from ``SURROGATES``, a ``Surrogate``, or an expression in ``x`` such as
            ``"1 / (1 + x**2)"``.
        **parameters: values for its constants.

    Raises:
        ValueError: for an unknown name, an unreadable expression or an unknown constant.
    """
    if isinstance(choice, Surrogate):
        found = choice
    elif choice in SURROGATES:
        found = SURROGATES[choice]
    elif choice.isidentifier() and choice != "x":
        raise ValueError(f"unknown surrogate {choice!r}; known are {', '.join(SURROGATES)}, or an expression in x")
    else:
        found = Surrogate("custom", choice, dict(parameters))
    found = found.with_parameters(**parameters)
    found.expression(sp.Symbol("x", real=True))
    return found
