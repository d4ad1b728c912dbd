"""All pictures of groups of a video file, decoded: what a model has to look at that knows nothing of compression."""

from __future__ import annotations

import os
from collections.abc import Collection
from contextlib import closing

import numpy as np
import numpy.typing as npt

from spikelab.video.colour import pixels
from spikelab.video.decode import PICTURE_TYPES, decoded_frames
from spikelab.video.errors import VideoError


def read_pictures(
    path: str | os.PathLike[str],
    groups: Collection[int] | None = None,
    predicted: int | None = None,
    size: tuple[int, int] | None = None,
) -> list[npt.NDArray[np.uint8]]:
    """The same pictures that `VideoReader` gives as I-frames, motion and residuals; of any codec.

    Args:
        path: The file.
        groups: Which groups to give, by their index; all if left out.
        predicted: How many P-frames of a group to give at most, the first ones; all if left out.
        size: Height and width that pictures are resized to.

    Returns:
        Of each group uint8 [1 + P, 3, H, W], red, green and blue of the I-frame and its P-frames; B-frames are dropped.

    Raises:
        FileNotFoundError: If there is no such file.
        VideoError: If it is broken or has no I-frame.
    """
    wanted = None if groups is None else frozenset(groups)
    last = None if wanted is None else max(wanted, default=-1)
    found: list[list[npt.NDArray[np.uint8]]] = []
    index = -1
    with closing(decoded_frames(path, vectors=False)) as frames:
        for frame in frames:
            kind = PICTURE_TYPES[int(frame.pict_type)]
            if kind == "I":
                index += 1
                if last is not None and index > last:
                    break
            takes = index >= 0 and (wanted is None or index in wanted)
            if kind == "I" and takes:
                found.append([pixels(frame, "rgb", size)])
            elif kind == "P" and takes and (predicted is None or len(found[-1]) <= predicted):
                found[-1].append(pixels(frame, "rgb", size))
    if index < 0:
        raise VideoError(f"{path}: there is no I-frame; copy or download the file again")
    return [np.stack(group) for group in found]
