"""One group of pictures, put together frame by frame from what the decoder gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from spikelab.video.colour import Colour, pixels
from spikelab.video.groups import GroupOfPictures, MotionVectors, PredictedFrame
from spikelab.video.motion import accumulate, dense_motion
from spikelab.video.residual import choose_rounding, residual, subtract
from spikelab.video.vectors import resized_vectors

Interpolation = Literal["auto", "half", "integer"]


@dataclass(frozen=True)
class Wanted:
    """What is to be computed of a group; see `spikelab.video.reader.VideoReader`."""

    colour: Colour
    accumulate: bool
    interpolation: Interpolation
    size: tuple[int, int] | None
    predicted: int | None


class GroupBuilder:
    """A group that is being read.

    Args:
        wanted: What to compute.
        index: The group's place in the file.
        place: The I-frame's place in the file.
        frame: The I-frame, an `av.VideoFrame`.
    """

    def __init__(self, wanted: Wanted, index: int, place: int, frame: Any) -> None:
        self.wanted, self.index, self.place = wanted, index, place
        self.image = pixels(frame, wanted.colour, wanted.size)
        self.frames: list[PredictedFrame] = []
        self.interpolation = "integer"
        # the picture before; or, accumulated, what the motion makes of the I-frame
        self._last = self.image
        self._motion = np.zeros((2, *self.image.shape[1:]), np.int16)
        finds_rounding = not wanted.accumulate and wanted.interpolation != "integer"
        self._luma = self._luma_of(frame, self.image) if finds_rounding else None
        self._rounding = 1

    @property
    def wants_more(self) -> bool:
        """Whether another P-frame is to be added."""
        return self.wanted.predicted is None or len(self.frames) < self.wanted.predicted

    def add(self, place: int, frame: Any, vectors: MotionVectors, steps: int) -> None:
        """Add a P-frame.

        Args:
            place: Its place in the file.
            frame: An `av.VideoFrame`.
            vectors: Its vectors, as they are in the file.
            steps: How many steps a pixel has in them; 0 while that is not known, since there was no vector yet.
        """
        picture = pixels(frame, self.wanted.colour, self.wanted.size)
        if self.wanted.size is not None:
            vectors = resized_vectors(vectors, (frame.height, frame.width), self.wanted.size)
        if self.wanted.accumulate:
            self._motion, self._last = accumulate(vectors, self._motion, self._last)
            self.frames.append(PredictedFrame(place, vectors, self._motion, subtract(picture, self._last)))
            return
        motion = dense_motion(vectors, *picture.shape[1:])
        rounding = self._choose(frame, picture, vectors, steps)
        left = residual(picture, self._last, motion, self.interpolation, rounding)
        self.frames.append(PredictedFrame(place, vectors, motion, left, rounding))
        self._last = picture

    def group(self) -> GroupOfPictures:
        """The group as far as it was read."""
        accumulated = self.wanted.accumulate
        return GroupOfPictures(self.index, self.place, self.image, self.frames, accumulated, self.interpolation)

    def _choose(self, frame: Any, picture: npt.NDArray[np.uint8], vectors: MotionVectors, steps: int) -> int:
        """Settle the interpolation, and find the rounding flag of the P-frame if it needs one."""
        if self._luma is None:
            return 0
        fits = steps == 2 and self.wanted.size is None
        if not (self.wanted.interpolation == "half" or fits):
            return 0
        # P-frames without a vector may come before this is known; for them both interpolations are the same
        self.interpolation = "half"
        luma = self._luma_of(frame, picture)
        if fits:
            self._rounding = choose_rounding(luma, self._luma, vectors, expected=1 - self._rounding)
        self._luma = luma
        return self._rounding

    def _luma_of(self, frame: Any, picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        luma = picture if self.wanted.colour == "luma" else pixels(frame, "luma", self.wanted.size)
        return luma[0]
