"""Images of when events happened: time surfaces and the six channels of Ev-SegNet."""

import math
import warnings

import numpy as np
from numba import njit

from spikelab.events.array import EventArray
from spikelab.events.check import microseconds
from spikelab.events.represent import Image, check_window, prepare_output

#: A time constant above this, in seconds, was probably meant in another unit.
_LONGEST_TAU = 100.0


def time_surface(events: EventArray, tau: float, t_reference: int, out: Image | None = None) -> Image:
    """How recently each pixel saw an event: `exp(-(t_reference - t_last) / tau)`.

    `t_last` is the time of the last event at or before `t_reference` at this pixel and polarity; later events are
    ignored, and pixels without any are 0 (Lagorce et al. 2017, "HOTS: a hierarchy of event-based time-surfaces", with
    the whole frame as the neighbourhood).

    Args:
        events: The events.
        tau: Time constant of the decay in seconds.
        t_reference: Time at which the surface is read, in microseconds.
        out: Buffer for the result, `[2, H, W]`, float32, contiguous.

    Returns:
        Surface with values in 0..1, `[2, H, W]`; channel 0 is OFF, channel 1 is ON.

    Raises:
        TypeError: `t_reference` is not an integer.
        ValueError: `tau` is not positive and finite, or `out` does not fit.
    """
    if not (math.isfinite(tau) and tau > 0):
        raise ValueError(f"tau = {tau} s must be positive and finite")
    if tau > _LONGEST_TAU:
        warnings.warn(
            f"tau = {tau:g} s is long for a time surface; tau is in seconds, only times are not", stacklevel=2
        )
    reference = microseconds("t_reference", t_reference)
    surface = prepare_output(out, (2, events.height, events.width))
    count = int(np.searchsorted(events.t, reference, side="right"))
    _decay(events.x, events.y, events.t, events.p, count, reference, 1e-6 / tau, surface)
    return surface


def evsegnet_channels(
    events: EventArray, t_start: int, t_end: int, *, normalise_counts: bool = True, out: Image | None = None
) -> Image:
    """Counts and first two moments of the event times, by polarity, in the layout of Ev-SegNet's data set.

    The channels are: ON count, OFF count, ON mean, ON deviation, OFF mean, OFF deviation (Alonso and Murillo 2019,
    "EV-SegNet: semantic segmentation for event-based cameras", CVPR Workshops). Times are scaled to
    -1..1 over the window; the deviation divides by the count less one, and is 0 for a single event. A pixel
    without events has the count -1 and moments of 0, as in the published files. How those files scale larger counts
    is not published: here the largest count of the window, over both polarities, becomes 1.

    Args:
        events: The events.
        t_start: Start of the window in microseconds.
        t_end: End of the window in microseconds, not included.
        normalise_counts: Scale the counts to -1..1; otherwise they are numbers of events.
        out: Buffer for the result, `[6, H, W]`, float32, contiguous.

    Returns:
        Channels, `[6, H, W]`.

    Raises:
        TypeError: A time is not an integer.
        ValueError: The window is empty or `out` does not fit.
    """
    start, duration = check_window(t_start, t_end)
    channels = prepare_output(out, (6, events.height, events.width))
    inside = events.between(start, start + duration)
    moments = np.zeros((2, 3, events.height, events.width))
    _accumulate(inside.x, inside.y, inside.t, inside.p, start, 2.0 / duration, moments)
    for polarity, (count, mean, deviation) in {1: (0, 2, 3), 0: (1, 4, 5)}.items():
        number, average, squares = moments[polarity]
        channels[count] = number
        channels[mean] = average
        channels[deviation] = np.sqrt(squares / np.maximum(number - 1.0, 1.0))
    if normalise_counts:
        channels[:2] *= 2.0 / max(float(channels[:2].max()), 1.0)
        channels[:2] -= 1.0
    return channels


@njit(cache=True, nogil=True)
def _decay(x, y, t, p, count, reference, rate, surface):
    latest = np.full(surface.shape, -1, np.int64)
    for i in range(count):
        latest[p[i], y[i], x[i]] = i
    for polarity in range(surface.shape[0]):
        for row in range(surface.shape[1]):
            for column in range(surface.shape[2]):
                i = latest[polarity, row, column]
                if i >= 0:
                    # As floats: two int64 times can lie further apart than int64 reaches.
                    age = np.float64(reference) - np.float64(t[i])
                    surface[polarity, row, column] = np.float32(math.exp(-age * rate))


@njit(cache=True, nogil=True)
def _accumulate(x, y, t, p, start, scale, moments):
    # Welford's update: count, mean and sum of squared deviations in one pass, without cancellation.
    for i in range(t.size):
        time = (t[i] - start) * scale - 1.0
        number = moments[p[i], 0, y[i], x[i]] + 1.0
        before = time - moments[p[i], 1, y[i], x[i]]
        mean = moments[p[i], 1, y[i], x[i]] + before / number
        moments[p[i], 0, y[i], x[i]] = number
        moments[p[i], 1, y[i], x[i]] = mean
        moments[p[i], 2, y[i], x[i]] += before * (time - mean)
