"""How a text file of events is laid out: found in its first lines, so that the rest can be read without thinking."""

from __future__ import annotations

import dataclasses
import re
import zlib

import numpy as np

from spikelab.events.files.source import HEAD, Unit
from spikelab.events.formats.column_names import fitting_orders, likely_unit, roles

_GZIP = b"\x1f\x8b"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_COMMENTS = ("#", "%", "//")
_COLUMNS = 12
"""A line of more words names no columns; t, x, y and p may all be among the words of a text."""
LOOKED_AT = 2000
"""How many lines of events are looked at."""

REMEDY = "say what the columns are in a first line such as '# t_us x y p' (units are s, ms, us, ns)"


class Unclear(Exception):
    """Lines of numbers that may be events, but leave open how; says why."""


@dataclasses.dataclass(frozen=True)
class Layout:
    """How the lines of a file are to be read.

    Attributes:
        begin: byte of the (unpacked) text at which the lines of events begin.
        lines: how many lines are before it.
        columns: how many each line has.
        places: column of t, x, y and p.
        unit: of time: s, ms, us or ns.
        guessed: whether the unit is a guess.
        size: width and height in pixels, if the first line says.
    """

    begin: int
    lines: int
    columns: int
    places: dict[str, int]
    unit: str
    guessed: bool
    size: tuple[int, int] | None


@dataclasses.dataclass(frozen=True)
class _Names:
    """A line that names the columns."""

    columns: int
    places: dict[str, int]
    unit: str | None


def is_packed(head: bytes) -> bool:
    """Whether a file is packed with gzip."""
    return head.startswith(_GZIP)


def unpacked_head(head: bytes) -> bytes:
    """The first bytes of the text, unpacked if need be; nothing if they cannot be."""
    if not is_packed(head):
        return head
    found = b""
    try:
        # a file may be packed in several parts that follow each other
        while is_packed(head) and len(found) < HEAD:
            part = zlib.decompressobj(wbits=31)
            found += part.decompress(head, 4 * HEAD)
            head = part.unused_data
    except zlib.error:
        pass
    return found


def find_layout(head: bytes, whole: bool, unit: Unit | None = None) -> Layout | None:
    """The layout by the first bytes of the text; None if these are no events.

    Args:
        head: the first bytes.
        whole: whether they are the whole text; otherwise the last line is not looked at.
        unit: of time, where the first lines name none.

    Raises:
        Unclear: if they are lines of numbers, but nothing tells which column is what, or the unit of time.
    """
    begin = len(_BYTE_ORDER_MARK) if head.startswith(_BYTE_ORDER_MARK) else 0
    lines = head[begin:].decode("latin-1").split("\n")
    if not whole or not lines[-1].strip():
        lines = lines[:-1]
    names: _Names | None = None
    size = None
    skipped = 0
    for line in lines:
        comment = is_comment(line)
        words = words_of(line[comment.end() :] if comment else line)
        if comment or not words:
            names = _named(words) or names
        elif numbers_of(words) is None:
            if (names := _named(words)) is None:
                return None
        elif size is None and len(words) == 2:
            size = _sides(words)
            if size is None:
                return None
        else:
            break
        skipped += 1
        begin += len(line) + 1
    rows = [words for line in lines[skipped : skipped + LOOKED_AT] if (words := words_of(line))]
    if rows and names and names.columns != len(rows[0]):
        names = None  # a sentence, not the names of the columns
    found = _places_and_unit(rows, names, unit)
    guessed = unit is None and (names is None or names.unit is None)
    return None if found is None else Layout(begin, skipped, names.columns if names else 4, *found, guessed, size)


def _places_and_unit(
    rows: list[list[str]], names: _Names | None, given: Unit | None
) -> tuple[dict[str, int], str] | None:
    columns = names.columns if names else 4
    numbers: list[list[float]] = []
    for words in rows:
        found = numbers_of(words)
        if found is None or len(found) != columns:
            break  # told with its place when it is read
        numbers.append(found)
    if not numbers and (rows or not names):
        return None
    table = np.array(numbers, np.float64).reshape(-1, columns)
    pointed = {place for words in rows[: len(table)] for place, word in enumerate(words) if set(word) & set(".eE")}
    places = names.places if names else _places(table, pointed)
    if places is None or (names and names.unit):
        return None if places is None else (places, names.unit)  # type: ignore[union-attr,return-value]
    if given is not None:
        return places, given
    times = table[:, places["t"]]
    times = times[np.abs(times) < 2**62]  # the line of any other is told when it is read
    # numbers that are written whole are meant so; those with a point may be whole by chance
    unit = likely_unit(times if places["t"] in pointed else times.astype(np.int64))
    if unit is None:
        raise Unclear(
            f"its times are whole numbers, but written with a point: give the unit (unit=s, ms, us or ns), or {REMEDY}"
        )
    return places, unit


def _places(table: np.ndarray, pointed: set[int]) -> dict[str, int] | None:
    orders = fitting_orders(table)
    if len(orders) > 1:
        # where only one column is written with a point, it is time
        orders = [order for order in orders if pointed == {order.index("t")}] or orders
    if len(orders) > 1:
        raise Unclear(f"its columns may be {' or '.join(map(' '.join, orders))}: {REMEDY}")
    return {name: orders[0].index(name) for name in "txyp"} if orders else None


def _named(words: list[str]) -> _Names | None:
    found = roles(words) if len(words) <= _COLUMNS else None
    return None if found is None else _Names(len(words), *found)


def is_comment(line: str) -> re.Match[str] | None:
    """The mark at the beginning of a line that is no event; None if it has none."""
    return re.match(r"\s*(#|%|//)", line)


def words_of(line: str) -> list[str]:
    """Columns of a line; where commas or tabs part them, names may hold spaces."""
    line = line.strip()
    parts = (
        re.split(r"\s*[,;\t]\s*", line) if re.search(r"[,;\t]", line) else re.sub(r"\s+([\[(])", r"\1", line).split()
    )
    return [part for part in parts if part]


def numbers_of(words: list[str]) -> list[float] | None:
    """The words as numbers; None if one is none."""
    try:
        return [float(word) for word in words]
    except ValueError:
        return None


def _sides(words: list[str]) -> tuple[int, int] | None:
    if all(re.fullmatch(r"[0-9]{1,5}", word) and 0 < int(word) <= 65536 for word in words):
        return int(words[0]), int(words[1])
    return None
