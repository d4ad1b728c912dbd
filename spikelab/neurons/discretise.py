"""From differential equations to the map of one time step.

Every factor that depends on parameters and ``dt`` alone becomes a *coefficient*: it is computed once, outside the time
loop, and gradients reach the parameters through it. What is left inside the loop is a sum of coefficient × dynamic
term, such as ``v_from_v * v + v_from_x * x``.

Methods:
    exact               the closed solution of a linear system whose input is constant over the step
                        (Rotter and Diesmann 1999, Biological Cybernetics 81); no error of discretisation.
    exponential_euler   each state's own linear part is solved exactly, everything else is held over the step
                        (first-order exponential time differencing; Cox and Matthews 2002, eq. 4). Order 1.
    euler               forward Euler, all states from the old values. Order 1.
    semi_implicit_euler states in declared order, each one seeing the new values of those before it. Order 1.

Input
    current   ``x`` is constant over the step.
    impulse   ``x`` is the integral of the input over the step, delivered at its end, before the threshold test.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import sympy as sp

from spikelab.neurons.functions import exp_divided_difference
from spikelab.neurons.spec import INPUT, NeuronSpec

DT = sp.Symbol("dt", positive=True)
#: Method -> order of the global error in dt (None: exact for input that is constant over a step).
METHODS: dict[str, int | None] = {"exact": None, "exponential_euler": 1, "euler": 1, "semi_implicit_euler": 1}
INPUTS = ("current", "impulse")
#: Suffix of a state between the integration and the reset.
CHARGED = "_h_"


class CannotDiscretise(ValueError):
    """The method does not apply to these equations; the message says which does."""


@dataclass(frozen=True)
class Charge:
    """One time step up to the threshold test.

    Attributes:
        coefficients: name -> expression over parameters and ``dt``.
        updates: in order, (state, its charged value) over old states, charged states (suffix ``_h_``), the input and
            coefficients.
    """

    coefficients: dict[str, sp.Expr]
    updates: tuple[tuple[str, sp.Expr], ...]


@lru_cache(maxsize=256)
def discretise(spec: NeuronSpec, method: str, input_form: str = "current") -> Charge:
    """The map of one step of length ``dt``.

    Raises:
        CannotDiscretise: if the method does not apply to the neuron's equations.
        ValueError: for an unknown method or input form.
    """
    if method not in METHODS:
        raise ValueError(f"unknown method {method!r}; known are {', '.join(METHODS)}")
    if input_form not in INPUTS:
        raise ValueError(f"unknown input form {input_form!r}; known are {', '.join(INPUTS)}")
    symbols = spec.symbols
    x = symbols[INPUT]
    rates = {s.name: spec.expression(s.derivative, f"d{s.name}/dt") for s in spec.states}
    jumps = {name: sp.S.Zero for name in rates}
    if input_form == "impulse":
        jumps = {name: sp.simplify(sp.diff(rate, x)) for name, rate in rates.items()}
        _refuse_dynamic_jumps(spec, jumps)
        rates = {name: rate.subs(x, 0) for name, rate in rates.items()}
    if method == "exact":
        terms = _exact(spec, rates)
    else:
        terms = {name: _one_step(spec, name, rate, method) for name, rate in rates.items()}
    for name, jump in jumps.items():
        if jump != 0:
            terms[name] = [*terms[name], (x, jump)]
    return _collect(spec, terms, in_order=method == "semi_implicit_euler")


def _dynamic_symbols(spec: NeuronSpec) -> list[sp.Symbol]:
    return [spec.symbols[name] for name in (*spec.state_names, INPUT)]


def _refuse_dynamic_jumps(spec: NeuronSpec, jumps: dict[str, sp.Expr]) -> None:
    dynamic = set(_dynamic_symbols(spec))
    for name, jump in jumps.items():
        if jump.free_symbols & dynamic:
            raise CannotDiscretise(
                f"{spec.name}: an impulse would change {name} by {jump}, which depends on the state; "
                f"use input_form='current'"
            )


Terms = list[tuple[sp.Expr, sp.Expr]]


def _split(expression: sp.Expr, dynamic: Sequence[sp.Symbol]) -> Terms:
    """A sum as (dynamic factor, factor of parameters alone) pairs, one a distinct dynamic factor."""
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


def _one_step(spec: NeuronSpec, name: str, rate: sp.Expr, method: str) -> Terms:
    state = spec.symbols[name]
    terms = dict(_split(rate, _dynamic_symbols(spec)))
    own = terms.pop(state, sp.S.Zero)
    if method == "exponential_euler" and own != 0:
        held = DT * exp_divided_difference(sp.S.Zero, DT * own)
        return [(state, sp.exp(DT * own)), *((moving, held * factor) for moving, factor in terms.items())]
    return [(state, 1 + DT * own), *((moving, DT * factor) for moving, factor in terms.items())]


def _exact(spec: NeuronSpec, rates: dict[str, sp.Expr]) -> dict[str, Terms]:
    """Sums over the paths by which one state, the input or a constant reaches another.

    A path of rates a, b, c contributes (product of its couplings) · dt^(steps) · exp[a dt, b dt, c dt], the divided
    difference of exp; a held input or a constant is a further state of rate zero.
    """
    dynamic = _dynamic_symbols(spec)
    couplings: dict[str, dict[sp.Expr, sp.Expr]] = {}
    for name, rate in rates.items():
        couplings[name] = dict(_split(rate, dynamic))
        for moving in couplings[name]:
            if moving != 1 and moving not in dynamic:
                raise CannotDiscretise(
                    f"{spec.name}: d{name}/dt contains {moving}, which is not linear; "
                    f"use method='exponential_euler' or 'euler'"
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
                    f"use method='exponential_euler' or 'euler'"
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


def _collect(spec: NeuronSpec, terms: dict[str, Terms], in_order: bool) -> Charge:
    """Names the coefficients and writes the updates."""
    names = {symbol: str(symbol) for symbol in _dynamic_symbols(spec)}
    coefficients: dict[str, sp.Expr] = {}
    updates: list[tuple[str, sp.Expr]] = []
    renamed: dict[sp.Symbol, sp.Symbol] = {}
    for target, sum_of_terms in terms.items():
        value = sp.S.Zero
        for moving, factor in sum_of_terms:
            if factor == 1:
                value += moving
                continue
            origin = "constant" if moving == 1 else names.get(moving, f"term{len(coefficients)}")
            coefficient = sp.Symbol(f"{target}_from_{origin}_", real=True)
            coefficients[coefficient.name] = factor
            value += coefficient * moving
        updates.append((target, value.subs(renamed)))
        if in_order:
            renamed[spec.symbols[target]] = sp.Symbol(target + CHARGED, real=True)
    # parameters inside a dynamic term (the slope of an exponential, say) are passed on unchanged
    used = set().union(*(update.free_symbols for _, update in updates))
    for name, symbol in spec.parameter_symbols.items():
        if symbol in used:
            coefficients[name] = symbol
    return Charge(coefficients, tuple(updates))
