"""Small files in the three forms of DDD17, all of the same recordings, so that its loader can be tried without DDD17.

The streets are procedural and the camera has fewer pixels; otherwise each form has the files, names and types of the
published one, with all recordings of the literature.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, get_args

import h5py
import numpy as np
from PIL import Image

from spikelab.datasets.ddd17.dataset import Form
from spikelab.datasets.ddd17.evsegnet import WINDOW
from spikelab.datasets.ddd17.raw import labels_of
from spikelab.datasets.ddd17.repacked import INDEX
from spikelab.datasets.segmentation.miniature_drive import MiniatureDrive, View, simulated
from spikelab.events import EventArray, evsegnet_channels

RECORDINGS = {
    "dir0": ("run2", "rec1487339175"), "dir1": ("run3", "rec1487417411"), "dir3": ("run3", "rec1487593224"),
    "dir4": ("run4", "rec1487779465"), "dir5": ("run3", "rec1487356509"), "dir6": ("run5", "rec1487842276"),
    "dir7": ("run5", "rec1487846842"),
}  # fmt: skip
"""Folder, run and recording. ``dir1`` is the one of test, and ``dir5`` the one with a single label that nobody uses."""

PERIOD = 50_000  # microseconds from a picture to the next
FIRST = 3  # the first picture with a label; pictures count from 1
_BEGIN = 7_300_000  # time of the first picture, microseconds: the camera's clock runs before the recording begins
_EXPOSURE = 8_000
_BONNET = 0.2


class _Recording(NamedTuple):
    events: EventArray  # of the whole sensor
    pictures: list[np.ndarray]  # uint8, of the whole sensor
    times: np.ndarray  # of the pictures, microseconds
    labels: dict[int, np.ndarray]  # by number of the picture


def write(folder: str | Path, form: Form = "repacked", *, scale: int = 4, labels: int = 4, seed: int = 0) -> Path:
    """Write a miniature of DDD17.

    Args:
        folder: must be empty or not exist.
        form: ``"repacked"``, ``"raw"`` or ``"evsegnet"``; for one seed all show the same recordings.
        scale: sides of the camera are divided by it; 1 gives those of DDD17 (half a minute to make).
        labels: of a recording, 20 a second.
        seed: of the streets.

    Returns:
        The folder.

    Raises:
        ValueError: if an argument is out of range, or there is something in the folder.
    """
    folder = Path(folder)
    if form not in get_args(Form):
        raise ValueError(f"ddd17 miniature: form is {form!r}, must be one of {', '.join(get_args(Form))}")
    if scale not in (1, 2, 4, 5):
        raise ValueError(f"ddd17 miniature: scale is {scale}, must be 1, 2, 4 or 5")
    if labels < 1:
        raise ValueError(f"ddd17 miniature: labels is {labels}, must be at least 1")
    if folder.exists() and any(folder.iterdir()):
        raise ValueError(f"ddd17 miniature: {folder} is not empty; name another folder")
    writers = {"repacked": _write_repacked, "raw": _write_raw, "evsegnet": _write_evsegnet}
    for number, name in enumerate(RECORDINGS):
        recording = _drive(MiniatureDrive(seed, number), scale, 1 if name == "dir5" else labels, seed)
        writers[form](folder, name, recording)
    return folder


def _drive(drive: MiniatureDrive, scale: int, labels: int, seed: int) -> _Recording:
    renderer = drive.renderer(View(260 // scale, 346 // scale), bonnet=_BONNET)
    count = FIRST - 1 + labels
    duration = (count - 1) * PERIOD * 1e-6
    steps = (count - 1) * min(16, max(6, math.ceil(renderer.largest_motion(PERIOD * 1e-6))))
    moments = np.linspace(0.0, duration, steps + 1)
    events = simulated(np.stack([renderer.luminance(moment - duration) for moment in moments]), moments, seed)
    gain = drive.gain(renderer)
    times = _BEGIN + np.arange(count) * PERIOD
    at = [(time - _BEGIN) * 1e-6 - duration for time in times]
    return _Recording(
        events.shift(_BEGIN),
        [drive.frame(renderer, moment, gain) for moment in at],
        times,
        {number: renderer.label(at[number - 1])[: 200 // scale] for number in range(FIRST, count + 1)},
    )


def _write_repacked(root: Path, name: str, recording: _Recording) -> None:
    folder, events = root / name, recording.events
    for below in ("index", "imgs", "segmentation_masks"):
        (folder / below).mkdir(parents=True)
    nanoseconds = events.t * 1000
    nanoseconds.astype("<i8").tofile(folder / "events.dat.t")
    np.stack([events.x, events.y, events.p], axis=1).astype("<i2").tofile(folder / "events.dat.xyp")
    times = recording.times * 1000
    for milliseconds in (10, 50, 250):
        ends = np.searchsorted(nanoseconds, times)
        starts = np.searchsorted(nanoseconds, times - milliseconds * 1_000_000)
        np.save(folder / INDEX.replace("50", str(milliseconds)), np.stack([times, ends, starts], axis=1))
    for number, picture in enumerate(recording.pictures, 1):
        Image.fromarray(picture).save(folder / f"imgs/img_{number:08d}.png")
    _write_labels(folder / "segmentation_masks", recording)


def _write_labels(folder: Path, recording: _Recording) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number, label in recording.labels.items():
        Image.fromarray(label).save(folder / f"segmentation_{number:08d}.png")


def _write_evsegnet(root: Path, name: str, recording: _Recording) -> None:
    part = {"dir1": "test", "dir5": "other"}.get(name, "train")
    for kind in ("images", "labels", "events"):
        (root / kind / part).mkdir(parents=True, exist_ok=True)
    for number, label in recording.labels.items():
        stem = f"{part}/{RECORDINGS[name][1]}_export_{number}"
        height, width = label.shape
        Image.fromarray(recording.pictures[number - 1][:height]).save(root / f"images/{stem}.png")
        Image.fromarray(label).save(root / f"labels/{stem}.png")
        end = int(recording.times[number - 1])
        events = recording.events.between(end - WINDOW, end).crop(0, 0, width, height)
        images = evsegnet_channels(events, end - WINDOW, end)
        np.save(root / f"events/{stem}.npy", images.transpose(1, 2, 0))


def _write_raw(root: Path, name: str, recording: _Recording) -> None:
    run, stem = RECORDINGS[name]
    (root / run).mkdir(parents=True, exist_ok=True)
    path = root / run / f"{stem}.hdf5"
    rows = list(_packets(recording))
    with h5py.File(path, "w") as file:
        kind = h5py.vlen_dtype(np.uint8)
        # the recorder makes room ahead: the last rows are empty
        table = file.create_dataset("dvs/data", (len(rows) + 20, 3), kind, maxshape=(None, 3), chunks=(128, 3))
        for number, (header, payload) in enumerate(rows):
            table[number, 1] = np.frombuffer(header, np.uint8)
            table[number, 2] = np.frombuffer(payload, np.uint8)
        file["dvs/timestamp"] = np.arange(len(table))
        file["vehicle_speed/data"] = np.zeros((4, 2))
    _write_labels(labels_of(path), recording)


def _packets(recording: _Recording) -> Iterator[tuple[bytes, bytes]]:
    """Packets of libcaer in the order of time, each as header and payload. The camera stands on its head."""
    events = recording.events
    begin = 0
    for picture, time in zip(recording.pictures, recording.times.tolist(), strict=True):
        end = int(np.searchsorted(events.t, time))
        if end > begin:
            yield _polarity_packet(events[begin:end])
        begin = end
        exposure = time - _EXPOSURE // 2, time + _EXPOSURE // 2
        fields = struct.pack("<Iiiiiiiii", 1 | 1 << 1, exposure[0], exposure[1], *exposure, *picture.shape[::-1], 0, 0)
        payload = fields + (picture[::-1, ::-1].astype("<u2") << 8).tobytes()
        yield _header(2, len(payload), 1), payload
    if begin < len(events):
        yield _polarity_packet(events[begin:])


def _polarity_packet(events: EventArray) -> tuple[bytes, bytes]:
    words = np.empty((len(events), 2), "<u4")
    x, y = events.width - 1 - events.x.astype(np.uint32), events.height - 1 - events.y.astype(np.uint32)
    words[:, 0] = x << 17 | y << 2 | events.p.astype(np.uint32) << 1 | 1
    words[:, 1] = events.t
    return _header(1, 8, len(events)), words.tobytes()


def _header(kind: int, size: int, number: int) -> bytes:
    return struct.pack("<hhiiiiii", kind, 1, size, 4, 0, number, number, number)
