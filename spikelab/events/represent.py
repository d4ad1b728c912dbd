"""Event arrays as dense images and grids: the input of frame-based and spiking networks.

All functions take the events of a half-open window `t_start <= t < t_end` in microseconds, ignore those outside it,
and return float32. With `out` they fill (and first clear) a given buffer instead of allocating one: in a loop over a
recording that spares the system handing out and clearing memory anew. The kernels (`spikelab.events.scatter`) run on
one thread and release the GIL, so data-loading workers and threads do not compete.
"""

import mmap
from typing import Literal

import numpy as np
import numpy.typing as npt

from spikelab.events import scatter
from spikelab.events.array import EventArray
from spikelab.events.check import microseconds

Image = npt.NDArray[np.float32]

_LARGE = 2**25  # bytes; glibc asks the system for each array above this anew, see M_MMAP_THRESHOLD in mallopt(3)
_HUGE_PAGE = 2**21  # bytes
_HUGE_PAGES = hasattr(mmap, "MADV_HUGEPAGE")
_FAR = 2**62  # microseconds; differences of times nearer than this fit into int64


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
    height, width = events.height, events.width
    counts, clear = _output(out, (bins, 2, height, width))
    planes = counts.reshape(2 * bins, height, width)
    scatter.count(events.x, events.y, events.t, events.p, start, duration, planes, clear)
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
    Sums are taken in float32, or in integers and then rounded once where there are many events for each pixel.

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
    height, width = events.height, events.width
    separate = polarity == "separate"
    grid, clear = _output(out, (bins, 2, height, width) if separate else (bins, height, width))
    planes = grid.reshape(2 * bins, height, width) if separate else grid
    scatter.spread(events.x, events.y, events.t, events.p, start, duration, planes, separate, clear)
    return grid


def prepare_output(out: Image | None, shape: tuple[int, ...]) -> Image:
    """Return a zeroed float32 array of the shape: `out` if it is given and fits, else a new one.

    Raises:
        ValueError: `out` has another shape or type, is not contiguous or not aligned, or is read-only.
    """
    array, clear = _output(out, shape)
    if clear:
        array.fill(0.0)
    return array


def _output(out: Image | None, shape: tuple[int, ...]) -> tuple[Image, bool]:
    """As `prepare_output`, but not cleared: kernels clear each part just before they fill it. And whether they must."""
    if out is None:
        array = np.empty(shape, np.float32)
        return (array, True) if array.nbytes < _LARGE else _from_system(array)
    if not isinstance(out, np.ndarray) or out.shape != shape or out.dtype != np.float32:
        what = f"{out.dtype} {out.shape}" if isinstance(out, np.ndarray) else type(out).__name__
        raise ValueError(f"out must be a float32 array of shape {shape}, not {what}")
    if not out.flags.carray:
        raise ValueError("out must be contiguous (C order), aligned and writable: np.empty(shape, np.float32) is")
    return out, True


def _from_system(array: Image) -> tuple[Image, bool]:
    """A new array like this large one, and whether it must be cleared: what the system hands out is clear already."""
    if _HUGE_PAGES:
        # Linux lines up whole numbers of huge pages only; otherwise half of the time goes into small ones at the ends
        size = -(-array.nbytes // _HUGE_PAGE) * _HUGE_PAGE
        try:
            memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
            memory.madvise(mmap.MADV_HUGEPAGE)
        except OSError:
            return array, True  # this kernel has none, or there is not so much memory
        return np.frombuffer(memory, np.float32, array.size).reshape(array.shape), False
    return np.zeros(array.shape, np.float32), False


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
    # plain numbers, as nearly always, need no closer look
    if type(bins) is type(t_start) is type(t_end) is int and bins >= 1 and -_FAR < t_start < t_end < _FAR:
        return t_start, t_end - t_start, bins
    start, duration = check_window(t_start, t_end)
    if isinstance(bins, bool) or not isinstance(bins, int | np.integer):
        raise TypeError(f"bins = {bins!r} must be an integer")
    if bins < 1:
        raise ValueError(f"bins = {bins} must be at least 1")
    return start, duration, int(bins)
