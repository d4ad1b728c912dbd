"""Frames as the pixels of an event camera see them: checks, the response curve, and the brightness."""

import functools
import math
import warnings

import numpy as np
import numpy.typing as npt

from spikelab.events.check import MAX_SIDE

_WHITE = 255.0
_OFFSET = 20.0  # keeps the photoreceptor from stopping altogether in the dark, as in v2e
#: Frames that lie further apart, in seconds, are no video, but times in another unit.
_SLOWEST_FRAMES = 30.0
_LARGEST_TIME = 2.0**53 * 1e-6  # seconds; beyond it a float cannot tell neighbouring microseconds apart


def log_intensity(frame: npt.NDArray, linear_until: float) -> npt.NDArray[np.float64]:
    """The response of the photoreceptor: `ln(I)` above `linear_until`, linear and through zero below (v2e)."""
    if frame.dtype == np.uint8:
        return _table(linear_until).take(frame)
    intensity = frame.astype(np.float64)
    linear = intensity * (math.log(linear_until) / linear_until)
    return np.where(intensity > linear_until, np.log(np.maximum(intensity, linear_until)), linear)


@functools.lru_cache(maxsize=16)
def _table(linear_until: float) -> npt.NDArray[np.float64]:
    return log_intensity(np.arange(256, dtype=np.float64), linear_until)


def brightness(frame: npt.NDArray, following: npt.NDArray) -> npt.NDArray[np.float64]:
    """Mean intensity of two frames relative to white, `[H * W]`, never below a thirteenth or so (v2e)."""
    total = np.add(frame, following, dtype=np.float64).ravel()
    total *= 0.5 / (_WHITE + _OFFSET)
    total += _OFFSET / (_WHITE + _OFFSET)
    return total


def check_video(
    frames: npt.ArrayLike, times: npt.ArrayLike, after: float | None = None, shape: tuple[int, ...] | None = None
) -> tuple[npt.NDArray, npt.NDArray[np.float64]]:
    """Return frames `[F, H, W]` and times `[F]` after checking everything but the intensities.

    Args:
        frames: The frames.
        times: Their times in seconds.
        after: Time of the frame before these; None if these are the first.
        shape: Height and width that the frames must have.

    Raises:
        TypeError: The frames or the times are not real numbers.
        ValueError: Shapes do not fit or a time does not increase.
    """
    video = np.asarray(frames)
    if video.dtype.kind not in "uif":
        raise TypeError(f"frames are {video.dtype}; real numbers (intensities in 0..255) are needed")
    if video.ndim != 3:
        raise ValueError(f"frames have the shape {video.shape}; [F, H, W] is needed (one channel, linear intensity)")
    if shape is not None and video.shape[1:] != shape:
        raise ValueError(f"frames are {video.shape[1:]} (H, W), those before them were {shape}")
    if not all(1 <= side <= MAX_SIDE for side in video.shape[1:]):
        raise ValueError(f"frames have the shape {video.shape}; height and width must lie in 1..{MAX_SIDE}")
    seconds = np.asarray(times)
    if seconds.dtype.kind not in "uif" and seconds.size:
        raise TypeError(f"times are {seconds.dtype}; seconds as real numbers are needed")
    seconds = seconds.astype(np.float64)
    if seconds.shape != video.shape[:1]:
        raise ValueError(f"times have the shape {seconds.shape}; one for each of the {len(video)} frames is needed")
    if after is None and not len(video):
        raise ValueError("frames: at least one is needed")
    bad = np.flatnonzero(~(np.abs(seconds) < _LARGEST_TIME))
    if bad.size:
        raise ValueError(
            f"times[{bad[0]}] = {seconds[bad[0]]} must be finite, in seconds, and below {_LARGEST_TIME:.3g}"
        )
    earlier = seconds if after is None else np.concatenate([[after], seconds])
    if len(earlier) > 1 and np.diff(earlier).min() > _SLOWEST_FRAMES:
        warnings.warn(
            f"frames lie {np.diff(earlier).min():g} s apart; times are in seconds (not in micro- or milliseconds)",
            stacklevel=3,
        )
    backwards = np.flatnonzero(~(earlier[1:] > earlier[:-1]))
    if backwards.size:
        i = int(backwards[0])
        raise ValueError(
            f"times[{i + (after is None)}] = {earlier[i + 1]} s must be later than the frame before it ({earlier[i]} s)"
        )
    return video, seconds


def check_intensity(frame: npt.NDArray, index: int) -> npt.NDArray:
    """Return a copy of one frame, `[H, W]`, after checking its intensities.

    Raises:
        ValueError: An intensity is negative or not finite; the message names the frame and the pixel.
    """
    frame = np.array(frame, order="C")
    if frame.dtype.kind != "u" and not (frame.min() >= 0 and frame.max() < math.inf):
        y, x = (int(i) for i in np.argwhere(~((frame >= 0) & (frame < math.inf)))[0])
        raise ValueError(
            f"frames[{index}]: the intensity at x = {x}, y = {y} is {frame[y, x]}; it must be finite and at least 0 "
            "(linear intensity, white is 255)"
        )
    return frame
