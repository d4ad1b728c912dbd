"""MVSEC with labels of one's own: drives with a camera that gives events and frames.

MVSEC (Zhu et al., RA-L 2018) has no labels for segmentation. Papers that report figures on it made their own with a
network that saw the frames, and did not publish them, so their figures cannot be compared. Here labels are what lies
beside a recording: for ``outdoor_day2_data.hdf5`` the pictures ``outdoor_day2_labels/000000.png`` and so on, numbered
as the pictures in the file's ``davis/left/image_raw``, with one class a pixel, 255 where there is none; of as many
pictures as one likes.
"""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from spikelab.datasets.cache import published_folder
from spikelab.datasets.mvsec.recording import MvsecRecording
from spikelab.datasets.segmentation.augmentation import Augmentation
from spikelab.datasets.segmentation.labelled_recording import EventWindow
from spikelab.datasets.segmentation.recordings import RecordedSegmentation
from spikelab.datasets.segmentation.samples import CLASS_NAMES, PALETTE

SPLITS = ("train", "validation", "test")


class MVSEC(RecordedSegmentation):
    """MVSEC with labels of one's own. Which recordings make a split must be said: no literature does.

    Args:
        split: ``"train"``, ``"validation"`` or ``"test"``.
        train: names of the recordings of the training split, such as ``outdoor_day2``.
        validation: those of the validation split.
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
        ValueError: if an argument is out of range, a recording is in two splits, or labels and pictures do not fit.
    """

    def __init__(
        self,
        split: str,
        *,
        train: Sequence[str] = (),
        validation: Sequence[str] = (),
        test: Sequence[str] = (),
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
        splits = dict(zip(SPLITS, (tuple(train), tuple(validation), tuple(test)), strict=True))
        if split not in splits:
            raise ValueError(f"mvsec: split is {split!r}, must be one of {', '.join(SPLITS)}")
        if not splits[split]:
            raise ValueError(f"mvsec: name the recordings of the {split} split, such as {split}=[outdoor_day2]")
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
            [_recording(root, name, camera, self.class_names) for name in splits[split]],
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
        """Whether a folder holds a recording of MVSEC with labels."""
        return any(
            place.with_name(f"{place.name.removesuffix('_data.hdf5')}_labels").is_dir()
            for place in [*folder.glob("*_data.hdf5"), *folder.glob("*/*_data.hdf5")]
        )


def _recording(root: Path, name: str, camera: str, classes: Sequence[str]) -> MvsecRecording:
    found = sorted([*root.glob(f"{name}_data.hdf5"), *root.glob(f"*/{name}_data.hdf5")])
    if not found:
        raise FileNotFoundError(f"mvsec: {root}: there is no {name}_data.hdf5, here or in a folder below")
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
