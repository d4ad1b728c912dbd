"""The events of a recording at any of its moments, from any process."""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from pathlib import Path

from spikelab.datasets.opened_once import OpenedOnce
from spikelab.events import EventArray
from spikelab.events.files import EventFile, open_events


class EventStream(ABC):
    """Events that can be read at any time.

    Attributes:
        path: of the file with the events, or of one of them where there are several.
    """

    path: Path

    @abstractmethod
    def between(self, t_start: int, t_end: int) -> EventArray:
        """The events with `t_start <= t < t_end` (microseconds)."""

    @property
    @abstractmethod
    def begin(self) -> int:
        """Time of the first event, microseconds."""

    @property
    @abstractmethod
    def size(self) -> tuple[int, int]:
        """Height and width of the sensor, pixels."""

    @abstractmethod
    def problems(self) -> list[str]:
        """Reads everything; what is wrong with the file, and what to do."""


class StreamOfFile(EventStream):
    """An event file of any format. It is quick where the format has an index of time.

    Args:
        path: of the file.
        camera: one of several cameras, where the file has them.
    """

    def __init__(self, path: Path, camera: str | None = None):
        self.path = path
        self._opened: OpenedOnce[EventFile] = OpenedOnce(functools.partial(open_events, path, stream=camera))

    def between(self, t_start: int, t_end: int) -> EventArray:
        """See `EventStream.between`."""
        return self._opened().between(t_start, t_end)

    @functools.cached_property
    def begin(self) -> int:
        """See `EventStream.begin`."""
        first = next((part for part in self._opened().chunks() if len(part)), None)
        return 0 if first is None else int(first.t[0])

    @functools.cached_property
    def size(self) -> tuple[int, int]:
        """See `EventStream.size`."""
        size = self._opened().size
        if size is None:
            raise ValueError(f"{self.path} does not say how large the sensor is")
        return size

    def problems(self) -> list[str]:
        """See `EventStream.problems`."""
        try:
            count = sum(len(part) for part in self._opened().chunks())
        except (ValueError, OSError, ImportError) as error:
            return [str(error)]
        late = self._opened().late_events
        found = [] if count else [f"{self.path}: holds no events; fetch the file again"]
        if late:
            found.append(f"{self.path}: {late} events come late; they are put in their place when they are read")
        return found
