"""The pixels of a decoded frame: luma as it is, or red, green and blue.

Files keep luma and two colour differences at half the resolution (4:2:0). The conversion is written out here, because
it then gives whole numbers that depend on nothing but the frame, and at once the planes [3, H, W] that networks take.
"""

from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from numba import njit

Colour = Literal["rgb", "luma"]
#: FFmpeg's number of BT.709, the colours of high-definition video. All else is read as BT.601, as FFmpeg does.
_BT709 = 1
_FULL_RANGE = 2


def pixels(
    frame: Any, colour: Colour, size: tuple[int, int] | None = None, out: npt.NDArray[np.uint8] | None = None
) -> npt.NDArray[np.uint8]:
    """The pixels of a frame.

    Args:
        frame: An `av.VideoFrame`.
        colour: "rgb", or "luma" as it is stored: 16 (black) to 235 (white) in most files.
        size: Height and width to resize to (bicubic), before any conversion; none keeps the file's.
        out: Memory for the result; new if left out.

    Returns:
        uint8 [3, H, W] or [1, H, W].
    """
    full = frame.format.name == "yuvj420p" or int(frame.color_range) == _FULL_RANGE
    matrix = int(frame.colorspace)
    height, width = size or (frame.height, frame.width)
    if frame.format.name not in ("yuv420p", "yuvj420p") or (height, width) != (frame.height, frame.width):
        same_range = "yuvj420p" if frame.format.name.startswith("yuvj") else "yuv420p"
        frame = frame.reformat(width=width, height=height, format=same_range)
    luma, blue, red = (_plane(plane) for plane in frame.planes)
    out = np.empty((1 if colour == "luma" else 3, height, width), np.uint8) if out is None else out
    if colour == "luma":
        np.copyto(out[0], luma[:height, :width])
        return out
    _convert(luma, blue, red, _factors(full, matrix == _BT709), out)
    return out


def _plane(plane: Any) -> npt.NDArray[np.uint8]:
    """A plane with its padding at the right, [rows, bytes of a row]."""
    return np.frombuffer(plane, np.uint8)[: plane.height * plane.line_size].reshape(plane.height, plane.line_size)


def _factors(full: bool, high_definition: bool) -> npt.NDArray[np.int32]:
    """Factor and offset of luma, then factors of the colour differences.

    From the definition of ITU-R BT.601 and BT.709 by the shares of red and blue in luma. Factor of luma in 1 / 128, its
    offset in 1 / 32. Then, in 1 / 32768, the factors: red from red difference, green from blue and from red difference,
    blue from blue difference.
    """
    red, blue = (0.2126, 0.0722) if high_definition else (0.299, 0.114)
    green = 1.0 - red - blue
    scale, spread, black = (128, 1.0, 0) if full else (149, 255.0 / 224.0, 16)
    factors = [
        spread * 2.0 * (1.0 - red),
        spread * -2.0 * blue * (1.0 - blue) / green,
        spread * -2.0 * red * (1.0 - red) / green,
        spread * 2.0 * (1.0 - blue),
    ]
    return np.array([scale, black * scale // 4, *(round(factor * 2**15) for factor in factors)], np.int32)


@njit(cache=True, nogil=True)
def _convert(luma, blue, red, factors, out):
    """Sums are of 16 bits, in 1 / 32 of a level, so that a vector instruction takes as many pixels as it can."""
    height, width = out.shape[1:]
    half = (width + 1) // 2
    scale, black = np.uint16(factors[0]), np.int16(factors[1])
    to_red, blue_to_green, red_to_green, to_blue = factors[2:]
    # what colour adds to the pixels of a pair of rows; half a level is in it, for rounding
    few = np.empty((3, half), np.int16)
    adds = np.empty((3, 2 * half), np.int16)
    level = np.int32(16 << 10) + np.int32(512)
    for pair in range((height + 1) // 2):
        blues, reds = blue[pair], red[pair]
        for column in range(half):
            u, v = np.int32(blues[column]) - np.int32(128), np.int32(reds[column]) - np.int32(128)
            few[0, column] = np.int32(to_red * v + level) >> 10
            few[1, column] = np.int32(blue_to_green * u + red_to_green * v + level) >> 10
            few[2, column] = np.int32(to_blue * u + level) >> 10
        for c in range(3):
            narrow, wide = few[c], adds[c]
            for column in range(half):
                wide[2 * column] = narrow[column]
                wide[2 * column + 1] = narrow[column]
        for y in range(2 * pair, min(2 * pair + 2, height)):
            line = luma[y]
            for c in range(3):
                added, target = adds[c], out[c, y]
                for x in range(width):
                    bright = np.int16(np.uint16(np.uint16(line[x]) * scale) >> np.uint16(2)) - black
                    value = np.int16(np.int16(np.int16(bright) + added[x]) >> 5)
                    target[x] = np.uint8(min(max(value, np.int16(0)), np.int16(255)))
