"""Small files in the form of DSEC-Semantic, so that its loader can be tried without DSEC.

Every file that the loader reads is there, in the same place and of the same type, with all sequences of the literature;
but the cameras have fewer pixels, a sequence lasts half a second, and the streets are procedural. The calibration is
exact and the cameras stand in one point, so frames, events and labels fit for near things too.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

import h5py
import numpy as np
from PIL import Image

from spikelab.datasets.dsec.semantic import TEST, TRAIN
from spikelab.datasets.segmentation.miniature_drive import MiniatureDrive, View, simulated
from spikelab.events.files import write_events

PERIOD = 50_000
"""Microseconds from a picture, with its label, to the next."""

_START = 58_000_000_000  # of the first event, microseconds; DSEC counts from the start of a camera
_YAW = 0.02  # of the frame camera, radians
_DISTORTION = -0.05  # of the event camera's lens: share by which a direction at 45 degrees moves inwards
_IDS = {11: (5, 1, 4, 7, 3, 8), 19: (0, 2, 5, 8, 11, 13)}  # of the renderer's classes


def write(
    folder: str | Path,
    *,
    scale: int = 4,
    labels: int = 10,
    seed: int = 0,
    sequences: tuple[str, ...] = (*TRAIN, *TEST),
) -> Path:
    """Write a miniature of DSEC-Semantic.

    Args:
        folder: must be empty or not exist.
        scale: sides of all cameras are divided by it; 1 gives those of DSEC (and takes minutes).
        labels: and pictures of a sequence, 20 a second.
        seed: of the streets.
        sequences: their names.

    Returns:
        The folder.

    Raises:
        ValueError: if an argument is out of range, or there is something in the folder.
    """
    folder = Path(folder)
    if scale not in (1, 2, 4, 5, 8, 10):
        raise ValueError(f"dsec miniature: scale is {scale}, must be 1, 2, 4, 5, 8 or 10")
    if labels < 2:
        raise ValueError(f"dsec miniature: labels is {labels}, must be at least 2")
    if folder.exists() and any(folder.iterdir()):
        raise ValueError(f"dsec miniature: {folder} is not empty; name another folder")
    for number, name in enumerate(sequences):
        place = folder / ("test" if name in TEST else "train") / name
        _write_sequence(place, MiniatureDrive(seed, number), scale, labels, seed)
    return folder


def _write_sequence(folder: Path, drive: MiniatureDrive, scale: int, labels: int, seed: int) -> None:
    events = View(480 // scale, 640 // scale, 0.87)
    frames = View(1080 // scale, 1440 // scale, 0.8, yaw=_YAW)
    duration = (labels - 1) * PERIOD * 1e-6
    rectified = drive.renderer(events)
    places = _rectify_map(drive.camera_matrix(events), events)
    steps = (labels - 1) * min(16, max(6, math.ceil(rectified.largest_motion(PERIOD * 1e-6))))
    times = np.linspace(0.0, duration, steps + 1)
    pictures = np.stack([_between_pixels(rectified.luminance(time - duration), places) for time in times])
    _make(folder / "events/left")
    write_events(folder / "events/left/events.h5", simulated(pictures, times, seed).shift(_START), format="dsec_hdf5")
    with h5py.File(folder / "events/left/rectify_map.h5", "w") as file:
        file["rectify_map"] = places.astype(np.float32)

    image_folder = _make(folder / "images/left/rectified")
    camera = drive.renderer(frames)
    gain = drive.gain(camera)
    moments = [_START + number * PERIOD for number in range(labels)]
    for number, moment in enumerate(moments):
        time = (moment - _START) * 1e-6 - duration
        grey = drive.frame(camera, time, gain)
        Image.fromarray(np.repeat(grey[..., None], 3, axis=2)).save(image_folder / f"{number:06d}.png")
        label = rectified.label(time)[: 440 // scale]
        for classes, ids in _IDS.items():
            place = _make(folder / f"semantic/left/{classes}classes/data")
            Image.fromarray(np.array(ids, np.uint8)[label]).save(place / f"{number:06d}.png")
    for times_file in ("images/timestamps.txt", "semantic/timestamps.txt"):
        (folder / times_file).write_text("".join(f"{moment}\n" for moment in moments))
    _write_calibration(folder, drive, events, frames)


def _write_calibration(folder: Path, drive: MiniatureDrive, events: View, frames: View) -> None:
    to_frame = _turned(1, frames.yaw - events.yaw).T
    # both cameras stand askew and are made level by the rectification, as in DSEC
    rectify_event, rectify_frame = _turned(0, 0.01) @ _turned(2, -0.004), _turned(0, -0.006) @ _turned(1, 0.003)
    between = np.eye(4)
    between[:3, :3] = rectify_frame.T @ to_frame @ rectify_event
    intrinsics = {}
    for number, view in enumerate((events, frames)):
        matrix = drive.camera_matrix(view)
        intrinsics[f"camRect{number}"] = {
            "camera_model": "pinhole",
            "camera_matrix": [matrix[0, 0], matrix[1, 1], matrix[0, 2], matrix[1, 2]],
            "resolution": [view.width, view.height],
        }
    extrinsics = {
        "T_10": between.tolist(), "R_rect0": rectify_event.tolist(), "R_rect1": rectify_frame.tolist(),
    }  # fmt: skip
    # what JSON allows, YAML allows
    place = _make(folder / "calibration") / "cam_to_cam.yaml"
    place.write_text(json.dumps({"intrinsics": intrinsics, "extrinsics": extrinsics}, indent=2))


def _turned(axis: int, angle: float) -> np.ndarray:
    """A rotation about an axis, float64 ``[3, 3]``."""
    rotation = np.eye(3)
    first, second = (axis + 1) % 3, (axis + 2) % 3
    rotation[first, first] = rotation[second, second] = math.cos(angle)
    rotation[first, second], rotation[second, first] = -math.sin(angle), math.sin(angle)
    return rotation


def _rectify_map(matrix: np.ndarray, view: View) -> np.ndarray:
    """Where the pixels of a lens with distortion lie in the rectified view: x and y, float64 ``[H, W, 2]``."""
    y, x = np.mgrid[: view.height, : view.width].astype(np.float64)
    right, down = (x - matrix[0, 2]) / matrix[0, 0], (y - matrix[1, 2]) / matrix[1, 1]
    inwards = 1.0 + _DISTORTION * (right**2 + down**2)
    return np.stack([right * inwards * matrix[0, 0] + matrix[0, 2], down * inwards * matrix[1, 1] + matrix[1, 2]], -1)


def _between_pixels(picture: np.ndarray, places: np.ndarray) -> np.ndarray:
    """A picture at places between its pixels, bilinear, float32."""
    x, y = np.clip(places[..., 0], 0, picture.shape[1] - 1.001), np.clip(places[..., 1], 0, picture.shape[0] - 1.001)
    left, top = x.astype(int), y.astype(int)
    x, y = x - left, y - top
    above = picture[top, left] * (1 - x) + picture[top, left + 1] * x
    below = picture[top + 1, left] * (1 - x) + picture[top + 1, left + 1] * x
    return (above * (1 - y) + below * y).astype(np.float32)


def _make(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
