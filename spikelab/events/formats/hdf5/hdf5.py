"""The event files of spikelab: HDF5 that every library can read, with an index of time.

The root has the attributes ``format`` ("spikelab events", text of fixed length), ``version`` (1), ``width`` and
``height`` (pixels). The group ``events`` has the data sets ``x``, ``y`` (uint16), ``t`` (int64, microseconds) and ``p``
(uint8), sorted by time and compressed by gzip, which every HDF5 has. ``events/index`` holds the time of every 65536th
event, beginning with the first.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np

from spikelab.events.array import EventArray
from spikelab.events.check import COLUMNS
from spikelab.events.files.errors import EventFileError
from spikelab.events.files.source import Columns, EventFormat
from spikelab.events.formats.conversion import converted
from spikelab.events.formats.hdf5.hdf5_attributes import attribute
from spikelab.events.formats.hdf5.hdf5_source import Hdf5Source, dataset, fits, size_in, whole_number

MARK, VERSION = "spikelab events", 1
STEP = 1 << 16
"""Events between two entries of the index, and in a chunk: a chunk is what has to be decompressed at once."""


class SpikelabSource(Hdf5Source):
    """A file that spikelab wrote."""

    def find(self, stream: str | None) -> None:
        """See `Hdf5Source.find`."""
        if stream is not None:
            raise EventFileError(self.path, f"holds one camera only; leave out stream={stream}")
        version = whole_number(self.file, "version")
        if version != VERSION:
            raise EventFileError(
                self.path, f"is of version {version} of the format; this spikelab reads version {VERSION}: update it"
            )
        size = size_in(self.file)
        if size is None:
            raise EventFileError(self.path, "does not say how large the sensor is, so it is damaged; fetch it again")
        self.width, self.height = size
        group = self.file["events"]
        self.datasets = [dataset(self.path, group, name) for name in "xytp"]
        self.about = {"version": version}

    def decode(self, *parts: np.ndarray) -> tuple[Columns, str | None]:
        """See `Hdf5Source.decode`."""
        x, y, t, p = parts
        return converted(t, x, y, p, "us")

    def first_at(self, t_start: int) -> int:
        """See `Hdf5Source.first_at`."""
        entry = int(np.searchsorted(self.file["events/index"][:], t_start)) - 1
        return min(max(entry, 0) * STEP, len(self.datasets[0]))


def is_ours(file: h5py.File) -> bool:
    """Whether an open file is of this format."""
    return bool(attribute(file, "format") == MARK)


def write(path: Path, chunks: Iterator[EventArray], width: int, height: int) -> None:
    """Write events of one camera, in order, in bounded memory."""
    with h5py.File(path, "w") as file:
        file.attrs.update(format=np.bytes_(MARK), version=VERSION, width=width, height=height)
        columns = {name: growing(file, f"events/{name}", kind) for name, kind in COLUMNS.items()}
        index = growing(file, "events/index", np.int64, 1 << 10)
        for events in chunks:
            begin = len(columns["t"])
            for name, column in columns.items():
                append(column, getattr(events, name))
            append(index, events.t[-begin % STEP :: STEP])


def growing(
    file: h5py.File, name: str, kind: np.dtype | type, chunk: int = STEP, **compression: object
) -> h5py.Dataset:
    """An empty data set that can grow."""
    compression = compression or {"compression": "gzip", "compression_opts": 1, "shuffle": True}
    return file.create_dataset(name, (0,), kind, maxshape=(None,), chunks=(chunk,), **compression)


def append(column: h5py.Dataset, values: np.ndarray) -> None:
    """Put values behind those that are there."""
    begin = len(column)
    column.resize(begin + len(values), axis=0)
    column[begin:] = values


HDF5 = EventFormat(
    title="spikelab HDF5",
    suffixes=(".h5", ".hdf5"),
    recognise=lambda opening: fits(opening, is_ours),
    open=SpikelabSource,
    source="this module",
    write=write,
)
