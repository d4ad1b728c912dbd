"""The shell of AEDAT 4 files: which streams there are, and their packets, compressed or not.

A file is a header, packets of several streams in turn, and a table of all packets. The table is missing, and its place
in the header is -1, where a recording was interrupted. All of them are flatbuffers with their size in front.

Sources: docs.inivation.com, "AEDAT 4.0"; the schemas ``IOHeader``, ``FileDataTable`` and ``PacketHeader`` of
dv-processing.
"""

from __future__ import annotations

import dataclasses
import io
import struct
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from spikelab.events.files.errors import Damage, EventFileError
from spikelab.events.formats.inivation import aedat

if TYPE_CHECKING:
    from flatbuffers.table import Table

MOST = 1 << 28
"""Bytes of a packet after decompression that are believed; cameras send a thousandth of it."""

_NONE, _LZ4, _ZSTD = (0,), (1, 2), (3, 4)
_MARK = b"#!AER-DAT4."
_PACKET = struct.Struct("<ii")
_SIZE = struct.Struct("<i")


class Stream(NamedTuple):
    """One of the streams of a file.

    Attributes:
        number: by which packets name it.
        kind: four letters: ``EVTS``, ``FRME``, ``TRIG``, ``IMUS``.
        name: that the program gave it which made it.
        camera: that it comes from, "" if the file does not say.
        size: width and height in pixels, None if the file does not say.
    """

    number: int
    kind: str
    name: str
    camera: str
    size: tuple[int, int] | None


class Place(NamedTuple):
    """A packet in the table at the end.

    Attributes:
        offset: byte at which its header begins.
        number: of its stream.
        t_end: time of its last event, microseconds.
    """

    offset: int
    number: int
    t_end: int


@dataclasses.dataclass(frozen=True)
class Shell:
    """What the header of a file says.

    Attributes:
        path: of the file.
        begin: byte of the first packet.
        table: byte of the table of packets, -1 if there is none.
        compression: number of the method.
        streams: by their number.
    """

    path: Path
    begin: int
    table: int
    compression: int
    streams: dict[int, Stream]

    @classmethod
    def of(cls, path: Path) -> Shell:
        """Read the header.

        Raises:
            EventFileError: if it makes no sense.
        """
        with open(path, "rb") as file:
            if not file.readline(64).startswith(_MARK):
                raise EventFileError(path, "has no header of an AEDAT 4 file; it is cut short or of another format", 0)
            size = file.read(_SIZE.size)
            length = _SIZE.unpack(size)[0] if len(size) == _SIZE.size else -1
            if not 0 < length <= path.stat().st_size - file.tell():
                raise EventFileError(path, "ends within its header; fetch the file again", file.tell())
            content = file.read(length)
            begin = file.tell()
        try:
            header = root(content, b"IOHE")
            description = text(header, 8)
            compression, table = scalar(header, 4, "Int32", 0), scalar(header, 6, "Int64", -1)
            streams = {stream.number: stream for stream in _streams(ElementTree.fromstring(description))}
        except (*NO_FLATBUFFER, ElementTree.ParseError) as error:
            raise EventFileError(
                path, f"has a header that makes no sense ({error}); fetch the file again", begin - length
            ) from None
        if compression not in (*_NONE, *_LZ4, *_ZSTD):
            raise EventFileError(path, f"is compressed by method {compression}, which is not known")
        if table != -1 and table < begin:
            raise EventFileError(path, f"has a header that places the table of packets at byte {table}, in itself")
        return cls(path, begin, table, compression, streams)

    def packets(self, number: int, begin: int | None = None) -> Iterator[tuple[Table, bytes, int]]:
        """The packets of a stream: flatbuffer, the bytes it lies in, and byte of the file.

        Args:
            number: of the stream.
            begin: byte of the first packet that may be wanted.

        Raises:
            Damage: where they make no sense, or the file ends too early.
        """
        kind = self.streams[number].kind.encode()
        size = self.path.stat().st_size
        end = size if self.table < 0 else self.table
        at = self.begin if begin is None else begin
        with open(self.path, "rb") as file:
            while at < end:
                file.seek(at)
                head = file.read(_PACKET.size)
                if len(head) < _PACKET.size:
                    break
                stream, length = _PACKET.unpack(head)
                if stream not in self.streams or length < 0:
                    raise Damage("no header of a packet is here", at)
                stop = at + _PACKET.size + length
                if stop > end:
                    if stop <= size:
                        raise Damage("a packet reaches into the table of packets", at)
                    break
                if stream == number:
                    content = self.unpacked(file.read(length), at)
                    try:
                        yield root(content, kind), content, at
                    except NO_FLATBUFFER as error:
                        raise Damage(f"a packet makes no sense ({error})", at) from None
                at = stop
        if at < end:
            raise Damage("the file ends before a packet does", min(at, size))

    def places(self) -> list[Place]:
        """The packets by the table at the end, which counts from what follows their headers.

        None if there is no table, or it makes no sense.
        """
        if not self.begin <= self.table < self.path.stat().st_size:
            return []
        try:
            with open(self.path, "rb") as file:
                file.seek(self.table)
                table = root(self.unpacked(file.read(MOST), self.table), b"FTAB")
            found = []
            for entry in tables(table, 4):
                packet = entry.Offset(6) + entry.Pos
                number, _ = _PACKET.unpack_from(entry.Bytes, packet)
                found.append(Place(scalar(entry, 4, "Int64", -1) - _PACKET.size, number, scalar(entry, 12, "Int64", 0)))
        except (Damage, *NO_FLATBUFFER):
            return []
        return found if all(self.begin <= place.offset < self.table for place in found) else []

    def joined(self) -> int | None:
        """Byte at which another file begins, behind the table of packets; None if none does."""
        overlap = b""
        if 0 <= self.table < self.path.stat().st_size:
            with open(self.path, "rb") as file:
                file.seek(self.table)
                while content := file.read(1 << 20):
                    place = (overlap + content).find(_MARK)
                    if place >= 0:
                        return file.tell() - len(content) - len(overlap) + place
                    overlap = content[1 - len(_MARK) :]
        return None

    def unpacked(self, content: bytes, at: int) -> bytes:
        """A flatbuffer without its size, of bytes as the file holds them.

        Raises:
            Damage: if they cannot be decompressed; `at` is where they begin.
        """
        opened, faults = _opened(content, self.compression)
        try:
            size = opened.read(_SIZE.size)
            length = _SIZE.unpack(size)[0] if len(size) == _SIZE.size else -1
            if not 0 < length <= MOST:
                raise Damage(f"a packet says that it has {length} bytes", at)
            found = opened.read(length)
        except faults as error:
            raise Damage(f"a packet cannot be decompressed ({error})", at) from None
        if len(found) < length:
            raise Damage(f"a packet holds {len(found)} of the {length} bytes that it says", at)
        return found


def _opened(content: bytes, compression: int) -> tuple[Any, tuple[type[Exception], ...]]:
    """What reads the bytes decompressed, and what it raises where they make no sense."""
    if compression in _LZ4:
        try:
            import lz4.frame
        except ImportError:
            raise _missing("lz4") from None
        return lz4.frame.LZ4FrameFile(io.BytesIO(content)), (RuntimeError, EOFError, ValueError, OSError)
    if compression in _ZSTD:
        try:
            import zstandard
        except ImportError:
            raise _missing("zstandard") from None
        return zstandard.ZstdDecompressor().stream_reader(content), (zstandard.ZstdError, OSError)
    return io.BytesIO(content), ()


def _missing(library: str) -> ImportError:
    return ImportError(f"this AEDAT 4 file needs {library}: pip install 'spikelab[events]'")


NO_FLATBUFFER = (struct.error, IndexError, TypeError, ValueError, KeyError, OverflowError)
"""What is raised where bytes are no flatbuffer of the expected kind."""


def root(content: bytes, kind: bytes) -> Table:
    """The root of a flatbuffer of a kind."""
    try:
        from flatbuffers.table import Table
    except ImportError:
        raise _missing("flatbuffers") from None
    place = struct.unpack_from("<I", content)[0]
    if content[4:8] != kind:
        raise ValueError(f"{content[4:8]!r} where {kind!r} should be")
    return Table(content, place)


def scalar(table: Table, field: int, kind: str, default: int) -> int:
    """A number in a table; `field` is its place in the list of fields, in bytes."""
    from flatbuffers import number_types

    offset = table.Offset(field)
    return int(table.Get(getattr(number_types, f"{kind}Flags"), table.Pos + offset)) if offset else default


def text(table: Table, field: int) -> str:
    """A string in a table."""
    offset = table.Offset(field)
    if not offset:
        raise ValueError("the description of the streams is missing")
    return table.String(table.Pos + offset).decode()


def vector(table: Table, field: int, itemsize: int) -> tuple[int, int]:
    """Where a vector begins and how many elements it has, of which all are there."""
    offset = table.Offset(field)
    if not offset:
        return 0, 0
    begin, count = table.Vector(offset), table.VectorLen(offset)
    if begin < 0 or begin + count * itemsize > len(table.Bytes):
        raise ValueError(f"{count} elements, more than there are")
    return begin, count


def tables(table: Table, field: int) -> Iterator[Table]:
    """The tables of a vector."""
    begin, count = vector(table, field, 4)
    for number in range(count):
        yield type(table)(table.Bytes, table.Indirect(begin + 4 * number))


def _streams(description: ElementTree.Element) -> Iterator[Stream]:
    for node in description.findall("node[@name='outInfo']/node"):
        number = int(node.get("name", ""))
        fields = {attribute.get("key"): (attribute.text or "").strip() for attribute in node.iter("attr")}
        width, height = fields.get("sizeX", ""), fields.get("sizeY", "")
        size = (int(width), int(height)) if width.isdecimal() and height.isdecimal() else None
        if size is not None and not all(1 <= side <= 65536 for side in size):
            raise ValueError(f"a sensor of {size[0]} x {size[1]} pixels")
        camera = fields.get("source", "")
        yield Stream(
            number,
            fields.get("typeIdentifier", ""),
            fields.get("originalOutputName") or f"stream {number}",
            camera,
            size or aedat.sensor_size(camera),
        )
