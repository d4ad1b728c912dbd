"""What a file format has to provide: how it is recognised, and its events as they come out of the file.

Everything that is the same for all formats (order of time, limits of the sensor, damaged files) is done once, in
`spikelab.events.files.event_file`.
"""

from __future__ import annotations

import dataclasses
import functools
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from spikelab.events.array import EventArray

HEAD = 1 << 16
"""How many bytes of a file are looked at to recognise its format."""

BLOCK = 1 << 20
"""About how many events a source hands out at a time; it bounds the memory of reading."""

Unit = Literal["s", "ms", "us", "ns"]
"""Units of time in files that have none of their own."""


class Columns(NamedTuple):
    """Events in the order of the file, not yet checked.

    Attributes:
        t: microseconds, `[N]`, int64; counters that wrap by design are unwrapped.
        x: `[N]`, uint16.
        y: `[N]`, uint16, downwards.
        p: `[N]`, uint8, 0 or 1.
    """

    t: npt.NDArray[np.int64]
    x: npt.NDArray[np.uint16]
    y: npt.NDArray[np.uint16]
    p: npt.NDArray[np.uint8]

    def taken(self, which: slice | npt.NDArray[Any]) -> Columns:
        """The events of a slice (views), of a mask or of these numbers."""
        return Columns(self.t[which], self.x[which], self.y[which], self.p[which])

    @classmethod
    def empty(cls, count: int) -> Self:
        """Room for events, not filled."""
        t, p = np.empty(count, np.int64), np.empty(count, np.uint8)
        return cls(t, np.empty(count, np.uint16), np.empty(count, np.uint16), p)

    @classmethod
    def joined(cls, parts: Sequence[Columns]) -> Self:
        """Several blocks as one; none give an empty one."""
        if not parts:
            return cls.empty(0)
        t, x, y, p = (np.concatenate(columns) for columns in zip(*parts, strict=True))
        return cls(t, x, y, p)


@dataclasses.dataclass(frozen=True, eq=False)
class Frame:
    """A picture that was recorded beside the events.

    Attributes:
        image: `[H, W]` or `[H, W, 3]` (red, green, blue), uint8 or uint16.
        t: microseconds, on the clock of the events: the middle of the exposure where the file knows it.
        exposure: start and end in microseconds, if the file knows them.
    """

    image: np.ndarray
    t: int
    exposure: tuple[int, int] | None = None


class Triggers(NamedTuple):
    """Edges on the external inputs of a camera.

    Attributes:
        t: microseconds, `[N]`, int64.
        channel: `[N]`, uint8.
        rising: `[N]`, bool.
    """

    t: npt.NDArray[np.int64]
    channel: npt.NDArray[np.uint8]
    rising: npt.NDArray[np.bool_]

    @classmethod
    def joined(cls, parts: Sequence[Triggers]) -> Self:
        """Several parts as one; none give an empty one."""
        if not parts:
            return cls(np.empty(0, np.int64), np.empty(0, np.uint8), np.empty(0, np.bool_))
        t, channel, rising = (np.concatenate(columns) for columns in zip(*parts, strict=True))
        return cls(t, channel, rising)


class EventSource(ABC):
    """An open file of one format.

    Attributes:
        width: of the sensor in pixels, None if the file does not say.
        height: of the sensor in pixels, None if the file does not say.
        about: what the file says of itself: camera, serial number, date.
        notes: what the last pass left out, and why; told as warnings.
        streams: names of the cameras, topics or recordings that the file holds, where it may hold several.
        guess: what was taken for which unit of time, where neither the file nor the caller names one.
        stays_open: whether a file of the system stays open from one pass to the next. Processes that were forked share
            the place in it, so each has to open its own.
    """

    stays_open: ClassVar[bool] = False
    width: int | None = None
    height: int | None = None
    about: dict[str, Any]
    notes: Sequence[str] = ()
    streams: Sequence[str] = ()
    guess: str | None = None

    @abstractmethod
    def columns(self) -> Iterator[Columns]:
        """All events from the beginning, in the order of the file, about `BLOCK` at a time.

        Raises:
            Damage: where the bytes stop making sense, after everything before them.
        """

    def frames(self) -> Iterator[Frame]:
        """Pictures in the order of time; none unless the format has them."""
        return iter(())

    def triggers(self) -> Iterator[Triggers]:
        """Edges on external inputs, in parts; none unless the format has them.

        Raises:
            Damage: where the bytes stop making sense, after everything before them.
        """
        return iter(())

    def before(self, t_start: int) -> Iterator[Columns]:
        """As `columns`, but what ends before a time may be left out: for formats with an index of time."""
        return self.columns()

    def close(self) -> None:  # noqa: B027 - most sources keep nothing open
        """Give back what was opened."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


@dataclasses.dataclass(frozen=True)
class Opening:
    """What formats look at to recognise a file: never its name.

    Args:
        path: a file, or a folder for formats that are folders.
    """

    path: Path

    @functools.cached_property
    def head(self) -> bytes:
        """The first `HEAD` bytes; nothing of a folder."""
        if self.path.is_dir():
            return b""
        with open(self.path, "rb") as file:
            return file.read(HEAD)

    @functools.cached_property
    def size(self) -> int:
        """Bytes of the file."""
        return self.path.stat().st_size


@dataclasses.dataclass(frozen=True)
class EventFormat:
    """A file format; registered under its name in the table ``event_formats`` of `spikelab.registry`.

    Attributes:
        title: its full name.
        suffixes: that such files usually have; for messages and for writing, never for recognising.
        recognise: whether a file is of this format, by what is in it.
        open: makes a source of a file. `stream` names one of several cameras or topics, where a format has them.
            With `takes_unit`, a third argument is the unit of time, or None.
            Raises `EventFileError` if the header cannot be read.
        source: where the format is described.
        open_ended: whether nothing tells how long a file should be, so that one that ends between two events is whole.
        sure: False for formats without any mark, which are tried after all others.
        write: writes events that are in order to a new file: its place, the events in parts, width and height of the
            sensor; None for formats that are only read. See `spikelab.events.files.writing`.
        takes_unit: whether files may leave open what unit their times have.
        complaint: what is wrong with a file that is not recognised, but looks as if it were meant for this format; None
            if it does not look so.
    """

    title: str
    suffixes: tuple[str, ...]
    recognise: Callable[[Opening], bool]
    open: Callable[..., EventSource]
    source: str
    open_ended: bool = False
    sure: bool = True
    write: Callable[[Path, Iterator[EventArray], int, int], None] | None = None
    takes_unit: bool = False
    complaint: Callable[[Opening], str | None] | None = None
