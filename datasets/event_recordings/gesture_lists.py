"""The lists of DVS128 Gesture: which recordings are for training and for testing, and when is which gesture."""

from __future__ import annotations

import csv
import dataclasses
import re
from pathlib import Path

from spikelab.datasets.faulty_recordings import each_sound

GESTURES = (
    "hand clapping", "right hand wave", "left hand wave", "right arm clockwise", "right arm counter-clockwise",
    "left arm clockwise", "left arm counter-clockwise", "arm roll", "air drums", "air guitar", "other gestures",
)  # fmt: skip
"""Classes 1 to 11 of ``gesture_mapping.csv``."""

_USER = re.compile(r"user(\d+)_")
_COLUMNS = ["class", "startTime_usec", "endTime_usec"]


@dataclasses.dataclass(frozen=True)
class GestureRecording:
    """One recording of a user under one light, with several gestures.

    Attributes:
        path: of the AEDAT file.
        labels: of the list of its gestures.
        user: number of the person.
        gestures: class from 0, and the time from its start to before its end in microseconds, of each gesture.
    """

    path: Path
    labels: Path
    user: int
    gestures: tuple[tuple[int, int, int], ...]


def listed(folder: Path, part: str) -> list[GestureRecording]:
    """The recordings of a published part, in the order of their list.

    Args:
        folder: with ``trials_to_train.txt`` and the files that it names.
        part: ``"train"`` or ``"test"``.

    Raises:
        FileNotFoundError: if listed files are missing.
        ValueError: if lists are damaged; names each file and line.
    """
    path = folder / f"trials_to_{part}.txt"
    lines = enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1)
    return each_sound(
        ((number, line.strip()) for number, line in lines if line.strip()), lambda line: _recording(path, *line)
    )


def listed_users(folder: Path, part: str) -> list[int]:
    """Numbers of the people whom the list of a part names, whether or not their recordings can be used."""
    lines = (folder / f"trials_to_{part}.txt").read_text(encoding="utf-8", errors="replace").splitlines()
    return sorted({int(match[1]) for line in lines if (match := _USER.match(line.strip()))})


def _recording(path: Path, number: int, name: str) -> GestureRecording:
    """What a line of a list names."""
    match = _USER.match(name)
    if match is None or not name.endswith(".aedat"):
        raise ValueError(f"dvs_gesture: {path}, line {number}: {name!r} is no recording, such as user01_led.aedat")
    recording, labels = path.with_name(name), path.with_name(f"{name.removesuffix('.aedat')}_labels.csv")
    for each in (recording, labels):
        if not each.is_file():
            raise FileNotFoundError(
                f"dvs_gesture: {each.absolute()} is missing, and line {number} of {path.name} names it; unpack "
                "DvsGesture.tar.gz again, or take the line out of the list"
            )
    return GestureRecording(recording, labels, int(match[1]), _gestures(labels))


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
