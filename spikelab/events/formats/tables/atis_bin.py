"""The 40-bit records of N-MNIST and N-Caltech101: x, y, and 24 bits of polarity and time, without any header.

A record in row 240 is no event: the timer of the camera ran over there, and 2^13 microseconds are added from then on.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numba import njit

from spikelab.events.files import source
from spikelab.events.files.errors import Damage, EventFileError
from spikelab.events.files.source import Columns, EventFormat, EventSource, Opening

_BYTES = 5
"""Size of a record."""

_OVERFLOW_ROW = 240
_OVERFLOW = 1 << 13

_FEWEST = 16
"""Records that it takes to recognise files without a mark; a few bytes look like anything."""
_FEWEST_CUT = 256
"""The same where the last record is cut short."""


_TEXT = bytes([9, 10, 13, *range(32, 127)])


class AtisBinSource(EventSource):
    """A file of 40-bit records; it does not say how large the sensor is.

    Raises:
        EventFileError: if it is empty, or a stream is named.
    """

    def __init__(self, path: Path, stream: str | None = None):
        if stream is not None:
            raise EventFileError(path, f"holds one camera only; leave out stream={stream}")
        if path.stat().st_size == 0:
            raise EventFileError(path, "is empty")
        self.path, self.about = path, {}

    def columns(self) -> Iterator[Columns]:
        """See `EventSource.columns`.

        Raises:
            Damage: at a record that is cut short.
        """
        overflowed = 0
        with open(self.path, "rb") as file:
            while len(content := file.read(source.BLOCK * _BYTES)) >= _BYTES:
                block, overflowed = _decoded(content, overflowed)
                yield block
        size = self.path.stat().st_size
        if rest := size % _BYTES:
            raise Damage(f"the last event is cut short, {rest} of its {_BYTES} bytes are there", size - rest)


def _decoded(content: bytes, overflowed: int) -> tuple[Columns, int]:
    records = np.frombuffer(content, np.uint8, len(content) // _BYTES * _BYTES).reshape(-1, _BYTES)
    block = Columns.empty(len(records))
    count, overflowed = _decode(records, overflowed, *block)
    return block.taken(slice(count)), overflowed


@njit(cache=True, nogil=True)
def _decode(records, overflowed, t, x, y, p):
    count = 0
    for i in range(records.shape[0]):
        if records[i, 1] == _OVERFLOW_ROW:
            overflowed += _OVERFLOW
            continue
        high = np.int64(records[i, 2])
        t[count] = ((high & 0x7F) << 16 | np.int64(records[i, 3]) << 8 | np.int64(records[i, 4])) + overflowed
        x[count], y[count], p[count] = records[i, 0], records[i, 1], high >> 7
        count += 1
    return count, overflowed


def _may_be(opening: Opening) -> bool:
    """Whether the bytes, read as records, have times that hardly ever go back; the last record may be cut short."""
    fewest = _FEWEST_CUT if opening.size % _BYTES else _FEWEST
    if opening.path.is_dir() or opening.size < fewest * _BYTES:
        return False
    if not opening.head.translate(None, _TEXT):
        return False  # lines of four digits would do, too
    t = _decoded(opening.head, 0)[0].t
    return bool(len(t) >= _FEWEST and t[-1] > t[0] and (np.diff(t) < 0).mean() < 0.01)


ATIS_BIN = EventFormat(
    title="40-bit records of N-MNIST and N-Caltech101",
    suffixes=(".bin",),
    recognise=_may_be,
    open=AtisBinSource,
    source="Orchard et al. 2015, Converting static image datasets to spiking neuromorphic datasets using saccades",
    open_ended=True,
    sure=False,
)
