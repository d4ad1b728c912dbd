"""Lists of bytes of any length in HDF5, read from where they lie.

A table of such lists holds only their lengths and places; the bytes lie in collections of the "global heap". HDF5's own
reading of these does not come to an end where some of their bytes are damaged, and makes a Python object of each
list; here every length is checked against the file.

Source: "HDF5 File Format Specification", version 3.0, sections III.E and VIII.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import h5py
import numpy as np

from spikelab.events.files.errors import Damage, EventFileError
from spikelab.events.formats.hdf5.hdf5_source import FAULTS, first_line

_PLACE = np.dtype([("length", "<u4"), ("address", "<u8"), ("number", "<u4")])
_COLLECTION = struct.Struct("<4sB3xQ")
_OBJECT = struct.Struct("<HHIQ")

_Collection = tuple[np.ndarray, dict[int, tuple[int, int]]]


class ListTable:
    """A table of lists of bytes.

    Args:
        path: of the file.
        table: the data set, `[N, columns]`, in chunks and without compression.

    Raises:
        EventFileError: if it is not.
    """

    def __init__(self, path: Path, table: h5py.Dataset):
        plain = (
            table.chunks is not None
            and table.chunks[1] == table.shape[1]
            and not table.id.get_create_plist().get_nfilters()
        )
        layout = table.file.id.get_create_plist()
        if not plain or layout.get_sizes() != (8, 8) or layout.get_userblock():
            raise EventFileError(
                path,
                f"{table.name} is not kept as its recorder does; write it anew with h5repack -l CHUNK=128x3 -f NONE",
            )
        self.path, self._table = path, table

    def rows(self) -> Iterator[tuple[int, list[np.ndarray]]]:
        """Number and lists of each row in the file. A table may have many more rows than that, all of them empty.

        Raises:
            Damage: where the bytes make no sense.
        """
        table, columns = self._table, self._table.shape[1]
        found: set[int] = set()
        try:
            table.id.chunk_iter(lambda chunk: found.add(chunk.chunk_offset[0]))
        except FAULTS as error:
            raise Damage(f"{table.name} cannot be read: {first_line(error)}", None) from None
        with open(self.path, "rb") as file:
            collection = functools.lru_cache(maxsize=32)(functools.partial(_collection, file, self.path.stat().st_size))
            for begin in sorted(found):
                try:
                    _, content = table.id.read_direct_chunk((begin, 0))
                    places = np.frombuffer(content, _PLACE).reshape(-1, columns)
                except FAULTS as error:
                    raise Damage(
                        f"rows from {begin} of {table.name} cannot be read: {first_line(error)}", None
                    ) from None
                for number, row in enumerate(places[: max(0, len(table) - begin)].tolist(), begin):
                    yield number, [_list(collection, *place) for place in row]


def _list(collection: Callable[[int], _Collection], length: int, address: int, number: int) -> np.ndarray:
    if not length:
        return np.empty(0, np.uint8)
    content, objects = collection(address)
    begin, size = objects.get(number, (0, -1))
    if size < length:
        raise Damage(f"a list of {length} bytes is not in its collection", address)
    return content[begin : begin + length]


def _collection(file: BinaryIO, end: int, address: int) -> _Collection:
    """The bytes of a collection, and where its objects begin and how large they are."""
    if address + _COLLECTION.size > end:
        raise Damage(f"a list begins at byte {address}, behind the end of the file", end)
    file.seek(address)
    mark, version, size = _COLLECTION.unpack(file.read(_COLLECTION.size))
    if mark != b"GCOL" or version != 1 or not _COLLECTION.size <= size <= end - address:
        raise Damage("no collection of lists is here", address)
    content = file.read(size - _COLLECTION.size)
    objects: dict[int, tuple[int, int]] = {}
    at = 0
    while at + _OBJECT.size <= len(content):
        number, _, _, length = _OBJECT.unpack_from(content, at)
        if number == 0:  # what follows is not used
            break
        at += _OBJECT.size
        if length > len(content) - at:
            raise Damage("a list is larger than its collection", address + _COLLECTION.size + at)
        objects[number] = (at, length)
        at += -(-length // 8) * 8
    return np.frombuffer(content, np.uint8), objects
