"""Motion vectors of blocks as a field over pixels: of one step, on a grid, and accumulated back to the I-frame.

The accumulated field is that of CoViAR (Wu et al. 2018, "Compressed video action recognition", section 3.1): it
follows every pixel back through the P-frames to the I-frame, `A_t(p) = A_{t-1}(p - v_t(p))` with vectors of whole
pixels, and is kept as the displacement `p - A_t(p)`. Intra blocks inherit what lay at their place. Where a vector
points outside the picture we take the nearest pixel of its edge, as codecs do; CoViAR's loader takes such pixels as not
moved.
"""

import numpy as np
import numpy.typing as npt
from numba import njit

from spikelab.video.groups import MotionVectors
from spikelab.video.pixel_rows import move_pixels


def dense_motion(vectors: MotionVectors, height: int, width: int) -> npt.NDArray[np.float32]:
    """The vector of each pixel's block.

    Returns:
        float32 [2, height, width], dx and dy in pixels; 0 where no block has a vector.
    """
    motion = np.zeros((2, height, width), np.float32)
    _spread(vectors.blocks, vectors.vectors, motion)
    return motion


def block_motion(vectors: MotionVectors, height: int, width: int, block: int = 16) -> npt.NDArray[np.float32]:
    """The mean vector of each cell of a regular grid.

    A block counts with the area that it shares with a cell, intra blocks with the vector 0.

    Args:
        vectors: Of a P-frame.
        height: Of the picture, pixels.
        width: Of the picture, pixels.
        block: Side of a cell in pixels.

    Returns:
        float32 [2, ceil(height / block), ceil(width / block)], dx and dy in pixels.

    Raises:
        TypeError: If `vectors` is something else, such as the frame that they belong to.
        ValueError: If a number is not a whole one, or less than 1.
    """
    if not isinstance(vectors, MotionVectors):
        found = type(vectors).__name__
        raise TypeError(f"block_motion takes MotionVectors, such as group.predicted[0].vectors, not a {found}")
    for name, value in (("height", height), ("width", width), ("block", block)):
        if not isinstance(value, int | np.integer) or value < 1:
            raise ValueError(f"block_motion: {name} = {value!r}: give a whole number of pixels, at least 1")
    grid = np.zeros((2, -(-height // block), -(-width // block)), np.float32)
    _average(vectors.blocks, vectors.vectors, height, width, block, grid)
    return grid


def accumulate_motion(vectors: MotionVectors, before: npt.NDArray[np.int16]) -> npt.NDArray[np.int16]:
    """Follow each pixel one P-frame further back to the I-frame.

    Args:
        vectors: Of the P-frame; fractions are dropped (towards zero).
        before: int16 [2, H, W]: the accumulated field of the P-frame before, or zeros.

    Returns:
        int16 [2, H, W]: dx and dy from a pixel of the I-frame to where its content is now.
    """
    return accumulate(vectors, before, np.empty((0, *before.shape[1:]), np.uint8))[0]


def accumulate(
    vectors: MotionVectors,
    before: npt.NDArray[np.int16],
    picture: npt.NDArray[np.uint8],
    moved: npt.NDArray[np.uint8] | None = None,
) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.uint8]]:
    """Follow each pixel one P-frame further back, and move the content of the I-frame one P-frame further on.

    To read the I-frame by the whole field gives the same picture, pixel by pixel. Blocks are moved much faster.

    Args:
        vectors: Of the P-frame; fractions are dropped (towards zero).
        before: int16 [2, H, W]: the accumulated field of the P-frame before, or zeros.
        picture: uint8 [C, H, W]: the I-frame moved by that field; the I-frame itself where it is zeros.
        moved: Memory for the second result, of the picture's shape; new if left out.

    Returns:
        The accumulated field of this P-frame, and the I-frame moved by it.

    Raises:
        ValueError: If shapes disagree.
    """
    moved = np.empty_like(picture) if moved is None else moved
    if before.shape != (2, *picture.shape[1:]) or moved.shape != picture.shape:
        raise ValueError(f"motion {before.shape} and pictures {picture.shape}, {moved.shape} are not of one size")
    after = before.copy()
    np.copyto(moved, picture)
    _accumulate(vectors.blocks, vectors.vectors, before, after, picture, moved)
    return after, moved


@njit(cache=True, nogil=True)
def clipped(block, height, width):
    """The part of a block that lies in the picture: left, top, right, bottom."""
    left, top = np.int64(block[0]), np.int64(block[1])
    right, bottom = min(left + block[2], width), min(top + block[3], height)
    return max(left, 0), max(top, 0), right, bottom


@njit(cache=True, nogil=True)
def _spread(blocks, vectors, motion):
    for k in range(len(blocks)):
        left, top, right, bottom = clipped(blocks[k], motion.shape[1], motion.shape[2])
        for axis in range(2):
            value = vectors[k, axis]
            for y in range(top, bottom):
                motion[axis, y, left:right] = value


@njit(cache=True, nogil=True)
def _average(blocks, vectors, height, width, cell, grid):
    for k in range(len(blocks)):
        left, top, right, bottom = clipped(blocks[k], height, width)
        if left >= right or top >= bottom:
            continue
        for row in range(top // cell, (bottom - 1) // cell + 1):
            rows = min(bottom, (row + 1) * cell) - max(top, row * cell)
            cell_rows = min(height, (row + 1) * cell) - row * cell
            for column in range(left // cell, (right - 1) // cell + 1):
                columns = min(right, (column + 1) * cell) - max(left, column * cell)
                cell_columns = min(width, (column + 1) * cell) - column * cell
                share = np.float32(rows * columns / (cell_rows * cell_columns))
                grid[0, row, column] += vectors[k, 0] * share
                grid[1, row, column] += vectors[k, 1] * share


@njit(cache=True, nogil=True)
def _accumulate(blocks, vectors, before, after, picture, moved):
    channels, height, width = picture.shape
    plane = height * width
    flat_before, flat_after = before.reshape(-1), after.reshape(-1)
    flat_picture, flat_moved = picture.reshape(-1), moved.reshape(-1)
    same = np.uint8(0)
    for k in range(len(blocks)):
        dx, dy = int(vectors[k, 0]), int(vectors[k, 1])
        if dx == 0 and dy == 0:
            continue  # both are copies of what was there
        left, top, right, bottom = clipped(blocks[k], height, width)
        inside = left - dx >= 0 and right - dx <= width
        if inside and right - left == 16:
            for y in range(top, bottom):
                source_y = min(max(y - dy, 0), height - 1)
                to, start = y * width + left, source_y * width + left - dx
                move_pixels(flat_after, to, flat_before, start, np.int16(dx), 16)
                move_pixels(flat_after, to + plane, flat_before, start + plane, np.int16(y - source_y), 16)
                for c in range(channels):
                    move_pixels(flat_moved, to + c * plane, flat_picture, start + c * plane, same, 16)
        elif inside and right - left == 8:
            for y in range(top, bottom):
                source_y = min(max(y - dy, 0), height - 1)
                to, start = y * width + left, source_y * width + left - dx
                move_pixels(flat_after, to, flat_before, start, np.int16(dx), 8)
                move_pixels(flat_after, to + plane, flat_before, start + plane, np.int16(y - source_y), 8)
                for c in range(channels):
                    move_pixels(flat_moved, to + c * plane, flat_picture, start + c * plane, same, 8)
        else:
            for y in range(top, bottom):
                source_y = min(max(y - dy, 0), height - 1)
                for x in range(left, right):
                    source_x = min(max(x - dx, 0), width - 1)
                    after[0, y, x] = before[0, source_y, source_x] + (x - source_x)
                    after[1, y, x] = before[1, source_y, source_x] + (y - source_y)
                    for c in range(channels):
                        moved[c, y, x] = picture[c, source_y, source_x]
