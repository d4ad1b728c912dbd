"""DSEC-Semantic: drives with an event camera and a frame camera beside each other, and labels of 11 or 19 classes.

DSEC (Gehrig et al., "DSEC: A Stereo Event Camera Dataset for Driving Scenarios", RA-L 2021) has the recordings, ESS
(Sun et al., ECCV 2022) the labels. The defaults are the protocol of ESS, which later work follows: events of the left
camera, rectified; the first 6 labels of each sequence are left out, as not enough events come before them; of the
others every second one is taken (10 a second); a sample has the last 100,000 events before its label; the lowest 40
of 480 rows are cut off, which the frame camera does not see. The literature reports ``"test"`` and has no validation
split; ours is a sequence taken out of training, and ``validation=[]`` gives it back.

What to keep in mind:

* Labels were predicted from the frames, not drawn by hand, so methods that see the frames do better than the labels
  deserve.
* Frames are aligned with the event camera for things far away; near ones are off by some pixels, and so are labels
  (`spikelab.datasets.dsec.alignment`).
* DSEC cannot be fetched without a person who agrees to its licence: dsec.ifi.uzh.ch. `spikelab.datasets.dsec.miniature`
  writes small files of the same form.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from spikelab.datasets.cache import published_folder
from spikelab.datasets.dsec.alignment import Interpolation
from spikelab.datasets.dsec.layout import find_files, sequence_folders
from spikelab.datasets.dsec.recording import DsecRecording
from spikelab.datasets.faulty_recordings import each_sound, tell
from spikelab.datasets.segmentation.augmentation import Augmentation
from spikelab.datasets.segmentation.labelled_recording import EventWindow
from spikelab.datasets.segmentation.recordings import RecordedSegmentation

TRAIN = tuple(f"zurich_city_{name}" for name in ("00_a", "01_a", "02_a", "04_a", "05_a", "06_a", "07_a", "08_a"))
TEST = tuple(f"zurich_city_{name}" for name in ("13_a", "14_c", "15_a"))
"""Sequences of training and of test in the literature."""

_NAME = re.compile(r"(interlaken|thun|zurich_city)_\d\d_[a-z]$")
# names and colours (in hexadecimal); the numbers are those of the labels
_CLASSES = {
    11: {
        "background": "000000", "building": "464646", "fence": "be9999", "person": "dc143c", "pole": "999999",
        "road": "804080", "sidewalk": "f423e8", "vegetation": "6b8e23", "vehicle": "00008e", "wall": "66669c",
        "traffic sign": "dcdc00",
    },
    19: {
        "road": "804080", "sidewalk": "f423e8", "building": "464646", "wall": "66669c", "fence": "be9999",
        "pole": "999999", "traffic light": "faaa1e", "traffic sign": "dcdc00", "vegetation": "6b8e23",
        "terrain": "98fb98", "sky": "4682b4", "person": "dc143c", "rider": "ff0000", "car": "00008e",
        "truck": "000046", "bus": "003c64", "train": "005064", "motorcycle": "0000e6", "bicycle": "770b20",
    },
}  # fmt: skip


class DSECSemantic(RecordedSegmentation):
    """DSEC with semantic labels.

    Args:
        split: ``"train"``, ``"validation"`` or ``"test"``.
        path: folder with the sequences, or with folders of them, one for each archive; None takes
            ``$SPIKELAB_SHARED/data/dsec``.
        classes: 11, or 19 (those of Cityscapes).
        sequences: names of the sequences of the split; None takes those of the literature.
        validation: sequences of the literature's training split that are not trained on and make the validation split.
        first: labels left out at the beginning of each sequence.
        every: of the labels that follow, every which one is taken.
        last_events: how many events before the label a sample has; None takes those of `window`.
        window: length of the event window in seconds, which ends at the label. With `last_events` it is only what
            models are told of how long a window lasts.
        time_bins: steps of the voxel grid.
        colour: frames in colour ``[3, H, W]`` rather than in grey.
        interpolation: of the frames, ``"cubic"`` or ``"bilinear"``.
        seed: of the augmentation.
        flip: probability of a mirror image.
        crop: height and width that are cut out at a random place; None keeps the whole picture.
        gain: random factor on the frame's brightness, from ``1 / (1 + gain)`` to ``1 + gain``. Flip, crop and gain
            change samples of the training split only, anew in every epoch.

    Raises:
        FileNotFoundError: if a sequence or one of its files is missing; the message says where it was looked for.
        ImportError: if a library is missing that decompresses the events.
        ValueError: if an argument is out of range, or labels, frames, times and calibration do not fit together.
    """

    def __init__(
        self,
        split: str,
        *,
        path: str | Path | None = None,
        classes: int = 11,
        sequences: Sequence[str] | None = None,
        validation: Sequence[str] = ("zurich_city_08_a",),
        first: int = 6,
        every: int = 2,
        last_events: int | None = 100_000,
        window: float = 0.05,
        time_bins: int = 5,
        colour: bool = False,
        interpolation: Interpolation = "cubic",
        seed: int = 0,
        flip: float = 0.0,
        crop: tuple[int, int] | None = None,
        gain: float = 0.0,
    ):
        if classes not in _CLASSES:
            raise ValueError(f"dsec: classes is {classes}, must be 11 or 19")
        if interpolation not in ("bilinear", "cubic"):
            raise ValueError(f"dsec: interpolation is {interpolation!r}, must be bilinear or cubic")
        self.class_names = tuple(_CLASSES[classes])
        self.palette = np.array([list(bytes.fromhex(code)) for code in _CLASSES[classes].values()], np.uint8)
        names = sequences_of(split, validation) if sequences is None else tuple(sequences)
        if not names:
            raise ValueError(f"dsec: the {split} split has no sequences; name some in {_where(split, sequences)}")
        root = published_folder("dsec") if path is None else Path(path).expanduser()
        folders = sequence_folders(root)
        if missing := [name for name in names if name not in folders]:
            problem = FileNotFoundError(
                f"dsec: {root}: {len(missing)} of the {len(names)} sequences of {split} are missing: "
                f"{', '.join(missing)}. Fetch them, or name those that are there with sequences="
            )
            tell([problem])
        augmentation = Augmentation(flip, crop, gain)

        def recording(name: str) -> DsecRecording:
            files = find_files(root, name, folders[name], classes)
            return DsecRecording(files, tuple(self.class_names), colour, interpolation)

        super().__init__(
            each_sound((name for name in names if name in folders), recording),
            split,
            EventWindow(round(window * 1e6), last_events),
            first=first,
            every=every,
            time_bins=time_bins,
            augmentation=augmentation if split == "train" else None,
            seed=seed,
        )
        self.folder = root

    def problems(self) -> list[str]:
        """See `RecordedSegmentation.problems`."""
        found = super().problems()
        largest = max(recording.largest_class() for recording in self.recordings)  # type: ignore[attr-defined]
        if len(self.class_names) == 19 and 0 <= largest < 11:
            found.append(
                f"dsec: {self.folder}: the labels of 19 classes in {self.split} end with class {largest}, and no "
                "sequence is without a car (13); are they those of 11 classes? Set classes=11, or unpack "
                "19classes.zip again"
            )
        return found

    @staticmethod
    def recognises(folder: Path) -> bool:
        """Whether a folder holds sequences of DSEC."""
        marks = ("events/left/events.h5", "events/left/rectify_map.h5", "semantic", "11classes", "19classes")
        places = (place for name, found in sequence_folders(folder).items() if _NAME.match(name) for place in found)
        return any((place / mark).exists() for place in places for mark in marks)


def sequences_of(split: str, validation: Sequence[str] = ()) -> tuple[str, ...]:
    """Names of the sequences of a split.

    Args:
        split: ``"train"``, ``"validation"`` or ``"test"``.
        validation: sequences that are taken out of training.

    Raises:
        ValueError: if there is no such split, or a sequence of `validation` is not one of training.
    """
    if unknown := [name for name in validation if name not in TRAIN]:
        raise ValueError(
            f"dsec: validation names {unknown[0]!r}, which is not of the training split: {', '.join(TRAIN)}"
        )
    splits = {"train": tuple(name for name in TRAIN if name not in validation), "validation": tuple(validation)}
    splits["test"] = TEST
    if split not in splits:
        raise ValueError(f"dsec: split is {split!r}, must be one of {', '.join(splits)}")
    return splits[split]


def _where(split: str, sequences: Sequence[str] | None) -> str:
    return "validation=" if split == "validation" and sequences is None else "sequences="
