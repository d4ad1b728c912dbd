"""MVSEC with labels of one's own: drives with a camera that gives events and frames.

MVSEC (Zhu et al., RA-L 2018) has no labels for segmentation. Papers that report figures on it made their own with a
network that saw the frames, and did not publish them, so their figures cannot be compared. Here labels are what lies
beside a recording: for ``outdoor_day2_data.hdf5`` the pictures ``outdoor_day2_labels/000000.png`` and so on, numbered
as the pictures in the file's ``davis/left/image_raw``, with one class a pixel, 255 where there is none; of as many
pictures as one likes.

The recordings of the splits are by default those of the literature on optical flow and depth: networks learn from
``outdoor_day2`` alone and are judged on ``outdoor_day1`` (and on recordings of other kinds: flights indoors, drives at
night). Nobody has a validation recording. Source: Lee et al., "Spike-FlowNet", ECCV 2020; ``README.md`` and
``main_spike_flow_dt1.py`` in github.com/chan8972/Spike-FlowNet.
"""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from spikelab.datasets.cache import published_folder
from spikelab.datasets.faulty_recordings import EmptySplitError, each_sound
from spikelab.datasets.mvsec.recording import MvsecRecording
from spikelab.datasets.segmentation.augmentation import Augmentation
from spikelab.datasets.segmentation.labelled_recording import EventWindow
from spikelab.datasets.segmentation.recordings import RecordedSegmentation
from spikelab.datasets.segmentation.samples import CLASS_NAMES, PALETTE
from spikelab.events.files import EventFileError, recognise

SPLITS = ("train", "validation", "test")
TRAIN, TEST = ("outdoor_day2",), ("outdoor_day1",)
"""Recordings of training and of test in the literature on optical flow and depth."""


class MVSEC(RecordedSegmentation):
    """MVSEC with labels of one's own.

    Args:
        split: ``"train"``, ``"validation"`` or ``"test"``.
        train: names of the recordings of the training split. Where no split is named, training has ``outdoor_day2`` and
            test ``outdoor_day1``, as in the literature on flow and depth; where one is, the others are empty.
        validation: those of the validation split; the literature has none.
        test: those of the test split.
        path: folder with the recordings and labels, which may lie in folders of their own; None takes
            ``$SPIKELAB_SHARED/data/mvsec``.
        camera: ``"left"`` or ``"right"``.
        class_names: of the labels, from 0; None takes the six of DDD17.
        first: labels left out at the beginning of each recording.
        every: of the labels that follow, every which one is taken.
        last_events: how many events before the label a sample has; None takes those of `window`.
        window: length of the event window in seconds, which ends at the label. With `last_events` it is only what
            models are told of how long a window lasts.
        time_bins: steps of the voxel grid.
        seed: of the augmentation.
        flip: probability of a mirror image.
        crop: height and width that are cut out at a random place; None keeps the whole picture.
        gain: random factor on the frame's brightness, from ``1 / (1 + gain)`` to ``1 + gain``. Flip, crop and gain
            change samples of the training split only, anew in every epoch.

    Raises:
        FileNotFoundError: if a recording or its labels are missing.
        EmptySplitError: if no recording is named for the split.
        ValueError: if an argument is out of range, a recording is in two splits, or labels and pictures do not fit.
    """

    def __init__(
        self,
        split: str,
        *,
        train: Sequence[str] | None = None,
        validation: Sequence[str] | None = None,
        test: Sequence[str] | None = None,
        path: str | Path | None = None,
        camera: str = "left",
        class_names: Sequence[str] | None = None,
        first: int = 0,
        every: int = 1,
        last_events: int | None = None,
        window: float = 0.05,
        time_bins: int = 5,
        seed: int = 0,
        flip: float = 0.0,
        crop: tuple[int, int] | None = None,
        gain: float = 0.0,
    ):
        if train is None and validation is None and test is None:
            train, test = TRAIN, TEST
        splits = dict(zip(SPLITS, (tuple(each or ()) for each in (train, validation, test)), strict=True))
        if split not in splits:
            raise ValueError(f"mvsec: split is {split!r}, must be one of {', '.join(SPLITS)}")
        if not splits[split]:
            raise EmptySplitError(f"mvsec: name the recordings of the {split} split, such as {split}=[outdoor_day2]")
        names = [name for each in splits.values() for name in each]
        if twice := [name for name in names if names.count(name) > 1]:
            raise ValueError(f"mvsec: {twice[0]} is named twice; a recording belongs to one split")
        if camera not in ("left", "right"):
            raise ValueError(f"mvsec: camera is {camera!r}, must be left or right")
        if class_names is not None:
            self.class_names, self.palette = tuple(class_names), _colours(len(class_names))
        else:
            self.class_names, self.palette = CLASS_NAMES, PALETTE
        root = published_folder("mvsec") if path is None else Path(path).expanduser()
        if not root.is_dir():
            raise FileNotFoundError(f"mvsec: {root}: no such folder; get MVSEC from daniilidis-group.github.io/mvsec")
        augmentation = Augmentation(flip, crop, gain)
        super().__init__(
            each_sound(splits[split], lambda name: _recording(root, name, camera, self.class_names)),
            split,
            EventWindow(round(window * 1e6), last_events),
            first=first,
            every=every,
            time_bins=time_bins,
            augmentation=augmentation if split == "train" else None,
            seed=seed,
        )
        self.folder = root

    @staticmethod
    def recognises(folder: Path) -> bool:
        """Whether a folder holds a recording of MVSEC, with labels or still without."""
        return any(
            place.with_name(f"{place.name.removesuffix('_data.hdf5')}_labels").is_dir() or _is_mvsec(place)
            for place in [*folder.glob("*_data.hdf5"), *folder.glob("*/*_data.hdf5")]
        )


def _is_mvsec(path: Path) -> bool:
    try:
        return recognise(path) == "mvsec_hdf5"
    except (EventFileError, OSError):
        return False


def _recording(root: Path, name: str, camera: str, classes: Sequence[str]) -> MvsecRecording:
    found = sorted([*root.glob(f"{name}_data.hdf5"), *root.glob(f"*/{name}_data.hdf5")])
    if not found:
        there = sorted(path.name for path in [*root.glob("*_data.hdf5"), *root.glob("*/*_data.hdf5")])
        raise FileNotFoundError(
            f"mvsec: {root}: there is no {name}_data.hdf5, here or in a folder below, but "
            f"{', '.join(there) or 'none at all'}; fetch it, or name recordings that are there with train=, "
            "validation= and test="
        )
    labels = found[0].with_name(f"{name}_labels")
    if not labels.is_dir():
        raise FileNotFoundError(
            f"mvsec: {labels}: no such folder. MVSEC has no labels: make some of the pictures in {found[0].name} and "
            "put them there as 000000.png and so on, numbered as the pictures"
        )
    return MvsecRecording(found[0], labels, camera, classes)


def _colours(count: int) -> np.ndarray:
    """Colours that differ in hue, and neighbours in lightness, uint8 ``[count, 3]``."""
    colours = [colorsys.hls_to_rgb(number / count, 0.35 + 0.25 * (number % 2), 0.7) for number in range(count)]
    return np.rint(np.array(colours).reshape(count, 3) * 255).astype(np.uint8)
