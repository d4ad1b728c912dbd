"""DDD17 with the labels of EV-SegNet: drives with one camera that gives events and frames, six classes.

DDD17 (Binas et al., 2017) has the recordings, EV-SegNet (Alonso and Murillo, CVPR Workshops 2019) the labels. The data
are around in three forms, and the form is found out from what is in the folder:

* **packed anew** for ESS: folders ``dir0``, ``dir1`` ... with plain arrays (`spikelab.datasets.ddd17.repacked`);
* **raw**: ``rec1487339175.hdf5`` ... of the recorder, with labels beside them (`spikelab.datasets.ddd17.raw`), packed
  anew in the cache once;
* **EV-SegNet's**: ``images/``, ``events/``, ``labels/`` (`spikelab.datasets.ddd17.evsegnet`), where six images stand in
  place of the events.

The same recording gives the same item in all three forms, as far as they hold the same: with
``representation="evsegnet"`` the events of an item are those six images, which the other two forms make of their
events; a voxel grid cannot be had of EV-SegNet's form, as it does not know the single events. How EV-SegNet scaled the
numbers of events in its files is not published, so there ours may differ by a factor (see
`spikelab.events.evsegnet_channels`).

What to keep in mind:

* Labels were predicted from the frames by a network, not drawn by hand.
* What the literature reports as test is the recording ``dir1`` or ``rec1487417411``. ESS calls it "valid"; what it
  calls "test" (``dir5``) has one label. The literature has no third split; our validation split is a recording taken
  out of training, and ``validation=[]`` gives it back.
* Of the sensor's 260 rows the lowest 60 are cut off: they show the car's bonnet and have no labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from spikelab.datasets.cache import RawSample, published_folder
from spikelab.datasets.ddd17.evsegnet import WINDOW, EvSegNetFolder
from spikelab.datasets.ddd17.raw import raw_recordings, repacked, why_not
from spikelab.datasets.ddd17.repacked import RepackedRecording
from spikelab.datasets.faulty_recordings import each_sound, tell
from spikelab.datasets.segmentation.augmentation import Augmentation
from spikelab.datasets.segmentation.labelled_recording import EventWindow
from spikelab.datasets.segmentation.recordings import RecordedSegmentation
from spikelab.datasets.segmentation.samples import SegmentationDataset
from spikelab.events import evsegnet_channels

Form = Literal["repacked", "raw", "evsegnet"]
Representation = Literal["voxel", "evsegnet"]

TRAIN = tuple(f"rec{name}" for name in (1487339175, 1487593224, 1487779465, 1487842276, 1487846842))
TEST = ("rec1487417411",)
TRAIN_FOLDERS, TEST_FOLDERS = ("dir0", "dir3", "dir4", "dir6", "dir7"), ("dir1",)
"""Recordings of training and of test in the literature, by the names of the two forms."""

_VALIDATION = {"repacked": ("dir3",), "raw": ("rec1487593224",), "evsegnet": ("rec1487593224",)}


class DDD17(SegmentationDataset):
    """DDD17 with labels of six classes.

    Args:
        split: ``"train"``, ``"validation"`` or ``"test"``.
        path: folder with the data in one of the three forms; None takes ``$SPIKELAB_SHARED/data/ddd17``.
        sequences: names of the recordings of the split (``dir1`` or ``rec1487417411``); None takes those of the
            literature.
        validation: recordings of the literature's training split that are not trained on and make the validation
            split; None takes ``rec1487593224``, or ``dir3``. (Which recording ESS calls how is not published.)
        representation: ``"voxel"`` gives events ``[T, 2, H, W]``, ``"evsegnet"`` the six images of EV-SegNet as
            ``[1, 6, H, W]``.
        last_events: how many events before the label a sample has, on the whole sensor; None takes those of `window`.
        window: length of the event window in seconds, which ends at the label. With `last_events` it is only what
            models are told of how long a window lasts.
        time_bins: steps of the voxel grid; has no meaning for ``"evsegnet"``.
        seed: of the augmentation.
        flip: probability of a mirror image.
        crop: height and width that are cut out at a random place; None keeps the whole picture.
        gain: random factor on the frame's brightness, from ``1 / (1 + gain)`` to ``1 + gain``. Flip, crop and gain
            change samples of the training split only, anew in every epoch.
        cache: root of the cache, where raw recordings are packed anew; None takes ``$SPIKELAB_CACHE`` or
            ``~/.cache/spikelab``.
        progress: show the progress of that.

    Attributes:
        form: in which the data are: ``"repacked"``, ``"raw"`` or ``"evsegnet"``.
        values: ``"counts"`` where events of an item are a voxel grid of them, ``"images"`` for EV-SegNet's.

    Raises:
        FileNotFoundError: if the folder is in none of the forms, or a recording or one of its files is missing.
        ValueError: if an argument is out of range or not possible with this form, or files do not fit together.
    """

    def __init__(
        self,
        split: str,
        *,
        path: str | Path | None = None,
        sequences: Sequence[str] | None = None,
        validation: Sequence[str] | None = None,
        representation: Representation = "voxel",
        last_events: int | None = None,
        window: float = 0.05,
        time_bins: int = 5,
        seed: int = 0,
        flip: float = 0.0,
        crop: tuple[int, int] | None = None,
        gain: float = 0.0,
        cache: str | Path | None = None,
        progress: bool = True,
    ):
        if representation not in ("voxel", "evsegnet"):
            raise ValueError(f"ddd17: representation is {representation!r}, must be voxel or evsegnet")
        root = published_folder("ddd17") if path is None else Path(path).expanduser()
        self.form = recognised_form(root)
        names = _names(self.form, split, sequences, validation)
        events = EventWindow(round(window * 1e6), last_events)
        self._samples: EvSegNetFolder | RecordedSegmentation
        if self.form == "evsegnet":
            if representation != "evsegnet":
                raise ValueError(
                    f"ddd17: {root} has EV-SegNet's form, which holds images in place of the events; set "
                    "representation=evsegnet, or get the recordings or those that ESS packed anew for voxel grids"
                )
            if events != EventWindow(WINDOW):
                raise ValueError(f"ddd17: {root} has EV-SegNet's form, whose window is 0.05 s; leave window as it is")
            self._samples = EvSegNetFolder(root, names)
            size = self._samples.label_size
        else:
            found = raw_recordings(root) if self.form == "raw" else {place.name: place for place in _folders(root)}
            if missing := [name for name in names if name not in found]:
                broken = [reason for name in missing if (reason := why_not(root, name))]
                problem = FileNotFoundError(
                    f"ddd17: {root}: {len(missing)} of the {len(names)} recordings of {split} are missing: "
                    f"{', '.join(missing)}. Fetch them, or name those that are there with sequences="
                )
                tell([problem, *map(ValueError, broken)])
            recordings = each_sound(
                (found[name] for name in names if name in found),
                lambda path: repacked(path, cache, progress) if self.form == "raw" else RepackedRecording(path),
            )
            self._samples = RecordedSegmentation(recordings, split, events)
            size = self._samples.height, self._samples.width
        self.folder, self.representation = root, representation
        self.values = "counts" if representation == "voxel" else "images"
        augmentation = Augmentation(flip, crop, gain)
        super().__init__(
            split,
            events.duration,
            size,
            time_bins=time_bins if representation == "voxel" else 1,
            augmentation=augmentation if split == "train" else None,
            seed=seed,
        )

    def __len__(self) -> int:
        return len(self._samples)

    def raw(self, index: int) -> RawSample:
        """See `SegmentationDataset.raw`.

        Raises:
            ValueError: in EV-SegNet's form, which has no single events.
        """
        return self._samples.raw(self.place(index))

    def conditions(self, index: int) -> tuple[str, ...]:
        """Name of the recording of a sample: scores are also told by recording."""
        return self._samples.conditions(self.place(index))

    def label(self, index: int) -> np.ndarray:
        """See `SegmentationDataset.label`."""
        return self._samples.label(self.place(index))

    def channels(self, index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """See `SegmentationDataset.channels`; events ``[1, 6, H, W]`` for the representation ``"evsegnet"``."""
        if self.representation == "voxel":
            return super().channels(index)
        if isinstance(self._samples, EvSegNetFolder):
            place = self.place(index)
            return self._samples.six_channels(place)[None], self._samples.frame(place), self._samples.label(place)
        raw = self.raw(index)
        images = evsegnet_channels(raw.events, 0, self.window if raw.duration is None else raw.duration)
        return images[None], raw.frame, raw.label

    def event_files(self) -> list[Path]:
        """The file with the events of each recording; none in EV-SegNet's form, which has one for each label."""
        return [] if isinstance(self._samples, EvSegNetFolder) else self._samples.event_files()

    def problems(self) -> list[str]:
        """What is wrong with the files of the split: times, ranges, pairs of labels, frames and events.

        Reads all of them. Each entry names the file and says what to do; none are found in a sound data set.
        """
        return self._samples.problems()

    @staticmethod
    def recognises(folder: Path) -> bool:
        """Whether a folder holds DDD17 in one of the three forms."""
        return bool(_forms(folder))

    @staticmethod
    def options_to_check(folder: Path) -> dict[str, str]:
        """Options without which a folder cannot be read: EV-SegNet's form has no single events for a voxel grid."""
        return {"representation": "evsegnet"} if _forms(folder) == ["evsegnet"] else {}


def recognised_form(root: Path) -> Form:
    """The form of the data in a folder.

    Raises:
        FileNotFoundError: if there is no such folder, or it is in none of the forms.
        ValueError: if it is in several of them.
    """
    if not root.is_dir():
        raise FileNotFoundError(f"ddd17: {root}: no such folder; name the one that holds DDD17 with path=")
    found = _forms(root)
    if len(found) > 1:
        raise ValueError(f"ddd17: {root} holds DDD17 in several forms ({', '.join(found)}); put each in its own folder")
    if not found:
        raise FileNotFoundError(
            f"ddd17: {root} holds DDD17 in none of the known forms: no folders dir0, dir1 ... with events.dat.t (as "
            "ESS packed it), no images/, labels/ and events/ (as EV-SegNet did), no raw recordings in HDF5"
        )
    return found[0]


def _forms(root: Path) -> list[Form]:
    """All forms that there are signs of in a folder."""
    found: list[Form] = []
    if _folders(root):
        found.append("repacked")
    parts = [root / kind / part for kind in ("images", "labels", "events") for part in ("train", "test")]
    if sum(part.is_dir() for part in parts) > 2:
        found.append("evsegnet")
    if raw_recordings(root):
        found.append("raw")
    return found


def _folders(root: Path) -> list[Path]:
    return sorted(place.parent for place in root.glob("*/events.dat.t"))


def _names(
    form: Form, split: str, sequences: Sequence[str] | None, validation: Sequence[str] | None
) -> tuple[str, ...]:
    """Names of the recordings of a split."""
    train, test = (TRAIN_FOLDERS, TEST_FOLDERS) if form == "repacked" else (TRAIN, TEST)
    held_out = _VALIDATION[form] if validation is None else tuple(validation)
    splits = {"train": tuple(name for name in train if name not in held_out), "validation": held_out, "test": test}
    if split not in splits:
        raise ValueError(f"ddd17: split is {split!r}, must be one of {', '.join(splits)}")
    if unknown := [name for name in held_out if name not in train]:
        raise ValueError(f"ddd17: validation names {unknown[0]!r}, not of the training split: {', '.join(train)}")
    names = splits[split] if sequences is None else tuple(sequences)
    if not names:
        raise ValueError(f"ddd17: the {split} split has no recordings; name some in validation= or sequences=")
    return names
