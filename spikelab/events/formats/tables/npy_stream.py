"""The arrays of NumPy files, row by row: only the rows that are asked for are in memory, and nothing is executed."""

from __future__ import annotations

import struct
import tokenize
import zipfile
import zlib
from collections.abc import Callable
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy

FAULTS = (
    OSError, ValueError, EOFError, KeyError, NotImplementedError, RuntimeError, SyntaxError, TypeError, OverflowError,
    MemoryError, struct.error, tokenize.TokenError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip
"""What NumPy and zipfile raise where the bytes make no sense."""

MAGIC = npy.MAGIC_PREFIX


class NoTable(ValueError):
    """An array that can hold no events; says why."""


class NpyStream:
    """An array in a file, or one column of it, read from the beginning on.

    Args:
        opened: opens the file at its first byte.
        available: how many bytes it has.
        column: of an array that is stored column by column; ignored for others.

    Attributes:
        dtype: of a number, or of a row with fields.
        width: numbers in a row; None for arrays of one dimension.
        count: how many rows there should be.
        stored: how many are there.
        by_columns: whether it is stored column by column, so that `rows` gives one column.
        offset: byte of the file at which the rows begin.
        row: bytes of a row, or of a number of one column.
        rest: bytes behind the last row.

    Raises:
        NoTable: if its header makes no sense, it holds Python objects, or is neither a list nor a table.
    """

    def __init__(self, opened: Callable[[], IO[bytes]], available: int, column: int = 0):
        self._file = opened()
        try:
            self._read_header()
            length = self.count * self.dtype.itemsize
            columns = self.width or 1
            self.row = self.dtype.itemsize * (1 if self.by_columns else columns)
            if self.row == 0:
                raise NoTable(f"holds an array of {self.dtype} without any bytes")
            before = length * (columns - 1) if self.by_columns else 0
            self._left = self.stored = min(self.count, max(0, available - self.offset - before) // self.row)
            self.rest = max(0, available - self.offset - length * columns)
            if self.by_columns and column:
                self._file.seek(self.offset + column * length)
        except BaseException:
            self._file.close()
            raise

    def _read_header(self) -> None:
        try:
            self._parse_header()
        except NoTable:
            raise
        except FAULTS as error:
            raise NoTable(f"has a header that makes no sense ({error}); fetch the file again") from None

    def _parse_header(self) -> None:
        version = npy.read_magic(self._file)
        reading: Any = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}.get(version)
        if reading is None:
            raise NoTable(f"is an NPY file of version {version}, which is not known")
        shape, fortran, self.dtype = reading(self._file)
        self.offset = self._file.tell()
        if self.dtype.hasobject:
            raise NoTable("holds Python objects, which may execute code and are not read; save plain arrays")
        if len(shape) > 2 or any(side < 0 for side in shape):
            raise NoTable(f"holds an array of shape {shape}, not [N] or [N, 4]")
        # four long rows are a table too, that lies on its side
        turned = len(shape) == 2 and shape[0] == 4 and shape[1] != 4
        self.by_columns = len(shape) == 2 and turned != fortran
        longer, shorter = (shape[::-1] if turned else shape) if len(shape) == 2 else (*(shape or (1,)), None)
        self.count, self.width = longer, shorter

    def rows(self, count: int) -> np.ndarray:
        """The next rows, `[count]` or `[count, width]`; fewer at the end.

        Raises:
            Exception: one of `FAULTS`, if they cannot be unpacked.
        """
        count = min(count, self._left)
        self._left -= count
        parts, missing = [], count * self.row
        while missing and (part := self._file.read(missing)):
            parts.append(part)
            missing -= len(part)
        content = b"".join(parts)
        numbers = np.frombuffer(content[: len(content) // self.row * self.row], self.dtype)
        return numbers if self.width is None or self.by_columns else numbers.reshape(-1, self.width)

    def close(self) -> None:
        """Close the file."""
        self._file.close()
