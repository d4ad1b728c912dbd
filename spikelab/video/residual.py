"""Prediction of a picture from another by motion, and what it leaves: the residual.

A decoder gives no residual, but it follows from the pictures: `residual = picture - prediction`. This is exact for any
prediction, and where the prediction is the codec's own, it is the residual that the file holds. That is so for the luma
of MPEG-4 part 2 with vectors of half pixels: bilinear, with the standard's rounding flag (ISO/IEC 14496-2, 7.6.2),

    (a + b + 1 - r) >> 1 between two pixels,    (a + b + c + d + 2 - r) >> 2 between four.

The flag is not given out by decoders. It alternates from one P-frame to the next, and encoders begin it differently, so
`choose_rounding` finds out: with the right flag the blocks that the codec left as predicted have a residual of zero.
For H.264, with its longer filters and deblocking, the prediction is that of CoViAR, which drops fractions of a pixel.
Pixels outside the picture are those of its nearest edge.
"""

import numpy as np
import numpy.typing as npt
from numba import njit

from spikelab.video.groups import INTERPOLATIONS, MotionVectors

Picture = npt.NDArray[np.uint8]
Motion = npt.NDArray[np.float32] | npt.NDArray[np.int16]


def predict(picture: Picture, motion: Motion, interpolation: str = "integer", rounding: int = 0) -> Picture:
    """Move the content of a picture by a field of motion.

    Args:
        picture: uint8 [C, H, W].
        motion: [2, H, W], dx and dy in pixels, float32 or int16.
        interpolation: "integer" drops fractions of a pixel towards zero; "half" takes vectors at the nearest half pixel
            and interpolates.
        rounding: Flag of the interpolation, 0 or 1.

    Returns:
        uint8 [C, H, W]: for each pixel p the value of the picture at p - motion(p).

    Raises:
        ValueError: If shapes disagree or the interpolation is unknown.
    """
    _check(picture, motion, interpolation)
    predicted = np.empty(picture.shape, np.uint8)
    _predict(picture, motion, interpolation == "half", rounding, predicted)
    return predicted


def subtract(picture: Picture, predicted: Picture) -> npt.NDArray[np.int16]:
    """The difference of two pictures: int16, -255 to 255."""
    left = np.empty(picture.shape, np.int16)
    _subtract(picture, predicted, left)
    return left


def residual(
    picture: Picture, reference: Picture, motion: Motion, interpolation: str = "integer", rounding: int = 0
) -> npt.NDArray[np.int16]:
    """What `predict(reference, motion, ...)` leaves of a picture: int16 [C, H, W], -255 to 255.

    Raises:
        ValueError: If shapes disagree or the interpolation is unknown.
    """
    if picture.shape != reference.shape:
        raise ValueError(f"a picture {picture.shape} cannot be predicted from one of {reference.shape}")
    return subtract(picture, predict(reference, motion, interpolation, rounding))


def choose_rounding(picture: Picture, reference: Picture, vectors: MotionVectors, expected: int = 0) -> int:
    """The rounding flag that leaves more blocks of 8 x 8 pixels without any residual.

    Args:
        picture: Luma, uint8 [H, W].
        reference: Luma of the picture that it is predicted from.
        vectors: Of the P-frame; only those between pixels tell the flags apart.
        expected: The answer where both flags are as good.
    """
    zeros, ones = _count_exact(picture, reference, vectors.blocks, vectors.vectors)
    return expected if zeros == ones else int(ones > zeros)


def _check(picture: Picture, motion: Motion, interpolation: str) -> None:
    if interpolation not in INTERPOLATIONS:
        raise ValueError(f"interpolation = {interpolation!r}: use one of {', '.join(INTERPOLATIONS)}")
    if picture.ndim != 3 or motion.shape != (2, *picture.shape[1:]):
        raise ValueError(f"a picture {picture.shape} needs motion (2, {picture.shape[1:]}), not {motion.shape}")


@njit(cache=True, nogil=True)
def _subtract(picture, predicted, left):
    flat_picture, flat_predicted, flat_left = picture.reshape(-1), predicted.reshape(-1), left.reshape(-1)
    for i in range(flat_left.size):
        flat_left[i] = np.int16(flat_picture[i]) - np.int16(flat_predicted[i])


@njit(cache=True, nogil=True, inline="always")
def half_pixels(value, half):
    """A vector in half pixels, and to whole pixels if it is not to fall between them."""
    return np.int64(np.floor(2.0 * value + 0.5)) if half else 2 * np.int64(value)


@njit(cache=True, nogil=True)
def _predict(picture, motion, half, rounding, predicted):
    """Neighbours in a row mostly move alike, so they are moved together, as one piece."""
    channels, height, width = picture.shape
    for y in range(height):
        x = 0
        while x < width:
            u, v = motion[0, y, x], motion[1, y, x]
            end = x + 1
            while end < width and motion[0, y, end] == u and motion[1, y, end] == v:
                end += 1
            dx, dy = half_pixels(u, half), half_pixels(v, half)
            column, row = (2 * x - dx) >> 1, (2 * y - dy) >> 1
            beside, below = dx & 1, dy & 1
            upper = min(max(row, 0), height - 1)
            lower = min(max(row + below, 0), height - 1)
            if column >= 0 and column + (end - x) + beside <= width:
                for c in range(channels):
                    _move(picture[c], predicted[c, y], x, end, column, upper, lower, beside, below, rounding)
            else:
                for c in range(channels):
                    for place in range(x, end):
                        near = min(max(column + place - x, 0), width - 1)
                        far = min(max(column + place - x + beside, 0), width - 1)
                        predicted[c, y, place] = between(picture[c], near, far, upper, lower, beside, below, rounding)
            x = end


@njit(cache=True, nogil=True, inline="always")
def between(plane, near, far, upper, lower, beside, below, rounding):
    """The value between neighbours in columns `near` and `far`, rows `upper` and `lower`, of those that take part."""
    a = np.int32(plane[upper, near])
    if beside and below:
        others = np.int32(plane[upper, far]) + np.int32(plane[lower, near]) + np.int32(plane[lower, far])
        return (a + others + 2 - rounding) >> 2
    if beside or below:
        return (a + np.int32(plane[lower, far]) + 1 - rounding) >> 1
    return a


@njit(cache=True, nogil=True, inline="always")
def _move(plane, line, x, end, column, upper, lower, beside, below, rounding):
    """One piece of a row, all of whose sources lie in the picture."""
    length = end - x
    if beside and below:
        offset = np.int16(2 - rounding)
        for i in range(length):
            first = np.int16(plane[upper, column + i]) + np.int16(plane[upper, column + i + 1])
            second = np.int16(plane[lower, column + i]) + np.int16(plane[lower, column + i + 1])
            line[x + i] = (first + second + offset) >> 2
    elif beside or below:
        offset = np.int16(1 - rounding)
        for i in range(length):
            first = np.int16(plane[upper, column + i])
            line[x + i] = (first + np.int16(plane[lower, column + beside + i]) + offset) >> 1
    else:
        for i in range(length):
            line[x + i] = plane[upper, column + i]


@njit(cache=True, nogil=True)
def _count_exact(picture, reference, blocks, vectors):
    """How many 8 x 8 blocks between pixels each flag predicts exactly; blocks at the picture's edge are left out."""
    height, width = picture.shape
    exact_0 = exact_1 = 0
    for k in range(len(blocks)):
        dx, dy = half_pixels(vectors[k, 0], True), half_pixels(vectors[k, 1], True)
        beside, below = dx & 1, dy & 1
        if not (beside or below):
            continue
        for top in range(blocks[k, 1], blocks[k, 1] + blocks[k, 3] - 7, 8):
            for left in range(blocks[k, 0], blocks[k, 0] + blocks[k, 2] - 7, 8):
                column, row = (2 * left - dx) >> 1, (2 * top - dy) >> 1
                inside = min(top, left, row, column) >= 0 and max(top, row + below) + 8 <= height
                if inside and max(left, column + beside) + 8 <= width:
                    same_0, same_1 = _exact(picture, reference, left, top, column, row, beside, below)
                    exact_0 += same_0
                    exact_1 += same_1
    return exact_0, exact_1


@njit(cache=True, nogil=True)
def _exact(picture, reference, left, top, column, row, beside, below):
    same_0 = same_1 = True
    for y in range(8):
        for x in range(8):
            near, far, upper, lower = column + x, column + x + beside, row + y, row + y + below
            value = picture[top + y, left + x]
            same_0 = same_0 and value == between(reference, near, far, upper, lower, beside, below, 0)
            same_1 = same_1 and value == between(reference, near, far, upper, lower, beside, below, 1)
        if not (same_0 or same_1):
            break
    return same_0, same_1
