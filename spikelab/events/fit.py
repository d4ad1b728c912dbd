"""Fitting the simulated camera to a real one."""

import dataclasses
import math
import operator

import numpy.typing as npt

from spikelab.events.camera import EventCamera


def fit_threshold(
    camera: EventCamera,
    frames: npt.ArrayLike,
    times: npt.ArrayLike,
    target_count: int,
    seed: int,
    *,
    bounds: tuple[float, float] = (0.02, 3.0),
    tolerance: float = 0.01,
) -> EventCamera:
    """Find the one threshold, for ON and OFF alike, at which a video gives a wanted number of events.

    The search halves the logarithm of the threshold; all other parameters stay as they are, and so does the spread of
    the thresholds, in natural-log units.

    Args:
        camera: The camera to fit.
        frames: Linear intensities in 0..255, `[F, H, W]`.
        times: Time of each frame in seconds, `[F]`.
        target_count: Wanted number of events, such as that of a real recording between the same frames.
        seed: Seed of the simulations.
        bounds: Smallest and largest threshold to consider, natural-log units.
        tolerance: Accepted relative difference of the counts. Where the count jumps over this band, as it may in small
            videos, the threshold with the nearest count is taken.

    Returns:
        The camera with both thresholds replaced.

    Raises:
        ValueError: No threshold within the bounds gives that many, or that few, events.
    """
    target = operator.index(target_count)
    low, high = bounds
    if target < 1 or not low < high or not tolerance >= 0:
        raise ValueError(
            f"fit_threshold: target_count = {target} must be at least 1, bounds = {bounds} must increase, and "
            f"tolerance = {tolerance} must not be negative"
        )
    best: tuple[float, EventCamera] | None = None

    def count(threshold: float) -> int:
        nonlocal best
        candidate = dataclasses.replace(camera, threshold_on=threshold, threshold_off=threshold)
        number = len(candidate.simulate(frames, times, seed))
        error = abs(number / target - 1)
        if best is None or error < best[0]:
            best = error, candidate
        return number

    most, fewest = count(low), count(high)
    if not fewest <= target <= most:
        raise ValueError(
            f"fit_threshold: thresholds of {low} to {high} give {most} to {fewest} events, never {target}; check that "
            "the frames and the target cover the same time and size, or widen bounds"
        )
    while best is not None and best[0] > tolerance and math.log(high / low) > 1e-6:
        middle = math.sqrt(low * high)
        if count(middle) > target:
            low = middle
        else:
            high = middle
    assert best is not None
    return best[1]
