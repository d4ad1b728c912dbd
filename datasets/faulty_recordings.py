"""Recordings of a data set that cannot be used: all of them are told at once, and a check goes on without them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from typing import TypeVar

Place = TypeVar("Place")
Recording = TypeVar("Recording")

_left_out: ContextVar[list[str] | None] = ContextVar("_left_out", default=None)


class EmptySplitError(ValueError):
    """A split that nobody has named recordings for, so that there is nothing to be wrong."""


@contextlib.contextmanager
def faulty_left_out() -> Iterator[list[str]]:
    """Within, data sets leave out what cannot be used, and tell it in the list that this gives.

    It is for looking at a folder that is not sound; who trains on it must know, and gets an error.
    """
    faults: list[str] = []
    token = _left_out.set(faults)
    try:
        yield faults
    finally:
        _left_out.reset(token)


def tell(faults: Iterable[Exception]) -> None:
    """Raise what is wrong, or put it into the list of `faulty_left_out`.

    Raises:
        Exception: the fault, if it is the only one.
        FileNotFoundError: all of them, a line for each, if each is a file that is missing.
        ValueError: all of them, if they are of several kinds.
    """
    found = list(faults)
    if not found:
        return
    collected = _left_out.get()
    if collected is not None:
        collected.extend(str(fault) for fault in found)
        return
    if len(found) == 1:
        raise found[0]
    kind = FileNotFoundError if all(isinstance(fault, FileNotFoundError) for fault in found) else ValueError
    raise kind("\n".join(dict.fromkeys(str(fault) for fault in found)))


def each_sound(places: Iterable[Place], opening: Callable[[Place], Recording]) -> list[Recording]:
    """Those that can be opened.

    Args:
        places: what is opened.
        opening: opens one; its `OSError` and `ValueError` are faults.

    Raises:
        Exception: as `tell`, if any cannot be opened.
    """
    recordings, faults = [], []
    for place in places:
        try:
            recordings.append(opening(place))
        except (OSError, ValueError) as error:
            faults.append(error)
    tell(faults)
    if not recordings:
        raise ValueError("none of the recordings can be used")
    return recordings
