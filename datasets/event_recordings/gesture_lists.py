"""The lists of DVS128 Gesture: which recordings are for training and for testing, and when is which gesture."""

from __future__ import annotations

import csv
import dataclasses
import re
from pathlib import Path

GESTURES = (
    "hand clapping", "right hand wave", "left hand wave", "right arm clockwise", "right arm counter-clockwise",
    "left arm clockwise", "left arm counter-clockwise", "arm roll", "air drums", "air guitar", "other gestures",
)  # fmt: skip
"""Classes 1 to 11 of ``gesture_mapping.csv``."""

_COLUMNS = ["class", "startTime_usec", "endTime_usec"]


@dataclasses.dataclass(frozen=True)
class GestureRecording:
    """One recording of a user under one light, with several gestures.

    Attributes:
        path: of the AEDAT file.
        user: number of the person.
        gestures: class from 0, and the time from its start to before its end in microseconds, of each gesture.
    """

    path: Path
    user: int
    gestures: tuple[tuple[int, int, int], ...]


def listed(folder: Path, part: str) -> list[GestureRecording]:
    """The recordings of a published part, in the order of their list.

    Args:
        folder: with ``trials_to_train.txt`` and the files that it names.
        part: ``"train"`` or ``"test"``.

    Raises:
        FileNotFoundError: if a listed file is missing.
        ValueError: if a list is damaged; names the file and the line.
    """
    path = folder / f"trials_to_{part}.txt"
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        name = line.strip()
        if not name:
            continue
        match = re.match(r"user(\d+)_", name)
        if match is None or not name.endswith(".aedat"):
            raise ValueError(f"dvs_gesture: {path}, line {number}: {name!r} is no recording, such as user01_led.aedat")
        recording, labels = folder / name, folder / f"{name.removesuffix('.aedat')}_labels.csv"
        for each in (recording, labels):
            if not each.is_file():
                raise FileNotFoundError(
                    f"dvs_gesture: {each.absolute()} is missing, and line {number} of {path.name} names it; unpack "
                    "DvsGesture.tar.gz again, or take the line out of the list"
                )
        found.append(GestureRecording(recording, int(match[1]), _gestures(labels)))
    return found


def _gestures(path: Path) -> tuple[tuple[int, int, int], ...]:
    with open(path, newline="", encoding="utf-8-sig") as file:
        rows = csv.reader(file)
        if [name.strip() for name in next(rows, [])] != _COLUMNS:
            raise ValueError(f"dvs_gesture: {path}, line 1: the columns must be {','.join(_COLUMNS)}")
        found = []
        for row in rows:
            if not row:
                continue
            try:
                number, start, end = map(int, row)
            except ValueError:
                number, start, end = 0, 0, 0
            if not 1 <= number <= len(GESTURES) or not 0 <= start < end:
                raise ValueError(
                    f"dvs_gesture: {path}, line {rows.line_num}: {','.join(row)!r} must be a class from 1 to "
                    f"{len(GESTURES)}, and a start and a later end in microseconds"
                )
            found.append((number - 1, start, end))
    return tuple(found)
