"""One recording of MVSEC, with labels that somebody made beside it."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np

from spikelab.datasets.opened_once import OpenedOnce
from spikelab.datasets.segmentation.event_streams import StreamOfFile
from spikelab.datasets.segmentation.labelled_recording import LabelledRecording
from spikelab.datasets.segmentation.numbered_pictures import numbered, picture_size, read_label
from spikelab.datasets.segmentation.samples import IGNORE_INDEX
from spikelab.events import EventArray
from spikelab.events.formats.hdf5.hdf5_source import dataset, faults_told, open_hdf5

_CLOSE = 100_000  # microseconds by which the file's own index of events may be off


class MvsecRecording(LabelledRecording):
    """One camera of a recording. Events and pictures come from the same pixels, so nothing needs aligning.

    Args:
        path: ``<name>_data.hdf5``.
        labels: folder with labels, numbered as the pictures in ``image_raw``, from 0.
        camera: ``"left"`` or ``"right"``.
        classes: names of the classes of the labels.

    Raises:
        FileNotFoundError: if a file or folder is missing.
        ValueError: if the file has no pictures of the camera, or a label has none.
    """

    def __init__(self, path: Path, labels: Path, camera: str, classes: Sequence[str]):
        if not path.is_file():
            raise FileNotFoundError(f"mvsec: {path}: no such file; get it from daniilidis-group.github.io/mvsec")
        self.path, self.folder, self.camera, self.classes = path, labels, camera, tuple(classes)
        self.name = path.stem.removesuffix("_data")
        self._labels = numbered(labels)
        self.numbers = tuple(self._labels)
        if not self.numbers:
            raise FileNotFoundError(f"mvsec: {labels} holds no labels (000000.png and so on)")
        self._file: OpenedOnce[h5py.File] = OpenedOnce(functools.partial(open_hdf5, path))
        with faults_told(path), open_hdf5(path) as file:
            if camera not in file["davis"] or "image_raw" not in file["davis"][camera]:
                raise ValueError(f"mvsec: {path} has no pictures of the camera {camera} (davis/{camera}/image_raw)")
            images = dataset(path, file["davis"][camera], "image_raw", 3)
            seconds = dataset(path, file["davis"][camera], "image_raw_ts")[:]
            self.label_size: tuple[int, int] = images.shape[1:]
            count = len(images)
        if len(seconds) != count:
            raise ValueError(f"mvsec: {path}: {count} pictures of the camera {camera} have {len(seconds)} times")
        if self.numbers[-1] >= count:
            raise ValueError(
                f"mvsec: {self._labels[self.numbers[-1]]}: there is no picture {self.numbers[-1]} in {path}, which has "
                f"{count} (the first is picture 0)"
            )
        self.times = np.rint(seconds[list(self.numbers)] * 1e6).astype(np.int64)
        found = picture_size(self._labels[self.numbers[0]])
        if found != self.label_size:
            raise ValueError(
                f"mvsec: {self._labels[self.numbers[0]]} has height and width {found}, the pictures in {path} "
                f"{self.label_size}; make labels of the raw pictures, not of rectified ones"
            )
        self.stream = StreamOfFile(path, camera)

    def label(self, number: int) -> np.ndarray:
        """See `LabelledRecording.label`."""
        return read_label(self._labels[self.numbers[number]], self.classes, IGNORE_INDEX)

    def frame(self, number: int) -> np.ndarray:
        """See `LabelledRecording.frame`."""
        with faults_told(self.path):
            image: np.ndarray = self._file()["davis"][self.camera]["image_raw"][self.numbers[number]]
        if image.dtype != np.uint8:
            raise ValueError(f"mvsec: {self.path}: davis/{self.camera}/image_raw holds {image.dtype}, not 8 bits")
        return image

    def seen(self, events: EventArray) -> EventArray:
        """See `LabelledRecording.seen`."""
        return events

    def problems(self) -> list[str]:
        """See `LabelledRecording.problems`."""
        try:
            with faults_told(self.path):
                camera = self._file()["davis"][self.camera]
                before = camera["image_raw_event_inds"][:] if "image_raw_event_inds" in camera else np.empty(0, int)
                table = camera["events"]
                for number, time in zip(self.numbers, self.times.tolist(), strict=True):
                    event = int(before[number]) if number < len(before) else -1
                    if event < 0:  # no event comes before the first pictures
                        continue
                    if event >= len(table) or abs(float(table[event, 2]) * 1e6 - time) > _CLOSE:
                        return [
                            f"mvsec: {self.path}: picture {number} is said to follow event {event}, which is not "
                            f"within {_CLOSE} us of it; pictures and events are not of one recording: fetch it again"
                        ]
        except ValueError as error:
            return [str(error)]
        return []
