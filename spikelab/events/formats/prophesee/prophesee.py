"""What the raw files of Prophesee cameras have in common: the text header, and reading words in blocks.

Source: docs.prophesee.ai, "RAW file format" and "Data encoding formats".
"""

from __future__ import annotations

import dataclasses
import re
from abc import abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

import numpy as np

from spikelab.events.files import source
from spikelab.events.files.errors import Damage, EventFileError
from spikelab.events.files.source import HEAD, Columns, EventSource, Opening, Triggers

# sensors by the generation that headers name, where they do not give a geometry; width and height in pixels
_GENERATIONS = (
    (r"gen ?3|^3(\.|$)", (640, 480)),
    (r"gen ?4|imx ?636|imx ?646|^4(\.|$)", (1280, 720)),
    (r"genx ?320|^320$", (320, 320)),
)


@dataclasses.dataclass(frozen=True)
class Header:
    """The text at the beginning of a file.

    Attributes:
        fields: key -> value of its lines, ``% key value``; keys in lower case.
        end: byte at which the data begins.
        format: name of the encoding, in lower case: "evt2", "evt21", "evt3", "dat"; "" if the header names none.
        options: of the encoding, such as ``endianness``.
    """

    fields: dict[str, str]
    end: int
    format: str
    options: dict[str, str]

    @property
    def size(self) -> tuple[int, int] | None:
        """Width and height in pixels, if the header lets one know."""
        if {"width", "height"} <= set(self.options):
            return _sides(self.options["width"], self.options["height"])
        if {"width", "height"} <= set(self.fields):
            return _sides(self.fields["width"], self.fields["height"])
        if match := re.fullmatch(r"(\d+)\s*x\s*(\d+)", self.fields.get("geometry", "")):
            return _sides(*match.groups())
        told = [self.fields[key] for key in ("sensor_name", "sensor_generation", "generation", "plugin_name")
                if key in self.fields]  # fmt: skip
        for pattern, sides in _GENERATIONS:
            if any(re.search(pattern, value.lower()) for value in told):
                return sides
        return None


def _sides(width: str, height: str) -> tuple[int, int] | None:
    # not every digit of Unicode is one for int, and not every length
    if not re.fullmatch(r"[0-9]{1,5}", width) or not re.fullmatch(r"[0-9]{1,5}", height):
        return None
    sides = int(width), int(height)
    return sides if 1 <= min(sides) and max(sides) <= 65536 else None


def read_header(head: bytes) -> Header | None:
    """The header of a raw or DAT file, from its first bytes; None if they are none.

    A header ends with the line ``% end``, or where a line does not begin with ``% `` in files that lack it.
    """
    fields: dict[str, str] = {}
    place = 0
    while head[place : place + 1] == b"%" and head[place + 1 : place + 2] in (b" ", b"\t"):
        stop = head.find(b"\n", place)
        if stop < 0:
            return None
        line = head[place + 1 : stop].decode("latin-1").strip()
        place = stop + 1
        if line.lower() == "end":
            break
        key, _, value = line.partition(" ")
        fields[key.lower().rstrip(":")] = value.strip()
    if not fields:
        return None
    name, *rest = fields.get("format", "").lower().split(";")
    options = dict(part.split("=", 1) for part in rest if "=" in part)
    name = {"evt2.0": "evt2", "evt2.1": "evt21", "evt3.0": "evt3"}.get(name, name)
    if not name:
        name = {"2.0": "evt2", "2.1": "evt21", "3.0": "evt3"}.get(fields.get("evt", ""), "")
    return Header(fields, place, name, options)


def is_raw(opening: Opening, name: str) -> bool:
    """Whether a file begins with the header of an encoding."""
    header = read_header(opening.head)
    return header is not None and header.format == name


class RawSource(EventSource):
    """A raw file: words of one width after a header, decoded in blocks by a state machine.

    Args:
        path: of the file.
        stream: must be None; such files hold one camera.
    """

    word: ClassVar[np.dtype[Any]]
    """Type of a word as the file holds it."""
    most: ClassVar[int]
    """Most events that one word gives."""

    def __init__(self, path: Path, stream: str | None = None):
        self.path = path
        with open(path, "rb") as file:
            header = read_header(file.read(HEAD))
        if header is None:
            raise EventFileError(path, "has no header of a Prophesee file; it is cut short or of another format", 0)
        if stream is not None:
            raise EventFileError(path, f"holds one camera only; leave out stream={stream}")
        self.begin = header.end  # of the words
        self.header, self.about = header, {"encoding": header.format, **header.fields}
        if header.size is not None:
            self.width, self.height = header.size

    def columns(self) -> Iterator[Columns]:
        """See `EventSource.columns`.

        Raises:
            Damage: at a word of a kind that the encoding does not have, or one that is cut short.
        """
        self.notes = []
        state, given = self.fresh_state(), 0
        for words, offset in self._words():
            place = 0
            while place < len(words):
                # no more room than the words can fill: most files of some data sets are small
                block = Columns.empty(min(source.BLOCK, self.most * (len(words) - place)) + self.most)
                place, count, bad = self.decode(words, place, state, block)
                given += count
                yield block.taken(slice(count))
                if bad:
                    at = offset + place * self.word.itemsize
                    raise Damage(self.reason(int(words[place]), given), at)
        if lost := int(state[0]):
            self.notes = [f"{lost} events before the first word of time were left out: nobody knows when they were"]

    def triggers(self) -> Iterator[Triggers]:
        """See `EventSource.triggers`."""
        state = self.fresh_state()
        for words, _ in self._words():
            block = np.empty(len(words), np.int64), np.empty(len(words), np.uint8), np.empty(len(words), np.bool_)
            count = self.decode_triggers(words, state, block)
            # copies, so that a few triggers do not keep room for one in every word
            t, channel, rising = block
            yield Triggers(t[:count].copy(), channel[:count].copy(), rising[:count].copy())

    def reason(self, word: int, event: int) -> str:
        """Why decoding ended at a word, after some events."""
        return f"{word:#x} is no word of {self.header.format.upper()}"

    @abstractmethod
    def fresh_state(self) -> np.ndarray:
        """State of the decoder before the first word, int64; entry 0 counts the events without a time."""

    @abstractmethod
    def decode(self, words: np.ndarray, place: int, state: np.ndarray, block: Columns) -> tuple[int, int, bool]:
        """Fill a block from a place on; gives where it stopped, the events, and whether the word there is none."""

    @abstractmethod
    def decode_triggers(self, words: np.ndarray, state: np.ndarray, block: tuple[np.ndarray, ...]) -> int:
        """Find the triggers among words; gives their number."""

    def _words(self) -> Iterator[tuple[np.ndarray, int]]:
        """The words in blocks, and at which byte each block begins."""
        size = self.path.stat().st_size
        with open(self.path, "rb") as file:
            offset = self.begin
            file.seek(offset)
            while (count := min(source.BLOCK, (size - offset) // self.word.itemsize)) > 0:
                words = _read_words(file, self.word, count, self.path)
                if not len(words):  # a file that became shorter while it was read
                    break
                yield words, offset
                offset += words.nbytes
        if rest := size - offset:
            raise Damage(f"the last word is cut short, {rest} of its {self.word.itemsize} bytes are there", offset)


def _read_words(file: BinaryIO, word: np.dtype[Any], count: int, path: Path) -> np.ndarray:
    try:
        return np.fromfile(file, word, count)
    except OSError as error:
        raise EventFileError(path, f"cannot be read ({error})") from error
