"""Methods whose step has stages: lines that come before the states' new values."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import sympy as sp

from spikelab.neurons.functions import linoid, select
from spikelab.neurons.spec import NeuronSpec
from spikelab.neurons.terms import DT, Coefficients, Terms, dynamic_symbols, split

Line = tuple[str, sp.Expr]


@dataclass
class Stages:
    """What a method with stages gives.

    Attributes:
        lines: (name, expression) in order, to run before the updates.
        trials: name of a line that is a trial value of a state -> that state.
        decays: name of a line -> dt times the rate at which a state decays (see ``exponential_step``).
        updates: state -> its new value, in the order in which they are taken.
    """

    lines: list[Line] = field(default_factory=list)
    trials: dict[str, str] = field(default_factory=dict)
    decays: dict[str, sp.Expr] = field(default_factory=dict)
    updates: dict[str, sp.Expr] = field(default_factory=dict)


def _symbol(name: str) -> sp.Symbol:
    return sp.Symbol(name, real=True)


def share(values: Mapping[str, sp.Expr], suffix: str = "_") -> tuple[list[Line], dict[str, sp.Expr]]:
    """Takes out what the expressions have in common, if a function (the costly part, like a quotient) is called twice.

    Returns:
        lines of their own, whose names end in the suffix; the expressions that are left.
    """
    # those inside others come first
    calls = sorted({c for v in values.values() for c in v.atoms(linoid)}, key=lambda c: (len(c.atoms(linoid)), str(c)))
    named = {call: _symbol(f"linoid{k}{suffix}") for k, call in enumerate(calls)}
    arguments = {f"linoid{k}_of{suffix}": call.args[0] for k, call in enumerate(calls)}
    lines, shared = _common({n: v for n, v in arguments.items() if not v.has(linoid)}, f"of{suffix}")
    for call, argument in zip(calls, arguments, strict=True):
        lines.append((argument, shared.get(argument, call.args[0]).xreplace(named)))
        lines += linoid.lines(_symbol(argument), named[call].name)
    common, found = _common({name: value.xreplace(named) for name, value in values.items()}, suffix)
    return [*lines, *common], found


def _common(values: dict[str, sp.Expr], suffix: str) -> tuple[list[Line], dict[str, sp.Expr]]:
    counted = [call for value in values.values() for call in sp.preorder_traversal(value) if _costs_much(call)]
    if len(counted) == len(set(counted)):
        return [], values
    common, shared = sp.cse(list(values.values()), symbols=(_symbol(f"common{k}{suffix}") for k in itertools.count()))
    return [(symbol.name, value) for symbol, value in common], dict(zip(values, shared, strict=True))


def _costs_much(expression: sp.Basic) -> bool:
    """Whether it is a function, or a quotient."""
    is_quotient = isinstance(expression, sp.Pow) and expression.exp.is_number and expression.exp.is_negative
    return isinstance(expression, sp.Function) or bool(is_quotient)


def runge_kutta_4(spec: NeuronSpec, rates: Mapping[str, sp.Expr], coefficients: Coefficients) -> Stages:
    """The classical method of order 4, with the input constant over the step.

    Slopes are multiplied by ``dt`` already, so that all four stages share the coefficients of forward Euler.
    """
    slopes = {
        name: coefficients.sum(name, [(moving, DT * factor) for moving, factor in split(rate, dynamic_symbols(spec))])
        for name, rate in rates.items()
    }
    common, slopes = share(slopes, "_stage")
    limit = _limit(spec, rates)
    seen = set().union(*(value.free_symbols for _, value in common), *(value.free_symbols for value in slopes.values()))
    found = Stages()
    for stage, advance in enumerate((None, sp.Rational(1, 2), sp.Rational(1, 2), sp.S.One), 1):
        renamed = {_symbol(name): _symbol(f"{name}{stage}_") for name, _ in common}
        for state in spec.state_names:
            if advance is None or _symbol(state) not in seen:
                continue
            trial, value = f"{state}_trial{stage}_", _symbol(state) + advance * _symbol(f"{state}_slope{stage - 1}_")
            if state == spec.membrane and limit is not None:
                reached = f"{state}_reached{stage}_"
                found.lines.append((reached, value))
                value = limit.xreplace({_symbol(state): _symbol(reached)})
            found.lines.append((trial, value))
            found.trials[trial] = state
            renamed[_symbol(state)] = _symbol(trial)
        lines = [(f"{name}{stage}_", value) for name, value in common]
        lines += [(f"{state}_slope{stage}_", value) for state, value in slopes.items()]
        found.lines += [(name, value.xreplace(renamed)) for name, value in lines]
    for state in spec.state_names:
        a, b, c, d = (_symbol(f"{state}_slope{stage}_") for stage in (1, 2, 3, 4))
        found.updates[state] = _symbol(state) + a / 6 + b / 3 + c / 3 + d / 6
    return found


def _limit(spec: NeuronSpec, rates: Mapping[str, sp.Expr]) -> sp.Expr | None:
    """The membrane, but no further than its threshold; None where that is not needed.

    On a steep upstroke a trial value may lie far beyond the threshold, where an exponential overflows: the neuron would
    end in NaN instead of a spike, and the other states would see a potential that it never has.
    """
    membrane = _symbol(spec.membrane)
    if spec.gate is None or membrane not in sp.diff(rates[spec.membrane], membrane).free_symbols:
        return None
    gate = spec.expression(spec.gate, "gate")
    threshold = sp.expand(membrane - gate / sp.diff(gate, membrane))
    return None if membrane in threshold.free_symbols else select(gate, threshold, membrane)


def half_step_euler(spec: NeuronSpec, rates: Mapping[str, sp.Expr], coefficients: Coefficients) -> Stages:
    """Forward Euler: the membrane in two half steps with the other states held, then the others, in order.

    The order of the network script in Izhikevich 2003. The updates come as if every state saw the old values of the
    others; ``discretise`` lets each one see the new values of those before it.
    """
    dynamic, membrane = dynamic_symbols(spec), spec.membrane
    order = [membrane, *(name for name in spec.state_names if name != membrane)]
    found = Stages()
    for name in order:
        step = DT / 2 if name == membrane else DT
        found.updates[name] = coefficients.sum(name, euler_terms(_symbol(name), rates[name], step, dynamic))
    half = f"{membrane}_half_"
    found.lines.append((half, found.updates[membrane]))
    found.trials[half] = membrane
    found.updates[membrane] = found.updates[membrane].xreplace({_symbol(membrane): _symbol(half)})
    return found


def euler_terms(state: sp.Symbol, rate: sp.Expr, step: sp.Expr, dynamic: Sequence[sp.Symbol]) -> Terms:
    """One forward Euler step of one state."""
    terms = dict(split(rate, dynamic))
    own = terms.pop(state, sp.S.Zero)
    return [(state, 1 + step * own), *((moving, step * factor) for moving, factor in terms.items())]


def exponential_step(
    name: str, rate: sp.Expr, coefficients: Coefficients, dynamic: Sequence[sp.Symbol], found: Stages
) -> None:
    """One state whose own linear part has a rate that depends on other states, which are held.

    The new value is v + phi(z) · dt · dv/dt, where z is dt times that rate and phi(z) = (exp(z) - 1) / z, which is
    1 / linoid(-z).
    """
    state = _symbol(name)
    slope = coefficients.sum(name, [(moving, DT * factor) for moving, factor in split(rate, dynamic)])
    ratios = [term / state for term in sp.Add.make_args(slope)]
    found.decays[f"{name}_decay_"] = -sp.Add(*(ratio for ratio in ratios if state not in ratio.free_symbols))
    found.updates[name] = state + slope / _symbol(f"{name}_decay_linoid_")


def decay_lines(decays: Mapping[str, sp.Expr]) -> list[Line]:
    """The lines that give ``exponential_step`` its linoids."""
    return [
        line
        for name, value in decays.items()
        for line in [(name, value), *linoid.lines(_symbol(name), f"{name}linoid_")]
    ]


def own_rate_moves(name: str, rate: sp.Expr, dynamic: Sequence[sp.Symbol]) -> bool:
    """Whether the state's own linear part has a rate that depends on other states or the input."""
    state = _symbol(name)
    others = [moving / state for moving, _ in split(rate, dynamic)]
    return any(state not in other.free_symbols and other.free_symbols & set(dynamic) for other in others if other != 1)
