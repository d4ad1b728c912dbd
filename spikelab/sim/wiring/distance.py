"""Pairs connected with a probability that falls with their distance."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numba import njit

from spikelab.sim.random_numbers import step_key, turned, unit_interval, word
from spikelab.sim.units import si, text_of
from spikelab.sim.wiring.build import connect_by_target
from spikelab.sim.wiring.connectivity import Connectivity
from spikelab.sim.wiring.rule import Ends, Wiring, probability

_U = np.uint64
_KERNELS = ("gaussian", "exponential", "linear", "constant")
#: Senders that share a cell of the grid, about.
_CELL = 32


@njit(inline="always")
def _profile(kernel: Any, square: Any, length: Any, cutoff: Any) -> Any:
    """The factor of the probability, from the square of a distance; never rises with it."""
    if square > cutoff * cutoff:
        return 0.0
    if kernel == 0:
        return math.exp(-0.5 * square / (length * length))
    distance = math.sqrt(square)
    if kernel == 1:
        return math.exp(-distance / length)
    if kernel == 2:
        return max(0.0, 1.0 - distance / length)
    return 1.0 if distance <= length else 0.0


@njit(nogil=True)
def _square_beyond(x: Any, centre: Any, half: Any, period: Any) -> Any:
    """Square of the distance of points, or of a point and the nearest possible one of a box with these half sides."""
    total = 0.0
    for d in range(x.size):
        away = abs(x[d] - centre[d])
        if period[d] > 0.0:
            away = abs(away - period[d] * np.rint(away / period[d]))
        away = max(0.0, away - half[d])
        total += away * away
    return total


@njit(nogil=True, cache=True)
def _visit_targets(
    low: Any, high: Any, cursors: Any, targets: Any, writes: Any, senders: Any, places: Any, cells: Any, centres: Any,
    halves: Any, positions: Any, period: Any, kernel: Any, highest: Any, length: Any, cutoff: Any, offset: Any,
    key: Any,
) -> None:  # fmt: skip
    """Cell by cell, with the probability of its nearest possible sender; then each drawn sender by its own share of it.

    ``senders`` and ``places`` are sorted by cell; those of cell c are ``cells[c]`` to ``cells[c + 1]``.
    """
    point = np.zeros(period.size)
    for target in range(low, high):
        own = step_key(key, target)
        again, draw = turned(own), _U(0)
        for cell in range(centres.shape[0]):
            near = _square_beyond(positions[target], centres[cell], halves[cell], period)
            # a little above, so that rounding never makes a share larger than 1
            bound = min(1.0, highest * _profile(kernel, near * (1.0 - 1e-9), length, cutoff) * (1.0 + 1e-9))
            if bound <= 0.0:
                continue
            scale = 1.0 / math.log1p(-bound) if bound < 1.0 else 0.0
            i, end = cells[cell] - 1, cells[cell + 1]
            while True:
                skip = math.log(unit_interval(word(own, again, draw))) * scale
                draw += _U(1)
                # compared as a float, which may be larger than any whole number
                if skip >= end - 1 - i:
                    break
                i += np.int64(skip) + 1
                share = highest * _profile(
                    kernel, _square_beyond(positions[target], places[i], point, period), length, cutoff
                )
                accepted = unit_interval(word(own, again, draw)) * bound < share
                draw += _U(1)
                sender = senders[i]
                if not accepted or sender == target - offset:
                    continue
                if writes:
                    targets[cursors[sender]] = target
                cursors[sender] += 1


def _checked_positions(side: str, positions: np.ndarray | None, size: int) -> np.ndarray:
    if positions is None:
        raise ValueError(f"DistanceDependent needs positions of the {side} group; give its population positions=[...]")
    array = np.ascontiguousarray(positions, np.float64)
    if array.ndim != 2 or array.shape[0] != size or array.shape[1] not in (1, 2, 3) or not np.isfinite(array).all():
        raise ValueError(
            f"DistanceDependent: positions of the {side} group must be finite and of shape [{size}, 1, 2 or 3]; "
            f"got {list(array.shape)}"
        )
    return array


def _sorted_by_cell(places: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Order of the senders by cell of a grid, starts of the cells, and the box that each cell's senders fill."""
    low, high = places.min(0), places.max(0)
    extent = np.where(high > low, high - low, 1.0)
    sides = max(1, round((len(places) / _CELL) ** (1 / places.shape[1])))
    column = np.minimum((places - low) / extent * sides, sides - 1).astype(np.int64)
    cell = np.ravel_multi_index(tuple(column.T), (sides,) * places.shape[1])
    order = np.argsort(cell, kind="stable")
    cells = np.concatenate([np.flatnonzero(np.diff(cell[order], prepend=-1)), [len(places)]])
    lowest, largest = (f.reduceat(places[order], cells[:-1], axis=0) for f in (np.minimum, np.maximum))
    # a little larger, so that rounding leaves no sender outside
    return order, cells, (lowest + largest) / 2, (largest - lowest) / 2 * (1 + 1e-9) + 1e-12 * extent


@dataclass(frozen=True)
class DistanceDependent(Wiring):
    """Each pair is connected at most once, with a probability that is a function of its distance d.

    Attributes:
        kernel: "gaussian" ``exp(-d**2 / (2 length**2))``, "exponential" ``exp(-d / length)``, "linear"
            ``1 - d / length`` down to 0, or "constant" up to the distance ``length`` and 0 beyond; times ``p``.
        length: in metres, or a quantity.
        p: probability at distance 0.
        cutoff: distance beyond which no pair is connected, or None.
        period: size of a space that closes on itself, one for all directions or one for each; None for an open space.
        allow_autapses: whether a neuron may reach itself (as in NEST by default).
    """

    kernel: Literal["gaussian", "exponential", "linear", "constant"]
    length: Any
    p: float = 1.0
    cutoff: Any = None
    period: Any = None
    allow_autapses: bool = True

    def __post_init__(self) -> None:
        if self.kernel not in _KERNELS:
            raise ValueError(f"DistanceDependent: kernel {self.kernel!r}: takes one of {', '.join(_KERNELS)}")
        object.__setattr__(self, "p", probability("DistanceDependent", "p", self.p))
        for field in ("length", "cutoff", "period"):
            value = getattr(self, field)
            if value is None and field != "length":
                continue
            number = si(value, "m", f"DistanceDependent: {field}")
            if np.any(np.asarray(number) <= 0) or (field != "period" and np.ndim(number)):
                raise ValueError(f"DistanceDependent: {field} = {text_of(value)} must be above 0")
            object.__setattr__(self, field, tuple(map(float, number)) if np.ndim(number) else number)

    def _connect(self, ends: Ends) -> Connectivity:
        places = _checked_positions("source", ends.source_positions, ends.source_size)
        positions = _checked_positions("target", ends.target_positions, ends.target_size)
        if places.shape[1] != positions.shape[1]:
            raise ValueError(f"{self}: positions in {places.shape[1]} and {positions.shape[1]} dimensions")
        period = np.zeros(places.shape[1])
        if self.period is not None:
            if np.ndim(self.period) and len(self.period) != len(period):
                raise ValueError(f"{self}: period takes one length, or {len(period)}")
            period[:] = self.period
        # the grid needs at least one sender
        order, cells, centres, halves = (
            _sorted_by_cell(places)
            if len(places)
            else (np.empty(0, np.int64), np.zeros(1, np.int64), np.empty((0, len(period))), np.empty((0, len(period))))
        )
        numbers = (_KERNELS.index(self.kernel), self.p, self.length, math.inf if self.cutoff is None else self.cutoff)
        leaves_out = not self.allow_autapses and ends.offset is not None
        offset = ends.offset if leaves_out else -(1 << 40)
        sorted_places = np.ascontiguousarray(places[order])

        def visit(low: int, high: int, cursors: np.ndarray, targets: np.ndarray, writes: bool) -> None:
            grid = (order, sorted_places, cells, centres, halves)
            _visit_targets(low, high, cursors, targets, writes, *grid, positions, period, *numbers, offset, ends.key)

        return connect_by_target(repr(self), ends, ends.target_size * (len(cells) + 1.0), visit)
