"""DDD17 as EV-SegNet published it: for each picture its label, and six images in place of the single events.

Below the root are ``images/``, ``labels/`` and ``events/``, each with ``train/`` and ``test/`` (and ``other/``, which
nobody reports). Files that belong together have one name, ``<recording>_<number>`` with ``.png`` and ``.npy``. An
array of events is ``[H, W, 6]``; its channels are those of `spikelab.events.evsegnet_channels`, for the 50 milliseconds
before the picture.

Source: Alonso and Murillo 2019; ``generate_dataset.py`` and ``utils/Loader.py`` in github.com/Shathe/Ev-SegNet.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from spikelab.datasets.cache import RawSample
from spikelab.datasets.faulty_recordings import tell
from spikelab.datasets.segmentation.numbered_pictures import picture_size, read_label, read_picture
from spikelab.datasets.segmentation.samples import CLASS_NAMES, IGNORE_INDEX

WINDOW = 50_000
"""Microseconds of events that went into an image."""

CHANNELS = 6
_PARTS = (("labels", ".png"), ("images", ".png"), ("events", ".npy"))
_NAME = re.compile(r"(.+?)(?:_export)?_(\d+)$")


class EvSegNetFolder:
    """The samples of some recordings.

    Args:
        root: with ``images/``, ``labels/`` and ``events/``.
        recordings: their names, such as ``rec1487417411``.

    Raises:
        FileNotFoundError: if a folder is missing, or there is nothing of a recording.
        ValueError: if a label, a picture or an array has no partner, or a name is not as described.
    """

    def __init__(self, root: Path, recordings: tuple[str, ...]):
        self.root = root
        files = {kind: _files(root / kind, ending) for kind, ending in _PARTS}
        faults: list[Exception] = [
            ValueError(
                f"ddd17: {names[lonely[0]]} has no partner in {root / kind} ({len(lonely)} such files of {other}); "
                "unpack the archive again"
            )
            for kind, others in files.items()
            for other, names in files.items()
            if (lonely := sorted(names.keys() - others.keys()))
        ]
        places = {name: _place(path) for name, path in files["labels"].items()}
        known = {recording for recording, _ in places.values()}
        if missing := [name for name in recordings if name not in known]:
            faults.append(
                FileNotFoundError(
                    f"ddd17: {root / 'labels'} has no labels of recording {', '.join(missing)}; there are "
                    f"{', '.join(sorted(known)) or 'none'}. Name those that you want with sequences="
                )
            )
        tell(faults)
        whole = set.intersection(*(set(names) for names in files.values()))
        chosen = sorted((name for name in whole if places[name][0] in recordings), key=places.__getitem__)
        if not chosen:
            raise ValueError("none of the recordings can be used")
        self.names = tuple(places[name][0] for name in chosen)
        self._files = {kind: [files[kind][name] for name in chosen] for kind, _ in _PARTS}
        self.label_size = picture_size(self._files["labels"][0])

    def __len__(self) -> int:
        return len(self.names)

    def raw(self, index: int) -> RawSample:
        """Never: this form has no single events."""
        raise ValueError(f"ddd17: {self.root} holds images made of the events, not the events themselves")

    def conditions(self, index: int) -> tuple[str, ...]:
        """The recording of a sample."""
        return (self.names[index],)

    def label(self, index: int) -> np.ndarray:
        """The label of a sample, uint8 ``[H, W]``."""
        path = self._files["labels"][index]
        label = read_label(path, CLASS_NAMES, IGNORE_INDEX)
        if label.shape != self.label_size:
            raise ValueError(f"ddd17: {path} has height and width {label.shape}, the first label {self.label_size}")
        return label

    def frame(self, index: int) -> np.ndarray:
        """The picture of a sample, uint8 ``[H, W]``."""
        path = self._files["images"][index]
        return self._cut(path, read_picture(path))

    def six_channels(self, index: int) -> np.ndarray:
        """Images of the events, float32 ``[6, H, W]``.

        Raises:
            ValueError: if they are something else, or not finite.
        """
        path = self._files["events"][index]
        try:
            images = np.load(path, allow_pickle=False)
        except (ValueError, OSError, EOFError) as error:
            raise ValueError(f"ddd17: {path}: cannot be read as an array of numbers ({error})") from None
        if images.ndim != 3 or images.shape[2] != CHANNELS or images.dtype.kind not in "fiu":
            raise ValueError(
                f"ddd17: {path}: is {images.dtype} of shape {images.shape}, not numbers [H, W, {CHANNELS}]"
            )
        if not np.isfinite(images).all():
            raise ValueError(f"ddd17: {path}: holds values that are not finite; fetch the file again")
        return np.ascontiguousarray(self._cut(path, images).transpose(2, 0, 1), np.float32)

    def problems(self) -> list[str]:
        """What is wrong with the files; reads all of them."""
        found = []
        for index in range(len(self)):
            for read in (self.label, self.frame, self.six_channels):
                try:
                    read(index)
                except (ValueError, OSError) as error:
                    found.append(str(error))
        return found

    def _cut(self, path: Path, picture: np.ndarray) -> np.ndarray:
        """Without the lowest rows, which labels do not have."""
        height, width = self.label_size
        if picture.shape[1] != width or picture.shape[0] < height:
            raise ValueError(f"ddd17: {path} has height and width {picture.shape[:2]}, its label {self.label_size}")
        return picture[:height]


def _files(folder: Path, ending: str) -> dict[str, Path]:
    """Files of all parts, by part and name without the ending."""
    found = sorted(path for path in folder.glob("*/*") if path.suffix == ending and not path.name.startswith("."))
    return {f"{path.parent.name}/{path.stem}": path for path in found}


def _place(path: Path) -> tuple[str, int]:
    """Name of the recording, and number of the picture."""
    match = _NAME.fullmatch(path.stem)
    if match is None:
        raise ValueError(f"ddd17: {path}: the name is not that of a recording, _ and the number of a picture")
    return match[1], int(match[2])
