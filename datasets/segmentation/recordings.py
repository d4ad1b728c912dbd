"""Samples for segmentation that are cut out of recordings when they are asked for; nothing is prepared or kept.

A data set says where the parts of its recordings are (`LabelledRecording`) and which of them belong to a split; what a
sample is follows here. The objects hold no open file, so any number of processes may load samples.
"""

from __future__ import annotations

import bisect
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from spikelab.datasets.cache import RawSample
from spikelab.datasets.segmentation.augmentation import Augmentation
from spikelab.datasets.segmentation.labelled_recording import EventWindow, LabelledRecording
from spikelab.datasets.segmentation.samples import SegmentationDataset
from spikelab.events.check import lost_polarity

_NEAR = 1_000_000
"""Microseconds before a label in which an event camera that is on has seen something."""


class RecordedSegmentation(SegmentationDataset):
    """One sample for each chosen label of some recordings.

    Args:
        recordings: in order; not empty.
        split: name of the part of the data set.
        window: the events of a sample.
        first: labels left out at the beginning of each recording, whose events are not all there.
        every: of the labels that follow, every which one is taken: 1 all, 2 the first, third and so on.
        time_bins: steps of the voxel grid.
        augmentation: random changes for training; None leaves the samples as they are.
        seed: of the augmentation.

    Raises:
        ValueError: if a value is out of range, no label is left, or recordings differ in the size of their labels.
    """

    def __init__(
        self,
        recordings: Sequence[LabelledRecording],
        split: str,
        window: EventWindow,
        *,
        first: int = 0,
        every: int = 1,
        time_bins: int = 5,
        augmentation: Augmentation | None = None,
        seed: int = 0,
    ):
        if first < 0 or every < 1:
            raise ValueError(f"of the labels, the first {first} are left out (0 or more) and every {every}. is taken")
        self.recordings, self.event_window = list(recordings), window
        self._labels = [range(first, len(recording), every) for recording in self.recordings]
        self._first = np.cumsum([0, *(len(labels) for labels in self._labels)]).tolist()
        if not self._first[-1]:
            raise ValueError(
                f"{self.recordings[0].folder}: {sum(map(len, self.recordings))} labels in {len(self.recordings)} "
                f"recordings leave no sample when the first {first} of each are left out (option first)"
            )
        sizes = Counter({recording.label_size: 0 for recording in self.recordings})
        for recording, labels in zip(self.recordings, self._labels, strict=True):
            sizes[recording.label_size] += len(labels)
        usual = sizes.most_common(1)[0][0]
        self._usual = next(each for each in self.recordings if each.label_size == usual)
        super().__init__(
            split,
            window.duration,
            usual,
            time_bins=time_bins,
            augmentation=augmentation,
            seed=seed,
        )

    def __len__(self) -> int:
        return int(self._first[-1])

    def locate(self, index: int) -> tuple[LabelledRecording, int]:
        """The recording of a sample, and the number of its label there."""
        place = self.place(index)
        which = bisect.bisect_right(self._first, place) - 1
        return self.recordings[which], self._labels[which][place - self._first[which]]

    def raw(self, index: int) -> RawSample:
        """See `SegmentationDataset.raw`."""
        recording, number = self.locate(index)
        events, duration = self.event_window.of(recording, int(recording.times[number]))
        label, frame = self.label(index), recording.frame(number)
        self._fitting(recording, number, label, frame)
        own = None if self.event_window.last_events is None else duration
        return RawSample(events, frame, label, (recording.name,), own)

    def conditions(self, index: int) -> tuple[str, ...]:
        """Name of the recording of a sample: scores are also told by recording."""
        return (self.locate(index)[0].name,)

    def label(self, index: int) -> np.ndarray:
        """See `SegmentationDataset.label`.

        Raises:
            ValueError: if it has another size than most of the split.
        """
        recording, number = self.locate(index)
        label = recording.label(number)
        if label.shape != (self.height, self.width):
            raise ValueError(
                f"{recording.folder}: label {number} has height and width {label.shape}; most of the split, "
                f"such as label 0 of {self._usual.name}, have {(self.height, self.width)}"
            )
        return label

    def event_files(self) -> list[Path]:
        """The file with the events of each recording."""
        return [recording.stream.path for recording in self.recordings]

    def problems(self) -> list[str]:
        """What is wrong with the files of the split: times, ranges, pairs of labels, frames and events.

        Reads all of them. Each entry names the file and says what to do; none are found in a sound data set.
        """
        found = []
        for recording, labels in zip(self.recordings, self._labels, strict=True):
            found += recording.problems()
            back = np.flatnonzero(np.diff(recording.times) <= 0)
            if back.size:
                found.append(
                    f"{recording.folder}: label {back[0] + 1} of {recording.name} is not later than the one before "
                    f"({recording.times[back[0] + 1]} us after {recording.times[back[0]]} us); the times are damaged"
                )
            found += recording.stream.problems() or self._problems_of_windows(recording, labels)
        levels: dict[str, set[tuple[int, int]]] = {}
        for index in range(len(self)):
            recording, number = self.locate(index)
            try:
                frame = recording.frame(number)
                levels.setdefault(recording.name, set()).add((int(frame.min()), int(frame.max())))
                self._fitting(recording, number, self.label(index), frame)
            except (ValueError, OSError) as error:
                found.append(str(error))
        for recording in self.recordings:
            pairs = levels.get(recording.name, set())
            if pairs and all(lowest == highest for lowest, highest in pairs):
                values = ", ".join(str(lowest) for lowest, _ in sorted(pairs)[:3])
                found.append(
                    f"{recording.folder}: the frames of all labels of {recording.name} are of one value each "
                    f"({values}), and show nothing; unpack the pictures again"
                )
        return list(dict.fromkeys(found))  # what is wrong with a recording shows in each of its samples

    def _fitting(self, recording: LabelledRecording, number: int, label: np.ndarray, frame: np.ndarray) -> None:
        if frame.shape[:2] != label.shape:
            raise ValueError(
                f"{recording.folder}: label {number} of {recording.name} has height and width {label.shape}, its frame "
                f"{frame.shape[:2]}"
            )

    def _problems_of_windows(self, recording: LabelledRecording, labels: range) -> list[str]:
        counts, ages, bright = [], [], 0
        for number in labels:
            end = int(recording.times[number])
            events = self.event_window.cut(recording.stream, end)
            counts.append(len(events))
            ages.append(end - int(events.t[-1]) if len(events) else 0)
            bright += int(np.count_nonzero(events.p))
        wanted = self.event_window.last_events or 1
        empty = [number for number, count in zip(labels, counts, strict=True) if not count]
        lacking = sum(0 < count < wanted for count in counts)
        found = []
        if empty:
            found.append(
                f"{recording.folder}: no events belong to {len(empty)} labels of {recording.name}, the first at "
                f"{recording.times[empty[0]]} us; labels and events are on different clocks, or events are missing"
            )
        old = [(number, age) for number, age in zip(labels, ages, strict=True) if age > _NEAR]
        if old:
            found.append(
                f"{recording.folder}: the last events before {len(old)} labels of {recording.name} are more than "
                f"{_NEAR / 1e6:g} s older than these, {old[0][1] / 1e6:.4g} s at label {old[0][0]}; labels and events "
                "are on different clocks, or events are missing"
            )
        if which := lost_polarity(sum(counts) - bright, bright):
            found.append(
                f"{recording.folder}: all {sum(counts)} events that belong to labels of {recording.name} are "
                f"{which}; their polarity was lost: get the events again"
            )
        if lacking:
            found.append(
                f"{recording.folder}: fewer than last_events = {wanted} events come before {lacking} labels of "
                f"{recording.name}; leave out more labels at the beginning, or take fewer events"
            )
        return found
