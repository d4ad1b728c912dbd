"""Reads off a neuron's equations whether its next spike can be found exactly, and what that takes.

It can if, between events, the states form a chain of linear equations with constant coefficients, and the neuron spikes
where a linear function of the states exceeds zero. Every state is then a sum of exponentials (times powers of t where
time constants coincide) plus a constant, and so is the distance from threshold.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import sympy as sp

from spikelab.neurons.spec import INPUT, NeuronSpec
from spikelab.neurons.terms import dynamic_symbols, split

#: The constant, as an origin beside the states and the input.
CONSTANT = "1"
#: Where else such a neuron can be simulated.
_REMEDY = "run it with engine='numba', which takes any equations"

#: origin (a state, the input or the constant) -> factor over the parameters.
Row = dict[str, sp.Expr]


class NotLinear(ValueError):
    """A neuron that the event-driven engine cannot solve; the message names the equation and the engine that can."""


@dataclass(frozen=True, eq=False)
class LinearNeuron:
    """The equations of a neuron as a linear system.

    Attributes:
        spec: the neuron.
        couplings: state -> its derivative, without its own decay.
        decay: state -> rate of its own decay, 1/s.
        order: the states, each one before all that drive it.
        gate: distance from threshold as a row; empty for a readout.
        chain: what decides about crossings: pairs (rate, row). The row of the first is the gate; each later one is that
            of (d/dt + rate) applied to the one before it, so that one exponential after the other drops out.
        resets: state -> its value after a spike, for those that change.
    """

    spec: NeuronSpec
    couplings: dict[str, Row]
    decay: dict[str, sp.Expr]
    order: tuple[str, ...]
    gate: Row
    chain: tuple[tuple[sp.Expr, Row], ...]
    resets: dict[str, Row]


@lru_cache(maxsize=256)
def linear_neuron(spec: NeuronSpec, reset: str = "") -> LinearNeuron:
    """The linear system behind a neuron.

    Args:
        spec: the neuron, receptors included.
        reset: one of its resets; "" for its own.

    Raises:
        NotLinear: if an equation, the gate or what a spike does is not linear in the states, if states drive each
            other, or if a state grows by itself.
    """
    couplings: dict[str, Row] = {}
    decay: dict[str, sp.Expr] = {}
    for state in spec.states:
        row = _row(spec, state.derivative, f"d{state.name}/dt")
        decay[state.name] = -row.pop(state.name, sp.S.Zero)
        couplings[state.name] = row
    order = _dependents_first(spec, couplings)
    resets: dict[str, Row] = {}
    gate: Row = {}
    if spec.gate is not None:
        gate = _row(spec, spec.gate, "gate")
        chosen = reset or spec.default_reset
        if chosen not in spec.resets:
            raise ValueError(f"{spec.name} has no reset {chosen!r}; it has {', '.join(sorted(spec.resets))}")
        resets[spec.membrane] = _row(spec, spec.resets[chosen], f"reset {chosen}")
        for state in spec.states:
            if state.after_spike is not None:
                resets[state.name] = _row(spec, state.after_spike, f"{state.name} after a spike")
        for what, row in (("gate", gate), *((f"{name} after a spike", row) for name, row in resets.items())):
            if INPUT in row:
                raise NotLinear(f"{spec.name}: {what} depends on the input {INPUT}; {_REMEDY}")
        if not any(name in gate for name in spec.state_names):
            raise NotLinear(f"{spec.name}: gate = {spec.gate} does not depend on any state; {_REMEDY}")
    return LinearNeuron(spec, couplings, decay, order, gate, _chain(gate, couplings, decay, order), resets)


def _row(spec: NeuronSpec, text: str, what: str) -> Row:
    """A linear expression as a row."""
    dynamic = dynamic_symbols(spec)
    row: Row = {}
    for moving, factor in split(spec.expression(text, what), dynamic):
        if moving != 1 and moving not in dynamic:
            raise NotLinear(
                f"{spec.name}: {what} = {text} contains {moving}, which is not linear in the states, so its next spike "
                f"has no closed form; {_REMEDY}"
            )
        row[CONSTANT if moving == 1 else str(moving)] = sp.factor(factor)
    return row


def _dependents_first(spec: NeuronSpec, couplings: dict[str, Row]) -> tuple[str, ...]:
    """The states, each one before all that drive it."""
    order: list[str] = []
    waiting = list(spec.state_names)
    while waiting:
        free = [name for name in waiting if not any(name in couplings[other] for other in waiting if other != name)]
        if not free:
            equations = "; ".join(f"d{s.name}/dt = {s.derivative}" for s in spec.states if s.name in waiting)
            raise NotLinear(
                f"{spec.name}: {' and '.join(waiting)} drive each other ({equations}), which the event-driven engine "
                f"does not solve; {_REMEDY}"
            )
        order += free
        waiting = [name for name in waiting if name not in free]
    return tuple(order)


def _chain(
    gate: Row, couplings: dict[str, Row], decay: dict[str, sp.Expr], order: tuple[str, ...]
) -> tuple[tuple[sp.Expr, Row], ...]:
    reached = set(gate)
    for name in order:
        if name in reached:
            reached |= set(couplings[name])
    # the constant and the input, which stands still between events, are exponentials of rate zero
    rates = [decay[name] for name in order if name in reached]
    if reached & {CONSTANT, INPUT}:
        rates.append(sp.S.Zero)
    chain: list[tuple[sp.Expr, Row]] = []
    row = gate
    for rate in rates:
        chain.append((rate, row))
        following: Row = {}
        for origin, factor in row.items():
            following[origin] = following.get(origin, sp.S.Zero) + factor * (rate - decay.get(origin, sp.S.Zero))
            for driver, coupling in couplings.get(origin, {}).items():
                following[driver] = following.get(driver, sp.S.Zero) + factor * coupling
        row = {origin: value for origin, factor in following.items() if (value := sp.factor(factor)) != 0}
        if not row:
            break
    return tuple(chain)
