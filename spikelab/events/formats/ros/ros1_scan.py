"""Bags of ROS 1 without their index, as a recording that was interrupted leaves them: read from the beginning on.

Source: wiki.ros.org, "Bags/Format/2.0".
"""

from __future__ import annotations

import bz2
import collections
import contextlib
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from spikelab.events.files.errors import Damage

_MESSAGE, _CHUNK, _CONNECTION = 2, 5, 7
_LARGEST_HEADER = 1 << 24


class Connection(NamedTuple):
    """A topic and the type of its messages."""

    id: int
    topic: str
    msgtype: str


class Ros1Scan:
    """A bag, read record by record; does what the reader of rosbags does.

    Args:
        path: of the bag.
        reason: why it is read this way.
    """

    def __init__(self, path: Path, reason: str):
        self.path, self.reason = path, reason
        self.connections: list[Connection] = []

    def open(self) -> None:
        """Find the topics: the whole file is gone through once."""
        with contextlib.suppress(Damage):  # reading tells
            collections.deque(self.messages([]), maxlen=0)

    def messages(self, connections: list[Connection]) -> Iterator[tuple[Connection, int, bytes]]:
        """Messages of these topics, in the order of the file.

        Raises:
            Damage: always at the end, with the byte up to which there are whole records.
        """
        wanted = {each.id: each for each in connections}
        end = self.path.stat().st_size
        with open(self.path, "rb") as file:
            file.readline()
            place = file.tell()
            while place < end:
                try:
                    found = list(self._record(file, end))
                except Exception as error:
                    said = " ".join(str(error).split()) or type(error).__name__
                    raise Damage(f"{self.reason}; the records end here ({said})", place) from None
                place = file.tell()
                for number, raw in found:
                    if number in wanted:
                        yield wanted[number], 0, raw
        raise Damage(f"{self.reason}; all records before were read", end)

    def close(self) -> None:
        """Nothing is kept open."""

    def _record(self, file: BinaryIO, end: int) -> Iterator[tuple[int, bytes]]:
        """The messages of the next record and of what is packed in it."""
        header = header_fields(_taken(file, min(_number(file), _LARGEST_HEADER)))
        size = _number(file)
        if size > end - file.tell():
            raise ValueError(f"a record of {size} bytes, of which {end - file.tell()} are there")
        kind = header["op"][0]
        if kind == _CHUNK:
            content = _decompressed(header["compression"], _taken(file, size))
            place = 0
            while place < len(content):
                (length,) = struct.unpack_from("<I", content, place)
                inner = header_fields(content[place + 4 : place + 4 + length])
                (size,) = struct.unpack_from("<I", content, place + 4 + length)
                place += 8 + length
                if place + size > len(content):
                    raise ValueError(f"a message of {size} bytes, of which {len(content) - place} are there")
                yield from self._taken_in(inner, content[place : place + size])
                place += size
        elif kind in (_MESSAGE, _CONNECTION):
            yield from self._taken_in(header, _taken(file, size))
        else:
            file.seek(size, 1)

    def _taken_in(self, header: dict[str, bytes], data: bytes) -> Iterator[tuple[int, bytes]]:
        kind = header["op"][0]
        if kind == _MESSAGE:
            yield struct.unpack("<I", header["conn"])[0], data
        elif kind == _CONNECTION:
            (number,) = struct.unpack("<I", header["conn"])
            package, _, name = header_fields(data)["type"].decode().rpartition("/")
            found = Connection(number, header["topic"].decode(), f"{package.removesuffix('/msg')}/msg/{name}")
            if found not in self.connections:
                self.connections.append(found)


def _taken(file: BinaryIO, size: int) -> bytes:
    content = file.read(size)
    if len(content) < size:
        raise ValueError(f"{size} bytes, of which {len(content)} are there")
    return content


def _number(file: BinaryIO) -> int:
    return int(struct.unpack("<I", _taken(file, 4))[0])


def header_fields(header: bytes) -> dict[str, bytes]:
    """The fields of a record's header, by their names.

    Raises:
        ValueError: if one of them is no field.
        struct.error: if it is cut short.
    """
    found: dict[str, bytes] = {}
    place = 0
    while place < len(header):
        (length,) = struct.unpack_from("<I", header, place)
        name, mark, value = header[place + 4 : place + 4 + length].partition(b"=")
        if not mark:
            raise ValueError("a header without a value")
        found[name.decode()] = value
        place += 4 + length
    return found


def _decompressed(compression: bytes, content: bytes) -> Any:
    if compression == b"none":
        return content
    if compression == b"bz2":
        return bz2.decompress(content)
    if compression == b"lz4":
        import lz4.frame

        return lz4.frame.decompress(content)
    raise ValueError(f"the compression {compression.decode(errors='replace')!r}, which is not known")
