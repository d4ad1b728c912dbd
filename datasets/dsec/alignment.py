"""Pictures of DSEC's frame camera as the event camera beside it would have taken them.

Both cameras are rectified, so a pixel is a direction: what event pixel ``e`` (homogeneous) sees is in the picture at
``P e``, with ``P = K_frame R K_event^-1`` and ``R = R_rect_frame R_frame_from_event R_rect_event^-1``. The cameras
stand some centimetres apart, which this leaves out: it is exact for things far away, and a thing at distance ``z`` is
off by ``focal length * baseline / z`` (in DSEC some 3 pixels at 10 metres, a third of one at 100).

Source: ``cam_to_cam.yaml`` and issue 25 in github.com/uzh-rpg/DSEC.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, Literal

import numpy as np
import yaml  # type: ignore[import-untyped]
from numba import njit

Interpolation = Literal["bilinear", "cubic"]
_SHARPNESS = -0.75  # of the cubic kernel; -0.75 is also OpenCV's


@dataclasses.dataclass(frozen=True)
class CameraPair:
    """A rectified event camera and the rectified frame camera beside it.

    Attributes:
        event_matrix: intrinsic matrix of the event camera, float64 ``[3, 3]``; pixel centres have whole numbers.
        frame_matrix: that of the frame camera.
        rotation: turns directions in the rectified event camera into those in the rectified frame camera.
        event_size: height and width of the event camera, pixels.
        frame_size: those of the frame camera.
    """

    event_matrix: np.ndarray
    frame_matrix: np.ndarray
    rotation: np.ndarray
    event_size: tuple[int, int]
    frame_size: tuple[int, int]

    @property
    def homography(self) -> np.ndarray:
        """``P``, which turns event pixels into frame pixels, float64 ``[3, 3]``."""
        return self.frame_matrix @ self.rotation @ np.linalg.inv(self.event_matrix)

    def frame_pixels(self) -> np.ndarray:
        """Where each event pixel lies in the pictures: x and y, float32 ``[H, W, 2]``."""
        height, width = self.event_size
        y, x = np.mgrid[:height, :width].astype(np.float64)
        places = np.stack([x, y, np.ones_like(x)], axis=-1) @ self.homography.T
        return (places[..., :2] / places[..., 2:]).astype(np.float32)


def read_calibration(path: Path) -> CameraPair:
    """The left pair of a ``cam_to_cam.yaml``: event camera 0 and frame camera 1.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is no YAML, or a field is missing or wrong; the message names it.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; it is in the archive of DSEC's calibrations")
    try:
        content = yaml.safe_load(path.read_text())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: is no YAML ({str(error).splitlines()[0]}); fetch it again") from None
    to_frame = _field(path, content, ("extrinsics", "T_10"), (4, 4))[:3, :3]
    event, frame = (_field(path, content, ("extrinsics", f"R_rect{number}"), (3, 3)) for number in (0, 1))
    for name, rotation in (("T_10", to_frame), ("R_rect0", event), ("R_rect1", frame)):
        if not np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-3) or np.linalg.det(rotation) < 0:
            raise ValueError(f"{path}: extrinsics/{name} is no rotation; fetch the calibration again")
    matrices, sizes = [], []
    for number in (0, 1):
        camera = ("intrinsics", f"camRect{number}")
        fx, fy, cx, cy = _field(path, content, (*camera, "camera_matrix"), (4,))
        width, height = _field(path, content, (*camera, "resolution"), (2,))
        if min(fx, fy, width, height) <= 0:
            raise ValueError(f"{path}: {'/'.join(camera)} has a focal length or a side of no more than 0")
        matrices.append(np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1.0]]))
        sizes.append((int(height), int(width)))
    return CameraPair(matrices[0], matrices[1], frame @ to_frame @ event.T, sizes[0], sizes[1])


def _field(path: Path, content: Any, names: tuple[str, ...], shape: tuple[int, ...]) -> np.ndarray:
    found = content
    for name in names:
        if not isinstance(found, dict) or name not in found:
            raise ValueError(f"{path}: has no {'/'.join(names)}; is this the cam_to_cam.yaml of a sequence of DSEC?")
        found = found[name]
    try:
        array = np.array(found, dtype=np.float64)
    except (TypeError, ValueError):
        array = np.empty(0)
    if array.shape != shape or not np.isfinite(array).all():
        raise ValueError(f"{path}: {'/'.join(names)} must be numbers of shape {list(shape)}")
    return array


def sampled(picture: np.ndarray, places: np.ndarray, interpolation: Interpolation = "cubic") -> np.ndarray:
    """A picture at places between its pixels.

    Args:
        picture: uint8 ``[H, W]`` or ``[H, W, C]``.
        places: x and y, float32 ``[h, w, 2]``; those outside of the picture give 0.
        interpolation: between 2 x 2 pixels (``"bilinear"``) or 4 x 4 (``"cubic"``).

    Returns:
        uint8 ``[h, w]`` or ``[h, w, C]``.

    Raises:
        ValueError: if there is no such interpolation.
    """
    if interpolation not in ("bilinear", "cubic"):
        raise ValueError(f"interpolation is {interpolation!r}, must be bilinear or cubic")
    planes = np.ascontiguousarray(picture[..., None] if picture.ndim == 2 else picture)
    out = np.zeros((*places.shape[:2], planes.shape[2]), np.uint8)
    _sample(planes, np.ascontiguousarray(places, np.float32), interpolation == "cubic", out)
    return out[..., 0] if picture.ndim == 2 else out


@njit(cache=True, nogil=True)
def _cubic(part, weights):
    """Weights of four pixels in a row, for a place `part` of a pixel after the second (Keys 1981)."""
    a = np.float32(_SHARPNESS)
    for tap in range(4):
        d = abs(np.float32(tap - 1) - part)
        if d <= 1:
            weights[tap] = ((a + 2) * d - (a + 3)) * d * d + 1
        else:
            weights[tap] = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a


@njit(cache=True, nogil=True)
def _sample(planes, places, cubic, out):
    height, width, channels = planes.shape
    across, down = np.empty(4, np.float32), np.empty(4, np.float32)
    first, taps = (-1, 4) if cubic else (0, 2)
    for row in range(out.shape[0]):
        for column in range(out.shape[1]):
            x, y = places[row, column, 0], places[row, column, 1]
            if not (x >= -0.5 and y >= -0.5 and x < width - 0.5 and y < height - 0.5):
                continue
            left, top = int(np.floor(x)), int(np.floor(y))
            if cubic:
                _cubic(x - np.float32(left), across)
                _cubic(y - np.float32(top), down)
            else:
                across[1], down[1] = x - np.float32(left), y - np.float32(top)
                across[0], down[0] = 1 - across[1], 1 - down[1]
            for channel in range(channels):
                total = np.float32(0)
                for i in range(taps):
                    line = min(max(top + first + i, 0), height - 1)
                    part = np.float32(0)
                    for j in range(taps):
                        part += across[j] * planes[line, min(max(left + first + j, 0), width - 1), channel]
                    total += down[i] * part
                out[row, column, channel] = np.uint8(min(max(np.rint(total), np.float32(0)), np.float32(255)))
