"""Rules that fix the number of synapses of each neuron, or of all together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit

from spikelab.sim.wiring.build import connect_by_target, run_on_ranges, threads_for
from spikelab.sim.wiring.choose import choose
from spikelab.sim.wiring.connectivity import Connectivity, target_dtype
from spikelab.sim.wiring.limits import check_size
from spikelab.sim.wiring.rule import Ends, Wiring, whole_number

# senders that are also targets are said by an offset; this one leaves no neuron out
_NONE = -(1 << 40)


@njit(nogil=True, cache=True)
def _visit_targets(
    low: Any, high: Any, cursors: Any, targets: Any, writes: Any, degrees: Any, offset: Any, distinct: Any, key: Any
) -> None:
    chosen = np.empty(degrees.max() if degrees.size else 0, np.int64)
    stamps = np.zeros(cursors.size if distinct else 0, np.int64)
    for target in range(low, high):
        degree = degrees[target if degrees.size > 1 else 0]
        choose(chosen, degree, cursors.size, target - offset, distinct, stamps, key, target)
        for i in range(degree):
            sender = chosen[i]
            if writes:
                targets[cursors[sender]] = target
            cursors[sender] += 1


@njit(nogil=True, cache=True)
def _write_rows(rows: Any, first: Any, size: Any, offset: Any, distinct: Any, key: Any) -> None:
    chosen = np.empty(rows.shape[1], np.int64)
    stamps = np.zeros(size if distinct else 0, np.int64)
    for i in range(rows.shape[0]):
        sender = first + i
        choose(chosen, rows.shape[1], size, sender + offset, distinct, stamps, key, sender)
        for j in range(rows.shape[1]):
            rows[i, j] = chosen[j]


def connect_in_degrees(
    rule: str, ends: Ends, degrees: np.ndarray, autapses: bool, multapses: bool, key: np.uint64
) -> Connectivity:
    """Random senders for every target: ``degrees`` int64 [target_size], or [1] for the same number for all."""
    synapses = int(degrees.sum()) * (1 if degrees.size == ends.target_size else ends.target_size)
    check_size(rule, ends.source_size, ends.target_size, synapses)
    offset = _NONE if autapses or ends.offset is None else ends.offset

    def visit(low: int, high: int, cursors: np.ndarray, targets: np.ndarray, writes: bool) -> None:
        _visit_targets(low, high, cursors, targets, writes, degrees, offset, not multapses, key)

    return connect_by_target(rule, ends, synapses, visit)


def check_degree(rule: str, degree: int, partners: int, multapses: bool, left_out: bool, side: str) -> None:
    """Refuses a degree that cannot be met.

    Raises:
        ValueError: naming the degree, the partners that there are, and the remedy.
    """
    available = partners - left_out
    if degree and available <= 0:
        raise ValueError(f"{rule}: {degree} synapses of each neuron, but there is no {side} to choose from")
    if not multapses and degree > available:
        raise ValueError(
            f"{rule}: {degree} different {side}s of each neuron, but there are only {available}"
            f"{' besides itself' if left_out else ''}; lower the degree or set allow_multapses=True"
        )


@dataclass(frozen=True)
class FixedInDegree(Wiring):
    """Each target has the same number of synapses, from senders drawn at random.

    Attributes:
        degree: synapses of each target.
        allow_autapses: whether a neuron may reach itself (as in NEST by default).
        allow_multapses: whether one sender may be drawn more than once (as in NEST by default).
    """

    degree: int
    allow_autapses: bool = True
    allow_multapses: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "degree", whole_number("FixedInDegree", "degree", self.degree))

    def _connect(self, ends: Ends) -> Connectivity:
        if ends.target_size:
            left_out = not self.allow_autapses and len(ends.shared()) > 0
            check_degree(repr(self), self.degree, ends.source_size, self.allow_multapses, left_out, "sender")
        degrees = np.array([self.degree])
        return connect_in_degrees(repr(self), ends, degrees, self.allow_autapses, self.allow_multapses, ends.key)


@dataclass(frozen=True)
class FixedOutDegree(Wiring):
    """Each sender has the same number of synapses, onto targets drawn at random.

    Attributes:
        degree: synapses of each sender.
        allow_autapses: whether a neuron may reach itself (as in NEST by default).
        allow_multapses: whether one target may be drawn more than once (as in NEST by default).
    """

    degree: int
    allow_autapses: bool = True
    allow_multapses: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "degree", whole_number("FixedOutDegree", "degree", self.degree))

    def _connect(self, ends: Ends) -> Connectivity:
        if ends.source_size:
            left_out = not self.allow_autapses and len(ends.shared()) > 0
            check_degree(repr(self), self.degree, ends.target_size, self.allow_multapses, left_out, "target")
        synapses = self.degree * ends.source_size
        check_size(repr(self), ends.source_size, ends.target_size, synapses)
        rows = np.empty((ends.source_size, self.degree), target_dtype(ends.target_size))
        offset = _NONE if self.allow_autapses or ends.offset is None else ends.offset

        def write(part: int, low: int, high: int) -> None:
            _write_rows(rows[low:high], low, ends.target_size, offset, not self.allow_multapses, ends.key)
            rows[low:high].sort(axis=1)

        run_on_ranges(write, ends.source_size, threads_for(ends, ends.source_size, synapses))
        starts = np.arange(ends.source_size + 1, dtype=np.int64) * self.degree
        return Connectivity(ends.source_size, ends.target_size, starts, rows.ravel())
