"""The pixel circuit of the event camera: one frame interval of all pixels, compiled.

Between two frames the logarithm of the intensity changes linearly. A one-pole low-pass turns it into the level that
the change detector sees, and this has a closed form: with the input `u(t) = u0 + s t` and the time constant `tau`,

    level(t) = u0 + s t - s tau + (level(0) - u0 + s tau) exp(-t / tau).

The pixel stores the difference between this level and the one memorised at its last event. Where the difference
crosses a threshold, an event happens and the difference starts again from zero; leakage adds a constant slope. The
curved part of the level is followed in straight pieces, short enough that they stay within a hundredth of a threshold
of it.

Shot noise is a Poisson process whose rate follows the intensity. Each pixel draws a unit exponential and uses it up at
its current rate; when it is gone a noise event happens. So nothing depends on how the video is cut into intervals.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

# Rows of the state array, float64 [5, pixels].
DIFFERENCE = 0  # level less memorised level, natural-log units
HELD_UNTIL = 1  # end of the refractory period, microseconds
LEVEL = 2  # output of the low-pass, natural-log units
NOISE_LEFT = 3  # what remains of the unit exponential until the next noise event
NOISE_DRAWN = 4  # how many random numbers the pixel has used
STATE_ROWS = 5

# Rows of the fixed pattern, float64 [5, pixels]: what makes one pixel differ from the next.
THRESHOLD_ON = 0  # natural-log units
THRESHOLD_OFF = 1
LEAK = 2  # slope of the difference, natural-log units per microsecond
NOISE_RATE = 3  # shot noise in the dark, events per microsecond
NOISE_ON_SHARE = 4  # fraction of the noise events that are ON
PATTERN_ROWS = 5

_TOLERANCE = 0.01  # of the smaller threshold: how far a straight piece may lie from the level

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


@njit(cache=True, nogil=True, inline="always")
def _mix(z):
    z = (z ^ (z >> np.uint64(30))) * _MIX_1
    z = (z ^ (z >> np.uint64(27))) * _MIX_2
    return z ^ (z >> np.uint64(31))


@njit(cache=True, nogil=True)
def uniform(key, pixel, index):
    """Random number in (0, 1]: the `index`-th of this pixel's own SplitMix64 stream (Steele, Lea and Flood 2014)."""
    stream = _mix(key + np.uint64(pixel) * _GOLDEN)
    z = _mix(stream + (np.uint64(index) + np.uint64(1)) * _GOLDEN)
    return (np.float64(z >> np.uint64(11)) + 1.0) * (1.0 / 9007199254740992.0)


@njit(cache=True, nogil=True)
def _follow_pixel(state, pattern, u0, u1, tau, noise_rate, t_start, duration, refractory, key, pixel, times, signs):
    """Follow one pixel through one interval, event by event.

    `state` is the pixel's own and is overwritten. Returns the number of events; where it exceeds the buffers, the
    events beyond them are lost and the caller repeats the pixel with larger ones.
    """
    on, off, leak = pattern[THRESHOLD_ON], pattern[THRESHOLD_OFF], pattern[LEAK]
    difference, level = state[DIFFERENCE], state[LEVEL]
    held_until = state[HELD_UNTIL] - t_start
    noise_left, drawn = state[NOISE_LEFT], state[NOISE_DRAWN]
    slope = (u1 - u0) / duration
    lag = slope * tau
    curve = level - u0 + lag if tau > 0.0 else 0.0  # what is left of the curved part
    # A chord of length h lies at most |curve| (h / tau)^2 / 8 from an exponential.
    longest = tau * math.sqrt(8.0 * _TOLERANCE * min(on, off))
    count = 0
    piece_start = 0.0
    while piece_start < duration:
        piece_end, piece_level = duration, u1
        if tau > 0.0:
            length = longest / math.sqrt(abs(curve)) if curve != 0.0 else duration
            piece_end = min(duration, piece_start + length)
            curve *= math.exp((piece_start - piece_end) / tau)
            piece_level = u0 + slope * piece_end - lag + curve
        rate = (piece_level - level) / (piece_end - piece_start) + leak
        now = max(piece_start, held_until)
        while now < piece_end:
            after = difference + rate * (piece_end - now)
            crossing, noise = math.inf, math.inf
            if after >= on:
                crossing = now if difference >= on else min(now + (on - difference) / rate, piece_end)
            elif after <= -off:
                crossing = now if difference <= -off else min(now + (-off - difference) / rate, piece_end)
            if noise_rate > 0.0:
                noise = now + noise_left / noise_rate
            if min(crossing, noise) > piece_end:
                difference = after
                noise_left -= noise_rate * (piece_end - now)
                break
            if crossing <= noise:
                time, sign = crossing, after >= on
                noise_left -= noise_rate * (time - now)
                difference = 0.0
            else:
                # Noise is an event like any other to the reader, but the memorised level stays what it was.
                time = noise
                difference += rate * (time - now)
                sign = uniform(key, pixel, drawn) <= pattern[NOISE_ON_SHARE]
                noise_left = -math.log(uniform(key, pixel, drawn + 1.0))
                drawn += 2.0
            if count < times.size:
                times[count] = np.int64(math.floor(t_start + time + 0.5))
                signs[count] = sign
            count += 1
            held_until = time + refractory
            now = held_until
        piece_start, level = piece_end, piece_level
    state[DIFFERENCE], state[LEVEL] = difference, level
    state[HELD_UNTIL] = held_until + t_start
    state[NOISE_LEFT], state[NOISE_DRAWN] = noise_left, drawn
    return count


@njit(cache=True, nogil=True)
def advance(
    before,
    after,
    pattern,
    log_start,
    log_end,
    brightness,
    decay,
    t_start,
    t_end,
    refractory,
    tau_bright,
    noise_bright,
    key,
    event_pixel,
    event_time,
    event_sign,
):
    """Advance all pixels by one frame interval.

    Times are in microseconds. The events come pixel by pixel, in the order of time within a pixel.

    Args:
        before: State at the start, `[5, pixels]`.
        after: State at the end, `[5, pixels]`; written.
        pattern: Fixed pattern, `[5, pixels]`.
        log_start: Logarithmic intensity of the frame at the start, `[pixels]`.
        log_end: The same at the end.
        brightness: Mean intensity of the interval relative to white, above zero, `[pixels]`.
        decay: What is left of the curved part of the level at the end, `exp(-duration / tau)`, `[pixels]`; not read
            if there is no low-pass.
        t_start: Time of the frame at the start.
        t_end: Time of the frame at the end.
        refractory: Time for which a pixel is held after an event.
        tau_bright: Time constant of the low-pass at brightness 1; 0 for none.
        noise_bright: Shot-noise rate at brightness 1 relative to that in the dark.
        key: Key of the random numbers, uint64.
        event_pixel: Buffer for the pixel index of each event, int64.
        event_time: Buffer for the time of each event, int64.
        event_sign: Buffer for the polarity of each event, uint8.

    Returns:
        The number of events. Where it exceeds the buffers, `after` is right but events are missing: call again with
        buffers of at least that size.
    """
    duration = t_end - t_start
    tau_relative = tau_bright / duration
    state = np.empty(STATE_ROWS)
    fixed = np.empty(PATTERN_ROWS)
    total = 0
    for pixel in range(log_start.size):
        u0, u1 = log_start[pixel], log_end[pixel]
        level, difference = before[LEVEL, pixel], before[DIFFERENCE, pixel]
        noise_rate = pattern[NOISE_RATE, pixel]
        if noise_rate > 0.0:
            noise_rate *= 1.0 + (noise_bright - 1.0) * min(brightness[pixel], 1.0)
        leaked = pattern[LEAK, pixel] * duration
        noise_used = noise_rate * duration
        # The level never leaves the span of its start and its input, so most pixels need no closer look.
        low, high = min(level, u0, u1), max(level, u0, u1)
        if (
            before[HELD_UNTIL, pixel] <= t_start
            and before[NOISE_LEFT, pixel] > noise_used
            and difference + (high - level) + leaked < pattern[THRESHOLD_ON, pixel]
            and difference + (low - level) > -pattern[THRESHOLD_OFF, pixel]
        ):
            end = u1
            if tau_bright > 0.0:
                lag = (u1 - u0) * tau_relative / brightness[pixel]
                end = u1 - lag + (level - u0 + lag) * decay[pixel]
            after[DIFFERENCE, pixel] = difference + (end - level) + leaked
            after[HELD_UNTIL, pixel] = before[HELD_UNTIL, pixel]
            after[LEVEL, pixel] = end
            after[NOISE_LEFT, pixel] = before[NOISE_LEFT, pixel] - noise_used
            after[NOISE_DRAWN, pixel] = before[NOISE_DRAWN, pixel]
            continue
        state[:] = before[:, pixel]
        fixed[:] = pattern[:, pixel]
        first = min(total, event_time.size)
        count = _follow_pixel(
            state, fixed, u0, u1, tau_bright / brightness[pixel], noise_rate, t_start, duration, refractory, key, pixel,
            event_time[first:], event_sign[first:],
        )  # fmt: skip
        event_pixel[first : first + count] = pixel
        after[:, pixel] = state
        total += count
    return total


class EventBuffer:
    """Room for the events of one interval, kept from interval to interval and enlarged when it is too small."""

    def __init__(self, size: int = 4096) -> None:
        self._allocate(size)

    def _allocate(self, size: int) -> None:
        self.columns: tuple[np.ndarray, ...] = tuple(np.empty(size, dtype) for dtype in (np.int64, np.int64, np.uint8))

    def advance(self, before: npt.NDArray[np.float64], *arguments: Any) -> tuple[np.ndarray, ...]:
        """Call `advance` with the state and the arguments from `pattern` to `key`.

        Returns:
            The new state; and pixel index, time and polarity of the events, sorted by time, equal times by pixel.
        """
        run: Callable[..., int] = advance
        after = np.empty_like(before)
        count = run(before, after, *arguments, *self.columns)
        if count > self.columns[0].size:
            self._allocate(2 ** math.ceil(math.log2(count)))
            count = run(before, after, *arguments, *self.columns)
        pixel, time, sign = (column[:count] for column in self.columns)
        order = _time_order(time)
        return after, pixel[order], time[order], sign[order]


def _time_order(time: npt.NDArray[np.int64]) -> npt.NDArray[np.intp]:
    """Indices that sort the times, equal ones in their order."""
    if not time.size:
        return np.empty(0, np.intp)
    offset = time - time.min()
    # NumPy sorts 16-bit integers by radix, several times faster.
    return np.argsort(offset.astype(np.uint16) if offset.max() < 2**16 else offset, kind="stable")
