"""The event array: what an event camera saw, as four checked columns sorted by time."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from spikelab.events.check import COLUMNS, check_columns, integers, microseconds
from spikelab.events.storage import read_npz, write_npz


@dataclass(frozen=True, eq=False, repr=False)
class EventArray:
    """Events of one camera, sorted by time, checked when the array is made.

    The columns are read-only and contiguous. A column that already has the right type is taken over without a copy.
    Events with equal times are allowed and keep their order. Times may be negative: they count from a zero of the
    user's choice.

    Args:
        x: Column of each event, `[N]`, uint16, `0 <= x < width`.
        y: Row of each event, `[N]`, uint16, `0 <= y < height`, downwards.
        t: Time of each event in microseconds, `[N]`, int64, never decreasing.
        p: Polarity of each event, `[N]`, uint8: 1 (ON) for brighter, 0 (OFF) for darker.
        width: Width of the sensor in pixels.
        height: Height of the sensor in pixels.

    Raises:
        TypeError: A column holds something other than integers.
        ValueError: A column has the wrong shape or length, or a value out of range or out of order; the message names
            the column, the index and the value.
    """

    x: npt.NDArray[np.uint16]
    y: npt.NDArray[np.uint16]
    t: npt.NDArray[np.int64]
    p: npt.NDArray[np.uint8]
    width: int
    height: int

    def __post_init__(self) -> None:
        columns, width, height = check_columns(self.x, self.y, self.t, self.p, self.width, self.height)
        self._set(columns, width, height)

    def _set(self, columns: Iterable[np.ndarray], width: int, height: int) -> None:
        for (name, dtype), column in zip(COLUMNS.items(), columns, strict=True):
            column = np.ascontiguousarray(column, dtype=dtype).view()
            column.flags.writeable = False
            object.__setattr__(self, name, column)
        object.__setattr__(self, "width", width)
        object.__setattr__(self, "height", height)

    @classmethod
    def _trusted(cls, columns: Iterable[np.ndarray], width: int, height: int) -> Self:
        """Make an array from columns x, y, t, p that are known to be right, without checking them again."""
        events = object.__new__(cls)
        events._set(columns, width, height)
        return events

    @classmethod
    def from_unsorted(
        cls, x: npt.ArrayLike, y: npt.ArrayLike, t: npt.ArrayLike, p: npt.ArrayLike, width: int, height: int
    ) -> Self:
        """Sort the events by time, keeping the order of equal times, then check them like the constructor."""
        unsorted = integers("t", t)
        order = np.argsort(unsorted, kind="stable")
        columns, width, height = check_columns(x, y, unsorted, p, width, height, ordered=False)
        return cls._trusted((column[order] for column in columns), width, height)

    @classmethod
    def empty(cls, width: int, height: int) -> Self:
        """An array without events."""
        return cls([], [], [], [], width, height)  # type: ignore[arg-type]

    @classmethod
    def from_structured(cls, events: np.ndarray, width: int, height: int) -> Self:
        """Read a structured array with the fields x, y, t (microseconds) and p, as the tonic library uses."""
        names = events.dtype.names or ()
        missing = [name for name in COLUMNS if name not in names]
        if missing:
            raise ValueError(f"events: the structured array has the fields {list(names)}; missing: {missing}")
        return cls(events["x"], events["y"], events["t"], events["p"], width, height)

    def to_structured(self) -> np.ndarray:
        """A structured array `[N]` with the fields x, y, t and p."""
        table = np.empty(len(self), dtype=list(COLUMNS.items()))
        for name in COLUMNS:
            table[name] = getattr(self, name)
        return table

    @classmethod
    def concatenate(cls, arrays: Sequence["EventArray"]) -> Self:
        """Join arrays that follow each other in time.

        Raises:
            ValueError: There are no arrays, their frame sizes differ, or one starts before the one before it ends.
        """
        width, height = _common_size(arrays)
        last: int | None = None
        for i, events in enumerate(arrays):
            if len(events) and last is not None and events.t[0] < last:
                raise ValueError(
                    f"events: array {i} starts at {events.t[0]} us, before the arrays ahead of it end ({last} us); "
                    "arrays that overlap in time are joined by EventArray.merge"
                )
            last = int(events.t[-1]) if len(events) else last
        return cls._trusted(_stack(arrays), width, height)

    @classmethod
    def merge(cls, arrays: Sequence["EventArray"]) -> Self:
        """Join arrays that overlap in time; equal times keep the order of the arrays."""
        width, height = _common_size(arrays)
        columns = _stack(arrays)
        order = np.argsort(columns[2], kind="stable")
        return cls._trusted((column[order] for column in columns), width, height)

    @classmethod
    def from_npz(cls, path: str | PathLike[str]) -> Self:
        """Read a file that `to_npz` wrote, and check it; nothing in the file is ever executed.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: The file is truncated, damaged, of another kind, or holds events that are not valid.
        """
        fields = read_npz(Path(path), (*COLUMNS, "width", "height"))
        try:
            return cls(**fields)  # type: ignore[arg-type]
        except (TypeError, ValueError) as error:
            raise type(error)(f"{path}: {error}") from None

    def to_npz(self, path: str | PathLike[str], *, compressed: bool = True) -> None:
        """Write the events to an npz file: whole or not at all, even if the disk fills up or the program is killed."""
        fields = {name: getattr(self, name) for name in (*COLUMNS, "width", "height")}
        write_npz(Path(path), fields, compressed=compressed)

    @property
    def duration(self) -> int:
        """Time from the first event to the last in microseconds; 0 for fewer than two events."""
        return int(self.t[-1] - self.t[0]) if len(self) else 0

    def between(self, t_start: int, t_end: int) -> Self:
        """The events with `t_start <= t < t_end` (microseconds), as a view.

        Raises:
            TypeError: A time is not an integer.
            ValueError: `t_end` lies before `t_start`.
        """
        start, end = microseconds("t_start", t_start), microseconds("t_end", t_end)
        if end < start:
            raise ValueError(f"events: t_end = {end} us lies before t_start = {start} us")
        first, last = np.searchsorted(self.t, [start, end])
        return self[first:last]

    def shift(self, offset: int) -> Self:
        """The same events with `offset` microseconds added to each time."""
        offset = microseconds("offset", offset)
        int64 = np.iinfo(np.int64)
        if len(self) and not (int64.min <= int(self.t[0]) + offset and int(self.t[-1]) + offset <= int64.max):
            raise ValueError(f"events: shifted by {offset} us the times leave the range of int64")
        return type(self)._trusted((self.x, self.y, self.t + offset, self.p), self.width, self.height)

    def crop(self, left: int, top: int, width: int, height: int) -> Self:
        """The events inside a window of the frame, with coordinates that count from its corner.

        Raises:
            ValueError: The window is empty or reaches outside the frame.
        """
        if not (0 <= left < left + width <= self.width and 0 <= top < top + height <= self.height):
            raise ValueError(
                f"events: the window left={left}, top={top}, {width}x{height} does not lie inside the frame of "
                f"{self.width}x{self.height} pixels"
            )
        inside = (self.x >= left) & (self.x < left + width) & (self.y >= top) & (self.y < top + height)
        x, y = self.x[inside] - np.uint16(left), self.y[inside] - np.uint16(top)
        return type(self)._trusted((x, y, self.t[inside], self.p[inside]), width, height)

    def __len__(self) -> int:
        return self.t.size

    def __getitem__(self, selection: slice | npt.NDArray[np.bool_]) -> Self:
        """The events of a slice (a view) or a boolean mask (a copy); both keep the order of time."""
        if isinstance(selection, slice):
            if selection.step is not None and selection.step < 0:
                raise ValueError(f"events: a slice with the step {selection.step} would turn time backwards")
        else:
            selection = np.asarray(selection)
            if selection.dtype != np.bool_ or selection.shape != self.t.shape:
                raise TypeError(
                    f"events: select with a slice or a boolean mask of shape {self.t.shape}, "
                    f"not {selection.dtype} of shape {selection.shape}"
                )
        columns = (column[selection] for column in (self.x, self.y, self.t, self.p))
        return type(self)._trusted(columns, self.width, self.height)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, EventArray):
            return NotImplemented
        return (self.width, self.height) == (other.width, other.height) and all(
            np.array_equal(getattr(self, name), getattr(other, name)) for name in COLUMNS
        )

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> tuple:
        # NumPy forgets the read-only flag on the way to another process, so arrays are made anew there.
        return type(self)._trusted, ((self.x, self.y, self.t, self.p), self.width, self.height)

    def __repr__(self) -> str:
        span = f"t={self.t[0]}..{self.t[-1]} us" if len(self) else "no time span"
        return f"EventArray({len(self)} events, {self.width}x{self.height}, {span})"


def _common_size(arrays: Sequence[EventArray]) -> tuple[int, int]:
    if not arrays:
        raise ValueError("events: nothing to join; without arrays the frame size is unknown (use EventArray.empty)")
    sizes = [(events.width, events.height) for events in arrays]
    for i, size in enumerate(sizes):
        if size != sizes[0]:
            raise ValueError(f"events: array {i} has a frame of {size[0]}x{size[1]}, array 0 of {sizes[0]}")
    return sizes[0]


def _stack(arrays: Sequence[EventArray]) -> list[np.ndarray]:
    return [np.concatenate([getattr(events, name) for events in arrays]) for name in COLUMNS]
