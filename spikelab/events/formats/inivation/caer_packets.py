"""Packets of events as libcaer keeps them, in AEDAT 3 files and in the recordings of DDD17 and DDD20.

A packet has a header of 28 bytes and events of one kind, all of one size. Times have 31 bits; the header counts how
often they have run over.

Source: docs.inivation.com, "AEDAT 3.1".
"""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numba import njit

from spikelab.events.files import source
from spikelab.events.files.errors import Damage
from spikelab.events.files.source import Columns, Frame, Triggers

SPECIAL, POLARITY, FRAME = 0, 1, 2
"""Kinds of events that are read; those of motion sensors, ears and trackers are passed over."""

_HEADER = struct.Struct("<hhiiiiii")
HEADER_BYTES = _HEADER.size

_PIXEL_FIELDS = struct.Struct("<Iiiiiiiii")  # before the pixels of a picture
_LAST_KIND, _USERS_KIND = 13, 100
_SMALLEST = {SPECIAL: 8, POLARITY: 8, FRAME: _PIXEL_FIELDS.size}

# kinds of special events that are edges on an input: its channel, and whether it rises; a pulse begins with a rise
_EDGES = {2: (0, True), 3: (0, False), 4: (0, True), 6: (1, True), 7: (1, False), 8: (1, True), 9: (2, True),
          10: (2, False), 11: (2, True)}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class PacketHeader:
    """The fields of a header.

    Attributes:
        kind: of the events.
        source: number of the camera or module they come from.
        size: bytes of each event.
        overflow: how often the times had run over.
        capacity: events that there is room for.
        number: events that are there.
    """

    kind: int
    source: int
    size: int
    overflow: int
    capacity: int
    number: int

    @classmethod
    def of(cls, content: bytes, at: int | None) -> PacketHeader:
        """From 28 bytes.

        Raises:
            Damage: if they are no header; `at` is where they begin.
        """
        kind, origin, size, time_at, overflow, capacity, number, valid = _HEADER.unpack(content)
        if kind < 0:
            raise Damage("a packet is compressed, which is not read; write the file anew with the format RAW", at)
        smallest = _SMALLEST.get(kind, 1)
        exact = kind in (SPECIAL, POLARITY)
        if not (
            (kind <= _LAST_KIND or kind >= _USERS_KIND)
            and (size == smallest if exact else size >= smallest)
            and 0 <= time_at < size
            and 0 <= overflow
            and 0 <= valid <= number <= capacity
        ):
            raise Damage("no header of a packet is here", at)
        return cls(kind, origin, size, overflow, capacity, number)


class Piece(NamedTuple):
    """Whole events of one packet.

    Attributes:
        header: of the packet.
        offset: byte at which they begin, if it is known.
        content: their bytes, uint8.
    """

    header: PacketHeader
    offset: int | None
    content: np.ndarray


class PolarityDecoder:
    """Makes events of polarity packets.

    Args:
        mirror_x: width of the sensor, if columns count from the right; None if from the left.
        mirror_y: height of the sensor, if rows count from below; None if from above.

    Attributes:
        invalid: how many events were marked as invalid and left out.
    """

    def __init__(self, mirror_x: int | None = None, mirror_y: int | None = None):
        self.mirror_x, self.mirror_y = mirror_x, mirror_y
        self.invalid = 0

    def columns(self, pieces: Iterable[Piece]) -> Iterator[Columns]:
        """The events of the pieces, about `source.BLOCK` at a time; what came before damage is given first."""
        block, count = Columns.empty(source.BLOCK), 0
        last_x = -1 if self.mirror_x is None else self.mirror_x - 1
        last_y = -1 if self.mirror_y is None else self.mirror_y - 1
        try:
            for piece in pieces:
                if piece.header.kind != POLARITY:
                    continue
                words = piece.content.view("<u4").reshape(-1, 2)
                place = 0
                while place < len(words):
                    place, count, invalid = _decode(words, place, piece.header.overflow, last_x, last_y, count, *block)
                    self.invalid += invalid
                    if count == len(block.t):
                        yield block
                        block, count = Columns.empty(source.BLOCK), 0
        except Damage:
            yield block.taken(slice(count))
            raise
        yield block.taken(slice(count))


@njit(cache=True, nogil=True)
def _decode(words, place, overflow, last_x, last_y, count, t, x, y, p):
    beginning = np.int64(overflow) << 31
    invalid = 0
    while place < words.shape[0] and count < t.size:
        word = words[place, 0]
        if word & 1:
            column, row = np.int64(word >> 17), np.int64((word >> 2) & 0x7FFF)
            # what lies beyond the sensor becomes large here, and is told by the checks that all formats share
            x[count] = np.uint16(last_x - column) if last_x >= 0 else np.uint16(column)
            y[count] = np.uint16(last_y - row) if last_y >= 0 else np.uint16(row)
            p[count] = (word >> 1) & 1
            t[count] = beginning + np.int64(np.int32(words[place, 1]))
            count += 1
        else:
            invalid += 1
        place += 1
    return place, count, invalid


def triggers(pieces: Iterable[Piece]) -> Iterator[Triggers]:
    """Edges on the external inputs, of the special events among the pieces."""
    for piece in pieces:
        if piece.header.kind == SPECIAL:
            found = []
            for word, t in piece.content.view("<u4").reshape(-1, 2).tolist():
                if word & 1 and (edge := _EDGES.get(word >> 1 & 0x7F)):
                    found.append(((piece.header.overflow << 31) + t, *edge))
            t, channel, rising = zip(*found, strict=True) if found else ((), (), ())
            yield Triggers(np.array(t, np.int64), np.array(channel, np.uint8), np.array(rising, np.bool_))


def frames(pieces: Iterable[Piece], turned: Callable[[np.ndarray], np.ndarray]) -> Iterator[Frame]:
    """Pictures among the pieces.

    Args:
        pieces: of a recording.
        turned: brings a picture upright.
    """
    for piece in pieces:
        if piece.header.kind == FRAME:
            size = piece.header.size
            for start in range(0, len(piece.content), size):
                frame = _frame(piece, start, turned)
                if frame is not None:
                    yield frame


def _frame(piece: Piece, start: int, turned: Callable[[np.ndarray], np.ndarray]) -> Frame | None:
    content = piece.content[start : start + piece.header.size]
    info, _, _, begin, end, width, height, _, _ = _PIXEL_FIELDS.unpack(content[: _PIXEL_FIELDS.size].tobytes())
    if not info & 1:
        return None
    channels = info >> 1 & 7
    values = width * height * channels
    if width <= 0 or height <= 0 or channels not in (1, 3, 4) or 2 * values > len(content) - _PIXEL_FIELDS.size:
        raise Damage(
            f"a picture says {width} x {height} pixels of {channels} values, more than it holds",
            None if piece.offset is None else piece.offset + start,
        )
    pixels = content[_PIXEL_FIELDS.size : _PIXEL_FIELDS.size + 2 * values].view("<u2")
    shape: Sequence[int] = (height, width) if channels == 1 else (height, width, channels)
    image = turned(pixels.reshape(shape)[..., :3] if channels == 4 else pixels.reshape(shape))
    wraps = piece.header.overflow << 31
    return Frame(np.ascontiguousarray(image, np.uint16), wraps + (begin + end) // 2, (wraps + begin, wraps + end))
