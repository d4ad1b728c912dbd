"""Prediction of a picture from the one before, block by block: what `spikelab.video.residual.predict` does, faster.

Blocks are moved whole here, where a field of motion would be looked at pixel by pixel. Where no block has a vector the
picture before stays as it is, as under the motion 0.
"""

import numpy as np
from numba import njit

from spikelab.video.groups import MotionVectors
from spikelab.video.motion import clipped
from spikelab.video.pixel_rows import move_pixels
from spikelab.video.residual import Picture, between, half_pixels


def predict_blocks(
    picture: Picture,
    vectors: MotionVectors,
    interpolation: str = "integer",
    rounding: int = 0,
    out: Picture | None = None,
) -> Picture:
    """Move the blocks of a picture.

    Args:
        picture: uint8 [C, H, W].
        vectors: Of the P-frame that is predicted.
        interpolation: "integer" or "half", see `spikelab.video.residual.predict`.
        rounding: Flag of the interpolation, 0 or 1.
        out: Memory for the result, of the picture's shape; new if left out.

    Returns:
        uint8 [C, H, W]: `predict(picture, dense_motion(vectors, H, W), interpolation, rounding)`.
    """
    predicted = np.empty_like(picture) if out is None else out
    if predicted.shape != picture.shape:
        raise ValueError(f"memory of {predicted.shape} does not hold a picture {picture.shape}")
    np.copyto(predicted, picture)
    _predict_blocks(vectors.blocks, vectors.vectors, interpolation == "half", rounding, picture, predicted)
    return predicted


@njit(cache=True, nogil=True)
def _predict_blocks(blocks, vectors, half, rounding, picture, predicted):
    channels, height, width = picture.shape
    plane = height * width
    source, target = picture.reshape(-1), predicted.reshape(-1)
    for k in range(len(blocks)):
        dx, dy = half_pixels(vectors[k, 0], half), half_pixels(vectors[k, 1], half)
        left, top, right, bottom = clipped(blocks[k], height, width)
        beside, below = dx & 1, dy & 1
        column = (2 * left - dx) >> 1
        length = right - left
        usual = (length == 16 or length == 8) and column >= 0 and column + length + beside <= width
        for y in range(top, bottom):
            row = (2 * y - dy) >> 1
            upper, lower = min(max(row, 0), height - 1), min(max(row + below, 0), height - 1)
            for c in range(channels):
                to, first = c * plane + y * width + left, c * plane + upper * width + column
                last = c * plane + lower * width + column + beside
                if not usual:
                    for x in range(left, right):
                        near = min(max(column + x - left, 0), width - 1)
                        far = min(max(column + x - left + beside, 0), width - 1)
                        predicted[c, y, x] = between(picture[c], near, far, upper, lower, beside, below, rounding)
                elif not (beside or below):
                    if length == 16:
                        move_pixels(target, to, source, first, np.uint8(0), 16)
                    else:
                        move_pixels(target, to, source, first, np.uint8(0), 8)
                elif beside and below:
                    _mean_of_four(target, to, source, first, last, rounding, length)
                else:
                    _mean_of_two(target, to, source, first, last, rounding, length)


# Places are unsigned, so that compiled code need not ask whether they count from the end; lengths are literal in each
# branch, and sums have 16 bits, so that it can take a whole piece at once.


@njit(cache=True, nogil=True, inline="always")
def _mean_of_two(target, to, source, first, last, rounding, length):
    to, first, last = np.uint64(to), np.uint64(first), np.uint64(last)
    offset = np.uint16(1 - rounding)
    if length == 16:
        for i in range(np.uint64(16)):
            total = np.uint16(np.uint16(source[first + i]) + np.uint16(source[last + i]))
            target[to + i] = np.uint8(np.uint16(total + offset) >> np.uint16(1))
    else:
        for i in range(np.uint64(8)):
            total = np.uint16(np.uint16(source[first + i]) + np.uint16(source[last + i]))
            target[to + i] = np.uint8(np.uint16(total + offset) >> np.uint16(1))


@njit(cache=True, nogil=True, inline="always")
def _mean_of_four(target, to, source, first, last, rounding, length):
    """`first` is the upper left of four neighbours, `last` the lower right."""
    to, first, last, one = np.uint64(to), np.uint64(first), np.uint64(last), np.uint64(1)
    offset = np.uint16(2 - rounding)
    if length == 16:
        for i in range(np.uint64(16)):
            upper = np.uint16(np.uint16(source[first + i]) + np.uint16(source[first + i + one]))
            lower = np.uint16(np.uint16(source[last + i - one]) + np.uint16(source[last + i]))
            target[to + i] = np.uint8(np.uint16(np.uint16(upper + lower) + offset) >> np.uint16(2))
    else:
        for i in range(np.uint64(8)):
            upper = np.uint16(np.uint16(source[first + i]) + np.uint16(source[first + i + one]))
            lower = np.uint16(np.uint16(source[last + i - one]) + np.uint16(source[last + i]))
            target[to + i] = np.uint8(np.uint16(np.uint16(upper + lower) + offset) >> np.uint16(2))
