"""Whole-number arrays in a ``.npz`` file, written narrow and read with suspicion.

A file from elsewhere may lie: about the size of an array, about how much it unpacks to, about what it holds. Sizes are
checked before memory is taken, nothing but whole numbers is read, and nothing that is read can run code.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from spikelab.hw.backends.fields import Fields, FileProblem
from spikelab.io.atomic import write_bytes_atomically

#: So many numbers are read at most, all arrays together: 1 GiB in memory, more synapses than a Loihi 2 has.
MOST_NUMBERS = 2**27
#: What numpy's header of an array may take.
_HEADER = 2**14
_TYPES = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64")
_UNREADABLE = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    SyntaxError,
    TypeError,
    KeyError,
    IndexError,
    OverflowError,
    MemoryError,
)


def narrowest(values: np.ndarray) -> np.ndarray:
    """The same numbers in the narrowest type that holds them."""
    low, high = int(values.min(initial=0)), int(values.max(initial=0))
    for name in _TYPES:
        if np.iinfo(name).min <= low and high <= np.iinfo(name).max:
            return values.astype(name, order="C")
    raise ValueError(f"{low} to {high} does not fit 64 bits")


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Writes arrays of whole numbers in one piece.

    Returns:
        what ``read_arrays`` needs: file name, sha256, and each array's type and shape.

    Raises:
        OSError: as the operating system reports it; the file is then as it was.
    """
    narrow = {name: narrowest(np.asarray(values)) for name, values in arrays.items()}
    memory = io.BytesIO()
    np.savez_compressed(memory, **narrow)  # type: ignore[arg-type]
    write_bytes_atomically(path, memory.getvalue())
    return {
        "file": path.name,
        "sha256": hashlib.sha256(memory.getvalue()).hexdigest(),
        "entries": {name: {"type": str(a.dtype), "shape": list(a.shape)} for name, a in narrow.items()},
    }


def read_arrays(folder: Path, described: Fields, most: int = MOST_NUMBERS) -> dict[str, np.ndarray]:
    """Reads what ``write_arrays`` wrote, as int64.

    Args:
        folder: where the file lies.
        described: what ``write_arrays`` returned.
        most: numbers that are read at most.

    Raises:
        FileProblem: if anything is not as described; it names file and array.
    """
    name = described.text("file")
    if Path(name).name != name or name in ("", ".", ".."):
        raise described.problem("file", name, "the name of a file in the same folder")
    path = folder / name
    shapes = _described_shapes(described, most)
    try:
        with open(path, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise FileProblem(f"{path}: cannot be read: {error.strerror}") from error
    if digest != described.text("sha256"):
        raise FileProblem(f"{path}: its sha256 is {digest}, but {described.path} says otherwise; write both anew")
    try:
        with zipfile.ZipFile(path) as archive:
            return {key: _read_array(archive, key, kind, shape, path) for key, (kind, shape) in shapes.items()}
    except FileProblem:
        raise
    except (*_UNREADABLE, OSError) as error:
        raise FileProblem(f"{path}: cannot be read as .npz: {error}") from error


def _described_shapes(described: Fields, most: int) -> dict[str, tuple[str, tuple[int, ...]]]:
    found, total = {}, 0
    entries = described.object("entries")
    for key in entries.names():
        entry = entries.object(key)
        shape = entry.shape("shape", low=0)
        found[key] = (entry.one_of("type", _TYPES), shape)
        size = 1
        for length in shape:
            size *= length
        total += size
    if total > most:
        raise FileProblem(
            f"{described.path}: {entries.where} declare {total} numbers, more than the {most} that are read; "
            f"give read a larger limit if you trust the file"
        )
    return found


def _read_array(archive: zipfile.ZipFile, key: str, kind: str, shape: tuple[int, ...], path: Path) -> np.ndarray:
    where = f"{path}: array {key!r}"
    expected = np.dtype(kind).itemsize * int(np.prod(shape, dtype=np.int64))
    try:
        info = archive.getinfo(f"{key}.npy")
    except KeyError as error:
        raise FileProblem(f"{where} is missing") from error
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise FileProblem(f"{where} is compressed in a way that numpy does not write")
    if not expected < info.file_size <= expected + _HEADER:
        raise FileProblem(f"{where} takes {info.file_size} bytes, but should take {expected} and a short header")
    with archive.open(info) as file:
        # never more than was declared, whatever the stream unpacks to
        data = io.BytesIO(file.read(expected + _HEADER + 1))
    try:
        version = np.lib.format.read_magic(data)
        read_header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        found, columns_first, dtype = read_header[version](data, max_header_size=_HEADER)
    except _UNREADABLE as error:
        raise FileProblem(f"{where} is no array: {error}") from error
    if found != shape or dtype != np.dtype(kind):
        raise FileProblem(f"{where} holds {dtype} {list(found)}, but {kind} {list(shape)} is declared")
    rest = data.read()
    if len(rest) != expected:
        raise FileProblem(f"{where} holds {len(rest)} bytes, but needs {expected}")
    flat = np.frombuffer(rest, dtype)
    return flat.reshape(shape, order="F" if columns_first else "C").astype(np.int64)
