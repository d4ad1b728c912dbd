"""Reads idx files, the format of MNIST: a big-endian header (type, number of dimensions, sizes), then the values.

The format is described at the end of http://yann.lecun.com/exdb/mnist/: two zero bytes, one byte for the type of the
values (8: unsigned byte, the only one that images and labels use), one for the number of dimensions, a 32-bit size for
each dimension, then the values with the last dimension running fastest. Files may be packed with gzip.
"""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

_UNSIGNED_BYTE = 8
_CHUNK = 1 << 20
_MEANING = {1: "labels", 3: "images"}


def read_idx(path: str | Path, dimensions: int) -> NDArray[np.uint8]:
    """Read an idx file of unsigned bytes.

    Args:
        path: the file; it is unpacked where its first two bytes are those of gzip, whatever its name.
        dimensions: how many dimensions it must have: 3 for images [N, H, W], 1 for labels [N].

    Returns:
        the values, uint8, of that many dimensions.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is not such a file, is shorter or longer than its header says, or its gzip stream is damaged;
            the message names the file.
    """
    path = Path(path)
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        try:
            if not packed:
                return _parse(file, path, dimensions)
            with gzip.GzipFile(fileobj=file) as unpacked:
                return _parse(cast(BinaryIO, unpacked), path, dimensions)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise ValueError(
                f"{path}: the gzip stream is cut off or damaged ({error}); fetch the file again"
            ) from error


def _parse(file: BinaryIO, path: Path, dimensions: int) -> NDArray[np.uint8]:
    header = file.read(4 + 4 * dimensions)
    magic = int.from_bytes(header[:4], "big")
    expected = _UNSIGNED_BYTE << 8 | dimensions
    if len(header) < 4 or magic != expected:
        raise ValueError(
            f"{path}: starts with {header[:4].hex(' ') or 'nothing'}, and an idx file of "
            f"{_MEANING.get(dimensions, 'such values')} starts with {expected.to_bytes(4, 'big').hex(' ')} (unsigned "
            f"bytes, {dimensions} dimensions){_hint(magic)}"
        )
    if len(header) < 4 + 4 * dimensions:
        raise ValueError(f"{path}: ends within its header; fetch the file again")
    shape = tuple(int(size) for size in np.frombuffer(header, ">u4", dimensions, 4))
    count = math.prod(shape)
    content = _read_up_to(file, count + 1)
    if len(content) != count:
        found = f"only {len(content)}" if len(content) < count else "more"
        raise ValueError(f"{path}: its header announces {list(shape)} = {count} values, and {found} follow")
    return np.frombuffer(content, np.uint8).reshape(shape)


def _read_up_to(file: BinaryIO, count: int) -> bytearray:
    """Piece by piece, so that a header that lies about the size cannot make us ask for that much memory."""
    content = bytearray()
    while len(content) < count and (piece := file.read(min(_CHUNK, count - len(content)))):
        content += piece
    return content


def _hint(magic: int) -> str:
    for dimensions, meaning in _MEANING.items():
        if magic == (_UNSIGNED_BYTE << 8 | dimensions):
            return f"; this one holds {meaning}: were the files exchanged?"
    return ""
