"""What is wrong with a text of four columns of numbers that cannot be read as events: the first line that is none."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from spikelab.events.formats.column_names import ORDERS
from spikelab.events.formats.tables.text_layout import LOOKED_AT, is_comment, numbers_of, words_of
from spikelab.events.formats.tables.text_lines import MIXED_POLARITIES, NO_PIXEL, NO_POLARITY, WHY


def first_fault(head: bytes) -> str | None:
    """The first line that is no event, in the order of columns that fits the lines best, and why.

    Args:
        head: the first bytes of the text.

    Returns:
        What is wrong; None if these are no lines of four numbers, or nothing is wrong with them.
    """
    lines = head.decode("latin-1").split("\n")[: -1 if head.count(b"\n") > 1 else None]
    numbered = [(number, line.strip()) for number, line in enumerate(lines, 1) if line.strip() and not is_comment(line)]
    rows: list[tuple[int, str, list[float]]] = []
    for number, line in itertools.islice(numbered, LOOKED_AT):
        found = numbers_of(words_of(line))
        if found is None or len(found) != 4:
            if not rows and found is not None and len(found) == 2:
                continue  # the size of the sensor
            break
        rows.append((number, line, found))
    if not rows:
        return None
    table = np.array([row for _, _, row in rows])
    faults = {order: list(_faults(dict(zip(order, table.T, strict=True)))) for order in ORDERS}
    order = min(ORDERS, key=lambda order: len(faults[order]))
    if not faults[order]:
        return None
    place, why = faults[order][0]
    number, line, _ = rows[place]
    same = sum(reason == why for _, reason in faults[order])
    more = f", as {same - 1} more of the first {len(rows)} lines" if same > 1 else ""
    remedy = "; put the lines in the order of time" if why == _BACK else ""
    shown = line if len(line) <= 60 else line[:60] + "..."
    return f"read as {' '.join(order)}, line {number}, {shown!r}, {why}{more}{remedy}"


_BACK = "has a time before that of the line above it"


def _faults(columns: dict[str, np.ndarray]) -> Iterator[tuple[int, str]]:
    """Places of the lines that are no events, and why, from the first on."""
    t, p = columns["t"], columns["p"]
    back = np.zeros(len(t), bool)
    back[1:] = t[1:] < t[:-1]
    pixel = np.zeros(len(t), bool)
    for side in (columns["x"], columns["y"]):
        with np.errstate(invalid="ignore"):
            pixel |= ~((side >= 0) & (side <= 65535) & (side % 1 == 0))
    first_zero, first_minus = (int(np.argmax(p == value)) if (p == value).any() else len(p) for value in (0, -1))
    mixed = max(first_zero, first_minus)  # where the second of the two appears, if both do
    for place in range(len(t)):
        if not np.isfinite(t[place]):
            yield place, "has a time that is no number"
        elif pixel[place]:
            yield place, WHY[NO_PIXEL]
        elif p[place] not in (-1, 0, 1):
            yield place, WHY[NO_POLARITY]
        elif place == mixed:
            yield place, WHY[MIXED_POLARITIES]
        elif back[place]:
            yield place, _BACK
