"""HDF5 of the reconstruction networks after E2VID: events/xs, ys, ts, ps, and images with their times.

Times are seconds. The root says ``sensor_resolution``: height and width.

Source: github.com/TimoStoff/event_cnn_minimal, README, "Training data", and files of its data sets.
"""

from __future__ import annotations

from collections.abc import Iterator

import h5py
import numpy as np

from spikelab.events.files.errors import Damage, EventFileError
from spikelab.events.files.source import Columns, EventFormat, Frame
from spikelab.events.formats.conversion import converted
from spikelab.events.formats.hdf5.hdf5_attributes import attribute, numbers
from spikelab.events.formats.hdf5.hdf5_source import FAULTS, Hdf5Source, dataset, first_line, fits, sides

_NAMES = ("xs", "ys", "ts", "ps")


class E2vidSource(Hdf5Source):
    """A file with columns in seconds."""

    def find(self, stream: str | None) -> None:
        """See `Hdf5Source.find`."""
        if stream is not None:
            raise EventFileError(self.path, f"holds one camera only; leave out stream={stream}")
        self.datasets = [dataset(self.path, self.file["events"], name) for name in _NAMES]
        if self.datasets[2].dtype.kind != "f":
            raise EventFileError(self.path, f"events/ts holds {self.datasets[2].dtype}, not seconds as fractions")
        size = sides(np.ravel(attribute(self.file, "sensor_resolution"))[:2])
        if size is not None:
            self.height, self.width = size
        self.about = numbers(self.file)

    def decode(self, *parts: np.ndarray) -> tuple[Columns, str | None]:
        """See `Hdf5Source.decode`."""
        x, y, t, p = parts
        return converted(t, x, y, p, "s")

    def frames(self) -> Iterator[Frame]:
        """See `EventSource.frames`.

        Raises:
            Damage: at a picture that cannot be read.
        """
        try:
            pictures = self.file["images"]
            named = sorted((float(attribute(pictures[name], "timestamp")), name) for name in pictures)
        except FAULTS as error:
            if "images" not in self.file:
                return
            raise Damage(f"the times of the pictures cannot be read: {first_line(error)}", None) from None
        for seconds, name in named:
            try:
                image = pictures[name][()]
            except FAULTS as error:
                raise Damage(f"picture {name} cannot be read: {first_line(error)}", None) from None
            if image.dtype.kind not in "ui" or image.ndim not in (2, 3) or not np.isfinite(seconds):
                raise Damage(f"picture {name} is no picture: {image.dtype} of shape {image.shape}", None)
            yield Frame(image.squeeze(), round(seconds * 1e6))


def _fitting(file: h5py.File) -> bool:
    return "events" in file and set(_NAMES) <= set(file["events"])


E2VID_HDF5 = EventFormat(
    title="HDF5 with xs, ys, ts, ps (E2VID)",
    suffixes=(".h5",),
    recognise=lambda opening: fits(opening, _fitting),
    open=E2vidSource,
    source="github.com/TimoStoff/event_cnn_minimal",
)
