"""Numbers of any type to the columns of events; the first that makes no sense ends them."""

from __future__ import annotations

from typing import Any

import numpy as np

from spikelab.events.files.source import Columns
from spikelab.events.formats.column_names import POWERS

_LIMIT = 2**61
"""Times are far below the range of int64, so that nothing overflows in what follows."""


def converted(t: np.ndarray, x: np.ndarray, y: np.ndarray, p: np.ndarray, unit: str) -> tuple[Columns, str | None]:
    """Columns up to the first event that makes no sense, and what is wrong with it.

    Args:
        t: times, whole or with fractions, rounded to the nearest microsecond, `[N]`.
        x: columns of pixels, `[N]`.
        y: rows of pixels, `[N]`.
        p: polarities: 0 and 1, -1 and 1, or truth values, `[N]`.
        unit: of time: s, ms, us or ns.

    Returns:
        The columns, and None or the reason why they end.
    """
    # what overflows or is no number is found to be none afterwards
    with np.errstate(over="ignore", invalid="ignore"):
        found = {"t": _times(t, POWERS[unit]), "x": _pixels(x), "y": _pixels(y), "p": _polarities(p)}
    good = min(len(each) for each in found.values())
    reason = None
    if good < len(t):
        raw = {"t": t, "x": x, "y": y, "p": p}
        name = next(name for name, each in found.items() if len(each) == good)
        wanted = {"t": "no time", "p": "no polarity"}.get(name, "no pixel")
        reason = f"{name} = {raw[name][good]} is {wanted}"
    return Columns(**{name: each[:good] for name, each in found.items()}), reason


def _times(values: np.ndarray, power: int) -> np.ndarray:
    if values.dtype.kind == "f":
        # divided by a whole number: a product with 0.001 would round twice
        scaled = values.astype(np.float64)
        scaled = np.rint(scaled * 10.0**power if power >= 0 else scaled / 10.0**-power)
        return _upto(scaled, np.abs(scaled) < _LIMIT, np.int64)
    if values.dtype.kind not in "iu":
        return np.empty(0, np.int64)
    limit = _LIMIT // 10**power if power > 0 else _LIMIT
    known = np.ones(len(values), bool)
    if values.dtype.itemsize == 8:
        known = values < limit
        if values.dtype.kind == "i":
            known &= values > -limit
    found = _upto(values, known, np.int64)
    return found * 10**power if power >= 0 else (found + 10**-power // 2) // 10**-power


def _pixels(values: np.ndarray) -> np.ndarray:
    if values.dtype == np.uint16:
        return values
    return _upto(values, (values >= 0) & (values <= 65535), np.uint16) if values.dtype.kind in "iuf" else _nothing()


def _polarities(values: np.ndarray) -> np.ndarray:
    if values.dtype.kind == "b":
        return values.astype(np.uint8)
    if values.dtype.kind not in "iuf":
        return _nothing()
    if values.dtype.kind == "u":
        return _upto(values, values <= 1, np.uint8)
    return _upto(values, (values == 0) | (values == 1) | (values == -1), np.int8).clip(0).astype(np.uint8)


def _nothing() -> np.ndarray:
    return np.empty(0, np.uint8)


def _upto(values: np.ndarray, known: np.ndarray, kind: Any) -> np.ndarray:
    """The values up to the first that is not known or no whole number."""
    if values.dtype.kind == "f":
        known = known & (values == np.rint(values))
    good = len(values) if known.all() else int(np.argmin(known))
    return values[:good].astype(kind)
