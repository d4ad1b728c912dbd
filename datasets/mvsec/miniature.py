"""Small files in the form of MVSEC, with labels, so that its loader can be tried without MVSEC."""

from __future__ import annotations

import math
from pathlib import Path

import h5py
import numpy as np
from PIL import Image

from spikelab.datasets.segmentation.miniature_drive import MiniatureDrive, View, simulated

PERIOD = 22_000
"""Microseconds from a picture to the next: 45 a second."""

_START = 1_506_117_912.3  # seconds since 1970


def write(
    folder: str | Path,
    *,
    names: tuple[str, ...] = ("outdoor_day1", "outdoor_day2"),
    scale: int = 4,
    pictures: int = 8,
    every: int = 2,
    seed: int = 0,
) -> Path:
    """Write recordings of the left camera, with labels of six classes for some pictures.

    Args:
        folder: must be empty or not exist.
        names: of the recordings.
        scale: sides of the camera (346 x 260) are divided by it.
        pictures: of each recording.
        every: which pictures have a label, from the fourth on.
        seed: of the streets.

    Returns:
        The folder.

    Raises:
        ValueError: if an argument is out of range, or there is something in the folder.
    """
    folder = Path(folder)
    if not 1 <= scale <= 8 or pictures < 4 or every < 1:
        raise ValueError(
            f"mvsec miniature: scale is {scale} (must be 1 to 8), pictures {pictures} (4 or more), every {every} "
            "(1 or more)"
        )
    if folder.exists() and any(folder.iterdir()):
        raise ValueError(f"mvsec miniature: {folder} is not empty; name another folder")
    for number, name in enumerate(names):
        _write_recording(folder, name, MiniatureDrive(seed, number), scale, pictures, every, seed)
    return folder


def _write_recording(
    folder: Path, name: str, drive: MiniatureDrive, scale: int, pictures: int, every: int, seed: int
) -> None:
    renderer = drive.renderer(View(260 // scale, 346 // scale))
    duration = (pictures - 1) * PERIOD * 1e-6
    steps = (pictures - 1) * min(8, max(3, math.ceil(renderer.largest_motion(PERIOD * 1e-6))))
    moments = np.linspace(0.0, duration, steps + 1)
    events = simulated(np.stack([renderer.luminance(moment - duration) for moment in moments]), moments, seed)
    gain = drive.gain(renderer)
    at = np.arange(pictures) * PERIOD * 1e-6
    labels = folder / f"{name}_labels"
    labels.mkdir(parents=True)
    for number in range(3, pictures, every):
        Image.fromarray(renderer.label(at[number] - duration)).save(labels / f"{number:06d}.png")
    table = np.stack([events.x, events.y, _START + events.t * 1e-6, events.p * 2.0 - 1.0], axis=1)
    with h5py.File(folder / f"{name}_data.hdf5", "w") as file:
        camera = file.create_group("davis/left")
        camera.create_dataset("events", data=table, chunks=(4096, 4), maxshape=(None, 4), compression="lzf")
        camera["image_raw"] = np.stack([drive.frame(renderer, moment - duration, gain) for moment in at])
        camera["image_raw_ts"] = _START + at
        camera["image_raw_event_inds"] = np.searchsorted(table[:, 2], _START + at) - 1
