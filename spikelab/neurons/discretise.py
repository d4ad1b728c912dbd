"""From differential equations to the map of one time step.

Every factor that depends on parameters and ``dt`` alone becomes a *coefficient*: it is computed once, outside the time
loop, and gradients reach the parameters through it. What is left inside the loop is a sum of coefficient × dynamic
term, such as ``v_from_v * v + v_from_x * x``.

Methods:
    exact               the closed solution of a linear system whose input is constant over the step
                        (Rotter and Diesmann 1999, Biological Cybernetics 81); no error of discretisation.
    exponential_euler   each state's own linear part is solved exactly, also where its rate depends on other states, and
                        everything else is held over the step (first-order exponential time differencing; Cox and
                        Matthews 2002, eq. 4). Order 1.
    euler               forward Euler, all states from the old values. Order 1.
    semi_implicit_euler states in declared order, each one seeing the new values of those before it. Order 1.
    half_step_euler     the membrane in two half steps of forward Euler with the other states held, then the others in
                        declared order, from the new membrane: the order of the network script in Izhikevich 2003, IEEE
                        Transactions on Neural Networks 14. Order 1.
    runge_kutta_4       the classical Runge-Kutta method of four stages. Order 4.

Input
    current   ``x`` is constant over the step.
    impulse   ``x`` is the integral of the input over the step, delivered at its end, before the threshold test.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import sympy as sp

from spikelab.neurons.exact import CannotDiscretise as CannotDiscretise
from spikelab.neurons.exact import exact
from spikelab.neurons.functions import exp_divided_difference
from spikelab.neurons.spec import INPUT, NeuronSpec
from spikelab.neurons.stages import (
    Line,
    Stages,
    decay_lines,
    euler_terms,
    exponential_step,
    half_step_euler,
    own_rate_moves,
    runge_kutta_4,
    share,
)
from spikelab.neurons.terms import DT as DT
from spikelab.neurons.terms import Coefficients, dynamic_symbols, split

#: Method -> order of the global error in dt (None: exact for input that is constant over a step).
METHODS: dict[str, int | None] = {
    "exact": None,
    "exponential_euler": 1,
    "euler": 1,
    "semi_implicit_euler": 1,
    "half_step_euler": 1,
    "runge_kutta_4": 4,
}
#: The default where the exact method does not apply and nothing else is declared: the most accurate one.
NONLINEAR_METHOD = "runge_kutta_4"
INPUTS = ("current", "impulse")
#: Suffix of a state between the integration and the reset.
CHARGED = "_h_"


@dataclass(frozen=True)
class Charge:
    """One time step up to the threshold test.

    Attributes:
        coefficients: name -> expression over parameters and ``dt``.
        updates: in order, (state, its charged value) over old states, charged states (suffix ``_h_``), the input,
            coefficients and the names of the lines before.
        before: state -> lines that run before its update.
        trials: name of a line that is a trial value of a state -> that state. A state that is held has its trial values
            held as well.
    """

    coefficients: dict[str, sp.Expr]
    updates: tuple[tuple[str, sp.Expr], ...]
    before: Mapping[str, tuple[Line, ...]] = field(default_factory=dict)
    trials: Mapping[str, str] = field(default_factory=dict)


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
    x = spec.symbols[INPUT]
    rates = {s.name: spec.expression(s.derivative, f"d{s.name}/dt") for s in spec.states}
    jumps = {name: sp.S.Zero for name in rates}
    if input_form == "impulse":
        jumps = {name: sp.simplify(sp.diff(rate, x)) for name, rate in rates.items()}
        _refuse_dynamic_jumps(spec, jumps)
        rates = {name: rate.subs(x, 0) for name, rate in rates.items()}
    coefficients = Coefficients(spec)
    stages = Stages()
    if method == "runge_kutta_4":
        stages = runge_kutta_4(spec, rates, coefficients)
    elif method == "half_step_euler":
        stages = half_step_euler(spec, rates, coefficients)
    order = list(stages.updates or rates)
    solved = exact(spec, rates) if method == "exact" else {}
    for name in order:
        delivered = [(x, jumps[name])] if jumps[name] != 0 else []
        if name in solved:
            stages.updates[name] = coefficients.sum(name, solved[name])
        elif name not in stages.updates:
            _one_step(spec, name, rates[name], method, coefficients, stages)
        stages.updates[name] += coefficients.sum(name, delivered)
    return _charge(stages, coefficients, in_order=method in ("semi_implicit_euler", "half_step_euler"))


def _refuse_dynamic_jumps(spec: NeuronSpec, jumps: dict[str, sp.Expr]) -> None:
    dynamic = set(dynamic_symbols(spec))
    for name, jump in jumps.items():
        if jump.free_symbols & dynamic:
            raise CannotDiscretise(
                f"{spec.name}: an impulse would change {name} by {jump}, which depends on the state; "
                f"use input_form='current'"
            )


def _one_step(
    spec: NeuronSpec,
    name: str,
    rate: sp.Expr,
    method: str,
    coefficients: Coefficients,
    found: Stages,
) -> None:
    """One state's new value by a method of one stage, from the old values."""
    state, dynamic = spec.symbols[name], dynamic_symbols(spec)
    if method != "exponential_euler":
        found.updates[name] = coefficients.sum(name, euler_terms(state, rate, DT, dynamic))
        return
    if own_rate_moves(name, rate, dynamic):
        exponential_step(name, rate, coefficients, dynamic, found)
        return
    terms = dict(split(rate, dynamic))
    own = terms.pop(state, sp.S.Zero)
    held = DT * exp_divided_difference(sp.S.Zero, DT * own)
    solved = [(state, sp.exp(DT * own)), *((moving, held * factor) for moving, factor in terms.items())]
    found.updates[name] = coefficients.sum(name, solved)


def _charge(stages: Stages, coefficients: Coefficients, in_order: bool) -> Charge:
    """Puts the lines in their order, shares what they have in common and passes the parameters on."""
    before: dict[str, tuple[Line, ...]] = {}
    first = next(iter(stages.updates))
    if in_order:
        # a state's update is looked at alone, as those after it see its new value
        renamed: dict[sp.Symbol, sp.Symbol] = {}
        updates = {}
        for name, value in stages.updates.items():
            lines, shared = share({name: value.xreplace(renamed)}, f"_{name}_")
            before[name], updates[name] = tuple(lines), shared[name]
            renamed[sp.Symbol(name, real=True)] = sp.Symbol(name + CHARGED, real=True)
    else:
        lines, shared = share({**stages.decays, **stages.updates})
        updates = {name: shared[name] for name in stages.updates}
        before[first] = (*lines, *decay_lines({name: shared[name] for name in stages.decays}))
    before[first] = (*stages.lines, *before[first])
    before = {name: lines for name, lines in before.items() if lines}
    coefficients.add_parameters(_values(before, updates))
    return Charge(coefficients.values, tuple(updates.items()), before, stages.trials)


def _values(before: Mapping[str, tuple[Line, ...]], updates: Mapping[str, sp.Expr]) -> Iterable[sp.Expr]:
    return [*(value for lines in before.values() for _, value in lines), *updates.values()]
