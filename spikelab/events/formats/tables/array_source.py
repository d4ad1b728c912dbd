"""Events in NumPy arrays: one for each of t, x, y and p, one with fields, or a table of four columns."""

from __future__ import annotations

import contextlib
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np

from spikelab.events.files import source
from spikelab.events.files.errors import Damage, EventFileError
from spikelab.events.files.source import Columns, EventSource, Unit
from spikelab.events.files.streams import chosen
from spikelab.events.formats.column_names import GUESSES, fitting_orders, likely_unit, roles
from spikelab.events.formats.conversion import converted
from spikelab.events.formats.tables.npy_stream import FAULTS, NoTable, NpyStream

_SAMPLE = 5000
"""How many events are looked at to see what nobody names."""

_SHOWN = 20
"""Names that a message lists."""

_REMEDY = "save it as NPZ with arrays t (integer microseconds), x, y and p"


class Place(NamedTuple):
    """Where an array is.

    Attributes:
        opened: opens it at its first byte.
        size: its bytes.
        offset: byte of the file at which it begins.
        plain: whether its bytes lie in the file as they are, not packed.
    """

    opened: Callable[[], IO[bytes]]
    size: int
    offset: int
    plain: bool


class ArraySource(EventSource):
    """A file of NumPy arrays.

    Args:
        path: of the file.
        stream: name of an array, where several hold events.
        unit: of time, where no name of an array or field says it.

    Raises:
        EventFileError: if none holds events, several do, or it is left open what their columns are; and if a unit is
            given for a file that names another.
    """

    def __init__(self, path: Path, stream: str | None = None, unit: Unit | None = None):
        self.path, self._given = path, unit
        try:
            self._find(self.places(), stream)
        except EventFileError:
            self.close()
            raise
        except NoTable as error:
            self.close()
            raise EventFileError(path, str(error)) from None
        except FAULTS as error:
            self.close()
            raise EventFileError(path, f"cannot be read ({error}); it may be cut short: fetch the file again") from None

    @abstractmethod
    def places(self) -> Mapping[str, Place]:
        """The arrays of the file by their names."""

    def _find(self, places: Mapping[str, Place], stream: str | None) -> None:
        named = roles(tuple(places))
        if named is not None and stream is None:
            names = list(places)
            self._arrays = {role: places[names[place]] for role, place in named[0].items()}
            self._kind, unit = "columns", named[1]
            if set(places) == {"x", "y", "t", "p", "width", "height"}:
                unit = "us"  # that is how `EventArray.to_npz` writes
        else:
            name = self._one_of(places, stream)
            self._arrays, unit = {"": places[name]}, None
        self._layout(unit)
        for side in ("width", "height"):
            if side in places:
                setattr(self, side, self._side(side, places[side]))

    def _one_of(self, places: Mapping[str, Place], stream: str | None) -> str:
        fitting = [name for name, place in places.items() if _may_hold_events(place)]
        if not fitting:
            for place in places.values():
                NpyStream(place.opened, place.size).close()  # what is wrong with an array is told first
            there = (", ".join(list(places)[:_SHOWN]) or "nothing") + (" ..." if len(places) > _SHOWN else "")
            packed = "; if it is a data set, unpack it" if any("/" in name for name in places) else ""
            raise EventFileError(
                self.path, f"holds no events: no t, x, y and p, and no table of them, but {there}{packed}"
            )
        return chosen(self.path, fitting, stream)

    def _layout(self, unit: str | None) -> None:
        """What is what, by names or by the first events."""
        with self._opened() as streams:
            counts = {role: stream.count for role, stream in streams.items()}
            if len(set(counts.values())) > 1:
                raise EventFileError(self.path, f"its columns differ in length: {counts}")
            first = next(iter(streams.values()))
            if len(streams) == 4:
                self._kind = "columns"
                if any(stream.width is not None or stream.dtype.names for stream in streams.values()):
                    raise EventFileError(self.path, "its t, x, y and p are no lists of numbers")
                self._order = ""
            elif first.dtype.names:
                self._kind = "fields"
                found = roles(first.dtype.names)
                assert found is not None  # `_may_hold_events` has seen it
                unit = found[1]
                self._fields = {role: first.dtype.names[place] for role, place in found[0].items()}
                for name in self._fields.values():
                    if first.dtype[name].shape:
                        raise EventFileError(self.path, f"its columns {name} hold {first.dtype[name]}, not one number")
            else:
                self._kind = "table"
                self._order = self._order_of(first)
        t = self._sample()["t"]
        if t.dtype.kind not in "iuf":
            raise EventFileError(self.path, f"its times are {t.dtype}, not numbers; {_REMEDY}")
        if unit is not None and self._given not in (None, unit):
            raise EventFileError(self.path, f"its names say that its times are in {unit}; leave out unit={self._given}")
        guess = None if unit or self._given else likely_unit(t)
        self._unit = unit or self._given or guess or ""
        self.guess = GUESSES.get(guess or "")
        if not self._unit:
            raise EventFileError(
                self.path,
                f"its times are whole numbers of type {t.dtype}, in no known unit; give it (unit=s, ms, us or ns), or "
                f"{_REMEDY}",
            )
        self.about = {"arrays": self._kind, "unit of time": self._unit}

    def _order_of(self, table: NpyStream) -> str:
        if table.by_columns:
            with self._opened(columns=True) as streams:
                sample = np.stack([stream.rows(_SAMPLE) for stream in streams.values()], axis=1)
        else:
            sample = table.rows(_SAMPLE)
        orders = fitting_orders(sample.astype(np.float64)) if len(sample) else ["txyp"]
        if len(orders) != 1:
            which = f"may be {' or '.join(map(' '.join, orders))}" if orders else "are not t, x, y and p"
            raise EventFileError(self.path, f"its columns {which}; {_REMEDY}")
        return orders[0]

    def _side(self, side: str, place: Place) -> int:
        with contextlib.closing(NpyStream(place.opened, place.size)) as stream:
            value = stream.rows(1)
            if stream.count == 1 and value.dtype.kind in "iu" and len(value) and 1 <= int(value.flat[0]) <= 65536:
                return int(value.flat[0])
        raise EventFileError(self.path, f"its {side} is no number of pixels from 1 to 65536")

    @contextlib.contextmanager
    def _opened(self, columns: bool = False) -> Iterator[dict[str, NpyStream]]:
        with contextlib.ExitStack() as stack:
            wanted = [(role, place, 0) for role, place in self._arrays.items()]
            if columns:
                wanted = [(str(column), self._arrays[""], column) for column in range(4)]
            streams = {}
            for role, place, column in wanted:
                streams[role] = stack.enter_context(contextlib.closing(NpyStream(place.opened, place.size, column)))
            yield streams

    @contextlib.contextmanager
    def _reading(self) -> Iterator[dict[str, NpyStream]]:
        """The open arrays; those of a table that is stored column by column are opened once for each."""
        with self._opened() as streams:
            turned = self._kind == "table" and streams[""].by_columns
            if not turned:
                yield streams
        if turned:
            with self._opened(columns=True) as streams:
                yield streams

    def _sample(self) -> dict[str, np.ndarray]:
        with self._reading() as streams:
            return self._parts(streams, _SAMPLE)

    def _parts(self, streams: dict[str, NpyStream], count: int) -> dict[str, np.ndarray]:
        """The next t, x, y and p, of one length."""
        read = [stream.rows(count) for stream in streams.values()]
        good = min(len(rows) for rows in read)
        read = [rows[:good] for rows in read]
        if self._kind == "columns":
            return dict(zip(streams, read, strict=True))
        if self._kind == "fields":
            return {role: np.ascontiguousarray(read[0][field]) for role, field in self._fields.items()}
        columns = read if len(read) == 4 else list(np.ascontiguousarray(read[0].T))
        return dict(zip(self._order, columns, strict=True))

    def columns(self) -> Iterator[Columns]:
        """See `EventSource.columns`.

        Raises:
            Damage: where rows are missing, cannot be unpacked, or hold what is no event.
        """
        self.notes = []
        done = 0
        with self._reading() as streams:
            first = next(iter(streams.values()))
            while done < first.count:
                try:
                    parts = self._parts(streams, min(source.BLOCK, first.count - done))
                except FAULTS as error:
                    raise self._damage(first, done, f"event {done} and what follows cannot be read: {error}") from None
                block, reason = converted(**parts, unit=self._unit)
                yield block
                done += len(block.t)
                if reason is not None:
                    raise self._damage(first, done, f"event {done}: {reason}")
                if not len(parts["t"]):
                    raise self._damage(first, done, f"only {done} of {first.count} events are in the file")
            if first.rest:
                self.notes = [f"{first.rest} bytes behind the events were left out"]

    def _damage(self, first: NpyStream, done: int, reason: str) -> Damage:
        place = next(iter(self._arrays.values()))
        offset = place.offset + (first.offset + done * first.row if place.plain else 0)
        return Damage(reason, offset, first.count - done)


def _may_hold_events(place: Place) -> bool:
    try:
        with contextlib.closing(NpyStream(place.opened, place.size)) as stream:
            if stream.dtype.names:
                return stream.width is None and roles(stream.dtype.names) is not None
            return stream.width == 4 and stream.dtype.kind in "iuf"
    except FAULTS:
        return False
