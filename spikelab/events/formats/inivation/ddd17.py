"""Raw recordings of DDD17 and DDD20: packets of libcaer as rows of a data set in HDF5, beside signals of the car.

The DAVIS stood on its head, so events and pictures are turned by 180 degrees. The last rows are empty, as the recorder
made room for more. Where the clock ran over, the headers of the packets count it; where it was set back in between,
`EventFile` says so.

Source: Binas et al., "DDD17: End-To-End DAVIS Driving Dataset", 2017; the recorder's modules ``datasets``, ``record``
and ``interfaces.caer`` in github.com/SensorsINI/ddd20-utils.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np

from spikelab.events.files.errors import Damage, EventFileError
from spikelab.events.files.source import Columns, EventFormat, EventSource, Frame, Triggers
from spikelab.events.formats.hdf5.hdf5_source import FAULTS, beyond_the_end, dataset, faults_told, fits, open_hdf5
from spikelab.events.formats.inivation import caer_packets
from spikelab.events.formats.inivation.caer_packets import FRAME, HEADER_BYTES, POLARITY, SPECIAL, PacketHeader, Piece
from spikelab.events.formats.inivation.hdf5_lists import ListTable

_TABLE = "dvs/data"
_EARLY = 256  # rows within which the first picture comes; there are some 30 packets between two
_CAMERA, _WIDTH, _HEIGHT = "DAVIS346B", 346, 260  # of all recordings; what a picture says wins


class Ddd17Source(EventSource):
    """A recording of DDD17 or DDD20.

    Args:
        path: of the file.
        stream: must be None; such files hold one camera.
    """

    stays_open = True

    def __init__(self, path: Path, stream: str | None = None):
        if stream is not None:
            raise EventFileError(path, f"holds one camera only; leave out stream={stream}")
        self.path, self.file = path, open_hdf5(path)
        try:
            with faults_told(path):
                table = dataset(path, self.file["dvs"], "data", 2)
                if not _is_table(table):
                    raise EventFileError(path, f"{_TABLE} is {table.shape}, not rows of three lists of bytes")
                self._rows = ListTable(path, table)
                signals = sorted(name for name in self.file if name != "dvs")
            self.about = {"camera": _CAMERA, "signals": signals}
            self.width, self.height = self._size_of_pictures() or (_WIDTH, _HEIGHT)
        except BaseException:
            self.close()
            raise

    def columns(self) -> Iterator[Columns]:
        """See `EventSource.columns`."""
        self.notes = beyond_the_end(self.path)
        decoder = caer_packets.PolarityDecoder(mirror_x=self.width, mirror_y=self.height)
        yield from decoder.columns(self._pieces(POLARITY))
        if decoder.invalid:
            self.notes.append(f"{decoder.invalid} events that the file marks as invalid were left out")

    def frames(self) -> Iterator[Frame]:
        """See `EventSource.frames`."""
        return caer_packets.frames(self._pieces(FRAME), lambda image: image[::-1, ::-1])

    def triggers(self) -> Iterator[Triggers]:
        """See `EventSource.triggers`."""
        return caer_packets.triggers(self._pieces(SPECIAL))

    def close(self) -> None:
        """See `EventSource.close`."""
        with contextlib.suppress(*FAULTS):
            self.file.close()

    def _size_of_pictures(self) -> tuple[int, int] | None:
        """Width and height in pixels, of the first picture if there is one early on."""
        with contextlib.suppress(Damage):
            for piece in self._pieces(FRAME, rows=_EARLY):
                for frame in caer_packets.frames([piece], np.asarray):
                    return frame.image.shape[1], frame.image.shape[0]
        return None

    def _pieces(self, kind: int, rows: int | None = None) -> Iterator[Piece]:
        """The packets of one kind."""
        for number, (_, content, payload) in self._rows.rows():
            if rows is not None and number >= rows:
                return
            if not len(content):
                continue
            try:
                if len(content) != HEADER_BYTES:
                    raise Damage("no header of a packet is here", None)
                header = PacketHeader.of(content.tobytes(), None)
            except Damage as damage:
                raise Damage(f"row {number} of {_TABLE}: {damage.reason}", None) from None
            if header.kind != kind:
                continue
            present = min(header.number, len(payload) // header.size)
            yield Piece(header, None, payload[: present * header.size])
            if present < header.number:
                lost = header.number - present if kind == POLARITY else None
                raise Damage(f"row {number} of {_TABLE} holds less than its header says", None, lost)


def _is_table(found: h5py.Dataset) -> bool:
    return found.ndim == 2 and found.shape[1] == 3 and h5py.check_vlen_dtype(found.dtype) == np.uint8


def _fitting(file: h5py.File) -> bool:
    return _TABLE in file and isinstance(file[_TABLE], h5py.Dataset) and _is_table(file[_TABLE])


DDD17 = EventFormat(
    title="raw DDD17 or DDD20",
    suffixes=(".hdf5",),
    recognise=lambda opening: fits(opening, _fitting),
    open=Ddd17Source,
    source="Binas et al. 2017; github.com/SensorsINI/ddd20-utils",
)
