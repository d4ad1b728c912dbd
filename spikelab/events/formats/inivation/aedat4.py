"""AEDAT 4 of iniVation's DV: streams of events, pictures and triggers of one or several cameras, often compressed.

Times are microseconds since 1970. Samples of motion sensors are passed over.

Sources: docs.inivation.com, "AEDAT 4.0"; the schemas ``EventPacket``, ``Frame`` and ``TriggerPacket`` of dv-processing.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from spikelab.events.files import source
from spikelab.events.files.errors import Damage, EventFileError
from spikelab.events.files.source import Columns, EventFormat, EventSource, Frame, Opening, Triggers
from spikelab.events.formats.inivation import aedat
from spikelab.events.formats.inivation.aedat4_packets import NO_FLATBUFFER, Shell, Stream, scalar, tables, vector

_METHODS = {0: "none", 1: "lz4", 2: "lz4", 3: "zstd", 4: "zstd"}
_EVENT = np.dtype(
    {"names": ["t", "x", "y", "p"], "formats": ["<i8", "<u2", "<u2", "u1"], "offsets": [0, 8, 10, 12], "itemsize": 16}
)
_ELEMENTS = 4  # the only field of packets of events and of triggers
# fields of a picture, and its formats: those of OpenCV, bytes of a value and values of a pixel
_TIME, _EXPOSURE_BEGIN, _EXPOSURE_END, _FORMAT, _WIDTH, _HEIGHT, _PIXELS, _EXPOSURE = 4, 10, 12, 14, 16, 18, 24, 26
_FORMATS = {0: (1, 1), 2: (2, 1), 16: (1, 3), 18: (2, 3), 24: (1, 4), 26: (2, 4)}
# kinds of triggers that are edges on an input; a pulse begins with a rise
_RISES = {1: True, 2: False, 3: True}


class Aedat4Source(EventSource):
    """A file of AEDAT 4.

    Args:
        path: of the file.
        stream: name of a camera, or number or name of a stream of events, where there are several.
    """

    def __init__(self, path: Path, stream: str | None = None):
        self._shell = Shell.of(path)
        self._events = _chosen(path, list(self._shell.streams.values()), stream)
        if self._events.size is not None:
            self.width, self.height = self._events.size
        self.about = {
            "camera": self._events.camera,
            "compression": _METHODS[self._shell.compression],
            "streams": [f"{each.number}: {each.kind} {each.camera}" for each in self._shell.streams.values()],
        }

    def columns(self) -> Iterator[Columns]:
        """See `EventSource.columns`."""
        return self._blocks(None)

    def before(self, t_start: int) -> Iterator[Columns]:
        """See `EventSource.before`; by the table of packets, where there is one and it is right."""
        places = [place for place in self._shell.places() if place.number == self._events.number]
        ends = np.array([place.t_end for place in places], np.int64)
        first = int(np.searchsorted(ends, t_start))
        if first == 0 or (np.diff(ends) < 0).any():
            return self._blocks(None)
        # not every program fills in the times of its table: try the last packet that would be left out
        try:
            last = next(self._packets(places[first - 1].offset))["t"][-1]
        except (Damage, IndexError, StopIteration):
            return self._blocks(None)
        return self._blocks(places[first - 1].offset if last == ends[first - 1] else None)

    def frames(self) -> Iterator[Frame]:
        """See `EventSource.frames`."""
        stream = self._beside("FRME")
        if stream is None:
            return
        for table, content, at in self._shell.packets(stream.number):
            try:
                yield _frame(table, content)
            except NO_FLATBUFFER as error:
                raise Damage(f"a picture makes no sense ({error})", at) from None

    def triggers(self) -> Iterator[Triggers]:
        """See `EventSource.triggers`."""
        stream = self._beside("TRIG")
        if stream is None:
            return
        for table, _, at in self._shell.packets(stream.number):
            found = []
            try:
                for entry in tables(table, _ELEMENTS):
                    kind = scalar(entry, 6, "Int8", 0)
                    if kind in _RISES:
                        found.append((scalar(entry, 4, "Int64", 0), _RISES[kind]))
            except NO_FLATBUFFER as error:
                raise Damage(f"a packet of triggers makes no sense ({error})", at) from None
            t, rising = zip(*found, strict=True) if found else ((), ())
            yield Triggers(np.array(t, np.int64), np.zeros(len(t), np.uint8), np.array(rising, np.bool_))

    def _blocks(self, begin: int | None) -> Iterator[Columns]:
        self.notes = []
        if self._shell.table < 0:
            self.notes.append("it has no table of its packets: its recording was interrupted, or is still going on")
        if joined := self._shell.joined():
            self.notes.append(f"byte {joined}: another file follows, and was not read; were two files joined?")
        waiting: list[np.ndarray] = []
        room = source.BLOCK
        try:
            for events in self._packets(begin):
                for first in range(0, len(events), source.BLOCK):
                    waiting.append(events[first : first + source.BLOCK])
                    room -= len(waiting[-1])
                    if room <= 0:
                        yield _columns(waiting)
                        waiting, room = [], source.BLOCK
        except Damage:
            yield _columns(waiting)
            raise
        yield _columns(waiting)

    def _packets(self, begin: int | None) -> Iterator[np.ndarray]:
        """The events of each packet, from one that begins at a byte."""
        for table, content, at in self._shell.packets(self._events.number, begin):
            try:
                start, count = vector(table, _ELEMENTS, _EVENT.itemsize)
            except NO_FLATBUFFER as error:
                raise Damage(f"a packet of events makes no sense ({error})", at) from None
            yield np.frombuffer(content, _EVENT, count, start)

    def _beside(self, kind: str) -> Stream | None:
        """The first stream of a kind that comes from the camera of the events."""
        for stream in self._shell.streams.values():
            if stream.kind == kind and stream.camera == self._events.camera:
                return stream
        return None


def _columns(events: list[np.ndarray]) -> Columns:
    if not events:
        return Columns.empty(0)
    joined = np.concatenate(events)
    return Columns(*(np.ascontiguousarray(joined[name]) for name in ("t", "x", "y", "p")))


def _frame(table: Any, content: bytes) -> Frame:
    kind, width, height = (
        scalar(table, _FORMAT, "Int8", 0), scalar(table, _WIDTH, "Int16", 0), scalar(table, _HEIGHT, "Int16", 0)
    )  # fmt: skip
    begin, count = vector(table, _PIXELS, 1)
    if kind not in _FORMATS:
        raise ValueError(f"pixels of format {kind}")
    size, values = _FORMATS[kind]
    if width < 0 or height < 0 or count != width * height * values * size:
        raise ValueError(f"{count} bytes for {width} x {height} pixels of {values * size} bytes")
    pixels = np.frombuffer(content, f"<u{size}", count // size, begin)
    # blue, green, red in the file
    image = pixels.reshape(height, width) if values == 1 else pixels.reshape(height, width, values)[..., 2::-1]
    t, exposure = scalar(table, _TIME, "Int64", 0), scalar(table, _EXPOSURE, "Int64", 0)
    start, end = scalar(table, _EXPOSURE_BEGIN, "Int64", -1), scalar(table, _EXPOSURE_END, "Int64", -1)
    if exposure > 0:  # newer files say how long, around the time of the picture
        start, end = t - exposure // 2, t - exposure // 2 + exposure
    known = 0 <= start <= end and (start, end) != (0, 0)
    return Frame(np.ascontiguousarray(image), t, (start, end) if known else None)


def _chosen(path: Path, streams: list[Stream], stream: str | None) -> Stream:
    events = [each for each in streams if each.kind == "EVTS"]
    if not events:
        raise EventFileError(path, f"holds no events, but {', '.join(each.kind for each in streams) or 'no streams'}")
    meant = [each for each in events if stream is None or stream in (str(each.number), each.camera, each.name)]
    if len(meant) != 1:
        known = ", ".join(f"{each.number} ({each.name} of {each.camera or 'no camera'})" for each in events)
        raise EventFileError(path, f"holds the streams of events {known}; name one with stream=, by its number")
    return meant[0]


def _recognise(opening: Opening) -> bool:
    version = aedat.version(opening)
    return version is not None and version[0] == 4


AEDAT4 = EventFormat(
    title="AEDAT 4",
    suffixes=(".aedat4",),
    recognise=_recognise,
    open=Aedat4Source,
    source="docs.inivation.com, AEDAT 4.0",
    open_ended=True,
)
