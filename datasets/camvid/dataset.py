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
from pathlib import Path

import numpy as np

from spikelab.datasets.cache import RawSample, Shard, cache_folder, settings_digest, write_shard
from spikelab.datasets.camvid.recording import LabelledVideo, find_recording
from spikelab.datasets.generate import ShardTask, generate_shards
from spikelab.datasets.segmentation.augmentation import Augmentation
from spikelab.datasets.segmentation.samples import IGNORE_INDEX
from spikelab.datasets.segmentation.shards import ShardedSegmentation
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

TEST_FRAMES = 30
VERSION = 1  # raise it with every change of the code that changes a sample


class CamVidDriving(ShardedSegmentation):
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
            `spikelab.datasets.segmentation.augmentation`.
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
        video = LabelledVideo.read(find_recording(path))
        camera = camera or EventCamera(cutoff_hz=300.0, leak_rate_hz=0.1, shot_noise_rate_hz=0.5)
        count = len(video.numbers) - 1
        trained = count - TEST_FRAMES - validation_frames
        if validation_frames < 0 or trained < 1:
            raise ValueError(
                f"camvid: {video.source} has {count} samples; without {TEST_FRAMES} for the test split and "
                f"validation_frames = {validation_frames} there must be at least one for training"
            )
        key = settings_digest(
            {
                "version": VERSION,
                "recording": video.digest(),
                "camera": dataclasses.asdict(camera),
                "seed": seed,
                "classes": list(CAMVID_TO_DDD17.items()),
            }
        )
        self.folder = cache_folder(f"camvid-{key}", cache)
        file = self.folder / "sequence.safetensors"
        task = ShardTask(file, 0, count, _make_shard, {"video": video, "camera": camera, "seed": seed, "key": key})
        generate_shards([task], "camvid, events", workers=1, progress=progress)
        first, last = {
            "train": (0, trained),
            "validation": (trained, trained + validation_frames),
            "test": (count - TEST_FRAMES, count),
        }[split]
        super().__init__(
            [Shard(file, key, count, video.size)],
            split,
            video.interval,
            time_bins=time_bins,
            augmentation=augmentation if split == "train" else None,
            seed=seed,
            samples=range(first, last),
        )
        self.frame_numbers = video.numbers[1:][first:last]
        """Number of each sample's frame in the original video."""


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
    path: Path, start: int, stop: int, *, video: LabelledVideo, camera: EventCamera, seed: int, key: str
) -> None:
    pictures = np.stack([video.picture(index) for index in range(stop + 1)])
    labels = []
    for index in range(stop + 1):  # the first label too, though it makes no sample: a recording is right as a whole
        labels.append(convert_label(video.label(index), f"camvid: {video.source}: {video.labels[index][0]}"))
    interval = video.interval
    events = camera.simulate(pictures, np.arange(stop + 1) * interval * 1e-6, seed=seed)
    samples = []
    for index in range(start, stop):
        own = events.between(index * interval, (index + 1) * interval).shift(-index * interval)
        samples.append(RawSample(own, pictures[index + 1], labels[index + 1], ("real",)))
    write_shard(path, samples, key)
