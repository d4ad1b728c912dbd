"""DVS128 Gesture: people who move their hands and arms before an event camera.

Amir, Taba, Berg, et al. 2017, "A low power, fully event-based gesture recognition system", CVPR. A DVS128, 128 x 128
pixels: 29 people make 11 gestures, some 6 s each, under one of several lights; 1,176 gestures of users 1 to 23 are for
training and 288 of users 24 to 29 for testing.

Published at research.ibm.com/interactive/dvsgesture as ``DvsGesture.tar.gz``, in which there are one AEDAT 3.1 file
(``user01_fluorescent.aedat``) and a list of its gestures (``user01_fluorescent_labels.csv``) for each recording, and
the lists of the two parts, ``trials_to_train.txt`` and ``trials_to_test.txt``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from spikelab.datasets.cache import cache_folder, published_folder, remove_abandoned, settings_digest
from spikelab.datasets.event_recordings.gesture_lists import GESTURES, GestureRecording, listed, listed_users
from spikelab.datasets.event_recordings.kept_recordings import read_part, write_parts
from spikelab.datasets.event_recordings.samples import EventRecordings, Slicing, Values
from spikelab.datasets.recording_files import missing
from spikelab.events import EventArray
from spikelab.events.files import EventFileError, open_events

_VERSION = 1  # of the cutting; raise it with every change of what is kept
_SIDE = 128
_CLOSE = 100_000  # microseconds without an event at the end of a gesture that are believed


class DVSGesture(EventRecordings):
    """11 gestures, 128 x 128 pixels, in the official split by people.

    The recordings have no validation split; it is the gestures of some of the people of the training part. A recording
    is decoded once, when one of its gestures is first asked for, and its gestures are kept in the cache.

    Args:
        split: ``"train"``, ``"validation"`` or ``"test"``.
        folder: holds the files of ``DvsGesture.tar.gz``, or the folder ``DvsGesture`` with them; None takes
            ``$SPIKELAB_SHARED/data/dvs_gesture``.
        validation_users: people of the training part whose gestures are for validation; an empty list leaves all in
            training, as in papers without a validation split. None takes the last fifth of them (20 to 23).
        time_bins: pictures of a sample.
        window: microseconds that a sample shows, see `EventRecordings`.
        slicing: see `EventRecordings`.
        values: see `EventRecordings`.
        reduce: see `EventRecordings`.
        shift: see `EventRecordings`.
        flip: see `EventRecordings`; left and right are different gestures, so it is 0.
        drop: see `EventRecordings`.
        seed: of the random changes.
        cache: root of the cache; None takes ``$SPIKELAB_CACHE`` or ``~/.cache/spikelab``.

    Attributes:
        users: number of the person of each sample, int64 `[N]`.
        origin: a sentence on where the splits come from, and how many gestures each has.

    Raises:
        FileNotFoundError: if the folder or a file in it is missing.
        ValueError: if there is no such split, it is empty, a list is damaged, or an argument is out of range.
        EventFileError: when a recording cannot be read, or a gesture has no events.
    """

    class_names = GESTURES
    height = width = _SIDE

    def __init__(
        self,
        split: str,
        *,
        folder: str | Path | None = None,
        validation_users: Sequence[int] | None = None,
        time_bins: int = 20,
        window: int | None = 1_500_000,
        slicing: Slicing = "time",
        values: Values = "counts",
        reduce: int = 1,
        shift: int = 0,
        flip: float = 0.0,
        drop: float = 0.0,
        seed: int = 0,
        cache: str | Path | None = None,
    ):
        super().__init__(
            "dvs_gesture", split, time_bins=time_bins, window=window, slicing=slicing, values=values, reduce=reduce,
            shift=shift, flip=flip, drop=drop, seed=seed,
        )  # fmt: skip
        self.folder = published_folder("dvs_gesture") if folder is None else Path(folder).expanduser()
        place = self._place()
        training, test = listed(place, "train"), listed(place, "test")
        users = listed_users(place, "train")
        chosen = users[len(users) - len(users) // 5 :] if validation_users is None else sorted(set(validation_users))
        if absent := set(chosen) - set(users):
            raise ValueError(
                f"dvs_gesture: validation_users names {', '.join(map(str, sorted(absent)))}, and the training part has "
                f"the users {', '.join(map(str, users))}"
            )
        splits = {
            "train": [recording for recording in training if recording.user not in chosen],
            "validation": [recording for recording in training if recording.user in chosen],
            "test": test,
        }
        self.recordings = splits[split]
        # number of the recording, and of the gesture in it
        self._places = [
            (number, part)
            for number, recording in enumerate(self.recordings)
            for part in range(len(recording.gestures))
        ]
        self.labels = np.array([self.recordings[number].gestures[part][0] for number, part in self._places], np.int64)
        self.users = np.array([self.recordings[number].user for number, _ in self._places], np.int64)
        counts = ", ".join(f"{sum(len(each.gestures) for each in splits[name])} {name}" for name in splits)
        self.origin = (
            f"training and test recordings as published, by people; validation is the people "
            f"{', '.join(map(str, chosen)) or 'none'} of the training part: {counts} gestures"
        )
        if not self._places:
            raise ValueError(f"dvs_gesture: {place.absolute()} leaves no gesture for {split!r} ({self.origin})")
        self.cache = cache_folder("dvs_gesture", cache)

    @staticmethod
    def recognises(folder: Path) -> bool:
        """Whether a folder holds such recordings, or the lists of their parts."""
        names = ("trials_to_train.txt", "trials_to_test.txt", "user*_labels.csv")
        return any(any(place.glob(name)) for place in (folder, folder / "DvsGesture") for name in names)

    def recording(self, index: int) -> EventArray:
        """See `EventRecordings.recording`."""
        number, part = self._places[index]
        recording = self.recordings[number]
        path, key = self._kept(recording)
        return read_part(path, key, len(recording.gestures), part)

    def path(self, index: int) -> Path:
        """The AEDAT file that a sample is cut out of."""
        return self.recordings[self._places[index][0]].path

    def make(self) -> dict[int, str]:
        """Cut all recordings of the split now, and not when their gestures are first asked for.

        Returns:
            Of samples whose recording cannot be read, which does not stop the others, the number and the reason.
        """
        failed: dict[int, str] = {}
        for number, recording in enumerate(self.recordings):
            try:
                self._kept(recording)
            except EventFileError as error:
                failed |= {index: str(error) for index, place in enumerate(self._places) if place[0] == number}
        return failed

    def faults(self, index: int) -> list[str]:
        """What was found wrong with a sample that can be read all the same; nothing is."""
        return []

    def problems(self) -> list[str]:
        """Gestures that their list puts behind the end of the recording; reads all recordings of the split."""
        found = []
        for recording in self.recordings:
            with contextlib.suppress(EventFileError):  # which `make` tells
                end = _end(recording.path)
                late = [gesture for gesture in recording.gestures if gesture[2] > end + _CLOSE]
                if late:
                    label, start, stop = late[0]
                    found.append(
                        f"dvs_gesture: {recording.labels}: {GESTURES[label]!r} from {start} to {stop} us ends after "
                        f"the last event of {recording.path.name}, at {end} us ({len(late)} such gestures); the list "
                        "is of another recording, or the recording is cut short: unpack DvsGesture.tar.gz again"
                    )
        return found

    def _place(self) -> Path:
        for place in (self.folder, self.folder / "DvsGesture"):
            if all((place / f"trials_to_{part}.txt").is_file() for part in ("train", "test")):
                return place
        what = "holds no trials_to_train.txt and trials_to_test.txt" if self.folder.is_dir() else "is no folder"
        source = "DVS128 Gesture is DvsGesture.tar.gz of research.ibm.com/interactive/dvsgesture, unpacked"
        raise FileNotFoundError(missing("dvs_gesture", self.folder, what, source))

    def _kept(self, recording: GestureRecording) -> tuple[Path, str]:
        """The file in the cache with a recording's gestures, which is made if it is not there, and its key."""
        about = recording.path.stat()
        # a recording or a list that was changed or replaced is cut anew
        key = settings_digest(
            {
                "version": _VERSION,
                "source": [str(recording.path.resolve()), about.st_size, about.st_mtime_ns],
                "gestures": recording.gestures,
            }
        )
        path = self.cache / f"{recording.path.stem}-{key}.safetensors"
        if not path.is_file():
            remove_abandoned(self.cache)
            write_parts(path, _cut(recording), key)
        return path, key


def _end(path: Path) -> int:
    """Time of the last event, microseconds."""
    end = -1
    with open_events(path, format="aedat3", size=(_SIDE, _SIDE)) as file:
        for events in file.chunks():
            end = int(events.t[-1]) if len(events) else end
    return end


def _cut(recording: GestureRecording) -> list[EventArray]:
    """The events of each gesture, in one pass through the file."""
    parts: list[list[EventArray]] = [[EventArray.empty(_SIDE, _SIDE)] for _ in recording.gestures]
    last = max((end for _, _, end in recording.gestures), default=0)
    with open_events(recording.path, format="aedat3", size=(_SIDE, _SIDE)) as file:
        for events in file.chunks():
            for part, (_, start, end) in zip(parts, recording.gestures, strict=True):
                part.append(events.between(start, end))
            if len(events) and events.t[-1] >= last:
                break
    whole = [EventArray.concatenate(part) for part in parts]
    for events, (label, start, end) in zip(whole, recording.gestures, strict=True):
        if not len(events):
            raise EventFileError(
                recording.path,
                f"has no events from {start} to {end} us, where its list has the gesture {GESTURES[label]!r}; fetch "
                "the file again, or take the gesture out of the list",
            )
    return whole
