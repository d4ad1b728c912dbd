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

from spikelab.events.files import caer_packets
from spikelab.events.files.caer_packets import FRAME, HEADER_BYTES, POLARITY, SPECIAL, PacketHeader, Piece
from spikelab.events.files.errors import Damage, EventFileError
from spikelab.events.files.hdf5_source import FAULTS, dataset, faults_told, first_line, fits, open_hdf5
from spikelab.events.files.source import Columns, EventFormat, EventSource, Frame, Triggers

_TABLE = "dvs/data"
_ROWS = 128  # read at once: a chunk of the recorder, some 20 megabytes where all are pictures
_CAMERA, _WIDTH, _HEIGHT = "DAVIS346B", 346, 260  # of all recordings; what a picture says wins


class Ddd17Source(EventSource):
    """A recording of DDD17 or DDD20.

    Args:
        path: of the file.
        stream: must be None; such files hold one camera.
    """

    def __init__(self, path: Path, stream: str | None = None):
        if stream is not None:
            raise EventFileError(path, f"holds one camera only; leave out stream={stream}")
        self.path, self.file = path, open_hdf5(path)
        try:
            with faults_told(path):
                self._table = dataset(path, self.file["dvs"], "data", 2)
                if not _is_table(self._table):
                    raise EventFileError(path, f"{_TABLE} holds {self._table.shape}, not rows of three lists of bytes")
                signals = sorted(name for name in self.file if name != "dvs")
            self.about = {"camera": _CAMERA, "signals": signals}
            self.width, self.height = self._size_of_pictures() or (_WIDTH, _HEIGHT)
        except BaseException:
            self.close()
            raise

    def columns(self) -> Iterator[Columns]:
        """See `EventSource.columns`."""
        self.notes = []
        decoder = caer_packets.PolarityDecoder(mirror_x=self.width, mirror_y=self.height)
        yield from decoder.columns(self._pieces(POLARITY))
        if decoder.invalid:
            self.notes.append(f"{decoder.invalid} events that the file marks as invalid were left out")

    def frames(self) -> Iterator[Frame]:
        """See `EventSource.frames`."""
        return caer_packets.frames(self._pieces(FRAME), lambda image: image[::-1, ::-1])

    def triggers(self) -> Triggers:
        """See `EventSource.triggers`."""
        return caer_packets.triggers(self._pieces(SPECIAL))

    def close(self) -> None:
        """See `EventSource.close`."""
        with contextlib.suppress(*FAULTS):
            self.file.close()

    def _size_of_pictures(self) -> tuple[int, int] | None:
        """Width and height in pixels, of the first picture if there is one early on."""
        with contextlib.suppress(Damage):
            for piece in self._pieces(FRAME, rows=2 * _ROWS):
                for frame in caer_packets.frames([piece], np.asarray):
                    return frame.image.shape[1], frame.image.shape[0]
        return None

    def _pieces(self, kind: int, rows: int | None = None) -> Iterator[Piece]:
        """The packets of one kind."""
        for begin, end in self._written():
            if rows is not None and begin >= rows:
                return
            for number, (_, content, payload) in enumerate(self._read(begin, end), begin):
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

    def _written(self) -> Iterator[tuple[int, int]]:
        """Runs of rows that are in the file. A table may say that it has many more, which HDF5 gives as empty ones."""
        table, count = self._table, len(self._table)
        try:
            if table.chunks is None:
                high = table.id.get_storage_size() // (table.dtype.itemsize * table.shape[1])
                begins, high = [0] if high else [], min(high, count)
            else:
                found: set[int] = set()
                table.id.chunk_iter(lambda chunk: found.add(chunk.chunk_offset[0]))
                begins, high = sorted(found), table.chunks[0]
        except FAULTS as error:
            raise Damage(f"{_TABLE} cannot be read: {first_line(error)}", None) from None
        for begin in begins:
            for start in range(begin, min(begin + high, count), _ROWS):
                yield start, min(start + _ROWS, begin + high, count)

    def _read(self, begin: int, end: int) -> np.ndarray:
        try:
            return self._table[begin:end]
        except FAULTS as error:
            raise Damage(f"rows {begin} to {end - 1} of {_TABLE} cannot be read: {first_line(error)}", None) from None


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
