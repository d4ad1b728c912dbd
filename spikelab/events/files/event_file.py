"""An event file of any format: the same reading, the same checks and the same errors for all of them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, Self, get_args

import numpy as np

from spikelab.events.array import EventArray
from spikelab.events.check import MAX_SIDE, microseconds
from spikelab.events.files.doubts import Extent, backwards, doubtful_unit
from spikelab.events.files.errors import Damage, EventFileError, EventFileWarning
from spikelab.events.files.ordering import Ordering, Reset, extremes, inside
from spikelab.events.files.own_source import OwnSource
from spikelab.events.files.source import Columns, EventSource, Frame, Triggers

Policy = Literal["error", "keep"]
Disorder = Literal["sort", "error"]
Resets = Literal["error", "continue"]
Outside = Literal["error", "drop"]

LATE = 10_000
"""How late an event may come, in microseconds, to be sorted in; cameras mix their read-outs by some hundreds."""


class EventFile:
    """An open event file. Nothing is read before it is asked for, and never more than a block at a time.

    A file may be gone through any number of times. What had to be mended on the way is counted in `late_events`,
    `dropped_events`, `reset_times` and `damage`, and told in one warning for each.

    It may be handed to other processes, be they forked or started anew: each opens the file for itself.

    Args:
        path: of the file.
        name: of its format.
        opened: opens what decodes it; also in another process, so it has to survive pickling.
        size: height and width of the sensor in pixels, for files that do not say; it wins over what a file says.
        damaged: bytes that make no sense are an ``"error"``, or the part before them is kept with a warning
            (``"keep"``).
        disorder: late events are put in their place (``"sort"``, up to `LATE` microseconds) or are an ``"error"``.
        resets: a clock that was set back is an ``"error"``, or time goes on from the last event (``"continue"``).
        outside: events beyond the sensor are an ``"error"``, or are left out with a warning (``"drop"``).

    Attributes:
        size: height and width of the sensor in pixels: as given, else as the file says; None if neither does.
        about: what the file says of itself.
        guess: what was taken for which unit of time, where nobody names one; None elsewhere.
        streams: names of all cameras, topics or recordings in the file, where it may hold several.
        late_events: how many came after newer ones, in the last pass.
        dropped_events: how many lay beyond the sensor, in the last pass.
        reset_times: in microseconds, after which the clock was set back, in the last pass.
        damage: what was wrong with the bytes, in the last pass; None if nothing was.

    Raises:
        ValueError: if an option has an unknown value; or, when it is read, if the file was closed.
    """

    def __init__(
        self,
        path: Path,
        name: str,
        opened: Callable[[], EventSource],
        *,
        size: tuple[int, int] | None = None,
        damaged: Policy = "error",
        disorder: Disorder = "sort",
        resets: Resets = "error",
        outside: Outside = "error",
    ):
        known = {"damaged": Policy, "disorder": Disorder, "resets": Resets, "outside": Outside}
        for option, value in (("damaged", damaged), ("disorder", disorder), ("resets", resets), ("outside", outside)):
            if value not in get_args(known[option]):
                raise ValueError(f"{option} is {value!r}, must be one of {', '.join(get_args(known[option]))}")
        given = _checked_size(size)
        self._own = OwnSource(path, opened)
        source = self._source
        self.path, self.format, self.about, self.streams = path, name, dict(source.about), tuple(source.streams)
        self.guess = source.guess
        told = None if source.width is None or source.height is None else (source.height, source.width)
        self.size: tuple[int, int] | None = given or told
        self._damaged, self._disorder, self._resets, self._outside = damaged, disorder, resets, outside
        self._measured: tuple[int, int] | None = None
        self._lone_event: str | None = None
        self._begin_pass()

    def _begin_pass(self) -> None:
        self.late_events = self.dropped_events = 0
        self.reset_times: list[int] = []
        self.damage: str | None = None

    @property
    def _source(self) -> EventSource:
        return self._own.get()

    def read(self) -> EventArray:
        """All events.

        Where nobody says how large the sensor is, it is as large as the events need.

        Raises:
            EventFileError: if the file is damaged, or events are out of order or beyond the sensor; each has an option
                that does something else.
        """
        blocks = list(self._ordered(self._source.columns()))
        height, width = self.size or self._measured_by(blocks)
        if self.size is None and self._lone_event is not None:
            self._warn(self._lone_event)
        t, x, y, p = Columns.joined(blocks)
        return EventArray._trusted((x, y, t, p), width, height)

    def chunks(self) -> Iterator[EventArray]:
        """The events in order, some hundred thousand at a time, in bounded memory.

        Where nobody says how large the sensor is, the file is gone through once before, to see.

        Raises:
            EventFileError: as `read`; the chunks before the fault have been given then.
        """
        yield from self._arrays(self._source.columns())

    def between(self, t_start: int, t_end: int) -> EventArray:
        """The events with `t_start <= t < t_end` (microseconds); what follows is not read.

        Raises:
            EventFileError: as `read`, for the part that is read.
            ValueError: if `t_end` lies before `t_start`.
        """
        start, end = microseconds("t_start", t_start), microseconds("t_end", t_end)
        if end < start:
            raise ValueError(f"events: t_end = {end} us lies before t_start = {start} us")
        height, width = self._known_size()
        parts = [EventArray.empty(width, height)]
        for events in self._arrays(self._source.before(start)):
            parts.append(events.between(start, end))
            if len(events) and events.t[-1] >= end:
                break
        return EventArray.concatenate(parts)

    def frames(self) -> Iterator[Frame]:
        """Pictures recorded beside the events, in the order of time; none if the file has none."""
        return self._told(self._source.frames())

    def triggers(self) -> Triggers:
        """Edges on the external inputs of the camera; none if the file has none.

        Raises:
            EventFileError: if the file is damaged; with ``damaged="keep"`` those before the damage are given.
        """
        parts: list[Triggers] = []
        try:
            parts.extend(self._source.triggers())
        except Damage as damage:
            if self._damaged == "error":
                problem = f"{damage.reason}; fetch the file again, or read what is before it with damaged=keep"
                raise EventFileError(self.path, problem, damage.offset) from None
            found = f"{damage.place}{damage.reason}"
            if self.damage is None or not self.damage.startswith(found):  # else the events have told it
                self._warn(f"{found}; the triggers before it were read")
        return Triggers.joined(parts)

    def close(self) -> None:
        """Close the file; it cannot be read any more then."""
        self._own.close()

    def __iter__(self) -> Iterator[EventArray]:
        return self.chunks()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        size = "size unknown" if self.size is None else f"{self.size[1]}x{self.size[0]}"
        return f"EventFile({str(self.path)!r}, {self.format}, {size})"

    def _arrays(self, columns: Iterator[Columns]) -> Iterator[EventArray]:
        height, width = self._known_size()
        for t, x, y, p in self._ordered(columns):
            yield EventArray._trusted((x, y, t, p), width, height)

    def _known_size(self) -> tuple[int, int]:
        if self.size is None and self._measured is None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the pass that follows tells
                self._measured = self._measured_by(self._ordered(self._source.columns()))
            if self._lone_event is not None:
                self._warn(self._lone_event)
        return self.size or self._measured  # type: ignore[return-value]

    def _measured_by(self, blocks: Any) -> tuple[int, int]:
        extent = Extent()
        for block in blocks:
            extent = extent.with_block(block.x, block.y)
        self._lone_event = extent.lone_event()
        height, width = extent.size
        return max(height, 1), max(width, 1)

    def _ordered(self, columns: Iterator[Columns]) -> Iterator[Columns]:
        """The blocks of a source, checked and in order."""
        self._begin_pass()
        ordering = Ordering(LATE if self._disorder == "sort" else 0)
        behind = seen = 0  # what the clock is behind since it was set back
        span: list[int] = []
        try:
            for block in self._readable(columns):
                if self.guess is not None and len(block.t):
                    span = [min([*span[:1], int(block.t.min())]), max([*span[1:], int(block.t.max())])]
                pending = self._on_sensor(block, seen)
                seen += len(block.t)
                while len(pending.t):
                    shifted = pending._replace(t=pending.t + behind) if behind else pending
                    taken = ordering.seen
                    try:
                        yield from ordering.push(shifted)
                        break
                    except Reset as reset:
                        self._check_reset(reset, shifted.t)
                        yield from ordering.finish()
                        pending = pending.taken(slice(ordering.seen - taken, None))
                        behind = reset.before - int(pending.t[0])
                        self.reset_times.append(reset.before)
                        ordering.restart(reset.before)
            yield from ordering.finish()
        finally:
            self.late_events = ordering.late
            self._tell(ordering.latest)
            if self.guess is not None and span and (odd := doubtful_unit(self.guess, span[0], span[1], seen)):
                self._warn(odd)

    def _readable(self, columns: Iterator[Columns]) -> Iterator[Columns]:
        seen = 0
        try:
            for block in columns:
                if len(block.p) and block.p.max() > 1:
                    good = int(np.argmax(block.p > 1))
                    yield block.taken(slice(good))
                    raise Damage(f"event {seen + good} has polarity {block.p[good]}, not 0 or 1", None)
                yield block
                seen += len(block.p)
        except Damage as damage:
            lost = "" if damage.events_lost is None else f"; {damage.events_lost} events are lost"
            self.damage = f"{damage.place}{damage.reason}{lost}"
            if self._damaged == "error":
                raise EventFileError(
                    self.path,
                    f"{damage.reason}{lost}. Fetch the file again, or read what is before it with damaged=keep",
                    damage.offset,
                ) from None

    def _on_sensor(self, block: Columns, seen: int) -> Columns:
        largest_x, largest_y = extremes(block.x, block.y)
        if self.size is None or (largest_y < self.size[0] and largest_x < self.size[1]):
            return block
        height, width = self.size
        kept = inside(block, width, height)
        if self._outside == "error":
            event = int(np.flatnonzero(~kept)[0])
            raise EventFileError(
                self.path,
                f"event {seen + event} at x = {block.x[event]}, y = {block.y[event]} lies beyond the sensor of "
                f"{width} x {height} pixels; give the right size=HEIGHT,WIDTH, or leave such events out with "
                "outside=drop",
            )
        self.dropped_events += int(len(kept) - kept.sum())
        return block.taken(kept)

    def _check_reset(self, reset: Reset, t: np.ndarray) -> None:
        back = reset.before - reset.after
        turned = backwards(t) if "error" in (self._disorder, self._resets) else None
        if turned is not None:
            raise EventFileError(
                self.path,
                f"at event {reset.event} time goes back by {back} us, from {reset.before} us to {reset.after} us, and "
                f"{turned[0]} of {turned[1]} steps around it lead back: the events are in reversed order. Write them "
                "anew in the order of time (in Python, EventArray.from_unsorted does), or fetch the file again",
            )
        if self._disorder == "error":
            raise EventFileError(
                self.path,
                f"event {reset.event} at {reset.after} us comes after one at {reset.before} us; put late events in "
                "their place with disorder=sort",
            )
        if self._resets == "error":
            raise EventFileError(
                self.path,
                f"at event {reset.event} time goes back by {back} us, from {reset.before} us to {reset.after} us: the "
                "clock of the camera was set anew. With resets=continue, time goes on from the last event",
            )

    def _tell(self, latest: int) -> None:
        self._tell_notes()
        if self.damage is not None and self._damaged == "keep":
            self._warn(f"{self.damage}; what is before it was read")
        if self.late_events:
            self._warn(f"{self.late_events} events came up to {latest} us late and were put in their place")
        if self.dropped_events:
            self._warn(f"{self.dropped_events} events beyond the sensor were left out")
        if self.reset_times:
            self._warn(f"the clock was set back {len(self.reset_times)} times; time goes on from the event before")

    def _tell_notes(self) -> None:
        for note in self._own.notes:
            self._warn(note)

    def _warn(self, message: str) -> None:
        warnings.warn(EventFileWarning(self.path, message), stacklevel=2)

    def _told(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        self._source.notes = []
        try:
            yield from frames
        except Damage as damage:
            problem = f"{damage.reason}; fetch the file again, or read what is before it with damaged=keep"
            if self._damaged == "error":
                raise EventFileError(self.path, problem, damage.offset) from None
            self._warn(f"{damage.place}{damage.reason}; the pictures before it were read")
        self._tell_notes()


def _checked_size(size: tuple[int, int] | None) -> tuple[int, int] | None:
    if size is None:
        return None
    sides = tuple(size) if isinstance(size, tuple | list) else ()
    if len(sides) != 2 or not all(isinstance(side, int) and 1 <= side <= MAX_SIDE for side in sides):
        raise ValueError(f"size is {size!r}, must be the height and the width of the sensor, 1 to {MAX_SIDE} pixels")
    return sides[0], sides[1]
