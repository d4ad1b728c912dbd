"""The part of a recording that a command is asked for: what lies between `--start` and `--stop`."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import numpy as np

from spikelab.events import EventArray
from spikelab.events.files import EventFile
from spikelab.settings_events import DataConvert, DataPlay


def between(settings: DataConvert | DataPlay, first: int) -> tuple[int, int | None]:
    """Start and stop in microseconds of a file's clock; no start before the first event, no stop where none is given.

    Args:
        settings: of the command.
        first: time of the first event in microseconds.
    """
    zero = first if settings.relative else 0
    start = first if settings.start is None else max(first, zero + round(settings.start * 1e6))
    return start, None if settings.stop is None else zero + round(settings.stop * 1e6)


def nothing_between(settings: DataConvert | DataPlay, path: Path, first: int, last: int) -> ValueError:
    """The error where no part of a recording that lasts from a first to a last event is asked for (microseconds)."""
    given = [("start", settings.start), ("stop", settings.stop)]
    asked = " ".join(f"--{name} {value}" for name, value in given if value is not None)
    if settings.relative:
        lasts = f"ends {(last - first) / 1e6:.6f} s after its first event"
    else:
        lasts = (
            f"lasts from {first / 1e6:.6f} s to {last / 1e6:.6f} s on its own clock; with --relative true, times count "
            "from its first event"
        )
    return ValueError(f"{path}: no part of the recording is within {asked}: it {lasts}")


def part(file: EventFile, settings: DataConvert | DataPlay) -> tuple[Iterator[EventArray], int | None, int | None]:
    """The chunks of a file, cut at the times of a command, and these times; the file is gone through once.

    Returns:
        The chunks; the start and the stop in microseconds, as `between`; of a file without events, None.

    Raises:
        EventFileError: If the file cannot be read as its options say.
        ValueError: When the chunks end, if no part of the recording is between the times.
    """
    chunks = (events for events in file if len(events))
    first = next(chunks, None)
    if first is None:
        size = file.size
        return iter(() if size is None else (EventArray.empty(size[1], size[0]),)), None, None
    begin = int(first.t[0])
    start, stop = between(settings, begin)

    def cut() -> Iterator[EventArray]:
        found, last = False, begin
        for events in chain([first], chunks):
            last = int(events.t[-1])
            if last < start or (stop is not None and stop <= begin):
                continue
            found = True
            low = int(np.searchsorted(events.t, start))
            high = len(events) if stop is None else int(np.searchsorted(events.t, stop))
            yield events[low:high]
            if stop is not None and last >= stop:
                break
        if not found:
            raise nothing_between(settings, file.path, begin, last)

    return cut(), start, stop
