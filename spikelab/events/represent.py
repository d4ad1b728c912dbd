"""Event arrays as dense images and grids: the input of frame-based and spiking networks.

All functions take the events of a half-open window `t_start <= t < t_end` in microseconds, ignore those outside it,
and return float32. With `out` they fill (and first clear) a given buffer instead of allocating one. The kernels run on
one thread and release the GIL, so data-loading workers and threads do not compete.

Kernels go through the events in short runs: first where in the image each event goes and what it adds, which a
processor does for several events at once, then the additions: three to four times as fast as one loop over both.
"""

from typing import Literal

import numpy as np
import numpy.typing as npt
from numba import njit

from spikelab.events.array import EventArray
from spikelab.events.check import microseconds

Image = npt.NDArray[np.float32]

_RUN = 1024  # events; what is kept of a run stays in the first-level cache


def event_counts(events: EventArray, bins: int, t_start: int, t_end: int, out: Image | None = None) -> Image:
    """Count the events of each pixel, polarity and time bin.

    Bin `k` holds the events with `floor((t - t_start) * bins / (t_end - t_start)) == k`, decided in integers, so an
    event on a border always falls into the later bin.

    Args:
        events: The events.
        bins: Number of time bins of equal length.
        t_start: Start of the window in microseconds.
        t_end: End of the window in microseconds, not included.
        out: Buffer for the result, `[bins, 2, H, W]`, float32, contiguous.

    Returns:
        Counts, `[bins, 2, H, W]`; channel 0 is OFF, channel 1 is ON.

    Raises:
        TypeError: A time or `bins` is not an integer.
        ValueError: The window is empty, `bins` is below 1, or `out` does not fit.
    """
    start, duration, bins = _window(bins, t_start, t_end)
    counts = output_array(out, (bins, 2, events.height, events.width))
    columns = (events.x, events.y, events.t, events.p)
    _count(*columns, start, duration, counts.reshape(bins, -1), events.width, events.height)
    return counts


def voxel_grid(
    events: EventArray,
    bins: int,
    t_start: int,
    t_end: int,
    polarity: Literal["signed", "separate"] = "signed",
    out: Image | None = None,
) -> Image:
    """Spread each event over the two nearest time bins, with bilinear weights.

    An event lies at `t* = (bins - 1) (t - t_start) / (t_end - t_start)` and adds `max(0, 1 - |k - t*|)` to bin `k`
    (Zhu et al. 2019, "Unsupervised event-based learning of optical flow, depth and egomotion", section 3.1, where the
    window is that of the first and last event). The weights of an event add up to one, so nothing is lost at the
    borders; the first and the last bin reach over half as much time as the others. One bin takes every event whole.

    Args:
        events: The events.
        bins: Number of time bins.
        t_start: Start of the window in microseconds.
        t_end: End of the window in microseconds, not included.
        polarity: "signed" adds ON events and subtracts OFF events; "separate" keeps them apart, both positive.
        out: Buffer for the result, float32, contiguous.

    Returns:
        `[bins, H, W]` if signed, `[bins, 2, H, W]` if separate (channel 0 is OFF, channel 1 is ON).

    Raises:
        TypeError: A time or `bins` is not an integer.
        ValueError: The window is empty, `bins` is below 1, `polarity` is unknown, or `out` does not fit.
    """
    start, duration, bins = _window(bins, t_start, t_end)
    if polarity not in ("signed", "separate"):
        raise ValueError(f'polarity = {polarity!r} must be "signed" or "separate"')
    separate = polarity == "separate"
    shape = (bins, 2, events.height, events.width) if separate else (bins, events.height, events.width)
    grid = output_array(out, shape)
    columns = (events.x, events.y, events.t, events.p)
    _spread(*columns, start, duration, grid.reshape(bins, -1), events.width, events.height, separate)
    return grid


def prepare_output(out: Image | None, shape: tuple[int, ...]) -> Image:
    """Return a zeroed float32 array of the shape: `out` if it is given and fits, else a new one.

    Raises:
        ValueError: `out` has another shape or type, is not contiguous, or is read-only.
    """
    array = output_array(out, shape)
    array.fill(0.0)
    return array


def output_array(out: Image | None, shape: tuple[int, ...]) -> Image:
    """As `prepare_output`, but with anything in it: for kernels that clear each part just before they fill it.

    Raises:
        ValueError: `out` has another shape or type, is not contiguous, or is read-only.
    """
    if out is None:
        return np.empty(shape, np.float32)
    if not isinstance(out, np.ndarray) or out.shape != shape or out.dtype != np.float32:
        what = f"{out.dtype} {out.shape}" if isinstance(out, np.ndarray) else type(out).__name__
        raise ValueError(f"out must be a float32 array of shape {shape}, not {what}")
    if not out.flags.c_contiguous or not out.flags.writeable:
        raise ValueError("out must be contiguous (C order) and writable")
    return out


def check_window(t_start: int, t_end: int) -> tuple[int, int]:
    """Return start and duration of a window in microseconds.

    Raises:
        TypeError: A time is not an integer.
        ValueError: The window holds no time at all.
    """
    start, end = microseconds("t_start", t_start), microseconds("t_end", t_end)
    if end <= start:
        raise ValueError(f"the window t_start = {start} us to t_end = {end} us is empty: t_end must be later")
    if end - start >= 2**63:
        raise ValueError(f"the window t_start = {start} us to t_end = {end} us is longer than int64 can count")
    return start, end - start


def _window(bins: int, t_start: int, t_end: int) -> tuple[int, int, int]:
    start, duration = check_window(t_start, t_end)
    if type(bins) is int and bins >= 1:
        return start, duration, bins
    if isinstance(bins, bool) or not isinstance(bins, int | np.integer):
        raise TypeError(f"bins = {bins!r} must be an integer")
    if bins < 1:
        raise ValueError(f"bins = {bins} must be at least 1")
    return start, duration, int(bins)


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


@njit(cache=True, nogil=True)
def _places(x, y, p, width, plane, places):
    """Where each event goes within the pictures of a bin; OFF and ON lie `plane` apart."""
    for i in range(x.size):
        places[i] = np.uint64(y[i]) * width + np.uint64(x[i]) + np.uint64(p[i]) * plane


@njit(cache=True, nogil=True)
def _count(x, y, t, p, start, duration, counts, width, height):
    width, plane = np.uint64(width), np.uint64(width * height)
    borders = _borders(t, start, duration, counts.shape[0])
    places = np.empty(_RUN, np.uint64)
    for k in range(borders.size - 1):
        bin_of = counts[k]
        bin_of[:] = 0  # cleared here, it is still in the cache when it is filled
        for first in range(borders[k], borders[k + 1], _RUN):
            run = slice(first, min(first + _RUN, borders[k + 1]))
            _places(x[run], y[run], p[run], width, plane, places)
            for i in range(x[run].size):
                bin_of[places[i]] += np.float32(1)


@njit(cache=True, nogil=True)
def _times_in_bin(t, begin, shift, times):
    """Times since the bin began, as int32: processors turn several of those into floating point at once."""
    for i in range(t.size):
        times[i] = np.int32((t[i] - begin) >> shift)


@njit(cache=True, nogil=True)
def _weights(times, p, scale, offset, separate, near, far):
    """What each event adds to its bin and to the next one; both together add up to its sign."""
    for i in range(p.size):
        weight = min(max(np.float32(times[i]) * scale + offset, np.float32(0)), np.float32(1))
        sign = np.float32(1) if separate else np.float32(2) * np.float32(p[i]) - np.float32(1)
        far[i] = sign * weight
        near[i] = sign - far[i]


@njit(cache=True, nogil=True)
def _spread(x, y, t, p, start, duration, grid, width, height, separate):
    last = grid.shape[0] - 1
    parts = max(last, 1)
    borders = _borders(t, start, duration, parts)
    width, plane = np.uint64(width), np.uint64(width * height if separate else 0)
    places, times = np.empty(_RUN, np.uint64), np.empty(_RUN, np.int32)
    near, far = np.empty(_RUN, np.float32), np.empty(_RUN, np.float32)
    # more than 31 bits of time within a bin are more than a weight can tell apart
    shift = 0
    while (duration // parts) >> shift >= 2**31 - 1:
        shift += 1
    scale = np.float32(last / duration * 2.0**shift)
    grid[0] = 0  # each is cleared just before it is filled: then it is still in the cache
    for k in range(parts):
        bin_of, next_bin = grid[k], grid[min(k + 1, last)]
        if k < last:
            next_bin[:] = 0
        whole, rest = duration // parts, k * (duration % parts)
        begin = start + k * whole + rest // parts
        offset = np.float32(-(rest % parts) / parts * (last / duration))
        for first in range(borders[k], borders[k + 1], _RUN):
            run = slice(first, min(first + _RUN, borders[k + 1]))
            count = x[run].size
            _places(x[run], y[run], p[run], width, plane, places)
            _times_in_bin(t[run], begin, shift, times)
            _weights(times, p[run], scale, offset, separate, near, far)
            for i in range(count):
                bin_of[places[i]] += near[i]
            if k < last:
                for i in range(count):
                    next_bin[places[i]] += far[i]
