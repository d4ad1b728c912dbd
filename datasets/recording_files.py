"""Which recordings a folder holds, unpacked or still in the zip archives that they are published in."""

from __future__ import annotations

import contextlib
import dataclasses
import fnmatch
import functools
import os
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from spikelab.events import EventArray
from spikelab.events.files import EventFileError, open_events

_FAULTS = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)  # of an archive that is damaged
_BLOCK = 1 << 20
_ARCHIVES = (".zip", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz", ".7z", ".rar")


def is_archive(path: Path) -> bool:
    """Whether a file is a packed folder, by its name; of these, `find_recordings` looks into zip archives alone."""
    return path.name.lower().endswith(_ARCHIVES)


@dataclasses.dataclass(frozen=True)
class RecordingFile:
    """One recording.

    Attributes:
        root: folder that was searched.
        place: path below it. What is in an archive has the place that it would have unpacked beside it, into a folder
            of the archive's name.
        archive: path of the archive below the root; None for a file of its own.
        member: name in the archive.
    """

    root: Path
    place: str
    archive: str | None = None
    member: str = ""

    @property
    def name(self) -> str:
        """Of the file, without its folders."""
        return PurePosixPath(self.place).name

    @property
    def folders(self) -> tuple[str, ...]:
        """The folders that it lies in, below the root."""
        return PurePosixPath(self.place).parts[:-1]

    def __str__(self) -> str:
        return str(self.root / self.place) if self.archive is None else f"{self.root / self.archive}/{self.member}"

    def read(self, **options: Any) -> tuple[EventArray, dict[str, Any]]:
        """All its events, and what the file says of itself.

        Args:
            options: of `open_events`.

        Raises:
            EventFileError: if it cannot be read.
        """
        with self._unpacked() as path:
            try:
                with open_events(path, **options) as file:
                    return file.read(), file.about
            except EventFileError as error:
                if self.archive is None:
                    raise
                raise EventFileError(str(self), error.problem, error.offset) from None

    def size(self) -> int:
        """Bytes, unpacked.

        Raises:
            OSError: if it cannot be looked up.
            EventFileError: if the archive is damaged.
        """
        return (self.root / self.place).stat().st_size if self.archive is None else self._listed().file_size

    def checksum(self) -> int:
        """CRC-32 of the unpacked content, without unpacking it.

        Raises:
            OSError: if it cannot be read.
            EventFileError: if the archive is damaged.
        """
        return file_checksum(self.root / self.place) if self.archive is None else self._listed().CRC

    def _listed(self) -> zipfile.ZipInfo:
        archive = self.root / (self.archive or "")
        try:
            return _opened(archive, archive.stat().st_mtime_ns, os.getpid()).getinfo(self.member)
        except (*_FAULTS, KeyError) as error:
            raise EventFileError(str(self), f"cannot be unpacked ({error}); fetch the archive again") from error

    @contextlib.contextmanager
    def _unpacked(self) -> Iterator[Path]:
        if self.archive is None:
            yield self.root / self.place
            return
        archive = self.root / self.archive
        try:
            # a forked process would move the place in the file for the others as well
            opened = _opened(archive, archive.stat().st_mtime_ns, os.getpid())
            content = opened.read(self.member)
        except _FAULTS as error:
            raise EventFileError(str(self), f"cannot be unpacked ({error}); fetch the archive again") from error
        descriptor, name = tempfile.mkstemp(prefix="spikelab-")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
            yield Path(name)
        finally:
            os.unlink(name)


def file_checksum(path: Path) -> int:
    """CRC-32 of a file's content.

    Raises:
        OSError: if it cannot be read.
    """
    found = 0
    with open(path, "rb") as opened:
        while block := opened.read(_BLOCK):
            found = zlib.crc32(block, found)
    return found


# the list of what is in an archive may be long; it is read once
@functools.lru_cache(maxsize=32)
def _opened(path: Path, changed: int, process: int) -> zipfile.ZipFile:
    return zipfile.ZipFile(path)


def recording_files(name: str, folder: Path, pattern: str, source: str) -> list[RecordingFile]:
    """All recordings below a folder, see `find_recordings`.

    Args:
        name: of the data set, for messages.
        folder: that is searched.
        pattern: of the files' names, such as ``"*.bin"``.
        source: where the data set can be fetched, and what of it is needed.

    Raises:
        FileNotFoundError: if there is none.
        ValueError: if an archive is damaged.
    """
    files = list(find_recordings(name, folder, pattern))
    if not files:
        what = "is no folder"
        if folder.is_dir():
            what = f"holds no {pattern}, unpacked or in a zip archive{_nested(name, folder)}"
        raise FileNotFoundError(missing(name, folder, what, source))
    return files


def find_recordings(name: str, folder: Path, pattern: str) -> Iterator[RecordingFile]:
    """The recordings below a folder, those that are unpacked first, otherwise in the order of their places.

    Args:
        name: of the data set, for messages.
        folder: that is searched; none is found where there is no such folder.
        pattern: of the files' names.

    Raises:
        ValueError: if an archive is damaged.
    """
    for place in _files(folder):
        if fnmatch.fnmatchcase(place.name, pattern):
            yield RecordingFile(folder, place.as_posix())
    for archive in _archives(folder):
        for member in _members(name, folder / archive):
            if fnmatch.fnmatchcase(PurePosixPath(member).name, pattern):
                place = archive.with_suffix("") / member
                yield RecordingFile(folder, place.as_posix(), archive.as_posix(), member)


def _files(folder: Path) -> Iterator[PurePosixPath]:
    for inner, folders, names in os.walk(folder, followlinks=True):
        folders[:] = sorted(each for each in folders if not _hidden(each))
        below = PurePosixPath(Path(inner).relative_to(folder).as_posix())
        yield from (below / each for each in sorted(names) if not _hidden(each))


def _archives(folder: Path) -> Iterator[PurePosixPath]:
    return (place for place in _files(folder) if place.suffix.lower() == ".zip")


def _nested(name: str, folder: Path) -> str:
    """What is said of archives that have to be unpacked before those in them can be read."""
    for archive in _archives(folder):
        for member in _members(name, folder / archive):
            if member.lower().endswith(".zip"):
                return f"; {archive} holds archives in turn ({member}): unpack it once"
    return ""


def missing(name: str, folder: Path, what: str, source: str) -> str:
    """The message for a data set that is not where it is looked for."""
    return (
        f"{name}: {folder.absolute()} {what}. {source}. Put it there, name another place with the data set's option "
        f"folder, or set SPIKELAB_SHARED to the folder that holds data/{name}"
    )


def _hidden(name: str) -> bool:
    # what file managers leave in folders and archives looks like recordings by its name
    return name.startswith(".") or name == "__MACOSX"


def _members(name: str, archive: Path) -> list[str]:
    try:
        with zipfile.ZipFile(archive) as opened:
            names = sorted(each for each in opened.namelist() if not each.endswith("/"))
    except _FAULTS as error:
        raise ValueError(f"{name}: {archive} cannot be read ({error}); fetch the archive again") from error
    return [each for each in names if not any(map(_hidden, PurePosixPath(each).parts))]
