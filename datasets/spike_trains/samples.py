"""What all data sets of spike trains share: recordings of channels in place of pixels, such as those of a cochlea.

A sample is a stack of T rows: how many spikes each channel had in each of T parts of the time.
"""

from __future__ import annotations

from abc import ABC

import numpy as np

from spikelab.datasets.event_recordings.samples import EventRecordings, Slicing, Values
from spikelab.events import EventArray


class SpikeTrains(EventRecordings, ABC):
    """Spikes of many channels, one class for each recording; `events` of a sample are float32 ``[T, channels]``.

    A subclass sets `class_names` and `labels` (int64 ``[N]``), and gives the `recording` of an index: events of a
    sensor with one row. Its columns are the channels, and the polarity is 1. Time counts from 0, the beginning of the
    sound, and a recording that ends before the window does is followed by silence.

    Args:
        name: of the data set, for messages.
        split: ``"train"``, ``"validation"`` or ``"test"``.
        channels: of a recording.
        time_bins: T, the number of steps.
        window: microseconds of a recording that a sample shows: of a longer one a random part in training, the middle
            otherwise. None shows all of it.
        slicing: steps share the time equally (``"time"``), or the spikes (``"count"``).
        values: ``"counts"``, ``"log"`` (of 1 + counts) or ``"binary"`` (1 where there were any).
        reduce: how many neighbouring channels are put together; 1 leaves them as they are.
        shift: a training sample is moved by up to this many (reduced) channels up or down.
        drop: up to this share of the spikes of a training sample is left out, at random.
        seed: of the random changes.

    Raises:
        ValueError: if there is no such split, or an argument is out of range.
    """

    height = 1

    def __init__(
        self,
        name: str,
        split: str,
        *,
        channels: int,
        time_bins: int,
        window: int | None,
        slicing: Slicing,
        values: Values,
        reduce: int,
        shift: int,
        drop: float,
        seed: int,
    ):
        super().__init__(
            name, split, time_bins=time_bins, window=window, slicing=slicing, values=values, reduce=reduce, shift=shift,
            flip=0.0, drop=drop, seed=seed,
        )  # fmt: skip
        self.width = channels

    def _cut(self, events: EventArray, rng: np.random.Generator | None) -> tuple[EventArray, int, int]:
        end = int(events.t[-1]) + 1 if len(events) else 1
        if self.window is None:
            return events, 0, end
        room = max(end - self.window, 0)
        start = room // 2 if rng is None else int(rng.integers(room + 1))
        return events.between(start, start + self.window), start, start + self.window

    def _changed(self, events: EventArray, rng: np.random.Generator | None) -> EventArray:
        width = -(-self.width // self.reduce)
        x = events.x.astype(np.int64) // self.reduce
        kept = np.ones(len(events), np.bool_)
        if rng is not None:
            x = x + int(rng.integers(-self.shift, self.shift + 1))
            kept = (rng.random(len(events)) >= rng.random() * self.drop) & (x >= 0) & (x < width)
        return EventArray(x[kept].astype(np.uint16), events.y[kept], events.t[kept], events.p[kept], width, 1)

    def _pictures(self, events: EventArray, start: int, end: int) -> np.ndarray:
        # the one row of the ON events
        return np.ascontiguousarray(super()._pictures(events, start, end)[:, 1, 0])
