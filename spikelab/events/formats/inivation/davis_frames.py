"""Pictures of DAVIS cameras in AEDAT 2.0, put together of the samples of their pixels.

Each pixel is sampled twice: at its reset, and after the exposure. The difference is its brightness. With a global
shutter all resets come first; with a rolling one, resets of later columns come between the second samples of earlier
ones.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numba import njit

from spikelab.events.files.source import Frame

_NOT_SAMPLED = -1
_FIRST_RESET, _LAST_RESET, _FIRST_SIGNAL, _RESETS, _SIGNALS, _ROLLING, _ALONE = range(7)


class FrameAssembler:
    """Collects samples until a picture is whole.

    Args:
        width: of the sensor in pixels.
        height: of the sensor in pixels.

    Attributes:
        incomplete: number of pictures of which samples were missing.
    """

    def __init__(self, width: int, height: int):
        self.incomplete = 0
        self._reset = np.full((height, width), _NOT_SAMPLED, np.int32)
        self._signal = np.full((height, width), _NOT_SAMPLED, np.int32)
        self._state = np.zeros(7, np.int64)
        self._clear()

    def push(self, address: np.ndarray, t: np.ndarray) -> Iterator[Frame]:
        """Take samples, give the pictures that became whole."""
        place = 0
        while place < len(address):
            place, whole = _collect(address, t, place, self._reset, self._signal, self._state)
            if whole:
                yield from self.finish()

    def finish(self) -> Iterator[Frame]:
        """The picture that was begun, if all its pixels have both samples; 0 where no pixel was read."""
        resets, signals = self._state[_RESETS], self._state[_SIGNALS]
        if resets and resets == signals and not self._state[_ALONE]:
            image = np.maximum(self._reset - self._signal, 0).astype(np.uint16)
            begin = int(self._state[_FIRST_RESET if self._state[_ROLLING] else _LAST_RESET])
            end = int(self._state[_FIRST_SIGNAL])
            yield Frame(image, (begin + end) // 2, (begin, end))
        elif resets or self._state[_ALONE]:
            self.incomplete += 1
        self._clear()

    def _clear(self) -> None:
        self._reset.fill(_NOT_SAMPLED)
        self._signal.fill(_NOT_SAMPLED)
        self._state.fill(0)


@njit(cache=True, nogil=True)
def _collect(address, times, place, reset, signal, state):
    """Place samples from a place on, until a picture is whole or another begins."""
    height, width = reset.shape
    while place < address.size:
        word, t = address[place], times[place]
        x, y = np.int64((word >> 12) & 0x3FF), height - 1 - np.int64((word >> 22) & 0x1FF)
        kind = (word >> 10) & 3
        if kind > 1 or x >= width or y < 0:
            place += 1
            continue
        if kind == 0:
            # a second reset of a pixel begins the next picture: this one lacks something, or is of a part of the sensor
            if reset[y, x] >= 0 or (state[_RESETS] == 0 and state[_ALONE] > 0):
                return place, True
            if state[_RESETS] == 0:
                state[_FIRST_RESET] = t
            state[_LAST_RESET] = t
            state[_RESETS] += 1
            if state[_SIGNALS] > 0:
                state[_ROLLING] = 1
            reset[y, x] = word & 0x3FF
        elif reset[y, x] < 0:
            state[_ALONE] += 1  # its reset came before the recording began, or was lost
        else:
            if state[_SIGNALS] == 0:
                state[_FIRST_SIGNAL] = t
            if signal[y, x] < 0:
                state[_SIGNALS] += 1
            signal[y, x] = word & 0x3FF
        place += 1
        if state[_ALONE] == 0 and state[_RESETS] == state[_SIGNALS] == height * width:
            return place, True
    return place, False
