"""A fixed number of synapses of all neurons together."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit

from spikelab.sim.random_numbers import step_key, turned, unit_interval, word
from spikelab.sim.wiring.build import run_on_ranges, threads_for
from spikelab.sim.wiring.choose import whole_number_below
from spikelab.sim.wiring.connectivity import Connectivity
from spikelab.sim.wiring.degree import connect_in_degrees
from spikelab.sim.wiring.limits import check_size
from spikelab.sim.wiring.rule import Ends, Wiring, whole_number

_U = np.uint64
# the degrees have random numbers of their own, apart from those of the senders
_DEGREES, _SENDERS = 0, 1


@njit(nogil=True, cache=True)
def _count_targets(degrees: Any, low: Any, high: Any, source_size: Any, first: Any, last: Any, key: Any) -> None:
    """Adds a synapse to a random target for each number from low to high; those from first to last lack one sender."""
    again = turned(key)
    for synapse in range(low, high):
        own = word(key, again, _U(synapse))
        own_again, attempt = turned(own), _U(0)
        while True:
            target = whole_number_below(word(own, own_again, attempt), np.float64(degrees.size))
            # all allowed pairs alike: a target that lacks a sender is taken that much more seldom
            if not first <= target < last or unit_interval(word(own, own_again, attempt + _U(1))) * source_size >= 1.0:
                break
            attempt += _U(2)
        degrees[target] += 1


@njit(nogil=True)
def _log_choose(size: Any, count: Any) -> Any:
    return math.lgamma(size + 1.0) - math.lgamma(count + 1.0) - math.lgamma(size - count + 1.0)


@njit(nogil=True)
def _hypergeometric(u: Any, good: Any, bad: Any, draws: Any) -> Any:
    """How many of ``draws`` distinct items are good: inversion, summed from the mode outward."""
    least, most = max(0, draws - bad), min(good, draws)
    mode = min(max(int((draws + 1.0) * (good + 1.0) / (good + bad + 2.0)), least), most)
    at_mode = math.exp(_log_choose(good, mode) + _log_choose(bad, draws - mode) - _log_choose(good + bad, draws))
    u -= at_mode
    up, down, p_up, p_down = mode, mode, at_mode, at_mode
    while u >= 0.0 and (up < most or down > least):
        if up < most:
            p_up *= (good - up) / (up + 1.0) * ((draws - up) / (bad - draws + up + 1.0))
            up += 1
            u -= p_up
            if u < 0.0:
                return up
        if down > least:
            p_down *= down / (good - down + 1.0) * ((bad - draws + down) / (draws - down + 1.0))
            down -= 1
            u -= p_down
            if u < 0.0:
                return down
    return mode


@njit(nogil=True, cache=True)
def _share_distinct(degrees: Any, available: Any, synapses: Any, key: Any) -> None:
    """Shares distinct pairs among the targets, of which each has ``available`` pairs."""
    again, pairs, left = turned(key), available.sum(), synapses
    for target in range(degrees.size):
        u = unit_interval(word(key, again, _U(target)))
        pairs -= available[target]
        degrees[target] = _hypergeometric(u, available[target], pairs, left)
        left -= degrees[target]


@dataclass(frozen=True)
class FixedTotalNumber(Wiring):
    """A fixed number of synapses, each between a sender and a target drawn at random.

    In-degrees are multinomial, as in the microcircuit of Potjans & Diesmann 2014, or multivariate hypergeometric where
    no pair may be drawn twice.

    Attributes:
        count: number of synapses.
        allow_autapses: whether a neuron may reach itself (as in NEST by default).
        allow_multapses: whether one pair may be drawn more than once (as in NEST, which has no other way).
    """

    count: int
    allow_autapses: bool = True
    allow_multapses: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "count", whole_number("FixedTotalNumber", "count", self.count))

    def _connect(self, ends: Ends) -> Connectivity:
        lacking = range(0)
        if not self.allow_autapses and ends.offset is not None:
            shared = ends.shared()
            lacking = range(shared.start + ends.offset, shared.stop + ends.offset)
        pairs = ends.source_size * ends.target_size - len(lacking)
        if self.count and pairs == 0:
            raise ValueError(f"{self}: there is no pair of neurons to connect")
        if not self.allow_multapses and self.count > pairs:
            raise ValueError(f"{self}: there are only {pairs} pairs; lower count or set allow_multapses=True")
        check_size(repr(self), ends.source_size, ends.target_size, self.count)
        degrees = np.zeros(ends.target_size, np.int64)
        if self.count:
            self._draw_degrees(degrees, lacking, ends)
        key = step_key(ends.key, _SENDERS)
        return connect_in_degrees(repr(self), ends, degrees, self.allow_autapses, self.allow_multapses, key)

    def _draw_degrees(self, degrees: np.ndarray, lacking: range, ends: Ends) -> None:
        key = step_key(ends.key, _DEGREES)
        if not self.allow_multapses:
            available = np.full(degrees.size, ends.source_size, np.int64)
            available[lacking.start : lacking.stop] -= 1
            _share_distinct(degrees, available, self.count, key)
            return

        def count(part: int, low: int, high: int) -> np.ndarray:
            own = np.zeros(degrees.size, np.int64)
            _count_targets(own, low, high, ends.source_size, lacking.start, lacking.stop, key)
            return own

        for own in run_on_ranges(count, self.count, threads_for(ends, self.count, self.count)):
            degrees += own
