"""Reads an HDF5 file in a process of its own: ``python -m spikelab.io.nir_process`` and what is said to it.

The HDF5 library can be made to crash, to loop and to eat memory by a file with the right bytes (of 10000 files with
some bytes changed, HDF5 2.0 crashed on 5 and never came back from 19). ``nir_file`` therefore runs this, which needs
neither torch nor anything else that takes long to start.
"""

from __future__ import annotations

import json
import math
import os
import struct
import sys
from typing import Any, BinaryIO

import numpy as np

from spikelab.io.nir_hdf5 import MAX_OBJECTS, MAX_TEXT, Damaged, Tree, extract, short


def send(tree: Tree, stream: BinaryIO) -> None:
    """Writes a tree so that ``receive`` gets the same: a length, the structure as JSON, then all numbers in a row."""
    numbers: list[np.ndarray] = []

    def described(value: Any) -> Any:
        if isinstance(value, dict):
            return {"group": {name: described(member) for name, member in value.items()}}
        if isinstance(value, np.ndarray):
            numbers.append(value)
            return {"numbers": value.dtype.str, "shape": value.shape}
        return {"why": value.why} if isinstance(value, Damaged) else {"text": value}

    header = json.dumps(described(tree)).encode()
    stream.write(struct.pack("<Q", len(header)) + header)
    for array in numbers:
        stream.write(array.tobytes())
    stream.flush()


def receive(stream: BinaryIO, max_bytes: int) -> Tree:
    """Reads what ``send`` wrote, and believes none of it.

    Raises:
        ValueError: if it is not what ``send`` writes, is cut short, or is more than ``max_bytes``.
    """
    (length,) = struct.unpack("<Q", _exactly(stream, 8))
    # names and texts, each byte of which JSON may write as six, and the words around them
    if length > 8 * MAX_TEXT + 300 * MAX_OBJECTS:
        raise ValueError("more text than was asked for")
    left = [max_bytes]

    def restored(value: dict[str, Any]) -> Any:
        if "group" in value:
            return {str(name): restored(member) for name, member in value["group"].items()}
        if "numbers" in value:
            kind, shape = np.dtype(value["numbers"]), tuple(int(size) for size in value["shape"])
            size = math.prod(shape) * kind.itemsize
            left[0] -= size
            if kind.kind not in "biuf" or min(shape, default=0) < 0 or left[0] < 0:
                raise ValueError("numbers that were not asked for")
            array = np.empty(shape, kind)
            if array.size:
                _fill(stream, array.reshape(-1).view(np.uint8).data)
            return array
        return Damaged(str(value["why"])) if "why" in value else value["text"]

    tree = restored(json.loads(_exactly(stream, length)))
    if not isinstance(tree, dict):
        raise ValueError("no group")
    return tree


def _exactly(stream: BinaryIO, length: int) -> bytes:
    data = stream.read(length)
    if len(data) < length:
        raise ValueError("cut short")
    return data


def _fill(stream: BinaryIO, into: memoryview) -> None:
    # a buffered stream fills the whole buffer unless it ends before
    if stream.readinto(into) < len(into):  # type: ignore[attr-defined]
        raise ValueError("cut short")


def _limit_time(seconds: float) -> None:
    try:
        import resource
    except ImportError:  # Windows: the parent's own clock must do
        return
    resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(seconds), math.ceil(seconds) + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _limit_memory(declared: int) -> None:
    """What is declared, read and copied once, and some room; a data set that unpacks to more fails."""
    try:
        import resource

        with open("/proc/self/statm") as file:
            used = int(file.read().split()[0]) * resource.getpagesize()
    except (ImportError, OSError):  # not Linux: the time limit and the sizes checked before must do
        return
    limit = used + 3 * declared + (256 << 20)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def main() -> None:
    """Arguments: path, max_bytes, seconds of processor time. Sends the tree, or one ``Damaged`` named "file"."""
    path, max_bytes, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    _limit_time(seconds)
    # structure is read before sizes are known
    _limit_memory(256 << 20)
    tree: Tree
    try:
        tree = {"content": extract(path, max_bytes, _limit_memory)}
    except MemoryError:
        tree = {"file": Damaged("it takes more memory than its size")}
    except Exception as error:  # whatever the library thinks of a damaged file is the file's fault
        tree = {"file": Damaged(short(error))}
    send(tree, sys.stdout.buffer)
    # a damaged file may crash the library again when it is closed
    os._exit(0)


if __name__ == "__main__":
    main()
