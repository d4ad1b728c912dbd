"""Event arrays as dense images and grids: the input of frame-based and spiking networks.

All functions take the events of a half-open window `t_start <= t < t_end` in microseconds, ignore those outside it,
and return float32. With `out` they fill (and first clear) a given buffer instead of allocating one. The kernels run on
one thread and release the GIL, so data-loading workers and threads do not compete.
"""

from typing import Literal

import numpy as np
import numpy.typing as npt
from numba import njit

from spikelab.events.array import EventArray
from spikelab.events.check import microseconds

Image = npt.NDArray[np.float32]


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
    counts = prepare_output(out, (bins, 2, events.height, events.width))
    _count(events.x, events.y, events.p, _borders(events, start, duration, bins), counts)
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
    grid = prepare_output(out, shape)
    borders = _borders(events, start, duration, max(bins - 1, 1))
    scale = (bins - 1) / duration
    columns = (events.x, events.y, events.t, events.p)
    _spread(*columns, borders, start, scale, grid if separate else grid[:, None], separate)
    return grid


def prepare_output(out: Image | None, shape: tuple[int, ...]) -> Image:
    """Return a zeroed float32 array of the shape: `out` if it is given and fits, else a new one.

    Raises:
        ValueError: `out` has another shape or type, is not contiguous, or is read-only.
    """
    if out is None:
        return np.zeros(shape, np.float32)
    if not isinstance(out, np.ndarray) or out.shape != shape or out.dtype != np.float32:
        what = f"{out.dtype} {out.shape}" if isinstance(out, np.ndarray) else type(out).__name__
        raise ValueError(f"out must be a float32 array of shape {shape}, not {what}")
    if not out.flags.c_contiguous or not out.flags.writeable:
        raise ValueError("out must be contiguous (C order) and writable")
    out.fill(0.0)
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
    if end - start > np.iinfo(np.int64).max:
        raise ValueError(f"the window t_start = {start} us to t_end = {end} us is longer than int64 can count")
    return start, end - start


def _window(bins: int, t_start: int, t_end: int) -> tuple[int, int, int]:
    start, duration = check_window(t_start, t_end)
    if isinstance(bins, bool) or not isinstance(bins, int | np.integer):
        raise TypeError(f"bins = {bins!r} must be an integer")
    if bins < 1:
        raise ValueError(f"bins = {bins} must be at least 1")
    return start, duration, int(bins)


def _borders(events: EventArray, start: int, duration: int, parts: int) -> npt.NDArray[np.int64]:
    """Index of the first event of each part of the window, and one past the last event of the window."""
    # The events are sorted, so whole runs share a bin and no event needs a division of its own.
    # Python's integers cannot overflow; -(-a // b) rounds up.
    times = [start - (-k * duration // parts) for k in range(parts + 1)]
    return np.searchsorted(events.t, np.array(times, np.int64)).astype(np.int64)


@njit(cache=True, nogil=True)
def _count(x, y, p, borders, counts):
    for k in range(borders.size - 1):
        for i in range(borders[k], borders[k + 1]):
            counts[k, p[i], y[i], x[i]] += np.float32(1)


@njit(cache=True, nogil=True)
def _spread(x, y, t, p, borders, start, scale, grid, separate):
    last = grid.shape[0] - 1
    for k in range(borders.size - 1):
        for i in range(borders[k], borders[k + 1]):
            weight = min(max((t[i] - start) * scale - k, 0.0), 1.0)
            channel = p[i] if separate else np.uint8(0)
            sign = 1.0 if separate or p[i] else -1.0
            grid[k, channel, y[i], x[i]] += np.float32(sign * (1.0 - weight))
            if k < last:
                grid[k + 1, channel, y[i], x[i]] += np.float32(sign * weight)
