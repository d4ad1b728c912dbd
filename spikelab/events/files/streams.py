"""Files of several cameras: which of them is meant."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from spikelab.events.files.errors import EventFileError


def chosen(path: Path, streams: Sequence[str], stream: str | None) -> str:
    """The stream that is meant: the only one, or the one that was named.

    Args:
        path: of the file.
        streams: that the file has.
        stream: that was asked for, or None.

    Raises:
        EventFileError: if there is none of this name, or several and none was named.
    """
    if stream is None and len(streams) == 1:
        return streams[0]
    if stream is not None and stream in streams:
        return stream
    asked = "" if stream is None else f"no stream {stream!r}, but "
    raise EventFileError(path, f"holds {asked}{', '.join(streams)}; name one with stream=")
