"""Text files of events: a line an event, with t, x, y and p in any of the usual orders, packed with gzip or not.

Columns are parted by spaces, tabs, commas or semicolons. A first line may name them (``t_us,x,y,p``), and one with two
numbers is the size of the sensor. Without names the columns are told by what is in them, and a unit of time that is not
named is seconds for numbers with a fraction and microseconds for whole ones.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from spikelab.events.files import source
from spikelab.events.files.errors import Damage, EventFileError
from spikelab.events.files.source import HEAD, Columns, EventFormat, EventSource, Opening, Unit
from spikelab.events.formats.column_names import GUESSES, POWERS
from spikelab.events.formats.tables import text_lines
from spikelab.events.formats.tables.text_faults import first_fault
from spikelab.events.formats.tables.text_layout import REMEDY, Layout, Unclear, find_layout, is_packed, unpacked_head

_BYTES = 16
"""About as many bytes a line has at least; it bounds how many lines are in memory."""

_LONGEST = 1 << 16
"""Bytes of a line beyond which it is none."""


class TextSource(EventSource):
    """A text file of events.

    Raises:
        EventFileError: if it holds none, leaves open what the columns are, or names another unit than is given.
    """

    def __init__(self, path: Path, stream: str | None = None, unit: Unit | None = None):
        if stream is not None:
            raise EventFileError(path, f"holds one camera only; leave out stream={stream}")
        head = Opening(path).head
        if not head:
            raise EventFileError(path, "is empty")
        self.path, self._packed = path, is_packed(head)
        try:
            layout = _layout(head, unit)
        except Unclear as error:
            raise EventFileError(path, str(error)) from None
        if layout is None:
            wrong = _complaint(Opening(path)) or "holds no lines with t, x, y and p of events"
            raise EventFileError(path, f"{wrong}; if it does, {REMEDY}" if wrong.startswith("holds") else wrong)
        if unit not in (None, layout.unit):
            raise EventFileError(path, f"its first lines say that times are in {layout.unit}; leave out unit={unit}")
        self.guess = GUESSES[layout.unit] if layout.guessed else None
        self._layout = layout
        if layout.size is not None:
            self.width, self.height = layout.size
        order = sorted(layout.places, key=lambda name: layout.places[name])
        self.about = {"columns": " ".join(order), "unit of time": layout.unit}

    def columns(self) -> Iterator[Columns]:
        """See `EventSource.columns`.

        Raises:
            Damage: at a line that is no event, or where the file cannot be unpacked.
        """
        ignored = self._layout.columns - len(self._layout.places)
        self.notes = [f"{ignored} columns that are none of t, x, y and p were left out"] if ignored else []
        kinds = np.zeros(self._layout.columns, np.int64)
        for name, role in zip("txyp", (text_lines.T, text_lines.X, text_lines.Y, text_lines.P), strict=True):
            kinds[self._layout.places[name]] = role
        state = np.array([self._layout.lines, 0, 0], np.int64)
        power = POWERS[self._layout.unit]
        for offset, lines in self._lines():
            text = np.frombuffer(lines, np.uint8)
            place = 0
            while place < len(text):
                block = Columns.empty(source.BLOCK)
                place, count, wrong = text_lines.parse(text, place, len(text), kinds, power, state, *block)
                yield block.taken(slice(count))
                if wrong:
                    raise self._damage(lines, place, offset, int(state[text_lines.LINE]) + 1, wrong)

    def _damage(self, lines: bytes, place: int, offset: int, number: int, wrong: int) -> Damage:
        line = lines[place : lines.index(b"\n", place)].decode("latin-1").strip()
        shown = line if len(line) <= 60 else line[:60] + "..."
        where = " of the unpacked text" if self._packed else ""
        return Damage(f"line {number}{where}, {shown!r}, {text_lines.WHY[wrong]}", offset + place)

    def _lines(self) -> Iterator[tuple[int, bytes]]:
        """Whole lines, and at which byte of the text they begin; the last one gets a newline if it has none."""
        offset, rest, before = self._layout.begin, b"", b""
        pieces = self._pieces()
        while True:
            try:
                piece = next(pieces, b"")
            except (EOFError, OSError, zlib.error) as error:
                raise Damage(f"cannot be unpacked: {error}", self.path.stat().st_size) from None
            lines, newline, rest = (rest + piece).rpartition(b"\n") if piece else (b"", b"", rest)
            if newline:
                yield offset, lines + newline
                offset, before = offset + len(lines) + 1, lines[lines.rfind(b"\n") + 1 :]
            if not piece:
                break
            if len(rest) > _LONGEST:
                raise Damage(f"a line is longer than {_LONGEST} bytes", offset)
        if rest.strip():
            self._check_last(before, rest, offset)
            yield offset, rest + b"\n"

    def _check_last(self, before: bytes, last: bytes, offset: int) -> None:
        """A time that ends the file may have lost its last digits: nothing else can tell than the line before it."""
        if self._layout.places["t"] == self._layout.columns - 1 and before.strip():
            digits, wanted = (len(line.replace(b",", b" ").split()[-1]) for line in (last, before))
            if digits < wanted:
                raise Damage("the last line has no end, and its time fewer digits than the one before", offset)

    def _pieces(self) -> Iterator[bytes]:
        """The text from the first line of events on."""
        most = max(source.BLOCK * _BYTES, 1)
        skip = self._layout.begin
        with gzip.open(self.path) if self._packed else open(self.path, "rb") as file:
            while piece := file.read1(most):
                if skip < len(piece):
                    yield piece[skip:]
                skip = max(0, skip - len(piece))


def _layout(head: bytes, unit: Unit | None = None) -> Layout | None:
    text = unpacked_head(head)
    # the head is the whole file if it is shorter than what is looked at
    return None if b"\0" in text else find_layout(text, len(head) < HEAD and len(text) < HEAD, unit)


def _is_text(opening: Opening) -> bool:
    try:
        return _layout(opening.head) is not None
    except Unclear:
        return True


def _complaint(opening: Opening) -> str | None:
    text = unpacked_head(opening.head)
    return None if b"\0" in text else first_fault(text)


TEXT = EventFormat(
    title="text with t, x, y, p",
    suffixes=(".txt", ".csv", ".txt.gz"),
    recognise=_is_text,
    open=TextSource,
    source="the Event-Camera Dataset, rpg.ifi.uzh.ch/davis_data.html; RPG E2VID; metavision_file_to_csv",
    open_ended=True,
    sure=False,
    takes_unit=True,
    complaint=_complaint,
)
