"""The loops that put events into pictures: compiled, on one thread, without the GIL.

A picture that lies in the second-level cache takes one addition in about half a nanosecond, and that is nearly all
that is left to do here. Events are sorted by time, so a bin is a stretch of them: no event needs a division to find its
bin. A stretch is taken in short runs: first where in the picture each event goes and what it adds, which a processor
does for many events at once, then the additions.
"""

import numpy as np
from numba import njit

_RUN = 512  # events; what is kept of a run stays in the first-level cache
_CHUNK = 2**17  # events whose times and number fit into one integer together, see `_add_packed`
_MANY = 0.75  # events for each pixel and bin, from which on such integers pay: measured for 10 x 10 to 1280 x 720
_TIME_BITS = 27  # of a time within a bin, in such an integer: more than a float32 tells apart
_SUM_BITS = 45  # of the sum of so many such times, with its sign; the number of events has the rest


@njit(cache=True, nogil=True)
def count(x, y, t, p, start, duration, counts, clear):
    """Count events: `counts` is `[bins * 2, H, W]`, OFF and ON in turn; `clear` says that it may hold anything."""
    planes, height, width = counts.shape
    bins = planes // 2
    flat = counts.reshape(bins, 2 * height * width)
    borders = _borders(t, start, duration, bins)
    places, plane = np.empty(_RUN, np.uint32), np.uint64(width * height)
    for k in range(bins):
        bin_of = flat[k]
        if clear:
            bin_of[:] = 0  # here, it is still in the cache when it is filled
        for first in range(borders[k], borders[k + 1], _RUN):
            run = slice(first, min(first + _RUN, borders[k + 1]))
            signs = p[run]
            _places(x[run], y[run], width, places)
            for i in range(signs.size):
                bin_of[np.uint64(places[i]) + plane * np.uint64(signs[i])] += np.float32(1)


@njit(cache=True, nogil=True)
def spread(x, y, t, p, start, duration, grid, separate, clear):
    """Spread events over two bins each: `grid` is `[bins, H, W]`, or `[bins * 2, H, W]` if OFF and ON are separate."""
    planes, height, width = grid.shape
    bins = planes // 2 if separate else planes
    flat = grid.reshape(bins, grid.size // bins)
    borders = _borders(t, start, duration, max(bins - 1, 1))
    if bins == 1 or borders[-1] - borders[0] < _MANY * flat[1:].size:
        _add(x, y, t, p, start, duration, borders, flat, width, height, separate, clear)
    else:
        _add_packed(x, y, t, p, start, duration, borders, flat, width, height, separate, clear)


@njit(cache=True, nogil=True)
def _add(x, y, t, p, start, duration, borders, grid, width, height, separate, clear):
    """Adds each event to its bin and to the next one: best if there are few events for each pixel.

    A single bin has no next one: the weights of that are zero.
    """
    last = grid.shape[0] - 1
    parts = max(last, 1)
    places, plane = np.empty(_RUN, np.uint32), np.uint64(width * height)
    weights = np.empty(2 * _RUN, np.float32)
    near, far = weights[:_RUN], weights[_RUN:]
    # more than 31 bits of time within a bin are more than a weight can tell apart
    shift, scale = _shift(duration // parts, 31), last / duration
    factor = np.float32(scale * (np.int64(1) << shift))
    if clear:
        grid[0] = 0  # each is cleared just before it is filled: then it is still in the cache
    for k in range(parts):
        near_bin, far_bin = grid[k], grid[min(k + 1, last)]
        if clear and k < last:
            far_bin[:] = 0
        begin, before = _begin(k, start, duration, parts)
        offset = np.float32(-before * scale)
        for first in range(borders[k], borders[k + 1], _RUN):
            run = slice(first, min(first + _RUN, borders[k + 1]))
            signs = p[run]
            _places(x[run], y[run], width, places)
            _weights(t[run], signs, begin, shift, factor, offset, separate, near, far)
            if separate:
                for i in range(signs.size):
                    place = np.uint64(places[i]) + plane * np.uint64(signs[i])
                    near_bin[place] += near[i]
                    far_bin[place] += far[i]
            else:
                for i in range(signs.size):
                    place = np.uint64(places[i])
                    near_bin[place] += near[i]
                    far_bin[place] += far[i]


@njit(cache=True, nogil=True)
def _add_packed(x, y, t, p, start, duration, borders, grid, width, height, separate, clear):
    """The same with one exact addition an event, of its number (1 or -1) and its time in one integer.

    What the pixels have in both bins follows from these sums, which pays if there are many events for each pixel.
    """
    parts = grid.shape[0] - 1
    places, plane = np.empty(_RUN, np.uint32), np.uint64(width * height)
    values, sums = np.empty(_RUN, np.int64), np.zeros(grid.shape[1], np.int64)
    shift, scale = _shift(duration // parts, _TIME_BITS), parts / duration
    factor = np.float32(scale * (np.int64(1) << shift))
    if clear:
        grid[0] = 0
    for k in range(parts):
        if clear:
            grid[k + 1] = 0
        begin, before = _begin(k, start, duration, parts)
        offset = np.float32(-before * scale)
        for begin_chunk in range(borders[k], borders[k + 1], _CHUNK):
            end_chunk = min(begin_chunk + _CHUNK, borders[k + 1])
            for first in range(begin_chunk, end_chunk, _RUN):
                run = slice(first, min(first + _RUN, end_chunk))
                signs = p[run]
                _places(x[run], y[run], width, places)
                _pack(t[run], signs, begin, shift, separate, values)
                if separate:
                    for i in range(signs.size):
                        sums[np.uint64(places[i]) + plane * np.uint64(signs[i])] += values[i]
                else:
                    for i in range(signs.size):
                        sums[np.uint64(places[i])] += values[i]
            _unpack(sums, grid[k], grid[k + 1], factor, offset, separate)


@njit(cache=True, nogil=True)
def _pack(t, p, begin, shift, separate, values):
    one = np.int64(1) << _SUM_BITS
    if separate:
        for i in range(t.size):
            values[i] = one + ((t[i] - begin) >> shift)
    else:
        for i in range(t.size):
            ones_if_off = np.int64(p[i]) - 1
            values[i] = ((one + ((t[i] - begin) >> shift)) ^ ones_if_off) - ones_if_off


@njit(cache=True, nogil=True)
def _unpack(sums, near_bin, far_bin, scale, offset, separate):
    rest = 64 - _SUM_BITS
    for i in range(sums.size):
        time = (sums[i] << rest) >> rest
        number = np.float32(np.int32((sums[i] - time) >> _SUM_BITS))
        late = np.float32(time) * scale + number * offset
        if separate:
            late = min(max(late, np.float32(0)), number)
        near_bin[i] += number - late
        far_bin[i] += late
        sums[i] = 0


@njit(cache=True, nogil=True)
def _weights(t, p, begin, shift, scale, offset, separate, near, far):
    """What each event adds to its bin and to the next one; both together add up to its sign."""
    for i in range(p.size):
        # as int32: processors turn several of those into floating point at once
        time = np.float32(np.int32((t[i] - begin) >> shift))
        weight = min(max(time * scale + offset, np.float32(0)), np.float32(1))
        sign = _sign(p[i], separate)
        far[i] = sign * weight
        near[i] = sign - far[i]


@njit(cache=True, nogil=True)
def _sign(polarity, separate):
    return np.float32(1) if separate else np.float32(2) * np.float32(np.int32(polarity)) - np.float32(1)


@njit(cache=True, nogil=True)
def _places(x, y, width, places):
    """Where in the picture of one polarity each event goes: 32 bits, as sides have 16, are faster to fetch than 64."""
    for i in range(x.size):
        places[i] = np.uint64(y[i]) * np.uint64(width) + np.uint64(x[i])


@njit(cache=True, nogil=True)
def _begin(k, start, duration, parts):
    """Where part `k` of the window begins: a whole microsecond, and the fraction of one that is still before it."""
    whole, rest = duration // parts, k * (duration % parts)
    return start + k * whole + rest // parts, (rest % parts) / parts


@njit(cache=True, nogil=True)
def _shift(longest, bits):
    """How many of the last bits of a time within a part to leave out, so that `bits` are left at most."""
    shift = 0
    while longest >> shift >= (np.int64(1) << bits) - 1:
        shift += 1
    return shift


@njit(cache=True, nogil=True)
def _borders(t, start, duration, parts):
    """Index of the first event of each part of the window, and one past the last event of the window.

    The events are sorted, so whole runs share a bin and no event needs a division of its own.
    """
    borders = np.empty(parts + 1, np.int64)
    whole, rest = duration // parts, duration % parts
    for k in range(parts + 1):
        # the first whole microsecond of the part, without a product that could overflow
        time = start + k * whole + (k * rest + parts - 1) // parts
        low, high = np.int64(0) if k == 0 else borders[k - 1], np.int64(t.size)
        while low < high:
            middle = (low + high) // 2
            if t[middle] < time:
                low = middle + 1
            else:
                high = middle
        borders[k] = low
    return borders
