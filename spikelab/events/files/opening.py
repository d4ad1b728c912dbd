"""Opening an event file: its format is found out by what is in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from spikelab import registry
from spikelab.events.array import EventArray
from spikelab.events.files.errors import EventFileError
from spikelab.events.files.event_file import EventFile
from spikelab.events.files.source import EventFormat, Opening


def open_events(path: str | Path, *, format: str | None = None, stream: str | None = None, **options: Any) -> EventFile:
    """Open an event file of any known format.

    Args:
        path: of the file, or of the folder for formats that are folders.
        format: its name, a key of the table ``event_formats``; None finds out from the content, never from the name.
        stream: one of several cameras or topics, where a file has them.
        options: `size`, `damaged`, `disorder`, `resets` and `outside` of `EventFile`.

    Returns:
        The open file, a context manager.

    Raises:
        FileNotFoundError: if there is no such file.
        EventFileError: if the format is not recognised, or the header is damaged.
        UnknownNameError: if there is no format of this name.
    """
    place = Path(path).expanduser()
    if not place.exists():
        raise FileNotFoundError(f"{place}: no such file")
    name = recognise(place) if format is None else format
    found: EventFormat = registry.load("event_formats", name)
    source = found.open(place, stream)
    try:
        return EventFile(place, name, source, **options)
    except BaseException:
        source.close()
        raise


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
    known = ", ".join(formats[name].title for name in names)
    raise EventFileError(path, f"is no event file of a known format ({known}); name one with format=")
