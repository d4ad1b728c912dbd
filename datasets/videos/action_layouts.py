"""How folders of action-recognition data sets are laid out: which clips there are, their classes and their splits.

Lists name clips as they were published. A clip that was coded anew may have another suffix: `name.avi` in a list is
found as `name.mp4` too.

Where the publisher has no validation split, or holds back the labels of the test split, two of our three splits would
have to share one: see `ActionVideos`, which then takes clips out of the training split.
"""

from __future__ import annotations

import csv
import dataclasses
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from spikelab.datasets.videos.action_lists import (
    ClipFinder,
    class_folders,
    lists_folder,
    numbered_list,
    only_list,
    read_json,
    read_lines,
)

SPLIT_FOLDERS = {
    "train": ("train", "training"),
    "validation": ("val", "validation", "validate", "valid"),
    "test": ("test", "testing"),
}


@dataclasses.dataclass(frozen=True)
class ClipLists:
    """Clips by split.

    Attributes:
        layout: its name, a key of `LAYOUTS`.
        class_names: in the order of their numbers.
        splits: ``"train"``, ``"validation"``, ``"test"``, or ``"all"`` where nothing says which clip is which: clips
            and the numbers of their classes. A split without labels is left out.
        missing: clips that are listed and not there.
        lists: folder of the lists; None where folders alone say what is what.
    """

    layout: str
    class_names: tuple[str, ...]
    splits: dict[str, list[tuple[Path, int]]]
    missing: tuple[str, ...] = ()
    lists: Path | None = None


def _ucf101(folder: Path, lists: Path | None, split_number: int) -> ClipLists | None:
    """UCF-101: trainlist01.txt ("Class/name.avi 1"), testlist01.txt ("Class/name.avi"), classInd.txt ("1 Class")."""
    home = lists_folder(folder, lists, ("ucfTrainTestlist",), "trainlist*.txt")
    if home is None:
        return None
    numbers: dict[str, str] = {}
    for where, (number, name) in read_lines(home / "classInd.txt", 2):
        if not number.isdecimal() or name in numbers or number in numbers.values():
            raise ValueError(f"action_videos: {where}: {number} {name}: needs a number and a name that no other has")
        numbers[name] = number
    names = tuple(sorted(numbers, key=lambda name: int(numbers[name])))
    found = ClipFinder(folder, ("UCF-101", "UCF101", "videos"), names)
    splits = {}
    for split, kind in (("train", "trainlist"), ("test", "testlist")):
        path = numbered_list(home, f"{kind}{split_number:02d}.txt", split_number)
        entries = []
        for where, row in read_lines(path, None):
            name = row[0].split("/")[0]
            if len(row) > 1 and numbers.get(name, row[1]) != row[1]:
                other = f"classInd.txt gives {name!r} the number {numbers[name]}"
                raise ValueError(f"action_videos: {where}: the class has number {row[1]}, {other}")
            entries.append((row[0], name, where))
        splits[split] = found.all(entries)
    return ClipLists("ucf101", names, splits, tuple(found.missing), home)


def _hmdb51(folder: Path, lists: Path | None, split_number: int) -> ClipLists | None:
    """HMDB-51: class_test_split1.txt, each line a file and 1 (training), 2 (test) or 0 (neither)."""
    home = lists_folder(folder, lists, ("testTrainMulti_7030_splits", "test_train_splits"), "*_test_split[0-9]*.txt")
    if home is None:
        return None
    paths = sorted(home.glob(f"*_test_split{split_number}.txt"))
    if not paths:
        numbered_list(home, f"CLASS_test_split{split_number}.txt", split_number)
    names = tuple(path.name.removesuffix(f"_test_split{split_number}.txt") for path in paths)
    found = ClipFinder(folder, ("hmdb51_org", "hmdb51", "videos"), names)
    splits: dict[str, list[tuple[Path, int]]] = {"train": [], "test": []}
    for path, name in zip(paths, names, strict=True):
        for where, (clip, part) in read_lines(path, 2):
            if part not in ("0", "1", "2"):
                raise ValueError(f"action_videos: {where}: {part!r} must be 0, 1 (training) or 2 (test)")
            if part != "0":
                splits["train" if part == "1" else "test"] += found.all([(f"{name}/{clip}", name, where)])
    return ClipLists("hmdb51", names, splits, tuple(found.missing), home)


def _something(folder: Path, lists: Path | None, split_number: int) -> ClipLists | None:
    """Something-Something v2: labels.json (template -> number), train.json and validation.json (id, template)."""
    home = lists_folder(folder, lists, ("labels", "annotations"), "*labels.json")
    if home is None:
        return None
    numbers = read_json(only_list(home, "*labels.json"), dict)
    try:
        names = tuple(str(name) for name in sorted(numbers, key=lambda name: int(numbers[name])))
    except (ValueError, TypeError) as error:
        raise ValueError(f"action_videos: {home}: labels must map each template to a number ({error})") from error
    found = ClipFinder(folder, ("20bn-something-something-v2", "videos"), names)
    splits = {}
    for split in ("train", "validation"):
        path = only_list(home, f"*{split}.json")
        entries = []
        for place, entry in enumerate(read_json(path, list)):
            where = f"{path}, entry {place}"
            if not isinstance(entry, dict) or not {"id", "template"} <= set(entry):
                raise ValueError(f"action_videos: {where} must have an id and a template")
            template = str(entry["template"]).replace("[", "").replace("]", "")
            entries.append((f"{entry['id']}.webm", template, where))
        splits[split] = found.all(entries)
    return ClipLists("something_something_v2", names, splits, tuple(found.missing), home)


def _kinetics(folder: Path, lists: Path | None, split_number: int) -> ClipLists | None:
    """Kinetics: train.csv and val.csv with label, youtube_id, time_start, time_end."""
    home = lists_folder(folder, lists, ("annotations",), "*train*.csv")
    if lists is None and home is not None and home.resolve() == folder.resolve().parent and folder.name != "train":
        return None  # any table may lie beside a folder of clips
    if home is None:
        return None
    rows: dict[str, list[tuple[str, str, str]]] = {}
    for split, folders in SPLIT_FOLDERS.items():
        paths = sorted({path for name in folders for path in home.glob(f"*{name}*.csv")})
        if not paths:
            continue
        if len(paths) > 1:
            both = ", ".join(path.name for path in paths)
            raise ValueError(f"action_videos: {home} has several lists of the split {split!r}: {both}; leave one there")
        with paths[0].open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            columns = reader.fieldnames or []
            needed = ("youtube_id", "time_start", "time_end", *(() if split == "test" else ("label",)))
            if not set(needed) <= set(columns):
                raise ValueError(
                    f"action_videos: {paths[0]}, line 1: {','.join(columns)!r} must name the columns "
                    f"{', '.join(needed)}, as lists of Kinetics do; if it is none, name the layout with layout="
                )
            for number, row in enumerate(reader, 2):
                where = f"{paths[0]}, line {number}"
                if not row.get("label"):  # the test split of some editions
                    continue
                try:
                    start, end = int(float(row["time_start"])), int(float(row["time_end"]))
                    clip = f"{row['youtube_id']}_{start:06d}_{end:06d}.mp4"
                except (KeyError, TypeError, ValueError) as error:
                    message = f"action_videos: {where} must have youtube_id, time_start and time_end"
                    raise ValueError(message) from error
                rows.setdefault(split, []).append((clip, row["label"].strip(), where))
    names = tuple(sorted({label for entries in rows.values() for _, label, _ in entries}))
    splits, missing = {}, []
    for split, entries in rows.items():
        # beside the split's own folder: clips may lie in one of the class, whose spaces are often underscores
        roots = tuple(SPLIT_FOLDERS[split]) + tuple(f"videos/{name}" for name in SPLIT_FOLDERS[split]) + ("videos",)
        found = ClipFinder(folder, roots, names)
        splits[split] = found.all(entries)
        missing += found.missing
    return ClipLists("kinetics", names, splits, tuple(missing), home)


def _coviar(folder: Path, lists: Path | None, split_number: int) -> ClipLists | None:
    """Lists of CoViAR: ucf101_split1_train.txt with "path class number" in each line, and the same for test."""
    home = lists_folder(folder, lists, ("datalists",), "*_split[0-9]*_train.txt")
    if home is None:
        return None
    rows: dict[str, list[tuple[str, list[str]]]] = {}
    numbers: dict[str, int] = {}
    for split in ("train", "test"):
        rows[split] = list(read_lines(only_list(home, f"*_split{split_number}_{split}.txt"), 3))
        for where, (_, name, number) in rows[split]:
            if not number.isdigit() or numbers.setdefault(name, int(number)) != int(number):
                raise ValueError(f"action_videos: {where}: class {name!r} has number {number!r} and another before")
    names = tuple(sorted(numbers, key=lambda name: numbers[name]))
    found = ClipFinder(folder, ("videos", "mpeg4_videos", "UCF-101", "hmdb51_org"), names)
    splits = {split: found.all((row[0], row[1], where) for where, row in rows_of) for split, rows_of in rows.items()}
    return ClipLists("coviar", names, splits, tuple(found.missing), home)


def _split_folders(folder: Path, lists: Path | None, split_number: int) -> ClipLists | None:
    """A folder for each split, in it one for each class: train/class/name.mp4 (Kinetics is often kept so)."""
    parts: dict[str, dict[str, list[Path]]] = {}
    for split, names in SPLIT_FOLDERS.items():
        there = [name for name in names if (folder / name).is_dir()]
        if len(there) > 1:
            raise ValueError(f"action_videos: {folder} has {' and '.join(there)}, both for {split}; leave one there")
        if there:
            parts[split] = class_folders(folder / there[0])
    if "train" not in parts or not parts["train"]:
        return None
    names_of_classes = tuple(sorted({name for classes in parts.values() for name in classes}))
    splits = {split: _labelled(classes, names_of_classes) for split, classes in parts.items() if classes}
    return ClipLists("split_folders", names_of_classes, splits)


def _folders(folder: Path, lists: Path | None, split_number: int) -> ClipLists | None:
    """A folder for each class: class/name.avi; nothing says which clip is of which split."""
    classes = class_folders(folder)
    if len(classes) < 1:
        return None
    return ClipLists("folders", tuple(classes), {"all": _labelled(classes, tuple(classes))})


LAYOUTS: dict[str, Callable[[Path, Path | None, int], ClipLists | None]] = {
    "ucf101": _ucf101,
    "hmdb51": _hmdb51,
    "something_something_v2": _something,
    "kinetics": _kinetics,
    "coviar": _coviar,
    "split_folders": _split_folders,
    "folders": _folders,
}
"""Layouts in the order in which they are recognised."""

NUMBERED = ("ucf101", "hmdb51", "coviar")
"""Layouts that have several official splits."""


def source_of(path: Path) -> str:
    """Name of the recording that a clip was cut from: clips of one recording belong into one split.

    It is told by names of the form of UCF-101 (``v_Class_g08_c01``: clip 1 of group 8) and of HMDB-51
    (``TITLE_class_f_nm_np1_fr_goo_37``: clip 37, after five properties); any other clip is a recording of its own.
    """
    name = re.sub(r"(_g\d+)_c\d+$", r"\1", path.stem)
    return re.sub(r"_[a-z]_[a-z]{2}_np\d+_[a-z]{2}_[a-z]{3}_\d+$", "", name)


def _labelled(classes: dict[str, list[Path]], names: Sequence[str]) -> list[tuple[Path, int]]:
    return [(path, names.index(name)) for name, paths in classes.items() for path in paths]
