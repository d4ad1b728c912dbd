"""Which clips a folder holds: its layout is recognised, and what would be misread is refused."""

from __future__ import annotations

from pathlib import Path

from spikelab.datasets.videos.action_layouts import LAYOUTS, NUMBERED, SPLIT_FOLDERS, ClipLists
from spikelab.datasets.videos.action_lists import deeper


def find_clips(folder: Path, layout: str | None, lists: Path | None, split_number: int | None) -> ClipLists:
    """Recognise a layout, or take the one that is named, and read its lists.

    Args:
        folder: holds the clips, and the lists unless `lists` is given.
        layout: a key of `LAYOUTS`; None finds out.
        lists: folder of the lists.
        split_number: which of several official splits, from 1; None takes the first, or the only one.

    Raises:
        FileNotFoundError: if there is no such folder.
        ValueError: if the layout is unknown or not recognised, the folder is one too high or too deep, an argument does
            not fit it, or a list is damaged; names the file and the line.
    """
    for path in (folder, lists):
        if path is not None and not path.is_dir():
            raise FileNotFoundError(f"action_videos: {path.absolute()} is no folder; name the one that holds the data")
    if layout is not None and layout not in LAYOUTS:
        raise ValueError(f"action_videos: layout is {layout!r}, must be one of {', '.join(LAYOUTS)}")
    for name in [layout] if layout else LAYOUTS:
        found = LAYOUTS[name](folder, lists, split_number or 1)
        if found is not None:
            _check_found(found, folder, lists, split_number)
            if layout is None:
                _check_level(found, folder)
            return found
    expected = f"of the layout {layout!r}" if layout else f"of any layout ({', '.join(LAYOUTS)})"
    elsewhere = next(deeper(folder), None)
    raise ValueError(
        f"action_videos: {folder.absolute()} holds no clips {expected}; the simplest is one folder for each class with "
        "its video files in it. Lists in another place are named with lists="
        + (f". The first video below is {elsewhere}: name the folder two above it" if elsewhere else "")
    )


def _check_found(found: ClipLists, folder: Path, lists: Path | None, split_number: int | None) -> None:
    """Refuse arguments that a layout takes no notice of, and lists without anything to learn from."""
    if split_number is not None and found.layout not in NUMBERED:
        raise ValueError(
            f"action_videos: split_number is {split_number}, and {folder.absolute()} (layout {found.layout}) has no "
            "numbered lists of splits; leave it out, or name the folder of the lists with lists="
        )
    if lists is not None and found.lists is None:
        raise ValueError(f"action_videos: lists is {lists}, which holds no lists of clips (layout {found.layout})")
    if not {"train", "all"} & set(found.splits):
        raise ValueError(f"action_videos: {found.lists}: no list names a clip of the training split and its class")


def _check_level(found: ClipLists, folder: Path) -> None:
    """Refuse a folder that was taken for one of classes and looks like one of splits."""
    if found.layout != "folders":
        return
    splits = {name: split for split, names in SPLIT_FOLDERS.items() for name in names}
    remedy = "if it is a class all the same, say layout=folders"
    if wrong := [name for name in found.class_names if name.lower() in splits]:
        raise ValueError(
            f"action_videos: {folder / wrong[0]} is called like a split and holds videos; put them into folders of "
            f"classes in it ({wrong[0]}/CLASS/...), or add lists of their classes, such as Kinetics has; {remedy}"
        )
    whole = folder.resolve()
    others = sorted(path for path in whole.parent.iterdir() if path.is_dir() and path.name.lower() in splits)
    if whole.name.lower() in splits and any(splits[path.name.lower()] != splits[whole.name.lower()] for path in others):
        names = ", ".join(path.name for path in others)
        raise ValueError(f"action_videos: {whole} is one of the splits {names}; name {whole.parent}, or {remedy}")
