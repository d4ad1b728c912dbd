"""The motion vectors that FFmpeg exports with a frame, as `MotionVectors`."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from spikelab.video.groups import MotionVectors

NO_VECTORS = MotionVectors(np.zeros((0, 4), np.int16), np.zeros((0, 2), np.float32))


def exported_vectors(frame: Any) -> tuple[MotionVectors, int]:
    """Read the vectors to past pictures.

    FFmpeg gives a block's centre, and the vector from it to its source: the opposite of how the content moved.

    Args:
        frame: An `av.VideoFrame` that was decoded with the flag `export_mvs`.

    Returns:
        The vectors, and how many steps a pixel has (2 half pixels, 4 quarter pixels); 0 where there is no vector.
    """
    found = frame.side_data.get("MOTION_VECTORS")
    records = found.to_ndarray() if found is not None else None
    if records is None or not len(records):
        return NO_VECTORS, 0
    blocks = np.empty((len(records), 4), np.int16)
    vectors = np.empty((len(records), 2), np.float32)
    count = _convert(records, blocks, vectors)
    return MotionVectors(blocks[:count], vectors[:count]), int(records["motion_scale"][0])


@njit(cache=True, nogil=True)
def _convert(records, blocks, vectors):
    """Keep the vectors to the past; returns their number."""
    count = 0
    for k in range(len(records)):
        record = records[k]
        if record.source < 0:
            blocks[count, 0] = record.dst_x - record.w // 2
            blocks[count, 1] = record.dst_y - record.h // 2
            blocks[count, 2], blocks[count, 3] = record.w, record.h
            steps = -np.float32(max(record.motion_scale, 1))
            # adding zero turns zeros that became negative back
            vectors[count, 0] = np.float32(record.motion_x) / steps + np.float32(0)
            vectors[count, 1] = np.float32(record.motion_y) / steps + np.float32(0)
            count += 1
    return count


def resized_vectors(vectors: MotionVectors, old: tuple[int, int], new: tuple[int, int]) -> MotionVectors:
    """Vectors of a picture of another size; blocks that touched still touch, on whole pixels.

    Args:
        vectors: Of the picture as it is in the file.
        old: Its height and width.
        new: Height and width that it was resized to.
    """
    factor = np.array([new[1] / old[1], new[0] / old[0]])
    corners = vectors.blocks[:, :2].astype(np.int64)
    ends = corners + vectors.blocks[:, 2:]
    scaled: npt.NDArray[np.int64] = np.floor(corners * factor).astype(np.int64)
    sizes = np.floor(ends * factor).astype(np.int64) - scaled
    blocks = np.concatenate([scaled, sizes], 1).astype(np.int16)
    return MotionVectors(blocks, (vectors.vectors * factor).astype(np.float32))
