"""DDD17 as ESS packed it anew: plain arrays of events that can be read at any place, an index of pictures, and labels.

A recording is a folder with ``events.dat.t`` (int64, nanoseconds), ``events.dat.xyp`` (int16 ``[N, 3]``, polarity 0 or
1), ``index/index_50ms.npy`` (a row for each picture: its time in nanoseconds, and the numbers of the events that follow
its window and begin it), ``imgs/img_%08d.png`` and ``segmentation_masks/segmentation_%08d.png``. Names count pictures
from 1, rows from 0. Labels lack the lowest rows of the sensor, which show the car's bonnet.

Source: ``datasets/extract_data_tools/example_loader_ddd17.py`` in github.com/uzh-rpg/ess.
"""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np

from spikelab.datasets.segmentation.event_streams import EventStream
from spikelab.datasets.segmentation.labelled_recording import LabelledRecording
from spikelab.datasets.segmentation.numbered_pictures import numbered, picture_size, read_label, read_picture
from spikelab.datasets.segmentation.samples import CLASS_NAMES, IGNORE_INDEX
from spikelab.events import EventArray

INDEX = "index/index_50ms.npy"
_BLOCK = 1 << 20
_CLOSE = 1_000_000  # nanoseconds: an index that is further off is not of these events


class RepackedEvents(EventStream):
    """The events of a recording, which stay on disk and are read through a memory map.

    Args:
        folder: of the recording.
        size: height and width of the sensor, pixels; the files do not say it.

    Raises:
        FileNotFoundError: if a file is missing.
        ValueError: if the files are not of the same events.
    """

    def __init__(self, folder: Path, size: tuple[int, int]):
        self.folder, self._size = folder, size
        times, places = folder / "events.dat.t", folder / "events.dat.xyp"
        for path in (times, places):
            if not path.is_file():
                raise FileNotFoundError(f"ddd17: {path}: no such file; unpack the archive of the recording again")
        self._count, rest = divmod(times.stat().st_size, 8)
        if rest or places.stat().st_size != 6 * self._count:
            raise ValueError(
                f"ddd17: {places} has {places.stat().st_size} bytes and {times.name} {times.stat().st_size}; they must "
                "be 6 and 8 for each event. One is cut short: unpack the archive of the recording again"
            )
        self.path = places

    @functools.cached_property
    def _arrays(self) -> tuple[np.ndarray, np.ndarray]:
        if not self._count:
            return np.empty(0, np.int64), np.empty((0, 3), np.int16)
        t = np.memmap(self.folder / "events.dat.t", "<i8", "r")
        return t, np.memmap(self.folder / "events.dat.xyp", "<i2", "r", shape=(self._count, 3))

    def __getstate__(self) -> dict[str, object]:
        # a memory map would travel to another process as all that is in it
        return {name: value for name, value in self.__dict__.items() if name != "_arrays"}

    def __len__(self) -> int:
        return self._count

    def between(self, t_start: int, t_end: int) -> EventArray:
        """See `EventStream.between`; nanoseconds are rounded down.

        Raises:
            ValueError: if events are out of order or not on the sensor.
        """
        first, last = (self.first_at(time * 1000) for time in (t_start, t_end))
        return self._read(first, last)

    def first_at(self, nanoseconds: int) -> int:
        """Number of the first event that is not earlier than a time."""
        return int(np.searchsorted(self._arrays[0], np.int64(nanoseconds)))

    def time_of(self, event: int) -> int:
        """Time of an event, nanoseconds."""
        return int(self._arrays[0][event])

    @property
    def begin(self) -> int:
        """See `EventStream.begin`."""
        return self.time_of(0) // 1000 if self._count else 0

    @property
    def size(self) -> tuple[int, int]:
        """See `EventStream.size`."""
        return self._size

    def problems(self) -> list[str]:
        """See `EventStream.problems`."""
        if not self._count:
            return [f"{self.folder / 'events.dat.t'}: holds no events; unpack the archive of the recording again"]
        found = []
        for first in range(0, self._count, _BLOCK):
            try:
                # one event more, so that what goes back in time between two blocks is seen
                self._read(first, min(first + _BLOCK + 1, self._count))
            except ValueError as error:
                found.append(str(error))
        return found[:1]

    def _read(self, first: int, last: int) -> EventArray:
        times, places = self._arrays
        t, (x, y, p) = np.array(times[first:last]) // 1000, np.array(places[first:last]).T
        try:
            return EventArray(x, y, t, p, self._size[1], self._size[0])
        except ValueError as error:
            raise ValueError(
                f"ddd17: {self.folder / 'events.dat.xyp'}: events {first} to {last - 1}: {error}. The file is "
                f"damaged, or of another camera than the pictures, which have {self._size[1]} x {self._size[0]} pixels"
            ) from None


class RepackedRecording(LabelledRecording):
    """One recording.

    Args:
        folder: with the events, the index and the pictures.
        labels: folder with the labels; None takes ``segmentation_masks`` in the same folder.

    Raises:
        FileNotFoundError: if a file or folder is missing.
        ValueError: if a label has no row in the index or no picture, or the files do not fit together.
    """

    def __init__(self, folder: Path, labels: Path | None = None, name: str | None = None):
        self.name, self.folder = name or folder.name, labels or folder / "segmentation_masks"
        self.recording = folder
        if not self.folder.is_dir() and (folder / "segmentation_masks.zip").is_file():
            raise FileNotFoundError(
                f"ddd17: {folder}: the labels are still packed: cd {folder} && unzip segmentation_masks.zip"
            )
        self._labels = numbered(self.folder)
        if not self._labels:
            raise FileNotFoundError(f"ddd17: {self.folder} holds no labels (segmentation_00000001.png and so on)")
        self.numbers = tuple(self._labels)
        index = _read_index(folder / INDEX)
        beyond = [number for number in self.numbers if not 1 <= number <= len(index)]
        if beyond:
            raise ValueError(
                f"ddd17: {self._labels[beyond[0]]}: picture {beyond[0]} is not in {folder / INDEX}, which has "
                f"{len(index)} rows (row 0 is picture 1)"
            )
        self._index = index[np.array(self.numbers) - 1]
        self.times = self._index[:, 0] // 1000
        self._images = self._find_images()
        self.label_size = picture_size(self._labels[self.numbers[0]])
        size = picture_size(self._images[0])
        if size[1] != self.label_size[1] or size[0] < self.label_size[0]:
            raise ValueError(
                f"ddd17: {self._images[0]} has height and width {size}, the label {self._labels[self.numbers[0]]} "
                f"{self.label_size}; pictures must be as wide as labels, and no lower"
            )
        self.stream: RepackedEvents = RepackedEvents(folder, size)

    def _find_images(self) -> list[Path]:
        folder = self.recording / "imgs"
        if not folder.is_dir():
            remedy = "unpack the archive of the recording again"
            if (self.recording / "video.mp4").is_file():
                remedy = f"make it: cd {self.recording} && mkdir imgs && ffmpeg -i video.mp4 imgs/img_%08d.png"
            raise FileNotFoundError(f"ddd17: {folder}: no such folder with the pictures; {remedy}")
        images = numbered(folder)
        lacking = [number for number in self.numbers if number not in images]
        if lacking:
            raise ValueError(
                f"ddd17: {self._labels[lacking[0]]} has no picture {lacking[0]} in {folder} "
                f"({len(lacking)} such labels)"
            )
        return [images[number] for number in self.numbers]

    def label(self, number: int) -> np.ndarray:
        """See `LabelledRecording.label`."""
        return read_label(self._labels[self.numbers[number]], CLASS_NAMES, IGNORE_INDEX)

    def frame(self, number: int) -> np.ndarray:
        """See `LabelledRecording.frame`.

        Raises:
            ValueError: if it has another size than the first.
        """
        frame = read_picture(self._images[number])
        if frame.shape != self.stream.size:
            raise ValueError(
                f"ddd17: {self._images[number]} has height and width {frame.shape}, the first picture "
                f"{self.stream.size}"
            )
        return frame[: self.label_size[0]]

    def seen(self, events: EventArray) -> EventArray:
        """See `LabelledRecording.seen`."""
        height, width = self.label_size
        return events.crop(0, 0, width, height)

    def problems(self) -> list[str]:
        """See `LabelledRecording.problems`."""
        for number, (time, event, *_) in zip(self.numbers, self._index.tolist(), strict=True):
            last = min(max(event, 1), len(self.stream)) - 1
            if not 0 <= event <= len(self.stream) or self.stream.time_of(last) > time + _CLOSE:
                return [
                    f"ddd17: {self.recording / INDEX}: row {number - 1} says that {event} events come before picture "
                    f"{number} at {time} ns, and there are {self.stream.first_at(time)}; the index is of other events"
                ]
        return []


def _read_index(path: Path) -> np.ndarray:
    if not path.is_file():
        raise FileNotFoundError(f"ddd17: {path}: no such file; unpack the archive of the recording again")
    try:
        index = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError):
        # what NumPy says of text is how to run it as a program
        raise ValueError(
            f"ddd17: {path}: is no NPY file of numbers, or is cut short; unpack the archive of the recording again"
        ) from None
    if index.ndim != 2 or index.shape[1] < 2 or index.dtype.kind not in "iu":
        raise ValueError(f"ddd17: {path}: is {index.dtype} of shape {index.shape}, not whole numbers in rows of 3")
    return index.astype(np.int64)
