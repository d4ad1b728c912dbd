"""Decides from a rule's equations how it can be run.

* ``per_sender``: nothing is remembered for a target or a synapse; what arrives is a function of the sender's traces.
* ``snapshot``: a spike of the target changes the weight by a sum of (trace of the sender) × (function of traces of the
  target), and by nothing else. As the sender's traces only decay between two of its spikes, the sum over all spikes of
  the target since then is (trace at the last visit) × (growth of one running sum of the target).
* ``history``: anything else; the target's spikes wait in a list until the sender's synapses are next looked at.
"""

from __future__ import annotations

from dataclasses import dataclass

import sympy as sp

from spikelab.sim.plasticity.constants import Constants
from spikelab.sim.plasticity.spec import MODULATOR, WEIGHT, PlasticitySpec
from spikelab.sim.plasticity.statements import DELIVERY, Statement

#: Steps of the shortest time constant for which running sums keep their digits.
_FEWEST_STEPS = 4


class NotPossible(ValueError):
    """The rule cannot be run that way; the message says why."""


@dataclass(frozen=True)
class Growth:
    """What a spike of the target adds to the weight.

    Attributes:
        terms: trace of the sender -> the factor of its value, over the target's traces just before the spike.
        sign: 1 where weights only grow by it, -1 where they only shrink, 0 where that does not matter.
    """

    terms: dict[str, sp.Expr]
    sign: int


def choose(spec: PlasticitySpec, numbers: Constants, dt: float, execution: str = "") -> str:
    """The name of the fastest way to run the rule, or the one asked for.

    Args:
        spec: the rule.
        numbers: its constants.
        dt: time step, seconds.
        execution: the one asked for, or "".

    Raises:
        NotPossible: if it cannot be run in the way that was asked for.
    """
    if execution in ("", "per_sender"):
        try:
            check_per_sender(spec)
        except NotPossible:
            if execution:
                raise
        else:
            return "per_sender"
    if execution in ("", "snapshot"):
        try:
            growth(spec, numbers, dt)
        except NotPossible:
            if execution:
                raise
        else:
            return "snapshot"
    return "history"


def check_per_sender(spec: PlasticitySpec) -> None:
    """Raises NotPossible unless only the sender's traces change, and only they and the weight decide what arrives."""
    traces = {each.name for each in spec.pre}
    changed = {each.name for each in (*spec.pre_statements, *spec.post_statements, *spec.rates)}
    if changed - traces - {DELIVERY}:
        raise NotPossible(
            f"{spec.name}: {', '.join(sorted(changed - traces - {DELIVERY}))} differ from target to target"
        )


def growth(spec: PlasticitySpec, numbers: Constants, dt: float) -> Growth:
    """What spikes of the target add to the weight, for the snapshot strategy.

    Args:
        spec: the rule.
        numbers: its constants.
        dt: time step, seconds.

    Raises:
        NotPossible: unless it is a sum of products of one trace of the sender and a function of the target's traces.
    """
    if spec.synapse or spec.rates:
        raise NotPossible(f"{spec.name}: it has variables of synapses or continuous terms")
    senders = [sp.Symbol(each.name, real=True) for each in spec.pre]
    weight = sp.Symbol(WEIGHT, real=True)
    now: dict[sp.Expr, sp.Expr] = {}
    terms: dict[str, sp.Expr] = {}
    signs: set[int] = set()
    for each in spec.post_statements:
        value = each.value.xreplace(now)
        if each.name != WEIGHT:
            now[sp.Symbol(each.name, real=True)] = value
            continue
        change = sp.expand(value - weight)
        if weight in change.free_symbols:
            raise NotPossible(f"{spec.name}: {each.text!r} depends on the weight")
        found = _linear(change, senders, spec, each)
        for name, factor in found.items():
            terms[name] = terms.get(name, sp.S.Zero) + factor
            signs.add(_sign(factor, spec, numbers))
    for name in terms:
        if numbers.rest[name] != 0:
            raise NotPossible(f"{spec.name}: {name} does not decay to zero")
        if numbers.tau[name] < _FEWEST_STEPS * dt:
            raise NotPossible(f"{spec.name}: {name} decays within less than {_FEWEST_STEPS} steps")
    bounded = spec.w_min is not None or spec.w_max is not None
    signs.discard(0)
    if bounded and (2 in signs or len(signs) > 1):
        raise NotPossible(f"{spec.name}: spikes of the target may both raise and lower the weight, which has bounds")
    return Growth(terms, signs.pop() if bounded and signs else 0)


def _linear(change: sp.Expr, senders: list[sp.Symbol], spec: PlasticitySpec, line: Statement) -> dict[str, sp.Expr]:
    """Sender's trace -> factor; the change must be linear in the sender's traces, with nothing left over."""
    found = {each.name: sp.diff(change, each) for each in senders}
    if any(factor.free_symbols & set(senders) for factor in found.values()) or (
        sp.expand(change - sum(factor * sp.Symbol(name, real=True) for name, factor in found.items())) != 0
    ):
        raise NotPossible(f"{spec.name}: {line.text!r} is not linear in the traces of the sender")
    return {name: factor for name, factor in found.items() if factor != 0}


def _sign(factor: sp.Expr, spec: PlasticitySpec, numbers: Constants) -> int:
    """1 or -1 where the factor never has the other sign, 0 where it is zero, 2 where that cannot be told."""
    known = {sp.Symbol(name, real=True): _signed(name, value) for name, value in numbers.parameters.items()}
    for each in _never_negative(spec, numbers):
        known[sp.Symbol(each, real=True)] = sp.Symbol(each, nonnegative=True)
    signed = factor.xreplace(known)
    if signed == 0:
        return 0
    if signed.is_nonnegative:
        return 1
    return -1 if signed.is_nonpositive else 2


def _signed(name: str, value: float) -> sp.Expr:
    return sp.S.Zero if value == 0 else sp.Symbol(name, positive=value > 0, negative=value < 0)


def _never_negative(spec: PlasticitySpec, numbers: Constants) -> set[str]:
    """The traces that start at or above zero, decay to such a value, and are never set below it."""
    names = {each.name for each in (*spec.pre, *spec.post) if numbers.rest[each.name] >= 0}
    known = {sp.Symbol(name, real=True): _signed(name, value) for name, value in numbers.parameters.items()}
    while True:
        assumed = known | {sp.Symbol(name, real=True): sp.Symbol(name, nonnegative=True) for name in names}
        kept = set(names)
        for each in (*spec.pre_statements, *spec.post_statements):
            if each.name in kept and not each.value.xreplace(assumed).is_nonnegative:
                kept.discard(each.name)
        if kept == names:
            return names
        names = kept


@dataclass(frozen=True)
class Integral:
    """A continuous term that need not be worked out at every interval.

    Attributes:
        variable: the decaying variable of the synapse that the weight follows.
        gain: what it is multiplied by, over the parameters and the modulator: the same for all synapses.
    """

    variable: str
    gain: sp.Expr


def integral(spec: PlasticitySpec) -> Integral | None:
    """The continuous term as an integral over a decaying variable, if it is one.

    Where dw/dt = gain(t) · e and e only decays between spikes, the change between two spikes is e times a sum over
    time that all synapses share. It has one sign as long as the gain has, so that clipping may wait as well.
    """
    if [each.name for each in spec.rates] != [WEIGHT]:
        return None
    rate = spec.rates[0].value
    shared = {*spec.parameter_names, MODULATOR}
    for each in spec.synapse:
        symbol = sp.Symbol(each.name, real=True)
        gain = sp.diff(rate, symbol)
        own = {symbol.name for symbol in gain.free_symbols} <= shared
        if each.tau is not None and own and gain != 0 and sp.expand(rate - gain * symbol) == 0:
            return Integral(each.name, gain)
    return None
