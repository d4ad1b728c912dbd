"""One group of pictures, put together frame by frame from what the decoder gives."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from spikelab.video.block_prediction import predict_blocks
from spikelab.video.colour import Colour, pixels
from spikelab.video.groups import GroupOfPictures, MotionVectors, PredictedFrame
from spikelab.video.motion import accumulate, dense_motion
from spikelab.video.residual import choose_rounding, subtract
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
    colours: bool = False


class GroupBuilder:
    """A group that is being read.

    Args:
        wanted: What to compute.
        index: The group's place in the file.
        place: The I-frame's place in the file.
        frame: The I-frame, an `av.VideoFrame`.
    """

    def __init__(self, wanted: Wanted, index: int, place: int, frame: Any) -> None:
        if wanted.size == (frame.height, frame.width):
            wanted = replace(wanted, size=None)
        self.wanted, self.index, self.place = wanted, index, place
        self.image = pixels(frame, wanted.colour, wanted.size)
        self.colours = pixels(frame, "rgb", wanted.size) if wanted.colours else None
        self.frames: list[PredictedFrame] = []
        self.interpolation = "integer"
        # the picture before; or, accumulated, what the motion makes of the I-frame
        self._last = self.image
        # pictures that nobody keeps are written over the ones before: fresh memory costs more than what fills it
        self._picture, self._spare, self._predicted = (np.empty_like(self.image) for _ in range(3))
        self._motion = np.zeros((2, *self.image.shape[1:]), np.int16)
        # resized pictures were not predicted by the codec
        self._finds_rounding = not (wanted.accumulate or wanted.interpolation == "integer" or wanted.size)
        self._luma = self._luma_of(frame, self.image) if self._finds_rounding else self.image[0]
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
        picture = pixels(frame, self.wanted.colour, self.wanted.size, self._picture)
        if self.wanted.size is not None:
            vectors = resized_vectors(vectors, (frame.height, frame.width), self.wanted.size)
        if self.wanted.accumulate:
            self._motion, moved = accumulate(vectors, self._motion, self._last, self._spare)
            self._keep_last(moved)
            self.frames.append(PredictedFrame(place, vectors, self._motion, subtract(picture, moved)))
            return
        motion = dense_motion(vectors, *picture.shape[1:])
        rounding = self._choose(frame, picture, vectors, steps)
        predicted = predict_blocks(self._last, vectors, self.interpolation, rounding, self._predicted)
        self.frames.append(PredictedFrame(place, vectors, motion, subtract(picture, predicted), rounding))
        self._picture = self._spare
        self._keep_last(picture)

    def _keep_last(self, picture: npt.NDArray[np.uint8]) -> None:
        """Keep a picture for the next frame; the one before gives its memory, unless it is the I-frame."""
        self._spare = np.empty_like(self.image) if self._last is self.image else self._last
        self._last = picture

    def group(self) -> GroupOfPictures:
        """The group as far as it was read."""
        accumulated, colours = self.wanted.accumulate, self.colours
        return GroupOfPictures(
            self.index, self.place, self.image, self.frames, accumulated, self.interpolation, colours
        )

    def _choose(self, frame: Any, picture: npt.NDArray[np.uint8], vectors: MotionVectors, steps: int) -> int:
        """Settle the interpolation, and find the rounding flag of the P-frame if it needs one."""
        if self.wanted.interpolation == "half" or (steps == 2 and self._finds_rounding):
            # P-frames without a vector may have come before; for them both interpolations are the same
            self.interpolation = "half"
        if not self._finds_rounding or steps not in (0, 2):
            return 0
        before, self._luma = self._luma, self._luma_of(frame, picture)
        self._rounding = choose_rounding(self._luma, before, vectors, expected=1 - self._rounding)
        return self._rounding

    def _luma_of(self, frame: Any, picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        luma = picture if self.wanted.colour == "luma" else pixels(frame, "luma", self.wanted.size)
        return luma[0]
