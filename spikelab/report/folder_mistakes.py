"""How people go wrong with the folder of a data set: the wrong one, not unpacked, half downloaded, not to be read."""

from __future__ import annotations

import contextlib
import os
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from spikelab.datasets.recording_files import is_archive

_UNFINISHED = (".part", ".partial", ".crdownload", ".download", ".aria2", ".tmp", ".!qb")
"""Ends of names that browsers and other programs give to what they have not fetched whole."""

_COMPRESSED = (".gz", ".xz", ".zst")

_MOST = 100
"""Folders that are looked into, one by one."""

Recognised = Callable[[Path], list[str]]


def unfinished(place: Path) -> dict[str, str]:
    """Files that were not fetched whole, or may not be read: path -> what to do."""
    found = {}
    for path in _walked(place):
        if path.name.lower().endswith(_UNFINISHED):
            found[str(path)] = (
                f"{path}: is a download that was not finished; fetch the file again, and take this one away"
            )
        elif not os.access(path, os.R_OK | (os.X_OK if path.is_dir() else 0)):
            kind = "folder" if path.is_dir() else "file"
            found[str(path)] = (
                f"{path}: this {kind} may not be read by you; its owner can change that: chmod u+rX {path}"
            )
    return found


def archives(place: Path) -> list[str]:
    """Names of the archives and compressed files that lie in a folder and below it."""
    return [
        str(path.relative_to(place))
        for path in _walked(place)
        if is_archive(path) or path.name.lower().endswith(_COMPRESSED)
    ]


def damaged_archives(place: Path) -> dict[str, str]:
    """Zip archives that are not whole: path -> what to do."""
    found = {}
    for path in _walked(place):
        if path.suffix.lower() == ".zip":
            try:
                with zipfile.ZipFile(path):
                    pass
            except (zipfile.BadZipFile, OSError) as error:
                found[str(path)] = f"{path}: is no whole zip archive ({error}), half downloaded perhaps; fetch it again"
    return found


@contextlib.contextmanager
def without(place: Path, files: Iterable[str]) -> Iterator[Path]:
    """A folder with all that is in another, but for some files in it; those further below stay."""
    left_out = set(files)
    with tempfile.TemporaryDirectory(prefix="spikelab-") as folder:
        for path in place.resolve().iterdir():
            if str(place / path.name) not in left_out:
                (Path(folder) / path.name).symlink_to(path)
        yield Path(folder)


def below(place: Path, recognised: Recognised) -> dict[Path, list[str]]:
    """Data sets in the folders of a folder, or in those of these: folder -> names."""
    folders = _folders(place)
    for level in (folders, [inner for folder in folders for inner in _folders(folder)][:_MOST]):
        if found := {folder: names for folder in level if (names := recognised(folder))}:
            return found
    return {}


def above(place: Path, recognised: Recognised) -> dict[Path, list[str]]:
    """The data set that a folder is a part of: folder above it -> names.

    What else lies above is not looked at, it may be a whole disk: it is asked of a folder that holds nothing but this
    one, under its name.
    """
    whole = place.resolve()
    for levels in (1, 2):
        if levels >= len(whole.parents):
            break
        folder = whole.parents[levels - 1]
        with tempfile.TemporaryDirectory(prefix="spikelab-") as alone:
            link = Path(alone) / whole.relative_to(folder)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(whole, target_is_directory=True)
            if names := recognised(Path(alone)):
                return {folder: names}
    return {}


def _folders(place: Path) -> list[Path]:
    try:
        return sorted(path for path in place.iterdir() if path.is_dir() and not path.name.startswith("."))[:_MOST]
    except OSError:
        return []


def _walked(place: Path) -> Iterator[Path]:
    """A file, or a folder with all that is in it."""
    yield place
    for folder, folders, files in os.walk(place):
        folders.sort()
        yield from (Path(folder, name) for name in (*folders, *sorted(files)))
