"""AEDAT 3.0 and 3.1: packets of events, of pictures and of edges on inputs, as cAER writes them.

DVS128 Gesture is in this form. Samples of motion sensors are passed over.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from spikelab.events.files import source
from spikelab.events.files.errors import Damage, EventFileError
from spikelab.events.files.source import Columns, EventFormat, EventSource, Frame, Opening, Triggers
from spikelab.events.formats.inivation import aedat, caer_packets
from spikelab.events.formats.inivation.caer_packets import FRAME, HEADER_BYTES, POLARITY, SPECIAL, PacketHeader, Piece


class Aedat3Source(EventSource):
    """A file of AEDAT 3.

    Args:
        path: of the file.
        stream: number of one of several cameras.
    """

    def __init__(self, path: Path, stream: str | None = None):
        self.path, header = path, aedat.read_header(path)
        if header.version[0] != 3:
            raise EventFileError(path, f"is AEDAT {'.'.join(map(str, header.version))}, not AEDAT 3")
        if header.version > (3, 0) and not header.closed:
            raise EventFileError(path, "its header has no end (#!END-HEADER); it is cut short", header.end)
        form = header.field("Format") or "RAW"
        if form.upper() != "RAW":
            raise EventFileError(path, f"its packets are in the format {form}, of which only RAW is read; "
                                       "write it anew with the format RAW")  # fmt: skip
        self._begin = header.end
        cameras = {}
        for line in header.lines:
            if match := re.fullmatch(r"Source (\d+):\s*(.*)", line):
                cameras[match[1]] = match[2]
        self._only = _chosen(path, cameras, stream)
        camera = cameras.get(stream or next(iter(cameras), ""), "")
        self.about = {"version": f"3.{header.version[1]}", "camera": camera, "date": header.field("Start-Time")}
        if sides := aedat.sensor_size(camera):
            self.width, self.height = sides
        # rows count from below in version 3.0, from above later
        self._upwards = header.version == (3, 0)

    def columns(self) -> Iterator[Columns]:
        """See `EventSource.columns`."""
        self.notes = []
        decoder = caer_packets.PolarityDecoder(mirror_y=self.height if self._upwards else None)
        yield from decoder.columns(self._pieces(POLARITY))
        if decoder.invalid:
            self.notes.append(f"{decoder.invalid} events that the file marks as invalid were left out")
        if self._upwards and self.height is None:
            self.notes.append(f"rows count from below, as nobody knows the height of the camera {self.about['camera']}")

    def frames(self) -> Iterator[Frame]:
        """See `EventSource.frames`."""
        return caer_packets.frames(self._pieces(FRAME), np.flipud if self._upwards else np.asarray)

    def triggers(self) -> Iterator[Triggers]:
        """See `EventSource.triggers`."""
        return caer_packets.triggers(self._pieces(SPECIAL))

    def _pieces(self, kind: int) -> Iterator[Piece]:
        """The packets of one kind, in pieces of a bounded size."""
        size = self.path.stat().st_size
        with open(self.path, "rb") as file:
            at = self._begin
            while at < size:
                file.seek(at)
                content = file.read(HEADER_BYTES)
                if len(content) < HEADER_BYTES:
                    raise Damage("the file ends within the header of a packet", at)
                header = PacketHeader.of(content, at)
                at += HEADER_BYTES
                room = _room(file, header, at, size)
                present = min(header.number, (size - at) // header.size)
                if header.kind == kind and (self._only is None or header.source == self._only):
                    yield from _read(file, header, at, present)
                if at + room > size:
                    lost = header.number - present if kind == POLARITY == header.kind else None
                    raise Damage("the file ends within a packet", at + present * header.size, lost)
                at += room


def _room(file: BinaryIO, header: PacketHeader, at: int, size: int) -> int:
    """Bytes of the events of a packet. Some programs write all that there is room for, others what is used."""
    if header.capacity > header.number:
        end = at + header.capacity * header.size
        if end == size:
            return end - at
        if end < size:
            file.seek(end)
            with contextlib.suppress(Damage):  # then no packet begins there
                PacketHeader.of(file.read(HEADER_BYTES).ljust(HEADER_BYTES, b"\xff"), end)
                return end - at
    return header.number * header.size


def _read(file: BinaryIO, header: PacketHeader, at: int, number: int) -> Iterator[Piece]:
    file.seek(at)
    most = max(1, source.BLOCK * 8 // header.size)
    while number:
        some = min(number, most)
        yield Piece(header, at, np.frombuffer(file.read(some * header.size), np.uint8))
        number -= some
        at += some * header.size


def _chosen(path: Path, cameras: dict[str, str], stream: str | None) -> int | None:
    if stream is None and len(cameras) < 2:
        return None
    if stream not in cameras:
        known = ", ".join(f"{number} ({camera})" for number, camera in cameras.items())
        raise EventFileError(path, f"holds the cameras {known or 'of no name'}; name one with stream=NUMBER")
    return int(stream)


def _recognise(opening: Opening) -> bool:
    version = aedat.version(opening)
    return version is not None and version[0] == 3


AEDAT3 = EventFormat(
    title="AEDAT 3",
    suffixes=(".aedat", ".aedat3"),
    recognise=_recognise,
    open=Aedat3Source,
    source="docs.inivation.com, AEDAT 3.0 and 3.1",
    open_ended=True,
)
