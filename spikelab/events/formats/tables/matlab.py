"""MATLAB files (versions 5 to 7): structs with x, y, t or ts, and p; cells of them; the matrices of ST-MNIST.

MATLAB counts rows and columns from 1, and so do such files, unless a 0 in them shows that they do not. A file is
unpacked as a whole: its variables are packed in one piece each.
"""

from __future__ import annotations

import functools
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from spikelab.events.files import source
from spikelab.events.files.errors import Damage, EventFileError
from spikelab.events.files.source import Columns, EventFormat, EventSource, Unit
from spikelab.events.formats.column_names import GUESSES, likely_unit
from spikelab.events.formats.conversion import converted
from spikelab.events.formats.tables.matlab_recordings import Recording, recordings

_MARK, _MARK_OF_HDF5 = b"MATLAB 5.0 MAT-file", b"MATLAB 7.3 MAT-file"

# what scipy raises where the bytes make no sense
_FAULTS = (
    OSError, ValueError, EOFError, KeyError, IndexError, AttributeError, TypeError, OverflowError, MemoryError,
    RuntimeError, NotImplementedError, struct.error, zlib.error,
)  # fmt: skip

_SMALL = 1 << 26
"""Bytes of a file that stays unpacked for the next of its recordings."""

_HEADER, _COMPRESSED = 128, 15
"""Bytes before the variables, and the kind of those that are compressed."""

_SHOWN = 8
"""Names that a message lists."""


class MatlabSource(EventSource):
    """A MATLAB file.

    Raises:
        EventFileError: if it holds no recording, or several and none of them is named; and if a unit is given for one
            that has another.
        ImportError: if scipy is not installed.
    """

    def __init__(self, path: Path, stream: str | None = None, unit: Unit | None = None):
        self.path = path
        about = path.stat()
        read = _kept if about.st_size <= _SMALL else _contents
        found = recordings(read(path, about.st_mtime_ns))
        if not found:
            raise EventFileError(
                path, "holds no events: no struct with x, y, p and t or ts, and no spiketrain of ST-MNIST"
            )
        name = next(iter(found)) if stream is None and len(found) == 1 else stream
        if name not in found:
            asked = "" if stream is None else f", but none is named {stream!r}"
            raise EventFileError(path, f"holds {len(found)} recordings{asked}; name one with stream= ({_list(found)})")
        self.streams = tuple(found)
        self._take(found[name], unit)

    def _take(self, recording: Recording, unit: Unit | None) -> None:
        columns = dict(recording.columns)
        lengths = {name: len(column) for name, column in columns.items()}
        if len(set(lengths.values())) > 1:
            raise EventFileError(self.path, f"its columns differ in length: {lengths}")
        first = recording.first_pixel
        if first is None:
            first = 0 if any((columns[name] == 0).any() for name in "xy") else 1
        for name in "xy" if first else "":
            # wider, so that what lies before the first pixel does not turn into the last one
            columns[name] = columns[name].astype(np.float64) - first
        p = columns["p"]
        if p.size and p.max() == 2 and p.min() >= 1:
            columns["p"] = p == 2
        t = columns["t"]
        # all numbers of MATLAB have a type with fractions unless one asks for another: whole ones are meant so
        whole = t.dtype.kind != "f" or ((np.abs(t) < 2**53).all() and not (t % 1).any())
        if recording.unit is not None and unit not in (None, recording.unit):
            raise EventFileError(self.path, f"holds times in {recording.unit}, by its names; leave out unit={unit}")
        self._unit = recording.unit or unit or likely_unit(t.astype(np.int64) if whole else t) or "us"
        self.guess = None if recording.unit or unit else GUESSES.get(self._unit)
        self._columns = columns
        if recording.size is not None:
            self.width, self.height = recording.size
        self.about = {"unit of time": self._unit, "first row and column": first}

    def columns(self) -> Iterator[Columns]:
        """See `EventSource.columns`.

        Raises:
            Damage: at numbers that are no event.
        """
        count = len(self._columns["t"])
        for begin in range(0, count, source.BLOCK):
            parts = {name: column[begin : begin + source.BLOCK] for name, column in self._columns.items()}
            block, reason = converted(**parts, unit=self._unit)
            yield block
            if reason is not None:
                done = begin + len(block.t)
                raise Damage(f"event {done}: {reason}", None, count - done)


def _contents(path: Path, changed: int) -> dict[str, Any]:
    with open(path, "rb") as file:
        head = file.read(len(_MARK))
    if not head:
        raise EventFileError(path, "is empty")
    if head == _MARK_OF_HDF5:
        raise EventFileError(path, "is of MATLAB 7.3, which is HDF5 of another kind; in MATLAB, save it with '-v7'")
    if head != _MARK:
        raise EventFileError(path, "has no header of a MATLAB file; it is cut short or of another format")
    try:
        import scipy.io
    except ImportError:
        raise ImportError(f"{path} is a MATLAB file; reading it needs scipy: pip install 'spikelab[events]'") from None
    _check_elements(path)
    try:
        found = scipy.io.loadmat(path)
    except (*_FAULTS, scipy.io.matlab.MatReadError) as error:
        raise EventFileError(path, f"cannot be read ({error}); it may be cut short: fetch the file again") from None
    return {name: value for name, value in found.items() if not name.startswith("__")}


def _check_elements(path: Path) -> None:
    """Go through the variables of a file without looking into them: scipy may crash where compressed ones are damaged.

    Raises:
        EventFileError: where one is cut short or cannot be unpacked; with its byte.
    """
    size = path.stat().st_size
    with open(path, "rb") as file:
        order = {b"IM": "<", b"MI": ">"}.get(file.read(_HEADER)[-2:])
        if order is None:
            raise EventFileError(path, "does not say the order of its bytes; fetch the file again", _HEADER - 2)
        at = _HEADER
        while at < size:
            tag = file.read(8)
            kind, length = struct.unpack(f"{order}II", tag) if len(tag) == 8 else (0, size)
            if length > size - at - 8:
                raise EventFileError(path, "is cut short within a variable; fetch the file again", at)
            if kind == _COMPRESSED:
                unpacking, left = zlib.decompressobj(), length
                try:
                    while left:
                        content = file.read(min(left, 1 << 16))
                        left -= len(content)
                        while content:
                            unpacking.decompress(content, 1 << 20)
                            content = unpacking.unconsumed_tail
                    if not unpacking.eof:
                        raise zlib.error("its end is missing")
                except zlib.error as error:
                    raise EventFileError(path, f"cannot be unpacked ({error}); fetch the file again", at) from None
            at += 8 + length
            file.seek(at)


# recordings of one file are mostly read one after the other
_kept = functools.lru_cache(maxsize=1)(_contents)


def _list(names: dict[str, Recording]) -> str:
    shown = list(names)
    return ", ".join(shown) if len(shown) <= _SHOWN else f"{shown[0]}, {shown[1]} ... {shown[-1]}"


MATLAB = EventFormat(
    title="MATLAB 5 to 7",
    suffixes=(".mat",),
    recognise=lambda opening: opening.head.startswith((_MARK, _MARK_OF_HDF5)),
    open=MatlabSource,
    takes_unit=True,
    source="MathWorks, MAT-File Format; Orchard's MATLAB functions for events (TD.x, TD.y, TD.p, TD.ts)",
)
