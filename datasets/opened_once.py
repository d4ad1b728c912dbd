"""A file that each process opens for itself, when it first reads from it."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class OpenedOnce(Generic[T]):
    """What `opening` returns, made once in each process.

    Two processes must not read through one open file: each would move the other's place in it. A process that was
    forked opens anew, and nothing open is sent to one that is started afresh.

    Args:
        opening: opens the file; can be pickled.
    """

    def __init__(self, opening: Callable[[], T]):
        self._opening = opening
        self._opened: T | None = None
        self._process = 0

    def __call__(self) -> T:
        """The open file of this process."""
        if self._opened is None or self._process != os.getpid():
            self._opened, self._process = self._opening(), os.getpid()
        return self._opened

    def __getstate__(self) -> dict[str, object]:
        return self.__dict__ | {"_opened": None}
