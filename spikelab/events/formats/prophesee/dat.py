"""Prophesee DAT: records of 64 bits, a time and an address, after a text header and two bytes that tell their kind.

Version 1 is that of the ATIS camera, with 9 and 8 bits of address; version 2 has 14 of each. Time has 32 bits and
wraps after 71 minutes; it is unwrapped.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numba import njit

from spikelab.events.files.errors import EventFileError
from spikelab.events.files.source import Columns, EventFormat, Opening
from spikelab.events.formats.prophesee.prophesee import RawSource, read_header

_EVENTS, _TRIGGERS = (0x00, 0x0C), 0x0E
"""Kinds of records: events of no kind of their own, of changing light; edges on external inputs."""

_BYTES = 8
"""Size of a record of any known kind."""

_ATIS, _WIDE = (9, 8), (14, 14)
"""Bits of x and of y."""


class DatSource(RawSource):
    """A DAT file.

    Raises:
        EventFileError: if its records are of an unknown kind.
    """

    word = np.dtype("<u8")
    most = 1

    def __init__(self, path: Path, stream: str | None = None):
        super().__init__(path, stream)
        with open(path, "rb") as file:
            file.seek(self.header.end)
            kind = file.read(2)
        if len(kind) < 2:
            raise EventFileError(path, "is cut short: its header says nothing of its events", self.header.end)
        self._kind, size = kind
        if self._kind not in (*_EVENTS, _TRIGGERS) or size != _BYTES:
            raise EventFileError(
                path,
                f"holds records of kind {self._kind:#04x} with {size} bytes each; known are kinds 0x00, 0x0c and 0x0e "
                f"with {_BYTES} bytes",
                self.header.end,
            )
        self.begin = self.header.end + 2
        # the kinds came with version 2; a file that names no version is older than both
        self._bits = _WIDE if self._version() >= 2 or self._kind else _ATIS
        self.about["encoding"] = "dat"

    def _version(self) -> int:
        version = self.header.fields.get("version", "0")
        if not re.fullmatch(r"[0-9]{1,9}", version):
            raise EventFileError(self.path, f"has the version {version!r} in its header, which must be a number")
        return int(version)

    def fresh_state(self) -> np.ndarray:
        """See `RawSource.fresh_state`."""
        return np.zeros(3, np.int64)

    def decode(self, words: np.ndarray, place: int, state: np.ndarray, block: Columns) -> tuple[int, int, bool]:
        """See `RawSource.decode`."""
        if self._kind == _TRIGGERS:
            return len(words), 0, False
        return _decode(words, place, state, *self._bits, *block)

    def reason(self, word: int, event: int) -> str:
        """See `RawSource.reason`."""
        return f"event {event} has polarity {word >> 60}, not 0 or 1"

    def decode_triggers(self, words: np.ndarray, state: np.ndarray, block: tuple[np.ndarray, ...]) -> int:
        """See `RawSource.decode_triggers`."""
        return _triggers(words, state, *block) if self._kind == _TRIGGERS else 0


# places in the state; the first is that of events without a time, which this format does not have
_LAST, _WRAPPED = 1, 2


@njit(inline="always")
def _unwrapped(word, last, wrapped):
    time = np.int64(word & 0xFFFFFFFF)
    # a step back by more than half the range is the counter's wrap; a smaller one is events out of order
    if last - time > 0x80000000:
        wrapped += 1
    elif time - last > 0x80000000 and wrapped > 0:
        wrapped -= 1
    return time, wrapped


@njit(cache=True, nogil=True)
def _decode(words, place, state, bits_x, bits_y, t, x, y, p):
    last, wrapped = state[_LAST], state[_WRAPPED]
    count = 0
    while place < words.size and count < t.size:
        word = words[place]
        last, wrapped = _unwrapped(word, last, wrapped)
        address = np.int64(word >> 32)
        t[count] = (wrapped << 32) | last
        x[count] = address & ((1 << bits_x) - 1)
        y[count] = (address >> bits_x) & ((1 << bits_y) - 1)
        # four bits where the address has 14 + 14, of which ON uses one; the old address has one
        polarity = (address >> (bits_x + bits_y)) & (0xF if bits_x == 14 else 1)
        if polarity > 1:
            return place, count, True
        p[count] = polarity
        count += 1
        place += 1
    state[_LAST], state[_WRAPPED] = last, wrapped
    return place, count, False


@njit(cache=True, nogil=True)
def _triggers(words, state, t, channel, rising):
    last, wrapped = state[_LAST], state[_WRAPPED]
    for i in range(words.size):
        last, wrapped = _unwrapped(words[i], last, wrapped)
        t[i] = (wrapped << 32) | last
        channel[i], rising[i] = (words[i] >> 40) & 0x1F, (words[i] >> 32) & 1
    state[_LAST], state[_WRAPPED] = last, wrapped
    return words.size


def _is_dat(opening: Opening) -> bool:
    header = read_header(opening.head)
    if header is None or header.format not in ("", "dat"):
        return False
    kind = opening.head[header.end : header.end + 2]
    return len(kind) == 2 and kind[0] in (*_EVENTS, _TRIGGERS) and kind[1] == _BYTES


DAT = EventFormat(
    title="Prophesee DAT",
    suffixes=(".dat",),
    recognise=_is_dat,
    open=DatSource,
    source="docs.prophesee.ai, DAT file format; version 1: load_atis_data.m of the ATIS software",
    open_ended=True,
)
