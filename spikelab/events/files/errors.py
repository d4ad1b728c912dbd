"""What is said when an event file cannot be read as it is."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

_OPTION = re.compile(r"\b(format|stream|size|damaged|disorder|resets|outside|unit)=(?=([\w/])?)")


class EventFileError(ValueError):
    """An event file that is damaged, of an unknown kind, or does not hold what it should.

    Args:
        path: of the file.
        problem: what is wrong, and what to do about it.
        offset: byte at which the problem begins, if there is one.
    """

    def __init__(self, path: str | Path, problem: str, offset: int | None = None):
        place = "" if offset is None else f"byte {offset}: "
        super().__init__(f"{path}: {place}{problem}")
        self.path, self.problem, self.offset = Path(path), problem, offset

    def __reduce__(self):
        return type(self), (self.path, self.problem, self.offset)

    def for_commands(self) -> EventFileError:
        """The same, with options as the command line names them."""
        return type(self)(self.path, for_commands(self.problem), self.offset)


class UnknownFormatError(EventFileError):
    """A file, or a folder, that is none of the known formats."""


class EventFileWarning(UserWarning):
    """What was mended, left out or doubtful while an event file was read.

    Args:
        path: of the file.
        problem: what it was, and what to do about it.
    """

    def __init__(self, path: str | Path, problem: str):
        super().__init__(f"{path}: {problem}")
        self.path, self.problem = Path(path), problem

    def __reduce__(self):
        return type(self), (self.path, self.problem)

    def for_commands(self) -> EventFileWarning:
        """The same, with options as the command line names them."""
        return type(self)(self.path, for_commands(self.problem))


def for_commands(problem: str, flag: Callable[[str], str] = "--{}".format) -> str:
    """A message in which options have the form of a command line: ``--damaged keep`` for ``damaged=keep``.

    Args:
        problem: the message.
        flag: option -> what a command calls it.
    """
    return _OPTION.sub(lambda match: flag(match[1]) + (" " if match[2] else ""), problem)


class Damage(Exception):
    """Raised by a source where its bytes stop making sense, after everything before them has been handed out.

    Args:
        reason: what was found, in a few words.
        offset: byte at which it begins; None where a library does not say.
        events_lost: how many events the file says should still follow, if it says so.
    """

    def __init__(self, reason: str, offset: int | None, events_lost: int | None = None):
        super().__init__(reason)
        self.reason, self.offset, self.events_lost = reason, offset, events_lost

    @property
    def place(self) -> str:
        """The byte as the beginning of a message."""
        return "" if self.offset is None else f"byte {self.offset}: "
