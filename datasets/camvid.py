"""CamVid: a real driving video with a label for every frame; its events are simulated between the real frames.

CamVid (Brostow, Fauqueur, Cipolla, Pattern Recognition Letters 2009) is a dash camera's video at 30 frames a second
with hand-made labels in the twelve classes of the SegNet edition. A sequence in which every second frame is labelled
(15 Hz) can be fed to the event-camera simulator: sample ``k`` holds frame ``k``, its label, and the events of the
interval that ends at it (66.7 ms). The first frame has no interval before it and gives no sample.

What to keep in mind:

* The frames are gamma-coded 8-bit grey values and go to the simulator as they are, as v2e does.
* Between two frames 67 ms apart, near things move by many pixels. The simulator interpolates each pixel's brightness,
  not the motion, so a moving edge fades out at its old place and in at its new one, in place of passing through: near
  edges are doubled ("ghosts"), and their events are spread evenly over the interval.
* The split is in time: the last 30 frames are the test split and are never seen in training. The events of the first
  test frame come from the interval between it and the last training frame, and the simulated pixels keep their state
  from there, as a camera's would.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import itertools
import os
import re
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from spikelab.datasets.augmentation import Augmentation
from spikelab.datasets.cache import RawSample, Shard, cache_folder, settings_digest, write_shard
from spikelab.datasets.generate import ShardTask, generate_shards
from spikelab.datasets.segmentation import IGNORE_INDEX, SegmentationDataset
from spikelab.events import EventCamera

CAMVID_TO_DDD17: dict[str, int] = {
    "Sky": 1,
    "Building": 1,
    "Pole": 2,
    "Road": 0,
    "Pavement": 0,
    "Tree": 3,
    "SignSymbol": 2,
    "Fence": 1,
    "Car": 5,
    "Pedestrian": 4,
    "Bicyclist": 4,
    "Unlabelled": IGNORE_INDEX,
}
"""CamVid's classes in the order of their ids (0 to 11), and the class of DDD17 that each becomes."""

VIDEO_RATE = 30.0  # frames a second of the video that the numbers in the file names count
LONGEST_INTERVAL = 4  # video frames; events between frames further apart have little to do with the motion
TEST_FRAMES = 30
VERSION = 1
_NUMBER = re.compile(r"(\d+)\.(png|jpg|jpeg)$", re.IGNORECASE)


class CamVidDriving(SegmentationDataset):
    """The labelled 15 Hz sequence of CamVid with simulated events.

    Args:
        split: ``"test"`` (the last 30 samples), ``"validation"`` (`validation_frames` before them) or ``"train"`` (the
            rest).
        path: a zip file or folder with ``gray/`` (or ``rgb/``) and ``label/``, or a folder that holds one file named
            ``camvid_*_15Hz_*.zip``; None takes ``$SPIKELAB_SHARED/data/camvid_driving``.
        validation_frames: size of the validation split; 0 gives all samples before the test split to training.
        time_bins: steps of the voxel grid, which spans the interval between two frames.
        camera: the event camera to simulate; None takes thresholds of 0.2 with 0.03 mismatch and little noise.
        seed: of the event camera's mismatch and noise, and of the augmentation.
        flip: probability of a mirror image.
        crop: height and width that are cut out at a random place; None keeps the whole picture.
        gain: random factor on the frame's brightness, from ``1 / (1 + gain)`` to ``1 + gain``. Flip, crop and gain
            change samples of the training split only, anew in every epoch: see `set_epoch` and
            `spikelab.datasets.augmentation`.
        cache: root of the cache; None takes ``$SPIKELAB_CACHE`` or ``~/.cache/spikelab``.
        progress: show a progress bar while simulating.

    Raises:
        FileNotFoundError: if there is no such recording.
        ValueError: if the recording is not as described: pictures without labels or labels without pictures, unequal
            sizes, unknown class ids, unreadable pictures, frames too far apart; the message names the file.
        CacheFileError: if a file in the cache is damaged; the message says which one.
    """

    def __init__(
        self,
        split: str,
        *,
        path: str | Path | None = None,
        validation_frames: int = 10,
        time_bins: int = 5,
        camera: EventCamera | None = None,
        seed: int = 0,
        flip: float = 0.0,
        crop: tuple[int, int] | None = None,
        gain: float = 0.0,
        cache: str | Path | None = None,
        progress: bool = True,
    ):
        if split not in ("train", "validation", "test"):
            raise ValueError(f"camvid: split is {split!r}, must be one of train, validation, test")
        if split == "validation" and validation_frames < 1:
            raise ValueError("camvid: the validation split is empty; set validation_frames to at least 1")
        augmentation = Augmentation(flip, crop, gain)
        source = find_recording(path)
        camera = camera or EventCamera(cutoff_hz=300.0, leak_rate_hz=0.1, shot_noise_rate_hz=0.5)
        files = _read_files(source)
        numbers = _check_pairs(source, files)
        count = len(numbers) - 1
        trained = count - TEST_FRAMES - validation_frames
        if validation_frames < 0 or trained < 1:
            raise ValueError(
                f"camvid: {source} has {count} samples; without {TEST_FRAMES} for the test split and "
                f"validation_frames = {validation_frames} there must be at least one for training"
            )
        digest = hashlib.sha256()
        for name in sorted(files):
            digest.update(name.encode() + b"\0" + hashlib.sha256(files[name]).digest())
        key = settings_digest(
            {
                "version": VERSION,
                "recording": digest.hexdigest(),
                "camera": dataclasses.asdict(camera),
                "seed": seed,
                "classes": list(CAMVID_TO_DDD17.items()),
            }
        )
        self.folder = cache_folder(f"camvid-{key}", cache)
        shard = self.folder / "sequence.safetensors"
        arguments = {"source": source, "files": files, "numbers": numbers, "camera": camera, "seed": seed, "key": key}
        generate_shards(
            [ShardTask(shard, 0, count, _make_shard, arguments)], "camvid, events", workers=1, progress=progress
        )
        size = _decode(source, _picture_name(files, numbers[0]), files).shape
        first, last = {
            "train": (0, trained),
            "validation": (trained, trained + validation_frames),
            "test": (count - TEST_FRAMES, count),
        }[split]
        super().__init__(
            [Shard(shard, key, count, (size[0], size[1]))],
            split,
            _window(numbers),
            time_bins=time_bins,
            augmentation=augmentation if split == "train" else None,
            seed=seed,
            samples=range(first, last),
        )
        self.frame_numbers = tuple(number for _, number in numbers[1:][first:last])
        """Number of each sample's frame in the original video."""


def find_recording(path: str | Path | None) -> Path:
    """The zip file or folder that holds the recording.

    Args:
        path: see `CamVidDriving`.

    Raises:
        FileNotFoundError: if there is none; the message says where it was sought.
        ValueError: if a folder holds several.
    """
    if path is None:
        shared = os.environ.get("SPIKELAB_SHARED")
        if not shared:
            raise FileNotFoundError(
                "camvid: no recording given. Pass path=..., or set SPIKELAB_SHARED to the folder that holds "
                "data/camvid_driving"
            )
        path = Path(shared) / "data" / "camvid_driving"
    path = Path(path).expanduser()
    if not path.exists():
        raise FileNotFoundError(f"camvid: {path} does not exist")
    if path.is_file() or (path / "label").is_dir():
        return path
    found = sorted(path.glob("camvid_*_15Hz_*.zip"))
    if not found:
        raise FileNotFoundError(f"camvid: {path} holds neither a folder label/ nor a file camvid_*_15Hz_*.zip")
    if len(found) > 1:
        raise ValueError(
            f"camvid: {path} holds several recordings ({', '.join(f.name for f in found)}); pass one of them"
        )
    return found[0]


def _read_files(source: Path) -> dict[str, bytes]:
    """All pictures and labels, by name such as ``gray/0016E5_07959.png``."""
    if source.is_dir():
        folders = [source / "label", source / ("gray" if (source / "gray").is_dir() else "rgb")]
        paths = [path for folder in folders if folder.is_dir() for path in folder.iterdir() if path.is_file()]
        return {f"{path.parent.name}/{path.name}": path.read_bytes() for path in paths}
    try:
        with zipfile.ZipFile(source) as archive:
            names = [name for name in archive.namelist() if not name.endswith("/")]
            picture = "gray/" if any(name.startswith("gray/") for name in names) else "rgb/"
            return {name: archive.read(name) for name in names if name.startswith(("label/", picture))}
    except (zipfile.BadZipFile, EOFError) as error:
        raise ValueError(f"camvid: {source} is not a whole zip file ({error}); fetch it again") from error


Number = tuple[str, int]  # name of the sequence, number of the frame


def _number(source: Path, name: str) -> Number:
    match = _NUMBER.search(name)
    if match is None:
        raise ValueError(f"camvid: {source}: {name}: the name does not end in a frame number and .png or .jpg")
    return name[: match.start()].split("/")[-1], int(match.group(1))


def _check_pairs(source: Path, files: dict[str, bytes]) -> list[Number]:
    """Sorted numbers of the frames, each of which has a picture and a label and follows the one before it closely."""
    labels = {_number(source, name): name for name in files if name.startswith("label/")}
    pictures = {_number(source, name): name for name in files if not name.startswith("label/")}
    if not labels and not pictures:
        raise ValueError(f"camvid: {source} holds no pictures (gray/ or rgb/) and no labels (label/)")
    lonely = sorted(pictures[number] for number in pictures.keys() - labels.keys())
    if lonely:
        raise ValueError(f"camvid: {source}: {lonely[0]} has no label ({len(lonely)} such pictures)")
    lonely = sorted(labels[number] for number in labels.keys() - pictures.keys())
    if lonely:
        raise ValueError(f"camvid: {source}: {lonely[0]} has no picture ({len(lonely)} such labels)")
    numbers = sorted(labels)
    steps = set()
    for (sequence, number), (next_sequence, next_number) in itertools.pairwise(numbers):
        if sequence != next_sequence or next_number - number > LONGEST_INTERVAL:
            raise ValueError(
                f"camvid: {source}: {labels[next_sequence, next_number]} does not follow {labels[sequence, number]} "
                f"within {LONGEST_INTERVAL} video frames; events can only be simulated along one continuous video"
            )
        steps.add(next_number - number)
    if len(steps) > 1:
        raise ValueError(f"camvid: {source}: the frames are unevenly spaced ({sorted(steps)} video frames apart)")
    return numbers


def _window(numbers: list[Number]) -> int:
    """Time between two frames, microseconds."""
    return round((numbers[1][1] - numbers[0][1]) / VIDEO_RATE * 1e6)


def _picture_name(files: dict[str, bytes], number: Number) -> str:
    return next(name for name in files if not name.startswith("label/") and _number(Path(), name) == number)


def _decode(source: Path, name: str, files: dict[str, bytes]) -> np.ndarray:
    """A grey picture or a label, uint8 ``[H, W]``."""
    try:
        with Image.open(io.BytesIO(files[name]), formats=("PNG", "JPEG")) as picture:
            if name.startswith("label/"):
                if picture.mode not in ("L", "P"):
                    raise ValueError(
                        f"camvid: {source}: {name} has mode {picture.mode}; labels hold one class id a pixel"
                    )
                return np.array(picture, dtype=np.uint8)
            return np.array(picture.convert("L"), dtype=np.uint8)
    except (UnidentifiedImageError, OSError, SyntaxError) as error:
        raise ValueError(f"camvid: {source}: {name} cannot be read ({error})") from error


def convert_label(label: np.ndarray, name: str) -> np.ndarray:
    """CamVid's class ids as those of DDD17.

    Args:
        label: uint8 ``[H, W]``, ids 0 to 11.
        name: of the file, for the message.

    Raises:
        ValueError: if an id is not one of CamVid's.
    """
    table = np.array(list(CAMVID_TO_DDD17.values()), dtype=np.uint8)
    unknown = np.unique(label[label >= len(table)])
    if unknown.size:
        raise ValueError(
            f"{name}: unknown class ids {unknown.tolist()}; CamVid's are 0 to {len(table) - 1} "
            f"({', '.join(CAMVID_TO_DDD17)})"
        )
    return table[label]


def _make_shard(
    path: Path,
    start: int,
    stop: int,
    *,
    source: Path,
    files: dict[str, bytes],
    numbers: list[Number],
    camera: EventCamera,
    seed: int,
    key: str,
) -> None:
    pictures: list[np.ndarray] = []
    labels: list[np.ndarray] = []
    picture_names = {_number(source, name): name for name in files if not name.startswith("label/")}
    label_names = {_number(source, name): name for name in files if name.startswith("label/")}
    for number in numbers:
        picture = _decode(source, picture_names[number], files)
        label = _decode(source, label_names[number], files)
        for name, array in ((picture_names[number], picture), (label_names[number], label)):
            if array.shape != (pictures or [picture])[0].shape:
                expected = (pictures or [picture])[0].shape
                raise ValueError(
                    f"camvid: {source}: {name} has height and width {array.shape}, the pictures have {expected}"
                )
        pictures.append(picture)
        labels.append(convert_label(label, f"camvid: {source}: {label_names[number]}"))
    window = _window(numbers)
    events = camera.simulate(np.stack(pictures), np.arange(len(pictures)) * window * 1e-6, seed=seed)
    samples = []
    for index in range(start, stop):
        interval = events.between(index * window, (index + 1) * window).shift(-index * window)
        samples.append(RawSample(interval, pictures[index + 1], labels[index + 1], ("real",)))
    write_shard(path, samples, key)
