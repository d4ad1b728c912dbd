"""The motion vectors that FFmpeg exports with a frame, as `MotionVectors`."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

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
    steps = int(records["motion_scale"][0])
    if (records["source"] >= 0).any():
        records = records[records["source"] < 0]
    blocks = np.empty((len(records), 4), np.int16)
    blocks[:, 2], blocks[:, 3] = records["w"], records["h"]
    blocks[:, 0] = records["dst_x"] - blocks[:, 2] // 2
    blocks[:, 1] = records["dst_y"] - blocks[:, 3] // 2
    vectors = np.empty((len(records), 2), np.float32)
    vectors[:, 0], vectors[:, 1] = records["motion_x"], records["motion_y"]
    # adding zero turns the zeros that became negative back
    vectors /= np.float32(-max(steps, 1))
    vectors += np.float32(0)
    return MotionVectors(blocks, vectors), steps


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
