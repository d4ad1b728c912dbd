"""What the columns of a table of events are: by their names, and, where they have none, by what is in them."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

NAMES = {
    "t": ("t", "ts", "time", "times", "timestamp", "timestamps"),
    "x": ("x", "xs"),
    "y": ("y", "ys"),
    "p": ("p", "ps", "pol", "pols", "polarity", "polarities"),
}
"""The names that columns usually have, in lower case."""

ORDERS = ("txyp", "xytp", "xypt")
"""The orders that tables without names are written in."""

POWERS = {"s": 6, "ms": 3, "us": 0, "ns": -3}
"""Units of time, as the power of ten that makes microseconds of them."""

GUESSES = {
    "s": "times with fractions were taken for seconds",
    "us": "whole times were taken for microseconds",
    "ns": "whole times of 18 digits and more were taken for nanoseconds",
}
"""What `likely_unit` did, for messages."""

_UNITS = {"sec": "s", "seconds": "s", "usec": "us", "µs": "us", "microseconds": "us", "nsec": "ns", "nanoseconds": "ns"}

_NANOSECONDS = 10**17
"""Whole times beyond this are nanoseconds: in microseconds they would lie thousands of years ahead."""


def role(name: str) -> tuple[str, str | None] | None:
    """What a column is by its name: one of t, x, y, p and, if the name has it, the unit (``t_us``, ``t [ns]``)."""
    words = [word for word in re.split(r"[\s_\[\]()/-]+", name.strip().strip("\"'").lower()) if word]
    if words and words[0] == "event":
        words = words[1:]
    if not words:
        return None
    unit = None
    if len(words) == 2:
        unit = _UNITS.get(words[1], words[1])
    found = next((each for each, names in NAMES.items() if words[0] in names), None)
    if found is None or len(words) > 2 or (unit is not None and (found != "t" or unit not in POWERS)):
        return None
    return found, unit


def roles(names: Sequence[str]) -> tuple[dict[str, int], str | None] | None:
    """Places of t, x, y and p among columns with names, and the unit of time; None if one of them is missing."""
    places: dict[str, int] = {}
    unit = None
    for place, name in enumerate(names):
        found = role(name)
        if found is None or found[0] in places:
            continue
        places[found[0]] = place
        unit = found[1] or unit
    return (places, unit) if len(places) == 4 else None


def fitting_orders(table: np.ndarray) -> list[str]:
    """The usual orders of columns that fit the first events of a table without names, `[N, 4]`.

    Times hardly ever go back, pixels are whole numbers, and polarity has two values.
    """
    return [order for order in ORDERS if _fits(**dict(zip(order, table.T, strict=True)))]


def _fits(t: np.ndarray, x: np.ndarray, y: np.ndarray, p: np.ndarray) -> bool:
    values = set(np.unique(p[:10_000]).tolist())
    if not np.isin(p, (-1, 0, 1)).all() or {-1, 0} <= values or not np.isfinite(t).all():
        return False
    if any((each < 0).any() or (each > 65535).any() or (each % 1).any() for each in (x, y)):
        return False
    return int((np.diff(t) < 0).sum()) <= len(t) // 100


def likely_unit(t: np.ndarray) -> str | None:
    """Unit of times that nobody names, from the first of them; None if they leave it open.

    Fractions are seconds, whole numbers are microseconds, or nanoseconds where they are too large for those. A few
    whole numbers of a type that has fractions leave it open.
    """
    whole = t.dtype.kind in "iu"
    t = t if whole else t[np.isfinite(t)]
    if not whole and (t % 1).any():
        return "s"
    if len(t) and np.median(np.abs(t.astype(np.float64))) > _NANOSECONDS:
        return "ns"
    if whole or len(np.unique(t)) > 2 or not t.any():
        return "us"
    return None
