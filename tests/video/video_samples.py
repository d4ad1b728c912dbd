"""Clips that are rendered here, and what a decoder gives of a file."""

import numpy as np

from spikelab.video.colour import pixels
from spikelab.video.decode import decoded_frames


def moving_texture(frames=30, height=96, width=128, step=(3, 2), seed=0):
    """A smooth random texture that moves by `step` pixels (right, down) a frame: uint8 [T, H, W, 3]."""
    rng = np.random.default_rng(seed)
    room = 16 + frames * max(abs(step[0]), abs(step[1]))
    coarse = rng.integers(0, 256, ((height + 2 * room) // 8 + 2, (width + 2 * room) // 8 + 2, 3))
    whole = coarse.repeat(8, 0).repeat(8, 1).astype(np.float64)
    for axis in (0, 1):
        for shift in (1, 2, 4):
            whole = (whole + np.roll(whole, shift, axis)) / 2
    whole = whole.astype(np.uint8)
    starts = [(room - step[1] * t, room - step[0] * t) for t in range(frames)]
    return np.stack([whole[y : y + height, x : x + width] for y, x in starts])


def decoded(path, colour="rgb", size=None):
    """Pictures [T, C, H, W] of a file's I- and P-frames, straight from the decoder."""
    frames = decoded_frames(path, vectors=False)
    return np.stack([pixels(frame, colour, size) for frame in frames if int(frame.pict_type) != 3])
