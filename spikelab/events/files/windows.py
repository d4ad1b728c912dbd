"""A stream of events cut into windows of time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from spikelab.events.array import EventArray
from spikelab.events.check import microseconds


def windows(
    chunks: Iterable[EventArray], duration: int, t_start: int | None = None, t_end: int | None = None
) -> Iterator[tuple[int, EventArray]]:
    """Cut events that come in chunks into windows that follow each other without a gap; empty ones too.

    Args:
        chunks: events in the order of time, such as an `EventFile`.
        duration: of a window in microseconds.
        t_start: start of the first window in microseconds; None takes the first event's time.
        t_end: no window begins from here on; None ends with the last event.

    Yields:
        The window's start in microseconds, and its events.

    Raises:
        ValueError: if `duration` is below 1.
    """
    if microseconds("duration", duration) < 1:
        raise ValueError(f"duration = {duration} us must be at least 1")
    begin = t_start
    parts: list[EventArray] = []
    for events in chunks:
        if begin is None:
            if not len(events):
                continue
            begin = int(events.t[0])
        while len(events) and int(events.t[-1]) >= begin + duration:
            if t_end is not None and begin >= t_end:
                return
            yield begin, EventArray.concatenate([*parts, events.between(begin, begin + duration)])
            begin, parts = begin + duration, []
        if len(events):
            parts.append(events[int(np.searchsorted(events.t, begin)) :])
    if begin is not None and parts and (t_end is None or begin < t_end):
        yield begin, EventArray.concatenate(parts)
