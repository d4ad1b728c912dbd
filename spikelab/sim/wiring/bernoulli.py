"""Every pair connected or not, independently, with one probability."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit

from spikelab.sim.random_numbers import step_key, turned, unit_interval, word
from spikelab.sim.wiring.build import connect_by_target
from spikelab.sim.wiring.connectivity import Connectivity
from spikelab.sim.wiring.limits import check_size
from spikelab.sim.wiring.regular import AllToAll
from spikelab.sim.wiring.rule import Ends, Wiring, probability

_U = np.uint64
# from this probability on, a draw for each pair costs less than one for each synapse
_DENSE_FROM = 0.2


@njit(nogil=True)
def _choose_each(chosen: Any, p: Any, own: Any) -> Any:
    """The senders of one target by a draw for each."""
    threshold, again, found = _U(p * 2.0**64), turned(own), 0
    for sender in range(chosen.size):
        # without a branch, which would be guessed wrong all the time
        chosen[found] = sender
        found += int(word(own, again, _U(sender)) < threshold)
    return found


@njit(nogil=True)
def _choose_by_skips(chosen: Any, p: Any, own: Any) -> Any:
    """The senders of one target by the number of senders up to the next: a geometric one."""
    again, scale, found = turned(own), 1.0 / math.log1p(-p), 0
    sender = np.int64(-1)
    while True:
        skip = math.log(unit_interval(word(own, again, _U(found)))) * scale
        # compared as a float, which may be larger than any whole number
        if skip >= chosen.size - 1 - sender:
            return found
        sender += np.int64(skip) + 1
        chosen[found] = sender
        found += 1


@njit(nogil=True, cache=True)
def _visit_targets(
    low: Any, high: Any, cursors: Any, targets: Any, writes: Any, p: Any, left_out: Any, offset: Any, key: Any
) -> None:
    chosen = np.empty(cursors.size, np.int64)
    for target in range(low, high):
        own = step_key(key, target)
        count = _choose_each(chosen, p, own) if p >= _DENSE_FROM else _choose_by_skips(chosen, p, own)
        for i in range(count):
            sender = chosen[i]
            if left_out and sender == target - offset:
                continue
            if writes:
                targets[cursors[sender]] = target
            cursors[sender] += 1


@dataclass(frozen=True)
class FixedProbability(Wiring):
    """Each pair is connected with the same probability, independently of the others, and at most once.

    Attributes:
        p: the probability.
        allow_autapses: whether a neuron may reach itself (as in NEST by default, and in Brian2 unless ``i != j``).
    """

    p: float
    allow_autapses: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "p", probability("FixedProbability", "p", self.p))

    def _connect(self, ends: Ends) -> Connectivity:
        if self.p == 1:
            return AllToAll(self.allow_autapses)._connect(ends)
        pairs = ends.source_size * ends.target_size
        check_size(repr(self), ends.source_size, ends.target_size, pairs * self.p)
        left_out = not self.allow_autapses and ends.offset is not None
        # nothing is to be drawn, and the length of a skip not defined
        reached = ends.target_size if self.p else 0

        def visit(low: int, high: int, cursors: np.ndarray, targets: np.ndarray, writes: bool) -> None:
            if reached:
                _visit_targets(low, high, cursors, targets, writes, self.p, left_out, ends.offset or 0, ends.key)

        draws = pairs if self.p >= _DENSE_FROM else ends.target_size + pairs * self.p
        return connect_by_target(repr(self), ends, draws, visit)
