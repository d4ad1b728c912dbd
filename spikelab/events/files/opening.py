"""Opening an event file: its format is found out by what is in it."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any, get_args

from spikelab import registry
from spikelab.events.array import EventArray
from spikelab.events.files.errors import EventFileError, UnknownFormatError
from spikelab.events.files.event_file import EventFile
from spikelab.events.files.source import EventFormat, EventSource, Opening, Unit


def open_events(
    path: str | Path,
    *,
    format: str | None = None,
    stream: str | None = None,
    unit: Unit | None = None,
    **options: Any,
) -> EventFile:
    """Open an event file of any known format.

    Args:
        path: of the file, or of the folder for formats that are folders.
        format: its name, a key of the table ``event_formats``; None finds out from the content, never from the name.
        stream: one of several cameras or topics, where a file has them.
        unit: of time, for tables that name none: s, ms, us or ns. None takes times with fractions for seconds, whole
            ones for microseconds, and those too large for that for nanoseconds, with a warning where that makes a
            recording longer than a day, or of fewer than 10 or more than 2e9 events a second.
        options: `size`, `damaged`, `disorder`, `resets` and `outside` of `EventFile`.

    Returns:
        The open file, a context manager.

    Raises:
        FileNotFoundError: if there is no such file.
        EventFileError: if the format is not recognised, the header is damaged, or a unit is given for a file that has
            one.
        UnknownNameError: if there is no format of this name.
        ValueError: if an option has an unknown value.
    """
    if unit is not None and unit not in get_args(Unit):
        raise ValueError(f"unit is {unit!r}, must be one of {', '.join(get_args(Unit))}")
    place = Path(path).expanduser()
    if not place.exists():
        raise FileNotFoundError(f"{place}: no such file")
    name = recognise(place) if format is None else format
    return EventFile(place, name, functools.partial(_opened, place, name, stream, unit), **options)


def _opened(place: Path, name: str, stream: str | None, unit: Unit | None) -> EventSource:
    found: EventFormat = registry.load("event_formats", name)
    if found.takes_unit:
        return found.open(place, stream, unit)
    if unit is not None:
        raise EventFileError(place, f"has times in the unit of its format, {found.title}; leave out unit={unit}")
    return found.open(place, stream)


def read_events(path: str | Path, **options: Any) -> EventArray:
    """All events of a file of any known format; see `open_events`."""
    with open_events(path, **options) as file:
        return file.read()


def recognise(path: str | Path) -> str:
    """Name of the format of a file, by its content.

    Raises:
        EventFileError: if it is of no known format.
    """
    opening = Opening(Path(path))
    names = registry.names("event_formats")
    formats: dict[str, EventFormat] = {name: registry.load("event_formats", name) for name in names}
    # those without a mark of their own come last
    for name in sorted(formats, key=lambda name: not formats[name].sure):
        if formats[name].recognise(opening):
            return name
    if not opening.path.is_dir() and not opening.size:
        raise EventFileError(path, "is empty")
    unknown = "is no event file of a known format"
    if opening.path.is_dir():
        raise UnknownFormatError(
            path,
            f"is a folder, and {unknown} (only bags of ROS 2 are folders); name a file in it, or look through all of "
            "it: `spikelab data check FOLDER`",
        )
    for each in formats.values():
        if each.complaint is not None and (complaint := each.complaint(opening)):
            raise EventFileError(path, f"{unknown}: {complaint}")
    known = ", ".join(f"{name} ({formats[name].title})" for name in names)
    raise UnknownFormatError(path, f"{unknown}. If it is of one of these, name it with format=NAME: {known}")
