"""The numbers of a rule with given values: time constants, resting values, bounds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import sympy as sp

from spikelab.sim.plasticity.spec import PlasticitySpec


@dataclass(frozen=True)
class Constants:
    """A rule's expressions over its parameters, worked out.

    Attributes:
        parameters: as given, SI.
        tau: trace or variable -> time constant in seconds, infinite for a variable that stays.
        rest: trace or variable -> the value that it relaxes to.
        w_min: smallest weight, -inf for no bound.
        w_max: largest weight, inf for no bound.
        interval: seconds between two actions of the continuous terms, or 0.
    """

    parameters: Mapping[str, float]
    tau: Mapping[str, float]
    rest: Mapping[str, float]
    w_min: float
    w_max: float
    interval: float

    def of(self, name: str, dt: float) -> float:
        """The number that generated code calls so: a parameter, a bound, a resting value or the time step."""
        if name in self.parameters:
            return self.parameters[name]
        known = {"w_min_": self.w_min, "w_max_": self.w_max, "dt_": dt}
        return known[name] if name in known else self.rest[name.removeprefix("rest_").removesuffix("_")]

    def steps_of_interval(self, dt: float, where: str) -> int:
        """Steps between two actions of continuous terms; 0 for none.

        Raises:
            ValueError: unless it is a whole number.
        """
        steps = round(self.interval / dt)
        if self.interval and (steps < 1 or abs(steps * dt - self.interval) > 1e-6 * self.interval):
            raise ValueError(
                f"{where}: the interval of {self.interval:g} s must be a whole number of steps of {dt:g} s"
            )
        return steps

    def check_weights(self, weights: np.ndarray, where: str) -> None:
        """Raises ValueError for an initial weight outside the bounds."""
        low, high = np.asarray(self.w_min, weights.dtype), np.asarray(self.w_max, weights.dtype)
        outside = weights[(weights < low) | (weights > high)]
        if outside.size:
            raise ValueError(
                f"{where}: an initial weight of {outside[0]:g} lies outside the rule's bounds, {low:g} to {high:g}"
            )


def constants(spec: PlasticitySpec, parameters: Mapping[str, float], where: str) -> Constants:
    """Works the rule's expressions out.

    Args:
        spec: the rule.
        parameters: value of every parameter, SI.
        where: named in errors.

    Raises:
        ValueError: for a time constant that is not positive, or bounds in the wrong order.
    """
    numbers = {sp.Symbol(name, real=True): value for name, value in parameters.items()}

    def number(text: str, what: str) -> float:
        value = complex(spec.constant(text, what).subs(numbers).evalf())
        if value.imag or not math.isfinite(value.real):
            raise ValueError(f"{where}: {what} = {text} comes out as {value}; it must be a finite number")
        return value.real

    tau, rest = {}, {}
    for each in spec.variables:
        tau[each.name] = math.inf if each.tau is None else number(each.tau, f"tau of {each.name}")
        rest[each.name] = number(getattr(each, "rest", "0"), f"rest of {each.name}")
        if not tau[each.name] > 0:
            raise ValueError(f"{where}: the time constant of {each.name} is {tau[each.name]:g} s; it must be > 0")
    w_min = -math.inf if spec.w_min is None else number(spec.w_min, "w_min")
    w_max = math.inf if spec.w_max is None else number(spec.w_max, "w_max")
    if w_min > w_max:
        raise ValueError(f"{where}: the smallest weight {w_min:g} is larger than the largest, {w_max:g}")
    interval = 0.0 if spec.interval is None else float(parameters[spec.interval])
    return Constants(dict(parameters), tau, rest, w_min, w_max, interval)
