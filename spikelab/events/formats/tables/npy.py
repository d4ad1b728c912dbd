"""A NumPy array of events: with fields t, x, y and p, or a table of four columns."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from spikelab.events.files.errors import EventFileError
from spikelab.events.files.source import EventFormat, Unit
from spikelab.events.formats.tables.array_source import ArraySource, Place
from spikelab.events.formats.tables.npy_stream import MAGIC


class NpySource(ArraySource):
    """An NPY file."""

    def __init__(self, path: Path, stream: str | None = None, unit: Unit | None = None):
        if stream is not None:
            raise EventFileError(path, f"holds one array only; leave out stream={stream}")
        super().__init__(path, unit=unit)

    def places(self) -> Mapping[str, Place]:
        """See `ArraySource.places`."""
        size = self.path.stat().st_size
        if not size:
            raise EventFileError(self.path, "is empty")
        return {"an array": Place(lambda: open(self.path, "rb"), size, 0, True)}


NPY = EventFormat(
    title="NumPy array (NPY)",
    suffixes=(".npy",),
    recognise=lambda opening: opening.head.startswith(MAGIC),
    open=NpySource,
    source="numpy.org, numpy.lib.format",
    takes_unit=True,
)
