"""Prophesee EVT 2.0: words of 32 bits, each a whole event with the lower six bits of its time.

Other words set the upper 28 bits of the time. Together they have 34 bits and wrap after 4.8 hours; they are unwrapped.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from spikelab.events.files.source import Columns, EventFormat
from spikelab.events.formats.prophesee.prophesee import RawSource, is_raw

# kinds of words, their upper four bits; those of EVT 2.1 are the same
OFF, ON, TIME_HIGH, TRIGGER, OTHERS, CONTINUED = 0x0, 0x1, 0x8, 0xA, 0xE, 0xF

_HALF = 1 << 27
"""Half the range of the upper part of the time."""

# places in the state
WITHOUT_TIME, HIGH, WRAPPED = range(3)


class Evt2Source(RawSource):
    """A file of EVT 2.0."""

    word = np.dtype("<u4")
    most = 1

    def fresh_state(self) -> np.ndarray:
        """See `RawSource.fresh_state`."""
        return np.array([0, -1, 0], np.int64)

    def decode(self, words: np.ndarray, place: int, state: np.ndarray, block: Columns) -> tuple[int, int, bool]:
        """See `RawSource.decode`."""
        return _decode(words, place, state, *block)

    def decode_triggers(self, words: np.ndarray, state: np.ndarray, block: tuple[np.ndarray, ...]) -> int:
        """See `RawSource.decode_triggers`."""
        return find_triggers(words, state, *block)


@njit(inline="always")
def with_high(word, high, wrapped):
    """Upper part of the time and number of wraps, after a word that sets it."""
    new = np.int64(word & 0xFFFFFFF)
    # a step back by more than half the range is the counter's wrap; a smaller one is events out of order
    if high - new > _HALF:
        wrapped += 1
    elif new - high > _HALF and wrapped > 0 and high >= 0:
        wrapped -= 1
    return new, wrapped


@njit(cache=True, nogil=True)
def _decode(words, place, state, t, x, y, p):
    without_time, high, wrapped = state[WITHOUT_TIME], state[HIGH], state[WRAPPED]
    count = 0
    bad = False
    while place < words.size and count < t.size:
        word = words[place]
        kind = word >> 28
        if kind <= ON:
            if high >= 0:
                t[count] = (wrapped << 34) | (high << 6) | np.int64((word >> 22) & 0x3F)
                x[count], y[count], p[count] = (word >> 11) & 0x7FF, word & 0x7FF, kind
                count += 1
            else:
                without_time += 1
        elif kind == TIME_HIGH:
            high, wrapped = with_high(word, high, wrapped)
        elif kind != TRIGGER and kind != OTHERS and kind != CONTINUED:
            bad = True
            break
        place += 1
    state[WITHOUT_TIME], state[HIGH], state[WRAPPED] = without_time, high, wrapped
    return place, count, bad


@njit(cache=True, nogil=True)
def find_triggers(words, state, t, channel, rising):
    """Triggers among words of EVT 2.0, or among those halves of EVT 2.1 that are like them; gives their number."""
    high, wrapped = state[HIGH], state[WRAPPED]
    count = 0
    for word in words:
        kind = word >> 28
        if kind == TIME_HIGH:
            high, wrapped = with_high(word, high, wrapped)
        elif kind == TRIGGER and high >= 0:
            t[count] = (wrapped << 34) | (high << 6) | np.int64((word >> 22) & 0x3F)
            channel[count], rising[count] = (word >> 8) & 0x1F, word & 1
            count += 1
    state[HIGH], state[WRAPPED] = high, wrapped
    return count


EVT2 = EventFormat(
    title="Prophesee EVT 2.0",
    suffixes=(".raw",),
    recognise=lambda opening: is_raw(opening, "evt2"),
    open=Evt2Source,
    source="docs.prophesee.ai, EVT 2.0 format",
    open_ended=True,
)
