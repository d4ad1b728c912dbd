"""Events that a file holds a little out of order, put in order in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from numba import njit

from spikelab.events.files.source import Columns


class Reset(Exception):
    """Time went back further than events are ever late: the clock was set anew.

    Args:
        event: its number, counted from 0.
        before: latest time so far, microseconds.
        after: its time, microseconds.
    """

    def __init__(self, event: int, before: int, after: int):
        super().__init__(f"event {event}: {before} us, then {after} us")
        self.event, self.before, self.after = event, before, after


class Ordering:
    """Puts late events in their place; equal times keep the order of the file.

    The last `window` microseconds are held back until it is sure that nothing goes between them any more, so memory is
    that of one block and of what happened within the window.

    Args:
        window: how late an event may come, in microseconds.

    Attributes:
        late: number of events that came after newer ones.
        latest: how late at most, in microseconds.
    """

    def __init__(self, window: int):
        self.window = window
        self.late = self.latest = self.seen = 0
        self._held: Columns | None = None
        self._newest = self._floor = np.iinfo(np.int64).min

    def push(self, block: Columns) -> Iterator[Columns]:
        """Take a block of events, give those whose place is sure.

        Raises:
            Reset: if an event is later than the window, or lies before where time began anew; what came before it has
                been taken.
        """
        late, latest, reset, newest = _lateness(block.t, self._newest, self.window, self._floor)
        whole = block
        if reset >= 0:
            block = block.taken(slice(reset))
            late, latest, _, newest = _lateness(block.t, self._newest, self.window, self._floor)
        self.late += late
        self.latest = max(self.latest, latest)
        if len(block.t):
            yield from self._placed(block, in_order=late == 0, newest=newest)
        before, self._newest = self._newest, newest
        self.seen += len(block.t)
        if reset >= 0:
            raise Reset(self.seen, max(int(newest), int(before)), int(whole.t[reset]))

    def finish(self) -> Iterator[Columns]:
        """What was held back."""
        if self._held is not None and len(self._held.t):
            yield self._held
        self._held = None

    def restart(self, floor: int) -> None:
        """Forget the times so far: what comes next may begin at a time, but not go before it. Call `finish` first.

        Args:
            floor: microseconds; what was finished ends there, so that nothing can be put before it any more.
        """
        self._newest, self._floor = np.iinfo(np.int64).min, floor

    def _placed(self, block: Columns, in_order: bool, newest: int) -> Iterator[Columns]:
        held = self._held
        if in_order and (held is None or not len(held.t) or block.t[0] >= held.t[-1]):
            if held is not None and len(held.t):
                yield held
        else:
            block = block if held is None else Columns.joined([held, block])
            order = np.argsort(block.t, kind="stable")
            block = block.taken(order)
        sure = int(np.searchsorted(block.t, newest - self.window))
        if sure:
            yield block.taken(slice(sure))
        # a copy, so that a few held events do not keep a whole block alive
        self._held = Columns.joined([block.taken(slice(sure, None))])


@njit(cache=True, nogil=True)
def _lateness(t, newest, window, floor):
    """Number of late events, how late at most, the first beyond the window or floor or -1, and the newest time."""
    late, latest = 0, 0
    for i in range(t.size):
        if t[i] >= newest:
            newest = t[i]
        else:
            behind = newest - t[i]
            if behind > window or t[i] < floor:
                return late, latest, i, newest
            late += 1
            latest = max(latest, behind)
    return late, latest, -1, newest


@njit(cache=True, nogil=True)
def extremes(x, y):
    """Largest x and y: one pass over both. Nothing of an empty block is larger than -1."""
    largest_x, largest_y = np.int64(-1), np.int64(-1)
    for i in range(x.size):
        largest_x = max(largest_x, np.int64(x[i]))
        largest_y = max(largest_y, np.int64(y[i]))
    return largest_x, largest_y


def inside(columns: Columns, width: int, height: int) -> npt.NDArray[np.bool_]:
    """Which events lie on the sensor."""
    return (columns.x < width) & (columns.y < height)
