"""Prophesee EVT 3.0: words of 16 bits that say only what has changed.

A word of one kind sets the row, another the upper or lower half of the time, others a single event, or a mask of up to
twelve neighbours in a row. Time has 24 bits and wraps every 16.8 s; it is unwrapped.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from spikelab.events.files.source import Columns, EventFormat
from spikelab.events.formats.prophesee.prophesee import RawSource, is_raw

# kinds of words, their upper four bits
_ROW, _EVENT, _BASE, _MASK_12, _MASK_8 = 0x0, 0x2, 0x3, 0x4, 0x5
_TIME_LOW, _CONTINUED_4, _TIME_HIGH, _TRIGGER, _OTHERS, _CONTINUED_12 = 0x6, 0x7, 0x8, 0xA, 0xE, 0xF
_UNKNOWN = -1

# places in the state
_WITHOUT_TIME, _HIGH, _TIME, _WRAPPED, _Y, _X, _POLARITY = range(7)


class Evt3Source(RawSource):
    """A file of EVT 3.0."""

    word = np.dtype("<u2")
    most = 12

    def fresh_state(self) -> np.ndarray:
        """See `RawSource.fresh_state`."""
        return fresh_state()

    def decode(self, words: np.ndarray, place: int, state: np.ndarray, block: Columns) -> tuple[int, int, bool]:
        """See `RawSource.decode`."""
        return decode(words, place, state, *block)

    def decode_triggers(self, words: np.ndarray, state: np.ndarray, block: tuple[np.ndarray, ...]) -> int:
        """See `RawSource.decode_triggers`."""
        return decode_triggers(words, state, *block)


def fresh_state() -> np.ndarray:
    """State of the decoder before the first word; entry 0 counts the events without a time."""
    state = np.zeros(7, np.int64)
    state[_HIGH] = state[_TIME] = _UNKNOWN
    return state


@njit(inline="always")
def _with_high(word, high, wrapped):
    """Upper half of the time and number of wraps, after a word that sets it."""
    new = np.int64(word & 0xFFF)
    # a step back by more than half the range is the counter's wrap; a smaller one is events out of order
    if high - new > 0x800:
        wrapped += 1
    elif new - high > 0x800 and wrapped > 0 and high >= 0:
        wrapped -= 1
    return new, wrapped


@njit(cache=True, nogil=True)
def decode(words, place, state, t, x, y, p):
    """Fill columns from a word on; gives where it stopped, the events, and whether the word there is none."""
    without_time, high, time = state[_WITHOUT_TIME], state[_HIGH], state[_TIME]
    wrapped, row, base, polarity = state[_WRAPPED], state[_Y], state[_X], state[_POLARITY]
    room = t.size - 12
    count = 0
    bad = False
    while place < words.size and count <= room:
        word = words[place]
        kind = word >> 12
        if kind == _EVENT:
            t[count], y[count] = time, row
            x[count], p[count] = word & 0x7FF, (word >> 11) & 1
            count += 1
        elif kind == _ROW:
            row = np.int64(word & 0x7FF)
        elif kind == _MASK_12 or kind == _MASK_8:
            mask = word & (0xFFF if kind == _MASK_12 else 0xFF)
            offset = base
            while mask:
                # written in any case, and counted only where the bit is set: faster than a branch
                t[count], x[count], y[count], p[count] = time, offset, row, polarity
                count += mask & 1
                mask >>= 1
                offset += 1
            base += 12 if kind == _MASK_12 else 8
        elif kind == _BASE:
            base, polarity = np.int64(word & 0x7FF), np.int64((word >> 11) & 1)
        elif kind == _TIME_LOW:
            if high >= 0:
                time = (wrapped << 24) | (high << 12) | np.int64(word & 0xFFF)
        elif kind == _TIME_HIGH:
            before = high
            high, wrapped = _with_high(word, high, wrapped)
            if high != before:
                time = (wrapped << 24) | (high << 12)
        elif kind != _CONTINUED_4 and kind != _CONTINUED_12 and kind != _TRIGGER and kind != _OTHERS:
            bad = True
            break
        if time < 0 and count:
            without_time += count
            count = 0
        place += 1
    state[_WITHOUT_TIME], state[_HIGH], state[_TIME] = without_time, high, time
    state[_WRAPPED], state[_Y], state[_X], state[_POLARITY] = wrapped, row, base, polarity
    return place, count, bad


@njit(cache=True, nogil=True)
def decode_triggers(words, state, t, channel, rising):
    """Find the triggers among words; gives their number."""
    high, time, wrapped = state[_HIGH], state[_TIME], state[_WRAPPED]
    count = 0
    for word in words:
        kind = word >> 12
        if kind == _TIME_LOW and high >= 0:
            time = (wrapped << 24) | (high << 12) | np.int64(word & 0xFFF)
        elif kind == _TIME_HIGH:
            before = high
            high, wrapped = _with_high(word, high, wrapped)
            if high != before:
                time = (wrapped << 24) | (high << 12)
        elif kind == _TRIGGER and time >= 0:
            t[count], channel[count], rising[count] = time, (word >> 8) & 0xF, word & 1
            count += 1
    state[_HIGH], state[_TIME], state[_WRAPPED] = high, time, wrapped
    return count


EVT3 = EventFormat(
    title="Prophesee EVT 3.0",
    suffixes=(".raw",),
    recognise=lambda opening: is_raw(opening, "evt3"),
    open=Evt3Source,
    source="docs.prophesee.ai, EVT 3.0 format",
    open_ended=True,
)
