"""One sequence of DSEC: events, rectified; pictures of the frame camera, aligned with them; labels."""

from __future__ import annotations

import contextlib
import functools
import warnings
from pathlib import Path

import numpy as np

from spikelab.datasets.dsec.alignment import CameraPair, Interpolation, read_calibration, sampled
from spikelab.datasets.dsec.layout import DsecFiles
from spikelab.datasets.segmentation.event_streams import StreamOfFile
from spikelab.datasets.segmentation.labelled_recording import LabelledRecording
from spikelab.datasets.segmentation.numbered_pictures import numbered, picture_size, read_label, read_picture
from spikelab.datasets.segmentation.samples import IGNORE_INDEX
from spikelab.events import EventArray
from spikelab.events.formats.hdf5.dsec_hdf5 import index_fault
from spikelab.events.formats.hdf5.hdf5_source import dataset, faults_told, open_hdf5

SAME_MOMENT = 10_000
"""A label belongs to a picture at most this many microseconds away; pictures come every 50 milliseconds."""

_DIFFERENT = 0.25
"""Of the pixels, how many at least a map puts on a pixel of their own; sound ones do so with most."""


class DsecRecording(LabelledRecording):
    """One sequence.

    Labels are as wide as the event camera and lack its lowest rows, which the frame camera does not see; events and
    pictures are brought into the pixels of the labels.

    Args:
        files: of the sequence.
        classes: names of the classes of its labels.
        colour: frames in colour rather than in grey.
        interpolation: of the pictures.

    Raises:
        FileNotFoundError: if a file is missing.
        ValueError: if there are not as many labels or pictures as times, a label has no picture of its moment, or
            the sizes do not fit.
    """

    def __init__(self, files: DsecFiles, classes: tuple[str, ...], colour: bool, interpolation: Interpolation):
        self.files, self.name, self.folder = files, files.name, files.labels
        self.classes, self.colour, self.interpolation = classes, colour, interpolation
        self.stream = StreamOfFile(files.events)
        self._labels, self.times = _timed(files.labels, files.label_times, "labels")
        images, self._image_times = _timed(files.images, files.image_times, "pictures")
        self._images = _of_the_same_moment(files, self._labels, self.times, images, self._image_times)
        self.label_size = picture_size(self._labels[0])
        if fault := _no_offset(files.events):
            warnings.warn(fault, stacklevel=2)

    def label(self, number: int) -> np.ndarray:
        """See `LabelledRecording.label`."""
        return read_label(self._labels[number], self.classes, IGNORE_INDEX)

    def frame(self, number: int) -> np.ndarray:
        """See `LabelledRecording.frame`.

        Raises:
            ValueError: if the picture is not of the size that the calibration is for.
        """
        path = self._images[number]
        picture = read_picture(path, colour=self.colour)
        if picture.shape[:2] != self.cameras.frame_size:
            raise ValueError(
                f"{path}: has height and width {picture.shape[:2]}; the calibration {self.files.calibration} is for "
                f"{self.cameras.frame_size}. Are these the rectified pictures of this sequence?"
            )
        return sampled(picture, self._places, self.interpolation)

    def seen(self, events: EventArray) -> EventArray:
        """See `LabelledRecording.seen`."""
        height, width = self.label_size
        target = self._targets[events.y, events.x]
        kept = target >= 0
        y, x = np.divmod(target[kept], width)
        return EventArray._trusted(
            (x.astype(np.uint16), y.astype(np.uint16), events.t[kept], events.p[kept]), width, height
        )

    @functools.cached_property
    def cameras(self) -> CameraPair:
        """Of the calibration.

        Raises:
            ValueError: if it is for an event camera of another size, or labels do not fit into its picture.
        """
        cameras = read_calibration(self.files.calibration)
        height, width = cameras.event_size
        if self.label_size[1] != width or self.label_size[0] > height:
            raise ValueError(
                f"{self.folder}: labels have height and width {self.label_size}, the event camera of "
                f"{self.files.calibration} has {cameras.event_size}; labels must be as wide and no higher"
            )
        return cameras

    @functools.cached_property
    def _places(self) -> np.ndarray:
        return np.ascontiguousarray(self.cameras.frame_pixels()[: self.label_size[0]])

    @functools.cached_property
    def _targets(self) -> np.ndarray:
        """For each pixel of the event camera the rectified one, ``y * width + x``, or -1 outside; int64 ``[H, W]``."""
        path = self.files.rectify_map
        places = _read_map(path)
        if places.shape[:2] != self.stream.size or places.shape[:2] != self.cameras.event_size:
            raise ValueError(
                f"{path}: the map is for an event camera of {places.shape[:2]} pixels, {self.files.events} has "
                f"{self.stream.size}, {self.files.calibration} {self.cameras.event_size}"
            )
        height, width = self.label_size
        # rounding puts an event at most half a pixel away, and keeps it one whole event
        x, y = np.rint(places[..., 0]), np.rint(places[..., 1])
        with np.errstate(invalid="ignore"):
            inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
        return np.where(inside, y * width + x, -1).astype(np.int64)

    def problems(self) -> list[str]:
        """See `LabelledRecording.problems`."""
        found = self._problems_of_cameras() + self._problems_of_times()
        numbers = list(numbered(self.folder))
        gaps = np.flatnonzero(np.diff(numbers) != numbers[1] - numbers[0]) if len(numbers) > 2 else np.empty(0)
        if gaps.size:
            found.append(
                f"{self.folder}: after label {numbers[int(gaps[0])]} comes {numbers[int(gaps[0]) + 1]}: labels are "
                "missing, and times may belong to others; unpack the archive again"
            )
        found += [fault for fault in (index_fault(self.files.events), _no_offset(self.files.events)) if fault]
        return found

    def largest_class(self) -> int:
        """Largest number of a class in the labels that can be read, -1 if there is none."""
        largest = -1
        for number in range(len(self)):
            with contextlib.suppress(ValueError, OSError):  # which `problems` of the data set tells
                label = self.label(number)
                largest = max(largest, int(label[label != IGNORE_INDEX].max(initial=0)))
        return largest

    def _problems_of_times(self) -> list[str]:
        found = []
        for path, times in ((self.files.label_times, self.times), (self.files.image_times, self._image_times)):
            back = np.flatnonzero(np.diff(times) <= 0)
            if back.size:
                line = int(back[0]) + 1
                found.append(
                    f"{path}: line {line + 1} is {times[line]} us, not later than line {line} with {times[line - 1]} "
                    f"us ({back.size} such lines); times go forward: unpack the archive again"
                )
        return found

    def _problems_of_cameras(self) -> list[str]:
        found = []
        try:
            lost = float((self._targets < 0).mean())
            if lost > 0.5:
                found.append(
                    f"{self.files.rectify_map}: puts {lost:.0%} of the pixels outside; it is of another camera"
                )
            places = self._targets[self._targets >= 0]
            if len(np.unique(places)) < _DIFFERENT * len(places):
                found.append(
                    f"{self.files.rectify_map}: puts {len(places)} pixels on {len(np.unique(places))}; it is damaged: "
                    "unpack the archive of the events again"
                )
            outside = _outside(self._places, self.cameras.frame_size)
            if outside > 0.25:
                found.append(
                    f"{self.files.calibration}: {outside:.0%} of the label's pixels are not in the pictures; "
                    "it is of another sequence or camera"
                )
        except (ValueError, OSError) as error:
            found.append(str(error))
        return found


def _no_offset(path: Path) -> str | None:
    """What to say of events that do not tell when their clock began; any other fault is told by who reads them."""
    try:
        with open_hdf5(path) as file:
            lacking = "events" in file and "t_offset" not in file
    except (ValueError, OSError):
        return None
    said = "has no t_offset, without which its times are not on the clock of labels and pictures; fetch the file again"
    return f"{path}: {said}" if lacking else None


def read_times(path: Path) -> np.ndarray:
    """Whole microseconds, one a line, int64 ``[N]``.

    Raises:
        ValueError: if a line is something else; the message names it.
    """
    times = []
    for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
        if line.strip():
            try:
                times.append(int(line))
            except ValueError:
                raise ValueError(f"{path}: line {number} is {line[:40]!r}, not a time in whole microseconds") from None
    return np.array(times, np.int64)


def _timed(folder: Path, file: Path, what: str) -> tuple[list[Path], np.ndarray]:
    pictures, times = list(numbered(folder).values()), read_times(file)
    if len(pictures) != len(times) or not len(times):
        raise ValueError(
            f"dsec: {folder} holds {len(pictures)} {what}, and {file} {len(times)} times; each needs its own: "
            "unpack the archive again"
        )
    return pictures, times


def _of_the_same_moment(
    files: DsecFiles, labels: list[Path], label_times: np.ndarray, images: list[Path], image_times: np.ndarray
) -> list[Path]:
    """The picture of each label. They are paired by time: counting would not notice one that is missing."""
    order = np.argsort(image_times, kind="stable")
    ordered = image_times[order]
    after = np.clip(np.searchsorted(ordered, label_times), 1, max(len(ordered) - 1, 1))
    after = np.minimum(after, len(ordered) - 1)
    before = np.maximum(after - 1, 0)
    nearest = np.where(label_times - ordered[before] <= ordered[after] - label_times, before, after)
    away = np.abs(ordered[nearest] - label_times)
    if away.max() > SAME_MOMENT:
        first = int(np.argmax(away > SAME_MOMENT))
        raise ValueError(
            f"dsec: {labels[first]}: the label at {label_times[first]} us has no picture; the nearest in "
            f"{files.images} is {away[first]} us away ({int((away > SAME_MOMENT).sum())} such labels of {len(labels)}, "
            f"{len(images)} pictures)"
        )
    return [images[place] for place in order[nearest]]


def _read_map(path: Path) -> np.ndarray:
    with faults_told(path), open_hdf5(path) as file:
        places = dataset(path, file, "rectify_map", 3)[()]
    if places.shape[2] != 2 or places.dtype.kind != "f":
        raise ValueError(
            f"{path}: rectify_map is {places.dtype} of shape {places.shape}, not (height, width, 2) floats"
        )
    return places


def _outside(places: np.ndarray, size: tuple[int, int]) -> float:
    x, y = places[..., 0], places[..., 1]
    return float(1.0 - ((x >= 0) & (y >= 0) & (x <= size[1] - 1) & (y <= size[0] - 1)).mean())
