"""Lists of clips: finding them, reading them, and finding the video files that they name."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from spikelab.video.transcode import SUFFIXES


class ClipFinder:
    """Finds the files that lists name, whatever their suffix is now.

    Args:
        folder: what lists say is below it, or below one of the folders `below`.
        below: names of folders in it that publishers use; those that are not there do not matter.
        class_names: in the order of their numbers.

    Attributes:
        missing: clips that were asked for and not found.
    """

    def __init__(self, folder: Path, below: Sequence[str], class_names: Sequence[str]):
        self.roots = [root for root in (folder, *(folder / name for name in below)) if root.is_dir()]
        self.numbers = {name: number for number, name in enumerate(class_names)}
        self.missing: list[str] = []
        self._listed: dict[Path, dict[str, list[Path]]] = {}

    def all(self, entries: Iterable[tuple[str, str, str]]) -> list[tuple[Path, int]]:
        """Clips as listed, the names of their classes and where they are listed -> files and numbers of classes.

        Raises:
            ValueError: if there is no such class, a clip lies outside of the folder, or two files could be meant.
        """
        clips = []
        for clip, name, where in entries:
            if name not in self.numbers:
                raise ValueError(f"action_videos: {where}: class {name!r} is not in the list of classes")
            path = self._find(clip, name)
            if path is None:
                self.missing.append(clip)
            else:
                clips.append((path, self.numbers[name]))
        return clips

    def _find(self, clip: str, name: str) -> Path | None:
        parts = Path(clip).parts
        if ".." in parts or Path(clip).is_absolute():
            raise ValueError(f"action_videos: the listed clip {clip!r} must be a path below the folder")
        for root in self.roots:
            for inner in (parts[:-1], (*parts[:-1], name), (*parts[:-1], name.replace(" ", "_"))):
                found = self._videos(root.joinpath(*inner)).get(Path(parts[-1]).stem, [])
                exact = [path for path in found if path.name == parts[-1]]
                if len(found) > 1 and not exact:
                    both = " and ".join(path.name for path in found)
                    raise ValueError(
                        f"action_videos: the listed clip {clip!r} may be {both} in {found[0].parent}; leave one there"
                    )
                if found:
                    return (exact or found)[0]
        return None

    def _videos(self, folder: Path) -> dict[str, list[Path]]:
        """Name without suffix -> the files that are called so."""
        if folder not in self._listed:
            listed = self._listed.setdefault(folder, {})
            for path in videos_in(folder):
                listed.setdefault(path.stem, []).append(path)
        return self._listed[folder]


def videos_in(folder: Path) -> list[Path]:
    """The video files of a folder, by their suffix; none if there is no such folder."""
    if not folder.is_dir():
        return []
    with os.scandir(folder) as entries:
        return sorted(Path(entry.path) for entry in entries if _is_video(entry.name) and not entry.is_dir())


def class_folders(folder: Path) -> dict[str, list[Path]]:
    """Class -> its clips, of the folders in a folder that hold any.

    Raises:
        ValueError: if some clips lie in such folders and others deeper or higher, where they have no class; names one.
    """
    inner = _folders_in(folder)
    classes = {path.name: clips for path in inner if (clips := videos_in(path))}
    lost = [*videos_in(folder), *(clip for path in inner for below in _folders_in(path) for clip in deeper(below))]
    if classes and lost:
        raise ValueError(
            f"action_videos: {lost[0]} and {len(lost) - 1} more lie in no folder of a class, as other clips in "
            f"{folder} do; put them right into one, or take them away"
        )
    return classes


def deeper(folder: Path) -> Iterator[Path]:
    """The video files in a folder and below it."""
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(place) / name for name in sorted(names) if _is_video(name))


def _folders_in(folder: Path) -> list[Path]:
    with os.scandir(folder) as entries:
        return sorted(Path(entry.path) for entry in entries if entry.is_dir() and not entry.name.startswith("."))


def _is_video(name: str) -> bool:
    return Path(name).suffix.lower() in SUFFIXES and not name.startswith(".")


def lists_folder(folder: Path, lists: Path | None, below: Sequence[str], pattern: str) -> Path | None:
    """Folder of the lists, recognised by a file that fits the pattern: the folder itself, or one of those `below`.

    Publishers keep lists beside the folder of the clips, so that they are looked for there as well.
    """
    around = [base / name for base in (folder, folder.resolve().parent) for name in (".", *below)]
    candidates = [lists] if lists is not None else around
    return next((path for path in candidates if path.is_dir() and any(path.glob(pattern))), None)


def numbered_list(home: Path, name: str, split_number: int) -> Path:
    """A list that must be there if the split is."""
    if not (home / name).is_file():
        raise ValueError(f"action_videos: {home} has no {name}; there is no split_number {split_number}")
    return home / name


def only_list(home: Path, pattern: str) -> Path:
    """The one file of a folder that fits a pattern."""
    found = sorted(home.glob(pattern))
    if len(found) != 1:
        names = ", ".join(path.name for path in found) or "none"
        raise ValueError(
            f"action_videos: {home} must have one file {pattern}, found {names}; name its folder with lists="
        )
    return found[0]


def read_lines(path: Path, fields: int | None) -> Iterator[tuple[str, list[str]]]:
    """The lines of a list as their place and their fields, divided by spaces."""
    if not path.is_file():
        raise ValueError(f"action_videos: {path} is missing; it belongs to the lists beside it")
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f"action_videos: {path} is no text in UTF-8 ({error}); fetch it again") from error
    for number, line in enumerate(lines, 1):
        row = line.split()
        if not row:
            continue
        if fields is not None and len(row) != fields:
            raise ValueError(
                f"action_videos: {path}, line {number}: {line!r} must have {fields} fields, not {len(row)}"
            )
        yield f"{path}, line {number}", row


def read_json(path: Path, kind: type) -> Any:
    """A JSON file whose outermost part is of a kind, dict or list."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"action_videos: {path} is no JSON ({error}); fetch it again") from error
    if not isinstance(content, kind):
        raise ValueError(f"action_videos: {path} must be a JSON {kind.__name__}, is {type(content).__name__}")
    return content
