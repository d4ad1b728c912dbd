"""Which recordings lie in a folder of one's own: a folder for each class, in folders of splits or without."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

from spikelab.datasets.recording_files import is_archive, missing

SPLIT_NAMES: Mapping[str, str] = {
    "train": "train", "training": "train", "validation": "validation", "valid": "validation", "val": "validation",
    "test": "test", "testing": "test",
}  # fmt: skip
"""Name of a folder, in lower case -> the split that it holds."""

_SOURCE = (
    "event_folders is recordings of your own: FOLDER/train/CLASS/recording (and validation, test in the same way), or "
    "FOLDER/CLASS/recording"
)


@dataclasses.dataclass(frozen=True)
class ClassFolders:
    """What was found.

    Attributes:
        class_names: names of the folders of classes, in the order of the alphabet.
        splits: ``"train"``, ``"validation"`` and ``"test"``, as far as there are folders of them, or ``"all"`` -> paths
            of recordings, by class and name, and the numbers of their classes.
        unread: names of folders beside those of the splits.
    """

    class_names: tuple[str, ...]
    splits: Mapping[str, tuple[tuple[Path, int], ...]]
    unread: tuple[str, ...]


def find_class_folders(root: Path, pattern: str) -> ClassFolders:
    """Look through a folder; no recording is opened.

    Args:
        root: the folder.
        pattern: of the recordings' names, such as ``"*.raw"``.

    Raises:
        FileNotFoundError: if there is no folder, no folder of a class in it, or no recording for training.
        ValueError: if two folders hold the same split.
    """
    if not root.is_dir():
        raise FileNotFoundError(missing("event_folders", root, "is no folder", _SOURCE))
    folders = _folders(root)
    named: dict[str, Path] = {}
    for folder in folders:
        if split := SPLIT_NAMES.get(folder.name.lower()):
            if split in named:
                raise ValueError(f"event_folders: {named[split]} and {folder} both hold {split}; leave one of them")
            named[split] = folder
    places = named or {"all": root}
    classes = {split: _folders(place) for split, place in places.items()}
    names = tuple(sorted({folder.name for found in classes.values() for folder in found}))
    splits = {
        split: tuple(
            (path, names.index(folder.name)) for folder in classes[split] for path in _entries(folder) if
            path.match(pattern)
        )
        for split in places
    }  # fmt: skip
    first = next(iter(places)) if "all" in places else "train"
    if not splits.get(first):
        what = "holds no recording in a folder of a class"
        if first not in places:
            what = f"has folders of splits ({', '.join(each.name for each in named.values())}) and none named train"
        elif pattern != "*":
            what += f" whose name fits pattern={pattern}"
        packed = [path.name for path in _entries(root) if is_archive(path)]
        what += f"; unpack {', '.join(packed)}" if packed else ""
        raise FileNotFoundError(missing("event_folders", root, what, _SOURCE))
    unread = tuple(folder.name for folder in folders if named and folder not in named.values())
    return ClassFolders(names, splits, unread)


def _folders(place: Path) -> list[Path]:
    return [path for path in _entries(place) if path.is_dir()]


def _entries(place: Path) -> list[Path]:
    # what file managers leave behind is hidden, or named so
    return sorted(path for path in place.iterdir() if not path.name.startswith(".") and path.name != "__MACOSX")
