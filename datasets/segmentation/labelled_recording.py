"""One recording with labels for some of its moments, and how the events that belong to a label are cut out of it."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from pathlib import Path

import numpy as np

from spikelab.datasets.segmentation.event_streams import EventStream
from spikelab.events import EventArray


class LabelledRecording(ABC):
    """Events, frames and labels of one drive. Labels are counted from 0, in the order of time.

    Nothing is read before it is asked for, and a recording can be sent to other processes.

    Attributes:
        name: of the recording, for messages and for splits.
        folder: where it is.
        stream: its events.
        times: of the labels, microseconds on the clock of the events, int64 ``[N]``.
        label_size: height and width of the labels, pixels: of the first one.
    """

    name: str
    folder: Path
    stream: EventStream
    times: np.ndarray
    label_size: tuple[int, int]

    @abstractmethod
    def label(self, number: int) -> np.ndarray:
        """A label, uint8 ``[H, W]``."""

    @abstractmethod
    def frame(self, number: int) -> np.ndarray:
        """The frame of a label, uint8 ``[H, W]`` or ``[H, W, 3]``, in the pixels of the label."""

    @abstractmethod
    def seen(self, events: EventArray) -> EventArray:
        """Events of the stream in the pixels of the labels; those outside of the label's picture are left out."""

    @abstractmethod
    def problems(self) -> list[str]:
        """What is wrong with the files: each entry names the file, and what to do."""

    def __len__(self) -> int:
        return len(self.times)


@dataclasses.dataclass(frozen=True)
class EventWindow:
    """Which events belong to a label: those of a time before it, or a number of them.

    Attributes:
        duration: microseconds. With `last_events` it is only what models are told of how long a window lasts.
        last_events: how many events before the label (counted on the sensor, before anything is left out); None takes
            `duration`.

    Raises:
        ValueError: if a value is below 1.
    """

    duration: int
    last_events: int | None = None

    def __post_init__(self) -> None:
        if self.duration < 1:
            raise ValueError(f"the event window is {self.duration} us long, must be at least 1")
        if self.last_events is not None and self.last_events < 1:
            raise ValueError(f"last_events is {self.last_events}, must be at least 1; None takes a time instead")

    def of(self, recording: LabelledRecording, end: int) -> tuple[EventArray, int]:
        """The events before a moment (microseconds), with times from the window's start, and its length.

        Where a recording begins too late for `last_events`, there are fewer.
        """
        events = self.cut(recording.stream, end)
        start = end - self.duration
        if self.last_events is not None and len(events):
            start = int(events.t[0])
        return recording.seen(events.shift(-start)), end - start

    def cut(self, stream: EventStream, end: int) -> EventArray:
        """The events before a moment (microseconds), as the sensor gave them."""
        start = end - self.duration
        events = stream.between(start, end)
        if self.last_events is None:
            return events
        while len(events) < self.last_events and start > stream.begin:
            start -= 2 * (end - start)
            events = stream.between(start, end)
        return events[max(len(events) - self.last_events, 0) :]
