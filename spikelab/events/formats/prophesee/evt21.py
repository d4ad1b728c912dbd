"""Prophesee EVT 2.1: words of 64 bits, half of them a word of EVT 2.0 and half a mask of up to 32 neighbours in a row.

Cameras with the sensors IMX636 and IMX646 send the half with the kind first (``endianness=legacy`` in the header);
later ones send the whole word with its lower half first (``endianness=little``).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numba import njit

from spikelab.events.files.errors import EventFileError
from spikelab.events.files.source import HEAD, Columns, EventFormat
from spikelab.events.formats.prophesee.evt2 import (
    CONTINUED,
    HIGH,
    OFF,
    ON,
    OTHERS,
    TIME_HIGH,
    TRIGGER,
    WITHOUT_TIME,
    WRAPPED,
    find_triggers,
    with_high,
)
from spikelab.events.formats.prophesee.prophesee import RawSource, is_raw

_PLACES = {"legacy": 0, "little": 1}
"""Which 32 bits of a word in the file hold its kind."""


class Evt21Source(RawSource):
    """A file of EVT 2.1.

    Raises:
        EventFileError: if neither the header nor the words tell the order of their halves.
    """

    word = np.dtype("<u8")
    most = 32

    def __init__(self, path: Path, stream: str | None = None):
        super().__init__(path, stream)
        order = self.header.options.get("endianness") or _order_by_words(path, self.header.end)
        if order not in _PLACES:
            said = "does not say the order of its words" if order is None else f"says endianness={order}"
            raise EventFileError(
                path,
                f"the header {said}; the line '% format EVT21;endianness=...' must say one of {', '.join(_PLACES)}",
            )
        self._place = _PLACES[order]
        self.about["endianness"] = order

    def fresh_state(self) -> np.ndarray:
        """See `RawSource.fresh_state`."""
        return np.array([0, -1, 0], np.int64)

    def decode(self, words: np.ndarray, place: int, state: np.ndarray, block: Columns) -> tuple[int, int, bool]:
        """See `RawSource.decode`."""
        return _decode(_halves(words), self._place, place, state, *block)

    def decode_triggers(self, words: np.ndarray, state: np.ndarray, block: tuple[np.ndarray, ...]) -> int:
        """See `RawSource.decode_triggers`."""
        return find_triggers(_halves(words)[:, self._place], state, *block)


def _halves(words: np.ndarray) -> np.ndarray:
    return words.view("<u4").reshape(-1, 2)


def _order_by_words(path: Path, begin: int) -> str | None:
    """Order of the halves by the words themselves: only one of them gives known kinds and a time that runs forwards."""
    with open(path, "rb") as file:
        file.seek(begin)
        halves = _halves(np.fromfile(file, "<u8", HEAD // 8))
    fitting = [order for order, place in _PLACES.items() if _makes_sense(halves[:, place])]
    return fitting[0] if len(fitting) == 1 else None


def _makes_sense(heads: np.ndarray) -> bool:
    kinds = heads >> 28
    times = (heads[kinds == TIME_HIGH] & 0xFFFFFFF).astype(np.int64)
    if not np.isin(kinds, (OFF, ON, TIME_HIGH, TRIGGER, OTHERS, CONTINUED)).all() or not len(times):
        return False
    return int((np.diff(times) < 0).sum()) <= len(times) // 10  # late words are rare, but they happen


@njit(cache=True, nogil=True)
def _decode(halves, head, place, state, t, x, y, p):
    without_time, high, wrapped = state[WITHOUT_TIME], state[HIGH], state[WRAPPED]
    room = t.size - 32
    count = 0
    bad = False
    while place < halves.shape[0] and count <= room:
        word = halves[place, head]
        kind = word >> 28
        if kind <= ON:
            mask = halves[place, 1 - head]
            before = count
            time = (wrapped << 34) | (high << 6) | np.int64((word >> 22) & 0x3F)
            column, row = (word >> 11) & 0x7FF, word & 0x7FF
            while mask:
                # written in any case, and counted only where the bit is set: faster than a branch
                t[count], x[count], y[count], p[count] = time, column, row, kind
                count += mask & 1
                mask >>= 1
                column += 1
            if high < 0:
                without_time += count - before
                count = before
        elif kind == TIME_HIGH:
            high, wrapped = with_high(word, high, wrapped)
        elif kind != TRIGGER and kind != OTHERS and kind != CONTINUED:
            bad = True
            break
        place += 1
    state[WITHOUT_TIME], state[HIGH], state[WRAPPED] = without_time, high, wrapped
    return place, count, bad


EVT21 = EventFormat(
    title="Prophesee EVT 2.1",
    suffixes=(".raw",),
    recognise=lambda opening: is_raw(opening, "evt21"),
    open=Evt21Source,
    source="docs.prophesee.ai, EVT 2.1 format",
    open_ended=True,
)
