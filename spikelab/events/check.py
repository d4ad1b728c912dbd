"""Checks of event columns and times: what is wrong, where, and what to do about it."""

import operator
from typing import Any

import numpy as np
import numpy.typing as npt

MAX_SIDE = 2**16
"""Largest width or height in pixels: coordinates are uint16."""

COLUMNS: dict[str, Any] = {"x": np.uint16, "y": np.uint16, "t": np.int64, "p": np.uint8}
"""The columns of an event array and their types."""

_ENOUGH_FOR_BOTH = 1000
"""Events of a camera that are never all of one polarity."""

_FLOAT_REMEDY = {
    "x": "round rectified coordinates and drop those outside the frame: np.rint(x).astype(np.int64)",
    "y": "round rectified coordinates and drop those outside the frame: np.rint(y).astype(np.int64)",
    "t": "times are integer microseconds; from seconds: np.rint(t * 1e6).astype(np.int64)",
    "p": "polarity is 0 (OFF) or 1 (ON): (p > 0).astype(np.uint8)",
}


def check_columns(
    x: npt.ArrayLike,
    y: npt.ArrayLike,
    t: npt.ArrayLike,
    p: npt.ArrayLike,
    width: Any,
    height: Any,
    ordered: bool = True,
) -> tuple[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray], int, int]:
    """Return the columns as integer arrays and the sides as int, or raise as `EventArray` describes.

    Args:
        x: Columns of the events.
        y: Rows of the events.
        t: Times of the events.
        p: Polarities of the events.
        width: Width of the frame.
        height: Height of the frame.
        ordered: Whether the times must not decrease.
    """
    width, height = _side("width", width), _side("height", height)
    columns = {name: integers(name, column) for name, column in (("x", x), ("y", y), ("t", t), ("p", p))}
    lengths = {name: column.size for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"events: the columns x, y, t and p must have one length, not {lengths}")
    _check_range("x", columns["x"], 0, width - 1, "drop events outside the frame, or correct width")
    _check_range("y", columns["y"], 0, height - 1, "drop events outside the frame, or correct height")
    _check_polarity(columns["p"])
    int64 = np.iinfo(np.int64)
    _check_range("t", columns["t"], int64.min, int64.max, "times are int64 microseconds")
    times = columns["t"].astype(np.int64, copy=False)
    if ordered:
        _check_order(times)
    return (columns["x"], columns["y"], times, columns["p"]), width, height


def lost_polarity(off: float, on: float) -> str | None:
    """Return "OFF" or "ON" if so many events are all of it, which a camera would not send; None if nothing is wrong.

    Args:
        off: Number of events of falling brightness.
        on: Number of events of rising brightness.
    """
    if off + on < _ENOUGH_FOR_BOTH or min(off, on):
        return None
    return "ON" if on else "OFF"


def microseconds(name: str, value: Any) -> int:
    """Return `value` as an integer, or raise a TypeError that says how to convert it."""
    try:
        time = operator.index(value)
    except TypeError:
        raise TypeError(
            f"{name} = {value!r}: times are integer microseconds; from seconds: round({name} * 1e6)"
        ) from None
    if not -(2**63) <= time < 2**63:
        raise ValueError(f"{name} = {time} us is outside the range of int64")
    return time


def _side(name: str, value: Any) -> int:
    try:
        # A side that was read back from a file is an array of zero dimensions.
        side = operator.index(value[()] if isinstance(value, np.ndarray) else value)
    except TypeError:
        raise TypeError(f"events: {name} = {value!r} must be a whole number of pixels") from None
    if not 1 <= side <= MAX_SIDE:
        raise ValueError(f"events: {name} = {side} must lie in 1..{MAX_SIDE}")
    return side


def integers(name: str, values: npt.ArrayLike) -> np.ndarray:
    """Return one column as a one-dimensional array of integers, of whatever width."""
    column = np.asarray(values)
    if column.ndim != 1:
        raise ValueError(f"events: {name} must be one-dimensional, [N], not of shape {column.shape}")
    if column.size == 0:
        return np.empty(0, COLUMNS[name])
    if column.dtype.kind == "b" and name == "p":
        return column.astype(np.uint8)
    if column.dtype.kind == "f":
        bad = np.flatnonzero(~np.isfinite(column))
        first = f"{name}[{bad[0]}] = {column[bad[0]]}; " if bad.size else ""
        raise TypeError(f"events: {name} is {column.dtype}, {first}integers are needed: {_FLOAT_REMEDY[name]}")
    if column.dtype.kind not in "iu":
        raise TypeError(f"events: {name} is {column.dtype}; integers are needed")
    return column


def _check_range(name: str, column: np.ndarray, low: int, high: int, remedy: str) -> None:
    if column.size and (int(column.min()) < low or int(column.max()) > high):
        i = int(np.flatnonzero((column < low) | (column > high))[0])
        raise ValueError(f"events: {name}[{i}] = {column[i]} is outside {low}..{high}; {remedy}")


def _check_polarity(p: np.ndarray) -> None:
    if p.size and p.dtype.kind == "i" and int(p.min()) == -1 and int(p.max()) <= 1:
        i = int(np.flatnonzero(p == -1)[0])
        raise ValueError(
            f"events: p[{i}] = -1, but polarity is 0 (OFF) or 1 (ON); from -1/+1: p = (p > 0).astype(np.uint8)"
        )
    _check_range("p", p, 0, 1, "polarity is 0 (OFF) or 1 (ON)")


def _check_order(t: npt.NDArray[np.int64]) -> None:
    backwards = np.flatnonzero(t[1:] < t[:-1])
    if backwards.size:
        i = int(backwards[0]) + 1
        raise ValueError(
            f"events: t[{i}] = {t[i]} us comes before t[{i - 1}] = {t[i - 1]} us; events must be sorted by time "
            "(a counter that wrapped or was reset must be unwrapped first; otherwise use EventArray.from_unsorted)"
        )
