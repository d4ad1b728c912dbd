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
_BITS = 16


def pixels(frame: Any, colour: Colour, size: tuple[int, int] | None = None) -> npt.NDArray[np.uint8]:
    """The pixels of a frame.

    Args:
        frame: An `av.VideoFrame`.
        colour: "rgb", or "luma" as it is stored: 16 (black) to 235 (white) in most files.
        size: Height and width to resize to (bicubic), before any conversion; none keeps the file's.

    Returns:
        uint8 [3, H, W] or [1, H, W], a copy.
    """
    full = frame.format.name == "yuvj420p" or int(frame.color_range) == _FULL_RANGE
    matrix = int(frame.colorspace)
    height, width = size or (frame.height, frame.width)
    if frame.format.name not in ("yuv420p", "yuvj420p") or (height, width) != (frame.height, frame.width):
        same_range = "yuvj420p" if frame.format.name.startswith("yuvj") else "yuv420p"
        frame = frame.reformat(width=width, height=height, format=same_range)
    luma, blue, red = (_plane(plane) for plane in frame.planes)
    if colour == "luma":
        return np.ascontiguousarray(luma[None, :height, :width])
    out = np.empty((3, height, width), np.uint8)
    _convert(luma, blue, red, _coefficients(full, matrix == _BT709), out)
    return out


def _plane(plane: Any) -> npt.NDArray[np.uint8]:
    """A plane with its padding at the right, [rows, bytes of a row]."""
    return np.frombuffer(plane, np.uint8)[: plane.height * plane.line_size].reshape(plane.height, plane.line_size)


def _coefficients(full: bool, high_definition: bool) -> npt.NDArray[np.int32]:
    """Offset and factor of luma; factors of red from red difference, green from both, blue from blue difference.

    In units of 1 / 65536, from the definition of ITU-R BT.601 and BT.709 by the shares of red and blue in luma.
    """
    red, blue = (0.2126, 0.0722) if high_definition else (0.299, 0.114)
    green = 1.0 - red - blue
    scale, spread, offset = (1.0, 1.0, 0) if full else (255.0 / 219.0, 255.0 / 224.0, 16)
    factors = np.array(
        [
            scale,
            spread * 2.0 * (1.0 - red),
            spread * -2.0 * blue * (1.0 - blue) / green,
            spread * -2.0 * red * (1.0 - red) / green,
            spread * 2.0 * (1.0 - blue),
        ]
    )
    return np.concatenate([[offset], np.round(factors * 2**_BITS)]).astype(np.int32)


@njit(cache=True, nogil=True)
def _convert(luma, blue, red, coefficients, out):
    height, width = out.shape[1:]
    offset, scale, to_red, blue_to_green, red_to_green, to_blue = coefficients
    # what colour adds to a pair of rows, at full width, so that the loop over pixels has no odd and even
    adds = np.empty((3, width + 1), np.int32)
    half = np.int32(1 << (_BITS - 1))
    for pair in range((height + 1) // 2):
        for column in range((width + 1) // 2):
            u = np.int32(blue[pair, column]) - np.int32(128)
            v = np.int32(red[pair, column]) - np.int32(128)
            for side in range(2):
                adds[0, 2 * column + side] = to_red * v + half
                adds[1, 2 * column + side] = blue_to_green * u + red_to_green * v + half
                adds[2, 2 * column + side] = to_blue * u + half
        for y in range(2 * pair, min(2 * pair + 2, height)):
            for c in range(3):
                for x in range(width):
                    level = (np.int32(luma[y, x]) - offset) * scale
                    value = (level + adds[c, x]) >> _BITS
                    out[c, y, x] = min(max(value, np.int32(0)), np.int32(255))
