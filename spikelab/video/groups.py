"""What a compressed video file is made of: groups of pictures, their I-frame, motion vectors and residuals.

A group begins with an I-frame, which is coded on its own. Each P-frame after it is coded as motion vectors, which say
from where in the picture before a block was taken, and as a residual, which is what the vectors leave unexplained.
B-frames, which refer to the future as well, are no part of a group: see `spikelab.video.reader`.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

#: How a prediction is read between pixels: "half" is bilinear at half pixels, "integer" drops the fraction.
INTERPOLATIONS = ("half", "integer")


@dataclass(frozen=True)
class VideoInfo:
    """What a file holds.

    Attributes:
        path: The file.
        codec: FFmpeg's name of the codec, such as "mpeg4" (MPEG-4 part 2) or "h264".
        width: Of a picture, in pixels, as it is stored.
        height: Of a picture, in pixels, as it is stored.
        frames: How many frames there are of each type: "I", "P" and "B". P counts the sprites (S) of MPEG-4 as well,
            which are predicted from the past like P-frames.
        rate: Frames per second; 0.0 where the file does not say.
        subpixel: Vectors are whole multiples of 1 / subpixel pixels: 2 for MPEG-1, 2 and 4 part 2, 4 for H.264. It is 1
            where there is no vector at all.
    """

    path: str
    codec: str
    width: int
    height: int
    frames: dict[str, int]
    rate: float
    subpixel: int


@dataclass(frozen=True, eq=False, repr=False)
class MotionVectors:
    """The vectors of one P-frame, as the codec stored them.

    Intra blocks, which are coded without a prediction, have no vector.

    Attributes:
        blocks: int16 [K, 4]: x and y of the block's top left corner, its width and its height, in pixels. A block may
            reach over the picture's edge.
        vectors: float32 [K, 2]: dx and dy in pixels, with their fractions: how far the content moved since the picture
            before (destination minus source, as in CoViAR, https://github.com/chaoyuaw/pytorch-coviar).
    """

    blocks: npt.NDArray[np.int16]
    vectors: npt.NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.blocks)

    def __repr__(self) -> str:
        return f"MotionVectors({len(self)} blocks)"


@dataclass(frozen=True, eq=False, repr=False)
class PredictedFrame:
    """A P-frame, as the difference to another picture.

    Attributes:
        index: The frame's place in the file, in the order of display, from 0.
        vectors: What the codec stored.
        motion: [2, H, W], dx and dy of each pixel in pixels, 0 in intra blocks. float32 with fractions against the
            previous I- or P-frame; int16 if accumulated, against the I-frame.
        residual: int16 [C, H, W], -255 to 255: the picture minus its prediction.
        rounding: 0 or 1, the rounding flag of MPEG-4 part 2 that the prediction was made with; it matters for
            interpolation at half pixels only.
    """

    index: int
    vectors: MotionVectors
    motion: npt.NDArray[np.float32] | npt.NDArray[np.int16]
    residual: npt.NDArray[np.int16]
    rounding: int = 0

    def __repr__(self) -> str:
        channels, height, width = self.residual.shape
        size = f"{width} x {height}, {channels} channel{'s' * (channels > 1)}"
        return f"PredictedFrame(index={self.index}, {size}, {len(self.vectors)} vectors)"


@dataclass(frozen=True, eq=False, repr=False)
class GroupOfPictures:
    """An I-frame and the P-frames up to the next one.

    Attributes:
        index: The group's place in the file, from 0.
        frame: The I-frame's place in the file, in the order of display, from 0.
        image: uint8 [C, H, W], the I-frame: red, green, blue, or luma as it is stored (16 to 235 in most files).
        predicted: The P-frames in order.
        accumulated: Whether motion and residual are against the I-frame, rather than the previous I- or P-frame.
        interpolation: How predictions read between pixels, "half" or "integer"; accumulated motion is whole pixels.
        colours: uint8 [3, H, W], red, green and blue of the I-frame, where they were asked for beside its luma.
    """

    index: int
    frame: int
    image: npt.NDArray[np.uint8]
    predicted: list[PredictedFrame]
    accumulated: bool
    interpolation: str
    colours: npt.NDArray[np.uint8] | None = None

    def __repr__(self) -> str:
        channels, height, width = self.image.shape
        against = "the I-frame" if self.accumulated else "the picture before"
        return (
            f"GroupOfPictures(index={self.index}, frame={self.frame}, {width} x {height}, "
            f"{channels} channel{'s' * (channels > 1)}, {len(self.predicted)} P-frames against {against})"
        )
