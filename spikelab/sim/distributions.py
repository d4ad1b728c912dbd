"""Distributions from which parameters, starting values, weights and delays are drawn.

A draw is a function of the key and of the item's number, so that the first hundred of a thousand values are those of
a hundred. Arguments may be quantities (``Uniform(-60 * mV, -50 * mV)``); whether their unit fits is checked when values
are drawn for a parameter. The records are plain data: quantities are kept as text ("-60.0 mV").
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np
from numba import njit

from spikelab.sim.random_numbers import fill_normal, fill_uniform, step_key, turned, word
from spikelab.sim.random_numbers.normal import normal_pair
from spikelab.sim.units import si, text_of

#: An interval of less probability is refused for redraws, which would hardly ever end.
LEAST_ACCEPTED = 1e-3


@dataclass(frozen=True)
class Distribution(ABC):
    """What values are drawn from."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            several = isinstance(value, list | tuple) or getattr(value, "ndim", 0) > 0
            object.__setattr__(self, field.name, tuple(map(text_of, value)) if several else text_of(value))

    def draw(
        self, key: int | np.uint64, count: int, dtype: Any = np.float64, *, unit: str = "1", what: str = "value"
    ) -> np.ndarray:
        """Draws values.

        Args:
            key: of the random numbers (``stream_key``); the same key gives the same values.
            count: how many.
            dtype: float32 or float64.
            unit: SI unit of the values; plain arguments are taken to be in it.
            what: named in errors.

        Returns:
            [count].

        Raises:
            ValueError: for arguments of another unit, or that make no distribution.
        """
        return self._draw(np.uint64(key), count, unit, what).astype(dtype, copy=False)

    @abstractmethod
    def _draw(self, key: np.uint64, count: int, unit: str, what: str) -> np.ndarray: ...

    def _argument(self, name: str, unit: str, what: str, *, least: float | None = None) -> float:
        value = si(getattr(self, name), unit, f"{what}: {name} of {type(self).__name__}")
        if not isinstance(value, float):
            raise ValueError(f"{what}: {name} of {type(self).__name__} takes one number, not {value.size}")
        if least is not None and value < least:
            raise ValueError(f"{what}: {name} = {getattr(self, name)} of {self} must not be below {least:g}")
        return value

    def _limits(self, low: Any, high: Any, unit: str, what: str) -> tuple[float, float]:
        """The two limits; an open side is infinite."""
        lower = -math.inf if low is None else self._argument("low", unit, what)
        upper = math.inf if high is None else self._argument("high", unit, what)
        if lower > upper:
            raise ValueError(f"{what}: low of {self} is above high; swap them")
        return lower, upper


def _uniforms(key: np.uint64, count: int) -> np.ndarray:
    out = np.empty(count)
    fill_uniform(out, key, 0, count)
    return out


def _normals(key: np.uint64, count: int) -> np.ndarray:
    out = np.empty(count)
    fill_normal(out, key, 0, count)
    return out


@dataclass(frozen=True)
class Uniform(Distribution):
    """Every value between two limits alike.

    Attributes:
        low: lower limit.
        high: upper limit.
    """

    low: Any
    high: Any

    def _draw(self, key: np.uint64, count: int, unit: str, what: str) -> np.ndarray:
        low, high = self._limits(self.low, self.high, unit, what)
        return np.clip(low + (high - low) * _uniforms(key, count), low, high)


@dataclass(frozen=True)
class Normal(Distribution):
    """The normal distribution.

    Attributes:
        mean: mean value.
        standard_deviation: 0 or more.
    """

    mean: Any
    standard_deviation: Any

    def _draw(self, key: np.uint64, count: int, unit: str, what: str) -> np.ndarray:
        deviation = self._argument("standard_deviation", unit, what, least=0)
        return self._argument("mean", unit, what) + deviation * _normals(key, count)


@njit(nogil=True, cache=True)
def _draw_within(out: Any, mean: Any, deviation: Any, low: Any, high: Any, key: Any) -> None:
    for item in range(out.size):
        attempt = 0
        while True:
            own = step_key(key, attempt)
            value = mean + deviation * normal_pair(word(own, turned(own), np.uint64(item)))[0]
            if low <= value <= high:
                break
            attempt += 1
        out[item] = value


@dataclass(frozen=True)
class TruncatedNormal(Distribution):
    """The normal distribution between two limits.

    Attributes:
        mean: of the normal distribution; that of the result differs where the limits are not symmetric about it.
        standard_deviation: of the normal distribution, 0 or more.
        low: lower limit, None for none.
        high: upper limit, None for none.
        method: "redraw" draws again what lies outside; "clip" sets it to the limit.
    """

    mean: Any
    standard_deviation: Any
    low: Any = None
    high: Any = None
    method: Literal["redraw", "clip"] = "redraw"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.method not in ("redraw", "clip"):
            raise ValueError(f"TruncatedNormal: method {self.method!r}: takes 'redraw' or 'clip'")

    def _draw(self, key: np.uint64, count: int, unit: str, what: str) -> np.ndarray:
        mean, deviation = self._argument("mean", unit, what), self._argument("standard_deviation", unit, what, least=0)
        low, high = self._limits(self.low, self.high, unit, what)
        if self.method == "clip":
            return np.clip(mean + deviation * _normals(key, count), low, high)
        accepted = _probability_between((low - mean), (high - mean), deviation)
        if accepted < LEAST_ACCEPTED:
            raise ValueError(
                f"{what}: only {accepted:.2g} of the normal draws of {self} lie between its limits, at least "
                f"{LEAST_ACCEPTED:g} must; widen the limits or take method='clip'"
            )
        out = np.empty(count)
        _draw_within(out, mean, deviation, low, high, key)
        return out


def _probability_between(low: float, high: float, deviation: float) -> float:
    if deviation == 0:
        return float(low <= 0 <= high)
    # on the side where the tail is small, so that it is not lost
    if low > 0:
        low, high = -high, -low
    scale = deviation * math.sqrt(2)
    return (math.erfc(-high / scale) - math.erfc(-low / scale)) / 2


@dataclass(frozen=True)
class LogNormal(Distribution):
    """Values whose logarithm is normally distributed.

    Attributes:
        median: the value that half of all lie below, above 0; the mean is ``median * exp(sigma**2 / 2)``.
        sigma: standard deviation of the natural logarithm, a number without unit, 0 or more.
    """

    median: Any
    sigma: Any

    def _draw(self, key: np.uint64, count: int, unit: str, what: str) -> np.ndarray:
        median, sigma = self._argument("median", unit, what), self._argument("sigma", "1", what, least=0)
        if median <= 0:
            raise ValueError(f"{what}: median of {self} must be above 0; for negative values negate what is drawn")
        return median * np.exp(sigma * _normals(key, count))


@dataclass(frozen=True)
class Exponential(Distribution):
    """The exponential distribution.

    Attributes:
        mean: mean value; a negative one gives negative values.
    """

    mean: Any

    def _draw(self, key: np.uint64, count: int, unit: str, what: str) -> np.ndarray:
        return -self._argument("mean", unit, what) * np.log(_uniforms(key, count))


@dataclass(frozen=True)
class Choice(Distribution):
    """One of several values.

    Attributes:
        values: what is chosen from.
        probabilities: of each value, summing to 1; all alike by default.
    """

    values: Any
    probabilities: Any = None

    def _draw(self, key: np.uint64, count: int, unit: str, what: str) -> np.ndarray:
        values = np.atleast_1d(si(self.values, unit, f"{what}: values of Choice"))
        if values.ndim != 1 or not values.size:
            raise ValueError(f"{what}: values of Choice must be a list of at least one number")
        if self.probabilities is None:
            share = np.full(values.size, 1 / values.size)
        else:
            share = np.atleast_1d(si(self.probabilities, "1", f"{what}: probabilities of Choice"))
        if share.shape != values.shape or (share < 0).any() or not math.isclose(share.sum(), 1, abs_tol=1e-6):
            raise ValueError(f"{what}: {self} needs one probability for each value, none negative, summing to 1")
        edges = np.cumsum(share / share.sum())
        # the last value of any probability takes what rounding leaves
        return values[np.minimum(np.searchsorted(edges, _uniforms(key, count), "right"), np.flatnonzero(share)[-1])]


def values(value: Any, unit: str, count: int, key: int | np.uint64, what: str) -> float | np.ndarray:
    """Values of a parameter: one for all, or one for each.

    Args:
        value: a number, a quantity or a text ("20 ms"), an array or list of ``count`` of them, or a distribution.
        unit: the parameter's SI unit.
        count: how many neurons or synapses there are.
        key: of the random numbers of a distribution.
        what: named in errors, such as "cells: tau_mem".

    Returns:
        float where one value is given, else float64 [count].

    Raises:
        ValueError: for another unit or number of values.
    """
    if isinstance(value, Distribution):
        return value.draw(key, count, unit=unit, what=what)
    numbers: float | np.ndarray = si(value, unit, what)
    if isinstance(numbers, np.ndarray) and numbers.shape != (count,):
        raise ValueError(f"{what}: takes one value, or {count}; got an array of shape {list(numbers.shape)}")
    return numbers
