"""What is told of recordings that can be read, but look as if something were not meant so."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

FEW = 100
"""Recordings of no more events are too small to look odd."""

LONGEST = 86_400
"""Seconds: recordings that last longer than a day, by a unit that was guessed, are told."""

RAREST, FASTEST = 10.0, 2e9
"""Events a second beyond which a unit that was guessed is told. The noise of the smallest cameras makes some hundreds;
the read-out of the fastest ends at a little above 1e9."""


def doubtful_unit(guess: str, first: int, last: int, count: int) -> str | None:
    """Why a unit of time that was guessed is hardly right; None if it may be.

    Args:
        guess: what was taken for which unit.
        first: time of the first event in microseconds.
        last: time of the last event in microseconds.
        count: number of events.
    """
    seconds = (last - first) / 1e6
    if count <= FEW or seconds <= 0:
        return None
    rate = count / seconds
    if seconds <= LONGEST and RAREST <= rate <= FASTEST:
        return None
    odd = f"{count} events last {seconds:.4g} s then, {rate:.3g} a second"
    return f"no unit of time is named; {guess}. But {odd}; if that is wrong, give the unit: unit=s, ms, us or ns"


class Extent(NamedTuple):
    """Largest column and row, and the largest without the one event that has them; -1 where there is none."""

    x: int = -1
    y: int = -1
    x_of_others: int = -1
    y_of_others: int = -1
    events: int = 0

    def with_block(self, x: npt.NDArray[np.uint16], y: npt.NDArray[np.uint16]) -> Extent:
        """The extent with more events."""
        (x1, x2), (y1, y2) = _two_largest(x, self.x, self.x_of_others), _two_largest(y, self.y, self.y_of_others)
        return Extent(x1, y1, x2, y2, self.events + len(x))

    @property
    def size(self) -> tuple[int, int]:
        """Height and width that the events need."""
        return self.y + 1, self.x + 1

    def lone_event(self) -> str | None:
        """What to say where one event alone makes the sensor at least twice as wide or high; None elsewhere."""
        alone = [
            f"{name} = {largest}"
            for name, largest, other in (("x", self.x, self.x_of_others), ("y", self.y, self.y_of_others))
            if self.events > FEW and largest + 1 >= 2 * (other + 1)
        ]
        if not alone:
            return None
        height, width = self.y_of_others + 1, self.x_of_others + 1
        if len(alone) == 1:
            height, width = (self.y + 1, width) if alone[0][0] == "x" else (height, self.x + 1)
        return (
            f"one event at {' and '.join(alone)} alone makes the sensor {self.x + 1} x {self.y + 1} pixels, where all "
            f"others need {width} x {height}; if it is wrong, leave it out with size={height},{width} and outside=drop"
        )


@njit(cache=True, nogil=True)
def _two_largest(values, largest, second):
    largest, second = np.int64(largest), np.int64(second)
    for i in range(values.size):
        value = np.int64(values[i])
        if value > second:
            if value > largest:
                largest, second = value, largest
            else:
                second = value
    return largest, second


def backwards(t: npt.NDArray[np.int64]) -> tuple[int, int] | None:
    """How many of how many steps between times lead back, where most of those that lead anywhere do; None elsewhere."""
    steps = np.diff(t)
    back, on = int((steps < 0).sum()), int((steps > 0).sum())
    return (back, back + on) if back > on else None
