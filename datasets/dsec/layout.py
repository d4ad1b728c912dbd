"""Where the files of a DSEC sequence are.

DSEC is published as one archive for each kind of file, and people unpack them into one folder or into several; the
semantic labels are in ``semantic/left/11classes/data`` by the README, in ``semantic/11classes/data`` by the code of ESS
and in ``11classes`` in some downloads. So files are searched for, in all folders with the name of the sequence.

Source: dsec.ifi.uzh.ch, "Data format" and "DSEC-Semantic"; github.com/uzh-rpg/ess.
"""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

_DEPTH = 3  # folders between the root and those of sequences: <root>/train_events/train/<sequence>


@dataclasses.dataclass(frozen=True)
class DsecFiles:
    """The files of one sequence that segmentation needs.

    Attributes:
        name: of the sequence.
        events: ``events.h5`` of the left event camera.
        rectify_map: where each of its pixels lies in the rectified view.
        images: folder with the rectified pictures of the left frame camera.
        image_times: text file with their times.
        labels: folder with the labels.
        label_times: text file with their times.
        calibration: ``cam_to_cam.yaml``.
    """

    name: str
    events: Path
    rectify_map: Path
    images: Path
    image_times: Path
    labels: Path
    label_times: Path
    calibration: Path


def sequence_folders(root: Path) -> dict[str, list[Path]]:
    """All folders that may be those of sequences, by name (without ``_semantic`` at the end).

    Raises:
        FileNotFoundError: if there is no such folder.
    """
    if not root.is_dir():
        raise FileNotFoundError(f"dsec: {root}: no such folder; get DSEC from dsec.ifi.uzh.ch, and name it with path=")
    found: dict[str, list[Path]] = {}
    for folder, below, _ in os.walk(root, followlinks=True):
        place = Path(folder)
        below.sort()
        if len(place.relative_to(root).parts) >= _DEPTH:
            below.clear()
        for name in below:
            found.setdefault(name.removesuffix("_semantic"), []).append(place / name)
    return found


def find_files(root: Path, name: str, folders: list[Path], classes: int) -> DsecFiles:
    """The files of a sequence.

    Args:
        root: of the data set, for messages.
        name: of the sequence.
        folders: with its name.
        classes: 11 or 19: which labels.

    Raises:
        FileNotFoundError: if any is missing; the message says which, and where each was looked for.
    """
    lacking: list[str] = []

    def first(what: str, *places: str) -> Path:
        there = [folder / place for folder in folders for place in places if (folder / place).exists()]
        if there:
            # a folder that was left empty when its files were moved is not the one
            return next((place for place in there if place.is_file() or any(place.iterdir())), there[0])
        where = " nor ".join(places)
        lacking.append(
            f"dsec: {root}: sequence {name} has no {what}: neither {where} in {', '.join(map(str, folders)) or root}; "
            "unpack the archive that holds it there"
        )
        return folders[0] / places[0]

    def times(pictures: Path, other: str) -> Path:
        if not pictures.exists():  # which is told
            return pictures
        try:
            return _times(name, pictures, other)
        except FileNotFoundError as error:
            lacking.append(str(error))
            return pictures

    side = f"{classes}classes"
    labels = first(
        f"labels of {classes} classes", *(f"{place}{side}{end}" for place in _LABELS for end in ("/data", ""))
    )
    events = first("events of the left camera", "events/left/events.h5", "left/events.h5", "events.h5")
    images = first("rectified pictures of the left frame camera", "images/left/rectified", "left/rectified")
    files = DsecFiles(
        name,
        events,
        first("map that rectifies events", *(f"{place}rectify_map.h5" for place in ("events/left/", "left/", ""))),
        images,
        times(images, "images_timestamps.txt"),
        labels,
        times(labels, "semantic_timestamps.txt"),
        first("calibration of the cameras", "calibration/cam_to_cam.yaml", "cam_to_cam.yaml"),
    )
    if lacking:
        raise FileNotFoundError("\n".join(lacking))
    return files


_LABELS = ("semantic/left/", "semantic/", "left/", "")


def _times(name: str, pictures: Path, other: str) -> Path:
    """The file with the times of a folder of pictures: in it, or up to three folders above."""
    for folder in (pictures, *list(pictures.parents)[:3]):
        for place in (folder / "timestamps.txt", folder / f"{name}_{other}"):
            if place.is_file():
                return place
        if folder.name.removesuffix("_semantic") == name:
            break
    raise FileNotFoundError(
        f"dsec: {pictures}: the times of these pictures are missing: no timestamps.txt up to the folder of the sequence"
    )
