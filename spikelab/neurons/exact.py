"""The closed solution of a chain of linear equations whose input is constant over the step.

Rotter and Diesmann 1999, Biological Cybernetics 81.
"""

from __future__ import annotations

from collections.abc import Iterable

import sympy as sp

from spikelab.neurons.functions import exp_divided_difference
from spikelab.neurons.spec import NeuronSpec
from spikelab.neurons.terms import DT, Terms, dynamic_symbols, split


class CannotDiscretise(ValueError):
    """The method does not apply to these equations; the message says which does."""


def exact(spec: NeuronSpec, rates: dict[str, sp.Expr]) -> dict[str, Terms]:
    """Sums over the paths by which one state, the input or a constant reaches another.

    A path of rates a, b, c contributes (product of its couplings) · dt^(steps) · exp[a dt, b dt, c dt], the divided
    difference of exp; a held input or a constant is a further state of rate zero.

    Raises:
        CannotDiscretise: if an equation is not linear, or two states drive each other.
    """
    dynamic = dynamic_symbols(spec)
    couplings: dict[str, dict[sp.Expr, sp.Expr]] = {}
    for name, rate in rates.items():
        couplings[name] = dict(split(rate, dynamic))
        for moving in couplings[name]:
            if moving != 1 and moving not in dynamic:
                raise CannotDiscretise(
                    f"{spec.name}: d{name}/dt contains {moving}, which is not linear; "
                    f"use method='runge_kutta_4', 'exponential_euler' or 'euler'"
                )
    own = {name: couplings[name].get(spec.symbols[name], sp.S.Zero) for name in rates}

    def paths(target: str, seen: tuple[str, ...]) -> Iterable[tuple[sp.Expr, sp.Expr, list[sp.Expr]]]:
        """(origin, product of couplings, rates from the target back to the origin) of every path into target."""
        yield spec.symbols[target], sp.S.One, [own[target]]
        for moving, factor in couplings[target].items():
            source = str(moving)
            if source == target:
                continue
            if source not in rates:
                yield moving, factor, [own[target], sp.S.Zero]
            elif source in seen:
                raise CannotDiscretise(
                    f"{spec.name}: {target} and {source} drive each other, which the exact method does not solve; "
                    f"use method='runge_kutta_4', 'exponential_euler' or 'euler'"
                )
            else:
                for origin, product, trail in paths(source, (*seen, source)):
                    yield origin, factor * product, [own[target], *trail]

    terms: dict[str, Terms] = {}
    for name in rates:
        total: dict[sp.Expr, sp.Expr] = {}
        for origin, product, trail in paths(name, (name,)):
            weight = product * DT ** (len(trail) - 1) * exp_divided_difference(*(DT * rate for rate in trail))
            total[origin] = total.get(origin, sp.S.Zero) + weight
        terms[name] = list(total.items())
    return terms
