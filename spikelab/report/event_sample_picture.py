"""Pictures of what a classifier of events is shown: a sample summed over time, or a raster of its channels."""

import numpy as np
import torch
from numpy.typing import NDArray

from spikelab.report.overlay import Picture, events_picture

_MOST_ROWS = 256
_SHORTEST = 128  # pixels of the longer side, below which pixels of the sensor are drawn larger


def event_sample_picture(events: torch.Tensor) -> Picture:
    """A sample of a set of event recordings or of spike trains.

    Args:
        events: [T, 2, H, W], channel 0 OFF and 1 ON; or [T, C] for channels in place of pixels.

    Returns:
        Of pixels, their counts summed over time, ON red and OFF blue; of channels, a raster whose columns are the steps
        from left to right and whose rows are the channels, the first one below. The darker, the more; pictures of small
        sensors and short rasters are enlarged by a whole number.
    """
    counts = events.numpy()
    if counts.ndim == 2:
        return _raster(counts)
    picture = events_picture(counts)
    factor = max(1, _SHORTEST // max(picture.shape[:2]))
    return picture.repeat(factor, 0).repeat(factor, 1)


def _raster(counts: NDArray[np.floating]) -> Picture:
    steps, channels = counts.shape
    together = -(-channels // _MOST_ROWS)
    rows = np.pad(counts, ((0, 0), (0, -channels % together))).reshape(steps, -1, together).sum(2).T[::-1]
    active = rows[rows > 0]
    full = float(np.percentile(active, 99)) if active.size else 1.0
    grey = np.round(255 * (1 - np.clip(rows / full, 0, 1))).astype(np.uint8)
    height = grey.repeat(max(1, _SHORTEST // len(grey)), 0)
    # about twice as wide as high, however few steps there are
    wide = height.repeat(max(1, 2 * len(height) // steps), 1)
    return np.repeat(wide[..., None], 3, axis=2)
