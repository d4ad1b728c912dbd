"""AEDAT 1.0 and 2.0 of jAER: an address of 16 or 32 bits and a time for each event, most significant byte first.

What the bits of an address mean depends on the camera. Two layouts are known here: that of the DVS128, and that of all
DAVIS cameras, whose files hold the samples of pictures and of motion sensors between the events. As in jAER, the
columns of events are counted from the right in the file, and rows from below. CIFAR10-DVS and MNIST-DVS are in this
form.

Sources: docs.inivation.com, "AEDAT 1.0" and "AEDAT 2.0"; jAER's classes DVS128, DavisChip and DavisBaseCamera, which
say what the description does not: DVS128 marks a rise of brightness by 0, and the columns of pictures are counted from
the left. Files of v2e mark noise by the bit of external inputs; such events keep their address, and stay events.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numba import njit

from spikelab.events.files import source
from spikelab.events.files.errors import Damage, EventFileError
from spikelab.events.files.source import Columns, EventFormat, EventSource, Frame, Opening, Triggers
from spikelab.events.formats.inivation import aedat
from spikelab.events.formats.inivation.davis_frames import FrameAssembler

_DVS128, _DAVIS = 0, 1
_RECORDS = {1: np.dtype([("address", ">u2"), ("t", ">u4")]), 2: np.dtype([("address", ">u4"), ("t", ">u4")])}

# addresses of a DAVIS
_SAMPLE = 0x80000000  # of a picture or of a motion sensor, not an event
_MOTION = 0x80000C00
_SPECIAL = 0x400
_FALLING = 2
# addresses of a DVS128: an edge on its input, or the second camera of a pair
_NO_EVENT_128 = 0x80008000


class Aedat2Source(EventSource):
    """A file of AEDAT 1.0 or 2.0.

    Args:
        path: of the file.
        stream: name of the camera, for files that do not say it.
    """

    def __init__(self, path: Path, stream: str | None = None):
        self.path, header = path, aedat.read_header(path)
        if header.version[0] not in _RECORDS:
            raise EventFileError(path, f"is AEDAT {'.'.join(map(str, header.version))}, neither 1.0 nor 2.0")
        self._begin, self._record = header.end, _RECORDS[header.version[0]]
        chip = header.field("AEChip")
        camera = stream or (chip or "").rsplit(".", 1)[-1] or self._camera_by_addresses()
        sides = aedat.sensor_size(camera)
        if sides is None or "208" in camera or "xplorer" in camera.lower() or "dvs640" in camera.lower():
            remedy = "" if chip else ", of which its header says nothing (AEChip)"
            raise EventFileError(
                path,
                f"addresses of the camera {camera!r}{remedy} are not known; name a camera with the same addresses with "
                "stream=, such as DVS128, DAVIS240C or DAVIS346",
            )
        self.width, self.height = sides
        self._layout = _DVS128 if sides == (128, 128) and "davis" not in camera.lower() else _DAVIS
        self._coloured = "cdavis" in camera.lower() or "rgb" in camera.lower()
        self.about = {
            "version": ".".join(map(str, header.version)),
            "camera": camera,
            "interface": header.field("HardwareInterface"),
            "date": header.field("created"),
        }

    def columns(self) -> Iterator[Columns]:
        """See `EventSource.columns`."""
        time = _Clock()
        for address, t, _ in self._records():
            block = Columns.empty(len(t))
            count = _decode(address, time.unwrapped(t), self._layout, self.width - 1, self.height - 1, *block)  # type: ignore[operator]
            yield block.taken(slice(count))

    def frames(self) -> Iterator[Frame]:
        """See `EventSource.frames`: brightness of each pixel, the sample at its reset minus that after the exposure."""
        self.notes = []
        if self._layout == _DVS128:
            return
        if self._coloured:
            raise EventFileError(self.path, f"pictures of the camera {self.about['camera']} are not read: its colours "
                                            "have their own order")  # fmt: skip
        assembler, time = FrameAssembler(self.width, self.height), _Clock()  # type: ignore[arg-type]
        try:
            for address, t, _ in self._records():
                times = time.unwrapped(t)
                samples = np.flatnonzero((address & _SAMPLE != 0) & (address & _MOTION != _MOTION))
                yield from assembler.push(address[samples], times[samples])
            yield from assembler.finish()
        finally:
            if assembler.incomplete:
                self.notes = [f"{assembler.incomplete} pictures of which samples are missing were left out"]

    def triggers(self) -> Iterator[Triggers]:
        """See `EventSource.triggers`."""
        time = _Clock()
        for address, t, _ in self._records():
            times = time.unwrapped(t)
            if self._layout == _DVS128:
                edges = address & _NO_EVENT_128 == 0x8000
                rising = np.ones(len(t), np.bool_)
            else:
                edges = _is_edge(address)
                rising = address & 0x3FF != _FALLING
            yield Triggers(times[edges], np.zeros(edges.sum(), np.uint8), rising[edges])

    def _records(self) -> Iterator[tuple[np.ndarray, np.ndarray, int]]:
        """Addresses and times in blocks, and at which byte each block begins."""
        with open(self.path, "rb") as file:
            offset = self._begin
            file.seek(offset)
            while len(records := np.fromfile(file, self._record, self._room(offset))):
                yield records["address"].astype(np.uint32), records["t"].astype(np.uint32), offset
                offset += records.nbytes
            rest = self.path.stat().st_size - offset
        if rest:
            raise Damage(f"the last event is cut short, {rest} of its {self._record.itemsize} bytes are there", offset)

    def _room(self, offset: int) -> int:
        """Records of the next block: no more room than there is in the file."""
        return max(min(source.BLOCK, (self.path.stat().st_size - offset) // self._record.itemsize), 0)

    def _camera_by_addresses(self) -> str:
        """DVS128 for files whose addresses all have 16 bits: those of other cameras have more but in one corner."""
        try:
            address = next(self._records(), (np.empty(0, np.uint32),))[0]
        except Damage:  # which reading tells
            address = np.empty(0, np.uint32)
        few = address & 0x7FFFFFFF < 0x10000
        return "DVS128" if self._record.itemsize == 6 or (len(address) and few.all()) else ""


class _Clock:
    """Times of 32 bits, made to go on where they run over."""

    def __init__(self) -> None:
        self._last: int | None = None

    def unwrapped(self, t: np.ndarray) -> np.ndarray:
        if not len(t):
            return t.astype(np.int64)
        first = int(t[0]) if self._last is None else self._last + _signed(int(t[0]) - self._last)
        times = np.empty(len(t), np.int64)
        times[0] = first
        np.cumsum(np.diff(t).view(np.int32), dtype=np.int64, out=times[1:])
        times[1:] += first
        self._last = int(times[-1])
        return times


def _signed(difference: int) -> int:
    return (difference + 0x80000000) % 0x100000000 - 0x80000000


def _is_edge(address: np.ndarray) -> np.ndarray:
    return (address & (_SAMPLE | _SPECIAL) == _SPECIAL) & (address < 0x1000)


@njit(cache=True, nogil=True)
def _decode(address, times, layout, last_x, last_y, t, x, y, p):
    count = 0
    for i in range(address.size):
        word = address[i]
        # written in any case, and counted only where it is an event: faster than a branch
        t[count] = times[i]
        if layout == 0:
            x[count] = np.uint16(last_x - np.int64((word >> 1) & 0x7F))
            y[count] = np.uint16(last_y - np.int64((word >> 8) & 0x7F))
            p[count] = (word & 1) ^ 1
            count += (word & 0x80008000) == 0
        else:
            x[count] = np.uint16(last_x - np.int64((word >> 12) & 0x3FF))
            y[count] = np.uint16(last_y - np.int64((word >> 22) & 0x1FF))
            p[count] = (word >> 11) & 1
            count += (word < 0x80000000) and not (word < 0x1000 and word & 0x400 != 0)
    return count


def _recognise(opening: Opening) -> bool:
    version = aedat.version(opening)
    return version is not None and version[0] in _RECORDS


AEDAT2 = EventFormat(
    title="AEDAT 1.0 or 2.0",
    suffixes=(".aedat", ".aedat2", ".dat"),
    recognise=_recognise,
    open=Aedat2Source,
    source="docs.inivation.com, AEDAT 1.0 and 2.0",
    open_ended=True,
)
