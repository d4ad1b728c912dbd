"""HDF5 of MVSEC: a table of x, y, seconds and polarity for each of two DAVIS cameras, and their pictures.

Times are seconds since 1970 as double-precision numbers, whose steps are then a quarter of a microsecond: rounding them
to microseconds loses nothing that the camera measured.

Source: daniilidis-group.github.io/mvsec, "Data format".
"""

from __future__ import annotations

from collections.abc import Iterator

import h5py
import numpy as np

from spikelab.events.files.errors import Damage, EventFileError
from spikelab.events.files.event_file import LATE
from spikelab.events.files.source import Columns, EventFormat, Frame
from spikelab.events.files.streams import chosen
from spikelab.events.formats.conversion import converted
from spikelab.events.formats.hdf5.hdf5_source import FAULTS, Hdf5Source, dataset, first_line, fits, stored_rows

DAVIS346 = 346, 260
"""Width and height of the cameras of MVSEC in pixels, for files without pictures that would tell."""


class MvsecSource(Hdf5Source):
    """The left or the right camera."""

    def find(self, stream: str | None) -> None:
        """See `Hdf5Source.find`."""
        sides = [side for side in self.file["davis"] if "events" in self.file["davis"][side]]
        self.camera = self.file["davis"][chosen(self.path, sides, stream)]
        table = dataset(self.path, self.camera, "events", 2)
        if table.shape[1] != 4 or table.dtype.kind != "f" or table.dtype.itemsize != 8:
            raise EventFileError(self.path, f"{table.name} is {table.dtype} of shape {table.shape}, not (N, 4) float64")
        self.datasets = [table]
        self.width, self.height = DAVIS346
        if "image_raw" in self.camera and self.camera["image_raw"].ndim == 3:
            _, self.height, self.width = self.camera["image_raw"].shape
        self.about = {"camera": self.camera.name}

    def decode(self, *parts: np.ndarray) -> tuple[Columns, str | None]:
        """See `Hdf5Source.decode`."""
        x, y, t, p = np.ascontiguousarray(parts[0].T)
        return converted(t, x, y, p, "s")

    def first_at(self, t_start: int) -> int:
        """See `Hdf5Source.first_at`. There is no index; but rows are in order, but for some that come a little late."""
        table = self.datasets[0]
        wanted = (t_start - LATE) / 1e6
        low, high = 0, stored_rows(table)
        while low < high:
            middle = (low + high) // 2
            if table[middle, 2] < wanted:
                low = middle + 1
            else:
                high = middle
        return low

    def frames(self) -> Iterator[Frame]:
        """See `EventSource.frames`.

        Raises:
            Damage: at a picture that cannot be read.
        """
        if "image_raw" not in self.camera:
            return
        try:
            images = dataset(self.path, self.camera, "image_raw", 3)
            times = self.camera["image_raw_ts"][:]
        except FAULTS as error:
            raise Damage(f"the times of the pictures cannot be read: {first_line(error)}", None) from None
        if len(times) != len(images):
            raise Damage(f"{len(images)} pictures have {len(times)} times", None)
        for number in np.argsort(times, kind="stable"):
            try:
                image = images[number]
            except FAULTS as error:
                raise Damage(f"picture {number} cannot be read: {first_line(error)}", None) from None
            yield Frame(image, round(float(times[number]) * 1e6))


def _fitting(file: h5py.File) -> bool:
    return "davis" in file and any("events" in file["davis"][side] for side in file["davis"])


MVSEC_HDF5 = EventFormat(
    title="MVSEC HDF5",
    suffixes=(".hdf5",),
    recognise=lambda opening: fits(opening, _fitting),
    open=MvsecSource,
    source="daniilidis-group.github.io/mvsec",
)
