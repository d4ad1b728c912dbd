"""What all data sets of short event recordings with one class each share: the sample, how time is cut, random changes.

A sample is a stack of T pictures of a recording: how many events of each polarity each pixel had in each of T parts of
the time. Event-based networks take them one after the other.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Literal, TypedDict, get_args

import numpy as np
import torch
from torch.utils.data import Dataset

from spikelab.events import EventArray, event_counts

Slicing = Literal["time", "count"]
Values = Literal["counts", "log", "binary"]


class EventSample(TypedDict):
    """One item of a data set; the default collate function of torch stacks it batch first.

    Keys:
        events: float32 ``[T, 2, H, W]``; channel 0 OFF, channel 1 ON events.
        label: int64 ``[]``, the number of the class.
    """

    events: torch.Tensor
    label: torch.Tensor


class EventRecordings(Dataset[EventSample], ABC):
    """Recordings of one object each.

    A subclass sets `class_names`, `height`, `width` and `labels` (int64 ``[N]``) and gives the `recording` of an index.

    Training samples are changed at random, anew in every epoch; how is a pure function of seed, epoch and index.

    Args:
        name: of the data set, for messages.
        split: ``"train"``, ``"validation"`` or ``"test"``.
        time_bins: T, the number of pictures.
        window: microseconds of a recording that a sample shows: a random part in training, the middle otherwise; a
            shorter recording is shown whole. None shows all of it.
        slicing: pictures share the time equally (``"time"``), or the events (``"count"``).
        values: ``"counts"``, ``"log"`` (of 1 + counts) or ``"binary"`` (1 where there were any).
        reduce: side of the squares of pixels whose events are put together; 1 leaves the sensor as it is.
        shift: a training sample is moved by up to this many (reduced) pixels up or down and left or right.
        flip: probability that a training sample is mirrored left to right.
        drop: up to this share of the events of a training sample is left out, at random.
        seed: of the random changes.

    Raises:
        ValueError: if there is no such split, or an argument is out of range.
    """

    class_names: Sequence[str]
    labels: np.ndarray
    height: int
    width: int

    def __init__(
        self,
        name: str,
        split: str,
        *,
        time_bins: int,
        window: int | None,
        slicing: Slicing,
        values: Values,
        reduce: int,
        shift: int,
        flip: float,
        drop: float,
        seed: int,
    ):
        if split not in ("train", "validation", "test"):
            raise ValueError(f"{name}: split is {split!r}, must be one of train, validation, test")
        for option, number, least in (("time_bins", time_bins, 1), ("reduce", reduce, 1), ("shift", shift, 0)):
            if number < least:
                raise ValueError(f"{name}: {option} is {number}, must be at least {least}")
        if window is not None and window < 1:
            raise ValueError(f"{name}: window is {window} us, must be at least 1")
        for option, value, known in (("slicing", slicing, Slicing), ("values", values, Values)):
            if value not in get_args(known):
                raise ValueError(f"{name}: {option} is {value!r}, must be one of {', '.join(get_args(known))}")
        for option, share in (("flip", flip), ("drop", drop)):
            if not 0.0 <= share <= 1.0:
                raise ValueError(f"{name}: {option} is {share}, must be from 0 to 1")
        if seed < 0:
            raise ValueError(f"{name}: seed is {seed}, must not be negative")
        self.name, self.split, self.seed = name, split, seed
        self.time_bins, self.window, self.slicing, self.values, self.reduce = time_bins, window, slicing, values, reduce
        self.shift, self.flip, self.drop = (shift, flip, drop) if split == "train" else (0, 0.0, 0.0)
        # In shared memory: processes of a data loader that outlive an epoch see the new number.
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()

    @abstractmethod
    def recording(self, index: int) -> EventArray:
        """All events of a sample's recording."""

    @property
    def step(self) -> float | None:
        """Seconds that a picture covers; None where that differs from one to the next."""
        if self.slicing == "count" or self.window is None:
            return None
        return self.window / self.time_bins * 1e-6

    def __len__(self) -> int:
        return len(self.labels)

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose random changes the items show; also seen by running processes of a data loader."""
        self._epoch.fill_(epoch)

    def __getitem__(self, index: int) -> EventSample:
        if not -len(self) <= index < len(self):
            raise IndexError(f"{self.name}: sample {index} of {len(self)} in split {self.split!r}")
        index %= len(self)
        rng = np.random.default_rng([self.seed, int(self._epoch), index]) if self.split == "train" else None
        events, start, end = self._cut(self._shown(index, rng), rng)
        events = self._changed(events, rng)
        counts = self._pictures(events, start, end)
        if self.values == "log":
            np.log1p(counts, out=counts)
        elif self.values == "binary":
            np.minimum(counts, 1, out=counts)
        return {"events": torch.from_numpy(counts), "label": torch.tensor(int(self.labels[index]))}

    def _shown(self, index: int, rng: np.random.Generator | None) -> EventArray:
        """What is shown of a recording, before it is cut; sets whose sources can be changed at random do it here."""
        return self.recording(index)

    def _cut(self, events: EventArray, rng: np.random.Generator | None) -> tuple[EventArray, int, int]:
        """The part of a recording that is shown, and its time."""
        if not len(events):
            return events, 0, self.window or 1
        first, last = int(events.t[0]), int(events.t[-1]) + 1
        if self.window is None:
            return events, first, last
        room = max(last - first - self.window, 0)
        start = first + (room // 2 if rng is None else int(rng.integers(room + 1)))
        return events.between(start, start + self.window), start, start + self.window

    def _changed(self, events: EventArray, rng: np.random.Generator | None) -> EventArray:
        height, width = -(-self.height // self.reduce), -(-self.width // self.reduce)
        x, y = events.x.astype(np.int64) // self.reduce, events.y.astype(np.int64) // self.reduce
        kept = np.ones(len(events), bool)
        if rng is not None:
            mirrored, (down, right) = rng.random() < self.flip, rng.integers(-self.shift, self.shift + 1, 2)
            x = (width - 1 - x if mirrored else x) + right
            y = y + down
            kept = rng.random(len(events)) >= rng.random() * self.drop
            kept &= (x >= 0) & (x < width) & (y >= 0) & (y < height)
        inside = x[kept].astype(np.uint16), y[kept].astype(np.uint16)
        return EventArray(*inside, events.t[kept], events.p[kept], width, height)

    def _pictures(self, events: EventArray, start: int, end: int) -> np.ndarray:
        if self.slicing == "time":
            return event_counts(events, self.time_bins, start, end)
        # the number of an event in place of its time
        numbered = EventArray(events.x, events.y, np.arange(len(events)), events.p, events.width, events.height)
        return event_counts(numbered, self.time_bins, 0, max(len(events), 1))
