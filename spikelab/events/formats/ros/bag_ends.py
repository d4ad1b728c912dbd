"""Where bags of ROS end by what they say themselves: libraries pass over what follows, be it a second bag.

Sources: wiki.ros.org, "Bags/Format/2.0"; mcap.dev/spec, "Format"; sqlite.org, "Database File Format", section 1.3.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from spikelab.events.formats.ros.ros1_scan import header_fields
from spikelab.events.formats.ros.ros_bags import MCAP_MARK, ROS1_MARK, SQLITE_MARK

_MCAP_FOOTER = 2
_FAULTS = (struct.error, ValueError, KeyError, OSError)


def beyond_the_end(path: Path) -> list[str]:
    """A note if bytes follow the end of a bag; none where the end cannot be found, which reading tells."""
    if path.is_dir():
        return []
    ends: dict[bytes, Callable[[BinaryIO, int], int]] = {
        ROS1_MARK: _end_of_ros1, MCAP_MARK: _end_of_mcap, SQLITE_MARK: _end_of_sqlite,
    }  # fmt: skip
    size = path.stat().st_size
    with open(path, "rb") as file:
        head = file.read(16)
        file.seek(0)
        try:
            end = next((find(file, size) for mark, find in ends.items() if head.startswith(mark)), size)
        except _FAULTS:
            return []
    if size <= end:
        return []
    return [f"byte {end}: {size - end} bytes follow the end of the bag, and were not read; were two bags joined?"]


def _end_of_ros1(file: BinaryIO, size: int) -> int:
    """After the records of the index: those of connections and of chunks, as many as the first record says."""
    file.readline(64)
    header = _ros1_record(file, size)
    (index,) = struct.unpack("<Q", header["index_pos"])
    (connections,), (chunks,) = (struct.unpack("<I", header[name]) for name in ("conn_count", "chunk_count"))
    if not index or index > size:  # a bag that was never closed
        return size
    file.seek(index)
    for _ in range(connections + chunks):
        _ros1_record(file, size)
    return file.tell()


def _ros1_record(file: BinaryIO, size: int) -> dict[str, bytes]:
    (length,) = struct.unpack("<I", file.read(4))
    if length > size - file.tell():
        raise ValueError("a header that is longer than the file")
    fields = header_fields(file.read(length))
    (length,) = struct.unpack("<I", file.read(4))
    file.seek(length, 1)
    if file.tell() > size:
        raise ValueError("a record that is longer than the file")
    return fields


def _end_of_mcap(file: BinaryIO, size: int) -> int:
    """After the mark that follows the footer."""
    file.seek(len(MCAP_MARK))
    while file.tell() < size:
        kind, length = struct.unpack("<BQ", file.read(9))
        if length > size - file.tell():
            raise ValueError("a record that is longer than the file")
        file.seek(length, 1)
        if kind == _MCAP_FOOTER:
            return file.tell() + len(MCAP_MARK)
    return size


def _end_of_sqlite(file: BinaryIO, size: int) -> int:
    """After the last page, where the number of pages is one that may be believed."""
    head = file.read(100)
    (page,), (changed, pages), (valid,) = (
        struct.unpack_from(code, head, place) for code, place in ((">H", 16), (">II", 24), (">I", 92))
    )
    return (65536 if page == 1 else page) * pages if pages and changed == valid else size
