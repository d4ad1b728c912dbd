"""Wiring rules and distributions in NEST's words, for networks that NEST wires itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from spikelab.sim import distributions as ours
from spikelab.sim import wiring
from spikelab.sim.nest_engine.neurons import Signs
from spikelab.sim.nest_engine.support import NotSupported
from spikelab.sim.units import si
from spikelab.sim.wiring.rule import Wiring

_ARRAYS = "wire it with our own arrays (leave the option wiring out)"


def _degrees(rule: str, name: str) -> Callable[[Any], dict[str, Any]]:
    def spec(each: Any) -> dict[str, Any]:
        return {
            "rule": rule,
            name: each.degree,
            "allow_autapses": each.allow_autapses,
            "allow_multapses": each.allow_multapses,
        }

    return spec


def _total(each: wiring.FixedTotalNumber) -> dict[str, Any]:
    if not each.allow_multapses:
        raise NotSupported(f"{each}: NEST's fixed_total_number may always draw a pair twice: {_ARRAYS}")
    return {"rule": "fixed_total_number", "N": each.count, "allow_autapses": each.allow_autapses}


#: Rule -> (its name in NEST, what NEST's Connect takes).
RULES: dict[type[Wiring], tuple[str, Callable[[Any], dict[str, Any]]]] = {
    wiring.OneToOne: ("one_to_one", lambda each: {"rule": "one_to_one"}),
    wiring.AllToAll: ("all_to_all", lambda each: {"rule": "all_to_all", "allow_autapses": each.allow_autapses}),
    wiring.FixedProbability: (
        "pairwise_bernoulli",
        lambda each: {"rule": "pairwise_bernoulli", "p": each.p, "allow_autapses": each.allow_autapses},
    ),
    wiring.FixedInDegree: ("fixed_indegree", _degrees("fixed_indegree", "indegree")),
    wiring.FixedOutDegree: ("fixed_outdegree", _degrees("fixed_outdegree", "outdegree")),
    wiring.FixedTotalNumber: ("fixed_total_number", _total),
}

#: Rules that are always given to NEST as arrays, because nothing in them is drawn.
GIVEN = (wiring.Explicit, wiring.FromMatrix)


def connection(rule: Wiring, what: str) -> dict[str, Any]:
    """A rule as NEST's conn_spec.

    Raises:
        NotSupported: for a rule that NEST does not have.
    """
    if type(rule) not in RULES:
        raise NotSupported(f"{what}: NEST has no counterpart of the rule {rule!r}: {_ARRAYS}")
    return RULES[type(rule)][1](rule)


def drawn(nest: Any, value: Any, unit: str, what: str) -> Any:
    """A weight or delay in SI units as a number, or as a parameter that NEST draws from.

    Raises:
        NotSupported: for a distribution that NEST does not have, or values given one by one.
    """
    if not isinstance(value, ours.Distribution):
        number = si(value, unit, what)
        if not isinstance(number, float):
            raise NotSupported(f"{what}: one value for each synapse, where NEST draws the synapses: {_ARRAYS}")
        return number

    def of(name: str) -> float:
        return float(si(getattr(value, name), "1" if name == "sigma" else unit, f"{what}: {name}"))

    match value:
        case ours.Uniform():
            return nest.random.uniform(of("low"), of("high"))
        case ours.Normal():
            return nest.random.normal(of("mean"), of("standard_deviation"))
        case ours.LogNormal():
            return of("median") * nest.random.lognormal(0.0, of("sigma"))
        case ours.Exponential():
            return of("mean") * nest.random.exponential(1.0)
        case ours.TruncatedNormal():
            free = nest.random.normal(of("mean"), of("standard_deviation"))
            low, high = (None if getattr(value, name) is None else of(name) for name in ("low", "high"))
            if value.method == "redraw":
                return nest.math.redraw(free, -1e300 if low is None else low, 1e300 if high is None else high)
            free = free if low is None else nest.math.max(free, low)
            return free if high is None else nest.math.min(free, high)
        case _:
            raise NotSupported(f"{what}: NEST has no counterpart of the distribution {value!r}: {_ARRAYS}")


#: Distributions that ``drawn`` knows -> NEST's words.
DISTRIBUTIONS = {
    ours.Uniform: "nest.random.uniform",
    ours.Normal: "nest.random.normal",
    ours.LogNormal: "median * nest.random.lognormal",
    ours.Exponential: "mean * nest.random.exponential",
    ours.TruncatedNormal: "nest.math.redraw, or max and min, of nest.random.normal",
}


def signs_of(value: Any, unit: str, what: str) -> Signs:
    """Which signs values can have, as far as the distribution tells."""

    def number(name: str) -> float | None:
        given = getattr(value, name)
        return None if given is None else float(si(given, unit, f"{what}: {name}"))

    match value:
        case ours.Uniform() | ours.TruncatedNormal():
            low, high = number("low"), number("high")
            return Signs(high is None or high > 0, low is None or low < 0)
        case ours.LogNormal():
            return Signs(positive=True)
        case ours.Exponential():
            mean = number("mean") or 0.0
            return Signs(mean > 0, mean < 0)
        case ours.Distribution():
            return Signs(True, True)
        case _:
            found = float(si(value, unit, what))
            return Signs(found > 0, found < 0)
