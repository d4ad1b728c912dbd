"""Writing event files: whole or not at all, in bounded memory where the format allows it."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path

from spikelab import registry
from spikelab.events.array import EventArray
from spikelab.events.files.event_file import EventFile
from spikelab.events.files.source import EventFormat


def write_events(
    path: str | Path, events: EventArray | EventFile | Iterable[EventArray], *, format: str = "hdf5"
) -> None:
    """Write events to a file of a format.

    The file grows under a temporary name in the same folder and takes its place at the end, so a reader never sees half
    a file, and a failed write leaves an older file as it was.

    Args:
        path: of the file, exactly as it is spelled.
        events: all at once, in parts that follow each other in time, or an open event file. Parts are never held all
            together, except for ``npz``.
        format: name of a format that can be written: ``hdf5`` (spikelab's own), ``dsec_hdf5`` or ``npz``.

    Raises:
        OSError: if the folder is missing, not writable, or the disk is full.
        ValueError: if the format cannot be written or cannot hold the events, the parts overlap in time or differ in
            size, or there are no parts.
        UnknownNameError: if there is no format of this name.
    """
    found: EventFormat = registry.load("event_formats", format)
    if found.write is None:
        able = [name for name in registry.names("event_formats") if registry.load("event_formats", name).write]
        raise ValueError(f"format {format} is only read; {', '.join(able)} can be written")
    parts = iter([events] if isinstance(events, EventArray) else events)
    first = next(parts, None)
    if first is not None:
        width, height = first.width, first.height
    elif isinstance(events, EventFile) and events.size is not None:
        height, width = events.size
    else:
        raise ValueError(
            f"{path}: no events, so the size of the sensor is unknown; give EventArray.empty(width, height)"
        )
    place = Path(path).expanduser()
    temporary = place.with_name(f".{place.name}.{os.getpid()}.{secrets.token_hex(4)}.part")
    try:
        # made here, so that a missing folder and a full disk are the errors of the system
        temporary.touch(exist_ok=False)
        found.write(temporary, _following(path, first, parts, width, height), width, height)
        with open(temporary, "rb") as written:
            os.fsync(written.fileno())
        os.replace(temporary, place)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise type(error)(error.errno, f"event file not written: {error.strerror or error}", str(place)) from None
        raise


def _following(
    path: str | Path, first: EventArray | None, parts: Iterator[EventArray], width: int, height: int
) -> Iterator[EventArray]:
    """The parts, if they have one size and follow each other."""
    last: int | None = None
    number = 0
    part = first
    while part is not None:
        if (part.width, part.height) != (width, height):
            raise ValueError(
                f"{path}: part {number} has a frame of {part.width}x{part.height}, part 0 of {width}x{height}"
            )
        if len(part):
            if last is not None and part.t[0] < last:
                raise ValueError(
                    f"{path}: part {number} begins at {part.t[0]} us, before the end of the last, {last} us"
                )
            last = int(part.t[-1])
        yield part
        number, part = number + 1, next(parts, None)
