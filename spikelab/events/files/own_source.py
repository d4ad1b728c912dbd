"""The open file behind an `EventFile`: each process has one of its own."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from spikelab.events.files.source import EventSource


class OwnSource:
    """What decodes a file, opened by the process that reads it.

    Processes that were forked share the place in an open file, so two of them would move each other's; and open files
    do not survive pickling. So a forked process opens the file again where that matters (`EventSource.stays_open`), and
    one that got it by pickle when it is first read.

    Args:
        path: of the file, for messages.
        opened: opens it; has to survive pickling itself.
    """

    def __init__(self, path: Path, opened: Callable[[], EventSource]):
        self._path, self._opened, self._closed = path, opened, False
        self._kept: EventSource | None = opened()
        self._process = os.getpid()

    def get(self) -> EventSource:
        """The source of this process.

        Raises:
            EventFileError: if the file cannot be opened any more.
            ValueError: if it was closed.
        """
        if self._closed:
            raise ValueError(f"{self._path}: is closed; open it again with open_events")
        if self._kept is not None and self._kept.stays_open and self._process != os.getpid():
            with contextlib.suppress(Exception):  # the other process goes on with its own
                self._kept.close()
            self._kept = None
        if self._kept is None:
            self._kept, self._process = self._opened(), os.getpid()
        return self._kept

    @property
    def notes(self) -> Sequence[str]:
        """What the last pass left out; see `EventSource`. Also of a file that was closed before the pass had ended."""
        return () if self._kept is None else self._kept.notes

    def close(self) -> None:
        """Close the file; a second time does nothing."""
        if not self._closed and self._kept is not None and self._process == os.getpid():
            self._kept.close()
        self._closed = True

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_kept": None}
